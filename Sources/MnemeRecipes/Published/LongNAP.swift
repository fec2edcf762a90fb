import MnemeCube
import MnemePipeline

/// LongNAP [1]: what followed situations like this one is what comes next; the search finds like
/// situations in the log, and answers with what came after them.
enum LongNAP: PublishedRecipe {
    static let card = RecipeCard(
        name: "longnap",
        paper: "Learning Next Action Predictors from Human-Computer Interaction [1]",
        idea: "find past situations like the one asked about; what came next in the log is the answer",
        simplified:
            "the trace is the conversation's own next message instead of a trained model's reasoning; no prediction "
            + "is written, a reader makes it of what is found",
        claim: "79 % over supervised finetuning, 39 % over prompting, by a model's judgement")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = WhatFollowed()
        recipe.ranker = RelevanceRanker()
        return recipe
    }

    /// Like situations, and then what followed each.
    struct WhatFollowed: RetrievalPlan {
        let roundLimit = 2
        let hitLimit = 2_000
        /// Situations that are looked for, and memories that follow each.
        var situations = 5, following = 1
        /// The share of its situation's score that a follower gets.
        var share: Float = 0.98

        func first(_ query: RetrievalQuery) -> [Probe] { [query.nearest(40, among: nil)] }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            let best = hits.sorted { $0.score > $1.score }.prefix(situations)
            let sessions = Set(best.compactMap(\.session))
            guard query.round > 1 else {
                return sessions.isEmpty
                    ? .answer : .probe([query.nearest(1_000, among: ProbeFilter(sessions: sessions))])
            }
            var scores = Dictionary(uniqueKeysWithValues: hits.map { ($0.number, $0.score) })
            let inOrder = hits.sorted { ($0.eventTime, $0.number) < ($1.eventTime, $1.number) }
            for situation in best {
                let after = inOrder.drop { $0.number != situation.number }.dropFirst()
                for hit in after.filter({ $0.session == situation.session }).prefix(following) {
                    scores[hit.number] = max(scores[hit.number] ?? 0, situation.score * share)
                }
            }
            return .ranked(hits.map { $0.scored(scores[$0.number] ?? $0.score) })
        }
    }
}
