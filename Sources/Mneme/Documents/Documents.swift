import Crypto
public import Foundation
public import MnemeStore

/// JSON texts that a program keeps in the store for an owner, such as a server's stored answers.
///
/// They are cubes, so access rules, encryption, quotas, the audit log and erasing hold for them.
/// They are no memories: archived from the beginning, without words in the index, they are never
/// recalled.
public struct Documents: Sendable {
    /// The source by which documents are told from other cubes.
    static let source = "document"
    private let memory: MemoryOS
    private let owner: Owner
    private let caller: Caller

    /// A kept text.
    public struct Document: Sendable {
        /// Its name.
        public let id: CubeID
        /// The kept text.
        public let text: String
        /// The time at which it was kept.
        public let created: Date
        /// The tags that it was filed under.
        public let tags: [String]
    }

    /// The documents of an owner, as the caller may see them.
    public init(_ memory: MemoryOS, of owner: Owner, by caller: Caller) {
        self.memory = memory
        self.owner = owner
        self.caller = caller
    }

    /// Keeps a text.
    ///
    /// - Parameters:
    ///   - text: what it says.
    ///   - id: its name from now on.
    ///   - tags: what it is found by in ``all(tagged:)``.
    ///   - expires: when it stops being found; nil means never.
    /// - Throws: `InputError` if it is larger than a memory may be, `StoreError`,
    ///   `AccessError`.
    public func add(_ text: String, id: CubeID, tags: [String], expires: Date? = nil) async throws {
        try MemoryInput(text).check()
        var cube = MemCube(
            id: id, scope: Scope(tenant: owner.tenant, user: owner.user), type: .episodic,
            text: text, eventTime: caller.time, recordedTime: caller.time,
            provenance: Provenance(source: Self.source))
        cube.tags = tags
        cube.expires = expires
        cube.state = .archived
        let hash = Array(SHA256.hash(data: Data("document \(id)".utf8)).prefix(16))
        _ = try await memory.run { [memory, owner, caller, cube] in
            try memory.store.commit(
                [.add(cube, analysis: [], contentHash: hash)], owner: owner, by: caller)
        }
    }

    /// The document of that name; nil if there is none, or it has expired.
    ///
    /// - Throws: `StoreError`, `AccessError`.
    public func find(_ id: CubeID) async throws -> Document? {
        try await memory.run { [memory, owner, caller] in
            try memory.store.cube(id, owner: owner, asOf: nil, by: caller).flatMap {
                Self.document($0, at: caller.time)
            }
        }
    }

    /// The documents with a tag, the oldest first.
    ///
    /// - Throws: `StoreError`, `AccessError`.
    public func all(tagged tag: String) async throws -> [Document] {
        try await memory.tagged(tag, of: owner, by: caller).compactMap {
            Self.document($0, at: caller.time)
        }
    }

    /// Erases documents for good.
    ///
    /// - Throws: as ``MemoryOS/erase(_:owner:by:)``.
    public func erase(_ ids: [CubeID]) async throws {
        for id in ids { _ = try await memory.erase(id, owner: owner, by: caller) }
    }

    private static func document(_ cube: MemCube, at now: Date) -> Document? {
        guard cube.provenance.source == source, cube.state != .erased,
            cube.expires.map({ $0 > now }) ?? true
        else { return nil }
        return Document(
            id: cube.id, text: cube.text, created: cube.recordedTime, tags: cube.tags)
    }
}

extension MemoryOS {
    /// Erases an owner's documents whose time has ended.
    ///
    /// - Returns: how many.
    func eraseExpiredDocuments(of owner: Owner, now: Date) async throws -> Int {
        var count = 0
        var filter = CubeFilter(owner: owner, limit: 512)
        filter.state = .archived
        let caller = Caller(Caller.mneme.principal, operation: "job", reason: "expired", time: now)
        while true {
            try Task.checkCancellation()
            let page = try await run { [store, filter] in try store.list(filter, by: .mneme) }
            for cube in page where cube.provenance.source == Documents.source {
                guard let end = cube.expires, end <= now else { continue }
                _ = try await erase(cube.id, owner: owner, by: caller)
                count += 1
            }
            guard page.count == filter.limit, let last = page.last else { return count }
            filter.after = last.id
        }
    }
}
