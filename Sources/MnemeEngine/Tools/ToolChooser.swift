import MnemeModels

/// Which tool a conversation asks for, where one must be called: the one under whose description
/// the user's words are likeliest.
///
/// A small model knows much better what a user says to somebody who can do a thing than which of
/// many names comes next: likelihood of the input given the label, the noisy channel (Min et al.
/// 2022, https://arxiv.org/abs/2108.04106). No word of any tool, and nothing of how often a name
/// occurs, enters the comparison.
struct ToolChooser {
    let model: LanguageModel
    let engine: Engine
    let adapter: String?

    /// Characters of the words and of a description that are compared: what a long text is about
    /// stands at its ends, and what a tool is for in its first sentences.
    private static let maximumWords = 1000, maximumDescription = 400
    /// Weights from which on a model writes the name by itself.
    private static let manyWeights = 1_000_000_000

    /// True if a model has so few weights that it knows tools by the words better than by their
    /// names.
    static func isSmall(_ c: DecoderConfiguration) -> Bool {
        let attention = c.hiddenSize * 2 * (c.heads * c.headDimension + c.kvSize)
        let layer = attention + 3 * c.hiddenSize * c.intermediateSize
        return c.layers * layer + c.vocabularySize * c.hiddenSize < manyWeights
    }

    /// ln p of the user's last words, given each tool alone, in their order; nil if the user did not
    /// speak last.
    ///
    /// - Throws: ``EngineError`` as ``Engine/probabilities(of:from:alternatives:)``, and for a model
    ///   without chat template.
    func scores(_ tools: [ToolDefinition], _ messages: [ChatMessage]) async throws -> [Double]? {
        guard let words = Self.words(of: messages) else { return nil }
        var scores: [Double] = []
        for tool in tools {
            let (tokens, place) = try prompt(tool, words)
            guard let place, place.lowerBound > 0, !place.isEmpty else {
                scores.append(-.infinity)
                continue
            }
            let scored = try await engine.probabilities(
                of: Array(tokens[..<place.upperBound]), from: place.lowerBound, alternatives: 0,
                adapter: adapter)
            scores.append(scored.reduce(0) { $0 + ($1.logProbability ?? 0) })
        }
        return scores
    }

    /// The words as they would be said to somebody who has one tool, and where they stand.
    private func prompt(_ tool: ToolDefinition, _ words: String) throws -> ([Int32], Range<Int>?) {
        let about = tool.description.prefix(Self.maximumDescription)
        let messages = [
            ChatMessage(
                role: "system", content: "You can call this function: \(tool.name). \(about)"),
            ChatMessage(role: "user", content: ""),
        ]
        let (tokens, places) = try model.tokens(
            of: messages, at: 1, before: "", texts: [words], after: "")
        return (tokens, places.first)
    }

    /// The user's last message, without the middle of a long text; nil if the user did not speak
    /// last.
    static func words(of messages: [ChatMessage]) -> String? {
        guard let last = messages.last, last.role == "user", case let text = last.content,
            !text.isEmpty
        else { return nil }
        guard text.count > maximumWords else { return text }
        return "\(text.prefix(maximumWords / 2))\n\(text.suffix(maximumWords / 2))"
    }

    /// A tool in words: its name, and what it is for.
    static func words(of tool: ToolDefinition) -> String {
        let name = String(tool.name.map { "_-.".contains($0) ? " " : $0 })
        return "\(name). \(tool.description.prefix(maximumDescription))"
    }
}

extension Engine {
    /// The user's last words and each tool in words, to be compared by an embedding model; nil where
    /// `tool(_:among:for:)` leaves the choice to the model.
    public func toolWords(
        among tools: [ToolDefinition], for messages: [ChatMessage]
    ) -> (asked: String, tools: [String])? {
        guard ToolChooser.isSmall(decoder.configuration),
            let asked = ToolChooser.words(of: messages)
        else { return nil }
        return (asked, tools.map(ToolChooser.words))
    }

    /// The tool that the user's last words ask for most, of those that may be called: how small
    /// models choose where a call is required and there is no embedding model.
    ///
    /// - Parameters:
    ///   - model: the model that the answer is computed with.
    ///   - tools: those that may be called.
    ///   - messages: the conversation.
    ///   - adapter: the adapter that the answer is computed with.
    /// - Returns: nil if the model writes the name better by itself: it has a billion weights or
    ///   more, or the user did not speak last.
    /// - Throws: ``EngineError`` as `probabilities(of:from:alternatives:)`.
    /// - Complexity: for each tool a prefill of its description and the words.
    public func tool(
        _ model: LanguageModel, among tools: [ToolDefinition], for messages: [ChatMessage],
        adapter: String? = nil
    ) async throws -> ToolDefinition? {
        let chooser = ToolChooser(model: model, engine: self, adapter: adapter)
        guard ToolChooser.isSmall(decoder.configuration),
            let scores = try await chooser.scores(tools, messages)
        else { return nil }
        // Of equals the first.
        var best = 0
        for i in scores.indices where scores[i] > scores[best] { best = i }
        return tools[best]
    }
}
