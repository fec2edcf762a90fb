import MnemeBase
import MnemeNumerics

/// An adapter as a decoder's steps read it: floats beside the packed weights, which stay as they
/// are.
///
/// A segment of a step names it (``DecoderSegment/adapter``); segments of one step may have
/// different ones, and none.
public final class DecoderAdapter: Sendable {
    /// The terms of layer 0's linear maps, in the order of ``LayerLinear``, then layer 1's, …
    let terms: [LowRank?]
    /// The largest rank of a term.
    let rank: Int
    /// Bytes of the terms.
    public let byteCount: Int

    /// - Parameters:
    ///   - adapter: its terms are copied, in the order of the model's rows.
    ///   - c: the shape of the model that it is for.
    /// - Throws: ``AdapterError`` if it does not fit.
    public init(_ adapter: Adapter, for c: DecoderConfiguration) throws {
        try adapter.check(c)
        guard !c.rope.interleaved || c.rope.frequencies.count * 2 == c.headDimension else {
            throw AdapterError(
                .unsupported,
                "The model rotates a part of each head, pair after pair; adapters are not read for such.")
        }
        terms = (0..<c.layers).flatMap { layer in
            LayerLinear.allCases.map { linear in
                adapter.terms[Adapter.Place(layer, linear)].map { term in
                    var b = term.b
                    if c.rope.interleaved, linear == .query || linear == .key {
                        b = RotaryRows.paired(b, dimension: c.headDimension, width: term.rank)
                    }
                    return LowRank(a: term.a, b: b, rank: term.rank, scale: term.scale)
                }
            }
        }
        rank = terms.reduce(0) { max($0, $1?.rank ?? 0) }
        byteCount = terms.reduce(0) { $0 + ($1?.byteCount ?? 0) }
    }
}

/// A low-rank update of a matrix, scale·B·A (LoRA, Hu et al. 2021).
struct LowRank: Sendable {
    /// Rows of A and columns of B.
    let rank: Int
    /// Columns of A, and rows of B.
    let inputs, outputs: Int
    /// `rank` × `inputs`.
    private let a: AlignedBuffer<Float>
    /// scale·B, a column after the other: `rank` × `outputs`.
    private let b: AlignedBuffer<Float>

    /// - Parameters:
    ///   - a: `rank` × inputs, row after row.
    ///   - b: outputs × `rank`, row after row; outputs are a multiple of 16.
    init(a values: [Float], b rows: [Float], rank: Int, scale: Float) {
        self.rank = rank
        inputs = values.count / rank
        outputs = rows.count / rank
        (a, b) = (AlignedBuffer(values.count), AlignedBuffer(rows.count))
        for (i, value) in values.enumerated() { a.pointer[i] = value }
        for (i, value) in rows.enumerated() {
            b.pointer[i % rank * outputs + i / rank] = value * scale
        }
    }

    var byteCount: Int { (a.count + b.count) * MemoryLayout<Float>.stride }

    /// The product of row `index` of A and `x`.
    func project(_ x: UnsafePointer<Float>, _ index: Int) -> Float {
        dotProduct(a.pointer + index * inputs, x, count: inputs)
    }

    /// output[columns] += scale·B·`projected`, for columns whose number is a multiple of 16.
    func add(
        _ projected: UnsafePointer<Float>, columns: Range<Int>, _ kernels: DecoderKernels,
        to output: UnsafeMutablePointer<Float>
    ) {
        kernels.addRows(
            projected, rank: rank, b.pointer + columns.lowerBound, stride: outputs,
            count: columns.count, to: output + columns.lowerBound)
    }
}
