/// The choice of the tools that a model may call.
public enum ToolChoice: Sendable, Equatable {
    /// The model decides whether it calls any.
    case auto
    /// It calls none: the answer is text.
    case none
    /// It calls one or more.
    case required
    /// It calls this one.
    case named(String)
    /// It may call these alone, and must call one if so required.
    case among([String], isRequired: Bool)
}

/// The tools of a request and how they may be called, checked together.
public struct ToolSet: Sendable {
    /// The tools, in the client's order; no name twice.
    public let tools: [ToolDefinition]
    /// The tools that the model may call.
    public let choice: ToolChoice
    /// True if one answer may hold several calls.
    public let allowsParallel: Bool

    /// The most tools of a request, as OpenAI has it.
    public static let maximumTools = 128

    /// Tools of a request.
    ///
    /// - Throws: ``EngineError`` for a name that stands there twice, too many tools, and a choice
    ///   that no tool fits.
    public init(_ tools: [ToolDefinition], choice: ToolChoice = .auto, allowsParallel: Bool = true)
        throws
    {
        func refuse(_ message: String) -> EngineError { EngineError(.invalidRequest, message) }
        guard tools.count <= Self.maximumTools else {
            throw refuse("A request may have \(Self.maximumTools) tools; it has \(tools.count).")
        }
        var names: Set<String> = []
        for tool in tools where !names.insert(tool.name).inserted {
            throw refuse("Two tools are called '\(tool.name)'. Give each a name of its own.")
        }
        func require(_ chosen: [String]) throws {
            guard !chosen.isEmpty else { throw refuse("No tool is allowed. Say 'none' for that.") }
            for name in chosen where !names.contains(name) {
                throw refuse("The chosen tool '\(name.prefix(80))' is not among the tools.")
            }
        }
        switch choice {
        case .auto, .none: break
        case .required:
            guard !tools.isEmpty else { throw refuse("A call is required, but there is no tool.") }
        case .named(let name): try require([name])
        case .among(let names, _): try require(names)
        }
        self.tools = tools
        self.choice = choice
        self.allowsParallel = allowsParallel
    }

    /// The tools that the model may call: all, the named one, or none.
    public var callable: [ToolDefinition] {
        switch choice {
        case .auto, .required: tools
        case .none: []
        case .named(let name): tools.filter { $0.name == name }
        case .among(let names, _): tools.filter { names.contains($0.name) }
        }
    }

    /// True if the answer must be a call.
    public var isRequired: Bool {
        switch choice {
        case .auto, .none: false
        case .required, .named: true
        case .among(_, let isRequired): isRequired
        }
    }
}
