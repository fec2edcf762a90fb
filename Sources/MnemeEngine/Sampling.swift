import Foundation
import MnemeBase

/// The choice of the next token from the model's logits.
///
/// In this order: penalties and biases, the constraint, temperature, then top-k, top-p, min-p and
/// typical. Temperature 0 is greedy: the filters do not matter then.
public struct SamplingParameters: Sendable, Equatable {
    /// 0 takes the likeliest token; higher flattens the distribution.
    public var temperature: Double = 0
    /// Only the k likeliest; 0 for all (Fan et al. 2018).
    public var topK = 0
    /// Only the likeliest whose probabilities add up to p (Holtzman et al. 2020).
    public var topP: Double = 1
    /// Only tokens at least so likely, relative to the likeliest (Nguyen et al. 2024).
    public var minP: Double = 0
    /// Only the tokens whose surprise is nearest to the expected one and whose probabilities add up
    /// to p (locally typical sampling, Meister et al. 2023); 1 for all.
    public var typicalP: Double = 1
    /// Divides positive logits of tokens that occurred, multiplies negative ones (Keskar et al.
    /// 2019).
    public var repetitionPenalty: Double = 1
    /// The penalty that is subtracted once for tokens of the answer.
    public var presencePenalty: Double = 0
    /// The penalty that is subtracted for each occurrence in the answer.
    public var frequencyPenalty: Double = 0
    /// The bias that is added to logits, by token.
    public var logitBias: [Int32: Double] = [:]
    /// The same seed and prompt give the same answer, whatever else runs; nil takes a random one.
    public var seed: UInt64?

    /// Parameters of greedy sampling.
    public init() {}

    /// - Throws: ``EngineError`` that names the first parameter out of range.
    func check(vocabulary: Int) throws {
        func require(_ holds: Bool, _ what: String) throws {
            if !holds { throw EngineError(.invalidRequest, what) }
        }
        try require((0...100).contains(temperature), "temperature must lie between 0 and 100.")
        try require(topK >= 0, "top_k must not be negative.")
        try require(topP > 0 && topP <= 1, "top_p must lie above 0 and at most at 1.")
        try require((0...1).contains(minP), "min_p must lie between 0 and 1.")
        try require(typicalP > 0 && typicalP <= 1, "typical_p must lie above 0 and at most at 1.")
        try require(
            repetitionPenalty > 0 && repetitionPenalty <= 100,
            "repetition_penalty must lie above 0 and at most at 100."
        )
        try require(
            (-100...100).contains(presencePenalty) && (-100...100).contains(frequencyPenalty),
            "Penalties must lie between -100 and 100.")
        try require(
            logitBias.allSatisfy {
                (0..<Int32(vocabulary)).contains($0.key) && $0.value >= -1000 && $0.value <= 1000
            },
            "logit_bias must name tokens below \(vocabulary), with values between -1000 and 1000.")
    }
}

/// A token and how likely it was.
public struct TokenProbability: Sendable, Equatable {
    /// The token.
    public var token: Int32
    /// ln p, before temperature and filters.
    public var logProbability: Double
}

