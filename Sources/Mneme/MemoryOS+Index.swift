import Crypto
import Foundation
import Logging
import MnemeBase
import MnemeIndex
import MnemeSeal
public import MnemeStore
import Synchronization

/// Large indexes of vectors become graphs in the background, and outlive a run as files; so do the
/// tables of words, documents and links. An owner has one of each.
extension MemoryOS {
    /// New vectors from which an index is written again, and the fewest that are worth a file: as
    /// many are read from the store in an instant.
    private static let savedEvery = 4_096

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

    /// The name that all of an owner's files begin with, whatever the embedder.
    private static func indexName(of owner: Owner) -> String {
        digits("\(owner.tenant)\0\(owner.user)", 16)
    }

    /// The first digits of a text's hash: part of a file's name.
    private static func digits(_ text: String, _ count: Int) -> String {
        Hexadecimal.string(SHA256.hash(data: Data(text.utf8)).prefix(count))
    }

    /// Bytes of all kept indexes but one.
    private func keptBytes(besides file: String) -> Int {
        guard let indexFolder,
            let names = try? FileManager.default.contentsOfDirectory(atPath: indexFolder)
        else {
            return 0
        }
        return names.lazy.map { indexFolder + "/" + $0 }.filter { !$0.hasPrefix(file) }.reduce(0) {
            $0 + ((try? FileManager.default.attributesOfItem(atPath: $1)[.size] as? Int) ?? 0)
        }
    }

    /// Makes the folder for its owner alone, as vectors tell of texts.
    private func makeIndexFolder() throws {
        if let indexFolder { try Privacy.makeFolder(indexFolder) }
    }

    /// Removes what processes that ended in the middle of writing have left.
    private func removeAbandonedFiles() {
        guard let indexFolder,
            let names = try? FileManager.default.contentsOfDirectory(atPath: indexFolder)
        else {
            return
        }
        for name in names where name.hasSuffix(".tmp") {
            let writer = name.split(separator: ".").dropLast().last.flatMap { pid_t($0) }
            if writer.map({ $0 != getpid() && kill($0, 0) != 0 }) ?? true {
                try? FileManager.default.removeItem(atPath: indexFolder + "/" + name)
            }
        }
    }

    /// Erased vectors must not stay in a file: neither in the present embedder's nor in a former
    /// one's, nor where no embedder is at hand.
    ///
    /// - Parameter kept: the end of names of files that stay.
    func removeIndexFile(of owner: Owner, but kept: String? = nil) {
        guard let indexFolder,
            let names = try? FileManager.default.contentsOfDirectory(atPath: indexFolder)
        else {
            return
        }
        let own = Self.indexName(of: owner)
        for name in names where name.hasPrefix(own) || !name.contains("-") {
            if let kept, name.hasSuffix(kept) { continue }
            // Files without a dash are named as they once were, when nobody could tell whose they
            // are.
            unlink("\(indexFolder)/\(name)")
        }
    }

    /// Moves an owner's vectors to the graph soon, if there are enough.
    func scheduleIndexing(_ key: IndexKey, _ index: SharedIndex) {
        guard let vectors = index.read({ $0.vectors }) as? TieredIndex, vectors.needsMaintenance,
            !closed.load(ordering: .sequentiallyConsistent),
            !indexingScheduled.exchange(true, ordering: .sequentiallyConsistent)
        else { return }
        indexing.async { [self] in
            defer { indexingScheduled.store(false, ordering: .sequentiallyConsistent) }
            do {
                try makeIndexFolder()
                try vectors.maintain { closed.load(ordering: .sequentiallyConsistent) }
            } catch {
                logger.debug(
                    "vectors were not moved to a graph; they are scanned",
                    metadata: ["error": "\(error)"])
            }
            saveIndex(key, index)
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
            try (caughtUp(key, index) { $0.vectors } as? TieredIndex)?.maintain()
            saveIndex(key, index)
        }
    }

    /// Writes an owner's index if much is new.
    func saveIndex(_ key: IndexKey, _ index: SharedIndex) {
        saveVectors(key, index)
        saveTables(key, index)
    }

    /// Writes the tables of all owners whose index is held, where much is new; for a process that
    /// ends and has only read.
    package func keepTables() async {
        await withCheckedContinuation { done in
            indexing.async { [self] in
                for (key, index) in cachedIndexes { saveTables(key, index) }
                done.resume()
            }
        }
    }

    /// Writes an owner's tables if much is new: a sixteenth of them, so that all writing together
    /// stays in proportion to what was remembered.
    ///
    /// Of what was erased nothing is in them but that there was something.
    private func saveTables(_ key: IndexKey, _ index: SharedIndex) {
        guard let file = tableFile(key) else { return }
        do {
            let tables = try caughtUp(key, index) { $0 }
            let saved = OwnerIndex.savedPosition(at: file, indexKey, owner: key.owner, store)
            let wanted = max(Self.savedEvery, tables.documents.count / 16)
            guard tables.documents.count >= Self.savedEvery,
                saved.map({ tables.position - $0 >= Int64(wanted) }) ?? true
            else { return }
            try makeIndexFolder()
            removeAbandonedFiles()
            let limit = indexDisk - keptBytes(besides: file)
            guard try tables.writeTables(to: file, indexKey, store, limit: limit) else {
                logger.debug("tables are not kept: the folder would take more than it may")
                unlink(file)
                return
            }
            // Another process may have erased a memory meanwhile.
            if try caughtUp(key, index, { $0.erasedCount }) != tables.erasedCount {
                return removeIndexFile(of: key.owner)
            }
            try renew(key, index, from: file)
        } catch { logger.debug("tables were not written", metadata: ["error": "\(error)"]) }
    }

    /// Reads tables from the file that they were just written to, so that they need no memory but
    /// for what comes.
    private func renew(_ key: IndexKey, _ index: SharedIndex, from file: String) throws {
        var filed = try OwnerIndex(
            owner: key.owner, visibility: key.visibility, vectors: TieredIndex(dimension: 1),
            file: indexFile(key), tableFile: file, indexMemory: indexMemory, indexDisk: indexDisk,
            indexKey: indexKey)
        filed.readTables(file, indexKey, store)
        guard filed.position > 0, try index.renew(from: &filed, source(of: key)) else {
            return logger.debug("tables stay in memory: their file has other documents")
        }
    }

    /// Writes the index of an owner's vectors if much is new.
    private func saveVectors(_ key: IndexKey, _ index: SharedIndex) {
        let owner = key.owner
        guard let file = indexFile(key) else { return }
        do {
            let (vectors, names, erased) = try caughtUp(key, index) {
                ($0.vectors, $0.names.array, $0.erasedCount)
            }
            let others = keptBytes(besides: file)
            let mine = vectors.footprint
            guard others + mine.memory + mine.disk <= indexDisk else {
                logger.debug("an index is not kept: the folder would take more than it may")
                return removeIndexFile(of: owner, but: ".tables")
            }
            let saved = TieredIndex.savedPosition(at: file, dataKey: indexKey)
            guard vectors.count >= Self.savedEvery,
                saved.map({ vectors.position - $0 >= Int64(Self.savedEvery) }) ?? true
            else { return }
            try makeIndexFolder()
            try vectors.save(to: file) { $0 < names.count ? names[$0] : 0 }
            // Another process may have erased a memory meanwhile.
            if try caughtUp(key, index, { $0.erasedCount }) != erased { removeIndexFile(of: owner) }
        } catch { logger.debug("an index was not written", metadata: ["error": "\(error)"]) }
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
