import Foundation
import MnemeBench
import MnemeIndex
import MnemeSeal
import NIOConcurrencyHelpers
import Testing

/// Behaviour of every index of vectors; exact search in floats is the measure.
@Suite struct VectorIndexTests {
    enum Kind: String, CaseIterable, Sendable {
        case flat, graph, tiered, tieredEncrypted, tieredOnDisk, clustered, lookaside

        func make(_ dimension: Int) throws -> any VectorIndex {
            switch self {
            case .flat: try FlatIndex(dimension: dimension)
            case .graph: try GraphIndex(dimension: dimension)
            case .tiered: try TieredIndex(dimension: dimension, threshold: 700)
            case .tieredEncrypted:
                try TieredIndex(dimension: dimension, threshold: 700, dataKey: Self.dataKey)
            case .tieredOnDisk:
                try TieredIndex(
                    dimension: dimension, threshold: 500, memory: 1,
                    path: Self.folder + "/\(UUID().uuidString)")
            case .clustered: try Self.clustered(dimension)
            case .lookaside: LookasideBuffer(try GraphIndex(dimension: dimension), capacity: 300)
            }
        }

        private static let dataKey = DataKey()

        /// For lists on disk; removed when the tests end.
        private static let folder: String = {
            let path = NSTemporaryDirectory() + "mneme-lists-\(getpid())"
            try? FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
            atexit {
                try? FileManager.default.removeItem(
                    atPath: NSTemporaryDirectory() + "mneme-lists-\(getpid())")
            }
            return path
        }()

        /// On a file that has lost its name already: nothing is left behind.
        private static func clustered(_ dimension: Int) throws -> ClusteredIndex {
            let path = NSTemporaryDirectory() + "mneme-clustered-\(UUID().uuidString)"
            defer { try? FileManager.default.removeItem(atPath: path + ".postings") }
            return try ClusteredIndex(path: path, dimension: dimension)
        }

        func open(_ path: String, key: (Int) -> Int? = { $0 }) throws -> any VectorIndex {
            switch self {
            case .flat: try FlatIndex(opening: path, key: key)
            case .graph: try GraphIndex(opening: path, key: key)
            case .tiered: try TieredIndex(opening: path, threshold: 700, key: key)
            case .tieredEncrypted:
                try TieredIndex(opening: path, threshold: 700, dataKey: Self.dataKey, key: key)
            case .tieredOnDisk: try TieredIndex(opening: path, threshold: 500, memory: 1, key: key)
            case .clustered: try ClusteredIndex(opening: path, key: key)
            case .lookaside: LookasideBuffer(try GraphIndex(opening: path, key: key))
            }
        }

        func files(_ path: String) -> [String] {
            switch self {
            case .clustered: [path, path + ".postings"]
            case .tieredOnDisk: [path, path + ".lists", path + ".lists.postings"]
            case .flat, .graph, .tiered, .tieredEncrypted, .lookaside: [path]
            }
        }

        /// Of the exact ten nearest, at least this share is found.
        var recall: Double {
            self == .flat
                ? 1
                : self == .clustered || self == .tieredOnDisk
                    ? 0.9 : self == .lookaside ? 0.95 : 0.97
        }

        /// Work that an owner does in the background.
        func maintain(_ index: any VectorIndex) throws {
            if let index = index as? TieredIndex { try index.maintain() }
            if let index = index as? GraphIndex { index.maintain() }
        }
    }

    private static let dimension = 48

    /// Vectors in clusters, as those of texts are.
    private static func vectors(_ count: Int, seed: UInt64, dimension: Int = dimension) -> [[Float]] {
        var random = Seeded(state: seed)
        let centres = (0..<40).map { _ in
            (0..<dimension).map { _ in Float.random(in: -1...1, using: &random) }
        }
        return (0..<count).map { _ in
            let centre = centres.randomElement(using: &random)!
            return unit(centre.map { $0 + Float.random(in: -0.9...0.9, using: &random) })
        }
    }

