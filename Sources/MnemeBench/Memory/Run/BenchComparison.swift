import Foundation
import Mneme
import MnemeBase

/// Two runs of one benchmark on the same questions, score by score: the difference of the means with its
/// interval, and how likely one so large would be if both were the same. Values of Holm (1979) allow for the
/// number of scores that are compared.
public struct BenchComparison: Sendable, Codable {
    /// One score.
    public struct Row: Sendable, Codable {
        /// The score, and the questions that both runs have it for.
        public var metric: String, questions: Int
        /// Its mean in both runs.
        public var first: Double, second: Double
        /// Second less first, with a 95 % interval by bootstrap over histories.
        public var difference: MeanInterval
        /// The probability of a difference so large by chance: by sign flips of whole histories' differences,
        /// then corrected for the number of scores.
        public var probability: Double, corrected: Double
    }

    /// What both runs depend on.
    public var first: BenchHeader, second: BenchHeader
    /// A row for each score that both have.
    public var rows: [Row]

    /// Compares what two files of `--output` hold.
    ///
    /// - Throws: `InputError` for files of different benchmarks or data, without a question in common, or of another form.
    public init(_ first: String, _ second: String) throws {
        let (a, b) = (try BenchLog.read(first), try BenchLog.read(second))
        guard a.header.bench == b.header.bench, a.header.digest == b.header.digest else {
            throw InputError(
                "The files are of different benchmarks or data: \(a.header.bench) on \(a.header.data), "
                    + "\(b.header.bench) on \(b.header.data).")
        }
        (self.first, self.second) = (a.header, b.header)
        let known = Dictionary(a.outcomes.map { ([$0.episode, $0.question], $0) }) { $1 }
        let pairs = b.outcomes.compactMap { outcome in
            known[[outcome.episode, outcome.question]].map { (first: $0, second: outcome) }
        }
        guard !pairs.isEmpty else { throw InputError("The files have no question in common.") }
        let names = Set(pairs.flatMap { $0.first.metrics.keys }).intersection(pairs.flatMap { $0.second.metrics.keys })
        rows = names.sorted().map { Self.row($0, pairs, seed: b.header.seed) }
        // Holm: the smallest probability times the number of scores, the next times one less, never falling.
        var least = 0.0
        for (rank, place) in rows.indices.sorted(by: { rows[$0].probability < rows[$1].probability }).enumerated() {
            least = max(least, min(1, rows[place].probability * Double(rows.count - rank)))
            rows[place].corrected = least
        }
    }

    /// One score over all pairs that have it.
    private static func row(
        _ metric: String, _ pairs: [(first: BenchOutcome, second: BenchOutcome)], seed: UInt64
    ) -> Row {
        let values = pairs.compactMap { pair -> (episode: String, first: Double, second: Double)? in
            guard let first = pair.first.metrics[metric], let second = pair.second.metrics[metric] else { return nil }
            return (pair.first.episode, first, second)
        }
        let n = Double(max(1, values.count))
        let groups = Dictionary(grouping: values, by: \.episode).sorted { $0.key < $1.key }
            .map { $0.value.map { $0.second - $0.first } }
        // Whole histories are flipped; of one history its questions.
        let units = groups.count > 1 ? groups.map { $0.reduce(0, +) } : groups.flatMap(\.self)
        return Row(
            metric: metric, questions: values.count, first: values.reduce(0) { $0 + $1.first } / n,
            second: values.reduce(0) { $0 + $1.second } / n, difference: MeanInterval(groups, seed: seed),
            probability: probability(units, seed: seed), corrected: 1)
    }

    /// The share of random signs under which the sum is as far from 0 as it is (a sign-flip test).
    ///
    /// - Complexity: O(2000 × units).
    static func probability(_ units: [Double], seed: UInt64) -> Double {
        let sum = abs(units.reduce(0, +))
        var random = SplitMix64(seed: seed)
        let draws = 2000
        var extreme = 1
        for _ in 0..<draws {
            var flipped = 0.0
            for unit in units { flipped += random.next() & 1 == 0 ? unit : -unit }
            extreme += abs(flipped) >= sum - 1e-9 ? 1 : 0
        }
        return Double(extreme) / Double(draws + 1)
    }

    /// The comparison as Markdown, which reads as plain text, too.
    public var markdown: String {
        func system(_ header: BenchHeader) -> String {
            "recipe \(header.recipe), embedder \(header.embedder), answers: \(header.answerer), \(header.limit) memories"
        }
        var lines = [
            "\(first.bench) on \(first.data) (sha256 \(first.digest))", "1: \(system(first))", "2: \(system(second))",
            "",
            "| score | questions | 1 | 2 | difference | p | p corrected (Holm) |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]
        lines += rows.map { row in
            "| \(row.metric) | \(row.questions) | "
                + String(
                    format: "%.3f | %.3f | %+.3f [%+.3f, %+.3f] | %.3f | %.3f |", row.first, row.second,
                    row.difference.mean, row.difference.low, row.difference.high, row.probability, row.corrected)
        }
        return lines.joined(separator: "\n")
    }
}
