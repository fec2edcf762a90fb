/// Chooses rounds of a conversation once, at a watershed layer, and reads the same pages in all deeper ones (Round
/// Attention, Tang et al. 2025): behind it, layers look at much the same places.
///
/// A round ends where a message does: its mean key stands for it, and a page is worth what its rounds are. The first
/// layers, up to the watershed, read all rows. A text without messages has rounds of the longest length.
public struct RoundAttention: KVIndexSelector {
    /// Layers up to the watershed, which read all.
    public var wholeLayers: Int
    /// The watershed itself.
    public var lastChoosing: Double
    /// Tokens behind which a round ends, and the most rows of one.
    public var ends: Set<Int32>, longest: Int

    /// - Parameters:
    ///   - layers: of the model.
    ///   - ends: tokens that end a message.
    ///   - watershed: where the choice is made, in share of the layers.
    ///   - longest: the most rows of a round.
    public init(layers: Int, ends: Set<Int32> = [], watershed: Double = 0.4, longest: Int = 256) {
        wholeLayers = Int(watershed * Double(layers))
        lastChoosing = watershed
        (self.ends, self.longest) = (ends, longest)
    }

    /// To see where messages end.
    public var needsTokens: Bool { true }
    /// Vectors of rounds.
    public func index() -> any KVPageIndex { SentenceKV(ends: ends, longest: longest).index() }
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
