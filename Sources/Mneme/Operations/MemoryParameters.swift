import MnemeStore

/// Parameters and steps that operations on one memory share: its id, the reason, and how a change
/// is made and answered.
enum MemoryParameters {
    static let id = Parameter<CubeID>(
        "id", "The memory's id.", required: true, positional: true)
    /// Kept with the change in the journal, and shown by `history`.
    static let reason = Parameter<String>("reason", "Why; kept in the journal.")

    /// The parameters of an operation that changes one memory, in the order of its arguments.
    ///
    /// - Parameter own: those that only this operation has; they follow the id.
    static func forChange(_ own: any AnyParameter...) -> [any AnyParameter] {
        [id] + own + [reason] + ScopeParameters.owner
    }

    /// Carries out an operation that is one mutation of one memory.
    ///
    /// - Parameter mutation: of the memory that the input names.
    /// - Returns: the memory after it.
    /// - Throws: `InputError`, `AccessError`, `StoreError`.
    static func change(
        _ operation: any Operation.Type, _ input: OperationInput, _ context: OperationContext,
        _ mutation: (CubeID) -> Mutation
    ) async throws -> OperationOutput {
        let owner = try ScopeParameters.owner(input, context)
        let caller = context.caller(operation, reason: input[reason])
        let mutations = [mutation(try input.require(id))]
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                CubeOutput(memory: try store.commit(mutations, owner: owner, by: caller)[0])
            })
    }
}

/// The answer of operations on one memory.
struct CubeOutput: Encodable, Sendable {
    var memory: MemCube
    /// Its links in both directions; left out where the operation does not show them.
    var links: [CubeLink]?
}
