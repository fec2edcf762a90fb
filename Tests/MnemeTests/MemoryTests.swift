import Foundation
import Mneme
import MnemeBase
import MnemeSeal
import MnemeStore
import Testing

/// A folder of its own for one test, removed at the end.
final class TemporaryFolder: Sendable {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent(
        "mneme-\(UUID().uuidString)"
    ).path
    init() throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func open(
        embedder: (any TextEmbedder)? = nil, former: (any TextEmbedder)? = nil,
        key: EncryptionKey? = nil
    ) throws
        -> MemoryOS
    {
        MemoryOS(
            store: try SQLiteMemoryStore(
                path: path + "/store.db", analyzer: MemoryOS.analyzerVersion, key: key),
            embedder: embedder, formerEmbedder: former,
            indexFolder: path + "/index")
    }

    func write(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: path + "/" + name, atomically: true, encoding: .utf8)
        return path + "/" + name
    }
}

@Suite struct MemoryTests {
    @Test func `several vaults answer one question, each only to whom it is open`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let ana = Owner(user: "ana")
        let team = Owner(user: "team")
        let other = Owner(user: "other")
        func remember(_ text: String, _ owner: Owner) async throws -> CubeID {
            try await memory.remember([MemoryInput(text)], scope: Scope(user: owner.user))[0].id
        }
        let mine = try await remember("The stand-up of the garden club is on Monday.", ana)
        let theirs = try await remember("The stand-up of the team is at ten o'clock.", team)
        _ = try await remember("The stand-up of the others is at noon.", other)
        _ = try await remember("Lunch is in the garden.", team)
        let both = [
            try await remember("The team's room is the blue one.", ana),
            try await remember("The team's room is the blue one.", team),
        ]
        let caller = Caller(
            Principal(name: "ana", permissions: [.read, .write], tenant: "default", user: "ana"))
        var request = RecallRequest("When is the stand-up of the team?", owner: ana)
        #expect(try await memory.recall(request, by: caller).memories.first?.memory.id == mine)
        request.also = [team]
        let closed = request
        await #expect(throws: AccessError.self) { _ = try await memory.recall(closed, by: caller) }
        _ = try memory.store.share(
            Grant(owner: team, grantee: .user("ana"), permissions: [.read], upTo: .internal),
            by: .local)
        let found = try await memory.recall(request, by: caller)
        #expect(
            found.memories.prefix(2).map(\.memory.id) == [theirs, mine] && found.considered == 5)
        #expect(found.memories.allSatisfy { $0.memory.scope.user != "other" })
        #expect(zip(found.memories, found.memories.dropFirst()).allSatisfy { $0.score >= $1.score })
        // What stands in both is shown once, as the first vault's.
        var question = RecallRequest("Which is the team's room?", owner: ana)
        question.also = [team, ana]
        let room = try await memory.recall(question, by: caller)
        #expect(
            room.memories.first?.memory.id == both[0]
                && room.memories.first?.duplicates == [both[1]])
        // Each vault's own counts, one bound of memories and tokens.
        request.limit = 1
        #expect(try await memory.recall(request, by: caller).memories.map(\.memory.id) == [theirs])
        request.limit = 10
        request.tokenBudget = found.memories[0].memory.text.utf8.count / 4 + 1
        #expect(try await memory.recall(request, by: caller).tokens <= request.tokenBudget!)
        request.tokenBudget = nil
        request.asOf = Date()
        #expect(try await memory.recall(request, by: caller).memories.first?.memory.id == theirs)
        request.asOf = Date(timeIntervalSinceNow: -3_600)
        #expect(try await memory.recall(request, by: caller).memories.isEmpty)
        request.also = (0..<40).map { Owner(user: "u\($0)") }
        let many = request
        await #expect(throws: InputError.self) { _ = try await memory.recall(many, by: .local) }
        // Uses are counted for each owner, and written when somebody looks.
        #expect(try await memory.tiers(of: team).counts["short-term"] == 3)
        let used = try memory.store.cube(theirs, owner: team, asOf: nil, by: .local)
        #expect(used?.usage?.count ?? 0 > 0)
        await memory.close(deadline: .zero)
    }

    private static let scope = Scope(user: "ana"), owner = Owner(user: "ana")

    private func recall(
        _ memory: MemoryOS, _ query: String, _ change: (inout RecallRequest) -> Void = { _ in }
    )
        async throws -> [String]
    {
        var request = RecallRequest(query, owner: Self.owner)
        change(&request)
        return try await memory.recall(request).memories.map(\.memory.text)
    }

    @Test func `what is remembered is recalled by its words at once, also by another process`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let other = try folder.open()
        #expect(try await recall(other, "guitar").isEmpty)
        try await memory.remember(
            [MemoryInput("Tom sold his guitar."), MemoryInput("It rained all day.")],
            scope: Self.scope)
        #expect(try await recall(memory, "Who sold a guitar?").first == "Tom sold his guitar.")
        #expect(try await recall(other, "Who sold a guitar?").first == "Tom sold his guitar.")
        #expect(
            try await other.recall(RecallRequest("guitar", owner: Owner(user: "bob"))).memories
                .isEmpty)
    }

    @Test func `the same text is recorded once, a near duplicate is linked`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let time = Date(timeIntervalSince1970: 1_700_000_000)
        let text = "The meeting about the new budget is on the third floor"
        let first = try await memory.remember(
            [MemoryInput(text, speaker: "Tom", eventTime: time)], scope: Self.scope)
        let again = try await memory.remember(
            [MemoryInput(text, speaker: "Tom", eventTime: time)], scope: Self.scope)
        #expect(again[0].duplicate && again[0].id == first[0].id)
        let near = try await memory.remember(
            [MemoryInput(text + "!", speaker: "Tom", eventTime: time)], scope: Self.scope)
        #expect(!near[0].duplicate && near[0].nearDuplicateOf == first[0].id)
        #expect(
            try memory.store.links(of: near[0].id, owner: Self.owner, by: .local).first?.kind
                == "nearDuplicateOf")
        let result = try await memory.recall(
            RecallRequest("budget meeting floor", owner: Self.owner))
        #expect(result.memories.count == 1 && result.memories[0].duplicates.count == 1)
    }

    @Test func `filters, expiry and state keep memories out`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        var tagged = MemoryInput(
            "The red boat is for sale", eventTime: Date(timeIntervalSince1970: 1000))
        tagged.tags = ["boats"]
        tagged.agent = "shopper"
        var expired = MemoryInput(
            "The blue boat is for sale", eventTime: Date(timeIntervalSince1970: 2000), session: "s")
        expired.expires = Date(timeIntervalSinceNow: -10)
        let kept = try await memory.remember(
            [
                tagged, expired,
                MemoryInput(
                    "The green boat is for sale", eventTime: Date(timeIntervalSince1970: 3000)),
            ],
            scope: Self.scope)
        #expect(
            Set(try await recall(memory, "boat")) == [
                "The green boat is for sale", "The red boat is for sale",
            ])
        #expect(
            try await recall(memory, "boat") { $0.tag = "boats" } == ["The red boat is for sale"])
        #expect(
            try await recall(memory, "boat") { $0.agent = "shopper" } == [
                "The red boat is for sale"
            ])
        #expect(
            try await recall(memory, "boat") { $0.from = Date(timeIntervalSince1970: 2500) } == [
                "The green boat is for sale"
            ])
        #expect(
            try await recall(memory, "boat") { $0.before = Date(timeIntervalSince1970: 2500) } == [
                "The red boat is for sale"
            ])
        #expect(try await recall(memory, "boat") { $0.type = .preference }.isEmpty)
        _ = try memory.store.commit([.archive(kept[0].id)], owner: Self.owner, by: .local)
        #expect(try await recall(memory, "boat") == ["The green boat is for sale"])
        _ = try memory.store.commit(
            [.restore(kept[0].id), .erase(kept[2].id)], owner: Self.owner, by: .local)
        #expect(try await recall(memory, "boat") == ["The red boat is for sale"])
    }

    @Test func `the past can be asked as it was known then`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let before = Date(timeIntervalSinceNow: -1000)
        let cube = try await memory.remember(
            [MemoryInput("Nora lives in Lyon")], scope: Self.scope, by: Caller(.local, time: before)
        )[0]
        let context = OperationContext(memory: memory, principal: .local)
        _ = try await UpdateOperation.call(
            ["id": .string(cube.id.description), "text": "Nora lives in Berlin", "user": "ana"],
            context, surface: .http
        )
        #expect(try await recall(memory, "Where does Nora live?") == ["Nora lives in Berlin"])
        #expect(
            try await recall(memory, "Where does Nora live?") {
                $0.asOf = before.addingTimeInterval(500)
            } == [
                "Nora lives in Lyon"
            ])
        #expect(
            try await recall(memory, "Where does Nora live?") {
                $0.asOf = before.addingTimeInterval(-500)
            }.isEmpty)
        #expect(try await recall(memory, "Lyon").allSatisfy { !$0.contains("Lyon") })
    }

    @Test func `a token budget is kept`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        try await memory.remember(
            (0..<20).map {
                MemoryInput("Note \($0) about the harbour and its many old fishing boats")
            },
            scope: Self.scope)
        var request = RecallRequest("harbour boats", owner: Self.owner, limit: 20)
        request.tokenBudget = 50
        let result = try await memory.recall(request)
        #expect(!result.memories.isEmpty && result.tokens <= 50)
    }

    @Test func `bad requests are refused with a reason`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        await #expect(throws: InputError.self) {
            try await memory.remember([MemoryInput(" \n")], scope: Self.scope)
        }
        await #expect(throws: InputError.self) {
            try await memory.remember(
                [MemoryInput(String(repeating: "x", count: MemoryOS.maximumTextBytes + 1))],
                scope: Self.scope)
        }
        await #expect(throws: InputError.self) { try await memory.recall(RecallRequest("")) }
        let longest = String(repeating: "x", count: 1 << 16)
        _ = try await memory.recall(RecallRequest(longest))
        await #expect(throws: InputError.self) { try await memory.recall(RecallRequest(longest + "x")) }
        await #expect(throws: InputError.self) {
            try await memory.recall(RecallRequest("x", limit: 0))
        }
    }

    @Test func `erased text is nowhere in the files`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let secret = "the combination is quetzalcoatl"
        let cube = try await memory.remember(
            [MemoryInput(secret), MemoryInput("something else")], scope: Self.scope)[0]
        _ = try memory.store.commit(
            [.erase(cube.id)], owner: Self.owner, by: Caller(.local, reason: "asked"))
        await memory.close()
        try (memory.store as? SQLiteMemoryStore)?.close()
        for file in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            let data = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/" + file))
            #expect(data.range(of: Data("quetzalcoatl".utf8)) == nil, "found in \(file)")
        }
    }

    @Test func `an idempotency key makes a repeated request harmless`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let first = try await memory.remember(
            [MemoryInput("once")], scope: Self.scope, idempotencyKey: "k1")
        let again = try await memory.remember(
            [MemoryInput("once")], scope: Self.scope, idempotencyKey: "k1")
        #expect(again.map(\.id) == first.map(\.id) && again[0].duplicate)
        await #expect(throws: StoreError.self) {
            try await memory.remember(
                [MemoryInput("twice")], scope: Self.scope, idempotencyKey: "k1")
        }
    }

    @Test func `many writers and readers at once`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for i in 0..<25 {
                        try await memory.remember(
                            [
                                MemoryInput(
                                    "writer \(writer) says number \(i)", session: "w\(writer)")
                            ], scope: Self.scope
                        )
                        if i % 5 == 0 {
                            _ = try await memory.recall(
                                RecallRequest("number \(i)", owner: Self.owner))
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try memory.store.statistics(owner: Self.owner, by: .local).memories == 200)
        #expect(try memory.store.check(repair: false, by: .local).allSatisfy(\.sound))
    }

    @Test
    func
        `the same text from many callers at once is recorded once, and each gets an answer of its own`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let time = Date(timeIntervalSince1970: 1_700_000_000)
        let answers = try await withThrowingTaskGroup(of: Remembered.self) { group in
            for caller in 0..<60 {
                group.addTask {
                    let text = caller % 3 == 0 ? "everyone says this" : "caller \(caller) says that"
                    return try await memory.remember(
                        [MemoryInput(text, eventTime: time)], scope: Self.scope)[0]
                }
            }
            return try await group.reduce(into: [Remembered]()) { $0.append($1) }
        }
        #expect(try memory.store.statistics(owner: Self.owner, by: .local).memories == 41)
        #expect(answers.count { !$0.duplicate } == 41 && Set(answers.map(\.id)).count == 41)
        #expect(answers.count { $0.memory.text == "everyone says this" } == 20)
    }

    @Test func `a key used for another request fails alone`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        try await memory.remember([MemoryInput("first")], scope: Self.scope, idempotencyKey: "k")
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for i in 0..<20 {
                group.addTask {
                    (try? await memory.remember(
                        [MemoryInput("text \(i)")], scope: Self.scope,
                        idempotencyKey: i % 2 == 0 ? "k" : nil)) != nil
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(outcomes == 10)
        #expect(try memory.store.statistics(owner: Self.owner, by: .local).memories == 11)
    }

    @Test func `uses are counted and written at the end`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let id = try await memory.remember([MemoryInput("The kettle is blue")], scope: Self.scope)[
            0
        ].id
        for _ in 0..<3 { _ = try await recall(memory, "kettle") }
        await memory.close()
        let usage = try folder.open().store.cube(id, owner: Self.owner, asOf: nil, by: .local)?
            .usage
        #expect(usage?.count == 3 && usage!.last.timeIntervalSinceNow > -60)
    }

    @Test func `derived analyses of another version are made again`() async throws {
        let folder = try TemporaryFolder()
        let old = MemoryOS(
            store: try SQLiteMemoryStore(path: folder.path + "/store.db", analyzer: "ancient"),
            embedder: nil)
        try await old.remember([MemoryInput("a lighthouse")], scope: Self.scope)
        let memory = try folder.open()
        #expect(try await recall(memory, "lighthouse") == ["a lighthouse"])
        #expect(
            try memory.store.changes(owner: Self.owner, since: .start, embedder: "")
                .rows[0].analyzer
                == MemoryOS.analyzerVersion)
    }
}
