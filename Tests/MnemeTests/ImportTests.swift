import Foundation
import Mneme
import MnemeStore
import Testing

@Suite struct ImportTests {
    private func run(_ memory: MemoryOS, _ path: String, _ extra: [String: JSONValue] = [:])
        async throws
        -> ImportReport
    {
        let context = OperationContext(memory: memory, principal: .local)
        let output = try await ImportOperation.call(
            extra.merging(["path": .string(path)]) { $1 }, context, surface: .commandLine)
        guard case .value(let value) = output, let report = value as? ImportReport else {
            throw InputError("no report")
        }
        return report
    }

    @Test func `bad lines are reported by number and skipped, or stop the import`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let file = try folder.write(
            "chat.jsonl",
            """
            {"role":"user","content":"I planted tulips","time":"2026-03-01T10:00:00Z","session":"s1"}
            not json
            {"role":"user"}

            {"name":"Ben","text":"Lovely!","timestamp":1772359200}
            {"content":"when","time":"someday"}
            ["a list"]
            """)
        let report = try await run(memory, file)
        #expect(report.stored == 2 && report.skipped == 4)
        #expect(report.problems.map(\.line) == [2, 3, 6, 7])
        let again = try await run(memory, file)
        #expect(again.stored == 0 && again.duplicates == 2)
        let error = await #expect(throws: InputError.self) {
            try await run(memory, file, ["strict": true])
        }
        #expect(error?.description.contains("line 2") == true)
    }

    @Test func `LoCoMo, OpenAI exports, Markdown folders`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let locomo = try folder.write(
            "locomo.json",
            """
            [{"sample_id":"c1","conversation":{"speaker_a":"Ana","session_1_date_time":"1:56 pm on 8 May, 2023",
            "session_1":[{"speaker":"Ana","dia_id":"D1:1","text":"Look!","blip_caption":"a red kite"}]},"qa":[]}]
            """)
        #expect(try await run(memory, locomo).stored == 1)
        let kite = try memory.store.list(CubeFilter(owner: Owner()), by: .local)[0]
        #expect(
            kite.text == "Look! [shares a photo of a red kite]"
                && kite.eventTime == DateText.parse("2023-05-08T13:56:00Z")
                && kite.provenance.reference == "c1/D1:1")
        let openai = try folder.write(
            "conversations.json",
            """
            [{"title":"Trip","id":"x","current_node":"c","mapping":{"a":{"message":null,"parent":null,"children":["b"]},
            "b":{"message":{"id":"b","author":{"role":"user"},"create_time":1700000000.5,"content":{"parts":["Plan a trip to Faro"]}},"parent":"a","children":["c","d"]},
            "c":{"message":{"id":"c","author":{"role":"assistant"},"create_time":1700000001,"content":{"parts":["Take the train."]}},"parent":"b","children":[]},
            "d":{"message":{"id":"d","author":{"role":"assistant"},"create_time":1700000001,"content":{"parts":["An abandoned answer."]}},"parent":"b","children":[]}}}]
            """)
        #expect(try await run(memory, openai).stored == 2)
        try FileManager.default.createDirectory(
            atPath: folder.path + "/notes/deep", withIntermediateDirectories: true)
        _ = try folder.write(
            "notes/a.md", "# Roses\n\nPrune them in March.\n\n# Tulips\n\nPlant them in autumn.")
        _ = try folder.write(
            "notes/deep/b.txt", String(repeating: "A long paragraph about bees. ", count: 200))
        _ = try folder.write("notes/c.png", "not text")
        let report = try await run(memory, folder.path + "/notes")
        #expect(report.files == 2 && report.stored > 5 && report.skipped == 0)
        let answer = try await memory.recall(RecallRequest("When should roses be pruned?"))
        #expect(answer.memories.first?.memory.metadata["heading"] == "Roses")
    }

    @Test func `wrong paths and formats say what is wrong`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        await #expect(throws: InputError.self) {
            try await run(memory, folder.path + "/absent.jsonl")
        }
        let broken = try folder.write("broken.json", "[{\"conversation\": 3}]")
        await #expect(throws: InputError.self) { try await run(memory, broken) }
        await #expect(throws: InputError.self) {
            try await run(memory, broken, ["format": "openai"])
        }
        await #expect(throws: InputError.self) { try await run(memory, broken, ["format": "docx"]) }
    }

    @Test func `hostile documents end in an error or a report, never in a crash`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let seeds = [
            #"[{"sample_id":"c","conversation":{"session_1_date_time":"1:56 pm on 8 May, 2023","session_1":[{"speaker":"A","text":"hello"}]}}]"#,
            #"[{"id":"x","mapping":{"a":{"parent":"b"},"b":{"parent":"a","message":{"author":{"role":"user"},"content":{"parts":["hi"]}}}}}]"#,
            #"{"role":"user","content":"text","time":"2026-01-01"}"#,
        ]
        var random = Seeded(state: 99)
        for round in 0..<2500 {
            var bytes = Array(seeds[round % 3].utf8)
            for _ in 0...Int.random(in: 0..<4, using: &random) {
                let i = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[i] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.removeSubrange(i...)
                default: bytes.insert(contentsOf: bytes[0..<i], at: i)
                }
                if bytes.isEmpty { bytes = [91] }
            }
            let format: JSONValue = ["locomo", "openai", "jsonl"][round % 3]
            let context = OperationContext(memory: memory, principal: .local)
            do {
                _ = try await ImportOperation.call(
                    ["data": .string(String(decoding: bytes, as: UTF8.self)), "format": format],
                    context, surface: .http
                )
            } catch {
                #expect(error is InputError, "\(error)")
            }
        }
        #expect(try memory.store.check(repair: false, by: .local).allSatisfy(\.sound))
    }
}

struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 33)
    }
}
