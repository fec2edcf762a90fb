/// Chooses once, at a watershed layer, and reads the same pages in all deeper ones (Round Attention,
/// Tang et al. 2025): behind it, layers look at much the same places.
///
/// The first layers, up to the watershed, read all rows. The paper's unit is a round of a
/// conversation; here it is a page of 32 rows, which its mean key stands for.
public struct RoundAttention: KVSelector {
    /// Layers up to the watershed, which read all.
    public var wholeLayers: Int
    /// The watershed itself.
    public var lastChoosing: Double
    /// The mean.
    public var vectors: Int { 1 }
    /// None.
    public var outliers: Double { 0 }

    /// - Parameters:
    ///   - layers: of the model.
    ///   - watershed: where the choice is made, in share of the layers.
    public init(layers: Int, watershed: Double = 0.4) {
        wholeLayers = Int(watershed * Double(layers))
        lastChoosing = watershed
    }

    /// The mean key.
    public func summary(_ keys: [[Float]]) -> KVPageSummary { KVPageSummary(vectors: [keys.mean]) }
}

extension [[Float]] {
    /// The mean of vectors of one length; there is one at least.
    var mean: [Float] {
        var mean = [Float](repeating: 0, count: self[0].count)
        for vector in self {
            for (i, x) in vector.enumerated() { mean[i] += x / Float(count) }
        }
        return mean
    }
}
