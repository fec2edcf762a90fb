import Mneme
import MnemeCube
import MnemePipeline
import MnemeStore
import NIOConcurrencyHelpers

/// Does what another plan does, and counts how many memories' vectors the question is compared with: all that a dense probe
/// may find, and what other probes find and dense ones did not.
final class ComparisonCounter: RetrievalPlan {
    private let base: any RetrievalPlan
    /// Memories of the owner that is asked, comparisons so far, and what dense probes of the last round may have brought.
    private let state = NIOLockedValueBox<(memories: [MemCube], count: Int, brought: Int)>(([], 0, 0))

    init(_ base: any RetrievalPlan) { self.base = base }

    /// Comparisons so far.
    var count: Int { state.withLockedValue { $0.count } }

    /// Says whose questions come next.
    func begin(with memories: [MemCube]) { state.withLockedValue { $0.memories = memories } }

    var roundLimit: Int { base.roundLimit + 1 }
    var hitLimit: Int { base.hitLimit }

    func first(_ query: RetrievalQuery) -> [Probe] { counted(base.first(query)) }

    func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
        // What came by words or links is compared once it is there; of dense probes' results that is counted already.
        let found = hits.count { $0.round == query.round - 1 }
        state.withLockedValue { $0.count += max(0, found - $0.brought) }
        guard query.round < base.roundLimit else { return .answer }
        let step = base.next(query, after: hits)
        guard case .probe(let probes) = step else { return step }
        return .probe(counted(probes))
    }

    /// Counts probes that are about to be run.
    private func counted(_ probes: [Probe]) -> [Probe] {
        var (compared, brought) = (0, 0)
        state.withLockedValue { state in
            for probe in probes {
                switch probe {
                case .everything:
                    compared += state.memories.count
                    brought += state.memories.count
                case .dense(let limit, let filter):
                    compared += state.memories.count { cube in filter.map { Self.passes(cube, $0) } ?? true }
                    // What stands beside each in its conversation comes along where nothing filters.
                    brought += filter == nil ? 3 * limit : limit
                case .like:
                    compared += state.memories.count
                default: break
                }
            }
            state.count += compared
            state.brought = brought
        }
        return probes
    }

    private static func passes(_ cube: MemCube, _ filter: ProbeFilter) -> Bool {
        if let types = filter.types, !types.contains(cube.type) { return false }
        if let sessions = filter.sessions, !sessions.contains(cube.scope.session ?? "") { return false }
        return (filter.tag.map(cube.tags.contains) ?? true) && !(filter.withoutTag.map(cube.tags.contains) ?? false)
    }
}
