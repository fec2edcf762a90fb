/// The calls of tools that an answer may hold, and the format in which they are written.
///
/// A model is held to it while it writes, and what it wrote is read by it.
public struct ToolGrammar: Sendable {
    /// The format of calls.
    let format: ToolFormat
    /// The tools that may be called.
    package let tools: [ToolDefinition]
    /// True if the answer must be a call.
    let isRequired: Bool
    /// Calls of one answer at most.
    let maximumCalls: Int
    /// The text of the beginning of a call that stands at the prompt's end: the answer goes on
    /// behind it.
    public let callPrefix: String

    /// Calls of an answer that may hold several.
    public static let maximumParallel = 32

    /// A grammar of calls.
    ///
    /// - Parameters:
    ///   - set: the tools of the request, and how they may be called.
    ///   - format: how the model writes calls.
    ///   - tool: the one that is called, where that is settled.
    public init(_ set: ToolSet, format: ToolFormat, tool: ToolDefinition? = nil) {
        self.format = format
        tools = set.callable
        isRequired = set.isRequired
        // Small models would repeat a call that they must make until nothing more fits.
        maximumCalls = set.allowsParallel && !set.isRequired ? Self.maximumParallel : 1
        callPrefix =
            isRequired
            ? LiteralChoice.written(
                format.callPrefix + (tool.map { $0.name + format.middle } ?? "")) : ""
    }
}
