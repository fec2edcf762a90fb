public import MnemeModels
import MnemeNumerics

/// Predicts a layer's keys and values from those of the layer below, and codes what the prediction leaves (AQUA-KV,
/// Shutova et al. 2025, "Cache Me If You Must").
///
/// Keys are predicted, without their positions, from the keys below, of all heads; values from the values below and
/// the head's own keys, all as their codes say. Predictions are linear, fitted once on a sample of text. What is left
/// is coded as ``KVCodec/int2`` codes whole rows, so that bytes are the same. The first layer has nothing below it.
public struct AQUAKV: KVCoder {
    /// The rotation that is taken out of keys.
    let rope: RotaryEmbedding
    /// Of each head, by layers, what predicts its keys and its values; nil in the first layer.
    let predictors: [[(keys: LinearFit, values: LinearFit)?]]

    /// Fits the predictions.
    ///
    /// - Parameters:
    ///   - decoder: the model whose keys and values are predicted.
    ///   - tokens: of a sample text, a few times as many as a layer's keys have elements.
    /// - Throws: ``KVError`` without memory.
    /// - Complexity: O(tokens·elements² + elements³) for each head, elements being those of a layer's keys.
    public init(_ decoder: TransformerDecoder, tokens: [Int32]) throws {
        let rope = decoder.configuration.rope
        self.rope = rope
        var below: (positions: [Int32], keys: [[Float]], values: [[Float]])?
        predictors = try CompressedCache.sample(decoder, tokens) { heads in
            let here = heads.map { rows in
                let all = KVCodedPage(
                    positions: rows.positions, keys: (0..<rows.count).map(rows.key),
                    values: (0..<rows.count).map(rows.value))
                return (keys: Self.plain(all, rope), values: all.values)
            }
            defer {
                below = (heads[0].positions, Self.beside(here.map(\.keys)), Self.beside(here.map(\.values)))
            }
            return here.map { head in
                // Layers with windows may have other rows.
                guard let below, below.positions == heads[0].positions else { return nil }
                return (
                    LinearFit(below.keys, head.keys), LinearFit(Self.beside([below.values, head.keys]), head.values)
                )
            }
        }
    }

    /// A head's predictions.
    public func encoder(_ rows: KVRows) -> any KVPageEncoder {
        Encoder(rope: rope, predictor: predictors[rows.layer][rows.head])
    }

    /// Keys without their positions.
    private static func plain(_ page: KVCodedPage, _ rope: RotaryEmbedding) -> [[Float]] {
        zip(page.keys, page.positions).map { rope.rotated($0, by: -Int($1)) }
    }

    /// Rows with their parts side by side.
    private static func beside(_ parts: [[[Float]]]) -> [[Float]] {
        (parts.first ?? []).indices.map { row in parts.flatMap { $0[row] } }
    }

    private struct Encoder: KVPageEncoder {
        let rope: RotaryEmbedding
        let predictor: (keys: LinearFit, values: LinearFit)?

        func code(_ page: inout KVCodedPage, below: () -> [KVCodedPage]) -> Int {
            let (d, block) = (page.keys[0].count, KVShape.blockTokens)
            let lower = predictor == nil ? [] : below()
            /// What is left of rows behind a prediction, coded, and the prediction added again.
            func round(_ side: KVCodec.Side, _ rows: [[Float]], _ guesses: [[Float]]) -> [[Float]] {
                let halves = AlignedBuffer<UInt16>(block * d)
                let codes = AlignedBuffer<UInt8>(KVCodec.int2.bytes(side, dimension: d))
                let place = { (row: Int, e: Int) in side == .keys ? e * block + row : row * d + e }
                for (row, vector) in rows.enumerated() {
                    for e in 0..<d { halves.pointer[place(row, e)] = Float16(vector[e] - guesses[row][e]).bitPattern }
                }
                KVCodec.int2.encode(side, halves.pointer, dimension: d, into: codes.pointer)
                KVCodec.int2.decode(side, codes.pointer, dimension: d, into: halves.pointer)
                return rows.indices.map { row in
                    (0..<d).map { Float(Float16(bitPattern: halves.pointer[place(row, $0)])) + guesses[row][$0] }
                }
            }
            let nothing = [[Float]](repeating: [Float](repeating: 0, count: d), count: block)
            var (keyGuesses, valueGuesses) = (nothing, nothing)
            if let predictor, !lower.isEmpty {
                keyGuesses = AQUAKV.beside(lower.map { AQUAKV.plain($0, rope) }).map { predictor.keys($0) }
            }
            let keys = round(.keys, AQUAKV.plain(page, rope), keyGuesses)
            if let predictor, !lower.isEmpty {
                let known = AQUAKV.beside([AQUAKV.beside(lower.map(\.values)), keys])
                valueGuesses = known.map { predictor.values($0) }
            }
            page.values = round(.values, page.values, valueGuesses)
            page.keys = zip(keys, page.positions).map { rope.rotated($0, by: Int($1)) }
            return KVCodec.int2.bytes(dimension: d)
        }
    }
}
