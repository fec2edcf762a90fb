import Crypto
import Foundation
import Logging
import MnemeBase
import MnemeIndex
import MnemeStore
import NIOConcurrencyHelpers
import Synchronization

/// The folder of index files: their names, who writes them, and that nothing stays in them that was
/// erased. Several processes may use one folder, each with the store open.
///
/// A file is written beside its place and renamed, so that who reads it has it whole. One process at a
/// time writes an owner's files; the others map what it wrote, and catch up from the journal.
extension MemoryOS {
    /// The file of an owner's vectors of the present embedder. Indexes of a part of an owner's
    /// memories are not kept.
    func indexFile(_ key: IndexKey) -> String? {
        guard let indexFolder, let embedder, key.visibility == .all else { return nil }
        return
            "\(indexFolder)/\(Self.indexName(of: key.owner))-\(Self.digits("\(embedder.identifier)", 8)).vectors"
    }

    /// The file of an owner's tables: words, documents, conversations, links.
    func tableFile(_ key: IndexKey) -> String? {
        guard let indexFolder, key.visibility == .all else { return nil }
        return
            "\(indexFolder)/\(Self.indexName(of: key.owner))-\(Self.digits(Analysis.version, 8)).tables"
    }

    /// True if an owner's index lies in files, so that loading it reads little from the store.
    func hasIndexFiles(_ key: IndexKey) -> Bool {
        guard let tables = tableFile(key), access(tables, F_OK) == 0 else { return false }
        return indexFile(key).map { access($0, F_OK) == 0 } ?? true
    }

    /// The name that all of an owner's files begin with, whatever the embedder.
    private static func indexName(of owner: Owner) -> String {
        digits("\(owner.tenant)\0\(owner.user)", 16)
    }

    /// True for what is named as an owner's file: a folder may hold other things, which stay.
    private static func isIndexFile(_ name: String) -> Bool {
        let own = name.prefix { $0 != "-" }
        return own.count == 32 && own.allSatisfy(\.isHexDigit) && own.count < name.count
            && !name.hasSuffix(".tmp") && !name.hasSuffix(".lock")
    }

    /// The first digits of a text's hash: part of a file's name.
    private static func digits(_ text: String, _ count: Int) -> String {
        Hexadecimal.string(SHA256.hash(data: Data(text.utf8)).prefix(count))
    }

    /// Names in the folder; none where there is no folder.
    private var indexNames: [String] {
        indexFolder.flatMap { try? FileManager.default.contentsOfDirectory(atPath: $0) } ?? []
    }

    /// Bytes of all kept indexes but one.
    func keptBytes(besides file: String) -> Int {
        guard let indexFolder else { return 0 }
        return indexNames.lazy.map { indexFolder + "/" + $0 }.filter { !$0.hasPrefix(file) }.reduce(0) {
            $0 + ((try? FileManager.default.attributesOfItem(atPath: $1)[.size] as? Int) ?? 0)
        }
    }

    /// Makes the folder for its owner alone, as vectors tell of texts.
    func makeIndexFolder() throws {
        if let indexFolder { try Privacy.makeFolder(indexFolder) }
    }

    // MARK: One writer

    /// Runs what builds and writes an owner's files while no other process does.
    ///
    /// The lock is a file that goes with it. Where the file system knows no locks, several may write:
    /// the last one's file stays, which is as good.
    ///
    /// - Parameter seconds: how long to wait for another process.
    /// - Returns: nil if another holds the lock; `body` has not run then.
    /// - Throws: what `body` throws.
    @discardableResult
    func writeIndexFiles<R>(of owner: Owner, waiting seconds: Double = 0, _ body: () throws -> R) rethrows
        -> R?
    {
        guard let indexFolder else { return try body() }
        let path = "\(indexFolder)/\(Self.indexName(of: owner))-writer.lock"
        let lock: FileLock?
        do {
            try makeIndexFolder()
            lock = try FileLock.take(path, waiting: seconds)
        } catch {
            logger.debug("an index's files are written without a lock", metadata: ["error": "\(error)"])
            return try body()
        }
        guard let lock else { return nil }
        return try withExtendedLifetime(lock) {
            // While it is held: whoever opened it meanwhile sees that it is another's no more.
            defer { unlink(path) }
            return try body()
        }
    }

    // MARK: Erasing

