import Foundation
import MnemeCube
import MnemePipeline

/// MemTree [132]: each memory goes below the one that it is most like, by a bound that rises with depth;
/// a search looks at summaries and memories alike.
enum MemTree: PublishedRecipe {
    static let card = RecipeCard(
        name: "memtree",
        paper: "From Isolated Conversations to Hierarchical Schemas: Dynamic Tree Memory Representation for LLMs [132]",
        idea: "a tree that grows by similarity; summaries of its branches are searched with the rest",
        simplified:
            "memories are nodes themselves and only roots have summaries, by rule unless a model is configured; "
            + "the tree is made when the job `maintain` runs",
        claim: "better than flat look-up on multi-turn dialogues and documents; no one figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = CollapsedTree()
        recipe.ranker = RelevanceRanker()
        recipe.maintainer = Growth()
        return recipe
    }

    /// The tag of summaries of a branch; the root's id stands behind it in a tag of its own.
    static let tag = "memtree/branch"

    /// Grows the tree and sums its branches up.
    struct Growth: MemoryMaintainer {
        let summary = "keep a tree of what is alike, and a summary of each branch"
        /// The least similarity to a root, and by what it rises with each level.
        var base = 0.4, rise = 1.15

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            let roots = try await roots(of: memories.filter { $0.provenance.source != Provenance.recipe }, context)
            let summaries = Summaries(tag: tag, sentences: 4)
            let operations = try await summaries.operations(on: memories, in: context) { cube in
                cube.provenance.source == Provenance.recipe
                    ? cube.tags.first { $0.hasPrefix(tag + ":") } : roots[cube.id].map(Self.name)
            }
            return operations.map { operation in
                guard case .add(var cube, let links) = operation,
                    let root = links.first.flatMap({ roots[$0.target] })
                else { return operation }
                cube.tags.append(Self.name(root))
                return .add(cube, links: links)
            }
        }

        private static func name(_ root: CubeID) -> String { "\(tag):\(root)" }

        /// The root of each memory: it goes below the earlier one that it is most like, if it is like
        /// enough for that one's depth.
        func roots(of memories: [MemCube], _ context: MaintenanceContext) async throws -> [CubeID: CubeID] {
            var roots: [CubeID: CubeID] = [:]
            var depths: [CubeID: Int] = [:]
            for cube in memories {
                let near = try await context.neighbours(of: cube.id, limit: 8)
                let parent = near.first { neighbour in
                    guard let depth = depths[neighbour.id] else { return false }
                    return neighbour.similarity >= min(0.95, base * pow(rise, Double(depth)))
                }
                roots[cube.id] = parent.flatMap { roots[$0.id] } ?? cube.id
                depths[cube.id] = parent.map { depths[$0.id, default: 0] + 1 } ?? 0
            }
            return roots
        }
    }

    /// Branches and memories in one search; what a branch that was found is made of counts a little.
    struct CollapsedTree: RetrievalPlan {
        let roundLimit = 3
        let hitLimit = 300
        /// The weight of a branch that was found for what is below it.
        var branchWeight: Float = 0.1

        func first(_ query: RetrievalQuery) -> [Probe] { [query.nearest(60, among: nil)] }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            let branches = hits.filter { $0.tags.contains(tag) }.prefix(5).map(\.number)
            if query.round == 1, !branches.isEmpty {
                return .probe([.linked(with: branches, limit: 100)])
            }
            return .ranked(hits.map { $0.scored($0.score + branchWeight * $0.probed) })
        }
    }
}
