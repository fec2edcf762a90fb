/// An agent without a model: it asks `semantic_search` for the user's words, reads what that found and the context
/// files, says what it read, and writes nothing. It is what a model has to beat.
public struct RuleAgent: BenchAgent {
    /// Files of a search that are read.
    private let depth: Int
    /// Calls of one turn; files beyond are read in the next.
    private static let mostSteps = 20

    /// - Parameter depth: files of a search that are read.
    public init(depth: Int = 5) { self.depth = depth }

    /// What acts, as reports name it.
    public var name: String { "a rule: search, read what is found and the context files, no edits; no model" }

    /// One search, then the files that it brought, then the context files that are not read yet.
    public func act(_ view: AgentView) async throws -> AgentAction {
        guard let search = view.steps.first else {
            return .call(
                AgentTool.semanticSearch.rawValue, ["query": view.turn == 1 ? view.scenario.task : view.message])
        }
        let known = view.read.union(view.steps.compactMap { $0.parameters["path"] })
        let wanted = search.result.files.prefix(depth) + view.scenario.contextFiles
        if view.steps.count < Self.mostSteps, let path = wanted.first(where: { !known.contains($0) }) {
            return .call(AgentTool.readFile.rawValue, ["path": path])
        }
        let read = view.steps.dropFirst().compactMap { $0.result.isFailed ? nil : $0.parameters["path"] }
        // A turn that brings nothing new is the phase's last.
        return .say(
            read.isEmpty ? "There is nothing more to read for this." : "Read: \(read.joined(separator: ", ")).",
            isDone: read.isEmpty)
    }
}
