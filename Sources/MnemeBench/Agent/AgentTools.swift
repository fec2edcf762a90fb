/// The eight tools of an agent: files, three kinds of search, and two that need a compiler and say that there is none.
/// Names are those that LoCoBench-Agent's scenarios and metrics know.
public enum AgentTool: String, Sendable, CaseIterable {
    /// The text of a file.
    case readFile = "read_file"
    /// Writes a file; what was remembered of it before is not found any more.
    case writeFile = "write_file"
    /// The files of a folder.
    case listDirectory = "list_directory"
    /// Lines that hold a text.
    case searchCode = "search_code"
    /// Pieces of files that are recalled for a question.
    case semanticSearch = "semantic_search"
    /// Which files of the project a file imports, and which import it.
    case analyzeDependencies = "analyze_dependencies"
    /// Is not there: nothing is compiled.
    case compiler
    /// Is not there: nothing is run.
    case debugger

    /// What it does and what it is called with, for a model.
    public var summary: String {
        switch self {
        case .readFile: "path: the text of a file"
        case .writeFile: "path, content: writes a whole file"
        case .listDirectory: "path: the files of a folder; . is the project"
        case .searchCode: "query: the lines of all files that hold this text"
        case .semanticSearch: "query: the pieces of files that fit a question best"
        case .analyzeDependencies: "path: the files that a file imports, and those that import it"
        case .compiler: "is not there"
        case .debugger: "is not there"
        }
    }
}

/// What came of a call.
public struct AgentToolResult: Sendable, Equatable {
    /// What the agent sees.
    public var text: String
    /// The files that it names, the best first.
    public var files: [String] = []
    /// Whether it could not be done.
    public var isFailed = false

    /// A result with its text.
    public init(_ text: String) { self.text = text }

    /// A result that says what could not be done, and what to do instead.
    static func failed(_ text: String) -> AgentToolResult {
        var result = AgentToolResult(text)
        result.isFailed = true
        return result
    }
}
