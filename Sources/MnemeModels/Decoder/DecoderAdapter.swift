import Dispatch
import MnemeBase
import MnemeNumerics
import NIOConcurrencyHelpers

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
    /// True if its terms scale the rows of the maps, too (DoRA).
    let scalesRows: Bool
    /// Procedures as tokens; nil in adapters of other kinds.
    public let procedures: DecoderProcedures?
    /// A side network; nil in adapters of other kinds.
    let side: SideStep?
    /// True if keys and values of prompts are those of the model alone: a side network reads states and changes none
    /// before the last layer's, and procedures' tokens stand in answers alone.
    public var leavesPrompts: Bool { side != nil || procedures != nil }
    /// Bytes of its values.
    public let byteCount: Int

    /// - Parameters:
    ///   - adapter: its terms are copied, in the order of the model's rows.
    ///   - c: the shape of the model that it is for.
    ///   - matrix: the model's matrix of the term of an index in ``terms``.
    /// - Throws: ``AdapterError`` if it does not fit.
    init(
        _ adapter: Adapter, for c: DecoderConfiguration, matrix: @escaping @Sendable (Int) -> WeightMatrix
    ) throws {
        try adapter.check(c)
        guard !c.rope.interleaved || c.rope.frequencies.count * 2 == c.headDimension else {
            throw AdapterError(
                .unsupported,
                "The model rotates a part of each head, pair after pair; adapters are not read for such.")
        }
        let places = (0..<c.layers).flatMap { layer in
            LayerLinear.allCases.map { Adapter.Place(layer, $0) }
        }
        terms = try Self.bound(places.count) { i in
            guard let term = adapter.terms[places[i]]?.inOrder(of: c, places[i].linear) else { return nil }
            let low = LowRank(a: term.a, b: term.b, rank: term.rank, scale: term.scale)
            return try low.scaled(to: term.magnitudes, rowsOf: matrix(i), places[i])
        }
        rank = terms.reduce(0) { max($0, $1?.rank ?? 0) }
        scalesRows = adapter.hasMagnitudes
        procedures = adapter.procedures.map { DecoderProcedures($0, for: c) }
        side = adapter.side.map { side in
            let values = AlignedBuffer<Float>(side.values.count)
            for (i, value) in side.values.enumerated() { values.pointer[i] = value }
            return SideStep(side.sizes, seed: side.seed, values: values)
        }
        byteCount = terms.reduce((procedures?.byteCount ?? 0) + (side?.byteCount ?? 0)) { $0 + ($1?.byteCount ?? 0) }
    }

    /// Terms made side by side: magnitudes read all of the model's weights.
    private static func bound(_ count: Int, _ make: @Sendable (Int) throws -> LowRank?) throws -> [LowRank?] {
        let made = NIOLockedValueBox([Result<LowRank?, any Error>](repeating: .success(nil), count: count))
        DispatchQueue.concurrentPerform(iterations: count) { i in
            let term = Result { try make(i) }
            made.withLockedValue { $0[i] = term }
        }
        return try made.withLockedValue { try $0.map { try $0.get() } }
    }
}

extension Adapter.Term {
    /// The same with rows in the order in which the model has them.
    func inOrder(of c: DecoderConfiguration, _ linear: LayerLinear) -> Adapter.Term {
        guard c.rope.interleaved, linear == .query || linear == .key else { return self }
        var term = self
        term.b = RotaryRows.paired(b, dimension: c.headDimension, width: rank)
        term.magnitudes = magnitudes.map { RotaryRows.paired($0, dimension: c.headDimension, width: 1) }
        return term
    }
}

/// A low-rank update of a matrix, scale·B·A (LoRA, Hu et al. 2021), or of its rows' directions and lengths,
/// m·(W + scale·B·A)/‖W + scale·B·A‖ (DoRA, Liu et al. 2024).
struct LowRank: Sendable {
    /// Rows of A and columns of B.
    let rank: Int
    /// Columns of A, and rows of B.
    let inputs, outputs: Int
    /// `rank` × `inputs`.
    private let a: AlignedBuffer<Float>
    /// scale·B, a column after the other: `rank` × `outputs`. With ``rowScales``, times these.
    private let b: AlignedBuffer<Float>
    /// What rows of W·x are multiplied by, m/‖W + scale·B·A‖; nil for LoRA.
    private(set) var rowScales: AlignedBuffer<Float>?

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

    var byteCount: Int { (a.count + b.count + (rowScales?.count ?? 0)) * MemoryLayout<Float>.stride }

    /// The same with rows of these lengths; as it is where there are none.
    ///
    /// - Parameters:
    ///   - w: the model's matrix.
    ///   - place: for the message.
    /// - Throws: ``AdapterError`` if a row of W + scale·B·A is too short to be given a length.
    func scaled(to magnitudes: [Float]?, rowsOf w: WeightMatrix, _ place: Adapter.Place) throws -> LowRank {
        guard let magnitudes else { return self }
        let (kernels, scales) = (DecoderKernels(), AlignedBuffer<Float>(outputs))
        var (row, factors) = ([Float](repeating: 0, count: inputs), [Float](repeating: 0, count: rank))
        for o in 0..<outputs {
            for r in 0..<rank { factors[r] = b.pointer[r * outputs + o] }
            let length = row.withUnsafeMutableBufferPointer { row in
                w.row(o, into: row.baseAddress!)
                return factors.withUnsafeBufferPointer {
                    kernels.lengthOfRow(row, adding: $0, of: a.pointer)
                }
            }
            scales.pointer[o] = magnitudes[o] / length
            guard scales.pointer[o].isFinite else {
                throw AdapterError(
                    .wrongBase,
                    """
                    The adapter gives row \(o) of the \(place.linear.rawValue) of layer \(place.layer) a length, and the \
                    row is \(length) long. It was made for another model.
                    """)
            }
            for r in 0..<rank { b.pointer[r * outputs + o] *= scales.pointer[o] }
        }
        var result = self
        result.rowScales = scales
        return result
    }

    /// output[columns] = scales·(output - bias) + bias, where it has scales.
    func scaleRows(
        _ output: UnsafeMutablePointer<Float>, bias: AlignedBuffer<Float>?, columns: Range<Int>
    ) {
        guard let scales = rowScales?.pointer else { return }
        if let bias = bias?.pointer {
            for i in columns { output[i] = scales[i] * (output[i] - bias[i]) + bias[i] }
        } else {
            for i in columns { output[i] *= scales[i] }
        }
    }

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
