import Foundation
import Mneme
import MnemeBase
import MnemeIndex
import MnemeStore
import Testing

/// Vectors by feature hashing (Weinberger et al. 2009): each word adds to a few components. Fast,
/// and similar texts are near.
private struct HashingEmbedder: TextEmbedder {
    let dimension: Int
    var identifier: String { "hashing-\(dimension)" }
    let maximumTokens = 512

    func embed(_ texts: [String]) throws -> Embeddings {
        var values: [Float] = []
        for text in texts {
            var vector = [Float](repeating: 0, count: dimension)
            for word in TextAnalyzer.words(text) {
                var hash = word.utf8.reduce(14_695_981_039_346_656_037 as UInt64) {
                    ($0 ^ UInt64($1)) &* 1_099_511_628_211
                }
                for _ in 0..<6 {
                    hash = hash &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    vector[Int(hash >> 33) % dimension] += hash >> 32 & 1 == 0 ? 1 : -1
                }
            }
            let norm = max(1e-6, vector.reduce(0) { $0 + $1 * $1 }.squareRoot())
            values += vector.map { $0 / norm }
        }
        return Embeddings(dimension: dimension, values: values)
    }

    func tokenCount(_ text: String) -> Int { TextAnalyzer.words(text).count }
}

/// Indexes of vectors that outlive a run: they can be lost, damaged or outdated, and nothing is
/// missed.
@Suite struct IndexKeepingTests {
    private static let owner = Owner(user: "ana"), scope = Scope(user: "ana")
    private static let things = [
        "boat", "kettle", "violin", "ladder", "parrot", "anvil", "tunnel", "quilt", "harbor",
        "lantern", "saddle",
        "furnace",
    ]

    private static func text(_ i: Int) -> String {
        "Number \(i): the \(things[i % 12]) beside the \(things[i / 12 % 12]) and the \(things[i / 144 % 12]) belongs to house \(i / 1728)."
    }

    private static func fill(_ memory: MemoryOS, _ count: Int, from first: Int = 0) async throws {
        for start in stride(from: first, to: first + count, by: 1000) {
            try await memory.remember(
                (start..<min(first + count, start + 1000)).map { MemoryInput(text($0)) }, scope: scope)
        }
        try await memory.embedPending()
    }

    private static func nearest(_ memory: MemoryOS, _ query: String, limit: Int = 5) async throws
        -> [String]
    {
        var request = RecallRequest(query, owner: owner, limit: limit)
        request.mode = .vectors
        return try await memory.recall(request).memories.map(\.memory.text)
    }

