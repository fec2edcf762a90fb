import Foundation

/// A small classifier of texts: a softmax, linear in hashed parts of a text, trained by gradient descent.
///
/// Two of them whose parts differ, the second trained on what the first is not sure of, stand for the two complementary
/// networks of Kinnas et al. [245]. The same examples give the same weights.
struct TextClassifier: Sendable {
    /// What a text is divided into.
    enum Parts: Sendable {
        /// Words.
        case words
        /// Words, and three letters in a row.
        case letters
    }

    /// An answer: a class, and its probability.
    struct Guess: Sendable { var label: String, confidence: Double }

    private let parts: Parts, labels: [String]
    /// Weights by bucket, of each label.
    private var weights: [[Float]]
    private static let buckets = 2_048, passes = 60, rate: Float = 0.5, decay: Float = 1e-4

    /// Trains on texts with their labels.
    ///
    /// - Parameters:
    ///   - parts: what texts are divided into.
    ///   - weight: how much each example counts.
    init(_ parts: Parts, on examples: [(text: String, label: String)], weight: [Float]? = nil) {
        self.parts = parts
        labels = Set(examples.map(\.label)).sorted()
        weights = labels.map { _ in [Float](repeating: 0, count: Self.buckets) }
        let rows = examples.map { Self.row(of: $0.text, parts) }
        let targets = examples.map { example in labels.firstIndex(of: example.label) ?? 0 }
        for pass in 0..<Self.passes {
            let rate = Self.rate * (1 - 0.9 * Float(pass) / Float(Self.passes))
            for (place, row) in rows.enumerated() {
                let chances = chances(of: row)
                for label in labels.indices {
                    let miss = (label == targets[place] ? 1 : 0) - chances[label]
                    for bucket in row {
                        let change = miss * (weight?[place] ?? 1) - Self.decay * weights[label][bucket]
                        weights[label][bucket] += rate / Float(row.count).squareRoot() * change
                    }
                }
            }
        }
    }

    /// The likeliest label.
    func guess(_ text: String) -> Guess {
        let chances = chances(of: Self.row(of: text, parts))
        let best = chances.indices.max { (chances[$0], $1) < (chances[$1], $0) } ?? 0
        return Guess(label: labels[best], confidence: Double(chances[best]))
    }

    /// The probability of a label.
    func chance(of label: String, in text: String) -> Double {
        labels.firstIndex(of: label).map { Double(chances(of: Self.row(of: text, parts))[$0]) } ?? 0
    }

    /// Products of an answer to a text; each reads a weight of four bytes.
    func products(of text: String) -> Int { labels.count * Self.row(of: text, parts).count }

    private func chances(of row: [Int]) -> [Float] {
        let scale = 1 / Float(max(1, row.count)).squareRoot()
        let scores = weights.map { column in row.reduce(Float(0)) { $0 + column[$1] } * scale }
        let most = scores.max() ?? 0
        let raised = scores.map { exp($0 - most) }
        let sum = raised.reduce(0, +)
        return raised.map { $0 / sum }
    }

    /// The buckets of a text's parts.
    private static func row(of text: String, _ parts: Parts) -> [Int] {
        let words = text.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
        var pieces = words
        if parts == .letters {
            for word in words {
                let letters = Array("^\(word)$")
                guard letters.count > 2 else { continue }
                pieces += (0...(letters.count - 3)).map { "3" + String(letters[$0..<($0 + 3)]) }
            }
        }
        let found = pieces.map { piece -> Int in
            // FNV-1a, the same everywhere.
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            for byte in piece.utf8 {
                hash ^= UInt64(byte)
                hash &*= 0x100_0000_01b3
            }
            return Int(hash % UInt64(buckets))
        }
        return found.isEmpty ? [0] : found
    }
}
