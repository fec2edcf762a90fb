import Foundation
import MnemeCube
import MnemePipeline

/// Memory-R1 [227]: a manager answers each new fact with ADD, UPDATE, DELETE or NOOP.
enum MemoryR1: PublishedRecipe {
    static let card = RecipeCard(
        name: "memory-r1",
        paper: "Memory-R1: Enhancing Large Language Model Agents to Manage and Utilize Memories via "
            + "Reinforcement Learning [227]",
        idea: "each new memory is added, takes another's place, or is not needed",
        simplified: "the manager is a rule on shared words instead of a trained policy; DELETE is the "
            + "store's own rule on claims; what is replaced can be restored",
        claim: "trained with 152 questions; better than its baselines on LoCoMo")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.reconciler = Manager()
        return recipe
    }

    /// Chooses among the operations.
    public struct Manager: Reconciler {
        /// Similarity from which a draft says the same, and from which it says it anew.
        public var same = 0.95, update = 0.7

        /// A manager with the standard bounds.
        public init() {}

        /// NOOP confirms the neighbour; UPDATE adds the draft in its place; ADD adds it.
        public func operations(
            for draft: MemCube, among neighbours: [Neighbour], at time: Date
        ) -> [MemoryOperation] {
            guard let nearest = neighbours.max(by: { $0.similarity < $1.similarity }) else {
                return [.add(draft, links: [])]
            }
            if nearest.similarity >= same { return [.confirm(nearest.id)] }
            guard nearest.similarity >= update else { return [.add(draft, links: [])] }
            let link = CubeLink(
                source: draft.id, target: nearest.id, kind: CubeLink.consolidates, time: time)
            return [.add(draft, links: [link]), .merge(nearest.id, into: draft.id)]
        }
    }
}
