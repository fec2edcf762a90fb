import Foundation
package import MnemeCube
import MnemePipeline

/// MEM1 [187]: one internal state of bounded size; what does not fit is discarded at each step.
package enum Mem1: ManagedRecipe {
    static let card = RecipeCard(
        name: "mem1",
        paper: "MEM1: Learning to Synergize Memory and Reasoning for Efficient Long-Horizon Agents "
            + "[187]",
        idea: "a state of bounded size; what says least beside the rest leaves it",
        simplified: "the state is a number of memories that a rule picks, or what was trained on outcomes "
            + "(`mneme recipes train`), instead of a text that a large model rewrites; what leaves is archived and can be restored",
        claim: "3.5 times the performance at 3.7 times less memory than a 14B model, 16 objectives")

    static func recipe(over standard: Recipe) -> Recipe { recipe(over: standard, state: BoundedState()) }

    /// Bounds of the state; any other number is one, too.
    static let variants = ["15", "50", "100"]

    static func recipe(over standard: Recipe, variant: String) -> Recipe? {
        Int(variant).flatMap { $0 > 0 ? recipe(over: standard, state: BoundedState(bound: $0)) : nil }
    }

    static func recipe(over standard: Recipe, by policy: ManagerPolicy) -> Recipe {
        recipe(over: standard, state: BoundedState(bound: policy.bound ?? defaultBound, policy: policy))
    }

    private static func recipe(over standard: Recipe, state: BoundedState) -> Recipe {
        var recipe = standard
        recipe.maintainer = state
        return recipe
    }

    /// Memories of the state where nobody says how many.
    static let defaultBound = 200

    /// Of a memory of the state, as reasons to leave.
    static let features = ["new", "facts", "names", "dates", "claims", "asks", "length", "age"]

    /// Takes memories into a state one after the other; each time that it is over its bound, one leaves.
    ///
    /// - Parameters:
    ///   - memories: the oldest first.
    ///   - bound: memories of the state at most.
    ///   - choose: the place of the row that leaves.
    /// - Returns: what left, in order.
    /// - Complexity: O(memories · bound).
    package static func leaving(
        _ memories: [MemCube], bound: Int, _ choose: (_ options: [[Double]]) -> Int
    ) -> [CubeID] {
        var state: [(id: CubeID, facts: Set<String>, row: [Double], place: Int)] = []
        var known: [String: Int] = [:]
        var gone: [CubeID] = []
        for (place, cube) in memories.enumerated() {
            let facts = Self.facts(of: cube)
            for fact in facts { known[fact, default: 0] += 1 }
            let row: [Double] = [
                0, log(1 + Double(facts.count)) / 3, cube.entities.isEmpty ? 0 : 1, cube.dates.isEmpty ? 0 : 1,
                cube.claims.isEmpty ? 0 : 1, cube.text.hasSuffix("?") ? 1 : 0,
                log(1 + Double(cube.text.utf8.count)) / 6, 0,
            ]
            state.append((cube.id, facts, row, place))
            guard state.count > max(0, bound) else { continue }
            let rows = state.map { item in
                var row = item.row
                // What no other memory of the state says.
                row[0] = Double(item.facts.count { known[$0] == 1 }) / Double(max(1, item.facts.count))
                row[7] = Double(place - item.place) / Double(max(1, bound))
                return row
            }
            let left = state.remove(at: choose(rows))
            for fact in left.facts { known[fact, default: 1] -= 1 }
            gone.append(left.id)
        }
        return gone
    }

    /// Keywords, names and dates.
    static func facts(of cube: MemCube) -> Set<String> {
        Set(cube.keywords + cube.entities.map { $0.lowercased() } + cube.dates.map(\.text))
    }

    /// Keeps the state within its bound.
    struct BoundedState: MemoryMaintainer {
        let summary = "archive what says least beside the rest, down to a bound"
        /// Memories of the state.
        var bound = Mem1.defaultBound
        /// Says what leaves; nil has the rule say it.
        var policy: ManagerPolicy?

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            let pinned = memories.filter { $0.priority > 0 || $0.tier == .profile }.map(\.id)
            let loose = memories.filter { !pinned.contains($0.id) }
            let excess = loose.count - max(0, bound - pinned.count)
            guard excess > 0 else { return [] }
            if let policy {
                let left = Mem1.leaving(loose, bound: max(0, bound - pinned.count)) { policy.best(of: $0) }
                return left.map { .archive($0) }
            }
            // The newest count first, so that a repetition adds nothing: its words are known.
            var known: Set<String> = []
            var values: [(id: CubeID, value: Int)] = []
            for cube in loose.reversed() {
                let facts = Mem1.facts(of: cube)
                values.append((cube.id, facts.subtracting(known).count))
                known.formUnion(facts)
            }
            return values.sorted { ($0.value, $0.id) < ($1.value, $1.id) }.prefix(excess).map {
                .archive($0.id)
            }
        }
    }
}
