import Foundation
import Mneme
import MnemeBase
import MnemeModels
import MnemeSeal
import MnemeStore
import Testing

@Suite struct ErasureTests {
    /// Vectors that are of one text alone.
    private struct Embedder: TextEmbedder {
        let identifier = "words", dimension = 32, maximumTokens = 256
        func tokenCount(_ text: String) -> Int { text.utf8.count / 4 + 1 }
        func embed(_ texts: [String]) throws -> Embeddings {
            var values: [Float] = []
            for text in texts {
                var state = text.utf8.reduce(UInt64(14_695_981_039_346_656_037)) {
                    ($0 ^ UInt64($1)) &* 1_099_511_628_211
                }
                for _ in 0..<32 {
                    state = state &* 6_364_136_223_846_793_005 &+ 1
                    values.append(Float(Int64(bitPattern: state) >> 32) / Float(1 << 31))
                }
            }
            return Embeddings(dimension: 32, values: values)
        }
    }

    private static let owner = Owner(user: "ana"), scope = Scope(user: "ana")
    private static let secret =
        "The combination of Ana's \"old\" safe is 31-17-45,\nand the safe stands behind the wardrobe in the blue room."

    @Test func `an encrypted store is looked through as it is decrypted`() async throws {
        let folder = try TemporaryFolder()
        let key = EncryptionKey()
        let memory = try folder.open(embedder: Embedder(), key: key)
        for i in 0..<2_000 {
            try await memory.remember(
                [MemoryInput("Walk number \(i) went around the lake")], scope: Self.scope)
        }
        let made = try await memory.remember(
            [MemoryInput(Self.secret, speaker: "Ana")], scope: Self.scope)[0]
        let twin = try await memory.remember(
            [MemoryInput("They say: " + Self.secret, speaker: "Ben")], scope: Self.scope)[0]
        let proof = try await memory.eraseWithProof(made.id, owner: Self.owner)
        #expect(proof.findings.contains { !$0.offsets.isEmpty }, "another memory says the same")
        #expect(try await !memory.check(proof).problems.isEmpty)
        #expect(
            try proof.search([folder.path + "/store.db", folder.path + "/store.db-wal"]).contains {
                !$0.offsets.isEmpty
            }
        )
        let last = try await memory.eraseWithProof(twin.id, owner: Self.owner)
        #expect(
            last.findings.allSatisfy { $0.offsets.isEmpty }
                && last.findings.contains { $0.bytes > 100_000 },
            "\(last.findings)")
        for proof in [proof, last] {
            let problems = try await memory.check(proof).problems
            #expect(problems.isEmpty)
        }
        await memory.close()
    }

    @Test func `an erasure is proved against the raw files, and a copy that comes back is found`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open(embedder: Embedder())
        for i in 0..<50 {
            try await memory.remember(
                [MemoryInput("Walk number \(i) went around the lake and back home again")],
                scope: Self.scope)
        }
        let made = try await memory.remember(
            [MemoryInput(Self.secret, speaker: "Ana")], scope: Self.scope)[0]
        var changed = made.memory
        changed.text += " It was opened once in the spring of last year."
        _ = try memory.store.commit(
            [.update(changed, analysis: [], contentHash: [1])], owner: Self.owner, by: .local)
        try await memory.embedPending()
        _ = try await memory.recall(RecallRequest("safe combination", owner: Self.owner))
        await memory.close()
        // What the log holds goes into the file.
        try (memory.store as? SQLiteMemoryStore)?.close()
        try FileManager.default.copyItem(
            atPath: folder.path + "/store.db", toPath: folder.path + "/backup.db")

        let again = try folder.open(embedder: Embedder())
        let proof = try await again.eraseWithProof(
            made.id, owner: Self.owner, by: Caller(.local, reason: "asked"))
        #expect(proof.erased == [made.id] && proof.principal == "local" && proof.reason == "asked")
        #expect(proof.fingerprints.count > 40 && proof.findings.contains { $0.bytes > 10_000 })
        #expect(proof.findings.allSatisfy { $0.offsets.isEmpty }, "\(proof.findings)")
        let report = try OperationTable.encode(proof)
        for word in ["safe", "combination", "wardrobe", "31-17-45"] {
            #expect(!report.contains(word), "the report holds no words")
        }
        // By whoever reads the report later.
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        let read = try decoder.decode(ErasureProof.self, from: Data(report.utf8))
        #expect(try await again.check(read).problems.isEmpty)
        // The backup from before, as whole and as a piece within another file.
        let backup = try read.search([folder.path + "/backup.db"])
        #expect(backup.count == 1 && !backup[0].offsets.isEmpty)
        let bytes = try #require(FileManager.default.contents(atPath: folder.path + "/backup.db"))
        let place = try #require(backup[0].offsets.first)
        try FileManager.default.createDirectory(
            atPath: folder.path + "/index", withIntermediateDirectories: true)
        try
            (Data(repeating: 7, count: 1_001) + bytes[place..<place + 32]
            + Data(repeating: 9, count: 77)).write(
                to: URL(fileURLWithPath: folder.path + "/index/x.vectors"))
        let found = try await again.check(read)
        #expect(
            found.problems.count == 1 && found.findings.contains { $0.offsets == [1_001] },
            "\(found.problems)")
        // The vector alone is found, too: it tells nearly what the text does.
        let vector = try Embedder().embed(["Ana: " + changed.text])[0].withUnsafeBytes { Data($0) }
        try vector.write(to: URL(fileURLWithPath: folder.path + "/vector.bin"))
        #expect(try read.search([folder.path + "/vector.bin"])[0].offsets.first == 0)
        await again.close(deadline: .zero)
    }

    @Test func `a memory that is still there is no erasure`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let one = try await memory.remember(
            [MemoryInput("The first of two notes about the harbour")], scope: Self.scope)[0].id
        let two = try await memory.remember(
            [MemoryInput("The second of two notes about the harbour")], scope: Self.scope)[0].id
        var proof = try await memory.eraseWithProof(one, owner: Self.owner)
        #expect(try await memory.check(proof).problems.isEmpty)
        proof.erased = [two]
        #expect(try await memory.check(proof).problems.count >= 3)
        await #expect(throws: StoreError.self) {
            try await memory.eraseWithProof(one, owner: Self.owner)
        }
        let stranger = Caller(
            Principal(name: "bob", permissions: Set(Permission.allCases), user: "bob"))
        await #expect(throws: AccessError.self) {
            try await memory.eraseWithProof(two, owner: Self.owner, by: stranger)
        }
        #expect(try memory.store.cube(two, owner: Self.owner, asOf: nil, by: .local) != nil)
        await memory.close(deadline: .zero)
    }
}
