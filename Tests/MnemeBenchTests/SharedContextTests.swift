import Foundation
import Mneme
import MnemeBase
import MnemeBench
import Testing

/// SCBench: its form, its scores, and contexts of our own.
@Suite struct SharedContextTests {
    private static func record(_ text: String, _ task: SharedContextTask) throws -> SharedContext {
        try SharedContext(JSONValue(parsing: Array(text.utf8)), 0, task: task)
    }

    @Test func `records of the published form are read`() throws {
        let plain = try Self.record(
            #"{"id": 7, "context": "{\"a\": \"b\"}", "multi_turns": [{"input": "Key: a", "answer": "b"}]}"#, .kv)
        #expect(plain.id == "1-7" && plain.turns.map(\.answers) == [["b"]] && plain.turns[0].task == .kv)
        // A list of numbers, and an answer that is one.
        let numbers = try Self.record(
            #"{"context": [3, 12], "multi_turns": [{"input": "The largest number is", "answer": 12}]}"#, .mathFind)
        #expect(numbers.context == "[3, 12]" && numbers.turns[0].answers == ["12"])
        let choice = try Self.record(
            #"{"context": "x", "multi_turns": [{"input": "q", "answer": "no", "options": ["yes", "no", "so", "or"]}]}"#,
            .choice)
        #expect(choice.turns[0].answers == ["B"])
        // A record of two tasks names that of each turn; a set of examples is no task.
        let mixed = try Self.record(
            #"""
            {"context": "x", "multi_turns": [{"input": "s", "answer": "t", "task": "scbench_summary"},
             {"input": "p", "answer": "5", "task": "scbench_passkey"}, {"input": "p", "answer": "5", "task": "salient"}]}
            """#, .manyShot)
        #expect(mixed.turns.map(\.task) == [.summary, .passkey, .manyShot])
        // Several names of variables.
        let variables = try Self.record(
            #"{"context": "x", "multi_turns": [{"input": "v", "answer": ["AB", "CD"]}]}"#, .variables)
        #expect(variables.turns[0].answers == ["AB", "CD"])
    }

    @Test func `records of another form are refused`() throws {
        for text in [
            "[]", "{}", #"{"context": "x"}"#, #"{"context": "x", "multi_turns": []}"#,
            #"{"context": {"a": 1}, "multi_turns": [{"input": "q", "answer": "a"}]}"#,
            #"{"context": "x", "multi_turns": [{"input": "q"}]}"#,
            #"{"context": "x", "multi_turns": [{"input": "q", "answer": ""}]}"#,
            #"{"context": "x", "multi_turns": [{"answer": "a"}]}"#,
            #"{"context": "x", "multi_turns": [{"input": "q", "answer": {"a": 1}}]}"#,
        ] { #expect(throws: InputError.self, "\(text)") { try Self.record(text, .kv) } }
        #expect(throws: InputError.self) {
            try Self.record(#"{"context": "x", "multi_turns": [{"input": "q", "answer": "A"}]}"#, .choice)
        }
    }

    @Test(arguments: [
        ("scbench_kv.jsonl", SharedContextTask.kv), ("multi_turn_prefix_suffix", .prefixSuffix), ("vt", .variables),
        ("scbench_many_shot.jsonl", .manyShot), ("scbench_choice_eng.jsonl", .choice), ("scbench_mf", .mathFind),
        ("scbench_summary_with_needles.jsonl", .summary), ("scbench_repoqa_and_kv", .repoQA),
    ])
    func `a file's name says the task`(_ name: String, _ task: SharedContextTask) {
        #expect(SharedContextTask(name: name) == task)
        #expect(SharedContextTask(name: "kvetch") == nil && SharedContextTask(name: "") == nil)
    }

    @Test func `a file is read, up to a limit, and one of no task is refused`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("scbench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let line = #"{"context": "x", "multi_turns": [{"input": "q", "answer": "a"}]}"# + "\n"
        for name in ["scbench_kv.jsonl", "mine.jsonl"] {
            try Data((line + line + "{\"context\":").utf8).write(to: folder.appendingPathComponent(name))
        }
        let path = folder.appendingPathComponent("scbench_kv.jsonl").path
        #expect(try SharedContext.read(path, task: nil, limit: 2).map(\.id) == ["1", "2"])
        #expect(throws: InputError.self) { try SharedContext.read(path, task: nil) }
        let other = folder.appendingPathComponent("mine.jsonl").path
        #expect(throws: InputError.self) { try SharedContext.read(other, task: nil, limit: 1) }
        #expect(try SharedContext.read(other, task: .summary, limit: 1)[0].turns[0].task == .summary)
    }

    @Test func `scores are the authors'`() {
        for (task, answer, expected, score) in [
            (SharedContextTask.kv, "it is 9-A, yes", ["9-A"], 1.0), (.kv, "9-a", ["9-A"], 0),
            (.passkey, "is 4711.", ["4711"], 1), (.passkey, "1 and 4711", ["4711"], 0), (.passkey, "none", ["4711"], 0),
            (.mathFind, " 12 ", ["12"], 1), (.mathFind, "12.7", ["12"], 1), (.mathFind, "112", ["12"], 0),
            (.variables, "ab, XY", ["AB", "CD"], 0.5), (.qaEnglish, "the Moon.", ["moon"], 1),
            (.qaEnglish, "sun", ["moon"], 0), (.manyShot, " Metal\n", ["metal"], 1), (.choice, " B. no", ["B"], 1),
            (.choice, "Because A", ["B"], 0), (.choice, "", ["B"], 0), (.summary, "the cat sat", ["the cat sat"], 1),
            (.summary, "", ["the cat sat"], 0), (.qaChinese, "北京。", ["北京"], 1), (.qaChinese, "北海", ["北京"], 0.5),
        ] as [(SharedContextTask, String, [String], Double)] {
            #expect(abs(task.score(answer, expected) - score) < 1e-9, "\(task) \(answer)")
        }
    }

    @Test(arguments: [UInt64(1), 2, 77]) func `contexts of our own hold their answers, the same for a seed`(
        _ seed: UInt64
    ) {
        var sample = SharedContextSample()
        (sample.seed, sample.contexts, sample.turns) = (seed, 2, 7)
        let records = sample.records()
        #expect(records == sample.records())
        #expect(Set(records.map(\.id)).count == 2 * SharedContextSample.tasks.count)
        for record in records {
            #expect(record.turns.count == 7 && (2000...9000).contains(record.context.utf8.count), "\(record.id)")
            for turn in record.turns {
                // The right answer has the whole score, and another turn's has not where they differ.
                #expect(turn.task.score(turn.answers[0], turn.answers) == 1, "\(record.id)")
                switch turn.task {
                case .manyShot: #expect(record.context.contains(": \(turn.answers[0])\n"))
                case .summary:
                    let sentences = turn.answers[0].split(separator: ".", omittingEmptySubsequences: true)
                    #expect(sentences.allSatisfy { record.context.contains($0.drop { $0 == " " }) })
                default: #expect(record.context.contains(turn.answers[0]))
                }
            }
        }
        sample.seed += 1
        #expect(records != sample.records())
    }
}
