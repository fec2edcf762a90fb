import Foundation
public import MnemeKV
public import MnemeModels
import NIOConcurrencyHelpers

/// Runs a language model for many requests at once (continuous batching).
///
/// One thread of its own makes the steps that ``StepScheduler`` plans; callers read streams. Each
/// round of its loop takes in new requests, drops those that ended, starts what fits, and computes
/// one step for all that run. Cancelling the task that reads a stream ends its request before the
/// next step.
///
/// Answers depend on the request alone: neither other requests nor what is cached changes a bit.
/// The exceptions are asked for: ``Limits-swift.struct/recomputeRatio``, and a codec other than f16 for
/// blocks beyond memory. What ``KVCompression`` leaves out changes the answers that ask for it
/// alone.
public final class Engine: Sendable {
    /// The model.
    public let decoder: TransformerDecoder
    /// Its tokenizer.
    public let tokenizer: any Tokenizer
    let limits: Limits
    let cache: KVCache
    let folder: KVFolder?
    let reuse: TextReuse?
    let adapters: AdapterRegistry?
    /// All that callers and the thread share.
    let shared: NIOLockedValueBox<Shared>
    /// Made when the first schema comes; see ``SchemaVocabulary``.
    let sorted = NIOLockedValueBox<SchemaVocabulary?>(nil)
    /// Policies that were asked for.
    let policies = NIOLockedValueBox<[String: KVPolicy]>([:])
    /// Computes prompts' log-probabilities, one at a time.
    let scoring = DispatchQueue(label: "mneme.engine.prompts")
    /// Wakes the thread: there is work, or it shall end.
    let wake = DispatchSemaphore(value: 0)
    /// Signalled once, when the thread ends.
    let ended = DispatchSemaphore(value: 0)

    /// Bounds of an engine.
    public struct Limits: Sendable {
        /// Sequences that run at once.
        public var sequences = 16
        /// Requests that wait; more are refused.
        public var waiting = 256
        /// Bytes of keys and values, in use and kept for later: 4 GiB, but a quarter of the
        /// machine's memory at most.
        public var kvBytes = min(4 << 30, Int(ProcessInfo.processInfo.physicalMemory / 4))
        /// Tokens of a prompt and its answer; nil takes the model's context.
        public var context: Int?
        /// Of the tokens of ``GenerationRequest/texts`` that are known from other places, how many
        /// are computed again: those that the question attends to most (CacheBlend, Yao et al.
        /// 2025, chosen by attention). nil computes all anew, and answers are exact.
        public var recomputeRatio: Double?
        /// The most tokens of an answer that are drafted from its prompt and checked in one step, at
        /// once; 0 drafts none. Answers are the same with any number; fewer are drafted, or none,
        /// where that takes longer.
        public var draftTokens = 8
        /// How keys and values of answers are compressed where a request says nothing; nil keeps
        /// all as they are.
        public var kv: KVCompression?
        /// Says which requests start beside those that run; the default is what replays are best
        /// with, see docs/replay.md.
        public var admission: any AdmissionPolicy = PastFuture()
        /// Writes down which requests were answered, to be replayed.
        public var recorder: RequestRecorder?
        /// Whether what follows a prefix from a tier is computed as its layers come; measurements turn
        /// it off.
        package var loadsByLayers = true
        /// Told of each round of the loop, by tests.
        package var rounds: Rounds?
        /// Bytes of adapters in memory: 1 GiB, but a sixteenth of the machine's memory at most. They and
        /// ``kvBytes`` are one memory: keys and values use what adapters leave of theirs, and idle ones of
        /// either make room for the other.
        public var adapterBytes = min(
            1 << 30, Int(ProcessInfo.processInfo.physicalMemory / 16))

        /// Blocks for ``adapterBytes``; the last one of each adapter that runs is not full.
        func adapterBlocks(of bytes: Int) -> Int { adapterBytes / bytes + sequences }

        /// The defaults.
        public init() {}
    }

    /// Follows the engine's decisions, on its thread.
    package struct Rounds: Sendable {
        /// A round begins: what arrives now is seen in it.
        package var begins: @Sendable () -> Void
        /// What the round does.
        package var planned: @Sendable (StepPlan) -> Void

        /// Calls these.
        package init(
            begins: @escaping @Sendable () -> Void, planned: @escaping @Sendable (StepPlan) -> Void
        ) {
            self.begins = begins
            self.planned = planned
        }
    }

    /// Requests on their way to the thread, and figures on their way back.
    struct Shared {
        var arrived: [EngineSequence] = []
        var cancelled: Set<Int> = []
        var nextID = 0
        /// Prompts whose log-probabilities are asked for.
        var scoring = 0
        var closed = false
        var statistics = EngineStatistics()
    }

