import Foundation
import Mneme
import MnemeStore
import NIOConcurrencyHelpers
import Testing

/// Answers as it is told, by a word of the text; throws or talks nonsense if told so.
private final class Scripted: Oracle {
    let name = "scripted"
    private let answers: [String: [String]]
    private let asked = NIOLockedValueBox<[String]>([]), named = NIOLockedValueBox<Set<String>>([])
    /// The sources that the questions name.
    var sources: Set<String> { named.withLockedValue { $0 } }
    init(_ answers: [String: [String]]) { self.answers = answers }
    var questions: [String] { asked.withLockedValue { $0 } }

    func answer(_ question: OracleQuestion) async throws -> String {
        let known = questions.count { $0 == question.text }
        asked.withLockedValue { $0.append(question.text) }
        named.withLockedValue { $0.formUnion(question.sources) }
        guard let (_, list) = answers.first(where: { question.text.contains($0.key) }) else {
            return #"{"claims":[]}"#
        }
        let answer = list[min(known, list.count - 1)]
        if answer == "fail" { throw OracleError("The model is away.") }
        return answer
    }
}

@Suite struct RefineTests {
    private static func claim(
        _ subject: String, _ attribute: String, _ value: String, ended: Bool = false
    ) -> String {
        #"{"subject":"\#(subject)","attribute":"\#(attribute)","value":"\#(value)","ended":\#(ended)}"#
    }

    @Test
    func `claims that a model finds end earlier ones, and only those that stand in the text count`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let owner = Owner(user: "ana")
        let day = Date(timeIntervalSince1970: 1_700_000_000)
        func remember(_ text: String, _ days: Double) async throws -> CubeID {
            let input = MemoryInput(
                text, speaker: "Ana", eventTime: day.addingTimeInterval(days * 86_400))
            return try await memory.remember([input], scope: Scope(user: "ana"))[0].id
        }
        // Said so that no rule finds it.
        let lisbon = try await remember("These days you find me under the sun of Lisbon.", 0)
        let porto = try await remember("Packed it all up, Porto has me now for good.", 9)
        let invented = try await remember("The weather was grey and the tea was cold.", 10)
        let ruled = try await remember("I work at Siemens.", 11)
        let oracle = Scripted([
            "Lisbon": [#"{"claims":[\#(Self.claim("I", "home", "Lisbon"))]}"#],
            "Porto": [
                "no JSON at all",
                #"{"claims":[\#(Self.claim("the speaker", "home", "Porto")),\#(Self.claim("I", "employer", "Porto Wine Company"))]}"#,
            ],
            "weather": [
                #"{"claims":[\#(Self.claim("I", "home", "Berlin")),\#(Self.claim("Tom", "job", "tea")),\#(Self.claim("tea", "mood", "cold"))]}"#
            ],
        ])
        _ = try await memory.enqueue(.refine, owner: owner)
        #expect(
            try await JobRunner(memory).drain() >= 1,
            "on a slow machine the second attempt may be due, too")
        #expect(
            try memory.store.jobs(in: [.waiting], limit: 1, by: .local).first?.message?.contains(
                "No model is configured") == true)
        memory.attach(oracle: oracle)
        let job = try #require(try memory.store.jobs(in: [.waiting], limit: 1, by: .local).first)
        _ = try memory.store.cancelJob(job.id, by: .local)
        _ = try await memory.enqueue(.refine, owner: owner)
        #expect(try await JobRunner(memory).drain() == 1)
        #expect(
            try memory.store.jobs(in: [.done], limit: 1, by: .local).first?.message
                == "3 looked at, claims found in 2")
        func cube(_ id: CubeID) throws -> MemCube {
            try #require(try memory.store.cube(id, owner: owner, asOf: nil, by: .local))
        }
        #expect(
            try cube(lisbon).claims == [Claim(subject: "ana", attribute: "home", value: "lisbon")])
        #expect(
            try cube(porto).claims == [Claim(subject: "ana", attribute: "home", value: "porto")],
            "what is not in the text is not believed")
        #expect(try cube(invented).claims.isEmpty && cube(invented).version == 1)
        #expect(
            try cube(lisbon).validUntil == cube(porto).eventTime && cube(porto).validUntil == nil)
        #expect(
            try memory.store.links(of: lisbon, owner: owner, by: .local).contains {
                $0.source == porto && $0.kind == CubeLink.supersedes
            })
        let entry = try #require(
            try memory.store.history(porto, owner: owner, by: .local).last {
                $0.operation == .update
            })
        #expect(
            entry.principal == "mneme" && entry.reason == "claims found by scripted"
                && entry.snapshot?.text == "Packed it all up, Porto has me now for good.")
        #expect(
            oracle.sources == [
                lisbon.description, porto.description, invented.description, "owner:default/ana",
            ])
        #expect(
            oracle.questions.count == 4,
            "one answer was asked for again; what rules found is not asked about")
        #expect(try cube(ruled).version == 1)
        await memory.close(deadline: .zero)
    }

    @Test func `a refinement goes on where it stopped, whatever stopped it`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let owner = Owner(user: "ana")
        for i in 0..<100 {
            try await memory.remember(
                [MemoryInput("Something number \(i) was seen")], scope: Scope(user: "ana"))
        }
        // The fortieth fails the first time, after what was before it is done.
        let oracle = Scripted(["number 40 ": ["fail", #"{"claims":[]}"#]])
        memory.attach(oracle: oracle)
        var scheduler = JobScheduler()
        scheduler.firstRetry = 0
        _ = try await memory.enqueue(.refine, owner: owner, arguments: ["count": "70"])
        for _ in 0..<1_000 where try memory.store.jobCounts()[.done] == nil {
            _ = try await JobRunner(memory, scheduler: scheduler).drain()
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(
            try memory.store.jobs(in: [.done], limit: 1, by: .local).first?.message
                == "60 looked at, claims found in 0"
        )
        #expect(oracle.questions.count == 101 && Set(oracle.questions).count == 100)
        // Nothing is asked twice, by whoever asks, until something new comes.
        _ = try await memory.enqueue(.refine, owner: owner)
        #expect(try await JobRunner(memory).drain() == 1 && oracle.questions.count == 101)
        try await memory.remember(
            [MemoryInput("Something new was seen")], scope: Scope(user: "ana"))
        _ = try await memory.enqueue(.refine, owner: owner)
        #expect(try await JobRunner(memory).drain() == 1 && oracle.questions.count == 102)
        for wrong in ["0", "-1", "many"] {
            await #expect(throws: InputError.self) {
                _ = try await memory.enqueue(.refine, arguments: ["count": wrong])
            }
        }
        await memory.close(deadline: .zero)
    }
}
