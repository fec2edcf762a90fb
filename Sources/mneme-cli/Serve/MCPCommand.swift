import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeServer
import MnemeStore

/// mcp: the Model Context Protocol on standard input and output.
struct MCPCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mcp",
        abstract:
            "Serve memory to an agent over standard input and output (Model Context Protocol).",
        discussion:
            #"In an agent's configuration: {"command": "mneme", "args": ["mcp", "--user", "NAME"]}"#
    )

    @OptionGroup var store: StoreOptions
    @Option(help: "The only user whose memory the agent reaches; all if left out.") var user: String?
    @Option(
        help: "The agent's name: of the user's memories it reaches its own, and those of no agent.")
    var agent: String?

    func run() async throws {
        let memory = try store.open()
        memory.resume()
        guard agent == nil || user != nil else {
            throw InputError("An agent belongs to a user: say whose it is with --user.")
        }
        let principal = Principal(
            name: "mcp", permissions: [.read, .write, .erase], user: user, agent: agent)
        let session = MCPSession(
            memory: memory, principal: principal, version: MnemeCommand.version)
        for await line in StandardInput.lines(maximum: MCPSession.maximumMessage) {
            guard let answer = await session.answer(line) else { continue }
            FileHandle.standardOutput.write(Data((answer + "\n").utf8))
        }
        await memory.close()
    }
}
