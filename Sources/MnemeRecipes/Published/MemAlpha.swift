import Foundation
import MnemeCube
import MnemePipeline

/// Mem-α [99]: a manager writes into three stores with a tool for each: a small core that is always there,
/// facts that replace one another, and events that are only added.
package enum MemAlpha: ManagedRecipe {
    static let card = RecipeCard(
        name: "mem-alpha",
        paper: "Mem-alpha: Learning Memory Construction via Reinforcement Learning [99]",
        idea: "core, facts and events: a bounded core, facts that are updated, events that are kept",
        simplified:
            "the manager's choice is a linear rule with weights set by hand until it is trained on outcomes (`mneme recipes "
            + "train`), and linear then, too; stores are types of memories; of the core two of ten places of an answer are",
        claim: "trained at 30,000 tokens, holds at more than 400,000; better than its baselines")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.reconciler = Tools()
        recipe.maintainer = BoundedCore()
        recipe.retrieval = CoreBeside(base: standard.retrieval)
        return recipe
    }

    static func recipe(over standard: Recipe, by policy: ManagerPolicy) -> Recipe {
        var recipe = standard
        recipe.maintainer = TrainedStores(policy: policy)
        recipe.retrieval = CoreBeside(base: standard.retrieval)
        return recipe
    }

    /// Chooses a tool: insert, update or skip.
    struct Tools: Reconciler {
        /// The weights of likeness and of new words for replacing a fact, and the bound.
        var likeness = 1.0, novelty = -0.4, bound = 0.5

        func operations(for draft: MemCube, among neighbours: [Neighbour], at time: Date) -> [MemoryOperation] {
            guard let nearest = neighbours.max(by: { $0.similarity < $1.similarity }) else {
                return [.add(draft, links: [])]
            }
            // Events may repeat; facts that say the same are one.
            if draft.type == .episodic { return [.add(draft, links: [])] }
            if nearest.similarity >= 0.95 { return [.confirm(nearest.id)] }
            let score = likeness * nearest.similarity + novelty * (1 - nearest.similarity)
            guard score >= bound else { return [.add(draft, links: [])] }
            let link = CubeLink(source: draft.id, target: nearest.id, kind: CubeLink.consolidates, time: time)
            return [.add(draft, links: [link]), .merge(nearest.id, into: draft.id)]
        }
    }

    /// Memories of the core at most.
    package static let coreSize = 4

    /// Keeps the core small: what is used least becomes a fact among others.
    struct BoundedCore: MemoryMaintainer {
        let summary = "keep the core small; what is used least becomes a fact"

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            let core = memories.filter { $0.type == .core }.sorted {
                ($0.priority, $0.usage?.count ?? 0, $0.eventTime, $0.id)
                    < ($1.priority, $1.usage?.count ?? 0, $1.eventTime, $1.id)
            }
            return core.prefix(max(0, core.count - MemAlpha.coreSize)).map { cube in
                var cube = cube
                cube.type = .semantic
                return .update(cube)
            }
        }
    }
}
