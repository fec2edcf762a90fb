import Crypto
import Foundation
import Logging
import MnemeIndex
import MnemeModels
public import MnemeStore
import NIOConcurrencyHelpers
import Synchronization

/// Large indexes of vectors become graphs in the background, and outlive a run as files, one an owner.
extension MemoryOS {
    /// New vectors from which an index is written again, and the fewest that are worth a file: as many are read from the store in an instant.
    private static let savedEvery = 4_096

    /// The file of an owner's vectors of the present embedder.
    func indexFile(of owner: Owner) -> String? {
        guard let indexFolder, let embedder else { return nil }
        let name = SHA256.hash(data: Data("\(owner.tenant)\0\(owner.user)\0\(embedder.identifier)".utf8)).prefix(16)
        return indexFolder + "/" + name.map { String(format: "%02x", $0) }.joined() + ".vectors"
    }

    /// Erased vectors must not stay in a file.
    func removeIndexFile(of owner: Owner) {
        if let file = indexFile(of: owner) { try? FileManager.default.removeItem(atPath: file) }
    }

    /// Moves an owner's vectors to the graph soon, if there are enough.
    func scheduleIndexing(_ owner: Owner, _ index: NIOLockedValueBox<OwnerIndex>) {
        guard index.withLockedValue({ $0.vectors.needsMaintenance }), !closed.load(ordering: .sequentiallyConsistent),
            !indexingScheduled.exchange(true, ordering: .sequentiallyConsistent)
        else { return }
        indexing.async { [self] in
            defer { indexingScheduled.store(false, ordering: .sequentiallyConsistent) }
            do {
                try index.withLockedValue { $0.vectors }.maintain { closed.load(ordering: .sequentiallyConsistent) }
            } catch { logger.debug("vectors were not moved to a graph; they are scanned", metadata: ["error": "\(error)"]) }
            saveIndex(of: owner, index)
        }
    }

    /// Brings an owner's index into its best form and writes it, as after an import. What fails is tried again another time: an index is derived.
    public func prepareIndex(of owner: Owner) async throws {
        try await run { [self] in
            let index = try heldIndex(of: owner)
            try caughtUp(owner, index) { $0.vectors }.maintain()
            saveIndex(of: owner, index)
        }
    }

    /// Writes an owner's index if much is new.
    func saveIndex(of owner: Owner, _ index: NIOLockedValueBox<OwnerIndex>) {
        guard let file = indexFile(of: owner) else { return }
        do {
            let (vectors, names, erased) = try caughtUp(owner, index) { ($0.vectors, $0.names, $0.erasedCount) }
            let saved = TieredIndex.savedPosition(at: file)
            guard vectors.count >= Self.savedEvery, saved.map({ vectors.position - $0 >= Int64(Self.savedEvery) }) ?? true else { return }
            try FileManager.default.createDirectory(atPath: indexFolder!, withIntermediateDirectories: true)
            try vectors.save(to: file) { $0 < names.count ? names[$0] : 0 }
            // Another process may have erased a memory meanwhile.
            if try caughtUp(owner, index, { $0.erasedCount }) != erased { removeIndexFile(of: owner) }
        } catch { logger.debug("an index was not written", metadata: ["error": "\(error)"]) }
    }
}