    private static func unit(_ vector: [Float]) -> [Float] {
        let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return norm > 0 ? vector.map { $0 / norm } : vector
    }

    private static func exact(
        _ query: [Float], _ vectors: [Int: [Float]], _ k: Int,
        where allowed: (Int) -> Bool = { _ in true }
    ) -> [VectorMatch] {
        let query = unit(query)
        var matches: [VectorMatch] = []
        for (key, vector) in vectors where allowed(key) {
            var score: Float = 0
            for (a, b) in zip(vector, query) { score += a * b }
            matches.append(VectorMatch(key: key, score: score))
        }
        matches.sort { $0.score != $1.score ? $0.score > $1.score : $0.key < $1.key }
        return Array(matches.prefix(k))
    }

    /// Share of the exact answer that was found; each score must be right.
    private static func recall(
        _ found: [VectorMatch], _ expected: [VectorMatch], in vectors: [Int: [Float]],
        _ query: [Float]
    ) -> Double {
        let query = unit(query)
        for match in found {
            guard let vector = vectors[match.key] else {
                Issue.record("found key \(match.key), which is not there")
                continue
            }
            let score = zip(vector, query).reduce(0) { $0 + $1.0 * $1.1 }
            #expect(abs(score - match.score) < 2e-3, "score of \(match.key)")
        }
        #expect(zip(found, found.dropFirst()).allSatisfy { $0.score >= $1.score })
        #expect(Set(found.map(\.key)).count == found.count)
        return expected.isEmpty
            ? 1
            : Double(Set(found.map(\.key)).intersection(expected.map(\.key)).count)
                / Double(expected.count)
    }

    private static func changes(_ vectors: [[Float]], from first: Int = 0, position: Int64 = 0)
        -> VectorChanges
    {
        VectorChanges(
            inserted: vectors.enumerated().map { (key: first + $0, vector: $1) }, position: position
        )
    }

