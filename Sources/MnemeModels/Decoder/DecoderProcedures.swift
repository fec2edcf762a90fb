import MnemeNumerics

/// Procedures' tokens as a decoder's steps read them (``ProcedureTokens``).
public struct DecoderProcedures: Sendable {
    /// The procedures' names.
    public let names: [String]
    /// Tokens of each.
    public let tokensEach: Int
    /// The vocabulary's size: the number of the first token.
    private let first: Int32
    private let hidden: Int
    private let rows: AlignedBuffer<Float>

    init(_ tokens: ProcedureTokens, for c: DecoderConfiguration) {
        (names, tokensEach) = (tokens.names, tokens.tokensEach)
        (first, hidden) = (Int32(c.vocabularySize), c.hiddenSize)
        rows = AlignedBuffer(tokens.rows.count)
        for (i, value) in tokens.rows.enumerated() { rows.pointer[i] = value }
    }

    var byteCount: Int { rows.count * MemoryLayout<Float>.stride }

    /// The tokens of a procedure, which an answer that follows it begins with.
    public func tokens(of procedure: Int) -> [Int32] {
        (0..<tokensEach).map { first + Int32(procedure * tokensEach + $0) }
    }

    /// True for a token of a procedure.
    public func holds(_ token: Int32) -> Bool { token >= first }

    /// The embedding of a procedure's token; nil for one of the vocabulary.
    func row(_ token: Int32) -> UnsafePointer<Float>? {
        token < first ? nil : UnsafePointer(rows.pointer + Int(token - first) * hidden)
    }

    /// The product of a normed state with each procedure's address.
    func score(_ state: UnsafePointer<Float>, into scores: UnsafeMutablePointer<Float>) {
        for i in names.indices {
            scores[i] = dotProduct(rows.pointer + i * tokensEach * hidden, state, count: hidden)
        }
    }
}

/// Room for the logits of procedures' addresses beside those of the vocabulary.
public struct ProcedureScores {
    /// Floats from one token's to the next one's.
    public static let stride = ProcedureTokens.most

    /// For each token that gets logits, in order, ``stride`` floats: a logit for each procedure of its adapter.
    let values: UnsafeMutablePointer<Float>

    /// - Parameter values: ``stride`` floats for each token of a step that gets logits.
    public init(_ values: UnsafeMutablePointer<Float>) { self.values = values }

    /// A token's best procedure, and its logit; nil for an adapter without any.
    public func best(row: Int, of procedures: DecoderProcedures) -> (procedure: Int, logit: Float)? {
        let scores = values + row * Self.stride
        return procedures.names.indices.max { scores[$0] < scores[$1] }.map { ($0, scores[$0]) }
    }
}
