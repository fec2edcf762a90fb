import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeServer
import MnemeStore

/// `mneme mcp`: memory for an agent that starts this program itself. JSON-RPC lines on standard
/// input and output; nothing else is written to standard output.
///
/// Notes and errors go to standard error. It ends with its input, after what was written has its
/// vectors. Exit code 2 for tools that do not exist or an agent without a user. Jobs are not done
/// here: `mneme serve` or `mneme jobs run` does them.
struct MCPCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mcp",
        abstract:
            "Serve memory to an agent over standard input and output (Model Context Protocol).",
        discussion:
            #"In an agent's configuration: {"command": "mneme", "args": ["mcp", "--user", "NAME"]}"#
    )

    @OptionGroup var store: StoreOptions
    /// The owner of the agent's memories; the agent cannot name another then.
    @Option(help: "The only user whose memory the agent reaches; all if left out.") var user: String?
    /// The agent in the scope of what it remembers; it needs `--user`.
    @Option(
        help: "The agent's name: of the user's memories it reaches its own, and those of no agent.")
    var agent: String?
    /// `core` keeps the list short, as each tool takes tokens of the agent's context.
    @Option(
        help: ArgumentHelp(
            "Tools to offer: core, all, or names with commas between them.", valueName: "tools"))
    var tools = "core"

    /// Answers messages until the input ends, then closes the store.
    func run() async throws {
        let tools = try MCPToolSet(tools)
        guard agent == nil || user != nil else {
            throw InputError("An agent belongs to a user: say whose it is with --user.")
        }
        // Without the embedding model an agent that has some memory is better off than with none.
        let memory = try store.open(requiresModel: false)
        if memory.embedder == nil, let name = store.embedderName {
            Terminal.note(
                "Recall goes by words alone: the embedding model \(Setting.shown(name)) is not here. `mneme pull` fetches one."
            )
        }
        memory.resume()
        // An agent may read, write and erase; sharing and administration are for people.
        let principal = Principal(
            name: "mcp", permissions: [.read, .write, .erase], user: user, agent: agent)
        let session = MCPSession(
            memory: memory, principal: principal, version: MnemeCommand.version, tools: tools)
        let connection = MCPConnection(session) { message in
            FileHandle.standardOutput.write(Data((message + "\n").utf8))
        }
        await connection.serve(StandardInput.lines(maximum: MCPSession.maximumMessage))
        await memory.close()
    }
}
