import Foundation
import MnemeIndex

/// The vectors of kept questions in memory, searched within one context at a time; answers stay in
/// the file (the split of memory and storage of category-aware caching, Wang et al. 2025).
///
/// Not safe for concurrent use: ``AnswerCache`` holds its lock around each call.
final class CacheIndex {
    private let index: FlatIndex
    /// The places of the index by context, and the entry at each place.
    private var places: [Data: Set<Int>] = [:], entries: [Int: (id: Int64, context: Data)] = [:]
    private var placeOf: [Int64: Int] = [:]
    /// Places that were given back.
    private var free: [Int] = []
    /// The highest entry that was read from the file.
    private(set) var position: Int64 = 0

    /// - Throws: `IndexError` for a dimension of 0 or over 8,192.
    init(dimension: Int) throws { index = try FlatIndex(dimension: dimension) }

    /// Entries with a vector.
    var count: Int { entries.count }
    /// Bytes of memory.
    var bytes: Int { index.footprint.memory }

    /// Adds entries, in the order of their numbers.
    ///
    /// - Throws: `IndexError` if there is no memory.
    func add(_ rows: [(id: Int64, context: Data, vector: [Float])], upTo position: Int64) throws {
        var changes = VectorChanges()
        for row in rows where row.vector.count == index.dimension && placeOf[row.id] == nil {
            let place = free.popLast() ?? entries.count
            changes.inserted.append((key: place, vector: row.vector))
            entries[place] = (row.id, row.context)
            places[row.context, default: []].insert(place)
            placeOf[row.id] = place
        }
        if !changes.inserted.isEmpty { try index.apply(changes) }
        self.position = max(self.position, position)
    }

    /// Forgets entries; those that are not here are passed over.
    ///
    /// - Throws: `IndexError`, see `VectorIndex.apply`.
    func remove(_ ids: [Int64]) throws {
        let gone = ids.compactMap { placeOf.removeValue(forKey: $0) }
        guard !gone.isEmpty else { return }
        try index.apply(VectorChanges(deleted: gone))
        for place in gone {
            guard let context = entries.removeValue(forKey: place)?.context else { continue }
            places[context]?.remove(place)
            if places[context]?.isEmpty == true { places[context] = nil }
            free.append(place)
        }
    }

    /// The nearest entries of one context, the nearest first, with their cosines.
    ///
    /// - Complexity: linear in the entries of all contexts, in 8-bit codes.
    /// - Throws: `IndexError` for a vector of another dimension.
    func nearest(_ vector: [Float], in context: Data, count: Int) throws -> [(id: Int64, cosine: Double)] {
        guard let among = places[context] else { return [] }
        return try index.search(vector, VectorSearch(count, filter: KeySet(among))).compactMap { match in
            entries[match.key].map { ($0.id, Double(match.score)) }
        }
    }
}
