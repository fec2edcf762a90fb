import Foundation
import Mneme
import MnemeCube
import MnemePipeline

/// Scenes in which something is to be made out and something to be concluded: who acts goes by what seems, unless a text
/// that recall returns says what this very thing was in truth, or which step was right.
extension StreamEvaluation {
    /// Memories that are recalled for a scene, scenes between two rests, and seconds from one to the next.
    private static let shown = 4, rest = 10, pace = 21_600.0
    /// Words behind which a text says what is right.
    private static let truth = "in truth", step = "the right step was"

    /// Plays the scenes.
    ///
    /// - Throws: `StoreError`, `ModelError`.
    func playErrors(_ memory: inout StreamMemory, _ row: inout Row) async throws {
        var (right, repeated): ([Bool], [Bool]) = ([], [])
        var erred: Set<String> = []
        for (number, scene) in ErrorStream(count: tasks, seed: seed).scenes.enumerated() {
            let time = StreamMemory.start.addingTimeInterval(Double(number) * Self.pace)
            let known = try await memory.recall(scene.text, of: "agent", limit: Self.shown, at: time).map(\.memory.text)
            let seen = Self.answer(scene.look, Self.truth, known)
            let taken = Self.answer(scene.kind, Self.step, known)
            right.append(seen == scene.look.right && taken == scene.kind.right)
            for (matter, answer) in [(scene.look, seen), (scene.kind, taken)] {
                if erred.contains(matter.name) {
                    repeated.append(answer != matter.right)
                } else if answer != matter.right {
                    erred.insert(matter.name)
                }
            }
            var input = MemoryInput(
                scene.text + " " + Self.report(scene, seen, taken), speaker: "Eve", eventTime: time,
                session: "scene \(number)")
            input.metadata = [
                "task": scene.text, "approach": "\(seen), \(taken)", "value": right.last! ? "1" : "0",
            ]
            try await memory.record([input], of: "agent", at: time.addingTimeInterval(3_600))
            if number % Self.rest == Self.rest - 1 {
                try await memory.rest(of: ["agent"], at: time.addingTimeInterval(7_200))
            }
        }
        (row.scenes, row.repeatedErrors) = (right.share, repeated.share)
        row.memories += try memory.count(of: ["agent"])
    }

    /// What is said of a matter by the first text that tells it, or what it seems.
    private static func answer(_ matter: ErrorStream.Matter, _ mark: String, _ texts: [String]) -> String {
        for text in texts {
            for sentence in text.split(separator: ".") where sentence.contains(matter.name) {
                guard let place = sentence.range(of: mark) else { continue }
                let word = sentence[place.upperBound...].split { !$0.isLetter }.first
                if let word { return String(word) }
            }
        }
        return matter.naive
    }

    /// What was taken for what, and what was right: two sentences.
    private static func report(_ scene: ErrorStream.Scene, _ seen: String, _ taken: String) -> String {
        let (look, kind) = (scene.look, scene.kind)
        let first =
            seen == look.right
            ? "I saw the \(look.name) as it is, \(truth) \(look.right)."
            : "I misread the \(look.name) as \(seen), \(truth) \(look.right)."
        let second =
            taken == kind.right
            ? "For \(kind.name) \(step) \(kind.right), and I took it."
            : "For \(kind.name) \(step) \(kind.right), and \(taken) was wrong."
        return first + " " + second
    }
}
