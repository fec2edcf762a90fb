import Crypto
import Foundation
import MnemeBase

/// A low-rank adapter (LoRA, Hu et al. 2021): for some linear maps of a decoder's layers a term
/// scale·B·A that is added to W. Its rows may have lengths of their own: W becomes
/// m·(W + scale·B·A)/‖W + scale·B·A‖, row by row (DoRA, Liu et al. 2024).
///
/// Rows of queries' and keys' B and m stand in transformers' order, whatever file they came from: in each
/// head the first elements of all rotated pairs, then the second (`RotaryRows`).
public struct Adapter: Sendable, Equatable {
    /// A linear map of a layer.
    public struct Place: Sendable, Hashable, Comparable {
        /// The layer, from 0.
        public var layer: Int
        /// Its linear map.
        public var linear: LayerLinear

        /// A place.
        public init(_ layer: Int, _ linear: LayerLinear) {
            (self.layer, self.linear) = (layer, linear)
        }

        /// By layer, then in the order of the layer's linear maps.
        public static func < (a: Place, b: Place) -> Bool {
            (a.layer, a.linear.index) < (b.layer, b.linear.index)
        }
    }

    /// The term of one linear map.
    public struct Term: Sendable, Equatable {
        /// Rows of A and columns of B.
        public var rank: Int
        /// Multiplies B·A: alpha / rank, or alpha / √rank (rsLoRA, Kalajdzievski 2023).
        public var scale: Float
        /// `rank` × inputs, row after row.
        public var a: [Float]
        /// outputs × `rank`, row after row.
        public var b: [Float]
        /// m, the length of each output's row; nil where rows are as long as the sum is.
        public var magnitudes: [Float]?

        /// A term; ``Adapter/check(_:)`` tells whether it fits a model.
        public init(rank: Int, scale: Float, a: [Float], b: [Float]) {
            (self.rank, self.scale, self.a, self.b) = (rank, scale, a, b)
        }
    }

    /// The largest rank that is taken.
    public static let maximumRank = 1024

    /// The terms; maps that are not named here have none.
    public var terms: [Place: Term]
    /// Procedures as learned tokens, in place of terms; nil in adapters of other kinds.
    public var procedures: ProcedureTokens?
    /// A network beside the model, in place of terms; nil in adapters of other kinds.
    public var side: SideNetwork?

    /// An adapter of these terms.
    public init(_ terms: [Place: Term]) { self.terms = terms }

    /// An adapter of procedures.
    public init(_ procedures: ProcedureTokens) { (terms, self.procedures) = ([:], procedures) }

    /// An adapter that is a side network.
    public init(_ side: SideNetwork) { (terms, self.side) = ([:], side) }

    /// What it has in place of terms; nil for low-rank adapters.
    var contents: (any AdapterContents)? {
        get { procedures ?? side }
        set { (procedures, side) = (newValue as? ProcedureTokens, newValue as? SideNetwork) }
    }

    /// - Throws: ``AdapterError`` where it has no low-rank terms, which `what` needs.
    func requireTerms(_ what: String) throws {
        guard contents == nil else {
            throw AdapterError(.unsupported, "\(what) takes adapters of low-rank terms; this one is of another kind.")
        }
    }

    /// Checks that it fits a model of this shape.
    ///
    /// - Throws: ``AdapterError`` that names the first term that does not fit, or whose values are
    ///   not finite.
    public func check(_ c: DecoderConfiguration) throws {
        if let contents {
            guard terms.isEmpty, procedures == nil || side == nil else {
                throw AdapterError(.invalidFile, "The adapter is of two kinds at once.")
            }
            return try contents.check(c)
        }
        guard !terms.isEmpty else {
            throw AdapterError(.invalidFile, "The adapter has no term: it would change nothing.")
        }
        for (place, term) in terms.sorted(by: { $0.key < $1.key }) {
            let name = "the \(place.linear.rawValue) of layer \(place.layer)"
            guard (0..<c.layers).contains(place.layer) else {
                throw AdapterError(
                    .wrongBase,
                    "The adapter has a term for \(name); the model has \(c.layers) layers. It was made for another model."
                )
            }
            let (outputs, inputs) = c.size(of: place.linear)
            guard (1...Self.maximumRank).contains(term.rank) else {
                throw AdapterError(
                    .unsupported,
                    "The adapter's term for \(name) has rank \(term.rank); 1 to \(Self.maximumRank) are taken."
                )
            }
            guard term.a.count == term.rank * inputs, term.b.count == outputs * term.rank else {
                throw AdapterError(
                    .wrongBase,
                    """
                    The adapter's term for \(name) is \(term.b.count / term.rank) × \(term.a.count / term.rank); the \
                    model's map is \(outputs) × \(inputs). It was made for another model.
                    """)
            }
            guard (term.magnitudes?.count ?? outputs) == outputs, (term.magnitudes != nil) == hasMagnitudes
            else {
                throw AdapterError(
                    .invalidFile,
                    "The adapter gives lengths (DoRA) to some rows and not to others, at \(name). Fetch or train it again."
                )
            }
            guard term.scale.isFinite, term.a.allSatisfy(\.isFinite), term.b.allSatisfy(\.isFinite),
                term.magnitudes?.allSatisfy(\.isFinite) ?? true
            else {
                throw AdapterError(
                    .invalidFile,
                    "The adapter's term for \(name) holds a value that is not finite. Fetch or train it again."
                )
            }
        }
    }

