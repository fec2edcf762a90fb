import MnemeStore

/// Reads all that a filter finds, a page at a time, so that memory stays constant.
///
/// The next page begins after the last memory of the one before; what is recorded meanwhile may
/// come as well. A page that is not full is the last.
struct CubePages: Sendable {
    /// The filter of the next page; its `after` moves on from page to page.
    private var filter: CubeFilter
    /// Whose visibility bounds each page.
    private let caller: Caller
    /// Set by the first page that is not full.
    private var isAtEnd = false

    /// - Parameters:
    ///   - filter: its `limit` is the size of a page.
    ///   - caller: whose visibility bounds what is found.
    init(_ filter: CubeFilter, by caller: Caller) {
        self.filter = filter
        self.caller = caller
    }

    /// The next page, on the thread that calls; nil at the end.
    ///
    /// - Throws: `AccessError`, `StoreError`.
    mutating func next(from store: any MemoryStore) throws -> [MemCube]? {
        isAtEnd ? nil : take(try store.list(filter, by: caller))
    }

    /// The next page, read on the worker queue; nil at the end.
    ///
    /// - Throws: `CancellationError`, `AccessError`, `StoreError`.
    mutating func next(from memory: MemoryOS) async throws -> [MemCube]? {
        guard !isAtEnd else { return nil }
        return take(
            try await memory.run { [store = memory.store, filter, caller] in
                try store.list(filter, by: caller)
            })
    }

    /// Notes where a page ended.
    private mutating func take(_ page: [MemCube]) -> [MemCube]? {
        isAtEnd = page.count < filter.limit
        filter.after = page.last?.id
        return page.isEmpty ? nil : page
    }
}
