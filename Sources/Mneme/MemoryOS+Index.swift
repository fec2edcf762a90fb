import Foundation
import Logging
import MnemeBase
import MnemeIndex
import MnemeSeal
public import MnemeStore
import NIOConcurrencyHelpers
import Synchronization

/// Large indexes of vectors become graphs in the background, and outlive a run as files; so do the
/// tables of words, documents and links. An owner has one of each.
extension MemoryOS {
    /// New vectors from which an index is written again, and the fewest that are worth a file: as
    /// many are read from the store in an instant.
    private static let savedEvery = 4_096
    /// New entries of the journal from which a segment is written of them: what is new beside the files
    /// is read from the store by each process, some twenty microseconds each.
    private static let segmentEvery: Int64 = 1_024
    /// As many from which a process that goes on does so: they lie in its memory, and who opens the store
    /// if it is killed reads them within two tenths of a second.
    private static let runningSegmentEvery: Int64 = 8_192

    /// Moves an owner's vectors to the graph soon, if there are enough, and writes what is new of tables,
    /// if it is much.
    func scheduleIndexing(_ key: IndexKey, _ index: SharedIndex) {
        let (vectors, isDue) = index.read { ($0.vectors as? TieredIndex, isSegmentDue(key, $0)) }
        guard vectors?.needsMaintenance ?? false || isDue,
            !closed.load(ordering: .sequentiallyConsistent),
            !indexingScheduled.exchange(true, ordering: .sequentiallyConsistent)
        else { return }
        indexing.async { [self] in
            defer { indexingScheduled.store(false, ordering: .sequentiallyConsistent) }
            maintain(key, index)
        }
    }

    /// Moves an owner's new vectors to the graph, or takes over the graph that another process has made
    /// of them, and writes what is new. Where another is at it, its files are waited for: nothing is
    /// done now.
    func maintain(_ key: IndexKey, _ index: SharedIndex) {
        writeIndexFiles(of: key.owner) { build(key, index) }
    }

    /// As ``maintain(_:_:)``, by who writes the owner's files.
    func build(_ key: IndexKey, _ index: SharedIndex) {
        do {
            try makeIndexFolder()
            adoptVectors(key, index)
            let vectors = index.read { $0.vectors } as? TieredIndex
            try vectors?.maintain { closed.load(ordering: .sequentiallyConsistent) }
        } catch {
            logger.debug(
                "vectors were not moved to a graph; they are scanned",
                metadata: ["error": "\(error)"])
        }
        saveFiles(key, index)
    }

    /// Writes an owner's files if much is new, and maps what was written in place of what was made:
    /// mapped pages are shared by all processes that read the file. Decrypted ones are not.
    private func saveFiles(_ key: IndexKey, _ index: SharedIndex) {
        if saveVectors(key, index), indexKey == nil, !closed.load(ordering: .sequentiallyConsistent) {
            adoptVectors(key, index)
        }
        saveTables(key, index)
    }

    /// Takes over the vectors of a file, if it has more in its graph than the index: another process
    /// has built it. Where that is not possible, the index stays as it is.
    private func adoptVectors(_ key: IndexKey, _ index: SharedIndex) {
        guard let file = indexFile(key),
            let saved = OwnerIndex.savedVectors(at: file, indexKey, owner: key.owner, store),
            index.read({ $0.filedVectors ?? -1 }) < saved, index.read({ $0.vectors.footprint.disk }) == 0
        else { return }
        do {
            guard try index.adoptVectors(of: file, at: saved, source(of: key)) else { return }
            logger.debug("an index that another process has built was taken over")
        } catch {
            // Lists on disk are one process's alone.
            logger.debug("an index's file was not taken over", metadata: ["error": "\(error)"])
        }
    }

