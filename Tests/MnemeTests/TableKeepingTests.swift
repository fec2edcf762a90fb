import Foundation
import Mneme
import MnemeBase
import MnemeIndex
import MnemeSeal
import MnemeStore
import Testing

/// Tables of words, documents and links that outlive a run: they answer as new ones do, and can be
/// lost, damaged, outdated or of another store.
@Suite struct TableKeepingTests {
    private static let owner = Owner(user: "ana")
    private static let things = [
        "boat", "kettle", "violin", "ladder", "parrot", "anvil", "tunnel", "quilt", "harbour",
        "lantern", "saddle", "furnace",
    ]
    private static let questions = [
        "Who repaired the kettle in Lisbon?", "What did Ben say about the violin and the quilt?",
        "house 17 parrot", "When was the harbour closed?", "What happened on 20 November 2023?",
    ]

    private static func input(_ i: Int) -> MemoryInput {
        let place = ["Lisbon", "Oslo", "Porto", "Graz", "Kyoto"][i % 5]
        return MemoryInput(
            "We talked about the \(things[i % 12]) of house \(i % 97) in \(place), and Carla repaired the \(things[i / 12 % 12]) number \(i).",
            speaker: i % 2 == 0 ? "Ana" : "Ben",
            eventTime: Date(timeIntervalSince1970: 1_700_000_000 + Double(i) * 600),
            session: i % 50 == 0 ? nil : "talk \(i / 20)")
    }

    private static func fill(_ memory: MemoryOS, _ count: Int) async throws {
        for start in stride(from: 0, to: count, by: 500) {
            try await memory.remember(
                (start..<min(count, start + 500)).map(input), scope: Scope(user: "ana"))
        }
    }

    /// An answer as it is compared: which memory, and how it was scored.
    private struct Answer: Equatable {
        var id: CubeID
        var score: Double
    }

    private static func answers(_ memory: MemoryOS) async throws -> [[Answer]] {
        var answers: [[Answer]] = []
        for mode in [RecallMode.fused, .words] {
            for question in questions {
                var request = RecallRequest(question, owner: owner, limit: 20)
                (request.mode, request.now) = (mode, Date(timeIntervalSince1970: 1_800_000_000))
                answers.append(
                    try await memory.recall(request).memories.map {
                        Answer(id: $0.memory.id, score: $0.score)
                    })
            }
        }
        var filtered = RecallRequest("kettle", owner: owner, limit: 10)
        (filtered.session, filtered.now) = ("talk 7", Date(timeIntervalSince1970: 1_800_000_000))
        answers.append(
            try await memory.recall(filtered).memories.map {
                Answer(id: $0.memory.id, score: $0.score)
            })
        return answers
    }