    /// Removes what processes that ended in the middle of writing have left.
    func removeAbandonedFiles() {
        guard let indexFolder else { return }
        for name in indexNames where name.hasSuffix(".tmp") {
            let path = indexFolder + "/" + name
            let writer = name.split(separator: ".").dropLast().last.flatMap { pid_t($0) }
            let written = (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
            if Self.isAbandoned(by: writer, written ?? .distantPast) { unlink(path) }
        }
    }

    /// When this process looked for abandoned files first.
    private static let began = Date()

    /// Tells whether a half-written file's writer is gone. In containers that share a folder, numbers
    /// of processes mean another one, or this one, so that what is old counts as left, too.
    private static func isAbandoned(by writer: pid_t?, _ written: Date) -> Bool {
        guard let writer, written > Date().addingTimeInterval(-3_600) else { return true }
        return writer == getpid() ? written < began : kill(writer, 0) != 0 && errno == ESRCH
    }

    /// Erased vectors must not stay in a file: neither in the present embedder's nor in a former
    /// one's, nor where no embedder is at hand. What another process is writing goes, too.
    ///
    /// - Parameter isKept: tells by its name whether a file stays.
    func removeIndexFile(of owner: Owner, where isKept: (String) -> Bool = { _ in false }) {
        guard let indexFolder else { return }
        let own = Self.indexName(of: owner)
        for name in indexNames where name.hasPrefix(own) || !name.contains("-") {
            if name.hasSuffix(".lock") { continue }
            if isKept(name), !name.hasSuffix(".tmp") { continue }
            // Files without a dash are named as they once were, when nobody could tell whose they
            // are.
            unlink("\(indexFolder)/\(name)")
        }
    }

    /// Removes what an owner's files have that was erased since they were written, by whomever: of tables
    /// the segments with something of it and those behind, and vectors. So goes what is of another journal
    /// than the store's or cannot be read.
    ///
    /// Where the store does not tell, all go.
    func removeErasedFiles(of owner: Owner) {
        do { try removeErased(of: owner) } catch {
            logger.warning(
                "index files were removed, as it is not known whether something erased is in them",
                metadata: ["error": "\(error)"])
            removeIndexFile(of: owner)
        }
    }

    /// As ``removeErasedFiles(of:)``.
    ///
    /// - Throws: `StoreError`.
    private func removeErased(of owner: Owner) throws {
        guard let indexFolder else { return }
        let own = Self.indexName(of: owner)
        let names = indexNames.filter { $0.hasPrefix(own) }
        guard !names.isEmpty else { return }
        removeAbandonedFiles()
        let key = IndexKey(owner: owner)
        let tables = tableFile(key)
        if let tables { try removeErased(fromTablesAt: tables, key) }
        let isOwn = tables.map { (($0 as NSString).lastPathComponent as NSString).deletingPathExtension + "." }
        for name in names where name.hasSuffix(".tables") || name.hasSuffix(".vectors") {
            if let isOwn, name.hasPrefix(isOwn) { continue }
            let path = indexFolder + "/" + name
            let position = try OwnerIndex.journalPosition(of: path, indexKey, owner: owner, store)
            if let position, try store.erased(of: owner, since: position).isEmpty { continue }
            logger.debug("an index's file from before an erasure was removed")
            if name.hasSuffix(".vectors") { TieredIndex.removeFiles(at: path) } else { unlink(path) }
        }
    }

    /// As ``removeErased(of:)``, of the tables that this program reads.
    private func removeErased(fromTablesAt file: String, _ key: IndexKey) throws {
        guard access(file, F_OK) == 0,
            let saved = OwnerIndex.savedPosition(at: file, indexKey, owner: key.owner, store)
        else { return OwnerIndex.removeTables(at: file) }
        // The last segment was written by who knew of all erasures up to there.
        let erased = try store.erased(of: key.owner, since: saved.reached.journal)
        guard !erased.isEmpty else { return }
        var filed = try filedIndex(key, at: file)
        filed.readTables(file, indexKey, store)
        filed.removeSegments(of: erased, at: file)
    }

    /// Removes what was erased from the files of all owners: of those, too, whose index is not in
    /// memory, and who were changed while this server did not run or did not hear of it.
    ///
    /// - Parameter isWhole: false looks at files alone that are not as they were the last time. A
    ///   writer may have ended between putting a file in its place and looking whether another server
    ///   has erased something meanwhile.
    func sweepIndexFolder(isWhole: Bool) {
        guard let indexFolder, !closed.load(ordering: .sequentiallyConsistent) else { return }
        removeAbandonedFiles()
        let files = Dictionary(
            indexNames.filter(Self.isIndexFile).map { name in
                let known = try? FileManager.default.attributesOfItem(atPath: indexFolder + "/" + name)
                let written = known?[.modificationDate] as? Date ?? .distantPast
                // Numbers of files that are gone are given out again.
                return (
                    name,
                    (known?[.systemFileNumber] as? UInt64 ?? 0)
                        ^ written.timeIntervalSinceReferenceDate.bitPattern
                )
            }
        ) { first, _ in first }
        let former = swept.withLockedValue { $0 }
        let new = isWhole ? files : files.filter { former[$0.key] != $0.value }
        do {
            if !new.isEmpty {
                let owners = Dictionary(
                    try store.owners().map { (Self.indexName(of: $0), $0) }
                ) { first, _ in first }
                for (own, names) in Dictionary(grouping: new.keys, by: { $0.prefix { $0 != "-" } }) {
                    if let owner = owners[String(own)] {
                        try removeErased(of: owner)
                    } else {
                        // Of nobody whom the store knows.
                        for name in names { unlink("\(indexFolder)/\(name)") }
                    }
                }
            }
            swept.withLockedValue { $0 = files }
        } catch {
            // All of it is looked at the next time.
            swept.withLockedValue { $0 = [:] }
            logger.notice(
                "index files were not looked through for what was erased", metadata: ["error": "\(error)"])
        }
    }
}
