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

    private static func fill(_ memory: MemoryOS, _ count: Int, from first: Int = 0) async throws {
        for start in stride(from: first, to: first + count, by: 500) {
            try await memory.remember(
                (start..<min(first + count, start + 500)).map(input), scope: Scope(user: "ana"))
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
            .filter { $0.hasSuffix(".tables") }.map { folder.path + "/index/" + $0 }.sorted {
                ($0.utf8.count, $0) < ($1.utf8.count, $1)
            }
    }

    /// What is in the files of tables, by their path.
    private static func contents(_ folder: TemporaryFolder) throws -> [String: Data] {
        var contents: [String: Data] = [:]
        for path in tables(folder) { contents[path] = try Data(contentsOf: URL(fileURLWithPath: path)) }
        return contents
    }

    private static func expectAlike(_ a: [[Answer]], _ b: [[Answer]], _ comment: Comment? = nil) {
        for (one, other) in zip(a, b) {
            #expect(one.map(\.id) == other.map(\.id), comment)
            #expect(zip(one, other).allSatisfy { abs($0.score - $1.score) < 1e-5 }, comment)
        }
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

    @Test(arguments: [false, true])
    func `what is new lies in segments of their own, and answers to the bit`(isEncrypted: Bool)
        async throws
    {
        let folder = try TemporaryFolder()
        let key: EncryptionKey? = isEncrypted ? EncryptionKey() : nil
        var memory = try folder.open(key: key)
        try await Self.fill(memory, 4_300)
        try await memory.prepareIndex(of: Self.owner)
        let file = try #require(Self.tables(folder).first)
        let whole = try Data(contentsOf: URL(fileURLWithPath: file))
        var changes: [Data] = []
        for round in 0..<2 {
            await memory.close()
            memory = try folder.open(key: key)
            try await Self.fill(memory, 1_050, from: 4_300 + 1_050 * round)
            // Memories of both files get other words, sessions and states.
            let known = try await Self.answers(memory)[0].map(\.id)
            _ = try await memory.correct(
                known[0], with: "The kettle of Oslo boiled over", owner: Self.owner)
            _ = try memory.store.commit([.archive(known[1])], owner: Self.owner, by: .local)
            let before = try await Self.answers(memory)
            try await memory.prepareIndex(of: Self.owner)
            #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == whole)
            let tables = Self.tables(folder)
            #expect(tables.count == 2 + round && tables[0] == file)
            for (place, former) in changes.enumerated() {
                #expect(try Data(contentsOf: URL(fileURLWithPath: tables[place + 1])) == former)
            }
            let newer = tables[round + 1]
            let bytes = try Data(contentsOf: URL(fileURLWithPath: newer))
            changes.append(bytes)
            await memory.close()
            memory = try folder.open(key: key)
            #expect(try await Self.answers(memory) == before, "round \(round)")
            guard round == 1 else { continue }
            await memory.close()
            // Damaged, or of another file, it is read from the store.
            for damage in 0..<3 {
                var bytes = bytes
                if damage == 0 { bytes[65_540] ^= 1 } else { bytes = damage == 1 ? whole : changes[0] }
                try bytes.write(to: URL(fileURLWithPath: newer))
                memory = try folder.open(key: key)
                let after = try await Self.answers(memory)
                Self.expectAlike(before, after, "damage \(damage)")
                await memory.close()
                #expect(TableReader.isSound(at: newer, dataKey: nil) || isEncrypted)
            }
            // Without one in the middle, those behind it are of no use.
            try FileManager.default.removeItem(atPath: tables[1])
            memory = try folder.open(key: key)
            Self.expectAlike(before, try await Self.answers(memory), "a gap")
            await memory.close()
            memory = try folder.open(key: key)
        }
        await memory.close()
    }

    @Test func `segments are merged, and answer as one index made anew`() async throws {
        let folder = try TemporaryFolder()
        var memory = try folder.open()
        try await Self.fill(memory, 4_600)
        try await memory.prepareIndex(of: Self.owner)
        let file = try #require(Self.tables(folder).first)
        let first = try Data(contentsOf: URL(fileURLWithPath: file))
        var counts: [Int] = []
        for round in 0..<6 {
            try await Self.fill(memory, round == 0 ? 1_026 : 1_040, from: 4_600 + 1_040 * round)
            // Memories of all segments get other words, states and links.
            let known = try await Self.answers(memory).map { $0[0].id }
            _ = try await memory.correct(
                known[1], with: "The violin of Graz broke in round \(round)", owner: Self.owner)
            _ = try memory.store.commit([.archive(known[2])], owner: Self.owner, by: .local)
            try await memory.prepareIndex(of: Self.owner)
            counts.append(Self.tables(folder).count)
            if round < 4 { #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == first) }
            // This process goes on with what it has written; the next one reads it.
            let here = try await Self.answers(memory)
            if round % 2 == 1 {
                await memory.close()
                memory = try folder.open()
                #expect(try await Self.answers(memory) == here, "round \(round)")
            }
        }
        // The last four first, and then all.
        #expect(counts == [2, 3, 4, 2, 1, 2])
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) != first)
        let merged = try await Self.answers(memory)
        await memory.close()
        for path in Self.tables(folder) { try FileManager.default.removeItem(atPath: path) }
        memory = try folder.open()
        Self.expectAlike(merged, try await Self.answers(memory))
        await memory.close()
    }

    @Test func `segments are merged when those behind are much larger, and stay few`() {
        #expect(SegmentMerge.first([]) == nil && SegmentMerge.first([5_000]) == nil)
        #expect(SegmentMerge.first([5_000, 6_000, 7_000]) == nil)
        #expect(SegmentMerge.first([9_000, 10_000, 11_000, 12_000, 13_000]) == 1)
        #expect(SegmentMerge.first([4_000, 6_000, 8_000]) == 0)
        // A million memories, a thousand at a time.
        var positions: [Int64] = []
        var (written, most) = (Int64(0), 0)
        for position in stride(from: Int64(1_000), through: 1_000_000, by: 1_000) {
            positions.append(position)
            written += 1_000
            if let first = SegmentMerge.first(positions) {
                positions.removeLast(positions.count - first)
                positions.append(position)
                written += position - (positions.dropLast().last ?? 0)
            }
            most = max(most, positions.count)
        }
        #expect(most <= 20, "\(most) segments")
        #expect(written < 10 * 1_000_000, "\(written) written")
    }

    @Test func `a process that goes on writes segments of what it has in memory`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        try await Self.fill(memory, 4_200)
        try await memory.prepareIndex(of: Self.owner)
        let first = try Self.contents(folder)
        #expect(first.count == 1)
        try await Self.fill(memory, 8_300, from: 4_200)
        // It may be merged with the first by then, as it is larger.
        for _ in 0..<300 {
            _ = try await Self.answers(memory)
            guard try Self.contents(folder) == first else { break }
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(try Self.contents(folder) != first)
        let here = try await Self.answers(memory)
        let next = try folder.open()
        Self.expectAlike(here, try await Self.answers(next))
        await next.close()
        await memory.close()
    }

    @Test func `another process's segments are read, not written over`() async throws {
        let folder = try TemporaryFolder()
        let (one, other) = (try folder.open(), try folder.open())
        try await Self.fill(one, 4_200)
        try await one.prepareIndex(of: Self.owner)
        _ = try await Self.answers(other)
        try await Self.fill(one, 1_050, from: 4_200)
        try await one.prepareIndex(of: Self.owner)
        let written = try Self.contents(folder)
        #expect(written.count == 2)
        try await other.prepareIndex(of: Self.owner)
        #expect(try Self.contents(folder) == written)
        // It goes on with them, and writes the next.
        try await Self.fill(other, 1_050, from: 5_250)
        try await other.prepareIndex(of: Self.owner)
        let more = try Self.contents(folder)
        #expect(more.count == 3 && written.allSatisfy { more[$0] == $1 })
        let answers = (try await Self.answers(one), try await Self.answers(other))
        Self.expectAlike(answers.0, answers.1)
        await one.close()
        await other.close()
        let next = try folder.open()
        #expect(try await Self.answers(next) == answers.1)
        await next.close()
    }

    @Test func `what is erased is in no segment, whoever wrote it, and others stay`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        try await Self.fill(memory, 4_200)
        try await memory.prepareIndex(of: Self.owner)
        let file = try #require(Self.tables(folder).first)
        let secret = try await memory.remember(
            [MemoryInput("Zyxwv qwertz plugh xyzzy")], scope: Scope(user: "ana"))[0].id
        try await Self.fill(memory, 1_100, from: 4_200)
        try await memory.prepareIndex(of: Self.owner)
        let newer = try #require(Self.tables(folder).first { $0 != file })
        let (all, some) = (
            try Data(contentsOf: URL(fileURLWithPath: file)),
            try Data(contentsOf: URL(fileURLWithPath: newer))
        )
        let name = Data(secret.description.utf8)
        #expect(some.range(of: name) != nil && all.range(of: name) == nil)
        let other = try folder.open()
        try await other.erase(secret, owner: Self.owner)
        // The segment that had it is gone before the caller is told; the one before never knew of it.
        #expect(try Self.contents(folder) == [file: all])
        try await memory.prepareIndex(of: Self.owner)
        #expect(Self.tables(folder) == [file, newer])
        for path in Self.tables(folder) {
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)).range(of: name) == nil)
        }
        await memory.close()
        await other.close()
        // Processes that were killed between writing and looking have left both files, or one.
        for left in [[(file, all), (newer, some)], [(newer, some)]] {
            for path in Self.tables(folder) { try FileManager.default.removeItem(atPath: path) }
            for (path, bytes) in left { try bytes.write(to: URL(fileURLWithPath: path)) }
            let next = try folder.open()
            let found = try await next.recall(RecallRequest("plugh xyzzy", owner: Self.owner))
            #expect(found.memories.allSatisfy { !$0.text.hasPrefix("Zyxwv") })
            await next.close()
            for path in Self.tables(folder) {
                #expect(try Data(contentsOf: URL(fileURLWithPath: path)).range(of: name) == nil)
            }
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
            case 1: bytes[65_540] ^= 1
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
