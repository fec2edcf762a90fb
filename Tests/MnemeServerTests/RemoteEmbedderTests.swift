import Foundation
import Mneme
import MnemeBase
import MnemeServer
import MnemeStore
import NIOConcurrencyHelpers
import Testing

/// The model behind an endpoint: takes texts of 300 bytes at most, and is busy as often as it is
/// told.
private final class Picky: TextEmbedder {
    let identifier = "picky", dimension = 4, maximumTokens = 100
    /// How often it is still busy, and the sizes of the batches that it took.
    private let state = NIOLockedValueBox((busy: 0, batches: [Int]()))
    var batches: [Int] { state.withLockedValue { $0.batches } }
    func beBusy(_ times: Int) { state.withLockedValue { $0.busy = times } }

    private struct Busy: MnemeError {
        let errorClass = ErrorClass.busy, message = "Too many requests."
    }

    func embed(_ texts: [String]) throws -> Embeddings {
        guard texts.allSatisfy({ $0.utf8.count <= 300 }) else { throw InputError("Too long.") }
        try state.withLockedValue { state in
            guard state.busy == 0 else {
                state.busy -= 1
                throw Busy()
            }
            state.batches.append(texts.count)
        }
        return try ToyEmbedder().embed(texts)
    }
    func tokenCount(_ text: String) -> Int { text.utf8.count }
}

/// Runs what blocks off the cooperative pool, on which the server answers.
private func blocking<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    try await withCheckedThrowingContinuation { done in
        DispatchQueue.global().async { done.resume(with: Result(catching: body)) }
    }
}

/// An embedder behind an OpenAI-compatible endpoint: this project's own, over loopback.
@Suite struct RemoteEmbedderTests {
    private static let texts = (0..<150).map { "Text number \($0) of a batch" }

    @Test func `vectors of an endpoint are its model's, in order, and of a length that it tells`()
        async throws
    {
        let model = Picky()
        try await withServer(embedder: model) { base, _, _ in
            let remote = try await blocking { try RemoteEmbedder("\(base)/v1#any", key: nil) }
            #expect(remote.dimension == 4 && remote.identifier == "\(base)/v1#any")
            let vectors = try await blocking { try remote.embed(Self.texts) }
            let wanted = try ToyEmbedder().embed(Self.texts)
            #expect(vectors.count == 150)
            #expect(zip(vectors.values, wanted.values).allSatisfy { abs($0 - $1) < 1e-5 })
            #expect(model.batches == [1, 64, 64, 22], "the first asks for the length")
            // A length that is known is not asked for.
            let known = try RemoteEmbedder("\(base)/v1#any", key: nil, dimension: 4)
            #expect(known.dimension == 4 && model.batches.count == 4)
            let other = try RemoteEmbedder("\(base)/v1#any", key: nil, dimension: 8)
            let error = await #expect(throws: ModelError.self) {
                try await blocking { try other.embed(["a"]) }
            }
            #expect(error?.message.contains("4 elements now, no longer 8") == true)
        }
    }

    @Test func `a text that is too long is cut, and keeps no other from its vector`() async throws {
        let model = Picky()
        try await withServer(embedder: model) { base, _, _ in
            let remote = try RemoteEmbedder("\(base)/v1#any", key: nil, dimension: 4)
            let long = String(repeating: "ab", count: 500)
            let texts = ["one", "two", long, "four"]
            let vectors = try await blocking { try remote.embed(texts) }
            let wanted = try ToyEmbedder().embed(
                ["one", "two", String(long.prefix(250)), "four"])
            #expect(zip(vectors.values, wanted.values).allSatisfy { abs($0 - $1) < 1e-5 })
        }
    }

    @Test func `a busy endpoint is asked again, for a question less often`() async throws {
        let model = Picky()
        try await withServer(embedder: model) { base, _, _ in
            let remote = try RemoteEmbedder("\(base)/v1#any", key: nil, dimension: 4)
            model.beBusy(3)
            #expect(try await blocking { try remote.embed(["a"], as: .document) }.count == 1)
            model.beBusy(3)
            let error = await #expect(throws: ModelError.self) {
                try await blocking { try remote.embed(["a"], as: .query) }
            }
            #expect(error?.message.contains("Too many requests") == true)
            #expect(try await blocking { try remote.embed(["a"], as: .query) }.count == 1)
        }
    }

    @Test func `a wrong key, no endpoint and no address are told by name`() async throws {
        try await withServer(keys: [("ana", [.read], nil)], embedder: ToyEmbedder()) { base, secrets, _ in
            let error = await #expect(throws: ModelError.self) {
                try await blocking { try RemoteEmbedder("\(base)/v1#any", key: "wrong") }
            }
            #expect(error?.message.contains("MNEME_EMBEDDER_KEY") == true)
            let remote = try await blocking {
                try RemoteEmbedder("\(base)/v1/#any", key: secrets[0])
            }
            #expect(remote.dimension == 4 && remote.identifier == "\(base)/v1#any")
            let missing = await #expect(throws: ModelError.self) {
                try await blocking { try RemoteEmbedder("\(base)/nothing#any", key: secrets[0]) }
            }
            #expect(missing?.message.contains("404") == true)
        }
        let error = await #expect(throws: ModelError.self) {
            try await blocking { try RemoteEmbedder("http://127.0.0.1:1/v1#any", key: nil) }
        }
        #expect(error?.message.contains("http://127.0.0.1:1/v1#any does not answer") == true)
        for text in [
            "http://127.0.0.1/v1", "http://127.0.0.1/v1#", "ftp://h/v1#m", "#m", "http:///v1#m",
            "http://ana:secret@host/v1#m", "https://host/v1?key=secret#m",
        ] {
            #expect(throws: InputError.self) { try RemoteEmbedder(text, key: nil, dimension: 4) }
        }
    }

    @Test func `a store moves to an endpoint's vectors and is asked at each moment`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-\(UUID().uuidString)"
        ).path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func open(_ embedder: any TextEmbedder, former: (any TextEmbedder)? = nil) throws
            -> MemoryOS
        {
            MemoryOS(
                store: try SQLiteMemoryStore(
                    path: folder + "/store.db", analyzer: MemoryOS.analyzerVersion),
                embedder: embedder, formerEmbedder: former)
        }
        func check(_ memory: MemoryOS) async throws {
            for i in stride(from: 0, to: 300, by: 43) {
                let answer = try await memory.recall(
                    RecallRequest("Who has key number \(i)?", owner: Owner(user: "ana"), limit: 3))
                #expect(answer.memories.contains { $0.text == "Person \(i) has key number \(i)." })
                #expect(answer.pendingEmbeddings == 0)
            }
        }
        let old = try open(ToyEmbedder())
        try await old.remember(
            (0..<300).map { MemoryInput("Person \($0) has key number \($0).") },
            scope: Scope(user: "ana"))
        try await old.embedPending()
        await old.close()
        try await withServer(embedder: Picky()) { base, _, _ in
            let remote = try RemoteEmbedder("\(base)/v1#any", key: nil, dimension: 4)
            let memory = try open(remote, former: ToyEmbedder())
            try await check(memory)
            #expect(try await memory.reembed(deadline: .zero) == 256)
            try await check(memory)
            // Another process goes on where this one stopped.
            let other = try open(remote, former: ToyEmbedder())
            #expect(try await other.reembed() == 44)
            try await check(other)
            try await check(memory)
            #expect(
                try memory.store.embedders()
                    == [StoredEmbedder(identifier: remote.identifier, dimension: 4)])
            await memory.close()
            await other.close()
        }
    }
}
