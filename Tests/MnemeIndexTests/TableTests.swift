import Foundation
import MnemeIndex
import MnemeSeal
import Testing

/// Tables in files: what is read from a file answers as what wrote it, to the bit, whatever is
/// changed afterwards.
@Suite struct TableTests {
    /// An index of words and sessions with the terms that it was given.
    private struct Words {
        var lexical = LexicalIndex(), sessions = SessionLinks()
        var terms: [TermCounts] = []

        mutating func append(_ new: TermCounts, session: Int, place: Int64) {
            while sessions.sessionCount <= session { _ = sessions.addSession() }
            lexical.append(new, session: session)
            sessions.append(session: session, place: place, length: new.length)
            terms.append(new)
        }

        mutating func replace(_ document: Int, with new: TermCounts, isRemoved: Bool) {
            sessions.adjust(document, by: new.length - terms[document].length)
            if isRemoved {
                lexical.remove(
                    document, old: terms[document], session: sessions.session(of: document))
            } else {
                lexical.replace(
                    document, old: terms[document], with: new,
                    session: sessions.session(of: document))
            }
            terms[document] = new
        }

        /// Itself after a way through a file.
        func reread(_ path: String, _ key: DataKey?) throws -> Words {
            var writer = TableWriter()
            lexical.write(to: &writer, sessions: sessions)
            sessions.write(to: &writer)
            try writer.write(to: path, values: [7], dataKey: key)
            var reader = try TableReader(opening: path, dataKey: key)
            var words = self
            #expect(reader.values[0] == 7)
            words.lexical = try LexicalIndex(from: &reader)
            words.sessions = try SessionLinks(from: &reader)
            return words
        }
    }

    private static func path() -> String {
        NSTemporaryDirectory() + "mneme-tables-\(UUID().uuidString)"
    }

