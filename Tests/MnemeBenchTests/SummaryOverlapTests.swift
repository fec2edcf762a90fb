import MnemeBench
import Testing

@Suite struct SummaryOverlapTests {
    @Test func `the same words are 1, others 0, order counts by half`() {
        #expect(SummaryOverlap.score("A cat sat.", "a Cat, sat") == 1)
        #expect(SummaryOverlap.score("one two", "three four") == 0)
        #expect(SummaryOverlap.score("two one", "one two") == 0.5)
        #expect(SummaryOverlap.score("", "") == 1 && SummaryOverlap.score("", "one") == 0)
        #expect(SummaryOverlap.score("one", "one") == 1)
    }

    @Test func `a word counts as often as both have it`() {
        // 2·1/(3 + 1) of the words, no pair of the one that has any.
        #expect(SummaryOverlap.score("one one one", "one") == 0.25)
        // 2·2/5 of the words, 2·1/3 of the pairs.
        let expected = (4.0 / 5 + 2.0 / 3) / 2
        #expect(abs(SummaryOverlap.score("one two three", "one two") - expected) < 1e-12)
    }
}
