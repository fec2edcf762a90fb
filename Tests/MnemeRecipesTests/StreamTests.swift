import Foundation
import Mneme
import MnemeBench
import MnemeRecipes
import Testing

/// Recipes on made streams of tasks, beside no memory and similarity alone: what their papers ask running code to show.
/// Means over several seeds, as one stream may be kind to anybody.
@Suite struct StreamTests {
    private typealias Row = StreamEvaluation.Row
    private typealias Subject = StreamEvaluation.Subject

    private static let seeds: [UInt64] = [1, 2, 3]

    private static func recipe(_ name: String) throws -> Subject {
        .recipe(try #require(RecipeCatalog.recipe(name, over: .standard)))
    }

    /// Mean values of one stream over the seeds.
    private static func mean(
        _ subject: Subject, _ part: StreamEvaluation.Part, _ values: [KeyPath<Row, Double?>]
    ) async throws -> (values: [Double], memories: Double) {
        var sums = [Double](repeating: 0, count: values.count)
        var memories = 0.0
        for seed in seeds {
            let row = try await StreamEvaluation(seed: seed, parts: [part]).run(subject)
            for (place, value) in values.enumerated() { sums[place] += try #require(row[keyPath: value]) }
            memories += Double(row.memories)
        }
        let count = Double(seeds.count)
        return (sums.map { $0 / count }, memories / count)
    }

    @Test func `concepts solve more puzzles than like puzzles do, and these more than no memory`() async throws {
        let halves: [KeyPath<Row, Double?>] = [\.firstHalf, \.secondHalf]
        let none = try await Self.mean(.none, .puzzles, halves).values
        let like = try await Self.mean(.similarity, .puzzles, halves).values
        let concepts = try await Self.mean(Self.recipe("arcmemo"), .puzzles, halves).values
        let figures = "none \(none), similarity \(like), arcmemo \(concepts)"
        #expect(like[1] > none[1] + 0.05, "\(figures)")
        #expect(concepts[1] > like[1] + 0.1 && concepts[1] > concepts[0] + 0.1, "\(figures)")
    }

    @Test func `replays keep fewer memories, and more puzzles are solved with them`() async throws {
        let all = try await Self.mean(.similarity, .puzzles, [\.secondHalf])
        let standard = try await Self.mean(Self.recipe("standard"), .puzzles, [\.secondHalf])
        let kept = try await Self.mean(Self.recipe("sedm"), .puzzles, [\.secondHalf])
        let figures = "similarity \(all), standard \(standard), sedm \(kept)"
        #expect(kept.memories < standard.memories - 60, "\(figures)")
        #expect(kept.values[0] > standard.values[0] && kept.values[0] > all.values[0], "\(figures)")
    }

    @Test func `a team's insights solve more puzzles than each agent's own memory`() async throws {
        let alone = try await Self.mean(.alone, .puzzles, [\.secondHalf]).values[0]
        let like = try await Self.mean(.similarity, .puzzles, [\.secondHalf]).values[0]
        let team = try await Self.mean(Self.recipe("g-memory"), .puzzles, [\.secondHalf]).values[0]
        let figures = "alone \(alone), similarity \(like), g-memory \(team)"
        #expect(team > alone + 0.1 && team > like, "\(figures)")
    }

    @Test func `two streams of mistakes repeat fewer than one store of what happened`() async throws {
        let values: [KeyPath<Row, Double?>] = [\.repeatedErrors, \.scenes]
        let none = try await Self.mean(.none, .errors, values).values
        let one = try await Self.mean(.similarity, .errors, values).values
        let two = try await Self.mean(Self.recipe("vilomem"), .errors, values).values
        let figures = "none \(none), similarity \(one), vilomem \(two)"
        #expect(none[0] == 1 && one[0] < 0.6, "\(figures)")
        #expect(two[0] < one[0] - 0.03 && two[1] > one[1], "\(figures)")
    }

    @Test func `what followed like runs foretells more than the commonest action`() async throws {
        let values: [KeyPath<Row, Double?>] = [\.nextAction, \.nextOfThree]
        let commonest = try await Self.mean(.none, .actions, values).values
        let texts = try await Self.mean(.similarity, .actions, values).values
        let runs = try await Self.mean(Self.recipe("longnap"), .actions, values).values
        let figures = "commonest \(commonest), similarity \(texts), longnap \(runs)"
        #expect(runs[0] > 2 * commonest[0] && runs[0] > texts[0] + 0.2, "\(figures)")
        #expect(runs[1] > runs[0] && runs[1] > commonest[1] + 0.2, "\(figures)")
    }

    @Test func `layers that fade tell more of an outlook than likeness, and characters differ`() async throws {
        let like = try await Self.mean(.similarity, .news, [\.outlooks]).values[0]
        let debate = try await Self.mean(Self.recipe("tradinggpt"), .news, [\.outlooks]).values[0]
        let alone = try await ["swift", "steady", "patient"].asyncMap {
            try await Self.mean(Self.recipe("tradinggpt:\($0)"), .news, [\.outlooks]).values[0]
        }
        let figures = "similarity \(like), debate \(debate), characters \(alone)"
        #expect(debate > like + 0.05, "\(figures)")
        #expect(Set(alone).count == 3 && debate >= alone.min()!, "\(figures)")
    }

    @Test func `the same seed gives the same results, and another one others`() async throws {
        let subject = try Self.recipe("arcmemo")
        func play(_ seed: UInt64) async throws -> Row {
            var row = try await StreamEvaluation(seed: seed, tasks: 40).run(subject)
            row.milliseconds = 0
            return row
        }
        let first = try await play(5)
        #expect(try await play(5) == first)
        #expect(try await play(6) != first)
        let report = StreamReport(StreamEvaluation(seed: 5, tasks: 40), [first])
        #expect(report.markdown.contains("| arcmemo | ") && report.markdown.contains("no model"))
    }
}

extension Sequence {
    /// What a function makes of each, one after the other.
    fileprivate func asyncMap<Result>(_ transform: (Element) async throws -> Result) async rethrows -> [Result] {
        var results: [Result] = []
        for element in self { results.append(try await transform(element)) }
        return results
    }
}
