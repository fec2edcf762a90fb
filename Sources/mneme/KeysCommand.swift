import ArgumentParser
struct KeysCommand: AsyncParsableCommand { static let configuration = CommandConfiguration(commandName: "keys"); func run() async throws {} }
