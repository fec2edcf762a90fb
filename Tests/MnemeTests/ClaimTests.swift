import Foundation
import Mneme
import MnemeIndex
import MnemeStore
import Testing

@Suite struct ClaimTests {
    private func claims(_ text: String, by speaker: String? = nil) -> [String] {
        Claims.find(in: text, words: TextAnalyzer.words(text), speaker: speaker).map {
            "\($0.subject) | \($0.attribute) | \($0.isDenied ? "not " : "")\($0.value)"
        }
    }

    @Test(
        arguments: [
            ("Ana lives in Paris.", ["ana | home | paris"]),
            ("Ana moved to New York last Friday with her dog.", ["ana | home | new york"]),
            ("I've just moved to Berlin!", ["tom | home | berlin"]),
            ("i moved to berlin", ["tom | home | berlin"]),
            ("Ana Lopez no longer lives in Paris.", ["ana lopez | home | not paris"]),
            ("My sister doesn't live in Rome anymore.", ["tom's sister | home | not rome"]),
            ("Ana's living in Oslo now.", ["ana | home | oslo"]),
            (
                "Ana moved to Berlin and works at Siemens.",
                ["ana | home | berlin", "ana | employer | siemens"]
            ),
            ("I quit Siemens.", ["tom | employer | not siemens"]),
            ("My favourite colour is dark blue.", ["tom | favorite color | dark blue"]),
            ("Ana's phone number is 555-0199.", ["ana | phone | 555-0199"]),
            ("The capital of Kazakhstan is Astana.", ["kazakhstan | capital | astana"]),
            ("The key is under the mat.", ["key | place | under mat"]),
            ("The meeting is on Friday", ["meeting | time | friday"]),
            ("I don't like coffee.", ["tom | opinion of coffee | dislikes"]),
            ("Ana loves coffee", ["ana | opinion of coffee | likes"]),
            ("I can't stand olives", ["tom | opinion of olives | dislikes"]),
            ("I'm vegan now", ["tom | diet | vegan"]),
            ("Ana is no longer vegetarian.", ["ana | diet | not vegetarian"]),
            ("Ana is married to Luis.", ["ana | spouse | luis"]),
            ("The wifi password is tulip42", ["wifi | password | tulip42"]),
        ])
    func `what holds one at a time is found`(text: String, expected: [String]) {
        #expect(claims(text, by: "Tom") == expected)
    }

    @Test(
        arguments: [
            "Does Ana live in Paris?", "If Ana moved to Paris, she would be happy.",
            "She lives in Paris.",
            "Sounds like fun!", "It looks like rain.",
            "I used to live in Paris.", "I would like tea", "I want to live in Rome",
            "People live in houses.",
            "I joined a gym", "Ana is in the garden.",
            "\"The Name of the Wind\" is great.", "Someone who lives in Paris called.",
            "I left the house", "", "is",
            "my is is", "I like", "lives in",
        ])
    func `what could be anybody's, or is not stated, is passed over`(text: String) {
        #expect(claims(text, by: "Tom").isEmpty)
    }

    private static let scope = Scope(user: "ana"), owner = Owner(user: "ana")
    private static func day(_ number: Int) -> Date {
        Date(timeIntervalSince1970: 1_700_000_000 + Double(number) * 86_400)
    }

    private func remember(_ memory: MemoryOS, _ text: String, day: Int) async throws -> MemCube {
        try await memory.remember(
            [MemoryInput(text, speaker: "Ana", eventTime: Self.day(day))], scope: Self.scope)[0]
            .memory
    }

    private func first(
        _ memory: MemoryOS, _ question: String, _ change: (inout RecallRequest) -> Void = { _ in }
    )
        async throws -> String?
    {
        var request = RecallRequest(question, owner: Self.owner)
        request.now = Self.day(1_000)
        change(&request)
        return try await memory.recall(request).memories.first?.memory.text
    }

