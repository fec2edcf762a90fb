public import MnemeStore

extension MemoryOS {
    /// Ids of an owner's memories that end so, at most three: for people and models, who are shown
    /// the last digits only.
    ///
    /// - Throws: `AccessError`, `StoreError`.
    public func ids(
        endingWith ending: String, owner: Owner, by caller: Caller = .local
    ) async throws -> [CubeID] {
        try await run { [store] in try store.ids(endingWith: ending, owner: owner, by: caller) }
    }
}
