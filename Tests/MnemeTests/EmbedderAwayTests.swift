import Foundation
import Mneme
import MnemeBase
import MnemeStore
import NIOConcurrencyHelpers
import Testing

/// An embedder on a machine that is not always there: counts of letters, at length 1.
private struct DistantEmbedder: TextEmbedder {
    let identifier = "distant", dimension = 26, maximumTokens = 512
    let isAway = NIOLockedValueBox(false)

    func tokenCount(_ text: String) -> Int { text.utf8.count / 4 + 1 }
    func embed(_ texts: [String]) throws -> Embeddings {
        guard !isAway.withLockedValue({ $0 }) else {
            throw ModelError(.cannotFetch, "The endpoint does not answer.")
        }
        return Embeddings(
            dimension: dimension,
            values: texts.flatMap { text in
                var counts = [Float](repeating: 0, count: 26)
                for letter in text.lowercased().utf8 where (97...122).contains(letter) {
                    counts[Int(letter) - 97] += 1
                }
                let length = counts.reduce(0) { $0 + $1 * $1 }.squareRoot()
                return length > 0 ? counts.map { $0 / length } : counts
            })
    }
}

@Suite struct EmbedderAwayTests {
    @Test func `while the embedder is away, words find what is remembered, and a warning says so`()
        async throws
    {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try SQLiteMemoryStore(
            path: folder.path + "/store.db", analyzer: MemoryOS.analyzerVersion)
        let embedder = DistantEmbedder()
        let memory = MemoryOS(store: store, embedder: embedder)
        let owner = Owner(user: "ana")
        let scope = Scope(user: "ana")
        _ = try await memory.remember([MemoryInput("Ana keeps bees in Lisbon.")], scope: scope)
        try await memory.embedPending()
        let near = try await memory.recall(RecallRequest("Where are the bees?", owner: owner))
        #expect(near.warning == nil && near.memories.count == 1)

        embedder.isAway.withLockedValue { $0 = true }
        // What is remembered now waits for its vector.
        _ = try await memory.remember([MemoryInput("The honey harvest was poor.")], scope: scope)
        let far = try await memory.recall(RecallRequest("How was the honey?", owner: owner))
        #expect(far.memories.first?.memory.text == "The honey harvest was poor.")
        #expect(far.warning?.contains("does not answer") == true)
        #expect(far.pendingEmbeddings == 1)
        // Who asks for dense similarity by itself, gets the error: nothing else can answer.
        var request = RecallRequest("How was the honey?", owner: owner)
        request.mode = .vectors
        await #expect(throws: ModelError.self) { try await memory.recall(request) }
        request.mode = .words
        #expect(try await memory.recall(request).warning == nil)

        embedder.isAway.withLockedValue { $0 = false }
        #expect(try await memory.embedPending() == 0)
        let back = try await memory.recall(RecallRequest("How was the honey?", owner: owner))
        #expect(back.warning == nil && back.pendingEmbeddings == 0)
        await memory.close()
    }

    @Test func `an import while the embedder is away keeps every line`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try SQLiteMemoryStore(
            path: folder.path + "/store.db", analyzer: MemoryOS.analyzerVersion)
        let embedder = DistantEmbedder()
        embedder.isAway.withLockedValue { $0 = true }
        let memory = MemoryOS(store: store, embedder: embedder)
        let file = folder.appendingPathComponent("notes.jsonl")
        try Data(#"{"text":"Ana keeps bees."}"#.utf8).write(to: file)
        _ = try await ImportOperation.call(
            ["path": .string(file.path), "user": "ana"],
            OperationContext(memory: memory, principal: .local), surface: .commandLine)
        #expect(try store.pendingEmbeddingCount(replacing: nil) == 1)
        let found = try await memory.recall(RecallRequest("bees", owner: Owner(user: "ana")))
        #expect(found.memories.count == 1 && found.warning != nil)
        embedder.isAway.withLockedValue { $0 = false }
        await memory.close()
        #expect(try store.pendingEmbeddingCount(replacing: nil) == 0)
    }
}
