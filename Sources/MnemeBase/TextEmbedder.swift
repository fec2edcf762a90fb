/// Turns texts into vectors of one length, so that similar meanings lie close.
///
/// Implementers: be deterministic (the same text gives the same vector, whatever else is in the
/// batch, to rounding), return unit length, and block the calling thread; callers move off the
/// cooperative pool.
public protocol TextEmbedder: Sendable {
    /// Names model and content. Vectors of different identifiers are never compared.
    var identifier: String { get }
    /// Elements of a vector.
    var dimension: Int { get }
    /// Tokens after which a text is cut.
    var maximumTokens: Int { get }
    /// One vector for each text as it is, in order.
    func embed(_ texts: [String]) throws -> Embeddings
    /// One vector for each text in its role, in order. Models that were trained with other words
    /// before a question than before what answers it put them there; by default roles do not
    /// matter.
    func embed(_ texts: [String], as role: TextRole) throws -> Embeddings
    /// One vector for each text that is given as the ids of its tokens, those that begin and end a
    /// text among them. By default they are refused.
    ///
    /// - Throws: `InputError` for ids that this model's tokenizer does not give.
    func embed(tokens: [[Int32]]) throws -> Embeddings
    /// Tokens that `text` takes, before any cut.
    func tokenCount(_ text: String) -> Int
}

extension TextEmbedder {
    /// The same vectors for every role, for models without prompts.
    public func embed(_ texts: [String], as role: TextRole) throws -> Embeddings {
        try embed(texts)
    }

    /// Refuses token ids, for models whose tokenizer is not the client's.
    ///
    /// - Throws: `InputError`, always.
    public func embed(tokens: [[Int32]]) throws -> Embeddings {
        throw InputError(
            "The embedding model \(identifier) takes texts, no token ids. Have the client send texts (LangChain: check_embedding_ctx_length=False)."
        )
    }
}

/// The role of a text that is embedded: some models make other vectors of questions.
public enum TextRole: Sendable, CaseIterable {
    /// It asks.
    case query
    /// It is kept, and found.
    case document
}

/// Vectors of one length, row after row.
public struct Embeddings: Sendable, Equatable {
    /// Elements of a vector.
    public let dimension: Int
    /// All elements, `count` × `dimension`.
    public package(set) var values: [Float]

    /// Vectors of `dimension` elements, one after the other.
    public init(dimension: Int, values: [Float]) {
        precondition(
            dimension > 0 && values.count % dimension == 0,
            "\(values.count) elements are no vectors of \(dimension).")
        self.dimension = dimension
        self.values = values
    }

    /// Zero vectors, to be filled.
    package init(dimension: Int, count: Int) {
        self.dimension = dimension
        values = [Float](repeating: 0, count: dimension * count)
    }

    /// The number of vectors.
    public var count: Int { values.count / dimension }

    /// The vector at `index`.
    public subscript(index: Int) -> [Float] {
        Array(values[index * dimension..<(index + 1) * dimension])
    }
}
