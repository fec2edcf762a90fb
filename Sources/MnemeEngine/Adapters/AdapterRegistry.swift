import Foundation
import MnemeKV
import MnemeModels
import NIOConcurrencyHelpers

/// An adapter that requests use, and the name of its contents. It stays in memory as long as somebody holds one.
struct LoadedAdapter: Sendable {
    let weights: DecoderAdapter
    /// ``MnemeModels/Adapter/hash``: keys and values that were computed with it are found by it.
    let hash: String
    /// Keeps it from being evicted.
    private let guest: KVGuest

    fileprivate init(_ contents: Contents, _ guest: KVGuest) {
        (weights, hash, self.guest) = (contents.weights, contents.hash, guest)
    }

    /// What lies in memory.
    fileprivate struct Contents: Sendable {
        let weights: DecoderAdapter
        let hash: String
        /// Tells whether the files are still those that were read.
        let stamp: String
    }
}

/// The adapters that an engine serves: read when a request names one, kept in the memory that keys and values are kept
/// in, up to a budget, and evicted by use (S-LoRA, Sheng et al. 2024) [177].
///
/// An adapter that is replaced or erased on disk is so for the next request; requests that run keep
/// the one they began with.
final class AdapterRegistry: Sendable {
    private let store: AdapterStore
    private let decoder: TransformerDecoder
    private let cache: KVCache
    /// Bytes of adapters in memory.
    private let budget: Int
    /// SHA-256 of the model's files; computed when the first adapter that is bound to one comes.
    private let baseHash: @Sendable () throws -> String
    /// That hash, once it is known. Whoever reads files holds it, so that none is read twice.
    private let base = NIOLockedValueBox<String?>(nil)

    init(
        _ store: AdapterStore, _ decoder: TransformerDecoder, in memory: (cache: KVCache, budget: Int),
        baseHash: @escaping @Sendable () throws -> String
    ) {
        (self.store, self.decoder, self.baseHash) = (store, decoder, baseHash)
        (cache, budget) = memory
    }

    /// Names of all that there are, for this model or another.
    func names() -> [String] { store.names() }

    /// An adapter's record, nil if it has none.
    func record(_ name: String) throws -> AdapterRecord? { try store.folder(name).record() }

    /// Adapters in memory, and their bytes.
    var loaded: (count: Int, bytes: Int) { cache.guests }

    /// An adapter by its name, from memory or disk.
    ///
    /// - Throws: ``MnemeModels/AdapterError`` if there is none, or it cannot be used with this
    ///   model; ``EngineError`` if running requests use more than the budget allows.
    func adapter(_ name: String) throws -> LoadedAdapter {
        try base.withLockedValue { base in
            let folder: AdapterFolder
            do { folder = try store.folder(name) } catch {
                cache.dismiss(name)
                throw error
            }
            let stamp = folder.stamp
            if let guest = cache.guest(name), let known = guest.contents as? LoadedAdapter.Contents,
                known.stamp == stamp
            {
                return LoadedAdapter(known, guest)
            }
            cache.dismiss(name)
            try checkRecord(folder, name, &base)
            let contents = try read(folder, stamp)
            return LoadedAdapter(contents, try guest(contents, name))
        }
    }

    /// Refuses adapters that were withdrawn, or made for another model's files.
    private func checkRecord(_ folder: AdapterFolder, _ name: String, _ base: inout String?) throws {
        guard let record = try folder.record() else { return }
        if let why = record.withdrawn {
            throw AdapterError(
                .unavailable,
                "The adapter '\(name)' was taken out of use: \(why) Train it again, or erase it with `mneme adapters erase \(name)`."
            )
        }
        guard let bound = record.baseHash else { return }
        let own = try base ?? baseHash()
        base = own
        guard bound == own else {
            throw AdapterError(
                .wrongBase,
                "The adapter '\(name)' is bound to other files of a model ('\(record.base)') than those that run here. Import or train it for this model."
            )
        }
    }

    private func read(_ folder: AdapterFolder, _ stamp: String) throws -> LoadedAdapter.Contents {
        do {
            let adapter = try folder.read(for: decoder.configuration)
            return LoadedAdapter.Contents(weights: try decoder.bind(adapter), hash: adapter.hash, stamp: stamp)
        } catch let error as AdapterError where error.code == .invalidFile {
            // The request is right; the files that are kept here are not.
            throw AdapterError(.unavailable, error.message)
        }
    }

    /// A place in memory; idle adapters, keys and values make room for it.
    private func guest(_ contents: LoadedAdapter.Contents, _ name: String) throws -> KVGuest {
        let bytes = contents.weights.byteCount
        guard bytes <= budget else {
            throw AdapterError(
                .unavailable,
                "The adapter '\(name)' takes \(bytes >> 20) MiB; there are \(budget >> 20) MiB for adapters."
            )
        }
        guard let guest = cache.admit(name, contents, bytes: bytes, most: budget) else {
            throw EngineError(
                .overloaded,
                "Running requests use so many adapters, keys and values that there is no memory for another adapter. Try again later."
            )
        }
        return guest
    }
}
