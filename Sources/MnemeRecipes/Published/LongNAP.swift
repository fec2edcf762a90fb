import MnemeCube
import MnemePipeline

/// LongNAP [1]: what followed situations like this one is what comes next; the search finds like
/// situations in the log, and answers with what came after them.
///
/// A question of several sentences tells a run of actions, the last one last: a situation is as like it as the actions
/// that led to it are, each compared with the part of the question that lies as far back. The answer are the followers of
/// the most alike situations, of which a reader weighs several. A question of one sentence describes a situation, which
/// stands in the answer itself, its follower behind it.
enum LongNAP: PublishedRecipe {
    static let card = RecipeCard(
        name: "longnap",
        paper: "Learning Next Action Predictors from Human-Computer Interaction [1]",
        idea: "find past runs of actions like the one told; what came next in the log is the answer, several weighed",
        simplified:
            "the trace is the log's own next action instead of a trained model's reasoning; no prediction is written, a "
            + "reader makes it of what is found",
        claim: "79 % over supervised finetuning, 39 % over prompting, by a model's judgement")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = WhatFollowed()
        recipe.ranker = RelevanceRanker()
        return recipe
    }

    /// Like situations, and then what followed each.
    struct WhatFollowed: RetrievalPlan {
        /// Situations, the logs around them, and the order: the plan is asked once more behind its last probes.
        let roundLimit = 3
        let hitLimit = 4_000
        /// Situations that are looked for where one is described, and memories that follow each.
        var situations = 5, following = 1
        /// The share of its situation's score that a follower gets.
        var share: Float = 0.98
        /// Actions of a run that count, what each counts of the one after it, and runs whose followers are the answer.
        var depth = 3, fade: Float = 0.6, runs = 30

        func first(_ query: RetrievalQuery) -> [Probe] {
            [query.nearest(isRun(query) ? 150 : 40, among: nil)]
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            let isRun = isRun(query)
            let best = hits.sorted { $0.score > $1.score }
            guard query.round > 1 else {
                let sessions = Set(best.prefix(isRun ? hits.count : situations).compactMap(\.session))
                let read = query.nearest(isRun ? hitLimit : 1_000, among: ProbeFilter(sessions: sessions))
                return sessions.isEmpty ? .answer : .probe([read])
            }
            let log = Dictionary(grouping: hits.filter { $0.session != nil }) { $0.session! }.mapValues {
                $0.sorted { ($0.eventTime, $0.number) < ($1.eventTime, $1.number) }
            }
            if isRun, case let followers = followers(in: log, query), !followers.isEmpty {
                return .ranked(followers)
            }
            var scores = Dictionary(uniqueKeysWithValues: hits.map { ($0.number, $0.score) })
            for situation in best.prefix(situations) {
                let after = (situation.session.flatMap { log[$0] } ?? []).drop { $0.number != situation.number }
                for hit in after.dropFirst().prefix(following) {
                    scores[hit.number] = max(scores[hit.number] ?? 0, situation.score * share)
                }
            }
            return .ranked(hits.map { $0.scored(scores[$0.number] ?? $0.score) })
        }

        /// True if a question tells a run of actions, a sentence each.
        private func isRun(_ query: RetrievalQuery) -> Bool {
            query.request.query.split(whereSeparator: { ".;\n".contains($0) }).count {
                $0.contains { !$0.isWhitespace }
            } > 1
        }

        /// What followed the runs most like the one that the question tells, scored as its run.
        private func followers(in log: [String: [RetrievalHit]], _ query: RetrievalQuery) -> [RetrievalHit] {
            var found: [RetrievalHit] = []
            for actions in log.values where actions.count > 1 {
                for place in 1..<actions.count {
                    var (likeness, weight): (Float, Float) = (0, 1)
                    for back in 0..<min(depth, place) {
                        likeness += weight * match(actions[place - 1 - back], back, query)
                        weight *= fade
                    }
                    if likeness > 0 { found.append(actions[place].scored(likeness)) }
                }
            }
            // Of equal ones the latest.
            return Array(
                found.sorted { ($1.score, $1.number) < ($0.score, $0.number) }.prefix(runs))
        }

        /// How much of the question an action holds that lies so many actions back: words of that part count in full.
        private func match(_ action: RetrievalHit, _ back: Int, _ query: RetrievalQuery) -> Float {
            let count = Float(max(1, min(64, query.words.count)))
            return query.weights.prefix(64).enumerated().reduce(0) { sum, word in
                guard action.holds(word.offset) else { return sum }
                let behind = (count - 1 - Float(word.offset)) / count
                return sum + word.element * max(0, 1 - abs(behind - Float(back) / Float(depth)))
            }
        }
    }
}
