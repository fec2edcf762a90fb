import Foundation
import MnemeCube
import MnemePipeline

/// MEM1 [187]: one internal state of bounded size; what does not fit is discarded at each step.
enum Mem1: PublishedRecipe {
    static let card = RecipeCard(
        name: "mem1",
        paper: "MEM1: Learning to Synergize Memory and Reasoning for Efficient Long-Horizon Agents "
            + "[187]",
        idea: "a state of bounded size; what says least beside the rest leaves it",
        simplified: "the state is a number of memories that a rule picks, instead of a text that a "
            + "trained model rewrites; what leaves is archived and can be restored",
        claim: "3.5 times the performance at 3.7 times less memory than a 14B model, 16 objectives")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.maintainer = BoundedState()
        return recipe
    }

    /// Keeps the state within its bound.
    struct BoundedState: MemoryMaintainer {
        let summary = "archive what says least beside the rest, down to a bound"
        /// Memories of the state.
        var bound = 200

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            let pinned = memories.filter { $0.priority > 0 || $0.tier == .profile }.map(\.id)
            let loose = memories.filter { !pinned.contains($0.id) }
            let excess = loose.count - max(0, bound - pinned.count)
            guard excess > 0 else { return [] }
            // The newest count first, so that a repetition adds nothing: its words are known.
            var known: Set<String> = []
            var values: [(id: CubeID, value: Int)] = []
            for cube in loose.reversed() {
                let facts = Set(
                    cube.keywords + cube.entities.map { $0.lowercased() } + cube.dates.map(\.text))
                values.append((cube.id, facts.subtracting(known).count))
                known.formUnion(facts)
            }
            return values.sorted { ($0.value, $0.id) < ($1.value, $1.id) }.prefix(excess).map {
                .archive($0.id)
            }
        }
    }
}
