import Mneme

@main struct Consumer {
    /// Remembers two sentences in the store that the first argument names, and asks for one; then
    /// commits to a store of its own.
    static func main() async throws {
        let memory = try await MemoryOS.open(CommandLine.arguments[1], embedder: .none)
        try await memory.remember("Ana moved to Lisbon.", for: "ana")
        try await memory.remember("Tom sails on Sundays.", for: "ana")
        let answer = try await memory.recall("Where does Ana live?", for: "ana")
        print(answer.memories[0].text)
        print(try DictionaryStore.trial())
    }
}
