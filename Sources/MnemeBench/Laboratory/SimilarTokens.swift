import Foundation
import MnemeBase
import MnemeKV
package import MnemeModels

/// Finds, for the tokens of a prompt, tokens of an earlier one that mean much the same, so that its
/// keys and values serve a text that is worded differently (SemShareKV, Zhao and Mastorakis 2025).
///
/// Tokens are alike if the signs of their embeddings' projections agree in one band of bits
/// (locality-sensitive hashing; Charikar 2002). Of several the one nearest to where the text would go
/// on is taken.
package struct SimilarTokens {
    /// Bits of a band, and bands: tokens at a cosine of 0.7 share one in nine of ten cases, at 0.1 in
    /// one of twenty.
    private static let bits = 10, bands = 16
    /// The least cosine of two tokens, and how far apart from each other two texts may run.
    private static let least: Float = 0.4, reach = 48

    private let decoder: TransformerDecoder
    private let planes: [Float]
    private var known: [Int32: (vector: [Float], bands: [UInt32])] = [:]

    /// Tokens of a decoder's vocabulary; nothing is computed yet.
    package init(_ decoder: TransformerDecoder) {
        self.decoder = decoder
        var random = SplitMix64(seed: 104)
        // Signs are as good as directions drawn from a sphere, in so many dimensions.
        planes = (0..<Self.bits * Self.bands * decoder.configuration.hiddenSize).map { _ in
            random.next() & 1 == 0 ? 1 : -1
        }
    }

    /// The embedding at unit length, and its bands of bits.
    private mutating func code(_ token: Int32) -> (vector: [Float], bands: [UInt32]) {
        if let code = known[token] { return code }
        var vector = decoder.embedding(of: token)
        let norm = max(1e-9, vector.reduce(0) { $0 + $1 * $1 }.squareRoot())
        for i in vector.indices { vector[i] /= norm }
        let bands = (0..<Self.bands).map { band in
            (0..<Self.bits).reduce(UInt32(band)) { bits, i in
                let start = (band * Self.bits + i) * vector.count
                let sum = vector.indices.reduce(Float(0)) { $0 + vector[$1] * planes[start + $1] }
                return bits << 1 | (sum > 0 ? 1 : 0)
            }
        }
        known[token] = (vector, bands)
        return (vector, bands)
    }

    /// How alike two tokens are, -1 to 1.
    package mutating func cosine(_ one: Int32, _ other: Int32) -> Float {
        if one == other { return 1 }
        return zip(code(one).vector, code(other).vector).reduce(0) { $0 + $1.0 * $1.1 }
    }

    /// Runs of a prompt's tokens, in order, and where each stands in the earlier prompt.
    ///
    /// - Complexity: O(tokens · bands), and the tokens nearby that share one.
    package mutating func runs(_ tokens: ArraySlice<Int32>, in earlier: [Int32]) -> [(
        range: Range<Int>, source: Int
    )] {
        var places: [UInt32: [Int]] = [:]
        for (i, token) in earlier.enumerated() {
            for band in Set(code(token).bands) { places[band, default: []].append(i) }
        }
        var runs: [(range: Range<Int>, source: Int)] = []
        var next = tokens.startIndex
        for (i, token) in zip(tokens.indices, tokens) {
            var best: Int?
            if next < earlier.count, earlier[next] == token {
                best = next
            } else {
                let near = Set(code(token).bands.flatMap { places[$0] ?? [] }).filter {
                    abs($0 - next) <= Self.reach && cosine(token, earlier[$0]) >= Self.least
                }
                best = near.min { (abs($0 - next), $0) < (abs($1 - next), $1) }
            }
            guard let best else {
                next += 1
                continue
            }
            if let last = runs.last, last.range.upperBound == i, last.source + last.range.count == best {
                runs[runs.count - 1].range = last.range.lowerBound..<i + 1
            } else {
                runs.append((i..<i + 1, best))
            }
            next = best + 1
        }
        return runs
    }

    /// The same text in other words: of its tokens, about `share` are replaced by others that are
    /// alike, left out or added.
    package mutating func reworded(_ tokens: [Int32], share: Double, seed: UInt64) -> [Int32] {
        var random = SplitMix64(seed: seed)
        let size = UInt64(decoder.configuration.vocabularySize)
        var result: [Int32] = []
        for token in tokens {
            guard Double(random.next() >> 11) / Double(1 << 53) < share else {
                result.append(token)
                continue
            }
            switch random.next() % 4 {
            case 0: break
            case 1: result += [token, tokens[Int(random.next() % UInt64(tokens.count))]]
            default:
                // The one that is most alike among some hundred.
                let others = (0..<512).map { _ in Int32(random.next() % size) }.filter { $0 != token }
                var best = token
                var most: Float = -2
                for other in others {
                    let cosine = cosine(token, other)
                    if cosine > most { (best, most) = (other, cosine) }
                }
                result.append(best)
            }
        }
        return result
    }
}