    private static func withFolder(_ body: (String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "mneme-index-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    @Test(arguments: Kind.allCases, [1, 3, 48, 64, 100, 384])
    func `the nearest are found`(kind: Kind, dimension: Int) throws {
        let index = try kind.make(dimension)
        let all = Self.vectors(2500, seed: UInt64(dimension), dimension: dimension)
        for part in stride(from: 0, to: all.count, by: 600) {
            try index.apply(
                Self.changes(
                    Array(all[part..<min(all.count, part + 600)]), from: part,
                    position: Int64(part + 1)))
        }
        try kind.maintain(index)
        let model = Dictionary(uniqueKeysWithValues: all.enumerated().map { ($0, $1) })
        var total = 0.0
        for query in Self.vectors(40, seed: 7, dimension: dimension) {
            let found = try index.search(query.map { $0 * 3 }, VectorSearch(10))
            #expect(found.count == 10)
            if dimension < 4 {
                // Many are equally near: what is found must be as near as the exact answer.
                let expected = Self.exact(query, model, 10)
                total += Double(zip(found, expected).count { abs($0.score - $1.score) < 2e-3 }) / 10
            } else {
                total += Self.recall(found, Self.exact(query, model, 10), in: model, query)
            }
        }
        #expect(total / 40 >= kind.recall)
        #expect(index.count == 2500 && index.position == 2401)
    }

    @Test(arguments: Kind.allCases, [UInt64(1), 2, 3])
    func
        `any inserts, replacements and deletions, saved and opened between them, leave what a dictionary holds`(
            kind: Kind, seed: UInt64
        ) throws
    {
        try Self.withFolder { folder in
            var random = Seeded(state: seed &* 31)
            var index: (any VectorIndex)! = try kind.make(Self.dimension)
            var model: [Int: [Float]] = [:]
            var position: Int64 = 0
            let supply = Self.vectors(6000, seed: seed)
            var next = 0
            for round in 0..<30 {
                var changes = VectorChanges()
                position += 1
                changes.position = position
                for _ in 0..<Int.random(in: 0...200, using: &random) {
                    let key = Int.random(in: 0..<3000, using: &random)
                    changes.inserted.append((key, supply[next % supply.count]))
                    next += 1
                }
                if round > 3 {
                    changes.deleted =
                        (0..<Int.random(in: 0...(round == 20 ? 2500 : 150), using: &random)).map {
                            _ in
                            Int.random(in: 0..<3000, using: &random)
                        }
                }
                for key in changes.deleted { model[key] = nil }
                for (key, vector) in changes.inserted { model[key] = vector }
                try index.apply(changes)
                if round % 3 == 0 { try kind.maintain(index) }
                if round % 7 == 6 {
                    try index.save(to: folder + "/i")
                    index = nil  // one at a time may change what is on disk
                    index = try kind.open(folder + "/i")
                }
                #expect(index.count == model.count && index.position == position)
                var total = 0.0
                for query in Self.vectors(10, seed: UInt64(round)) {
                    total += Self.recall(
                        try index.search(query, VectorSearch(10)), Self.exact(query, model, 10),
                        in: model, query)
                }
                #expect(total / 10 >= kind.recall - 0.02, "round \(round) of \(model.count)")
            }
            for key in 0..<3000 {
                let vector = index.vector(key)
                #expect((vector == nil) == (model[key] == nil))
                if let vector, let expected = model[key] {
                    #expect(zip(vector, expected).allSatisfy { abs($0 - $1) < 2e-3 })
                }
            }
        }
    }

    @Test(arguments: Kind.allCases)
    func `filters of any share lose nothing`(kind: Kind) throws {
        let index = try kind.make(Self.dimension)
        let all = Self.vectors(6000, seed: 5)
        try index.apply(Self.changes(all))
        try kind.maintain(index)
        let model = Dictionary(uniqueKeysWithValues: all.enumerated().map { ($0, $1) })
        for every in [1, 2, 3, 5, 10, 20, 50, 100, 1000, 6000] {
            let filter = KeySet((0..<6000).filter { $0 % every == every - 1 })
            var total = 0.0
            for query in Self.vectors(20, seed: UInt64(every)) {
                let found = try index.search(query, VectorSearch(10, filter: filter))
                #expect(
                    found.allSatisfy { filter.contains($0.key) }
                        && found.count == min(10, filter.count))
                total += Self.recall(
                    found, Self.exact(query, model, 10, where: filter.contains), in: model, query)
            }
            #expect(total / 20 >= kind.recall - 0.02, "one in \(every)")
        }
        // What passes may lie far from the query: all of one cluster, asked from another.
        let far = KeySet(Self.exact(all[0].map { -$0 }, model, 400).map(\.key))
        let found = try index.search(all[0], VectorSearch(10, filter: far))
        #expect(
            Self.recall(
                found, Self.exact(all[0], model, 10, where: far.contains), in: model, all[0])
                >= kind.recall
                - 0.1)
        #expect(try index.search(all[0], VectorSearch(10, filter: KeySet())).isEmpty)
        #expect(
            try index.search(all[0], VectorSearch(10, filter: KeySet([9999, 100_000]))).isEmpty)
    }

    @Test(arguments: Kind.allCases)
    func `opened again it answers the same bit by bit, under other names, and without what is gone`(
        kind: Kind
    ) throws {
        try Self.withFolder { folder in
            let index = try kind.make(Self.dimension)
            let all = Self.vectors(1500, seed: 9)
            try index.apply(Self.changes(all, position: 77))
            try kind.maintain(index)
            try index.save(to: folder + "/a")
            let queries = Self.vectors(20, seed: 10)
            let again = try kind.open(folder + "/a")
            for query in queries {
                #expect(
                    try index.search(query, VectorSearch(10))
                        == again.search(query, VectorSearch(10)))
            }
            #expect(again.position == 77 && again.count == 1500)
            try index.save(to: folder + "/b") { $0 + 1_000_000 }
            let renamed = try kind.open(folder + "/b") { $0 % 3 == 0 ? nil : ($0 - 1_000_000) * 2 }
            let model = Dictionary(
                uniqueKeysWithValues: all.enumerated().filter { ($0.offset + 1_000_000) % 3 != 0 }
                    .map {
                        ($0.offset * 2, $0.element)
                    })
            #expect(renamed.count == model.count)
            var total = 0.0
            for query in queries {
                total += Self.recall(
                    try renamed.search(query, VectorSearch(10)), Self.exact(query, model, 10),
                    in: model, query)
            }
            #expect(total / 20 >= kind.recall - 0.02)
            // And it goes on from there.
            try renamed.apply(VectorChanges(inserted: [(5, all[0])], deleted: [2], position: 78))
            #expect(try renamed.search(all[0], VectorSearch(1)).first?.score ?? 0 > 0.999)
        }
    }

    @Test(arguments: Kind.allCases)
    func `what is deleted is not in the files`(kind: Kind) throws {
        try Self.withFolder { folder in
            let index = try kind.make(64)
            let all = Self.vectors(1200, seed: 3, dimension: 64)
            try index.apply(Self.changes(all))
            try kind.maintain(index)
            try index.save(to: folder + "/x")
            func contains(_ bytes: [UInt8]) -> Bool {
                kind.files(folder + "/x").contains {
                    (try? Data(contentsOf: URL(fileURLWithPath: $0)))?.range(of: Data(bytes)) != nil
                }
            }
            // Codes as the graph keeps them: 8 bits, 128 standing for 0; and floats as the scan
            // keeps them.
            let highest = all[7].map(abs).max()!
            let codes = all[7].map { UInt8(128 + ($0 / (highest / 127)).rounded(.toNearestOrEven)) }
            let floats = all[7].withUnsafeBytes(Array.init)
            #expect((contains(codes) || contains(floats)) == (kind != .tieredEncrypted))
            try index.apply(VectorChanges(deleted: [7]))
            try index.save(to: folder + "/x")
            #expect(!contains(codes) && !contains(floats))
        }
    }

    @Test(arguments: Kind.allCases)
    func `bad input is refused and changes nothing`(kind: Kind) throws {
        let index = try kind.make(8)
        let good: [Float] = [1, 2, 3, 4, 5, 6, 7, 8]
        #expect(try index.search(good, VectorSearch(10)).isEmpty)
        try index.apply(VectorChanges(inserted: [(3, good)], position: 1))
        for bad: [(key: Int, vector: [Float])] in [
            [(1, good), (2, [1, 2])], [(1, good), (2, [.nan, 0, 0, 0, 0, 0, 0, 0])],
            [(1, good), (2, [0, 0, 0, .infinity, 0, 0, 0, 0])], [(-1, good)],
            [(VectorLimits.keys, good)], [(1, [])],
        ] {
            #expect(throws: IndexError.self) {
                try index.apply(VectorChanges(inserted: bad, position: 9))
            }
        }
        #expect(index.count == 1 && index.position == 1)
        #expect(throws: IndexError.self) { try index.search([1], VectorSearch(1)) }
        #expect(throws: IndexError.self) {
            try index.search([Float](repeating: .nan, count: 8), VectorSearch(1))
        }
        #expect(try index.search(good, VectorSearch(0)).isEmpty)
        #expect(try index.search(good, VectorSearch(-5)).isEmpty)
        #expect(try index.search(good, VectorSearch(100_000)).map(\.key) == [3])
        // Zero, tiny and huge vectors have their place.
        try index.apply(
            VectorChanges(
                inserted: [
                    (4, [Float](repeating: 0, count: 8)), (5, [Float](repeating: 1e-30, count: 8)),
                    (6, [Float](repeating: 3e38, count: 8)), (3, good),
                ], deleted: [-7, 99, 1 << 40]))
        let scores = Dictionary(
            uniqueKeysWithValues: try index.search(good, VectorSearch(10)).map {
                ($0.key, $0.score)
            })
        #expect(
            scores.count == 4 && abs(scores[3]! - 1) < 1e-3 && abs(scores[4]!) < 1e-3
                && abs(scores[6]! - 0.891) < 2e-2)
        for dimension in [0, -1, 8193] {
            #expect(throws: IndexError.self) { try kind.make(dimension) }
        }
        #expect(throws: IndexError.self) { try index.save(to: "/nowhere/at/all") }
        #expect(throws: IndexError.self) { try kind.open("/nowhere/at/all") }
    }

    @Test(arguments: Kind.allCases)
    func `damaged and foreign files are refused or do no harm`(kind: Kind) throws {
        try Self.withFolder { folder in
            let index = try kind.make(16)
            let all = Self.vectors(900, seed: 4, dimension: 16)
            let path = folder + "/i"
            try index.apply(Self.changes(all))
            try kind.maintain(index)
            try index.save(to: path)
            var random = Seeded(state: 99)
            var refused = 0
            var unsound = 0
            for file in kind.files(path) {
                let whole = try Data(contentsOf: URL(fileURLWithPath: file))
                defer { try? whole.write(to: URL(fileURLWithPath: file)) }
                for round in 0..<60 {
                    var bytes = whole
                    switch round % 4 {
                    case 0: bytes = bytes.prefix(Int.random(in: 0..<bytes.count, using: &random))
                    case 1:
                        bytes[Int.random(in: 0..<1200, using: &random)] ^= UInt8.random(
                            in: 1...255, using: &random)
                    case 2:
                        for _ in 0..<5 {
                            bytes[
                                Int.random(
                                    in: min(65_536, bytes.count / 2)..<bytes.count, using: &random)] =
                                UInt8.random(in: 0...255, using: &random)
                        }
                    default:
                        bytes = Data(
                            (0..<Int.random(in: 0..<9000, using: &random)).map { _ in
                                UInt8.random(in: 0...255, using: &random)
                            })
                    }
                    try bytes.write(to: URL(fileURLWithPath: file))
                    do {
                        let opened = try kind.open(path)
                        for query in all.prefix(5) {
                            _ = try opened.search(query, VectorSearch(10))
                        }
                        try opened.apply(VectorChanges(inserted: [(1, all[0])], deleted: [2, 3]))
                        let isSound =
                            try (opened as? FlatIndex)?.verify() ?? (opened as? GraphIndex)?
                            .verify()
                            ?? (opened as? TieredIndex)?.verify()
                            ?? (opened as? ClusteredIndex)?.verify()
                            ?? GraphIndex(opening: path).verify()
                        if !isSound { unsound += 1 }
                    } catch is IndexError { refused += 1 }
                }
            }
            #expect(refused > 20 && refused + unsound > 40)
            #expect(try kind.open(path).count == 900)
        }
    }

    @Test(arguments: Kind.allCases)
    func `searches run beside changes and never find what was deleted before`(kind: Kind)
        async throws
    {
        let index = try kind.make(Self.dimension)
        let all = Self.vectors(6000, seed: 21)
        try index.apply(Self.changes(Array(all[..<1500])))
        let deleted = NIOLockedValueBox<Set<Int>>([])
        let done = NIOLockedValueBox(false)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { done.withLockedValue { $0 = true } }
                for part in 0..<90 {
                    let gone = (part * 40..<part * 40 + 30).map { $0 }
                    try index.apply(
                        VectorChanges(
                            inserted: (0..<50).map {
                                (1500 + part * 50 + $0, all[1500 + part * 50 + $0])
                            },
                            deleted: gone))
                    deleted.withLockedValue { $0.formUnion(gone) }
                    if part % 10 == 9 { try kind.maintain(index) }
                }
            }
            for reader in 0..<3 {
                group.addTask {
                    var random = Seeded(state: UInt64(reader))
                    var searches = 0
                    while !done.withLockedValue({ $0 }) || searches == 0 {
                        let before = deleted.withLockedValue { $0 }
                        let query = all.randomElement(using: &random)!
                        let found = try index.search(query, VectorSearch(10))
                        #expect(found.count == 10 && found.allSatisfy { !before.contains($0.key) })
                        searches += 1
                    }
                }
            }
            try await group.waitForAll()
        }
        // Of 6,000 inserted, keys 0..<3600 were deleted in part, before or after they came.
        #expect(index.count <= 6000 - 1500 / 40 * 30)
    }

    @Test func `an index catches up with a journal`() throws {
        let all = Self.vectors(100, seed: 1)
        let index = try FlatIndex(dimension: Self.dimension)
        var calls = 0
        try index.catchUp { since in
            calls += 1
            let from = Int(since)
            return from < 100
                ? VectorChanges(
                    inserted: (from..<from + 25).map { ($0, all[$0]) }, position: since + 25) : nil
        }
        #expect(index.count == 100 && index.position == 100 && calls == 5)
    }

    @Test func `several queries at once are answered as one by one`() throws {
        let index = try FlatIndex(dimension: Self.dimension)
        let queries = Self.vectors(37, seed: 8)
        try index.apply(Self.changes(Self.vectors(20_000, seed: 6)))
        let batch = try index.search(batch: queries, VectorSearch(5))
        for (query, found) in zip(queries, batch) {
            #expect(try index.search(query, VectorSearch(5)) == found)
        }
        let filter = KeySet((0..<20_000).filter { $0 % 3 == 1 })
        #expect(
            try index.search(batch: queries, VectorSearch(5, filter: filter)).allSatisfy {
                $0.count == 5 && $0.allSatisfy { filter.contains($0.key) }
            })
    }

    @Test func `a lookaside buffer answers as the index would, also when vectors come and go`()
        throws
    {
        let all = Self.vectors(4000, seed: 12)
        let index = try FlatIndex(dimension: Self.dimension)
        let buffer = LookasideBuffer(index, capacity: 600)
        try buffer.apply(Self.changes(Array(all[..<3000])))
        var random = Seeded(state: 1)
        var query = all[17]
        for step in 0..<600 {
            // A conversation: mostly near what was asked before, sometimes of something else.
            query =
                step % 40 == 0
                ? all.randomElement(using: &random)!
                : Self.unit(query.map { $0 + Float.random(in: -0.01...0.01, using: &random) })
            #expect(
                try buffer.search(query, VectorSearch(5)).map(\.key)
                    == index.search(query, VectorSearch(5)).map(\.key))
            if step % 9 == 0 {
                try buffer.apply(
                    VectorChanges(inserted: [(3000 + step, Self.unit(query.map { $0 + 0.05 }))]))
            }
            if step % 13 == 0 {
                try buffer.apply(
                    VectorChanges(deleted: [try index.search(query, VectorSearch(1))[0].key]))
            }
        }
        #expect(buffer.searches.hits > 100 && buffer.searches.hits + buffer.searches.misses == 600)
    }

    /// A process that is killed leaves the files as they are at some moment.
    @Test(arguments: [UInt64(1), 2, 3])
    func `lists on disk survive a crash at any moment, and catch up`(seed: UInt64) throws {
        try Self.withFolder { folder in
            let all = Self.vectors(5000, seed: seed)
            let path = folder + "/c"
            let index = try ClusteredIndex(path: path, dimension: Self.dimension)
            var random = Seeded(state: seed)
            var journal: [VectorChanges] = []
            for step in 0..<60 {
                let position = Int64(step + 1)
                let inserted = (0..<50).map { _ in
                    (
                        key: Int.random(in: 0..<2500, using: &random),
                        vector: all.randomElement(using: &random)!
                    )
                }
                let deleted = (0..<(step > 5 ? 12 : 0)).map { _ in
                    Int.random(in: 0..<2500, using: &random)
                }
                journal.append(
                    VectorChanges(inserted: inserted, deleted: deleted, position: position))
                try index.apply(journal[step])
                if Int.random(in: 0..<4, using: &random) == 0 { try index.save(to: path) }
                guard step > 3, step % 6 == 5, FileManager.default.fileExists(atPath: path) else {
                    continue
                }
                let copy = folder + "/copy\(step)"
                for end in ["", ".postings"] {
                    try FileManager.default.copyItem(atPath: path + end, toPath: copy + end)
                }
                let opened = try ClusteredIndex(opening: copy)
                #expect(opened.verify() && opened.position <= position)
                try opened.catchUp { since in since < position ? journal[Int(since)] : nil }
                var model: [Int: [Float]] = [:]
                for changes in journal[...step] {
                    for key in changes.deleted { model[key] = nil }
                    for (key, vector) in changes.inserted { model[key] = vector }
                }
                #expect(
                    opened.count == model.count && opened.position == position && opened.verify())
                for key in 0..<2500 { #expect((opened.vector(key) != nil) == (model[key] != nil)) }
                var total = 0.0
                for query in Self.vectors(10, seed: UInt64(step)) {
                    total += Self.recall(
                        try opened.search(query, VectorSearch(10)), Self.exact(query, model, 10),
                        in: model, query)
                }
                #expect(total / 10 >= 0.85)
            }
        }
    }

    @Test func `one process at a time has lists on disk open`() throws {
        try Self.withFolder { folder in
            let index = try ClusteredIndex(path: folder + "/c", dimension: 8)
            try index.apply(VectorChanges(inserted: [(1, [1, 0, 0, 0, 0, 0, 0, 0])]))
            try index.save(to: folder + "/c")
            #expect(throws: IndexError.self) { try ClusteredIndex(opening: folder + "/c") }
            #expect(try index.search([1, 0, 0, 0, 0, 0, 0, 0], VectorSearch(1)).count == 1)
        }
    }

    @Test func `reranking by tokens on disk equals MaxSim in memory`() throws {
        try Self.withFolder { folder in
            let file = try TokenVectorFile(path: folder + "/tokens", dimension: 32)
            var texts: [Int: [[Float]]] = [:]
            for key in 0..<60 {
                texts[key] = Self.vectors(key % 9 + 1, seed: UInt64(key + 1), dimension: 32)
                try file.append(texts[key]!, for: key)
            }
            texts[7] = Self.vectors(4, seed: 999, dimension: 32)
            try file.append(texts[7]!, for: 7)
            let query = Self.vectors(5, seed: 500, dimension: 32)
            let exact = texts.mapValues { tokens in
                query.reduce(0 as Float) { sum, q in
                    sum + tokens.map { zip($0, q).reduce(0) { $0 + $1.0 * $1.1 } }.max()!
                }
            }
            file.prefetch([3, 7, 7, 20, 4711])
            for _ in 0..<2 {
                let found = try file.rerank(Array(0..<60) + [4711], for: query)
                #expect(found.count == 60)
                for match in found { #expect(abs(match.score - exact[match.key]!) < 0.03) }
                #expect(found.first!.key == exact.max { $0.value < $1.value }!.key)
            }
            #expect(file.reads.ahead + file.reads.waited == 120)
            #expect(throws: IndexError.self) { try file.rerank([1], for: [[1]]) }
            #expect(throws: IndexError.self) {
                try TokenVectorFile(path: "/nowhere/at/all", dimension: 8)
            }
        }
    }

    @Test func `sets of keys`() {
        var set = KeySet([5, 0, 64, 1000, 5])
        set.insert(63)
        #expect(
            Array(set) == [0, 5, 63, 64, 1000] && set.count == 5 && Array(KeySet()).isEmpty
                && Array(KeySet(capacity: 500)).isEmpty)
        #expect(
            set.contains(1000) && !set.contains(1001) && !set.contains(-1) && !set.contains(1 << 40)
        )
    }
}
