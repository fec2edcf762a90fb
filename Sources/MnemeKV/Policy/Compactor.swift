import Foundation
import MnemeBase

/// Keeps the rows whose keys are least like combinations of the others and that much attention went to: those with
/// the highest leverage scores, blended with attention, whatever will be asked (Compactor, Chari and Van Durme 2025).
///
/// The leverage of row i of a matrix A is aᵢ(AᵀA)⁻¹aᵢᵀ. It is approximated by keys projected to fewer
/// elements by random signs, as in the paper; a small multiple of the unit matrix keeps the inverse
/// in bounds. Attention is the mean weight that the tokens behind a row have given to it; the paper takes that of
/// tokens on both sides within a chunk. Both are compared by the logarithm, in deviations from the mean.
public struct Compactor: TokenScorer {
    /// Elements that keys are projected to, the ridge relative to the mean square, and the last rows,
    /// which stay.
    public var sketch: Int, ridge: Float, recent: Int
    /// What attention counts for beside leverage; 0 looks at keys alone.
    public var blend: Float = 1

    /// A sketch of 32 elements.
    public init(sketch: Int = 32, ridge: Float = 1e-3, recent: Int = 32) {
        (self.sketch, self.ridge, self.recent) = (sketch, ridge, recent)
    }

    /// The weights of all tokens, if attention counts.
    public var needs: AttentionNeed { blend > 0 ? .all : .none }

    /// Leverage, blended with attention where that is known; infinity for the last rows.
    ///
    /// - Complexity: O(rows·sketch·(dimension + sketch)).
    public func scores(_ rows: KVRows) -> [Float] {
        var scores = Self.leverage(
            (0..<rows.count).map(rows.key), sketch: min(sketch, rows.dimension), ridge: ridge)
        if blend > 0, !rows.attention.isEmpty {
            let attention = rows.attention.enumerated().map { $1 / Float(rows.count - $0) }
            scores = zip(Self.deviations(scores), Self.deviations(attention)).map { $0 + blend * $1 }
        }
        return scores.enumerated().map { $0 + recent >= rows.count ? .infinity : $1 }
    }

    /// The logarithms of numbers that are not negative, as deviations from their mean in units of their spread.
    static func deviations(_ values: [Float]) -> [Float] {
        let logs = values.map { log(max($0, 1e-12)) }
        let mean = logs.reduce(0, +) / Float(max(1, logs.count))
        let spread = (logs.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(max(1, logs.count))).squareRoot()
        return logs.map { ($0 - mean) / max(spread, 1e-6) }
    }

    /// The leverage of each key among all.
    public static func leverage(_ keys: [[Float]], sketch k: Int, ridge: Float) -> [Float] {
        guard let d = keys.first?.count else { return [] }
        var random = SplitMix64(seed: 156)
        // Of no fewer elements than there are, keys are taken as they are.
        let signs = (0..<d * k).map { i -> Float in
            k == d ? (i / k == i % k ? 1 : 0) : random.next() & 1 == 0 ? 1 : -1
        }
        let projected = keys.map { key -> [Float] in
            var out = [Float](repeating: 0, count: k)
            for (e, x) in key.enumerated() { for j in 0..<k { out[j] += x * signs[e * k + j] } }
            return out
        }
        // The lower triangle of AᵀA, then its Cholesky factor L in place.
        var l = [Float](repeating: 0, count: k * k)
        for row in projected {
            for i in 0..<k { for j in 0...i { l[i * k + j] += row[i] * row[j] } }
        }
        let trace = (0..<k).reduce(Float(0)) { $0 + l[$1 * k + $1] }
        for i in 0..<k { l[i * k + i] += max(ridge * trace / Float(k), 1e-6) }
        for j in 0..<k {
            for i in j..<k {
                var sum = l[i * k + j]
                for m in 0..<j { sum -= l[i * k + m] * l[j * k + m] }
                l[i * k + j] = i == j ? max(sum, 1e-12).squareRoot() : sum / l[j * k + j]
            }
        }
        // a(LLᵀ)⁻¹aᵀ is the square of L⁻¹aᵀ.
        return projected.map { row in
            var solved = row
            for i in 0..<k {
                for m in 0..<i { solved[i] -= l[i * k + m] * solved[m] }
                solved[i] /= l[i * k + i]
            }
            return solved.reduce(0) { $0 + $1 * $1 }
        }
    }
}

