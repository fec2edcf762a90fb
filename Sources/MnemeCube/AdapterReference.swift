/// A reference to an adapter of a language model: what a parametric cube holds.
public struct AdapterReference: Hashable, Sendable, Codable {
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

    /// An adapter of a model.
    public init(name: String, model: String, hash: String, parameters: Int) {
        (self.name, self.model, self.hash) = (name, model, hash)
        (self.parameters, modelHash, sources) = (parameters, "", [])
    }
}
