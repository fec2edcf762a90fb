import MnemeCube
import MnemePipeline

/// ArcMemo [68]: what several solved cases have in common becomes a concept, apart from their particulars;
/// concepts are chosen first, and lead to the cases.
enum ArcMemo: PublishedRecipe {
    static let card = RecipeCard(
        name: "arcmemo",
        paper: "ArcMemo: Abstract Reasoning Composition with Lifelong LLM Memory [68]",
        idea: "concepts that several memories share, chosen by the question before the memories",
        simplified:
            "a concept is the set of keywords that at least three memories share, without a model's abstraction; "
            + "`mneme learn` makes procedures of cases in the same way",
        claim: "7.5 % more than without memory on ARC-AGI")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = ConceptsFirst(otherwise: standard.retrieval)
        recipe.maintainer = Abstraction()
        return recipe
    }

    /// The tag of a concept.
    static let tag = "arcmemo/concept"

    /// Writes a concept for each pair of keywords that comes back.
    struct Abstraction: MemoryMaintainer {
        let summary = "keep a concept for keywords that several memories share"
        /// Memories that share a concept at least, concepts at most, and keywords of a memory that count.
        var least = 3, most = 100, width = 6

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            let sources = memories.filter { $0.provenance.source != Provenance.recipe }
            let known = Dictionary(
                memories.filter { $0.tags.contains(tag) }.map { ($0.text, $0.id) }, uniquingKeysWith: { $1 })
            var holders: [String: [MemCube]] = [:]
            for cube in sources {
                let words = Set(cube.keywords.prefix(width)).sorted()
                for (place, word) in words.enumerated() {
                    for other in words[(place + 1)...] { holders["\(word), \(other)", default: []].append(cube) }
                }
            }
            let concepts = holders.filter { $0.value.count >= least }
                .sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }.prefix(most)
            let texts = Set(concepts.map { Self.text($0.key) })
            // What no longer holds for enough memories is given up.
            let gone = known.filter { !texts.contains($0.key) }.map(\.value).sorted().map {
                MemoryOperation.archive($0)
            }
            return gone
                + concepts.filter { known[Self.text($0.key)] == nil }.compactMap { key, cubes in
                    context.derive(Self.text(key), type: .procedural, from: cubes, tag: tag)
                }
        }

        private static func text(_ key: String) -> String { "Concept: \(key)" }
    }

    /// Concepts that fit the question, then what they came from beside the usual search.
    struct ConceptsFirst: RetrievalPlan {
        /// The search of everything.
        var otherwise: any RetrievalPlan
        /// Concepts that are chosen, and the weight of what they lead to.
        var width = 3
        var weight: Float = 0.3

        var roundLimit: Int { otherwise.roundLimit + 2 }
        var hitLimit: Int { max(200, otherwise.hitLimit) }

        func first(_ query: RetrievalQuery) -> [Probe] { [.words(limit: width, among: ProbeFilter(tag: tag))] }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            var inner = query
            inner.round -= 1
            if query.round == 1 {
                let concepts = hits.filter { $0.tags.contains(tag) }.map(\.number)
                return .probe(
                    (concepts.isEmpty ? [] : [.linked(with: concepts, limit: 60)]) + otherwise.first(inner))
            }
            let step = query.round > otherwise.roundLimit ? .answer : otherwise.next(inner, after: hits)
            if case .probe = step { return step }
            // Concepts lead to memories and are no answers themselves.
            return .ranked(hits.filter { !$0.tags.contains(tag) }.map { $0.scored($0.score + weight * $0.probed) })
        }
    }
}
