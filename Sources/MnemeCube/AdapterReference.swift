/// A reference to weights that were learned, of an adapter of a language model or of an embedding model: what a
/// parametric cube holds.
public struct AdapterReference: Hashable, Sendable, Codable {
    /// What the weights are.
    public enum Kind: String, Hashable, Sendable, Codable {
        /// An embedding model of its own.
        case embedder
    }

    /// The adapter's name, which requests use.
    public var name: String
    /// The base model's name.
    public var model: String
    /// The hash of the base model's files; empty if it is not known.
    public var modelHash: String
    /// The hash of its weights.
    public var hash: String
    /// Numbers in its weights.
    public var parameters: Int
    /// Ids of the memories that it was made from.
    public var sources: [String]
    /// What the weights are; nil for an adapter of a language model.
    public var kind: Kind?

    /// An adapter of a model.
    public init(name: String, model: String, hash: String, parameters: Int) {
        (self.name, self.model, self.hash) = (name, model, hash)
        (self.parameters, modelHash, sources) = (parameters, "", [])
    }

    /// Tells it from others of its owner: an adapter and an embedding model may have one name.
    package var key: String { kind.map { "\($0.rawValue):\(name)" } ?? name }
}
