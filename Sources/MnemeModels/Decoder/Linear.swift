import MnemeBase
import MnemeNumerics

/// A linear map of the decoder: y = W·x + bias, and scale·B·A·x besides where a low-rank term is
/// attached.
///
/// The encoder has a map of its own (``MnemeNumerics/LinearLayer``): its activations are quantized
/// a row at a time, and GELU and residual are part of its product.
struct Linear: Sendable {
    /// W, packed.
    let matrix: WeightMatrix
    /// Added to each row; nil where the model has none.
    var bias: AlignedBuffer<Float>?
    /// The low-rank term; nil costs nothing and changes no bit.
    var delta: LowRank?

    /// The formats in which W reads its input.
    var reads: DecoderRows.Forms { matrix.reads }

    /// output[rows][stride] (+)= the map of the input's rows, for the column groups (of 16) in
    /// `groups`.
    ///
    /// - Parameter input: floats, and the formats that ``reads`` names, of as many columns as W.
    func apply(
        _ input: DecoderRows, rows: Int, groups: Range<Int>, accumulate: Bool,
        into output: UnsafeMutablePointer<Float>, stride: Int
    ) {
        matrix.apply(
            input, rows: rows, groups: groups, accumulate: accumulate,
            bias: bias.map { UnsafePointer($0.pointer) }, into: output, stride: stride)
        guard let delta else { return }
        let columns = groups.lowerBound * 16..<min(groups.upperBound * 16, matrix.outputs)
        delta.add(to: output, stride: stride, columns: columns, input: input.floats, rows: rows)
    }
}

/// A low-rank update of a matrix, scale·B·A, as adapters hold it (LoRA, Hu et al. 2021). Floats,
/// added to W's output: W itself stays packed as it is.
///
/// No adapter file is read yet; tests attach terms by hand.
package struct LowRank: Sendable {
    /// Columns of A.
    package let inputs: Int
    /// Rows of B.
    package let outputs: Int
    /// Rows of A and columns of B.
    package let rank: Int
    private let a: AlignedBuffer<Float>
    /// scale·B.
    private let b: AlignedBuffer<Float>

    /// - Parameters:
    ///   - a: `rank` × `inputs`, row after row.
    ///   - b: `outputs` × `rank`, row after row.
    ///   - scale: multiplies the product; adapters' files call it alpha / rank.
    /// - Throws: ``MnemeBase/ModelError`` if the sizes do not fit each other.
    package init(a: [Float], b: [Float], rank: Int, scale: Float) throws {
        guard rank > 0, !a.isEmpty, !b.isEmpty, a.count % rank == 0, b.count % rank == 0 else {
            throw ModelError(
                .invalidFile,
                "A low-rank term of rank \(rank) cannot have factors of \(a.count) and \(b.count) values."
            )
        }
        inputs = a.count / rank
        outputs = b.count / rank
        self.rank = rank
        self.a = AlignedBuffer(a.count)
        self.b = AlignedBuffer(b.count)
        for (i, value) in a.enumerated() { self.a.pointer[i] = value }
        for (i, value) in b.enumerated() { self.b.pointer[i] = value * scale }
    }

    /// output[rows][columns] += scale·B·A·x for each row x of the input.
    ///
    /// Threads that share the columns each compute A·x: its `rank` sums are few beside a share of
    /// W's.
    func add(
        to output: UnsafeMutablePointer<Float>, stride: Int, columns: Range<Int>,
        input: UnsafePointer<Float>,
        rows: Int
    ) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: rank) { projected in
            guard let projected = projected.baseAddress else { return }
            for row in 0..<rows {
                let x = input + row * inputs, y = output + row * stride
                for i in 0..<rank {
                    (projected + i).initialize(
                        to: dotProduct(a.pointer + i * inputs, x, count: inputs))
                }
                for column in columns {
                    y[column] += dotProduct(b.pointer + column * rank, projected, count: rank)
                }
            }
        }
    }
}

/// The linear maps of a layer, each of which an adapter can have a term for.
public enum LayerLinear: String, Sendable, CaseIterable {
    case query
    case key
    case value
    case attentionOutput
    case gate
    case up
    case down

    /// Its number in the order above.
    var index: Int {
        switch self {
        case .query: 0
        case .key: 1
        case .value: 2
        case .attentionOutput: 3
        case .gate: 4
        case .up: 5
        case .down: 6
        }
    }
}
