import Foundation
import MnemeModels
import NIOConcurrencyHelpers

/// An adapter that requests use, and the name of its contents.
final class LoadedAdapter: Sendable {
    let weights: DecoderAdapter
    /// ``MnemeModels/Adapter/hash``: keys and values that were computed with it are found by it.
    let hash: String

    init(_ weights: DecoderAdapter, hash: String) { (self.weights, self.hash) = (weights, hash) }
}

/// The adapters that an engine serves: read when a request names one, kept in memory up to a budget,
/// and evicted by use (S-LoRA, Sheng et al. 2024).
///
/// An adapter that is replaced or erased on disk is so for the next request; requests that run keep
/// the one they began with.
final class AdapterRegistry: Sendable {
    private let store: AdapterStore
    private let decoder: TransformerDecoder
    /// Bytes of adapters in memory.
    private let budget: Int
    /// SHA-256 of the model's files; computed when the first adapter that is bound to one comes.
    private let baseHash: @Sendable () throws -> String
    private let state = NIOLockedValueBox(State())

    private struct State: Sendable {
        /// The one used least lately first.
        var entries: [Entry] = []
        var base: String?
        var bytes: Int { entries.reduce(0) { $0 + $1.adapter.weights.byteCount } }
    }

    private struct Entry: Sendable {
        var name: String
        /// Tells whether the files are still those that were read.
        var stamp: String
        var adapter: LoadedAdapter
    }

    init(
        _ store: AdapterStore, _ decoder: TransformerDecoder, budget: Int,
        baseHash: @escaping @Sendable () throws -> String
    ) {
        (self.store, self.decoder, self.budget, self.baseHash) = (store, decoder, budget, baseHash)
    }

    /// Names of all that there are, for this model or another.
    func names() -> [String] { store.names() }

    /// An adapter's record, nil if it has none.
    func record(_ name: String) throws -> AdapterRecord? { try store.folder(name).record() }

    /// Adapters in memory, and their bytes.
    var loaded: (count: Int, bytes: Int) { state.withLockedValue { ($0.entries.count, $0.bytes) } }

    /// An adapter by its name, from memory or disk.
    ///
    /// - Throws: ``MnemeModels/AdapterError`` if there is none, or it cannot be used with this
    ///   model; ``EngineError`` if running requests use more than the budget allows.
    func adapter(_ name: String) throws -> LoadedAdapter {
        let found = Result { () throws -> (AdapterFolder, String) in
            let folder = try store.folder(name)
            return (folder, folder.stamp)
        }
        return try state.withLockedValue { state in
            // It goes to the end of the list, or is not there any more.
            let known = state.entries.firstIndex { $0.name == name }.map {
                state.entries.remove(at: $0)
            }
            let (folder, stamp) = try found.get()
            if let known, known.stamp == stamp {
                state.entries.append(known)
                return known.adapter
            }
            try checkRecord(folder, name, &state)
            let adapter = try read(folder, name)
            try makeRoom(adapter.weights.byteCount, name, &state)
            state.entries.append(Entry(name: name, stamp: stamp, adapter: adapter))
            return adapter
        }
    }

    /// Refuses adapters that were withdrawn, or made for another model's files.
    private func checkRecord(_ folder: AdapterFolder, _ name: String, _ state: inout State) throws {
        guard let record = try folder.record() else { return }
        if let why = record.withdrawn {
            throw AdapterError(
                .unavailable,
                "The adapter '\(name)' was taken out of use: \(why) Train it again, or erase it with `mneme adapters erase \(name)`."
            )
        }
        guard let bound = record.baseHash else { return }
        let base = try state.base ?? baseHash()
        state.base = base
        guard bound == base else {
            throw AdapterError(
                .wrongBase,
                "The adapter '\(name)' is bound to other files of a model ('\(record.base)') than those that run here. Import or train it for this model."
            )
        }
    }

    private func read(_ folder: AdapterFolder, _ name: String) throws -> LoadedAdapter {
        do {
            let adapter = try folder.read(for: decoder.configuration)
            return LoadedAdapter(try decoder.bind(adapter), hash: adapter.hash)
        } catch let error as AdapterError where error.code == .invalidFile {
            // The request is right; the files that are kept here are not.
            throw AdapterError(.unavailable, error.message)
        }
    }

    /// Evicts the adapters that were used least lately and by no running request.
    private func makeRoom(_ bytes: Int, _ name: String, _ state: inout State) throws {
        guard bytes <= budget else {
            throw AdapterError(
                .unavailable,
                "The adapter '\(name)' takes \(bytes >> 20) MiB; there are \(budget >> 20) MiB for adapters."
            )
        }
        while state.bytes + bytes > budget {
            var idle: Int?
            for i in state.entries.indices
            where idle == nil && isKnownUniquelyReferenced(&state.entries[i].adapter) { idle = i }
            guard let idle else {
                throw EngineError(
                    .overloaded,
                    "Running requests use so many adapters that there is no memory for another. Try again later."
                )
            }
            state.entries.remove(at: idle)
        }
    }
}
