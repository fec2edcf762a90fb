import MnemeNumerics

/// A linear map of the decoder: y = W·x + bias. What adapters add is computed apart
/// (``DecoderPass/adapt(_:_:)``).
struct Linear: Sendable {
    /// W, packed.
    let matrix: WeightMatrix
    /// Added to each row; nil where the model has none.
    var bias: AlignedBuffer<Float>?
    /// The index of its term in ``DecoderAdapter/terms``; nil where adapters have none.
    var term: Int?

    /// The formats in which W reads its input.
    var reads: ActivationRows.Formats { matrix.reads }

    /// output[rows][stride] (+)= the map of the input's rows, for the column groups (of 16) in
    /// `groups`.
    ///
    /// - Parameter input: floats, and the formats that ``reads`` names, of as many columns as W.
    func apply(
        _ input: ActivationRows, rows: Int, groups: Range<Int>, accumulate: Bool,
        into output: UnsafeMutablePointer<Float>, stride: Int
    ) {
        matrix.apply(
            input, rows: rows, groups: groups, epilogue: accumulate ? .accumulate : .store,
            bias: bias.map { UnsafePointer($0.pointer) }, into: output, stride: stride)
    }
}

/// The linear maps of a layer, each of which an adapter can have a term for.
public enum LayerLinear: String, Sendable, CaseIterable {
    /// Hidden state to the queries of all heads.
    case query
    /// Hidden state to the keys of the key-value heads.
    case key
    /// Hidden state to the values of the key-value heads.
    case value
    /// The heads' outputs, side by side, back to the hidden state.
    case attentionOutput
    /// Hidden state to the feed-forward gate, of the intermediate size.
    case gate
    /// Hidden state to what the gate multiplies, of the intermediate size.
    case up
    /// The feed-forward product back to the hidden state.
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
