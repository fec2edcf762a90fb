import Foundation
import MnemeCache
import Testing

/// What is learned of kept answers that a smaller model is shown.
@Suite struct ExampleUseTests {
    private typealias Candidate = ExampleUse.Candidate

    @Test func `before anything is known similarity chooses, and the best stands last`() {
        let near = [0.9, 0.7, 0.8, 0.6].enumerated().map { Candidate(id: Int64($0), similarity: $1) }
        #expect(ExampleUse().chosen(of: near, count: 3).map(\.id) == [1, 2, 0])
        #expect(ExampleUse().chosen(of: near, count: 0).isEmpty && ExampleUse().chosen(of: []).isEmpty)
        #expect(ExampleUse().share(of: 7) == 0.5)
    }

    @Test func `an answer that helps is shown before a nearer one that does not`() {
        var use = ExampleUse()
        let (good, bad) = (Candidate(id: 1, similarity: 0.8), Candidate(id: 2, similarity: 0.9))
        for _ in 0..<8 {
            use.learn(true, with: [good], vector: [1, 0])
            use.learn(false, with: [bad], vector: [1, 0])
        }
        #expect(use.chosen(of: [good, bad], count: 1) == [good])
        #expect(use.quality(with: [good], vector: [0.5, 0.5]) > use.quality(with: [bad], vector: [0.5, 0.5]))
        use.forget([1, 2])
        #expect(use.chosen(of: [good, bad], count: 1) == [bad])
    }

    @Test func `questions that went wrong are told from those that went well`() throws {
        var use = ExampleUse()
        for number in 0..<40 {
            let isEasy = number % 2 == 0
            use.learn(isEasy, with: [Candidate(id: Int64(number), similarity: 0.8)], vector: isEasy ? [1, 0] : [0, 1])
        }
        let new = [Candidate(id: 99, similarity: 0.8)]
        #expect(use.quality(with: new, vector: [1, 0]) > 0.75 && use.quality(with: new, vector: [0, 1]) < 0.35)
        #expect(use.outcomeCount == 40)
        // It can be kept.
        let copy = try JSONDecoder().decode(ExampleUse.self, from: JSONEncoder().encode(use))
        #expect(copy == use)
    }
}
