/// The content of a cube: one case for each kind of memory.
public enum Payload: Hashable, Sendable {
    /// A text, exactly as it was given.
    case plaintext(String)
    /// A KV cache that was computed, and the text that it was computed of.
    case activation(ActivationReference, of: String)
    /// An adapter that was learned or imported, and a sentence that says so.
    case parametric(AdapterReference, of: String)

    /// The text that is remembered, that the KV cache was computed of, or that tells of the adapter.
    public var text: String {
        get {
            switch self {
            case .plaintext(let text), .activation(_, let text), .parametric(_, let text): text
            }
        }
        set {
            switch self {
            case .plaintext: self = .plaintext(newValue)
            case .activation(let reference, _): self = .activation(reference, of: newValue)
            case .parametric(let reference, _): self = .parametric(reference, of: newValue)
            }
        }
    }

    /// The reference to the KV cache, if the payload is one.
    public var activation: ActivationReference? {
        if case .activation(let reference, _) = self { reference } else { nil }
    }

    /// The reference to the adapter, if the payload is one.
    public var adapter: AdapterReference? {
        if case .parametric(let reference, _) = self { reference } else { nil }
    }

    /// True if it is a text: such cubes are indexed, recalled, exported and consolidated.
    public var isPlaintext: Bool {
        if case .plaintext = self { true } else { false }
    }

    /// What names the block or the adapter in a store's column, which texts leave empty.
    package var key: String? { activation?.block ?? adapter.map { Self.adapterKey + $0.key } }

    /// Begins ``key`` of adapters; no hash of a block does.
    package static let adapterKey = "adapter:"

    /// True if both stand for the same: equal payloads, or versions of one adapter.
    package func standsForTheSame(as other: Payload) -> Bool {
        guard case .parametric(let a, let text) = self, case .parametric(let b, text) = other else {
            return self == other
        }
        return a.key == b.key
    }
}

/// In JSON a payload is the fields `text` and, of other forms, `activation` or `adapter`.
extension Payload: Codable {
    /// Cubes with neither reference are texts.
    private enum CodingKeys: String, CodingKey { case text, activation, adapter }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let text = try container.decode(String.self, forKey: .text)
        self =
            try container.decodeIfPresent(ActivationReference.self, forKey: .activation)
            .map { .activation($0, of: text) }
            ?? container.decodeIfPresent(AdapterReference.self, forKey: .adapter)
            .map { .parametric($0, of: text) } ?? .plaintext(text)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(text, forKey: .text)
        try container.encodeIfPresent(activation, forKey: .activation)
        try container.encodeIfPresent(adapter, forKey: .adapter)
    }
}

/// A reference to a stored KV cache: what an activation cube holds.
public struct ActivationReference: Hashable, Sendable, Codable {
    /// The hash that names the last block, and with it all before.
    public var block: String
    /// The model's name.
    public var model: String
    /// The hash of all that the blocks depend on besides the tokens.
    public var modelHash: String
    /// Tokens that the blocks cover.
    public var tokens: Int
    /// Bytes that the blocks take.
    public var bytes: Int
    /// Sources that the blocks name: ids of memories, and owners whose words are in them.
    public var sources: [String]

    /// A reference to blocks, and what they were computed of.
    public init(
        block: String, model: String, modelHash: String, tokens: Int, bytes: Int,
        sources: [String] = []
    ) {
        self.sources = sources
        self.block = block
        self.model = model
        self.modelHash = modelHash
        self.tokens = tokens
        self.bytes = bytes
    }
}
