import Foundation
import MnemeIndex
import Synchronization
import Testing

/// Address space of a graph grows with it: what was there stays, also where it lies in a file, and
/// searches go on.
@Suite struct GraphRoomTests {
    private static let dimension = 8

    /// Vectors all around.
    private static func vectors(_ keys: Range<Int>) -> [(key: Int, vector: [Float])] {
        var random = Seeded(state: UInt64(keys.lowerBound + 1))
        return keys.map { key in
            (key, (0..<dimension).map { _ in Float.random(in: -1...1, using: &random) })
        }
    }

    /// How many of some vectors are their own nearest.
    private static func found(_ vectors: [(key: Int, vector: [Float])], in index: GraphIndex) throws -> Int {
        try vectors.count { key, vector in
            try index.search(vector, VectorSearch(3)).contains { $0.key == key }
        }
    }

    @Test func `a graph that outgrows its room keeps all vectors, while it is searched`() throws {
        let index = try GraphIndex(dimension: Self.dimension)
        let first = Self.vectors(0..<4_000)
        try index.apply(VectorChanges(inserted: first, position: 1))
        let ended = Atomic<Bool>(false)
        let failures = Atomic<Int>(0)
        let searches = Atomic<Int>(0)
        let searching = DispatchGroup()
        DispatchQueue.global().async(group: searching) {
            while !ended.load(ordering: .acquiring) {
                let (key, vector) = first[searches.add(1, ordering: .relaxed).oldValue % first.count]
                let found = try? index.search(vector, VectorSearch(3))
                if found?.contains(where: { $0.key == key }) != true { failures.add(1, ordering: .relaxed) }
            }
        }
        // Twice beyond what there is room for at first.
        for start in stride(from: 4_000, to: 40_000, by: 4_000) {
            try index.apply(VectorChanges(inserted: Self.vectors(start..<start + 4_000), position: 2))
        }
        ended.store(true, ordering: .releasing)
        searching.wait()
        #expect(searches.load(ordering: .relaxed) > 0)
        #expect(failures.load(ordering: .relaxed) <= searches.load(ordering: .relaxed) / 100)
        #expect(index.count == 40_000)
        for start in [0, 12_000, 16_000, 32_000, 36_000] {
            let some = Array(Self.vectors(start..<start + 4_000).prefix(300))
            #expect(try Self.found(some, in: index) >= 295, "from \(start) on")
        }
    }

    @Test func `a graph in a file that outgrows its room leaves the file as it is`() throws {
        let path = NSTemporaryDirectory() + "mneme-room-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let made = try GraphIndex(dimension: Self.dimension)
        let old = Self.vectors(0..<12_000)
        try made.apply(VectorChanges(inserted: old, position: 1))
        try made.save(to: path)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        let index = try GraphIndex(opening: path)
        // Pages that were changed, and others of the file that were not.
        try index.apply(VectorChanges(deleted: [17, 18], position: 2))
        let new = Self.vectors(12_000..<24_000)
        try index.apply(VectorChanges(inserted: new, position: 3))
        #expect(index.count == 23_998 && !index.contains(17) && index.contains(19))
        #expect(try Self.found(Array(old[100..<500]), in: index) >= 394)
        #expect(try Self.found(Array(new[11_000..<11_400]), in: index) >= 394)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == bytes)
        #expect(index.verify())
    }
}