    private static func tables(_ folder: TemporaryFolder) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path + "/index")) ?? [])
            .filter { $0.hasSuffix(".tables") }.map { folder.path + "/index/" + $0 }
    }

    @Test(arguments: [false, true])
    func `tables from a file answer as those that wrote it, to the bit`(isEncrypted: Bool)
        async throws
    {
        let folder = try TemporaryFolder()
        let key: EncryptionKey? = isEncrypted ? EncryptionKey() : nil
        var memory = try folder.open(key: key)
        try await Self.fill(memory, 4_300)
        let before = try await Self.answers(memory)
        #expect(before.allSatisfy { !$0.isEmpty })
        try await memory.prepareIndex(of: Self.owner)
        let file = try #require(Self.tables(folder).first)
        await memory.close()
        let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        #expect((bytes.range(of: Data("talk 7".utf8)) != nil) != isEncrypted)
        memory = try folder.open(key: key)
        #expect(try await Self.answers(memory) == before)

        // What comes after the file is read from the store, by this process and by the next.
        let archived = before[0][0].id
        _ = try memory.store.commit([.archive(archived)], owner: Self.owner, by: .local)
        try await memory.remember(
            [
                MemoryInput("The kettle in Lisbon was repaired by a new smith", speaker: "Dora"),
                MemoryInput("The parrot of house 17 flew away", session: "talk 7"),
            ], scope: Scope(user: "ana"))
        let after = try await Self.answers(memory)
        #expect(after != before && !after[0].contains { $0.id == archived })
        await memory.close()
        memory = try folder.open(key: key)
        let reread = try await Self.answers(memory)
        await memory.close()
        try FileManager.default.removeItem(atPath: file)
        memory = try folder.open(key: key)
        let made = try await Self.answers(memory)
        await memory.close()
        for (one, other) in zip(after + after, reread + made) {
            #expect(one.map(\.id) == other.map(\.id))
            #expect(zip(one, other).allSatisfy { abs($0.score - $1.score) < 1e-5 })
        }
    }

    @Test func `damaged, cut and foreign tables are made again`() async throws {
        let folder = try TemporaryFolder()
        var memory = try folder.open()
        try await Self.fill(memory, 4_200)
        let before = try await Self.answers(memory)
        try await memory.prepareIndex(of: Self.owner)
        await memory.close()
        let file = try #require(Self.tables(folder).first)
        let whole = try Data(contentsOf: URL(fileURLWithPath: file))
        for damage in 0..<4 {
            var bytes = whole
            switch damage {
            case 0: bytes[20] ^= 1
            case 1: bytes[70_000] ^= 1
            case 2: bytes = bytes.prefix(bytes.count / 2)
            default: bytes = Data("not an index".utf8)
            }
            try bytes.write(to: URL(fileURLWithPath: file))
            memory = try folder.open()
            #expect(try await Self.answers(memory) == before, "damage \(damage)")
            await memory.close()
            #expect(TableReader.isSound(at: file, dataKey: nil), "damage \(damage)")
        }
        // Another store comes in this one's place, with as many entries and more.
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path)
        where name.hasPrefix("store.db") {
            try FileManager.default.removeItem(atPath: folder.path + "/" + name)
        }
        memory = try folder.open()
        for start in stride(from: 0, to: 4_400, by: 550) {
            try await memory.remember(
                (start..<start + 550).map { MemoryInput("The meadow has flower number \($0)") },
                scope: Scope(user: "ana"))
        }
        let flowers = try await memory.recall(
            RecallRequest("meadow flower 77", owner: Self.owner, limit: 5))
        #expect(flowers.considered == 4_400 && flowers.memories[0].text.hasSuffix("number 77"))
        await memory.close()
    }

    @Test func `what is erased is in no file of tables, whoever had it open`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        try await Self.fill(memory, 4_200)
        let secret = try await memory.remember(
            [MemoryInput("Zyxwv qwertz plugh xyzzy")], scope: Scope(user: "ana"))[0].id
        try await memory.prepareIndex(of: Self.owner)
        let copy = try Data(contentsOf: URL(fileURLWithPath: #require(Self.tables(folder).first)))
        func holds() throws -> Bool {
            try Self.tables(folder).contains {
                try Data(contentsOf: URL(fileURLWithPath: $0)).range(
                    of: Data(secret.description.utf8)) != nil
            }
        }
        #expect(try holds())
        let file = try #require(Self.tables(folder).first)
        let other = try folder.open()
        try await other.erase(secret, owner: Self.owner)
        #expect(Self.tables(folder).isEmpty)
        try await memory.prepareIndex(of: Self.owner)
        #expect(try Self.tables(folder).count == 1 && !holds(), "an index that held it")
        await memory.close()
        await other.close()
        // A process that was killed between writing and looking has left it.
        try copy.write(to: URL(fileURLWithPath: file))
        let next = try folder.open()
        let found = try await next.recall(RecallRequest("plugh xyzzy", owner: Self.owner))
        #expect(found.memories.allSatisfy { !$0.text.hasPrefix("Zyxwv") })
        #expect(Self.tables(folder).isEmpty)
        await next.close()
        let last = try folder.open()
        _ = try await last.recall(RecallRequest("kettle", owner: Self.owner))
        await last.close()
        #expect(try Self.tables(folder).count == 1 && !holds())
    }

    @Test func `the first write of a process reads of the store only what came after the file`()
        async throws
    {
        let folder = try TemporaryFolder()
        var memory = try folder.open()
        try await Self.fill(memory, 4_200)
        try await memory.prepareIndex(of: Self.owner)
        let kept = try memory.store.list(
            CubeFilter(owner: Self.owner, limit: 4_200), by: .local)
        await memory.close()
        memory = try folder.open()
        // Whoever reads the store's terms of what is in the file takes it for something else.
        var other = kept[0]
        other.text = "Nothing of the kind"
        let terms = Analysis(of: other, analyzer: TextAnalyzer()).encoded
        try memory.store.saveAnalyses(kept.map { ($0.id, terms) }, owner: Self.owner)
        /// Remembers, in a process of its own, what another memory says already.
        func remember(again cube: MemCube) async throws -> Remembered {
            let memory = try folder.open()
            let input = MemoryInput(
                cube.text + "!", speaker: cube.speaker, eventTime: cube.eventTime)
            let result = try await memory.remember([input], scope: Scope(user: "ana"))[0]
            await memory.close()
            return result
        }
        #expect(try await remember(again: kept[100]).nearDuplicateOf == kept[100].id)
        let new = try await memory.remember(
            [
                MemoryInput(
                    "A zebra grazed beside the observatory at dusk", speaker: "Eve",
                    eventTime: Date(timeIntervalSince1970: 1_790_000_000))
            ], scope: Scope(user: "ana"))[0]
        #expect(try await remember(again: new.memory).nearDuplicateOf == new.id)
        await memory.close()
    }
}
