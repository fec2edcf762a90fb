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

        /// Itself after a way through files: those that there are, and one that takes the place of the
        /// segments from one on.
        func reread(_ path: String, _ key: DataKey?, since segment: Int, isCopying: Bool) throws -> Words {
            var writer = TableWriter(isCopying: isCopying)
            lexical.write(to: &writer, since: segment, sessions: sessions)
            sessions.write(to: &writer, since: segment)
            try writer.write(to: "\(path).\(segment)", values: [7 + segment], dataKey: key)
            var words = self
            (words.lexical, words.sessions) = (LexicalIndex(), SessionLinks())
            for place in 0...segment {
                var reader = try TableReader(opening: "\(path).\(place)", dataKey: key)
                #expect(reader.values[0] == 7 + place)
                try words.lexical.read(from: &reader)
                try words.sessions.read(from: &reader)
            }
            return words
        }
    }

    /// A column comes into a file from four MiB on; no name of it is left in the folder.
    @Test func `a column that comes into a file holds what one in memory does`() throws {
        let folder = NSTemporaryDirectory() + "mneme-spill-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var random = Seeded(state: 7)
        var (column, array) = (Column<Int32>(spillingTo: folder), [Int32]())
        for _ in 0..<3_000 {
            let part = (0..<1_000).map { _ in Int32.random(in: .min ... .max, using: &random) }
            column.append(part)
            column.append(part[0])
            array += part + [part[0]]
        }
        for _ in 0..<1_000 {
            let (place, value) = (Int.random(in: 0..<array.count, using: &random), Int32.random(in: 0..<9))
            column[place] = value
            array[place] = value
        }
        #expect(column.array == array)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
        // A copy that is changed leaves the other as it was.
        var copy = column
        copy.append(1)
        copy[0] = 5
        #expect(column.array == array && copy.count == array.count + 1 && copy[0] == 5)

        var writer = TableWriter(spillingTo: folder)
        writer.add(column)
        writer.addChanges(of: column, since: 0)
        let file = folder + "/tables"
        try writer.write(to: file, values: [1], dataKey: nil)
        var reader = try TableReader(opening: file, dataKey: nil)
        let read: Column<Int32> = try reader.column()
        var changed = Column<Int32>()
        try reader.change(&changed)
        #expect(read.array == array && changed.array == array)
        // Where there is no such folder, memory has to do.
        var other = Column<Int32>(spillingTo: folder + "/none")
        other.append(array)
        #expect(other.array == array)
    }

    /// Removes the files that a test has written.
    private static func remove(_ path: String) {
        for end in [""] + (0..<9).flatMap({ [".\($0)", ".\($0).checked"] }) { unlink(path + end) }
    }

    /// Which segments a test writes as one at each time: all but once all that there are, and more.
    private static func segment(_ round: Int, of count: Int, _ random: inout Seeded) -> Int {
        round % 3 == 2 ? Int.random(in: 0...count, using: &random) : count
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
        defer { Self.remove(path) }
        var memory = Words()
        var filed = Words()
        var segments = 0
        var removed: Set<Int> = []
        for round in 0..<8 {
            for _ in 0..<(round % 2 == 0 ? 150 : 20) {
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
            let segment = Self.segment(round, of: segments, &random)
            filed = try filed.reread(path, key, since: segment, isCopying: segment > 0)
            segments = segment + 1
            Self.expectEqual(memory, filed, &random)
        }
    }

    @Test(arguments: 0..<8)
    func `a graph from a file is walked as one in memory, after any edits`(seed: UInt64) throws {
        var random = Seeded(state: seed &* 13 &+ 3)
        var memory = MemoryGraph()
        var filed = MemoryGraph()
        let path = Self.path()
        defer { Self.remove(path) }
        var nodes = 0
        var segments = 0
        for round in 0..<8 {
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
            let segment = Self.segment(round, of: segments, &random)
            segments = segment + 1
            var writer = TableWriter()
            filed.write(to: &writer, since: segment)
            try writer.write(to: "\(path).\(segment)", values: [], dataKey: nil)
            filed = MemoryGraph()
            for place in 0...segment {
                var reader = try TableReader(opening: "\(path).\(place)", dataKey: nil)
                try filed.read(from: &reader)
            }
            for node in 0..<nodes { #expect(memory.edgeCount(node) == filed.edgeCount(node)) }
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
        defer { Self.remove(path) }
        var table = KeyTable<UInt32>()
        var segments = 0
        var expected: [UInt32: Int] = [:]
        var random = Seeded(state: 3)
        for round in 0..<6 {
            for _ in 0..<200 {
                let key = UInt32.random(in: 0..<500, using: &random)
                let number = Int.random(in: 0..<9_999, using: &random)
                (table[key], expected[key]) = (number, number)
            }
            let segment = Self.segment(round, of: segments, &random)
            segments = segment + 1
            var writer = TableWriter()
            table.write(to: &writer, since: segment)
            try writer.write(to: "\(path).\(segment)", values: [], dataKey: nil)
            table = KeyTable()
            for place in 0...segment {
                var reader = try TableReader(opening: "\(path).\(place)", dataKey: nil)
                try table.read(from: &reader)
            }
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

    @Test(arguments: [1, 40_000])
    func `a column lies in several files side by side, in any number of them`(size: Int) throws {
        let path = Self.path()
        defer { Self.remove(path) }
        var column = Column<Int32>()
        var expected: [Int32] = []
        var random = Seeded(state: 17)
        var segments = 0
        for round in 0..<9 {
            // Many are mapped, at any place of a page; few are copied.
            let added = (0..<size + Int.random(in: 0..<3_000, using: &random)).map { Int32($0 + round) }
            column.append(added)
            expected += added
            for _ in 0..<5 {
                let place = Int.random(in: 0..<expected.count, using: &random)
                (column[place], expected[place]) = (Int32(-round), Int32(-round))
            }
            let segment = Self.segment(round, of: segments, &random)
            segments = segment + 1
            var writer = TableWriter(isCopying: round % 2 == 0)
            writer.addChanges(of: column, since: segment)
            try writer.write(to: "\(path).\(segment)", values: [], dataKey: nil)
            var reread = Column<Int32>()
            for place in 0...segment {
                var reader = try TableReader(opening: "\(path).\(place)", dataKey: nil)
                try reader.change(&reread)
            }
            #expect(reread.array == expected)
            // What is added and changed now is in no file.
            reread[0] = 5
            reread.append(6)
            #expect(reread.array == [5] + expected.dropFirst() + [6])
            reread = Column()
            for place in 0...segment {
                var reader = try TableReader(opening: "\(path).\(place)", dataKey: nil)
                try reader.change(&reread)
            }
            column = reread
        }
        #expect(segments > 1)
        var other = Column<Int32>([1, 2, 3])
        var reader = try TableReader(opening: "\(path).1", dataKey: nil)
        #expect(throws: IndexError.self) { try reader.change(&other) }
        var wide = Column<Int64>()
        reader = try TableReader(opening: "\(path).1", dataKey: nil)
        #expect(throws: IndexError.self) { try reader.change(&wide) }
    }

    @Test func `a file that was read once is not read again until it changes`() throws {
        let path = Self.path()
        defer { for end in ["", ".checked"] { unlink(path + end) } }
        var writer = TableWriter()
        writer.add(Column<Int32>((0..<30_000).map { $0 }))
        try writer.write(to: path, values: [], dataKey: nil)
        // A file that was written just now is read again: another change may have the same time.
        _ = try TableReader(opening: path, dataKey: nil)
        #expect(access(path + ".checked", F_OK) != 0)
        usleep(1_100_000)
        _ = try TableReader(opening: path, dataKey: nil)
        #expect(access(path + ".checked", F_OK) == 0)
        // The note is what the next opening goes by.
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        var damaged = whole
        damaged[70_000] ^= 4
        try damaged.write(to: URL(fileURLWithPath: path))
        #expect(throws: IndexError.self) { try TableReader(opening: path, dataKey: nil) }
        try whole.write(to: URL(fileURLWithPath: path))
        _ = try TableReader(opening: path, dataKey: nil)
        try Data("no note".utf8).write(to: URL(fileURLWithPath: path + ".checked"))
        _ = try TableReader(opening: path, dataKey: nil)
    }
}