/// Gives each head as many rows as a text needs, whatever the budget: the largest ratio that is safe for it
/// (Compactor's calibration by context).
///
/// Safe is what changes the head's outputs little: for the queries of the last tokens, attention over the rows that
/// would stay is compared with attention over all. The paper fits the loss of the whole model instead. Where no
/// queries are known, rows must have a share of the leverage.
public struct SafeRatio: HeadAllocator {
    /// The relative error of outputs that is allowed, of a root mean square; and the share of leverage that is
    /// kept where there are no queries.
    public var error: Float, share: Float
    private let scorer: Compactor

    /// By default an error of 10 %, or 90 % of the leverage.
    public init(error: Float = 0.1, share: Float = 0.9, scorer: Compactor = Compactor()) {
        (self.error, self.share, self.scorer) = (error, share, scorer)
    }

    /// What is safe is kept.
    public var isBounded: Bool { false }
    /// To see what is lost.
    public var needsQueries: Bool { true }

    /// The least rows that are safe.
    ///
    /// - Complexity: O(queries·rows·dimension).
    public func measure(_ rows: KVRows) -> [Float] {
        [Float(rows.queries.isEmpty ? byLeverage(rows) : byOutputs(scorer.scores(rows), rows))]
    }

    private func byLeverage(_ rows: KVRows) -> Int {
        var keys = scorer
        keys.blend = 0
        let scores = keys.scores(rows)
        let open = scores.filter { $0 < .infinity }.sorted(by: >)
        let total = open.reduce(0, +)
        var (sum, count): (Float, Int) = (0, 0)
        while count < open.count, sum < share * total {
            sum += open[count]
            count += 1
        }
        return count + scores.count - open.count
    }

    /// Rows are added in the order of their scores until the outputs are near enough; asked at every 32nd part.
    private func byOutputs(_ scores: [Float], _ rows: KVRows) -> Int {
        let order = scores.indices.sorted { (scores[$0], $0) > (scores[$1], $1) }
        let fixed = scores.count { $0 == .infinity }
        let keys = order.map(rows.key)
        let values = order.map(rows.value)
        let step = max(1, (order.count - fixed + 31) / 32)
        // Sums of squares of what is wrong, and of what is right, at each size.
        var wrong = [Float](repeating: 0, count: 33)
        var right: Float = 0
        let scale = 1 / Float(rows.dimension).squareRoot()
        for query in rows.queries.joined() {
            let logits = keys.map { key in zip(query, key).reduce(Float(0)) { $0 + $1.0 * $1.1 } * scale }
            let peak = logits.max() ?? 0
            var outputs: [[Float]] = []
            var sum = [Float](repeating: 0, count: rows.dimension)
            var weight: Float = 0
            for (place, logit) in logits.enumerated() {
                let w = exp(logit - peak)
                weight += w
                for (e, x) in values[place].enumerated() { sum[e] += w * x }
                let isAsked = place + 1 >= fixed && (place + 1 - fixed) % step == 0
                if isAsked || place + 1 == logits.count { outputs.append(sum.map { $0 / max(weight, 1e-30) }) }
            }
            guard let whole = outputs.last else { continue }
            right += whole.reduce(0) { $0 + $1 * $1 }
            for (i, output) in outputs.enumerated() where i < wrong.count {
                wrong[i] += zip(output, whole).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            }
        }
        let first = wrong.indices.first { fixed + $0 * step >= order.count || wrong[$0] <= error * error * right }
        return min(order.count, max(1, fixed + (first ?? 32) * step))
    }

    /// As measured.
    public func split(_ budget: Int, heads: [[HeadMeasure]]) -> [[Int]] {
        heads.map { $0.map { min($0.length, Int($0.values[0])) } }
    }
}