    @Test
    func `the later one is preferred, the earlier one answers for its time, and both are linked`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let paris = try await remember(memory, "I live in Paris", day: 10)
        _ = try await remember(memory, "I like tea", day: 11)
        let berlin = try await remember(memory, "I moved to Berlin", day: 500)
        let old = try #require(
            try memory.store.cube(paris.id, owner: Self.owner, asOf: nil, by: .local))
        #expect(old.validUntil == Self.day(500) && old.state == .activated && old.version == 2)
        #expect(
            try memory.store.links(of: paris.id, owner: Self.owner, by: .local).map(\.source) == [
                berlin.id
            ])
        #expect(try await first(memory, "Where does Ana live?") == "I moved to Berlin")
        // Now, and without the words of the question.
        #expect(
            try await first(memory, "Does Ana live in Paris or elsewhere?") == "I moved to Berlin")
        #expect(try await first(memory, "Where did Ana live before?") == "I live in Paris")
        #expect(
            try await first(memory, "Where does Ana live?") { $0.at = Self.day(100) }
                == "I live in Paris")
        #expect(try await first(memory, "Where does Ana live?") { $0.at = Self.day(5) } == nil)
        // What was known before anything was said of Berlin.
        #expect(
            try await first(memory, "Where does Ana live?") { $0.asOf = paris.recordedTime }
                == "I live in Paris")
        // Said again of the past: that changes nothing for now.
        let rome = try await remember(memory, "I live in Rome", day: 3)
        #expect(
            try memory.store.cube(rome.id, owner: Self.owner, asOf: nil, by: .local)?.validUntil
                == Self.day(10))
        #expect(try await first(memory, "Where does Ana live?") == "I moved to Berlin")
        // Taken back, the one before holds again; erased, too.
        _ = try memory.store.commit([.archive(berlin.id)], owner: Self.owner, by: .local)
        #expect(
            try memory.store.cube(paris.id, owner: Self.owner, asOf: nil, by: .local)?.validUntil
                == nil)
        _ = try memory.store.commit([.restore(berlin.id)], owner: Self.owner, by: .local)
        #expect(
            try memory.store.cube(paris.id, owner: Self.owner, asOf: nil, by: .local)?.validUntil
                == Self.day(500))
        try await memory.erase(berlin.id, owner: Self.owner)
        #expect(
            try memory.store.cube(paris.id, owner: Self.owner, asOf: nil, by: .local)?.validUntil
                == nil)
        #expect(try await first(memory, "Where does Ana live?") == "I live in Paris")
        #expect(
            try memory.store.history(paris.id, owner: Self.owner, by: .local).map(\.operation)
                .filter {
                    $0 != .unlink && $0 != .link
                } == [
                    .add, .supersede, .reinstate, .supersede, .reinstate,
                ])
        #expect(try memory.store.check(repair: false, by: .local).allSatisfy(\.sound))
        #expect(try memory.store.verifyAudit(keys: nil, head: nil, by: .local).findings.isEmpty)
        await memory.close(deadline: .zero)
    }

    @Test func `the outcome does not depend on the order in which things are said`() async throws {
        let said = [
            ("I live in Paris", 1), ("I moved to Berlin", 5), ("I no longer live in Berlin", 8),
            ("I live in Rome", 9),
            ("I live in Rome", 12),
            ("I moved to Oslo", 20),
            ("I like coffee", 2), ("I don't like coffee", 7), ("I work at Siemens", 3),
            ("I quit Siemens", 15),
        ]
        var outcomes: Set<String> = []
        for seed in 0..<12 {
            let folder = try TemporaryFolder()
            let memory = try folder.open()
            var order = said
            var state = UInt64(seed)
            for i in order.indices.dropLast() where seed > 0 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                order.swapAt(i, i + Int(state >> 33) % (order.count - i))
            }
            for (text, day) in order { _ = try await remember(memory, text, day: day) }
            let cubes = try memory.store.list(CubeFilter(owner: Self.owner), by: .local).sorted {
                ($0.eventTime, $0.text) < ($1.eventTime, $1.text)
            }
            outcomes.insert(
                cubes.map {
                    "\($0.text) \($0.validUntil.map { Int($0.timeIntervalSince(Self.day(0)) / 86_400) } ?? -1)"
                }.joined(separator: "; "))
            await memory.close(deadline: .zero)
        }
        #expect(
            outcomes == [
                """
                I live in Paris 5; I like coffee 7; I work at Siemens 15; I moved to Berlin 8; I don't like coffee -1; I no longer live in Berlin -1; \
                I live in Rome 20; I live in Rome 20; I quit Siemens -1; I moved to Oslo -1
                """
            ])
    }

    @Test func `somebody who sees less neither ends what others see nor learns of it`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let low = Principal(
            name: "low", permissions: [.read, .write], user: "ana", clearance: .internal)
        func say(_ text: String, _ label: Sensitivity, day: Int, by principal: Principal)
            async throws -> MemCube
        {
            var input = MemoryInput(text, speaker: "Ana", eventTime: Self.day(day))
            input.sensitivity = label
            return try await memory.remember([input], scope: Self.scope, by: Caller(principal))[0]
                .memory
        }
        let open = try await say("I live in Paris", .internal, day: 1, by: .local)
        let secret = try await say("I live in Oslo", .restricted, day: 2, by: .local)
        #expect(
            try memory.store.cube(open.id, owner: Self.owner, asOf: nil, by: .local)?.validUntil
                == nil,
            "what only some see ends nothing that all see")
        _ = try await say("I live in Rome", .internal, day: 3, by: low)
        #expect(
            try memory.store.cube(open.id, owner: Self.owner, asOf: nil, by: .local)?.validUntil
                == Self.day(3))
        #expect(
            try memory.store.cube(secret.id, owner: Self.owner, asOf: nil, by: .local)?.validUntil
                == nil,
            "nor does somebody end what is out of their sight")
        await memory.close(deadline: .zero)
    }

    @Test func `a long correction is kept whole, in parts`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let wrong = try await remember(memory, "The ferry leaves at nine", day: 1)
        let sentences = (1...200).map { "Ferry number \($0) leaves from pier \($0 * 7). " }
        let first = try await memory.correct(wrong.id, with: sentences.joined(), owner: Self.owner)
        let all = try memory.store.list(CubeFilter(owner: Self.owner, limit: 1000), by: .local)
        let parts = all.filter { $0.id != wrong.id && $0.state == .activated }
        #expect(parts.count > 1 && parts.contains { $0.id == first.id })
        #expect(
            sentences.allSatisfy { sentence in
                parts.contains { $0.text.contains(sentence.dropLast()) }
            })
        for part in parts {
            let links = try memory.store.links(of: part.id, owner: Self.owner, by: .local)
            #expect(links.map(\.kind).contains(CubeLink.corrects))
        }
        await memory.close(deadline: .zero)
    }

    @Test func `corrections, feedback, rollback and freezing are versions that can be taken back`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let wrong = try await remember(memory, "The ferry leaves at nine from pier four", day: 1)
        let right = try await memory.correct(
            wrong.id, with: "The ferry leaves at ten from pier four", owner: Self.owner)
        #expect(
            try await first(memory, "When does the ferry leave?")
                == "The ferry leaves at ten from pier four")
        #expect(
            try memory.store.cube(wrong.id, owner: Self.owner, asOf: nil, by: .local)?.state
                == .merged)
        #expect(
            try memory.store.links(of: right.id, owner: Self.owner, by: .local).map(\.kind) == [
                CubeLink.corrects
            ])
        #expect(right.eventTime == wrong.eventTime && right.speaker == "Ana")
        await #expect(throws: InputError.self) {
            try await memory.correct(right.id, with: "  ", owner: Self.owner)
        }
        #expect(try await memory.recordFeedback(right.id, .right, owner: Self.owner).confirmations == 1)
        #expect(try await memory.recordFeedback(right.id, .outdated, owner: Self.owner).validUntil != nil)
        #expect(try await memory.recordFeedback(right.id, .wrong, owner: Self.owner).state == .archived)
        // Version 2 was confirmed, active and held.
        let again = try await memory.rollback(right.id, to: 2, owner: Self.owner)
        #expect(
            again.version == 5 && again.state == .activated && again.validUntil == nil
                && again.confirmations == 1)
        #expect(
            try memory.store.commit([.freeze(right.id)], owner: Self.owner, by: .local)[0].state
                == .frozen)
        let frozen = try #require(
            try memory.store.cube(right.id, owner: Self.owner, asOf: nil, by: .local))
        var changed = frozen
        changed.text = "The ferry leaves at noon"
        changed.state = .activated
        #expect(throws: StoreError.self) {
            try memory.store.commit(
                [.update(changed, analysis: [], contentHash: [1])], owner: Self.owner, by: .local)
        }
        #expect(
            try await first(memory, "When does the ferry leave?")
                == "The ferry leaves at ten from pier four")
        _ = try memory.store.commit([.restore(right.id)], owner: Self.owner, by: .local)
        await #expect(throws: StoreError.self) {
            try await memory.rollback(right.id, to: 99, owner: Self.owner)
        }
        await #expect(throws: StoreError.self) {
            try await memory.rollback(CubeID(), to: 1, owner: Self.owner)
        }
        // An update cannot carry a cube past the rules of its life.
        var sneaked = try #require(
            try memory.store.cube(right.id, owner: Self.owner, asOf: nil, by: .local))
        sneaked.state = .erased
        #expect(
            try memory.store.commit(
                [.update(sneaked, analysis: [], contentHash: [1])], owner: Self.owner, by: .local)[
                    0
                ].state == .activated)
        await memory.close(deadline: .zero)
    }
}
