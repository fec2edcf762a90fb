import Foundation
import Mneme
import MnemeStore
import NIOConcurrencyHelpers
import Testing

/// Computed keys and values as memories.
@Suite struct ActivationTests {
    private static let owner = Owner(user: "ana"), scope = Scope(user: "ana")

    private final class Blocks: DerivedMemory {
        let files: [String] = []
        let erased = NIOLockedValueBox<Set<String>>([])
        func erase(madeOf sources: Set<String>, _ activations: [ActivationReference]) throws {
            erased.withLockedValue { $0.formUnion(activations.map(\.block)) }
        }
    }

    private func reference(_ block: String, _ sources: [String] = []) -> ActivationReference {
        ActivationReference(
            block: block, model: "m", modelHash: "h", tokens: 640, bytes: 1 << 20, sources: sources)
    }

    @Test func `a prompt has memories in the order of time, however they match`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let texts = [
            "Ana planted tulips", "Ana bought a bicycle",
            "Ana planted tulips and roses in the garden",
        ]
        for (day, text) in zip([3.0, 1, 2], texts) {
            _ = try await memory.record(
                [MemoryInput(text, eventTime: Date(timeIntervalSince1970: day * 86400))],
                scope: Self.scope, by: .local)
        }
        let recalled = try await memory.recall(
            RecallRequest("tulips in the garden", owner: Self.owner)
        ).memories
        #expect(recalled.count == 3)
        let lines = ChatMemory.parts("hello", memories: recalled).texts
        #expect(
            lines.map { $0.contains("bicycle") } == [true, false, false]
                && lines[1].contains("roses"))
        #expect(ChatMemory.parts("hello", memories: recalled.reversed()).texts == lines)
    }

    @Test func `keys and values are a memory with a history and edges, and are not recalled`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let facts = try await memory.remember(
            [MemoryInput("Ana sails the Marigold."), MemoryInput("Bergen is cold.")],
            scope: Self.scope)
        let known = reference("b1", [facts[0].id.description, CubeID().description])
        let cube = try await memory.keep(
            known, text: "Notes: Ana sails the Marigold.", scope: Self.scope,
            by: Caller(.local, reason: "warm"))
        #expect(cube.activation == known)
        let again = try await memory.keep(
            reference("b1"), text: "Notes: Ana sails the Marigold.", scope: Self.scope)
        #expect(again.id == cube.id)
        // Another process sees the same.
        let other = try folder.open()
        let read = try #require(
            try other.store.cube(cube.id, owner: Self.owner, asOf: nil, by: .local))
        #expect(read.activation == known && read.provenance.source == "kv")
        #expect(
            try other.store.links(of: cube.id, owner: Self.owner, by: .local).map(\.target) == [
                facts[0].id
            ])
        let history = try other.store.history(cube.id, owner: Self.owner, by: .local)
        #expect(
            history[0].operation == .add && history[0].reason == "warm"
                && history[0].snapshot?.activation == known)
        let found = try await other.recall(
            RecallRequest("Who sails the Marigold?", owner: Self.owner)
        ).memories
        #expect(
            found.first?.memory.id == facts[0].id && !found.contains { $0.memory.id == cube.id })
        #expect(try other.store.pendingEmbeddings(replacing: "e", limit: 10).count == 2)
        #expect(try other.store.check(repair: false, by: .local).allSatisfy(\.sound))
        #expect(
            try other.store.cube(cube.id, owner: Owner(user: "bob"), asOf: nil, by: .local) == nil)
        // Its text says what was computed, so it stays.
        var changed = read
        changed.text = "other"
        #expect(throws: StoreError.self) {
            try other.store.commit(
                [.update(changed, analysis: [], contentHash: [1])], owner: Self.owner, by: .local)
        }
    }

    @Test func `erasing it, or what it was made of, erases the keys and values`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let blocks = Blocks()
        memory.attach(blocks)
        let facts = try await memory.remember(
            [MemoryInput("Ana sails the Marigold."), MemoryInput("Bergen is cold.")],
            scope: Self.scope)
        let one = try await memory.keep(
            reference("b1", [facts[0].id.description]), text: "one", scope: Self.scope)
        let two = try await memory.keep(
            reference("b2", [facts[1].id.description]), text: "two", scope: Self.scope)
        try await memory.erase(one.id, owner: Self.owner)
        #expect(blocks.erased.withLockedValue { $0 } == ["b1"])
        #expect(try memory.store.cube(two.id, owner: Self.owner, asOf: nil, by: .local) != nil)
        try await memory.erase(facts[1].id, owner: Self.owner)
        #expect(blocks.erased.withLockedValue { $0 } == ["b1", "b2"])
        #expect(
            try memory.store.list(CubeFilter(owner: Self.owner), by: .local).map(\.id) == [
                facts[0].id
            ])
        // What any word of the user is in goes with any memory of theirs: a prompt of a chat.
        let chat = try await memory.keep(
            reference("b3", Array(ChatMemory(memory, scope: Self.scope).sources([]))), text: "chat",
            scope: Self.scope)
        try await memory.erase(facts[0].id, owner: Self.owner)
        #expect(blocks.erased.withLockedValue { $0 } == ["b1", "b2", "b3"])
        #expect(try memory.store.cube(chat.id, owner: Self.owner, asOf: nil, by: .local) == nil)
        #expect(
            try memory.store.history(two.id, owner: Self.owner, by: .local).allSatisfy {
                $0.snapshot == nil
            },
            "the journal keeps that it was, not what it was")
    }
}
