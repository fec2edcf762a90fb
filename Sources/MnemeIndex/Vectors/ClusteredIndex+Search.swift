import CMnemeKernels
import MnemeNumerics
import NIOConcurrencyHelpers

/// Searches: which lists are read, and what of them is kept.
extension ClusteredIndex {
    /// As ``VectorIndex`` has it. With a filter of few keys their homes are read, with one of many
    /// more lists than without, as fewer of each list's entries count.
    public func search(_ query: [Float], _ options: VectorSearch) throws -> [VectorMatch] {
        let query = try Vector.normalized(query, dimension: dimension, what: "The query")
        let total = count
        guard options.count > 0, total > 0 else { return [] }
        var effort = max(options.effort ?? Self.searchEffort, options.count / 4)
        var pruning = Self.pruning
        if let filter = options.filter {
            // Few that pass are read one by one; for more, more lists are read.
            if filter.count * filter.count <= effort * total {
                let homes = names.withLockedValue { names in
                    var homes: Set<Int> = []
                    for key in filter {
                        if let number = names.number(key) {
                            homes.insert(Int(names.homes[Int(number)]))
                        }
                    }
                    return homes
                }
                return try scan(query, Array(homes), options)
            }
            let share = Double(filter.count) / Double(total)
            effort = min(centroids.count, Int(Double(effort) / share))
            pruning = 1 + (pruning - 1) * Float(1 / share).squareRoot() * 1.5
        }
        let near = try centroids.search(
            query, VectorSearch(effort, effort: effort + effort / 2 + 16))
        let limit = (1 - (near.first?.score ?? 0)) * pruning
        // Where a few lists are much nearer than the rest, they hold enough all the same.
        let lengths = table.withLockedValue { table in near.map { Int(table.places[$0.key].count) }
        }
        var entries = 0
        let chosen = near.indices.prefix { i in
            defer { entries += lengths[i] }
            return 1 - near[i].score <= limit || entries < 8 * options.count
        }
        return try scan(query, chosen.map { near[$0].key }, options)
    }

    /// Reads lists and keeps the best: by 8-bit codes first, and those that may be among them by
    /// all 12 bits.
    ///
    /// - Parameter chosen: numbers of lists, the nearest first.
    func scan(_ query: [Float], _ chosen: [Int], _ options: VectorSearch) throws
        -> [VectorMatch]
    {
        let places = table.withLockedValue { table in chosen.map { table.places[$0] } }
        lists.prefetch(places)
        reads.withLockedValue { reads in
            reads.lists += places.count
            reads.pages += places.reduce(0) {
                $0 + (Int($1.count) * lists.stride + PostingFile.page - 1) / PostingFile.page
            }
        }
        let kept = options.count + max(12, options.count / 4)
        var best: [(score: Float, number: UInt32, exact: Float)] = []
        var threshold = -Float.infinity
        var seen: Set<UInt32> = []
        try withUnsafeTemporaryAllocation(of: Int8.self, capacity: layout.codes) { codes in
            let scale = mnk_encode_query(query, dimension, codes.baseAddress!)
            let indices = (0..<UInt32(Self.listLimit)).map { $0 }
            try withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.listLimit) { scores in
                for list in chosen {
                    try withList(list) { base, count in
                        mnk_graph_scores(
                            ProcessorFeatures.current.rawValue, base, lists.stride, dimension,
                            codes.baseAddress!,
                            scale, indices, count, scores.baseAddress!)
                        for i in 0..<count where scores[i] > threshold {
                            let entry = base + i * lists.stride
                            let number = number(entry)
                            guard seen.insert(number).inserted else { continue }
                            if let filter = options.filter,
                                !filter.contains(
                                    names.withLockedValue({ Int($0.keys[Int(number)]) }))
                            {
                                continue
                            }
                            best.append(
                                (
                                    scores[i], number,
                                    mnk_refine(
                                        ProcessorFeatures.current.rawValue, query, entry,
                                        entry + layout.codes + 8,
                                        dimension)
                                ))
                        }
                    }
                    if best.count > 4 * kept {
                        best.sort { $0.score > $1.score }
                        best.removeLast(best.count - kept)
                        threshold = best.last!.score
                    }
                }
            }
        }
        let matches = names.withLockedValue { names in
            best.compactMap { item in
                names.keys[Int(item.number)] >= 0
                    ? VectorMatch(key: Int(names.keys[Int(item.number)]), score: item.exact) : nil
            }
        }
        // A vector that is being replaced may be here with its old and its new number.
        var found: Set<Int> = []
        return Array(
            matches.sorted(by: VectorMatch.isBefore).filter { found.insert($0.key).inserted }
                .prefix(options.count))
    }

    /// Reads the list that is the vector's home; to 12 bits a component.
    public func add(_ key: Int, to sum: UnsafeMutablePointer<Float>) -> Bool {
        guard
            let (number, home) = names.withLockedValue({ names in
                names.number(key).map { ($0, Int(names.homes[Int($0)])) }
            }),
            let vector = try? vector(number, in: home)
        else { return false }
        for i in 0..<dimension { sum[i] += vector[i] }
        return true
    }
}