    /// True if the next segment of an owner's tables is due, and none was tried at about this size: what
    /// is in no file is read from the store by each process that opens it, and lies in memory.
    ///
    /// All tables of a large index that has no file are written when it is closed, as what is remembered
    /// meanwhile makes a copy of them.
    private func isSegmentDue(_ key: IndexKey, _ tables: OwnerIndex) -> Bool {
        guard tables.documents.count >= Self.savedEvery, tableFile(key) != nil,
            !tables.segmentMarks.isEmpty || tables.documents.count < 16 * Self.savedEvery
        else { return false }
        let position = tables.position
        return segmentsTried.withLockedValue { tried in
            let last = max(tables.filedPosition, tried[key] ?? 0)
            // A journal that went back is shorter than what was tried.
            guard position - last >= Self.runningSegmentEvery || position < last else { return false }
            tried[key] = position
            return true
        }
    }

    /// Brings an owner's index into its best form and writes it, as after an import. What fails is
    /// tried again another time: an index is derived.
    public func prepareIndex(of owner: Owner) async throws {
        try await run { [self] in
            removeAbandonedFiles()
            try makeIndexFolder()
            let key = IndexKey(owner: owner)
            let index = try cachedIndex(key)
            let isDone: Void? = try writeIndexFiles(of: owner, waiting: Self.writerPatience) {
                try caughtUp(key, index) { _ in }
                adoptVectors(key, index)
                try (index.read { $0.vectors } as? TieredIndex)?.maintain()
                saveFiles(key, index)
            }
            // Another builds the files; vectors are scanned until then.
            if isDone == nil { try caughtUp(key, index) { _ in } }
        }
    }

    /// Seconds for which another process's building of an index is waited for.
    private static let writerPatience = 120.0

    /// Writes an owner's index if much is new, unless another process does.
    func saveIndex(_ key: IndexKey, _ index: SharedIndex) {
        guard isWorthFiles(index) else { return }
        writeIndexFiles(of: key.owner) { saveFiles(key, index) }
    }

    /// True if an index has so many memories that it may have files.
    private func isWorthFiles(_ index: SharedIndex) -> Bool {
        index.read { $0.documents.count } >= Self.savedEvery
    }

    /// Writes an owner's index soon, if it is in memory: one whose files went with an erasure, or that
    /// was made from the store, so that the next process finds files, however this one ends.
    func scheduleSaving(_ key: IndexKey) {
        guard indexFolder != nil, key.visibility == .all, isCached(key) else { return }
        let pause = unsaved.withLockedValue { unsaved -> Double? in
            defer { unsaved.owners.insert(key.owner) }
            return unsaved.owners.isEmpty ? unsaved.pause : nil
        }
        guard let pause else { return }
        indexing.asyncAfter(deadline: .now() + pause) { [weak self] in self?.saveUnsaved() }
    }

    /// Writes the indexes that ``scheduleSaving(_:)`` has noted. The next time is so far off that
    /// writing takes a small part of the time, however often memories are erased.
    private func saveUnsaved() {
        let owners = unsaved.withLockedValue { unsaved in
            defer { unsaved.owners = [] }
            return unsaved.owners
        }
        guard !closed.load(ordering: .sequentiallyConsistent) else { return }
        let clock = ContinuousClock()
        let start = clock.now
        for (key, index) in cachedIndexes where key.visibility == .all && owners.contains(key.owner) {
            saveIndex(key, index)
        }
        let seconds = (clock.now - start) / .seconds(1)
        unsaved.withLockedValue { $0.pause = max($0.leastPause, 30 * seconds) }
    }

    /// Sets the seconds after which indexes are written that have lost their files; for tests.
    package func setSavingPause(_ seconds: Double) {
        unsaved.withLockedValue { ($0.pause, $0.leastPause) = (seconds, seconds) }
    }

    /// Writes the tables of all owners whose index is held, where much is new; for a process that
    /// ends and has only read.
    package func keepTables() async {
        await withCheckedContinuation { done in
            indexing.async { [self] in
                for (key, index) in cachedIndexes where isWorthFiles(index) {
                    writeIndexFiles(of: key.owner) { saveTables(key, index) }
                }
                done.resume()
            }
        }
    }

