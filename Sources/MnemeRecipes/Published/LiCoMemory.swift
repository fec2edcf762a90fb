import Foundation
import MnemeCube
import MnemePipeline

/// LiCoMemory [149]: a light graph of who did what to what is an index of conversations and messages, and nothing else;
/// conversations and times weigh in the order of what was said in them.
enum LiCoMemory: PublishedRecipe {
    static let card = RecipeCard(
        name: "licomemory",
        paper: "LiCoMemory: Lightweight and Cognitive Agentic Memory for Efficient Long-Term "
            + "Reasoning [149]",
        idea: "relations lead to messages and conversations; conversation, message and time are multiplied",
        simplified: "relations are what rules read of a sentence (subject, relation, object) instead of a model's; "
            + "nothing is told to be the same by a model",
        claim: "better than its baselines on LoCoMo and LongMemEval; no one figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.extractor = RelationExtractor(base: standard.extractor)
        recipe.retrieval = HierarchyRetrieval()
        recipe.ranker = RelevanceRanker()
        return recipe
    }

    /// The tag of relations.
    static let tag = "licomemory/relation"

    /// Keeps the relations that a message tells beside it, each made of it: a write touches nothing else.
    struct RelationExtractor: MemoryExtractor {
        /// Finds what a text holds.
        var base: any MemoryExtractor

        func drafts(of input: MemoryInput, in context: ExtractionContext) -> [Draft] {
            context.adding(to: base.drafts(of: input, in: context), of: input, tag: LiCoMemory.tag) {
                StructureExtractor.triples(of: $0)
            }
        }

        func enrich(_ cube: inout MemCube, words: [String]) { base.enrich(&cube, words: words) }
    }

    /// From relations to messages, and an order by conversation, message and time.
    struct HierarchyRetrieval: RetrievalPlan {
        let roundLimit = 3
        let hitLimit = 3_000
        /// Relations that lead to messages, and messages of a conversation that make its score.
        var width = 20, best = 3
        /// What being led to by a relation adds, of that relation's relevance.
        var weight: Float = 0.3

        func first(_ query: RetrievalQuery) -> [Probe] {
            let (relations, messages) = (ProbeFilter(tag: LiCoMemory.tag), ProbeFilter(withoutTag: LiCoMemory.tag))
            return [
                .words(limit: width, among: relations), query.nearest(width, among: relations),
                .words(limit: 100, among: messages), query.nearest(100, among: messages), .dates(limit: 50),
            ]
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            let relations = hits.filter { $0.tags.contains(LiCoMemory.tag) }
            if query.round == 1, !relations.isEmpty {
                return .probe([.linked(with: relations.prefix(2 * width).map(\.number), limit: 100)])
            }
            // A relation stands at the place and time of its message.
            var led: [Place: Float] = [:]
            for hit in relations { led[Place(hit)] = max(led[Place(hit)] ?? 0, Self.own(hit)) }
            let messages = hits.filter { !$0.tags.contains(LiCoMemory.tag) }
            let relevance = messages.map { Self.own($0) + weight * (led[Place($0)] ?? 0) }
            var sessions: [String: [Float]] = [:]
            for (hit, value) in zip(messages, relevance) { sessions[hit.session ?? "", default: []].append(value) }
            let scores = sessions.mapValues { $0.sorted(by: >).prefix(best).reduce(0, +) / Float(best) }
            let most = max(scores.values.max() ?? 0, .leastNormalMagnitude)
            return .ranked(
                zip(messages, relevance).map { hit, value in
                    let session = (scores[hit.session ?? ""] ?? 0) / most
                    let time = query.namesTime ? 0.5 + 0.5 * hit.features[.date] : 1
                    return hit.scored(value * (0.5 + 0.5 * session) * time)
                })
        }

        /// Where and when something was said.
        private struct Place: Hashable {
            var session: String?, time: Date
            init(_ hit: RetrievalHit) { (session, time) = (hit.session, hit.eventTime) }
        }

        /// The relevance of a message by itself: meaning and words, never negative.
        static func own(_ hit: RetrievalHit) -> Float {
            max(0, hit.features[.meaning]) + hit.features[.words]
        }
    }
}
