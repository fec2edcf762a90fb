import CMnemeKernels
import MnemeNumerics
import Synchronization

/// Searches of the graph: by walking it, or by comparing the few that a filter lets through.
extension GraphIndex {
    /// Slots found by walking, the best first, to 8 bits.
    func walk(
        _ query: [Float], effort: Int, allowed: UnsafePointer<UInt64>?, _ scratch: GraphScratch
    )
        -> [UInt32]
    {
        withUnsafeTemporaryAllocation(of: Int8.self, capacity: layout.codes) { codes in
            let scale = mnk_encode_query(query, dimension, codes.baseAddress!)
            var graph = graph()
            let found = mnk_graph_search(
                ProcessorFeatures.current.rawValue, &graph, codes.baseAddress!, scale, effort,
                allowed,
                &scratch.pointers)
            return Array(UnsafeBufferPointer(start: scratch.pointers.ids, count: found))
        }
    }

    /// As ``VectorIndex`` has it; `FilterPlan` decides how a filter is met. Codes of 8 bits
    /// choose a few more than asked for, 12 bits order them.
    public func search(_ query: [Float], _ options: VectorSearch) throws -> [VectorMatch] {
        let query = try Vector.normalized(query, dimension: dimension, what: "The query")
        guard options.count > 0, count > 0 else { return [] }
        // What is deleted and not repaired around yet takes room among the candidates.
        let crowding = min(8, Double(slotCount) / Double(max(1, count)))
        let effort = Int(
            Double(max(options.effort ?? Self.searchBeamWidth, options.count + options.count / 4 + 4))
                * crowding)
        return lock.read {
            let plan = FilterPlan(filter: options.filter, total: count, effort: effort)
            let kept = options.count + max(12, options.count / 4)
            switch plan {
            case .unfiltered:
                return withScratch(effort: effort) {
                    refined(
                        query, walk(query, effort: effort, allowed: nil, $0).prefix(kept),
                        options.count)
                }
            case .after(let effort):
                return withScratch(effort: effort) { scratch in
                    let found = walk(query, effort: effort, allowed: nil, scratch).lazy.filter {
                        options.filter!.contains(Int(self.keys.base[Int($0)]))
                    }
                    return refined(query, found.prefix(kept), options.count)
                }
            case .during(let effort):
                return withScratch(effort: effort) { scratch in
                    scratch.allow(
                        options.filter!, isOrdered: isOrdered.load(ordering: .acquiring), slot)
                    return refined(
                        query,
                        walk(query, effort: effort, allowed: scratch.allowed, scratch).prefix(kept),
                        options.count)
                }
            case .scan:
                return refined(
                    query, best(query, of: options.filter!.compactMap(slot), kept), options.count)
            }
        }
    }

    /// The best of some slots, to 8 bits.
    func best(_ query: [Float], of members: [UInt32], _ limit: Int) -> [UInt32] {
        guard members.count > limit else { return members }
        var ranking = Ranking(limit)
        withUnsafeTemporaryAllocation(of: Int8.self, capacity: layout.codes) { codes in
            let scale = mnk_encode_query(query, dimension, codes.baseAddress!)
            withUnsafeTemporaryAllocation(of: Float.self, capacity: 1024) { scores in
                members.withUnsafeBufferPointer { members in
                    for start in stride(from: 0, to: members.count, by: 1024) {
                        let n = min(1024, members.count - start)
                        mnk_graph_scores(
                            ProcessorFeatures.current.rawValue, records.base, layout.stride,
                            dimension,
                            codes.baseAddress!, scale,
                            members.baseAddress! + start, n, scores.baseAddress!)
                        for i in 0..<n { ranking.insert(members[start + i], scores[i]) }
                    }
                }
            }
        }
        return ranking.items.map(\.item)
    }

    /// Puts slots in order by 12 bits.
    func refined(_ query: [Float], _ found: some Collection<UInt32>, _ limit: Int)
        -> [VectorMatch]
    {
        let matches = found.map { slot in
            VectorMatch(
                key: Int(keys.base[Int(slot)]),
                score: mnk_refine(
                    ProcessorFeatures.current.rawValue, query,
                    records.base + Int(slot) * layout.stride,
                    residuals.base + Int(slot) * layout.residual,
                    dimension))
        }
        return Array(matches.sorted(by: VectorMatch.isBefore).prefix(limit))
    }

    /// To 12 bits a component, which is all that is kept.
    public func add(_ key: Int, to sum: UnsafeMutablePointer<Float>) -> Bool {
        lock.read {
            guard let slot = slot(key) else { return false }
            mnk_add_record(
                ProcessorFeatures.current.rawValue, records.base + Int(slot) * layout.stride,
                residuals.base + Int(slot) * layout.residual, dimension, sum)
            return true
        }
    }

    /// All keys, in no order.
    public var allKeys: [Int] {
        lock.read {
            (0..<slotCount).lazy.filter { !self.isDead($0) }.map { Int(self.keys.base[$0]) }
        }
    }

    /// Tells whether a key is here.
    public func contains(_ key: Int) -> Bool { lock.read { slot(key) != nil } }
}