/// Samples one sequence's tokens, with its own random numbers: nothing depends on other sequences.
/// Probabilities are computed in double precision.
package struct Sampler: Sendable {
    private let parameters: SamplingParameters
    private var random: SplitMix64
    private var counts: [Int32: Int] = [:]
    private var seen: Set<Int32>

    package init(_ parameters: SamplingParameters, prompt: [Int32]) {
        self.parameters = parameters
        random = SplitMix64(seed: parameters.seed ?? UInt64.random(in: .min ... .max))
        seen = parameters.repetitionPenalty == 1 ? [] : Set(prompt)
    }

    /// The next token. May change `logits`.
    ///
    /// - Parameter allowed: constrained decoding: a bit for each token that may come next, at least
    ///   one; nil allows all.
    package mutating func next(
        _ logits: UnsafeMutableBufferPointer<Float>, allowed: [UInt64]? = nil
    ) -> Int32 {
        penalize(logits)
        if let allowed {
            for i in logits.indices
            where i >> 6 >= allowed.count || allowed[i >> 6] >> UInt64(i & 63) & 1 == 0 {
                logits[i] = -.infinity
            }
        }
        let token = parameters.temperature == 0 ? Self.argmax(logits) : sample(logits)
        if parameters.presencePenalty != 0 || parameters.frequencyPenalty != 0 {
            counts[token, default: 0] += 1
        }
        if parameters.repetitionPenalty != 1 { seen.insert(token) }
        return token
    }

    /// Changes the logits of tokens that occurred, and those with a bias.
    private func penalize(_ logits: UnsafeMutableBufferPointer<Float>) {
        let p = parameters
        for token in seen {
            let value = logits[Int(token)]
            logits[Int(token)] =
                value > 0 ? value / Float(p.repetitionPenalty) : value * Float(p.repetitionPenalty)
        }
        for (token, count) in counts {
            logits[Int(token)] -= Float(p.presencePenalty + p.frequencyPenalty * Double(count))
        }
        for (token, bias) in p.logitBias { logits[Int(token)] += Float(bias) }
    }

    /// The likeliest token; of equals the first.
    package static func argmax(_ logits: UnsafeMutableBufferPointer<Float>) -> Int32 {
        var best = 0
        for i in logits.indices where logits[i] > logits[best] { best = i }
        return Int32(best)
    }

    /// The distance below the likeliest logit at which others stop to matter: a token that is less
    /// likely by a factor of 10^10 could not be noticed.
    private static func reach(_ temperature: Double) -> Double { 23 * temperature }

    /// Samples by the probabilities that temperature and filters leave.
    ///
    /// - Complexity: O(vocabulary); the few hundred candidates alone are sorted.
    private mutating func sample(_ logits: UnsafeMutableBufferPointer<Float>) -> Int32 {
        let p = parameters
        let top = Double(logits[Int(Self.argmax(logits))])
        let reach = Self.reach(p.temperature)
        if p.topK == 0 && p.topP == 1 && p.typicalP == 1 {
            // Nothing depends on an order.
            let reach = p.minP > 0 ? min(reach, -log(p.minP) * p.temperature) : reach
            var left = random.unit() * Self.mass(logits, top, p.temperature, reach)
            var last: Int32 = 0
            for i in logits.indices where Double(logits[i]) >= top - reach {
                left -= exp((Double(logits[i]) - top) / p.temperature)
                last = Int32(i)
                if left < 0 { break }
            }
            return last
        }
        // Mostly a few hundred tokens decide: the others are sorted only if they could matter.
        let whole = Self.mass(logits, top, p.temperature, reach)
        var candidates: [(token: Int32, probability: Double)] = []
        var within = p.typicalP < 1 ? reach : min(reach, 5 * p.temperature)
        while true {
            candidates = []
            for i in logits.indices where Double(logits[i]) >= top - within {
                candidates.append((Int32(i), exp((Double(logits[i]) - top) / p.temperature)))
            }
            let suffices =
                p.topK > 0
                ? candidates.count >= p.topK
                : candidates.reduce(0) { $0 + $1.probability } >= p.topP * whole
            if suffices || within == reach { break }
            within = min(reach, 2 * within)
        }
        // Logits that are no numbers, as damaged weights give, are above nothing.
        guard !candidates.isEmpty else { return Self.argmax(logits) }
        candidates.sort {
            $0.probability != $1.probability ? $0.probability > $1.probability : $0.token < $1.token
        }
        if p.topK > 0 { candidates.removeLast(max(0, candidates.count - p.topK)) }
        let sum = p.topK > 0 ? candidates.reduce(0) { $0 + $1.probability } : whole
        for i in candidates.indices { candidates[i].probability /= sum }
        if p.topP < 1 {
            var sum = 0.0
            let count = candidates.firstIndex { candidate in
                sum += candidate.probability
                return sum >= p.topP
            }
            if let count { candidates.removeLast(candidates.count - count - 1) }
        }
        if p.minP > 0 {
            let least = candidates[0].probability * p.minP
            candidates.removeAll { $0.probability < least }
        }
        if p.typicalP < 1 {
            Self.normalize(&candidates)
            let entropy = candidates.reduce(0) { $0 - $1.probability * log($1.probability) }
            candidates.sort {
                abs(-log($0.probability) - entropy) < abs(-log($1.probability) - entropy)
            }
            var sum = 0.0
            let count = candidates.firstIndex { candidate in
                sum += candidate.probability
                return sum >= p.typicalP
            }
            if let count { candidates.removeLast(candidates.count - count - 1) }
        }
        var left = random.unit() * candidates.reduce(0) { $0 + $1.probability }
        for candidate in candidates {
            left -= candidate.probability
            if left < 0 { return candidate.token }
        }
        return candidates.last?.token ?? Self.argmax(logits)
    }

    /// The weight of all tokens within `reach`, where the likeliest has 1.
    private static func mass(
        _ logits: UnsafeMutableBufferPointer<Float>, _ top: Double, _ temperature: Double,
        _ reach: Double
    ) -> Double {
        var sum = 0.0
        for i in logits.indices where Double(logits[i]) >= top - reach {
            sum += exp((Double(logits[i]) - top) / temperature)
        }
        return sum
    }

    /// Makes the probabilities add up to 1.
    private static func normalize(_ candidates: inout [(token: Int32, probability: Double)]) {
        let sum = candidates.reduce(0) { $0 + $1.probability }
        for i in candidates.indices { candidates[i].probability /= sum }
    }

    /// ln p of `token` and of the `count` likeliest tokens, by the model's own distribution.
    ///
    /// - Complexity: O(vocabulary·count) at most.
    static func logProbabilities(
        _ logits: UnsafeMutableBufferPointer<Float>, token: Int32, count: Int
    ) -> (
        Double, [TokenProbability]
    ) {
        let top = Double(logits[Int(argmax(logits))])
        let norm = top + log(logits.reduce(0) { $0 + exp(Double($1) - top) })
        var best: [(value: Float, token: Int32)] = []
        if count > 0 {
            for i in logits.indices where best.count < count || logits[i] > best.last!.value {
                let place = best.firstIndex { logits[i] > $0.value } ?? best.count
                best.insert((logits[i], Int32(i)), at: place)
                if best.count > count { best.removeLast() }
            }
        }
        func probability(_ logit: Float) -> Double {
            let value = Double(logit) - norm
            return value.isNaN ? -.infinity : value
        }
        return (
            probability(logits[Int(token)]),
            best.map { TokenProbability(token: $0.token, logProbability: probability($0.value)) }
        )
    }
}
