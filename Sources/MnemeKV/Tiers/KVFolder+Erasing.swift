import Foundation
import MnemeBase
import NIOConcurrencyHelpers

/// Erasing: what a memory was part of, or a text alone has, is deleted, or an error says that some of
/// it may be left.
extension KVFolder {
    /// Deletes one block; one that is not there is deleted already.
    ///
    /// - Throws: ``KVError`` if the file cannot be deleted.
    public func remove(_ hash: KVHash) throws {
        guard unlink(file(hash)) == 0 || errno == ENOENT else { throw Self.undeleted(file(hash)) }
    }

    /// Deletes all blocks that were made with one of these memories in the text, as ``erase(_:)``
    /// does.
    ///
    /// - Throws: ``KVError`` if something may be left.
    /// - Complexity: one read of each file's beginning.
    public func erase(sources: Set<String>) throws {
        try erase { !sources.isDisjoint(with: $0.sources) }
    }

    /// Deletes blocks and all that follow them.
    ///
    /// Files whose header cannot be read, and half-written ones, go as well: nobody can use them,
    /// and nobody can say what they were made of.
    ///
    /// - Returns: how many of the blocks asked for, and of those that follow them.
    /// - Throws: ``KVError`` if something may be left; all else is deleted.
    @discardableResult
    public func erase(_ doomed: (Entry) -> Bool) throws -> Int {
        let listing = Self.list(path)
        let (sound, unsound) = entries(of: listing.blocks)
        var gone: Set<KVHash> = []
        var count = 0
        var left: KVError?
        func delete(_ path: String) -> Bool {
            if unlink(path) == 0 { return true }
            if errno != ENOENT { left = Self.undeleted(path) }
            return false
        }
        // Parents come first in the list.
        for entry in sound where gone.contains(entry.parent) || doomed(entry) {
            gone.insert(entry.hash)
            unlink(path + "/pins/" + entry.hash.description)
            if delete(file(entry.hash)) { count += 1 }
        }
        for path in unsound.map(\.path) + listing.halfWritten.map(\.path) { _ = delete(path) }
        size.withLockedValue { $0 = nil }
        if let unlisted = listing.unlisted.first {
            left = KVError(
                .inputOutput,
                "KV blocks may be left: \(unlisted) cannot be listed. Make it readable, then erase again."
            )
        }
        if let left { throw left }
        return count
    }

    /// Deletes what a text alone has.
    ///
    /// - Returns: how many files; 0 if others begin with all of it.
    /// - Throws: ``KVError``: ``KVError/Code/notFound`` if there is no such block. If one before it
    ///   is missing or unsound, what can be found is deleted, and the error says that more may be
    ///   left.
    @discardableResult
    public func erase(text hash: KVHash) throws -> Int {
        let (blocks, fault) = try traceUnshared(hash)
        let count = try erase { $0.hash == blocks.first }
        if let fault { throw Self.leftBefore(fault) }
        return count
    }

    /// Says that blocks of a text may be left, because one that names them is not whole.
    package static func leftBefore(_ fault: KVError) -> KVError {
        KVError(
            fault.code,
            "\(fault.message) What stands behind it was deleted; blocks before it may be left. "
                + "`mneme kv erase --all` deletes all blocks."
        )
    }

    /// The blocks of a text that no other begins with, in order. Without them it is gone.
    ///
    /// - Throws: ``KVError`` if a part is missing or damaged.
    /// - Complexity: one read of each file's beginning.
    public func unsharedBlocks(_ hash: KVHash) throws -> [KVHash] {
        let (blocks, fault) = try traceUnshared(hash)
        if let fault { throw fault }
        return blocks
    }

    /// As ``unsharedBlocks(_:)``, but where a block is missing or unsound, the text's own blocks behind it, and
    /// what is wrong: which of those before it are the text's nobody can say.
    package func traceUnshared(_ hash: KVHash) throws -> (blocks: [KVHash], fault: KVError?) {
        let entries = entries()
        let children = Dictionary(grouping: entries, by: \.parent)
        let (chain, fault) = try trace(hash)
        func isShared(_ hash: KVHash) -> Bool { (children[hash]?.count ?? 0) > 1 }
        let first = chain.lastIndex(where: isShared).map { $0 + 1 } ?? 0
        let parent = entries.first { $0.hash == chain.first }?.parent
        // Behind a branch all is known, whatever is wrong before it.
        let isWhole = first > 0 || parent.map(isShared) ?? false
        return (Array(chain[first...]), isWhole ? nil : fault)
    }

    static func undeleted(_ path: String) -> KVError {
        KVError(
            .inputOutput,
            "KV blocks may be left: \(path) cannot be deleted (\(errnoText())). Delete it by hand, then erase again."
        )
    }
}
