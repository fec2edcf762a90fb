import Foundation
import Mneme
import MnemeStore
import NIOConcurrencyHelpers
import Testing

@Suite struct AskTests {
    /// When the questions are asked.
    private static let now = Date(timeIntervalSince1970: 1_788_220_800)  // 2026-09-01

    /// What became of some questions.
    private struct Tally {
        var right = 0
        var certain = 0
        var wrong: [String] = []
        var wrongAndCertain: [String] = []
    }

    /// A store with the sample's memories.
    private func sample() async throws -> (MemoryOS, TemporaryFolder) {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let inputs = try AskSample.lines.split(separator: "\n").map { line in
            let parts = line.split(separator: " ", maxSplits: 2).map(String.init)
            let time = try #require(DateText.parse(parts[0] + "T12:00:00Z"))
            return MemoryInput(parts[2], speaker: String(parts[1].dropLast()), eventTime: time)
        }
        try await memory.remember(inputs, scope: Scope())
        return (memory, folder)
    }

    private func ask(_ question: String, _ memory: MemoryOS) async throws -> AskResult {
        var request = AskRequest(question)
        request.now = Self.now
        return try await memory.ask(request)
    }

    private func tally(_ questions: [(String, AskQuestions.Wanted)]) async throws -> Tally {
        let (memory, folder) = try await sample()
        defer { withExtendedLifetime(folder) {} }
        var tally = Tally()
        for (question, wanted) in questions {
            let answer = try await ask(question, memory)
            if isRight(answer, wanted) {
                tally.right += 1
                tally.certain += answer.certain ? 1 : 0
            } else {
                tally.wrong.append(question)
                if answer.certain { tally.wrongAndCertain.append(question) }
            }
        }
        await memory.close(deadline: .zero)
        return tally
    }

    private func isRight(_ answer: AskResult, _ wanted: AskQuestions.Wanted) -> Bool {
        let labels = answer.items.map { ($0.label + " " + ($0.amount ?? "")).lowercased() }
        return switch wanted {
        case .number(let number): answer.value.map { abs($0 - number) < 1e-9 } ?? false
        case .all(let names):
            labels.count == names.count
                && names.allSatisfy { name in labels.contains { $0.contains(name) } }
        case .ordered(let names):
            labels.count == names.count && zip(labels, names).allSatisfy { $0.contains($1) }
        case .day(let day): answer.time.map { $0.ISO8601Format().hasPrefix(day) } ?? false
        case .truth(let truth): answer.truth == truth
        case .unsure: !answer.certain
        }
    }

    @Test func `questions that the rules were written for are answered`() async throws {
        let tally = try await tally(AskQuestions.open)
        #expect(AskQuestions.open.count == 82)
        #expect(tally.right == 82, "\(tally.wrong)")
        #expect(tally.certain == 68)
        #expect(tally.wrongAndCertain == [])
    }

    @Test func `questions that were kept aside are answered nearly as often`() async throws {
        let tally = try await tally(AskQuestions.aside)
        #expect(AskQuestions.aside.count == 41)
        #expect(tally.right >= 40 && tally.certain >= 35, "\(tally)")
        #expect(tally.wrongAndCertain == [])
    }

    @Test func `an answer names the memories that it counts`() async throws {
        let (memory, folder) = try await sample()
        let answer = try await ask("How many times did Nora swim in August?", memory)
        #expect(answer.value == 3 && answer.certain && !answer.recalled)
        #expect(answer.memories.map(\.text) == ["I swam 800 metres.", "I swam 1 km.", "I swam 1.2 km."])
        #expect(answer.items.flatMap(\.memories) == answer.memories.map(\.id))
        // What is erased is counted no more.
        try await memory.erase(answer.memories[0].id, owner: Owner())
        #expect(try await ask("How many times did Nora swim in August?", memory).value == 2)
        await memory.close(deadline: .zero)
        withExtendedLifetime(folder) {}
    }

    @Test func `what is not understood is said to be, with what recall finds`() async throws {
        let (memory, folder) = try await sample()
        let answer = try await ask("Why is the bicycle blue?", memory)
        #expect(!answer.certain && answer.recalled && !answer.reasons.isEmpty)
        #expect(answer.memories.contains { $0.text.contains("bicycle") })
        await #expect(throws: InputError.self) { try await ask("?!", memory) }
        await memory.close(deadline: .zero)
        withExtendedLifetime(folder) {}
    }

