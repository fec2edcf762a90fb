/// Bounds the scores of a page's keys by their lowest and highest elements, and reads the pages
/// whose bound is highest (Quest, Tang et al. 2024).
///
/// The bound of a query q is Σ max(qᵢ·lowᵢ, qᵢ·highᵢ). The first two layers, whose attention is not
/// sparse, read all.
public struct Quest: KVSelector {
    /// The paper's two.
    public var wholeLayers: Int
    /// The lowest and the highest elements.
    public var vectors: Int { 2 }
    /// None.
    public var outliers: Double { 0 }
    /// Whether means of keys and values stand for what is not read (RetroInfer's estimation zone), which the paper
    /// leaves out.
    public let estimates: Bool

    /// By default with the paper's two layers that read all, and what is not read left out.
    public init(wholeLayers: Int = 2, estimates: Bool = false) {
        (self.wholeLayers, self.estimates) = (wholeLayers, estimates)
    }

    /// The lowest and the highest of each element.
    public func summary(_ keys: [[Float]]) -> KVPageSummary {
        var low = keys[0]
        var high = keys[0]
        for key in keys.dropFirst() {
            for (i, x) in key.enumerated() {
                low[i] = min(low[i], x)
                high[i] = max(high[i], x)
            }
        }
        return KVPageSummary(vectors: [low, high])
    }
}
