import Foundation

/// How well questions find their texts among those of a batch: symmetric InfoNCE (van den Oord et al.
/// 2018), as `MultipleNegativesSymmetricRankingLoss` of sentence-transformers has it (Henderson et al.
/// 2017). Every other text of the batch, and every hard negative, is what a question must not find.
///
/// loss = ½·CE(s·Q·[T; N]ᵀ, diagonal) + ½·CE((s·Q·Tᵀ)ᵀ, diagonal), means over the pairs.
package struct ContrastiveLoss {
    /// 1 / temperature, which sentence-transformers has at 20.
    package static let scale: Float = 20

    /// The loss, and its gradients by the vectors.
    package let loss: Double
    package let questionGradients, textGradients: [Float]
    /// Questions whose own text is the nearest.
    package let found: Int

    /// - Parameters:
    ///   - questions: vectors of `pairs` questions.
    ///   - texts: vectors of their texts, then of hard negatives.
    ///   - ignores: true for a question and a text of another pair that answers it, too, such as the
    ///     same text: it counts neither as right nor as wrong.
    package init(
        questions: [Float], texts: [Float], dimension: Int, ignores: (_ question: Int, _ text: Int) -> Bool
    ) {
        let (pairs, count) = (questions.count / dimension, texts.count / dimension)
        var scores = [Float](repeating: -.infinity, count: pairs * count)
        for q in 0..<pairs {
            for t in 0..<count where t == q || !ignores(q, t) {
                var sum: Float = 0
                for i in 0..<dimension { sum += questions[q * dimension + i] * texts[t * dimension + i] }
                scores[q * count + t] = Self.scale * sum
            }
        }
        var gradients = [Float](repeating: 0, count: pairs * count)
        var (total, found) = (0.0, 0)
        // Adds cross-entropy over the scores at `places`, of which the one at `own` is right.
        func add(_ places: [Int], own: Int) {
            let highest = places.map { scores[$0] }.max() ?? 0
            let powers = places.map { exp(Double(scores[$0] - highest)) }
            let sum = powers.reduce(0, +)
            total += log(sum) - Double(scores[own] - highest)
            for (place, power) in zip(places, powers) {
                gradients[place] += Float(power / sum / Double(2 * pairs))
            }
            gradients[own] -= Float(1 / Double(2 * pairs))
        }
        for q in 0..<pairs {
            let row = (0..<count).map { q * count + $0 }
            add(row, own: q * count + q)
            add((0..<pairs).map { $0 * count + q }, own: q * count + q)
            if row.allSatisfy({ scores[$0] <= scores[q * count + q] }) { found += 1 }
        }
        var (dq, dt) = ([Float](repeating: 0, count: questions.count), [Float](repeating: 0, count: texts.count))
        for q in 0..<pairs {
            for t in 0..<count {
                let g = gradients[q * count + t] * Self.scale
                guard g != 0 else { continue }
                for i in 0..<dimension {
                    dq[q * dimension + i] += g * texts[t * dimension + i]
                    dt[t * dimension + i] += g * questions[q * dimension + i]
                }
            }
        }
        (loss, questionGradients, textGradients) = (total / Double(2 * pairs), dq, dt)
        self.found = found
    }
}