    @Test(
        arguments: [
            // Told by "we", twice in one sentence, on and on, or of something else.
            ("We ran 10 km together.", "How many times did I run?"),
            ("I ran 5 km on Monday and 7 km on Friday.", "How many km did I run?"),
            ("I run every morning.", "How many times did I run?"),
            ("I bought a coat for 100 euros and a scarf for 30 euros.", "How much did I spend?"),
            ("I bought a hat for 10 euros. I bought a cap for $5.", "How much did I spend?"),
            ("I went to Rome. I went to Ikea.", "How many cities did I visit?"),
            ("I ran in the rain. I ran 5 km.", "How often did I run in the rain?"),
            ("I bought socks.", "How many socks did I buy?"),
            ("The run was long. I ran 3 km.", "How many times did I run?"),
        ])
    func `what a text leaves open is no certain answer`(text: String, question: String) async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        try await memory.remember([MemoryInput(text)], scope: Scope())
        let answer = try await ask(question, memory)
        #expect(!answer.certain, "\(answer.answer)")
        await memory.close(deadline: .zero)
    }

    @Test(
        arguments: [
            ("I ran out of milk. I ran 3 km.", "How many times did I run?", 1),
            ("I almost bought a boat. I bought a hat for 10 euros.", "How much did I spend?", 10),
            ("I will buy two cups tomorrow. I bought three cups.", "How many cups did I buy?", 3),
            ("I baked 12 cookies and two cakes.", "How many cakes did I bake?", 2),
            ("I never ran. Yesterday I swam 2 km.", "How many km did I swim?", 2),
        ])
    func `what did not happen is not counted`(text: String, question: String, count: Double) async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        try await memory.remember([MemoryInput(text)], scope: Scope())
        let answer = try await ask(question, memory)
        #expect(answer.value == count && answer.certain, "\(answer.answer) \(answer.reasons)")
        await memory.close(deadline: .zero)
    }

    @Test(
        arguments: [
            ("I signed up for a ceramics course in March.", "What did I sign up for?", "ceramics course"),
            ("I picked up a parcel on Friday.", "What did I pick up?", "parcel"),
        ])
    func `a verb's particle is no object`(text: String, question: String, object: String) async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        try await memory.remember([MemoryInput(text)], scope: Scope())
        let answer = try await ask(question, memory)
        #expect(answer.items.map(\.label).contains { $0.contains(object) } || !answer.certain, "\(answer.answer)")
        #expect(!answer.items.contains { $0.label.hasPrefix("up") }, "\(answer.answer)")
        await memory.close(deadline: .zero)
    }

    @Test func `what a doubt quotes stands on one line`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        try await memory.remember([MemoryInput("Task: Plan the trip\nStatus: open")], scope: Scope())
        let answer = try await ask("How many trips?", memory)
        let quoted = answer.reasons.filter { $0.contains("Plan the trip") }
        #expect(!answer.certain && !quoted.isEmpty)
        #expect(quoted.allSatisfy { $0.contains("Plan the trip Status: open") })
        await memory.close(deadline: .zero)
    }

    @Test func `memories that the caller may not see are not counted`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        var secret = MemoryInput("I bought a ring for 900 euros.")
        secret.sensitivity = .restricted
        try await memory.remember(
            [MemoryInput("I bought a hat for 10 euros."), secret], scope: Scope())
        let guest = Principal(
            name: "guest", permissions: [.read], tenant: "default", user: "default",
            clearance: .internal)
        let answer = try await memory.ask(AskRequest("How much did I spend?"), by: Caller(guest))
        #expect(answer.value == 10 && answer.memories.count == 1)
        await memory.close(deadline: .zero)
    }

    /// Answers as it is told, and keeps what it was asked.
    private final class Scripted: Oracle {
        let name = "scripted"
        private let reply: String
        private let kept = NIOLockedValueBox<[OracleQuestion]>([])
        var asked: [OracleQuestion] { kept.withLockedValue { $0 } }
        init(_ reply: String) { self.reply = reply }
        func answer(_ question: OracleQuestion) async throws -> String {
            kept.withLockedValue { $0.append(question) }
            if reply == "fail" { throw OracleError("away") }
            return reply
        }
    }

    @Test(arguments: [
        (#"{"answer":"She likes tea.","memories":[1, 1, 7]}"#, true, 1),
        (#"{"answer":"She drank 47 cups.","memories":[1]}"#, true, 2),
        (#"{"answer":"She likes tea.","memories":[]}"#, false, 1),
        (#"{"answer":"","memories":[1]}"#, false, 1), ("no JSON", false, 1), ("fail", false, 1),
    ])
    func `a model answers what no rule reads, and counts with citations alone`(
        reply: String, counts: Bool, reasons: Int
    ) async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let made = try await memory.remember(
            [MemoryInput("Nora's cup smells of bergamot.", speaker: "Tom")], scope: Scope())
        let before = try await ask("Why does Nora's cup smell?", memory)
        #expect(before.recalled && before.model == nil)
        let oracle = Scripted(reply)
        memory.attach(oracle: oracle)
        let answer = try await ask("Why does Nora's cup smell?", memory)
        #expect(!answer.certain && (answer.model == "scripted") == counts)
        #expect(answer.memories.map(\.id) == [made[0].id])
        #expect(answer.items.map(\.memories) == (counts ? [[made[0].id]] : []))
        #expect(answer.answer == before.answer || counts)
        #expect(answer.reasons.count == (counts ? reasons : before.reasons.count + reasons))
        let question = try #require(oracle.asked.first)
        #expect(question.text.contains("[1] ") && question.text.contains("Tom: Nora's cup smells of bergamot."))
        #expect(question.sources.contains(made[0].id.description))
        // What a rule settles costs no call.
        let calls = oracle.asked.count
        try await memory.remember([MemoryInput("I bought a hat for 10 euros.")], scope: Scope())
        #expect(try await ask("How much did I spend?", memory).value == 10 && oracle.asked.count == calls)
        await memory.close(deadline: .zero)
    }
}
