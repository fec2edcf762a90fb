import Mneme
import MnemeStore

/// The set of tools that a session offers, as `--tools` and the query `tools` of `/mcp` name them.
///
/// All definitions stand in a model's context: fewer tools leave more of it for the work. A tool
/// that comes with the core is described briefly: without its rarer parameters, which it takes all
/// the same.
public struct MCPToolSet: Sendable, Equatable {
    /// Tools that are described in full.
    let whole: Set<String>
    /// Tools that are described briefly.
    let brief: Set<String>

    private init(whole: Set<String>, brief: Set<String>) {
        (self.whole, self.brief) = (whole, brief.subtracting(whole))
    }

    /// The tools that most agents need: remember, recall, list, get, update, forget.
    public static let core = MCPToolSet(whole: [], brief: Set(MCPTools.coreParameters.keys))
    /// Every tool.
    public static let all = MCPToolSet(whole: Set(MCPTools.names), brief: [])
    /// The core, and the two tools that connectors such as ChatGPT's ask for: search and fetch.
    public static let served = MCPToolSet(whole: Set(MCPTools.connectorNames), brief: core.brief)

    /// Reads `core`, `all`, or names of tools with commas between them; `core` may be one of them.
    ///
    /// - Throws: `InputError` for a name that is no tool's.
    public init(_ text: String) throws {
        let names = text.split(separator: ",").map { $0.filter { !$0.isWhitespace } }
        guard !names.isEmpty else {
            throw InputError("No tool is named. Say core, all, or names: \(Self.known).")
        }
        var set = MCPToolSet(whole: [], brief: [])
        for name in names {
            let part: MCPToolSet
            switch name {
            case "core": part = .core
            case "all": part = .all
            default:
                guard MCPTools.names.contains(name) else {
                    throw InputError(
                        "There is no tool '\(name.prefix(60))'. Say core, all, or names: \(Self.known)."
                    )
                }
                part = MCPToolSet(whole: [name], brief: [])
            }
            set = MCPToolSet(
                whole: set.whole.union(part.whole), brief: set.brief.union(part.brief))
        }
        self = set
    }

    private static var known: String { MCPTools.names.joined(separator: ", ") }

    func contains(_ name: String) -> Bool { whole.contains(name) || brief.contains(name) }
}