    private static func files(_ folder: TemporaryFolder) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path + "/index")) ?? [])
            // Notes say of files only when they were read.
            .filter { !$0.hasSuffix(".checked") }.map { folder.path + "/index/" + $0 }
    }

    private static func files(_ folder: TemporaryFolder, _ suffix: String) -> [String] {
        files(folder).filter { $0.hasSuffix(suffix) }
    }

    /// The files of vectors.
    private static func vectorFiles(_ folder: TemporaryFolder) -> [String] {
        files(folder).filter { $0.hasSuffix(".vectors") }
    }

    @Test func `erasing removes the files of every embedder, also where there is none`()
        async throws
    {
        let folder = try TemporaryFolder()
        let first = try folder.open(embedder: HashingEmbedder(dimension: 32))
        try await Self.fill(first, 4_500)
        try await first.prepareIndex(of: Self.owner)
        try await first.remember([MemoryInput("Somebody else's boat")], scope: Scope(user: "ben"))
        await first.close()
        let second = try folder.open(embedder: HashingEmbedder(dimension: 48))
        try await second.reembed()
        try await second.prepareIndex(of: Self.owner)
        await second.close()
        #expect(Self.files(folder).count { $0.hasSuffix(".vectors") } == 2)
        let other = folder.path + "/index/" + String(repeating: "0", count: 32) + "-00.vectors"
        try Data("another's".utf8).write(to: URL(fileURLWithPath: other))
        try Data("of an older Mneme".utf8).write(
            to: URL(fileURLWithPath: folder.path + "/index/0123456789abcdef.vectors"))
        let bare = try folder.open()
        let id = try #require(
            try bare.store.list(CubeFilter(owner: Self.owner, limit: 1), by: .local).first?.id)
        try await bare.erase(id, owner: Self.owner)
        #expect(Self.files(folder) == [other], "and no one else's")
        await bare.close()
    }

    @Test func `files of an index that is ahead of its store are made again`() async throws {
        let folder = try TemporaryFolder()
        let (store, copy) = (folder.path + "/store.db", folder.path + "/copy.db")
        /// Nothing of the store is open afterwards.
        func use(_ body: (MemoryOS) async throws -> Void) async throws {
            let memory = try folder.open(embedder: HashingEmbedder(dimension: 32))
            try await body(memory)
            await memory.close()
        }
        try await use { memory in
            try await Self.fill(memory, 100)
            _ = try (memory.store as? SQLiteMemoryStore)?.backup(to: copy, key: nil)
        }
        try await use { memory in
            try await Self.fill(memory, 4_100, from: 100)
            try await memory.prepareIndex(of: Self.owner)
        }
        #expect(Self.files(folder).count == 2)
        // The copy is put back by hand, and other things happen: the same positions, other memories.
        for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: store + end) }
        try FileManager.default.copyItem(atPath: copy, toPath: store)
        try await use { memory in try await Self.fill(memory, 4_200, from: 10_000) }
        try await use { memory in
            for text in [Self.text(12), Self.text(10_050), Self.text(14_000)] {
                let found = try await Self.nearest(memory, text, limit: 1)
                #expect(found == [text])
            }
            let found = try await Self.nearest(memory, Self.text(3_000))
            #expect(!found.contains(Self.text(3_000)))
        }
    }

    @Test
    func `an index is kept in a file, and comes back by itself when that is lost, damaged or old`()
        async throws
    {
        let folder = try TemporaryFolder()
        let embedder = HashingEmbedder(dimension: 64)
        var memory = try folder.open(embedder: embedder)
        try await Self.fill(memory, 5000)
        let query = Self.text(4321)
        let before = try await Self.nearest(memory, query)
        #expect(before.first == query)
        try await memory.prepareIndex(of: Self.owner)
        let file = try #require(Self.vectorFiles(folder).first)
        await memory.close()

        // From the file, and what came after it from the store.
        memory = try folder.open(embedder: embedder)
        #expect(try await Self.nearest(memory, query) == before)
        try await memory.remember([MemoryInput("A new violin for the parrot")], scope: Self.scope)
        try await memory.embedPending()
        #expect(
            try await Self.nearest(memory, "new violin parrot", limit: 1) == [
                "A new violin for the parrot"
            ])
        await memory.close()
        memory = try folder.open(embedder: embedder)
        #expect(
            try await Self.nearest(memory, "new violin parrot", limit: 1) == [
                "A new violin for the parrot"
            ])
        await memory.close()

        var damaged = try Data(contentsOf: URL(fileURLWithPath: file))
        damaged[damaged.count / 2] ^= 1
        try damaged.write(to: URL(fileURLWithPath: file))
        memory = try folder.open(embedder: embedder)
        let context = OperationContext(memory: memory, principal: .local)
        guard
            case .value(let report) = try await DoctorOperation.call(
                ["repair": .bool(true)], context, surface: .http)
        else { fatalError() }
        #expect(
            try OperationTable.encode(report).contains("1 of 2 damaged")
                && Self.vectorFiles(folder).isEmpty)
        #expect(try await Self.nearest(memory, query) == before)
        try await memory.prepareIndex(of: Self.owner)
        await memory.close()

        for damage in 0..<4 {
            let whole = try Data(contentsOf: URL(fileURLWithPath: file))
            switch damage {
            case 0: try FileManager.default.removeItem(atPath: file)
            case 1: try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: file))
            case 2: try Data("not an index".utf8).write(to: URL(fileURLWithPath: file))
            default: try (Data([1]) + whole).write(to: URL(fileURLWithPath: file))
            }
            memory = try folder.open(embedder: embedder)
            #expect(try await Self.nearest(memory, query) == before)
            try await memory.prepareIndex(of: Self.owner)
            await memory.close()
        }
        // A file of another store means nothing here.
        let other = try TemporaryFolder()
        let stranger = try other.open(embedder: embedder)
        try await stranger.remember([MemoryInput("Only the lantern is mine")], scope: Self.scope)
        try await stranger.embedPending()
        await stranger.close()
        try FileManager.default.createDirectory(
            atPath: other.path + "/index", withIntermediateDirectories: true)
        #expect(Self.files(folder).count == 2)
        for file in Self.files(folder) {
            try FileManager.default.copyItem(
                atPath: file, toPath: other.path + "/index/" + (file as NSString).lastPathComponent)
        }
        let again = try other.open(embedder: embedder)
        #expect(try await Self.nearest(again, "lantern") == ["Only the lantern is mine"])
        await again.close()
    }

    @Test func `more than memory may hold lies on disk, and is found, kept and erased`()
        async throws
    {
        let folder = try TemporaryFolder()
        let embedder = HashingEmbedder(dimension: 32)
        func open() throws -> MemoryOS {
            MemoryOS(
                store: try SQLiteMemoryStore(
                    path: folder.path + "/store.db", analyzer: MemoryOS.analyzerVersion),
                embedder: embedder,
                indexFolder: folder.path + "/index", indexMemory: 1 << 20)
        }
        var memory = try open()
        try await Self.fill(memory, 17_000)
        try await memory.prepareIndex(of: Self.owner)
        let tables = Self.files(folder, ".tables")
        #expect(!tables.isEmpty, "words: a segment, or some that are not merged yet")
        #expect(Self.files(folder).count - tables.count == 3, "the table, the lists, their entries")
        for i in stride(from: 11, to: 17_000, by: 1201) {
            #expect(try await Self.nearest(memory, Self.text(i), limit: 1) == [Self.text(i)])
        }
        await memory.close()
        memory = try open()
        for i in stride(from: 7, to: 17_000, by: 1301) {
            #expect(try await Self.nearest(memory, Self.text(i), limit: 1) == [Self.text(i)])
        }
        let id = try await memory.recall(RecallRequest(Self.text(777), owner: Self.owner, limit: 1))
            .memories[0].memory
            .id
        _ = try await EraseOperation.call(
            ["id": .string(id.description), "user": .string("ana")],
            OperationContext(memory: memory, principal: .local), surface: .http)
        #expect(Self.files(folder).isEmpty)
        #expect(
            try await Self.nearest(memory, Self.text(777), limit: 3).allSatisfy {
                $0 != Self.text(777)
            })
        try await memory.prepareIndex(of: Self.owner)
        await memory.close()
        memory = try open()
        #expect(try await Self.nearest(memory, Self.text(1000), limit: 1) == [Self.text(1000)])
        #expect(
            try await Self.nearest(memory, Self.text(777), limit: 3).allSatisfy {
                $0 != Self.text(777)
            })
        await memory.close()
    }

    @Test func `what would take more disk than it may is not kept`() async throws {
        let folder = try TemporaryFolder()
        let embedder = HashingEmbedder(dimension: 32)
        func open(_ disk: Int) throws -> MemoryOS {
            MemoryOS(
                store: try SQLiteMemoryStore(
                    path: folder.path + "/store.db", analyzer: MemoryOS.analyzerVersion),
                embedder: embedder,
                indexFolder: folder.path + "/index", indexDisk: disk)
        }
        for (disk, files) in [(1 << 19, 0), (1 << 22, 1), (1 << 19, 0)] {
            let memory = try open(disk)
            if try memory.store.statistics(owner: nil, by: .local).memories == 0 {
                try await Self.fill(memory, 4_500)
            }
            try await memory.prepareIndex(of: Self.owner)
            #expect(Self.files(folder).count == files)
            #expect(try await Self.nearest(memory, Self.text(99), limit: 1) == [Self.text(99)])
            await memory.close()
        }
    }

    @Test func `what is erased leaves no vector in a file`() async throws {
        let folder = try TemporaryFolder()
        let embedder = HashingEmbedder(dimension: 64)
        let memory = try folder.open(embedder: embedder)
        try await Self.fill(memory, 4200)
        let secret = try await memory.remember(
            [MemoryInput("Zyxwv qwertz plugh xyzzy")], scope: Self.scope)[0].id
        try await memory.embedPending()
        try await memory.prepareIndex(of: Self.owner)
        let vector = try embedder.embed(["Zyxwv qwertz plugh xyzzy"]).values.withUnsafeBytes {
            Data($0)
        }
        func holds() -> Bool {
            Self.files(folder).contains {
                (try? Data(contentsOf: URL(fileURLWithPath: $0)))?.range(of: vector) != nil
            }
        }
        #expect(holds())
        // Another process erases; this one has the index in memory, and may write it again.
        let other = try folder.open(embedder: embedder)
        _ = try await EraseOperation.call(
            ["id": .string(secret.description), "user": .string("ana")],
            OperationContext(memory: other, principal: .local), surface: .http)
        #expect(!holds())
        try await memory.prepareIndex(of: Self.owner)
        #expect(!holds() && !Self.files(folder).isEmpty)
        #expect(
            try await Self.nearest(memory, "Zyxwv qwertz plugh xyzzy").allSatisfy {
                !$0.hasPrefix("Zyxwv")
            })
        await memory.close()
        await other.close()
    }

    @Test func `after a change of the embedder the old vectors serve until the new ones are made`()
        async throws
    {
        let folder = try TemporaryFolder()
        let old = HashingEmbedder(dimension: 64)
        let new = HashingEmbedder(dimension: 96)
        var memory = try folder.open(embedder: old)
        try await Self.fill(memory, 1500)
        await memory.close()
        memory = try folder.open(embedder: new, former: old)
        #expect(try await Self.nearest(memory, Self.text(777), limit: 1) == [Self.text(777)])
        #expect(
            try await memory.recall(RecallRequest("violin", owner: Self.owner)).pendingEmbeddings
                == 0)
        // What is remembered now is embedded; what has an old vector keeps it until it is asked for.
        try await memory.remember([MemoryInput("A parrot of its own")], scope: Self.scope)
        #expect(try await memory.embedPending() == 0)
        #expect(try memory.store.pendingEmbeddingCount(replacing: new.identifier) == 1500)
        #expect(
            try memory.store.embedders().map(\.dimension).sorted() == [64, 96])
        // Half-way: some have new vectors, some old ones, each is found.
        #expect(try await memory.reembed(deadline: .zero) == 256)
        for i in stride(from: 3, to: 1500, by: 97) {
            #expect(try await Self.nearest(memory, Self.text(i), limit: 1) == [Self.text(i)])
        }
        #expect(try await memory.reembed() == 1500 - 256)
        for i in stride(from: 5, to: 1500, by: 97) {
            #expect(try await Self.nearest(memory, Self.text(i), limit: 1) == [Self.text(i)])
        }
        await memory.close()
        let without = try folder.open(embedder: new)
        #expect(try await Self.nearest(without, Self.text(777), limit: 1) == [Self.text(777)])
        await without.close()
    }

    @Test func `what is linked to an answer comes with it`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let ids = try await memory.remember(
            [
                MemoryInput("Ana bought the house on Cedar Street"),
                MemoryInput("Roof tiles cost nine thousand"),
                MemoryInput("Bananas are yellow"),
            ],
            scope: Self.scope
        ).map(\.id)
        var request = RecallRequest("Which house did Ana buy on Cedar Street?", owner: Self.owner)
        #expect(
            try await memory.recall(request).memories.first { $0.memory.id == ids[1] }?.explanation[
                "related"] == nil)
        try memory.store.commit(
            [.link(CubeLink(source: ids[1], target: ids[0], kind: "because", time: Date()))],
            owner: Self.owner,
            by: .local)
        let linked = try await memory.recall(request)
        #expect(linked.memories.map(\.memory.id).prefix(2) == [ids[0], ids[1]])
        #expect(linked.memories[1].explanation["related"] ?? 0 > 0)
        request.asOf = Date(timeIntervalSinceNow: 60)
        #expect(
            try await memory.recall(request).memories.map(\.memory.id).prefix(2) == [
                ids[0], ids[1],
            ])
        try memory.store.commit(
            [.unlink(CubeLink(source: ids[1], target: ids[0], kind: "because", time: Date()))],
            owner: Self.owner,
            by: .local)
        request.asOf = nil
        #expect(
            try await memory.recall(request).memories.first { $0.memory.id == ids[1] }?.explanation[
                "related"] == nil)
    }
}
