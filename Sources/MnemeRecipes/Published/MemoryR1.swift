package import Foundation
package import MnemeCube
package import MnemePipeline

/// Memory-R1 [227]: a manager answers each new fact with ADD, UPDATE, DELETE or NOOP.
package enum MemoryR1: ManagedRecipe {
    static let card = RecipeCard(
        name: "memory-r1",
        paper: "Memory-R1: Enhancing Large Language Model Agents to Manage and Utilize Memories via "
            + "Reinforcement Learning [227]",
        idea: "each new memory is added, takes another's place, or is not needed",
        simplified: "the manager is a rule on shared words until one is trained on outcomes (`mneme recipes train`): a "
            + "linear policy instead of a language model, which decides in the job `maintain`, and which of the five best "
            + "memories comes first; what is replaced can be restored",
        claim: "trained with 152 questions; better than its baselines on LoCoMo")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.reconciler = Manager()
        return recipe
    }

    static func recipe(over standard: Recipe, by policy: ManagerPolicy) -> Recipe {
        var recipe = standard
        recipe.maintainer = TrainedManager(policy: policy)
        recipe.retrieval = AnswerSelection(base: standard.retrieval, policy: policy)
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

    /// Decides once vectors are there, memory by memory.
    struct TrainedManager: MemoryMaintainer {
        let summary = "add, update, delete or pass over each memory beside the nearest before it"
        var policy: ManagerPolicy

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws -> [MemoryOperation] {
            var near: [CubeID: [Neighbour]] = [:]
            for cube in memories { near[cube.id] = try await context.neighbours(of: cube.id, limit: MemoryR1.reach) }
            return MemoryR1.decisions(on: memories, near: near) { policy.best(of: $0) }
        }
    }

    /// Nearest memories that are looked at, and the cosine from which there is something to decide.
    package static let reach = 8
    static let least = 0.4

    /// Of a memory and the nearest before it, for all operations but ADD, which they are weighed against; and of a memory
    /// that may come first in an answer.
    static let features =
        ["update", "delete", "noop"].flatMap { operation in
            [operation]
                + ["near", "new", "lost", "head", "tail", "change", "retracts", "speaker", "claim"]
                .map { "\(operation).\($0)" }
        } + AnswerSelection.features

    /// What becomes of memories, the oldest first.
    ///
    /// - Parameters:
    ///   - near: of each memory the nearest ones, the nearest first.
    ///   - choose: the operation's place: ADD, UPDATE, DELETE (both go), NOOP.
    package static func decisions(
        on memories: [MemCube], near: [CubeID: [Neighbour]], _ choose: (_ options: [[Double]]) -> Int
    ) -> [MemoryOperation] {
        var kept: [CubeID: MemCube] = [:]
        var operations: [MemoryOperation] = []
        for cube in memories {
            guard let neighbour = near[cube.id]?.first(where: { kept[$0.id] != nil && $0.similarity >= least }),
                let earlier = kept[neighbour.id]
            else {
                kept[cube.id] = cube
                continue
            }
            switch choose(options(for: cube, after: earlier, similarity: neighbour.similarity)) {
            case 1:
                operations.append(.merge(earlier.id, into: cube.id))
                kept[earlier.id] = nil
                kept[cube.id] = cube
            case 2:
                operations += [.archive(earlier.id), .archive(cube.id)]
                kept[earlier.id] = nil
            case 3: operations.append(.archive(cube.id))
            default: kept[cube.id] = cube
            }
        }
        return operations
    }

    private static func options(for cube: MemCube, after earlier: MemCube, similarity: Double) -> [[Double]] {
        let pair = TextPair(cube, after: earlier)
        let words = Set(TextPair.words(of: cube.text))
        let known: [Double] = [
            1, similarity, pair.new, pair.lost, pair.head, pair.tail, words.isDisjoint(with: TextPair.change) ? 0 : 1,
            words.isDisjoint(with: TextPair.retraction) ? 0 : 1, pair.isSameSpeaker ? 1 : 0, pair.isSameClaim ? 1 : 0,
        ]
        let rest = AnswerSelection.features.map { _ in 0.0 }
        return (-1..<3).map { place in
            (0..<3).flatMap { $0 == place ? known : known.map { _ in 0.0 } } + rest
        }
    }
}
