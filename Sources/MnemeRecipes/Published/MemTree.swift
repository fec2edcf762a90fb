import Foundation
import MnemeCube
import MnemePipeline

/// MemTree [132]: each memory goes below the one that it is most like, by a bound that rises with depth; nodes with
/// others below them have a summary of these, and a search looks at summaries and memories alike.
enum MemTree: PublishedRecipe {
    static let card = RecipeCard(
        name: "memtree",
        paper: "From Isolated Conversations to Hierarchical Schemas: Dynamic Tree Memory Representation for LLMs [132]",
        idea: "a tree that grows by similarity; a memory changes the summaries above it, and these lift what is below",
        simplified:
            "memories are nodes themselves, and what answers another counts as like it; summaries quote unless a "
            + "model is configured, and lead to memories without being answers; the tree grows when `maintain` runs",
        claim: "better than flat look-up on multi-turn dialogues and documents; no one figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = CollapsedTree()
        recipe.ranker = RelevanceRanker()
        recipe.maintainer = Growth()
        return recipe
    }

    /// The tag of summaries of a branch, and of a node's place: behind it stands the branch that it lies in.
    static let tag = "memtree/branch", placeTag = "memtree/in:"

    /// The branch that a node lies in: its parent's, or its own for a root; of a summary the one that it is of.
    static func branch(of tags: [String]) -> Substring? {
        tags.first { $0.hasPrefix(placeTag) }?.dropFirst(placeTag.count)
    }

    /// Puts new memories into the tree, and sums up the branches that they came into.
    struct Growth: MemoryMaintainer {
        let summary = "put new memories below what they are like, and sum up the branches above them"
        /// The least similarity to a root, and by what it rises with each level.
        var base = 0.4, rise = 1.15
        /// What being said right behind a memory counts besides.
        var continuity = 0.2
        /// Memories of a branch that has a summary at least, and sentences of it.
        var least = 3, sentences = 6

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            var tree = Tree(memories)
            var operations: [MemoryOperation] = []
            var touched: Set<CubeID> = []
            var last: [String: CubeID] = [:]
            for var cube in tree.memories {
                let before = last.updateValue(cube.id, forKey: cube.scope.session ?? "")
                guard tree.parents[cube.id] == nil else { continue }
                let parent = tree.place(try await candidate(for: cube, behind: before, in: tree, context), base, rise)
                tree.add(cube.id, below: parent)
                touched.formUnion(tree.way(from: cube.id))
                cube.tags.append("\(placeTag)\(parent ?? cube.id)")
                operations.append(.update(cube))
            }
            for node in tree.memories.map(\.id) where touched.contains(node) {
                operations += try await sumUp(node, in: tree, context)
            }
            return operations
        }

        /// The memory that a new one is most like among those that are placed, and how like.
        private func candidate(
            for cube: MemCube, behind before: CubeID?, in tree: Tree, _ context: MaintenanceContext
        ) async throws -> (id: CubeID, similarity: Double)? {
            let near = try await context.neighbours(of: cube.id, limit: 30).filter { tree.parents[$0.id] != nil }
            return near.map { (id: $0.id, similarity: Double($0.similarity) + ($0.id == before ? continuity : 0)) }
                .max { ($0.similarity, $1.id) < ($1.similarity, $0.id) }
        }

        /// Gives a branch a summary of what lies in it now in place of the former one.
        private func sumUp(_ node: CubeID, in tree: Tree, _ context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            let cubes = tree.members(of: node)
            let former = tree.summaries[node] ?? []
            guard cubes.count >= least else { return [] }
            let text = try await Summaries(tag: tag, sentences: sentences).text(of: cubes, context.oracle)
            guard !former.contains(where: { $0.text == text }),
                case .add(var cube, let links)? = context.derive(text, type: .semantic, from: cubes, tag: tag)
            else { return [] }
            cube.tags.append("\(placeTag)\(node)")
            return former.map { .archive($0.id) } + [.add(cube, links: links)]
        }
    }

    /// The tree as the tags of memories tell it.
    struct Tree {
        /// All that no recipe made, the oldest first.
        let memories: [MemCube]
        /// Summaries by the node whose branch they are of.
        private(set) var summaries: [CubeID: [MemCube]] = [:]
        /// The parent of each node that is placed; a root's is itself.
        private(set) var parents: [CubeID: CubeID] = [:]
        private var children: [CubeID: [CubeID]] = [:]
        private let byID: [CubeID: MemCube]

        /// Reads the tree of an owner's memories. What lies below one that is gone is a root.
        init(_ all: [MemCube]) {
            memories = all.filter { $0.provenance.source != Provenance.recipe }
            byID = Dictionary(uniqueKeysWithValues: memories.map { ($0.id, $0) })
            for cube in all {
                guard let node = branch(of: cube.tags).flatMap({ CubeID(String($0)) }) else { continue }
                if cube.tags.contains(tag) {
                    summaries[node, default: []].append(cube)
                } else if byID[cube.id] != nil {
                    add(cube.id, below: byID[node] == nil || node == cube.id ? nil : node)
                }
            }
        }

        /// Puts a node below another one, or makes it a root.
        mutating func add(_ id: CubeID, below parent: CubeID?) {
            parents[id] = parent ?? id
            if let parent { children[parent, default: []].append(id) }
        }

        /// A node and all above it.
        func way(from id: CubeID) -> [CubeID] {
            var way = [id]
            while let parent = parents[way[way.count - 1]], parent != way[way.count - 1] { way.append(parent) }
            return way
        }

        /// The node below which something goes that is so like another one: that one, or the deepest above it whose
        /// level asks for no more likeness; nil if even a root asks for more.
        func place(_ found: (id: CubeID, similarity: Double)?, _ base: Double, _ rise: Double) -> CubeID? {
            guard let found, found.similarity >= base else { return nil }
            let way = way(from: found.id)
            return way.enumerated().first { place, _ in
                found.similarity >= min(0.95, base * pow(rise, Double(way.count - 1 - place)))
            }?.element
        }

        /// The memories of a branch, the oldest first.
        func members(of node: CubeID) -> [MemCube] {
            var (found, open): (Set<CubeID>, [CubeID]) = ([], [node])
            while let next = open.popLast() {
                if found.insert(next).inserted { open += children[next] ?? [] }
            }
            return memories.filter { found.contains($0.id) }
        }
    }

    /// Branches and memories in one search; a memory counts by itself and by the branch that it lies in.
    struct CollapsedTree: RetrievalPlan {
        let roundLimit = 3
        let hitLimit = 600
        /// Branches whose memories are looked at.
        var branches = 15
        /// What a memory's branch counts beside itself, as far as it is nearer than the last branch that was found.
        var weight: Float = 0.1

        func first(_ query: RetrievalQuery) -> [Probe] {
            [query.nearest(60, among: nil), query.nearest(branches, among: ProbeFilter(tag: tag))]
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            let found = hits.filter { $0.tags.contains(tag) }
            if query.round == 1, !found.isEmpty {
                return .probe([.linked(with: found.prefix(branches).map(\.number), limit: 300)])
            }
            let least = found.map(\.score).min() ?? 0
            var above: [Substring: Float] = [:]
            for hit in found {
                if let branch = branch(of: hit.tags) { above[branch] = max(above[branch] ?? 0, hit.score - least) }
            }
            return .ranked(
                hits.filter { !$0.tags.contains(tag) }.map { hit in
                    hit.scored(hit.score + weight * (branch(of: hit.tags).flatMap { above[$0] } ?? 0))
                })
        }
    }
}
