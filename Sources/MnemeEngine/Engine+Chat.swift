extension Engine {
    /// A prompt in whose message `index` texts stand that other prompts may hold, too: in parts if
    /// this engine reuses such, else as a whole.
    ///
    /// - Throws: ``EngineError`` as `LanguageModel.tokens(of:)`.
    public func prompt(
        _ model: LanguageModel, _ messages: [ChatMessage], tools: [ToolDefinition] = [],
        at index: Int, parts: (before: String, texts: [String], after: String)
    ) throws -> (tokens: [Int32], texts: [Range<Int>]) {
        if reusesTexts, !parts.texts.isEmpty {
            return try model.tokens(
                of: messages, tools: tools, at: index, before: parts.before, texts: parts.texts,
                after: parts.after)
        }
        var messages = messages
        messages[index].content = parts.before + parts.texts.joined() + parts.after
        return (try model.tokens(of: messages, tools: tools), [])
    }
}
