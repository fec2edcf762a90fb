public import MnemePipeline

/// Requirements of every `RecallRanker` of MnemePipeline, as checks that a test runs on a value.
public typealias RankerConformance = Conformance<any RecallRanker>

extension Conformance where Subject == any RecallRanker {
    /// Features alone and together, at the ends of what the core computes and beyond.
    private static var samples: [RecallFeatures] {
        let values: [Float] = [-1, 0, 1e-6, 0.5, 1, 30]
        let single = RecallFeature.allCases.flatMap { feature in
            values.map { RecallFeatures([feature: $0]) }
        }
        let together = values.map { value in
            RecallFeatures(Dictionary(uniqueKeysWithValues: RecallFeature.allCases.map { ($0, value) }))
        }
        return single + together
    }

    /// Every check. They may run at the same time.
    public static var all: [Self] {
        [
            // One score that is no number would put candidates into any order.
            Self("every contribution is a number") { ranker in
                for features in samples {
                    let found = ranker.contributions(of: features)
                    try expect(RecallFeature.allCases.allSatisfy { found[$0].isFinite }, "\(features)")
                    try expect(ranker.score(features).isFinite)
                }
            },
            Self("the same features have the same contributions") { ranker in
                for features in samples {
                    try expect(
                        ranker.contributions(of: features) == ranker.contributions(of: features))
                }
            },
            // Explanations name what a score is made of: a feature that says nothing adds nothing.
            Self("nothing comes of features that are all zero") { ranker in
                try expect(ranker.score(RecallFeatures()) == 0)
            },
            // Without this, what neither words nor vectors know could stand before what both do.
            Self("what the question's words and meaning speak for goes before what nothing speaks for") {
                ranker in
                try expect(ranker.score(RecallFeatures([.words: 1, .meaning: 1])) > 0)
            },
        ]
    }
}
