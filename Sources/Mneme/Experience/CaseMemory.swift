import Foundation
import MnemeBase
import MnemePipeline
import MnemeStore

/// The form in which a case is a memory: its text for people and models, its values in the metadata.
enum CaseMemory {
    /// The tag of cases.
    static let tag = "case"
    /// The tag of procedures.
    static let procedureTag = "procedure"
    /// What procedures name as the origin of what was made of other memories.
    static let reference = "learn"

    /// The text of a case.
    static func text(_ known: TaskCase) -> String {
        var lines = ["Task: \(known.task)", "Tried: \(known.approach)"]
        lines.append(known.value >= 0.5 ? "It works." : "It does not work.")
        if let lesson = known.lesson { lines.append("Lesson: \(lesson)") }
        return lines.joined(separator: "\n")
    }

    /// What a case keeps besides its text.
    static func metadata(_ known: TaskCase) -> [String: String] {
        var kept = [
            "kind": tag, "task": known.task, "approach": known.approach, "value": number(known.value),
            "tries": String(known.tries), "tried": known.time.ISO8601Format(),
        ]
        kept["lesson"] = known.lesson
        return kept
    }

    /// The case that a memory holds; nil if it is none.
    static func read(_ cube: MemCube) -> TaskCase? {
        let kept = cube.metadata
        guard kept["kind"] == tag, let task = kept["task"], let approach = kept["approach"],
            let value = kept["value"].flatMap(Double.init), (0...1).contains(value),
            let tries = kept["tries"].flatMap(Int.init), tries > 0
        else { return nil }
        return TaskCase(
            task: task, approach: approach, value: value, tries: tries,
            time: kept["tried"].flatMap(DateText.parse) ?? cube.eventTime, lesson: kept["lesson"])
    }

    /// The text of a procedure.
    static func text(_ procedure: TaskProcedure) -> String {
        let about = procedure.about.joined(separator: " ")
        return
            ([
                "For tasks of the kind '\(about)': \(procedure.approach)",
                "It worked for \(procedure.cases.count) of them.",
            ]
            + procedure.lessons.map { "Lesson: \($0)" }).joined(separator: "\n")
    }

    /// What a procedure keeps besides its text.
    static func metadata(_ procedure: TaskProcedure) -> [String: String] {
        [
            "kind": procedureTag, "task": procedure.about.joined(separator: " "),
            "approach": procedure.approach, "value": number(procedure.value),
            "cases": String(procedure.cases.count),
        ]
    }

    /// What a procedure is about, does and is worth; nil if a memory is none.
    static func readProcedure(_ cube: MemCube) -> (about: String, approach: String, value: Double)? {
        let kept = cube.metadata
        guard kept["kind"] == procedureTag, let about = kept["task"], let approach = kept["approach"],
            let value = kept["value"].flatMap(Double.init), (0...1).contains(value)
        else { return nil }
        return (about, approach, value)
    }

    /// Four places after the point.
    private static func number(_ value: Double) -> String { String((value * 10_000).rounded() / 10_000) }
}
