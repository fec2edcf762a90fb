import Foundation
public import MnemeModels

/// Keeps the rows of which small heads, trained beside a frozen model, say that later tokens will attend to them (Locret,
/// Huang et al. 2024): a row's worth is known as soon as it is there, so that a long prompt never needs all its rows.
///
/// A retaining head sees a row's key, without its position, and its value, and says the logarithm of the mean attention
/// that tokens behind it pay. It is linear, fitted by least squares on a sample of text; the paper's has a hidden layer,
/// and learns the highest attention. Rows are scored once they come, the first and the last ones stay.
public struct Locret: TokenScorer {
    /// What keys are rotated by.
    let rope: RotaryEmbedding
    /// The retaining heads, by layers.
    let heads: [[LinearFit]]
    /// First and last rows that stay.
    public var sinks = 4, recent = 32

    /// Trains retaining heads.
    ///
    /// - Parameters:
    ///   - decoder: the model whose keys and values they judge.
    ///   - tokens: of a sample text, a few times as many as keys have elements.
    /// - Throws: ``KVError`` without memory.
    public init(_ decoder: TransformerDecoder, tokens: [Int32]) throws {
        let rope = decoder.configuration.rope
        self.rope = rope
        heads = try CompressedCache.sample(decoder, tokens) { heads in
            heads.map { rows in
                // Rows that few tokens have seen yet say nothing.
                let seen = 0..<max(1, rows.count - 16)
                return LinearFit(
                    seen.map { Self.features(rows, $0, rope) },
                    seen.map { [log(rows.attention[$0] / Float(rows.count - $0) + 1e-7)] })
            }
        }
    }

    private static func features(_ rows: KVRows, _ row: Int, _ rope: RotaryEmbedding) -> [Float] {
        rope.rotated(rows.key(row), by: -Int(rows.positions[row])) + rows.value(row)
    }

    /// No attention weights.
    public var needs: AttentionNeed { .none }

    /// What the head says of each row; infinity for the first and the last ones.
    ///
    /// - Complexity: O(rows·dimension).
    public func scores(_ rows: KVRows) -> [Float] {
        let head = heads[rows.layer][rows.head]
        return (0..<rows.count).map { row in
            rows.positions[row] < sinks || row + recent >= rows.count
                ? .infinity : head(Self.features(rows, row, rope))[0]
        }
    }
}
