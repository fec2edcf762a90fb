import Foundation
package import MnemePipeline

/// MemSifter [37]: a small proxy sifts whole conversations before anything of them is handed on.
package enum MemSifter: ManagedRecipe {
    static let card = RecipeCard(
        name: "memsifter",
        paper: "MemSifter: Offloading LLM Memory Retrieval via Outcome-Driven Proxy Reasoning [37]",
        idea: "a proxy picks the few conversations that matter; only these are searched",
        simplified: "the proxy is a rule on the best messages of a conversation until one is trained on outcomes "
            + "(`mneme recipes train`), and that weighs nine numbers instead of reasoning in words",
        claim: "level with or above the best on eight benchmarks; no one figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = Sieve()
        return recipe
    }

    static func recipe(over standard: Recipe, by policy: ManagerPolicy) -> Recipe {
        var recipe = standard
        recipe.retrieval = Sieve(policy: policy)
        return recipe
    }

    static let features = [
        "best", "bestThree", "amongTen", "amongThirty", "covered", "words", "meaning", "date", "size",
    ]

    /// Conversations that are kept.
    package static let width = 4

    /// What is known of each conversation that was found: its name, and a row.
    ///
    /// - Parameter hits: best first.
    package static func options(
        for query: RetrievalQuery, _ hits: [RetrievalHit]
    ) -> [(session: String, row: [Double])] {
        guard let top = hits.first?.score else { return [] }
        let span = max(0.5, top - hits[min(30, hits.count) - 1].score)
        let groups = Dictionary(grouping: hits.enumerated()) { $0.element.session ?? "" }
        return groups.sorted { $0.key < $1.key }.map { session, group in
            let best = group.prefix(3).map { Double(($0.element.score - top) / span) }
            func most(_ feature: RecallFeature) -> Double {
                Double(group.map { $0.element.features[feature] }.max() ?? 0)
            }
            let row = [
                best[0], best.reduce(0, +) / Double(best.count), Double(group.count { $0.offset < 10 }) / 5,
                Double(group.count { $0.offset < 30 }) / 10, Double(query.coverage(of: group.prefix(5).map(\.element))),
                most(.wordsInSession), most(.meaningAround), most(.date), log(Double(group.count)) / 4,
            ]
            return (session, row)
        }
    }

    /// The conversations that a policy keeps, one after the other.
    package static func kept(
        _ options: [(session: String, row: [Double])], _ choose: (_ options: [[Double]]) -> Int
    ) -> Set<String> {
        var left = options
        var kept: Set<String> = []
        while kept.count < width, !left.isEmpty { kept.insert(left.remove(at: choose(left.map(\.row))).session) }
        return kept
    }

    /// Keeps the best conversations alone.
    struct Sieve: RetrievalPlan {
        let roundLimit = 2
        let hitLimit = 3_000
        /// Messages that speak for a conversation, by the rule.
        var best = 3
        /// Picks conversations; nil has the rule pick.
        var policy: ManagerPolicy?

        func first(_ query: RetrievalQuery) -> [Probe] {
            query.memories <= 3_000
                ? [.everything] : [.words(limit: 150), query.nearest(150, among: nil)]
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            if let policy {
                let kept = MemSifter.kept(MemSifter.options(for: query, hits)) { policy.best(of: $0) }
                return .ranked(hits.filter { kept.contains($0.session ?? "") })
            }
            let groups = Dictionary(grouping: hits) { $0.session ?? "" }
            let scores = groups.mapValues { group in
                group.prefix(best).reduce(Float(0)) { $0 + $1.score } / Float(best)
            }
            let kept = Set(
                scores.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(MemSifter.width).map(\.key))
            return .ranked(hits.filter { kept.contains($0.session ?? "") })
        }
    }
}