    private static func expectEqual(_ a: Words, _ b: Words, _ random: inout Seeded) {
        for _ in 0..<4 {
            let query = (0..<Int.random(in: 1...5, using: &random)).map { _ in
                TermCounts.hash("w\(Int.random(in: 0..<40, using: &random))")
            }
            let distinct = Array(Set(query)).sorted()
            let one = a.lexical.score(distinct, sessions: a.sessions)
            let other = b.lexical.score(distinct, sessions: b.sessions)
            func bits(_ scores: [Float]) -> [UInt32] { scores.map(\.bitPattern) }
            #expect(bits(one.document) == bits(other.document))
            #expect(bits(one.window) == bits(other.window))
            #expect(bits(one.session) == bits(other.session))
            #expect(one.matches == other.matches && bits(one.weights) == bits(other.weights))
            #expect(Set(one.touched) == Set(other.touched))
            let limit = Int.random(in: 1...20, using: &random)
            let allowed = { (document: Int) in document % 3 != 1 }
            #expect(
                highest(limit, of: one.document, where: allowed)
                    == highest(limit, of: other.document, where: allowed))
            #expect(
                a.lexical.documents(withAll: Array(distinct.prefix(2)), limit: limit)
                    == b.lexical.documents(withAll: Array(distinct.prefix(2)), limit: limit))
        }
    }

    @Test(arguments: 0..<24)
    func `words from a file score as words in memory, to the bit, after any edits`(seed: UInt64)
        throws
    {
        var random = Seeded(state: seed &* 91 &+ 5)
        let path = Self.path()
        let key = seed % 3 == 0 ? DataKey() : nil
        defer { unlink(path) }
        var memory = Words()
        var filed = Words()
        var removed: Set<Int> = []
        for round in 0..<4 {
            for _ in 0..<150 {
                let new = TermCounts(
                    (0..<Int.random(in: 0...12, using: &random)).map { _ in
                        "w\(min(Int.random(in: 0..<40, using: &random), Int.random(in: 0..<40, using: &random)))"
                    })
                let document = Int.random(in: 0...max(0, memory.terms.count - 1), using: &random)
                if memory.terms.isEmpty || Int.random(in: 0..<3, using: &random) > 0 {
                    let session = Int.random(in: 0..<6, using: &random)
                    let place = Int64.random(in: 0..<50, using: &random)
                    memory.append(new, session: session, place: place)
                    filed.append(new, session: session, place: place)
                } else if !removed.contains(document) {
                    let isRemoved = Bool.random(using: &random)
                    if isRemoved { removed.insert(document) }
                    let new = isRemoved ? TermCounts([]) : new
                    memory.replace(document, with: new, isRemoved: isRemoved)
                    filed.replace(document, with: new, isRemoved: isRemoved)
                }
            }
            Self.expectEqual(memory, filed, &random)
            if round < 3 { filed = try filed.reread(path, key) }
            Self.expectEqual(memory, filed, &random)
        }
    }

    @Test(arguments: 0..<8)
    func `a graph from a file is walked as one in memory, after any edits`(seed: UInt64) throws {
        var random = Seeded(state: seed &* 13 &+ 3)
        var memory = MemoryGraph()
        var filed = MemoryGraph()
        let path = Self.path()
        defer { unlink(path) }
        var nodes = 0
        for _ in 0..<4 {
            for _ in 0..<30 {
                _ = (memory.addNode(), filed.addNode())
                nodes += 1
            }
            for _ in 0..<120 {
                let a = Int.random(in: 0..<nodes, using: &random)
                let b = Int.random(in: 0..<nodes, using: &random)
                let kind = MemoryGraph.Kind.allCases.randomElement(using: &random)!
                switch Int.random(in: 0..<10, using: &random) {
                case 0:
                    memory.unlink(a, b, kind)
                    filed.unlink(a, b, kind)
                case 1:
                    memory.isolate(a, kind)
                    filed.isolate(a, kind)
                default:
                    memory.link(a, b, kind, time: Double(b))
                    filed.link(a, b, kind, time: Double(b))
                }
            }
            var writer = TableWriter()
            filed.write(to: &writer)
            try writer.write(to: path, values: [], dataKey: nil)
            var reader = try TableReader(opening: path, dataKey: nil)
            filed = try MemoryGraph(from: &reader)
            let seeds = [(node: Int.random(in: 0..<nodes, using: &random), weight: Float(1))]
            func reached(_ graph: MemoryGraph) -> [Int: UInt32] {
                Dictionary(
                    uniqueKeysWithValues: graph.walk(from: seeds, before: 60).map {
                        ($0.node, $0.score.bitPattern)
                    })
            }
            #expect(reached(memory) == reached(filed))
        }
    }

    @Test func `numbers are found by key, from the file and beside it`() throws {
        let path = Self.path()
        defer { unlink(path) }
        var table = KeyTable<UInt32>()
        var expected: [UInt32: Int] = [:]
        var random = Seeded(state: 3)
        for _ in 0..<3 {
            for _ in 0..<200 {
                let key = UInt32.random(in: 0..<500, using: &random)
                let number = Int.random(in: 0..<9_999, using: &random)
                (table[key], expected[key]) = (number, number)
            }
            var writer = TableWriter()
            table.write(to: &writer)
            try writer.write(to: path, values: [], dataKey: nil)
            var reader = try TableReader(opening: path, dataKey: nil)
            table = try KeyTable(from: &reader)
            for key in 0..<UInt32(500) { #expect(table[key] == expected[key]) }
        }
    }

    @Test func `a column that is copied or grown leaves the other and the file as they are`()
        throws
    {
        let path = Self.path()
        defer { unlink(path) }
        var writer = TableWriter()
        writer.add(Column<Int32>([1, 2, 3]))
        try writer.write(to: path, values: [], dataKey: nil)
        var reader = try TableReader(opening: path, dataKey: nil)
        var one: Column<Int32> = try reader.column()
        let other = one
        one[1] = 20
        one.append(4)
        #expect(one.array == [1, 20, 3, 4] && other.array == [1, 2, 3])
        var alone = one
        alone[0] = 9
        #expect(one.array == [1, 20, 3, 4] && alone.array == [9, 20, 3, 4])
        reader = try TableReader(opening: path, dataKey: nil)
        #expect(try (reader.column() as Column<Int32>).array == [1, 2, 3])
        #expect(throws: IndexError.self) { try reader.column() as Column<Int32> }
    }

    @Test(arguments: [false, true])
    func `a damaged or cut file is refused, and one of another key`(isEncrypted: Bool) throws {
        let path = Self.path()
        let key = isEncrypted ? DataKey() : nil
        defer { unlink(path) }
        var writer = TableWriter()
        writer.add(Column<Int32>((0..<30_000).map { $0 }))
        writer.add(Column<UInt8>([1, 2, 3]))
        try writer.write(to: path, values: [1], dataKey: key)
        #expect(TableReader.isSound(at: path, dataKey: key))
        #expect(!TableReader.isSound(at: path, dataKey: DataKey()))
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(isEncrypted != whole.starts(with: Data("MNEMEIDX".utf8)))
        // Not the room between and behind the columns, which holds nothing.
        for place in [0, 9, 4_000, 70_000] {
            var damaged = whole
            damaged[place] ^= 4
            try damaged.write(to: URL(fileURLWithPath: path))
            #expect(!TableReader.isSound(at: path, dataKey: key), "byte \(place)")
        }
        for length in [0, 100, whole.count / 2] {
            try whole.prefix(length).write(to: URL(fileURLWithPath: path))
            #expect(!TableReader.isSound(at: path, dataKey: key), "\(length) bytes")
        }
    }
}
