public import MnemePipeline

/// Every structure of memories with every way to search it: the grid of "On the Structural Memory of LLM Agents" [155].
///
/// A cell is a recipe like any other, named `chunks-single`, `facts-iterative` and so on. `chunks-single` is what others
/// call flat memory: texts as they were said, found by dense similarity alone.
public enum StructureGrid {
    /// A way to search.
    public enum Search: String, Sendable, CaseIterable {
        /// The nearest, once.
        case single
        /// The nearest, put in the order of the standard ranker.
        case reranked
        /// The nearest to the question, then those nearest to it and what was found, three times.
        case iterative
    }

    /// The names of all cells, structure by structure.
    public static let names = MemoryStructure.allCases.flatMap { structure in
        Search.allCases.map { "\(structure.rawValue)-\($0.rawValue)" }
    }

    /// The cell that stands for flat memory.
    public static let flat = "chunks-single"

    /// MemGAS [51] with one granularity each, which its mixture and weights are compared with.
    public static let granularities = ["memgas-message", "memgas-window", "memgas-conversation"]

    /// A cell, or one granularity of MemGAS, by its name; nil if there is none.
    ///
    /// - Parameters:
    ///   - name: one of ``names`` or ``granularities``.
    ///   - standard: the stages that cells are made of.
    public static func recipe(_ name: String, over standard: Recipe) -> Recipe? {
        var recipe = standard
        recipe.name = name
        if let place = granularities.firstIndex(of: name) {
            recipe.retrieval = MemGAS.EntropyRouter(granularities: [MemGAS.EntropyRouter.all[place]])
            return recipe
        }
        let parts = name.split(separator: "-")
        guard parts.count == 2, let structure = MemoryStructure(rawValue: String(parts[0])),
            let search = Search(rawValue: String(parts[1]))
        else { return nil }
        recipe.extractor = structure.extractor(over: standard.extractor)
        recipe.maintainer = structure.maintainer
        recipe.retrieval = StructureRetrieval(tag: structure.searched, isIterative: search == .iterative)
        recipe.ranker = search == .reranked ? standard.ranker : RelevanceRanker()
        return recipe
    }
}

/// Searches one structure once, or again with what was found.
struct StructureRetrieval: RetrievalPlan {
    /// Memories with this tag alone are searched; nil searches all.
    var tag: String?
    /// Whether what was found leads to more.
    var isIterative: Bool
    /// Memories of a round, and of a later one.
    var width = 50, later = 30

    var roundLimit: Int { isIterative ? 4 : 2 }
    let hitLimit = 300

    func first(_ query: RetrievalQuery) -> [Probe] {
        [query.nearest(width, among: tag.map { ProbeFilter(tag: $0) } ?? ProbeFilter())]
    }

    func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
        let hits = tag.map { tag in hits.filter { $0.tags.contains(tag) } } ?? hits
        guard isIterative else { return .ranked(hits) }
        guard query.round < roundLimit - 1, query.hasVector, !hits.isEmpty else {
            return .ranked(hits.map { $0.scored($0.score + Self.weight * $0.probed) })
        }
        return .probe([.like(hits.prefix(Self.seeds).map(\.number), limit: later)])
    }

    /// Memories that a question is refined with, and the weight of being found again: as in ``StructuralMemory``.
    private static let seeds = 2
    private static let weight: Float = 0.2
}