    /// Writes what is new of an owner's tables as a segment, if it is much, and merges segments.
    ///
    /// Of what was erased nothing is in them but that there was something.
    private func saveTables(_ key: IndexKey, _ index: SharedIndex) {
        guard let file = tableFile(key) else { return }
        do {
            if try saveSegment(key, index, at: file) { try renew(key, index, from: file) }
            guard !closed.load(ordering: .sequentiallyConsistent) else { return }
            if try mergeSegments(key, at: file) { try renew(key, index, from: file) }
        } catch { logger.debug("tables were not written", metadata: ["error": "\(error)"]) }
    }

    /// Writes what files do not have of an owner's tables, if it is much.
    ///
    /// - Returns: whether the files have become others than the index has.
    private func saveSegment(_ key: IndexKey, _ index: SharedIndex, at file: String) throws -> Bool {
        let saved = OwnerIndex.savedPosition(at: file, indexKey, owner: key.owner, store)
        let marks = saved?.marks ?? []
        // Segments that another process has written are read, not written over.
        if !marks.isEmpty, try !caughtUp(key, index, { $0.segmentMarks.starts(with: marks) }) { return true }
        removeAbandonedFiles()
        // It is made while nothing changes the index, and written afterwards. All tables are not copied
        // for that.
        let made = try caughtUp(key, index) { tables -> OwnerIndex.WrittenSegment? in
            guard tables.segmentMarks.starts(with: marks) else { return nil }
            let segment = min(marks.count, tables.soundSegments)
            let isNew = tables.position - (saved?.reached.journal ?? 0) >= Self.segmentEvery
            guard tables.documents.count >= Self.savedEvery, isNew || segment < marks.count
            else { return nil }
            return try tables.segment(since: segment, store, isCopying: segment > 0)
        }
        guard let made else { return false }
        return try write(made, key, at: file)
    }

    /// Writes a segment, if there is room for it and nothing was erased meanwhile.
    ///
    /// - Returns: whether it is there.
    private func write(_ made: OwnerIndex.WrittenSegment, _ key: IndexKey, at file: String) throws -> Bool {
        try makeIndexFolder()
        let own = OwnerIndex.segmentFile(made.place, of: file)
        guard made.byteCount <= indexDisk - keptBytes(besides: own) else {
            logger.debug("tables are not kept: the folder would take more than it may")
            // Those before stay of use.
            OwnerIndex.removeTables(at: file, since: made.place)
            return false
        }
        try made.write(to: file, indexKey)
        // Another process may have erased a memory meanwhile.
        let since = try source(of: key).changes(since: FeedPosition(made.position, vectors: .max))
        if since.erased.isEmpty { return true }
        removeIndexFile(of: key.owner)
        return false
    }

    /// Writes several segments of an owner as one, if that is due: read from their files, so that nobody
    /// who asks or remembers waits for it.
    ///
    /// - Returns: whether it was done.
    private func mergeSegments(_ key: IndexKey, at file: String) throws -> Bool {
        guard let saved = OwnerIndex.savedPosition(at: file, indexKey, owner: key.owner, store),
            let first = SegmentMerge.first(saved.positions)
        else { return false }
        var filed = try filedIndex(key, at: file)
        filed.readTables(file, indexKey, store)
        guard filed.segmentMarks == saved.marks,
            let merged = try filed.segment(since: first, store)
        else { return false }
        return try write(merged, key, at: file)
    }

    /// An empty index to read an owner's tables into.
    func filedIndex(_ key: IndexKey, at file: String) throws -> OwnerIndex {
        try OwnerIndex(
            owner: key.owner, visibility: key.visibility, vectors: TieredIndex(dimension: 1),
            file: indexFile(key), tableFile: file, indexMemory: indexMemory, indexDisk: indexDisk,
            indexKey: indexKey)
    }

    /// Writes what files do not have of tables that nobody else has, if it is much.
    func saveChanges(of tables: OwnerIndex, _ key: IndexKey, since saved: OwnerIndex.Saved) throws {
        guard let file = tableFile(key), tables.segmentMarks == saved.marks,
            tables.soundSegments == saved.marks.count,
            tables.position - saved.reached.journal >= Self.segmentEvery,
            let made = try tables.segment(since: saved.marks.count, store)
        else { return }
        // Where another process writes, it has what is new as well.
        _ = try writeIndexFiles(of: key.owner) { try write(made, key, at: file) }
    }