    /// Starts the engine's thread. ``close()`` ends it.
    ///
    /// - Parameters:
    ///   - model: weights, tokenizer and template.
    ///   - limits: how much it holds and runs at once.
    ///   - folder: where keys and values are kept beyond the process; nil keeps them in memory
    ///     only.
    ///   - remote: where other machines find them, too: a `RedisTier`.
    ///   - codec: how they are kept there; all but f16 change answers a little after a restart.
    ///   - adapters: those that requests may name; nil serves none.
    /// - Throws: `KVError` if there is no memory for keys and values, or the model's
    ///   files cannot be read.
    public init(
        _ model: LanguageModel, limits: Limits = Limits(), folder: KVFolder? = nil,
        remote: (any KVTier)? = nil,
        codec: KVCodec = .f16, adapters: AdapterStore? = nil
    ) throws {
        decoder = model.decoder
        tokenizer = model.tokenizer
        self.limits = limits
        self.folder = folder
        let isKept = folder != nil || remote != nil
        let weights =
            isKept
            ? try ModelIdentity.hash(model.path, cache: folder.map { $0.path + "/models" }) : ""
        let shape = KVShape(decoder.configuration)
        cache = try KVCache(
            shape: shape, model: .model(weights, decoder.configuration, codec: codec),
            modelName: model.name, bytes: limits.kvBytes,
            guestBlocks: adapters == nil ? 0 : limits.adapterBlocks(of: shape.blockBytes),
            localTier: folder, remoteTier: remote, codec: codec)
        reuse = limits.recomputeRatio.map { [cache] in TextReuse(cache, model.decoder, recomputeRatio: $0) }
        let identities = folder.map { $0.path + "/models" }
        self.adapters = adapters.map { [cache] in
            AdapterRegistry($0, model.decoder, in: (cache, limits.adapterBytes)) {
                try isKept ? weights : ModelIdentity.hash(model.path, cache: identities)
            }
        }
        shared = NIOLockedValueBox(Shared())
        let thread = Thread { [self] in loop() }
        thread.name = "mneme.engine"
        thread.stackSize = 4 << 20
        thread.start()
    }

    /// Ends all requests with an error and waits for the thread. Later requests are refused.
    public func close() {
        let first = shared.withLockedValue { shared in
            defer { shared.closed = true }
            return !shared.closed
        }
        guard first else { return }
        wake.signal()
        ended.wait()
        limits.recorder?.flush()
        cache.flush()
    }

    /// Forgets, in memory and on disk, all keys and values that were made with these memories in
    /// the text.
    ///
    /// - Parameters:
    ///   - sources: names of memories.
    ///   - texts: what these alone have goes, too: hashes of last blocks, as
    ///     `KVFolder` names them.
    /// - Throws: `KVError` if something may be left; what can be found is erased even so.
    public func erase(sources: Set<String>, texts: [KVHash] = []) throws {
        var blocks = Set(texts.flatMap { cache.unsharedBlocks($0) })
        var left: KVError?
        for text in texts {
            // What is not there any more need not be erased.
            do {
                guard let (own, fault) = try folder?.traceUnshared(text) else { continue }
                blocks.formUnion(own)
                left = left ?? fault
            } catch let error as KVError where error.code == .notFound {}
        }
        try cache.erase(sources: sources, blocks: blocks)
        if let left { throw KVFolder.leftBefore(left) }
    }

    /// Tokens that a prompt and its answer may have together.
    public var context: Int { min(limits.context ?? .max, decoder.configuration.contextLength) }

    /// Tokens that a prompt and its answer may have by the model and by the memory for keys and values.
    public var roomTokens: Int { min(context, cache.capacity * KVShape.blockTokens) }

    /// True if ``GenerationRequest/texts`` are reused at other places.
    var reusesTexts: Bool { reuse != nil }

    /// Texts whose KV blocks are on disk, the last used first; none if nothing is kept there.
    ///
    /// - Complexity: one read of the beginning of each block's file.
    public func keptTexts() -> [KVFolder.Text] { folder?.texts().map(\.text) ?? [] }

    /// Names of the adapters that requests may name.
    public var adapterNames: [String] { adapters?.names() ?? [] }

    /// What is known of an adapter besides its weights; nil if it came without a record.
    ///
    /// - Throws: `AdapterError` if there is none of this name, or the record is damaged.
    public func adapterRecord(_ name: String) throws -> AdapterRecord? { try adapters?.record(name) }

    /// An adapter that a request names; nil if it names none.
    ///
    /// - Throws: as ``AdapterRegistry/adapter(_:)``.
    func adapter(_ name: String?) throws -> LoadedAdapter? {
        guard let name else { return nil }
        guard let adapters else {
            throw AdapterError(.notFound, "There is no adapter '\(name.prefix(80))': none are served here.")
        }
        return try adapters.adapter(name)
    }

    /// Figures since the start.
    public var statistics: EngineStatistics {
        var statistics = shared.withLockedValue { $0.statistics }
        statistics.kv = cache.statistics
        if let loaded = adapters?.loaded {
            (statistics.adapters, statistics.adapterBytes) = loaded
        }
        return statistics
    }
}
