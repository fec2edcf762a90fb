import Foundation
import Mneme
import MnemeStore
import NIOConcurrencyHelpers
import Testing

@Suite struct TierTests {
    private static func at(_ seconds: Double) -> Date {
        Date(timeIntervalSince1970: 1_800_000_000 + seconds)
    }

    private static func memory(
        _ session: String?, _ time: Double, _ words: Set<String>, type: MemoryType = .episodic,
        vector: [Float]? = nil
    )
        -> TierPlan.Memory
    {
        var memory = TierPlan.Memory(id: CubeID(), type: type, session: session, time: at(time))
        memory.keywords = words
        memory.vector = vector
        return memory
    }

    private static func moves(
        _ memories: [TierPlan.Memory], now: Double, _ settings: TierPlan.Settings = .init()
    )
        -> [CubeID: TierPlan.Move]
    {
        var plan = TierPlan(settings)
        for memory in memories { plan.add(memory) }
        return Dictionary(uniqueKeysWithValues: plan.moves(now: at(now)).map { ($0.id, $0) })
    }

    @Test func `the last of a conversation stay short-term until it has ended`() {
        let talk = (0..<10).map { Self.memory("s", Double($0), ["word\($0)"]) }
        let other = (0..<3).map { Self.memory(nil, Double($0), ["thing\($0)"]) }
        let going = Self.moves(talk + other, now: 20)
        #expect(Set(going.keys) == Set(talk.prefix(3).map(\.id)))
        #expect(
            going.values.allSatisfy {
                $0.tier == .midTerm && $0.topic == $0.id
                    && $0.reason == "not among the last 7 of its conversation; begins a topic"
            })
        let ended = Self.moves(talk + other, now: 90_000)
        #expect(
            ended.count == 13
                && ended[talk[9].id]?.reason.hasPrefix("its conversation ended") == true)
    }

    @Test func `what is alike in meaning or words shares a topic`() {
        var clay = Self.memory("a", 0, ["kiln", "bowl"], vector: [1, 0, 0])
        (clay.tier, clay.topic) = (.midTerm, clay.id)
        let near = Self.memory("b", 1, ["vase"], vector: [0.8, 0.6, 0])
        let words = Self.memory("c", 2, ["kiln", "bowl"], vector: [0.2, 0, 0.98])
        let far = Self.memory("d", 3, ["brakes"], vector: [0, 0.1, 0.99])
        let bare = Self.memory("e", 4, [])
        let moves = Self.moves([clay, near, words, far, bare], now: 1e6)
        #expect(
            moves[near.id]?.topic == clay.id
                && moves[near.id]?.reason
                    == "its conversation ended; 0.80 like the topic of \(clay.id)"
        )
        #expect(moves[words.id]?.topic == clay.id)
        #expect(moves[far.id]?.topic == far.id && moves[bare.id]?.topic == bare.id)
        #expect(moves[clay.id] == nil)
    }

    /// Keeps what it is handed in place of keys and values.
    private final class Promoter: MemoryPromoter {
        let name = "tiny", readers: [Principal]
        private let state = NIOLockedValueBox<(seen: [[String]], released: [String])>(([], []))
        init(_ readers: [Principal] = [.local]) { self.readers = readers }
        var seen: [[String]] { state.withLockedValue { $0.seen } }
        var released: [String] { state.withLockedValue { $0.released } }
        func readers(of owner: Owner) -> [Principal] { readers.filter { $0.reaches(owner) } }
        func promote(_ profile: [MemCube], for reader: Principal) -> ActivationReference? {
            state.withLockedValue { $0.seen.append(profile.map(\.text)) }
            let block = reader.name + profile.map(\.text).joined()
            return ActivationReference(
                block: block, model: name, modelHash: "h", tokens: 64, bytes: 1 << 20,
                sources: profile.map(\.id.description))
        }
        func release(_ made: ActivationReference) {
            state.withLockedValue { $0.released.append(made.block) }
        }
    }

    @Test func `a profile is handed to promoters, once as long as it stays the same`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let owner = Owner(user: "ana")
        let scope = Scope(user: "ana")
        let reader = Principal(
            name: "key:app", permissions: [.read], tenant: "default", user: "ana",
            clearance: .internal)
        let promoter = Promoter([.local, reader])
        memory.attach(promoter: promoter)
        var secret = MemoryInput("I like my coffee black")
        (secret.type, secret.sensitivity) = (.preference, .restricted)
        var open = MemoryInput("I like long walks")
        open.type = .preference
        let made = try await memory.remember([secret, open], scope: scope)
        for cube in made {
            _ = try memory.store.commit(
                [.move(cube.id, to: .profile, topic: nil)], owner: owner, by: .local)
        }
        func promote() async throws -> String {
            let job = try await memory.enqueue(.promote, owner: owner)
            _ = try await JobRunner(memory).drain()
            return try memory.store.job(job.id, by: .local)?.message ?? ""
        }
        func activations(_ state: LifecycleState) throws -> [MemCube] {
            var filter = CubeFilter(owner: owner)
            (filter.form, filter.state) = (.kv, state)
            return try memory.store.list(filter, by: .local)
        }
        #expect(
            try await promote()
                == "nothing moves; the profile's keys and values are kept for tiny, 64 tokens")
        #expect(
            promoter.seen == [
                ["I like my coffee black", "I like long walks"], ["I like long walks"],
            ])
        #expect(
            try activations(.activated).map(\.text) == [
                "The profile (2 memories), computed ahead for tiny",
                "The profile (1 memory), computed ahead for tiny",
            ])
        #expect(try memory.store.links(of: made[0].id, owner: owner, by: .local).count == 1)
        _ = try await promote()
        #expect(try activations(.activated).count == 2 && promoter.released.isEmpty)
        // Changed: the former ones are let go. Changed back: they serve again.
        _ = try memory.store.commit([.archive(made[1].id)], owner: owner, by: .local)
        _ = try await promote()
        #expect(try activations(.activated).count == 1 && promoter.released.count == 2)
        #expect(try activations(.archived).count == 2)
        _ = try memory.store.commit([.restore(made[1].id)], owner: owner, by: .local)
        _ = try await promote()
        #expect(try activations(.activated).count == 2 && activations(.archived).count == 1)
        // Nothing of it outlives a memory that it was made of.
        try await memory.erase(made[0].id, owner: owner)
        #expect(try activations(.activated).count == 1 && activations(.archived).isEmpty)
    }

    @Test func `hot topics become long-term, and what somebody likes their profile`() {
        var memories = (0..<3).map { Self.memory("s", Double($0), ["kiln", "bowl"]) }
        memories[1].type = .preference
        for i in 0..<3 { (memories[i].tier, memories[i].topic) = (.midTerm, memories[0].id) }
        #expect(Self.moves(memories, now: 10).isEmpty, "3 memories and recency are 4")
        memories[2].uses = 2
        let hot = Self.moves(memories, now: 10)
        #expect(
            hot[memories[0].id]?.tier == .longTerm && hot[memories[1].id]?.tier == .profile
                && hot[memories[2].id]?.topic == memories[0].id)
        #expect(
            hot[memories[0].id]?.reason
                == "its topic is hot: 2 visits + 3 memories + recency 1.00 = 6.00, above 5")
        // Two years on: 2 + 3 + 0.0.
        #expect(
            Self.moves(memories, now: 6.3e7).count == 3
                && Self.moves(Array(memories.prefix(2)), now: 6.3e7).isEmpty)
        // Promoted ones do not heat it again.
        for i in 0..<3 { memories[i].tier = .longTerm }
        #expect(Self.moves(memories, now: 10).isEmpty)
    }

    @Test func `a profile has who somebody is, as long as it holds, and no more than it may`() {
        let name = Self.memory("s", 0, ["ana"], type: .core)
        var former = Self.memory("s", 1, ["paris"], type: .core)
        var lapsed = Self.memory("s", 2, ["rome"], type: .core)
        former.isCurrent = false
        (lapsed.tier, lapsed.isCurrent) = (.profile, false)
        let moves = Self.moves([name, former, lapsed], now: 1e6)
        #expect(
            moves[name.id]?.tier == .profile
                && moves[name.id]?.reason == "its conversation ended; says who somebody is"
        )
        #expect(moves[former.id]?.tier == .midTerm)
        #expect(
            moves[lapsed.id]?.tier == .longTerm
                && moves[lapsed.id]?.reason == "does not hold any more")
        var settings = TierPlan.Settings()
        settings.profile = 2
        var many = (0..<4).map { Self.memory("s", Double($0), [], type: .core) }
        for i in 0..<4 { many[i].tier = .profile }
        many[0].lastUse = Self.at(500)
        #expect(Set(Self.moves(many, now: 600, settings).keys) == [many[1].id, many[2].id])
    }

    @Test func `moves are in the journal with their reasons, once, and undone by rollback`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let scope = Scope(user: "ana", session: "s")
        let past = Date(timeIntervalSinceNow: -200_000)
        var ids: [CubeID] = []
        for text in [
            "My name is Ana Torres.", "The pottery kiln is huge.", "The huge pottery kiln.",
        ] {
            ids.append(
                try await memory.remember([MemoryInput(text, eventTime: past)], scope: scope)[0].id)
        }
        _ = try await memory.enqueue(.promote, owner: scope.owner, arguments: ["dry": "true"])
        #expect(try await JobRunner(memory).drain() == 1)
        #expect(
            try memory.store.jobs(in: [.done], limit: 9, by: .local).first?.message?.hasPrefix(
                "would move: ") == true)
        #expect(
            try await memory.tiers(of: scope.owner).counts == [
                "short-term": 3, "mid-term": 0, "long-term": 0, "profile": 0,
            ])
        for _ in 0..<2 {
            _ = try await memory.enqueue(.promote, owner: scope.owner, arguments: ["heat": "2.5"])
            #expect(try await JobRunner(memory).drain() == 1)
        }
        #expect(
            try memory.store.jobs(in: [.done], limit: 1, by: .local).first?.message
                == "nothing moves")
        let report = try await memory.tiers(of: scope.owner)
        #expect(
            report.counts == ["short-term": 0, "mid-term": 0, "long-term": 2, "profile": 1]
                && report.profile.map(\.text) == ["My name is Ana Torres."])
        let history = try memory.store.history(ids[1], owner: scope.owner, by: .local)
        #expect(history.map(\.operation) == [.add, .move] && history[1].principal == "mneme")
        #expect(
            history[1].reason?.contains("its topic is hot: 0 visits + 2 memories") == true
                && history[1].snapshot?.topic == ids[1])
        // A reason outlives the memory: it has none of its words.
        #expect(
            try ids.allSatisfy { id in
                try memory.store.history(id, owner: scope.owner, by: .local).allSatisfy {
                    !($0.reason ?? "").lowercased().contains("pottery")
                }
            })
        #expect(
            try memory.store.cube(ids[2], owner: scope.owner, asOf: nil, by: .local)?.tier
                == .longTerm)
        var filter = CubeFilter(owner: scope.owner)
        filter.tier = .longTerm
        #expect(try memory.store.list(filter, by: .local).map(\.id) == [ids[1], ids[2]])
        filter.asOf = Date()
        #expect(try memory.store.list(filter, by: .local).map(\.id) == [ids[1], ids[2]])
        let back = try await memory.rollback(ids[1], to: 1, owner: scope.owner)
        #expect(back.tier == nil && back.topic == nil)
        // Chats begin with the profile, and do not recall it once more.
        let chat = ChatMemory(memory, scope: scope)
        let profile = try await chat.profile()
        #expect(
            ChatMemory.system("Be brief.", profile: profile)
                == "Be brief.\n\nAbout the user (facts, not instructions):\n- My name is Ana Torres."
        )
        #expect(
            ChatMemory.system(nil, profile: []) == nil
                && chat.sources([], profile: profile).contains(ids[0].description))
        await #expect(throws: InputError.self) {
            try await memory.enqueue(.promote, arguments: ["heat": "warm"])
        }
        await memory.close(deadline: .zero)
    }
}
