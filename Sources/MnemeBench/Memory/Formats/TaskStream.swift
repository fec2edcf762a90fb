import Foundation
import Mneme
import MnemeBase

extension EvoMemoryBenchmark {
    /// Tasks at most.
    private static let most = 100_000

    /// The tasks of a file: a JSON object a line, or a list, each with `input` (or `question`), `target` (or
    /// `answer`), and, where there is a choice, `options` (or `choices`).
    ///
    /// - Throws: `InputError` that names the record.
    public static func tasks(_ records: consuming JSONRecords, limit: Int) throws -> [StreamTask] {
        var tasks: [StreamTask] = []
        while tasks.count < limit, let record = try records.next() {
            guard tasks.count < most else { throw InputError("A stream has \(most) tasks at most.") }
            do { tasks.append(try task(record)) } catch let error as InputError {
                throw InputError("Record \(tasks.count + 1): \(error.message)")
            }
        }
        guard !tasks.isEmpty else { throw InputError("The file holds no tasks.") }
        return tasks
    }

    private static func task(_ record: JSONValue) throws -> StreamTask {
        let fields = try BenchFields(record)
        let input = try fields.require("input", fields.text("input") ?? fields.text("question"))
        guard input.utf8.count <= 1 << 16, input.contains(where: { $0.isLetter || $0.isNumber }) else {
            throw InputError("'input' must hold words, and 64 KiB at most.")
        }
        let answer = try fields.require("target", fields.answer("target") ?? fields.answer("answer"))
        let options = try fields.texts("options") ?? fields.texts("choices") ?? []
        guard options.isEmpty || options.contains(answer) else {
            throw InputError("'target' must be one of 'options'.")
        }
        return StreamTask(input: input, answer: answer, options: options)
    }

    /// A stream of our own: parcels that go to one of three desks, by a rule that nobody tells. Each thing comes
    /// four times, in other words each time.
    public static let sample: String = {
        let desks = ["north", "south", "cellar"]
        let things = [
            ["violin", "cello", "flute", "drum"], ["anchor", "rope", "sail", "oar"],
            ["kettle", "pan", "ladle", "sieve"],
            ["lantern", "candle", "lamp", "torch"], ["cider", "wine", "beer", "juice"],
            ["kite", "glider", "balloon", "drone"],
        ]
        let words = [
            "Which desk takes the THING?", "Where does the THING go?", "The THING is here: to which desk?",
            "A THING has come by post.",
        ]
        var lines: [String] = []
        for round in 0..<16 {
            for kind in things.indices {
                let thing = things[kind][(round + kind) % 4]
                let input = words[(round / 4 + kind) % 4].replacing("THING", with: thing)
                let options = desks.map { "\"\($0)\"" }.joined(separator: ",")
                let desk = desks[kind % 3]
                lines.append("{\"input\":\"\(input)\",\"target\":\"\(desk)\",\"options\":[\(options)]}")
            }
        }
        return lines.joined(separator: "\n")
    }()
}
