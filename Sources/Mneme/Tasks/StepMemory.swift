import Foundation
import MnemePipeline
import MnemeStore

/// The form in which a step of a task is a memory: its text for people and models, its parts in the metadata.
enum StepMemory {
    /// The tag of steps.
    static let tag = "task"
    /// What steps below a task name as the origin of what belongs to another memory: they go when it is erased.
    static let reference = "task"
    /// Parts constraints and needs from each other; texts of them are one line each.
    private static let separator = "\n"

    /// The text of a step.
    static func text(_ step: TaskTree.Step) -> String {
        var lines = [(step.parent == nil ? "Task: " : "Step: ") + step.text, "Status: \(step.status.rawValue)"]
        lines += step.constraints.map { "It must hold: \($0)" }
        lines += step.input.map { ["Given: \($0)"] } ?? []
        lines += step.result.map { ["Result: \($0)"] } ?? []
        return lines.joined(separator: "\n")
    }

    /// What a step keeps besides its text.
    static func metadata(_ step: TaskTree.Step, root: String) -> [String: String] {
        var kept = [
            "kind": tag, "root": root, "order": String(step.order), "step": step.text, "status": step.status.rawValue,
            "constraints": step.constraints.joined(separator: separator),
            "needs": step.needs.joined(separator: separator),
        ]
        kept["parent"] = step.parent
        kept["input"] = step.input
        kept["result"] = step.result
        return kept
    }

    /// The step that a memory holds, and its task; nil if it is none.
    static func read(_ cube: MemCube) -> (step: TaskTree.Step, root: String)? {
        let kept = cube.metadata
        guard kept["kind"] == tag, let root = kept["root"], let text = kept["step"],
            let order = kept["order"].flatMap(Int.init), let status = kept["status"].flatMap(TaskTree.Status.init)
        else { return nil }
        func parts(_ name: String) -> [String] {
            (kept[name] ?? "").split(separator: separator).map(String.init)
        }
        return (
            TaskTree.Step(
                id: cube.id.description, parent: kept["parent"], order: order, text: text, status: status,
                constraints: parts("constraints"), input: kept["input"], needs: parts("needs"), result: kept["result"]),
            root == "" ? cube.id.description : root
        )
    }
}
