/// A decoder that is to be trained, as planners count it.
public struct PlannedModel: Sendable, Codable, Equatable {
    /// Layers.
    public var layers: Int
    /// Floats of the stream.
    public var hidden: Int
    /// Channels of the feed-forward, which has three matrices.
    public var wide: Int
    /// Query heads.
    public var heads: Int
    /// Key-value heads.
    public var keyValueHeads: Int
    /// Tokens of the vocabulary.
    public var vocabulary: Int

    /// The shape of a GPT: as many parameters a layer as it has with four times its width.
    ///
    /// - Parameters:
    ///   - layers: of the model.
    ///   - hidden: its width; heads have 128 floats.
    public init(layers: Int, hidden: Int) {
        (self.layers, self.hidden, wide) = (layers, hidden, hidden * 8 / 3)
        (heads, keyValueHeads, vocabulary) = (max(1, hidden / 128), max(1, hidden / 128), 50_304)
    }

    /// Parameters of a layer.
    public var layerParameters: Double {
        let (h, w) = (Double(hidden), Double(wide))
        return h * h * (2 + 2 * Double(keyValueHeads) / Double(heads)) + 3 * h * w
    }

    /// All parameters, the output's being the embedding's.
    public var parameters: Double {
        Double(layers) * layerParameters + Double(vocabulary) * Double(hidden)
    }

    /// Operations of the forward and the backward pass over a sequence: six a parameter and token,
    /// and causal attention's.
    public func operations(tokens: Double) -> Double {
        6 * parameters * tokens + attentionOperations(tokens: tokens)
    }

    /// Attention's part, which grows with the square of the length: two products of half a square in
    /// the forward pass, twice as much in the backward pass.
    public func attentionOperations(tokens: Double) -> Double {
        6 * Double(layers) * Double(hidden) * tokens * tokens
    }

    /// Bytes of one layer's input for so many tokens, in two bytes a number.
    public func streamBytes(tokens: Double) -> Double { 2 * tokens * Double(hidden) }

    /// - Throws: ``TrainingError`` for shapes that are none.
    public func check() throws {
        guard layers > 0, hidden > 0, wide > 0, vocabulary > 0, keyValueHeads > 0,
            heads >= keyValueHeads, parameters < 1e15
        else {
            throw TrainingError(
                .invalidSetting,
                "The model to plan for has a shape that is none. Layers, hidden, wide, heads and vocabulary are above 0."
            )
        }
    }
}