    /// Removes what index files have of memories that are erased: of tables, the segments with something
    /// of them and those behind.
    func removeFromFiles(_ ids: [CubeID], of owner: Owner) {
        removeIndexFile(of: owner) { $0.contains(".tables") }
        let key = IndexKey(owner: owner)
        guard let file = tableFile(key), access(file, F_OK) == 0, var filed = try? filedIndex(key, at: file)
        else { return removeIndexFile(of: owner) }
        filed.readTables(file, indexKey, store)
        filed.removeSegments(of: ids, at: file)
        // Tables of another analysis, or that cannot be read.
        let name = ((file as NSString).lastPathComponent as NSString).deletingPathExtension
        removeIndexFile(of: owner) { $0.hasPrefix(name + ".") }
    }

    /// Reads tables from the files that they were just written to, so that they need no memory but
    /// for what comes.
    private func renew(_ key: IndexKey, _ index: SharedIndex, from file: String) throws {
        var filed = try filedIndex(key, at: file)
        filed.readTables(file, indexKey, store)
        guard filed.position > 0, try index.renew(from: &filed, source(of: key)) else {
            return logger.debug("tables stay in memory: their files have other documents")
        }
    }

    /// Writes the index of an owner's vectors if much is new.
    ///
    /// The index is let go of when this returns, as others would copy it.
    ///
    /// - Returns: whether it was written, and stays.
    private func saveVectors(_ key: IndexKey, _ index: SharedIndex) -> Bool {
        let owner = key.owner
        guard let file = indexFile(key) else { return false }
        do {
            let whole = try caughtUp(key, index) { $0 }
            let (vectors, erased) = (whole.vectors, whole.erasedCount)
            let others = keptBytes(besides: file)
            let mine = vectors.footprint
            guard others + mine.memory + mine.disk <= indexDisk else {
                logger.debug("an index is not kept: the folder would take more than it may")
                removeIndexFile(of: owner) { $0.contains(".tables") }
                return false
            }
            let saved = OwnerIndex.savedVectors(at: file, indexKey, owner: owner, store)
            guard vectors.count >= Self.savedEvery,
                saved.map({ vectors.position - $0 >= Int64(Self.savedEvery) }) ?? true
            else { return false }
            try makeIndexFolder()
            try whole.writeVectors(to: file, store)
            // Another process may have erased a memory meanwhile.
            guard try caughtUp(key, index, { $0.erasedCount }) == erased else {
                removeIndexFile(of: owner)
                return false
            }
            return true
        } catch {
            logger.debug("an index was not written", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// Looks through the indexes that are kept; `repair` deletes what is damaged, which then is
    /// made again from the store.
    func checkIndexes(repair: Bool) -> [StoreFinding] {
        guard let indexFolder else { return [] }
        let files = ((try? FileManager.default.contentsOfDirectory(atPath: indexFolder)) ?? [])
            .filter {
                $0.hasSuffix(".vectors") || $0.hasSuffix(".tables")
            }.map {
                indexFolder + "/" + $0
            }
        let damaged = files.filter {
            $0.hasSuffix(".tables")
                ? !TableReader.isSound(at: $0, dataKey: indexKey)
                : !TieredIndex.isSound(at: $0, dataKey: indexKey)
        }
        if repair { for file in damaged { TieredIndex.removeFiles(at: file) } }
        let bytes = files.reduce(0) {
            $0 + ((try? FileManager.default.attributesOfItem(atPath: $1)[.size] as? Int) ?? 0)
        }
        return [
            StoreFinding(
                check: "indexes", sound: damaged.isEmpty,
                detail: damaged.isEmpty
                    ? "\(files.count) kept, \(bytes >> 20) MiB"
                    : "\(damaged.count) of \(files.count) damaged; `mneme doctor --repair` deletes them, and they are made again from the store",
                repaired: repair && !damaged.isEmpty)
        ]
    }
}
