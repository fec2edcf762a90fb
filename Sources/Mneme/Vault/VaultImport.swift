public import Foundation
import MnemeBase
public import MnemeStore

/// The rule for a conflict: a memory that was changed both here and in the vault that comes,
/// neither version being the other's past.
public enum ConflictRule: String, Sendable, Codable, CaseIterable {
    /// Keeps the memory here.
    case keep
    /// The one that comes takes its place, as a next version.
    case take
    /// Keeps both, linked.
    case both
}

/// The outcome of importing a package or merging a vault: each memory that was read is counted
/// once, in `added`, `updated`, `unchanged`, `newerHere`, `duplicates`, `erasedHere`, `refused`, or
/// as a conflict that was left.
public struct VaultReport: Sendable, Codable {
    /// A memory that was changed here and there.
    public struct Conflict: Sendable, Codable {
        /// The memory here, and the beginning of its text.
        public var id: CubeID, here: String
        /// The beginning of its text there.
        public var there: String
    }

    /// Whose memories they were, when they were packed, and the position that was reached.
    public var from: Owner, created: Date, position: Int64
    /// What the package says of its position, see ``VaultPackage/Manifest/mark``. Not in JSON.
    public var mark: String?
    /// The signer's key, as hexadecimal digits.
    public var signedBy: String?
    /// Memories read.
    public var memories = 0
    /// Imported; of these quarantined, as they read like instructions to a model.
    public var added = 0, quarantined = 0
    /// Brought to a later version.
    public var updated = 0
    /// The same here, or here in a later version.
    public var unchanged = 0, newerHere = 0
    /// Duplicates: said here already, by the same speaker.
    public var duplicates = 0
    /// Erased here, and not brought back.
    public var erasedHere = 0
    /// Erased there, and now here.
    public var erased = 0
    /// Links made.
    public var links = 0
    /// Changed here and there, see ``ConflictRule``; the first hundred in words.
    public var conflictCount = 0, conflicts: [Conflict] = []
    /// Not imported, with the reason; the first hundred.
    public var refused = 0, problems: [String] = []
    /// The duration in seconds, embedding included.
    public var seconds = 0.0

    /// Names in JSON.
    private enum CodingKeys: String, CodingKey {
        case from, created, position, signedBy, memories, added, updated, unchanged, newerHere, duplicates
        case erasedHere, erased, links, conflictCount, conflicts, refused, problems, seconds
        case quarantined = "held"
    }
}

extension MemoryOS {
    /// Imports the memories of a package, with their history, under their own ids. What is here
    /// already is not doubled; what was erased here stays erased.
    ///
    /// The whole file is checked before anything is written. Repeating it changes nothing.
    ///
    /// - Parameters:
    ///   - path: the package's file.
    ///   - owner: whose memories they become.
    ///   - rule: what to do where a memory was changed here and there.
    ///   - trusted: the only key that may have signed it; nil takes any, and none.
    ///   - passphrase: opens a sealed file.
    ///   - caller: with whose rights.
    ///   - progress: done, total, and what is counted.
    /// - Throws: `InputError` if the file is no package or was changed, `AccessError`,
    ///   `StoreError`.
    public func importPackage(
        package path: String, into owner: Owner, conflicts rule: ConflictRule = .keep,
        trusted: Data? = nil,
        passphrase: String? = nil,
        by caller: Caller = .local,
        progress: (@Sendable (_ done: Int, _ total: Int, _ what: String) -> Void)? = nil
    ) async throws -> VaultReport {
        let (manifest, end) = try await run {
            try VaultPackageReader.verify(path: path, passphrase: passphrase)
        }
        if let trusted, end.key.flatMap(Hexadecimal.bytes) != trusted {
            throw InputError(
                "\(path) is \(end.key.map { "signed by \($0)" } ?? "not signed"), not by the key that you trust. Nothing was imported."
            )
        }
        var reader = try VaultPackageReader(path: path, passphrase: passphrase)
        var merge = VaultMerge(self, owner, rule, manifest, caller)
        merge.report.signedBy = end.key
        while let line = try reader.next(), line.end == nil {
            if try await merge.take(line) {
                progress?(merge.report.memories, end.memories, "memories")
            }
        }
        return try await merge.finish(progress)
    }

    /// Takes the memories of one vault into another of the same store.
    ///
    /// The same rules hold as for a package: ids of the source are taken by its own memories, so
    /// copies get derived ones, which are the same each time.
    /// - Throws: `InputError` for a vault merged with itself, `AccessError`, `StoreError`.
    public func merge(
        _ source: Owner, into owner: Owner, conflicts rule: ConflictRule = .keep,
        by caller: Caller = .local,
        progress: (@Sendable (_ done: Int, _ total: Int, _ what: String) -> Void)? = nil
    ) async throws -> VaultReport {
        guard source != owner else { throw InputError("A vault cannot be merged with itself.") }
        var merge: VaultMerge?
        for try await text in package(of: source, by: caller) {
            let line = try VaultPackage.decode(Array(text.utf8))
            if let manifest = line.manifest {
                merge = VaultMerge(self, owner, rule, manifest, caller)
            } else if line.end == nil {
                if try await merge!.take(line) { progress?(merge!.report.memories, 0, "memories") }
            }
        }
        return try await merge!.finish(progress)
    }
}
