import ArgumentParser
struct MCPCommand: AsyncParsableCommand { static let configuration = CommandConfiguration(commandName: "mcp"); func run() async throws {} }
