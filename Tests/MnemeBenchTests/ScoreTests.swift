import Foundation
import MnemeBench
import Testing

/// Scores against the packages that define them (`scripts/make_golden_scores.py`).
@Suite struct ScoreTests {
    private struct Golden: Decodable {
        struct Pair: Decodable { var answer, reference: String, f1, exact, stemF1, listF1, rougeL, contains: Double }
        struct Ranking: Decodable { var ranking, wanted: [String], k: Int, ndcg: Double }
        var pairs: [Pair], rankings: [Ranking]
        /// Stems by their words: scored by way of ``TextScore/stemF1(_:_:)``.
        var stems: [String: String]
    }

    private static func golden() throws -> Golden {
        let url = try #require(
            Bundle.module.url(forResource: "scores", withExtension: "json", subdirectory: "Golden"))
        return try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
    }

    @Test func `scores of answers are those of the packages that define them`() throws {
        for pair in try Self.golden().pairs {
            let (answer, reference) = (pair.answer, pair.reference)
            for (name, score, expected) in [
                ("F1", TextScore.f1(answer, reference), pair.f1),
                ("exact", TextScore.exact(answer, reference), pair.exact),
                ("stem F1", TextScore.stemF1(answer, reference), pair.stemF1),
                ("list F1", TextScore.listF1(answer, reference), pair.listF1),
                ("ROUGE-L", TextScore.rougeL(answer, reference), pair.rougeL),
                ("contains", TextScore.contains(answer, reference), pair.contains),
            ] {
                #expect(abs(score - expected) < 1e-6, "\(name) of '\(answer)' against '\(reference)'")
            }
        }
    }

    @Test func `stems are NLTK's`() throws {
        // A word and its stem score 1 only if the word's stem is the stem's own stem, which NLTK's list says.
        let stems = try Self.golden().stems
        for (word, stem) in stems where stems[stem] == stem || stem == word {
            #expect(TextScore.stemF1(word, stem) == (["a"].contains(word) ? 0 : 1), "\(word)")
        }
        #expect(TextScore.stemF1("allergies", "allergy") == 1)
        #expect(TextScore.stemF1("news", "new") == 0)
        #expect(TextScore.stemF1("dying flies", "die fly") == 1)
    }

    @Test func `rankings are scored as LongMemEval scores them`() throws {
        for ranking in try Self.golden().rankings {
            let score = RankScore.ndcg(ranking.ranking, Set(ranking.wanted), ranking.k)
            #expect(abs(score - ranking.ndcg) < 1e-9)
        }
        #expect(RankScore.any(["a", "b"], ["b"], 1) == 0)
        #expect(RankScore.any(["a", "b"], ["b"], 2) == 1)
        #expect(RankScore.all(["a", "b", "c"], ["a", "c"], 2) == 0)
        #expect(RankScore.all(["a", "b", "c"], ["a", "c"], 3) == 1)
        #expect(RankScore.reciprocalRank(["a", "b"], ["b"]) == 0.5)
        #expect(RankScore.reciprocalRank(["a"], ["z"]) == 0)
    }

    @Test func `an interval holds its mean, is the same for one seed, and narrows with more values`() {
        let few = MeanInterval([[0, 1, 1, 0], [1, 1, 0, 1]], seed: 3)
        let many = MeanInterval((0..<200).map { [$0.isMultiple(of: 3) ? 0.0 : 1] }, seed: 3)
        #expect(few == MeanInterval([[0, 1, 1, 0], [1, 1, 0, 1]], seed: 3))
        #expect(few.mean == 0.625 && few.low <= few.mean && few.mean <= few.high)
        #expect(abs(many.mean - 133.0 / 200) < 1e-12)
        // Of a share p of n values the interval is about 2 × 1.96 × √(p(1-p)/n) wide: 0.131 here.
        #expect(abs((many.high - many.low) - 0.131) < 0.03)
        #expect(MeanInterval([]).count == 0)
        #expect(MeanInterval([[1, 1, 1]]).low == 1)
    }

    @Test func `BLEU-1 counts words once, and a short answer for less`() {
        #expect(TextScore.bleu1("The cat, the mat", "the cat sat on the mat") == exp(1 - 6.0 / 4))
        #expect(TextScore.bleu1("cat cat cat cat cat cat", "the cat sat on the mat") == 1.0 / 6)
        #expect(TextScore.bleu1("on 8 May", "8 may") == 2.0 / 3 && TextScore.bleu1("", "a") == 0)
    }
}