    /// SHA-256 over places, ranks, scales and all values: equal names mean equal answers. 64
    /// hexadecimal digits.
    ///
    /// - Complexity: one pass over the values.
    public var hash: String {
        var hash = SHA256()
        for (place, term) in terms.sorted(by: { $0.key < $1.key }) {
            let head = "\(place.layer) \(place.linear.rawValue) \(term.rank) \(term.scale.bitPattern)"
            hash.update(data: Data((head + " \(term.a.count) \(term.b.count)\n").utf8))
            term.a.withUnsafeBytes { hash.update(bufferPointer: $0) }
            term.b.withUnsafeBytes { hash.update(bufferPointer: $0) }
            term.magnitudes?.withUnsafeBytes { hash.update(bufferPointer: $0) }
        }
        contents?.add(to: &hash)
        return Hexadecimal.string(hash.finalize())
    }

    /// Values of all terms.
    public var parameters: Int {
        terms.values.reduce(contents?.parameters ?? 0) {
            $0 + $1.a.count + $1.b.count + ($1.magnitudes?.count ?? 0)
        }
    }
    /// True if its rows have lengths of their own (DoRA).
    public var hasMagnitudes: Bool { terms.values.contains { $0.magnitudes != nil } }
    /// The ranks that its terms have.
    public var ranks: ClosedRange<Int> {
        let ranks = terms.values.map(\.rank)
        return (ranks.min() ?? 0)...(ranks.max() ?? 0)
    }
    /// The linear maps that have a term in some layer.
    public var linears: [LayerLinear] {
        let linears = Set(terms.keys.map(\.linear))
        return LayerLinear.allCases.filter(linears.contains)
    }
}

extension DecoderConfiguration {
    /// Rows and columns of a layer's linear map.
    public func size(of linear: LayerLinear) -> (outputs: Int, inputs: Int) {
        let queries = heads * headDimension
        return switch linear {
        case .query: (queries, hiddenSize)
        case .key, .value: (kvSize, hiddenSize)
        case .attentionOutput: (hiddenSize, queries)
        case .gate, .up: (intermediateSize, hiddenSize)
        case .down: (hiddenSize, intermediateSize)
        }
    }
}

/// The two orders in which the rows of queries and keys stand in files.
///
/// Rotation turns pairs of elements. transformers keeps the first elements of all pairs of a head,
/// then the second; GGUF files of the family `llama` keep pair after pair, so that row 2i + j of a
/// head there is row j·half + i here.
package enum RotaryRows {
    /// Rows of heads of `dimension`, `width` values each, from transformers' order to pair after
    /// pair.
    package static func paired(_ rows: [Float], dimension: Int, width: Int) -> [Float] {
        moved(rows, dimension: dimension, width: width) { $0 % 2 * (dimension / 2) + $0 / 2 }
    }

    /// The way back.
    package static func unpaired(_ rows: [Float], dimension: Int, width: Int) -> [Float] {
        let half = dimension / 2
        return moved(rows, dimension: dimension, width: width) { $0 % half * 2 + $0 / half }
    }

    /// - Parameter source: the row of a head that comes to a place.
    private static func moved(
        _ rows: [Float], dimension: Int, width: Int, source: (Int) -> Int
    ) -> [Float] {
        var result: [Float] = []
        result.reserveCapacity(rows.count)
        for row in 0..<rows.count / width {
            let from = row / dimension * dimension + source(row % dimension)
            result += rows[from * width..<(from + 1) * width]
        }
        return result
    }
}
