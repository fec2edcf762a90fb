import MnemeCube
import MnemePipeline

/// ArcMemo [68]: what several solved cases have in common becomes a concept, apart from their particulars;
/// concepts are chosen first, and lead to the cases.
enum ArcMemo: PublishedRecipe {
    static let card = RecipeCard(
        name: "arcmemo",
        paper: "ArcMemo: Abstract Reasoning Composition with Lifelong LLM Memory [68]",
        idea: "concepts that several memories share, chosen by the question before the memories, and put together anew",
        simplified:
            "a concept is a word of a task and a step that went with it more often than by chance, found in cases by "
            + "counting instead of a model's abstraction; memories that are no cases share keywords",
        claim: "7.5 % more than without memory on ARC-AGI")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = ConceptsFirst(otherwise: standard.retrieval)
        recipe.maintainer = Abstraction()
        return recipe
    }

    /// The tag of a concept of keywords, which leads to memories, and of one of cases, which is an answer itself.
    static let tag = "arcmemo/concept", ruleTag = "arcmemo/rule"

    /// Writes a concept for each pair of keywords that comes back, and for each step that goes with a word of solved cases.
    struct Abstraction: MemoryMaintainer {
        let summary = "keep a concept for keywords that several memories share"
        /// Memories that share a concept at least, concepts at most, and keywords of a memory that count.
        var least = 3, most = 100, width = 6

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            let sources = memories.filter { $0.provenance.source != Provenance.recipe }
            let rules = TraceRule.all(in: Trace.good(in: memories)).prefix(most).map { rule in
                (text: "Concept: \(rule.word). It takes: \(rule.step).", cubes: rule.traces.map(\.cube))
            }
            return keep(concepts(of: sources), tag, memories, context) + keep(rules, ruleTag, memories, context)
        }

        /// Pairs of keywords that enough memories share. Cases have their steps instead.
        private func concepts(of sources: [MemCube]) -> [(text: String, cubes: [MemCube])] {
            var holders: [String: [MemCube]] = [:]
            for cube in sources where Trace(cube) == nil {
                let words = Set(cube.keywords.prefix(width)).sorted()
                for (place, word) in words.enumerated() {
                    for other in words[(place + 1)...] { holders["\(word), \(other)", default: []].append(cube) }
                }
            }
            return holders.filter { $0.value.count >= least }
                .sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }.prefix(most)
                .map { (Self.text($0.key), $0.value) }
        }

        /// Adds concepts that are new, and gives up what no longer holds for enough memories.
        private func keep(
            _ concepts: [(text: String, cubes: [MemCube])], _ tag: String, _ memories: [MemCube],
            _ context: MaintenanceContext
        ) -> [MemoryOperation] {
            let known = Dictionary(
                memories.filter { $0.tags.contains(tag) }.map { ($0.text, $0.id) }, uniquingKeysWith: { $1 })
            let texts = Set(concepts.map(\.text))
            let gone = known.filter { !texts.contains($0.key) }.map(\.value).sorted()
            return gone.map { .archive($0) }
                + concepts.filter { known[$0.text] == nil }.compactMap { text, cubes in
                    context.derive(text, type: .procedural, from: cubes, tag: tag)
                }
        }

        private static func text(_ key: String) -> String { "Concept: \(key)" }
    }

    /// Concepts that fit the question, then what they came from beside the usual search.
    struct ConceptsFirst: RetrievalPlan {
        /// The search of everything.
        var otherwise: any RetrievalPlan
        /// Concepts that are chosen of each kind, and the weight of what they lead to.
        var width = 3, ruleWidth = 6
        var weight: Float = 0.3

        var roundLimit: Int { otherwise.roundLimit + 2 }
        var hitLimit: Int { max(200, otherwise.hitLimit) }

        func first(_ query: RetrievalQuery) -> [Probe] {
            [
                .words(limit: width, among: ProbeFilter(tag: tag)),
                .words(limit: ruleWidth, among: ProbeFilter(tag: ruleTag)),
            ]
        }

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
            // Where the search of everything has an order of its own, that is what concepts stand before.
            let hits = step.hits(among: hits)
            // Concepts of keywords lead to memories and are no answers themselves; those of cases whose word the question has
            // stand first.
            let top = hits.map(\.score).max() ?? 0
            return .ranked(
                hits.filter { !$0.tags.contains(tag) && (!$0.tags.contains(ruleTag) || $0.matches != 0) }.map { hit in
                    hit.tags.contains(ruleTag)
                        ? hit.scored(top + weight + max(0, hit.score)) : hit.scored(hit.score + weight * hit.probed)
                })
        }
    }
}
