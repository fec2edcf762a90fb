import Foundation
public import MnemeStore

/// A text with a path that is a memory: a note of an agent that keeps its notes in files.
public struct TextFile: Sendable {
    /// Its path, such as `/memories/plan.txt`.
    public var path: String
    /// The memory.
    public let cube: MemCube

    /// The file's text.
    public var text: String { cube.text }
    /// True if it is quarantined, as it reads like an instruction: somebody has to release it.
    public var isQuarantined: Bool { cube.state == .quarantined }
}

/// The files of an owner: each is one memory, with its path beside the text. They are recalled,
/// kept from others, versioned and erased as all memories are.
///
/// Two writers of one new path at the same time may make two files; the older one is found.
public struct TextFiles: Sendable {
    private static let tag = "text-file", pathKey = "path"
    private let memory: MemoryOS
    private let owner: Owner
    private let caller: Caller

    /// The files of an owner, as the caller may see and change them.
    public init(_ memory: MemoryOS, of owner: Owner, by caller: Caller) {
        self.memory = memory
        self.owner = owner
        self.caller = caller
    }

    /// All files, by path.
    ///
    /// - Throws: `StoreError`, `AccessError`.
    public func all() async throws -> [TextFile] {
        let cubes = try await memory.tagged(Self.tag, of: owner, by: caller)
        let files = cubes.compactMap { cube -> TextFile? in
            guard cube.state == .activated || cube.state == .quarantined else { return nil }
            return cube.metadata[Self.pathKey].map { TextFile(path: $0, cube: cube) }
        }
        return files.sorted { ($0.path, $0.cube.id) < ($1.path, $1.cube.id) }
    }

    /// Makes a file.
    ///
    /// - Throws: `InputError` for a text that cannot be remembered, `StoreError`,
    ///   `AccessError`.
    public func create(_ path: String, text: String) async throws -> TextFile {
        try MemoryInput(text).check()
        var cube = MemCube(
            scope: Scope(tenant: owner.tenant, user: owner.user), type: .semantic, text: text,
            eventTime: caller.time, recordedTime: caller.time,
            provenance: Provenance(source: "file", reference: path))
        cube.tags = [Self.tag]
        cube.metadata = [Self.pathKey: path]
        return try await commit(cube) { .add($0, analysis: $1, contentHash: $2) }
    }

    /// Gives a file another text.
    ///
    /// - Throws: as ``create(_:text:)``, and a conflict if somebody else changed it meanwhile.
    public func write(_ text: String, to file: TextFile) async throws -> TextFile {
        try MemoryInput(text).check()
        var cube = file.cube
        (cube.text, cube.vouchedBy) = (text, nil)
        return try await commit(cube) { .update($0, analysis: $1, contentHash: $2) }
    }

    /// Gives a file another path.
    ///
    /// - Throws: as ``write(_:to:)``.
    public func move(_ file: TextFile, to path: String) async throws {
        var cube = file.cube
        cube.metadata[Self.pathKey] = path
        cube.provenance.reference = path
        _ = try await commit(cube) { .update($0, analysis: $1, contentHash: $2) }
    }

    /// Takes files away; they can be restored as forgotten memories can.
    ///
    /// - Throws: `StoreError`, `AccessError`.
    public func remove(_ files: [TextFile]) async throws {
        _ = try await memory.run { [memory, owner, caller] in
            try memory.store.commit(files.map { .archive($0.cube.id) }, owner: owner, by: caller)
        }
    }

    private func commit(
        _ cube: MemCube,
        _ mutation: @escaping @Sendable (MemCube, [UInt8], [UInt8]) -> Mutation
    ) async throws -> TextFile {
        let saved = try await memory.run { [memory, owner, caller] in
            var cube = cube
            let (analysis, hash) = try memory.describe(&cube)
            return try memory.store.commit(
                [mutation(cube, analysis, hash)], owner: owner, by: caller)[0]
        }
        memory.scheduleEmbedding()
        return TextFile(path: cube.metadata[Self.pathKey] ?? "", cube: saved)
    }
}

extension MemoryOS {
    /// All of an owner's memories with a tag, whatever their state, the oldest first.
    func tagged(_ tag: String, of owner: Owner, by caller: Caller) async throws -> [MemCube] {
        var cubes: [MemCube] = []
        var filter = CubeFilter(owner: owner, limit: 512)
        filter.tag = tag
        while true {
            try Task.checkCancellation()
            let page = try await run { [store, filter] in try store.list(filter, by: caller) }
            cubes += page
            guard page.count == filter.limit, let last = page.last else { return cubes }
            filter.after = last.id
        }
    }
}
