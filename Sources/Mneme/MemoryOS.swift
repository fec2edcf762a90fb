import Foundation
import Logging
public import MnemeBase
package import MnemeIndex
import MnemeSeal
public import MnemeStore
import NIOConcurrencyHelpers
import Synchronization
import Tracing

/// Derived memory: what is made of memories and kept elsewhere, such as KV blocks.
public protocol DerivedMemory: Sendable {
    /// Erases what was made of these sources: ids of memories, or owners, see
    /// ``ChatMemory/sources(_:profile:)``; and what these references name.
    func erase(madeOf sources: Set<String>, _ activations: [ActivationReference]) throws
    /// Names of what was made of these sources and is out of use, though it is known what to make
    /// anew: adapters. None for what simply goes.
    func outOfUse(madeOf sources: Set<String>) throws -> [String]
    /// Files and folders in which it is kept; none if it lies in memory.
    var files: [String] { get }
    /// Looks, where it is kept outside of files, for what was made of these sources.
    ///
    /// - Returns: the place and what was found, in sentences; empty if it lies in files or memory.
    /// - Throws: if a place cannot be looked into.
    func search(madeOf sources: Set<String>) throws -> [RemoteSearch]
}

extension DerivedMemory {
    /// None: it simply goes.
    public func outOfUse(madeOf sources: Set<String>) throws -> [String] { [] }
    /// None: it lies in files or in memory.
    public func search(madeOf sources: Set<String>) throws -> [RemoteSearch] { [] }
}

/// What a search on another machine has found of what was made of erased memories.
public struct RemoteSearch: Sendable, Codable, Equatable {
    /// The place, without passwords.
    public var place: String
    /// Blocks that were looked at, and those among them that were made of what was erased.
    public var searched: Int, found: Int

    /// What was found at a place.
    public init(place: String, searched: Int, found: Int) {
        (self.place, self.searched, self.found) = (place, searched, found)
    }
}

/// The memory operating system: remembers, recalls, and looks after what it keeps.
///
/// ```swift
/// let memory = try await MemoryOS.open("memory.db", embedder: .miniLM)
/// try await memory.remember("Ana moved to Lisbon.", for: "ana")
/// let answer = try await memory.recall("Where does Ana live?", for: "ana")
/// await memory.close()
/// ```
///
/// A text that ``remember(_:scope:by:idempotencyKey:)`` acknowledges is on disk and found by its
/// words at once; its vector follows in the background and survives a crash as pending work.
public final class MemoryOS: Sendable {
    /// The store of the memories.
    public let store: any MemoryStore
    /// Makes vectors; nil recalls by words alone.
    public let embedder: (any TextEmbedder)?
    /// The embedder before: its vectors serve until all are made anew.
    public let formerEmbedder: (any TextEmbedder)?
    /// Cuts and stems words; the same for texts and questions.
    let analyzer = TextAnalyzer()
    /// For what goes wrong in the background, where nobody waits for an error.
    let logger = Logger(label: "mneme")

    /// Owners whose index is cached; the least recently used goes first.
    private static let maximumCachedIndexes = 64
    /// Indexes in memory, when each was used last, and a clock that ticks with each use.
    private struct CachedIndexes: Sendable {
        var cached: [IndexKey: (index: SharedIndex, used: UInt64)] = [:]
        var clock: UInt64 = 0

        /// Adds an index. Beyond ``maximumCachedIndexes`` the one unused for longest is dropped; it can
        /// be built again from the store.
        mutating func insert(_ index: SharedIndex, _ key: IndexKey) {
            if cached.count >= maximumCachedIndexes,
                let oldest = cached.min(by: { $0.value.used < $1.value.used })
            {
                cached[oldest.key] = nil
            }
            cached[key] = (index, clock)
        }
    }
    /// Whose memories, and how much of them: whoever sees a part has an index of that part, so that
    /// nothing tells of the rest.
    struct IndexKey: Hashable, Sendable {
        var owner: Owner
        var visibility = Visibility.all
    }
    /// Indexes by owner and visibility.
    private let indexes = NIOLockedValueBox(CachedIndexes())
    /// Whose memories were written without an index, see ``isIndexWanted(_:)``.
    private let writtenWithout = NIOLockedValueBox<Set<IndexKey>>([])
    /// Owners who are answered from the database, see ``coldCandidates(for:_:_:)``.
    let cold = NIOLockedValueBox(ColdOwners())
    /// Blocking work runs here, off Swift's cooperative pool; on more threads than the store has
    /// readers, so that a check of the whole store keeps few others waiting.
    private let worker = WorkQueue(label: "mneme.worker", width: 16)
    /// Serial: two batches at once would compute the same vectors.
    let embedding = DispatchQueue(label: "mneme.embedding")
    /// Serial: building and saving of indexes, one owner at a time.
    let indexing = DispatchQueue(label: "mneme.indexing")
    /// The folder in which vector indexes are kept between runs; nil keeps them in memory.
    let indexFolder: String?
    /// Bytes that one owner's vectors may take in memory, and all kept indexes on disk.
    let indexMemory: Int, indexDisk: Int
    /// Encrypts these indexes if the store is encrypted.
    let indexKey: DataKey?
    /// Makes an empty index of vectors; the file is where it is kept between runs.
    let makeVectors: @Sendable (_ dimension: Int, _ file: String?) throws -> any VectorIndex
    /// Group commit: writes that arrive together share one transaction and one wait for the disk.
    let writes = BatchQueue<PendingWrite, [Remembered]>(label: "mneme.writes")
    /// The stages of the pipeline.
    public let recipe: Recipe
    /// Do the background jobs.
    public let maintainers: [any Maintainer]
    /// Embeds questions in batches; nil without an embedder.
    let questions: QueryEmbedder?
    /// Uses that are not written yet, see ``recordUse(of:owner:time:)``.
    let uses = NIOLockedValueBox<[Owner: [CubeID: Usage]]>([:])
    /// The language model that jobs may ask; none until one is attached.
    let oracle = NIOLockedValueBox<(any Oracle)?>(nil)
    /// Told of each new profile, see ``MemoryPromoter``.
    let promoters = NIOLockedValueBox<[any MemoryPromoter]>([])
    /// Learns adapters for the job `promote`, see ``AdapterPromoter``; none until one is attached.
    let learner = NIOLockedValueBox<(any AdapterPromoter)?>(nil)
    /// Has the adapters of the language model that runs here; nil without one.
    let adapterHost = NIOLockedValueBox<(any AdapterHost)?>(nil)
    /// Findings of the guard in memories that were recalled lately.
    let inspections = InspectionCache()
    /// Opens and signs packages that left, when something is erased from them.
    let keys = NIOLockedValueBox(PackageKeys())
    /// Derived memories elsewhere, the last attached last.
    private let derived = NIOLockedValueBox<[any DerivedMemory]>([])
    /// True while embedding, or saving of indexes, is asked for: one pass serves all that asked.
    let embeddingScheduled = Atomic<Bool>(false), indexingScheduled = Atomic<Bool>(false)
    /// By index: the journal position at which a segment of its tables was last begun in the background.
    let segmentsTried = NIOLockedValueBox<[IndexKey: Int64]>([:])
    /// Owners whose memories other servers have changed, until their indexes have caught up.
    let noticed = NIOLockedValueBox(NoticedOwners())
    /// Owners whose index is to be written soon.
    let unsaved = NIOLockedValueBox(UnsavedIndexes())
    /// Index files that were looked through for what was erased, by name: what tells them from later
    /// ones.
    let swept = NIOLockedValueBox<[String: UInt64]>([:])
    /// Serial: catching up with what other servers write.
    let following = DispatchQueue(label: "mneme.following")
    /// Times that an index which is held caught up with another server's work in the background.
    let followed = Atomic<Int>(0)
    /// Sent when another server puts a job into the queue.
    let jobSignal = WakeSignal()
    /// Set by ``close(deadline:)``: background work ends after its present batch.
    let closed = Atomic<Bool>(false)

    /// Names analyses in the store that is handed to
    /// ``init(store:embedder:formerEmbedder:indexFolder:indexMemory:indexDisk:recipe:maintainers:)``.
    public static var analyzerVersion: String { Analysis.version }

    /// - Parameters:
    ///   - store: opened with ``analyzerVersion``.
    ///   - embedder: nil recalls by words alone.
    ///   - formerEmbedder: after a change of the embedder, the one before: its vectors serve until
    ///     ``reembed(deadline:progress:)`` has made all anew. nil recalls by words alone what has no
    ///     new vector yet.
    ///   - indexFolder: keeps indexes of vectors between runs, for owners of thousands of memories.
    ///     They can be deleted: what is missing or damaged is made again from the store. nil keeps
    ///     them in memory.
    ///   - indexMemory: bytes that the vectors of one owner may take in memory; beyond, they lie on
    ///     disk in the folder (some 5 million vectors of 384 elements take 4 GiB). nil takes a
    ///     quarter of the machine's memory.
    ///   - indexDisk: bytes that all that is kept in the folder may take; what would take more is
    ///     not kept. nil sets no bound.
    ///   - recipe: the stages of the pipeline.
    ///   - maintainers: do the background jobs.
    public init(
        store: any MemoryStore, embedder: (any TextEmbedder)?,
        formerEmbedder: (any TextEmbedder)? = nil,
        indexFolder: String? = nil, indexMemory: Int? = nil,
        indexDisk: Int? = nil, recipe: Recipe = .standard,
        maintainers: [any Maintainer] = .standard
    ) {
        self.store = store
        self.recipe = recipe
        self.maintainers = maintainers
        self.embedder = embedder
        self.formerEmbedder = formerEmbedder
        questions = embedder.map { QueryEmbedder($0, former: formerEmbedder) }
        self.indexFolder = indexFolder
        let bytes = indexMemory ?? Int(ProcessInfo.processInfo.physicalMemory / 4)
        let disk = indexDisk ?? .max
        (self.indexMemory, self.indexDisk) = (bytes, disk)
        let key = store.dataKey(for: "indexes")
        indexKey = key
        makeVectors = { dimension, file in
            try TieredIndex(
                dimension: dimension, memory: bytes, disk: disk, path: file, dataKey: key)
        }
    }

    /// For comparison: vectors in an index of one's choice, in memory.
    package init(
        store: any MemoryStore, embedder: any TextEmbedder,
        vectors: @escaping @Sendable (_ dimension: Int) throws -> any VectorIndex
    ) {
        self.store = store
        recipe = .standard
        maintainers = .standard
        self.embedder = embedder
        questions = QueryEmbedder(embedder, former: nil)
        (formerEmbedder, indexFolder) = (nil, nil)
        (indexMemory, indexDisk, indexKey) = (.max, .max, nil)
        makeVectors = { dimension, _ in try vectors(dimension) }
    }

    /// Erasing a memory erases what `derived` made of it, from now on. What was attached last is
    /// asked first: it may rest on the others.
    public func attach(_ derived: any DerivedMemory) {
        self.derived.withLockedValue { $0.append(derived) }
    }

    /// Erases a memory for good, and first of all what was made of it elsewhere: vectors, keys and
    /// values, the memories of such, and copies in files that ``write(_:of:to:passphrase:by:)``
    /// wrote.
    ///
    /// - Returns: the copies that had left the store, and which of them could be reached.
    /// - Throws: `StoreError`, and what the attached memories throw if something may
    ///   be left there: repeat it then.
    @discardableResult
    public func erase(_ id: CubeID, owner: Owner, by caller: Caller = .local) async throws
        -> [ExportedCopy]
    {
        try await run { [self] in try erase(id, owner: owner, by: caller) }
    }

    /// The blocking part of ``erase(_:owner:by:)``.
    ///
    /// Order matters: what was made of the memory goes first and is asked again at the end, as
    /// somebody may read the memory in between; copies come last, as they record an erasure that
    /// must be true.
    func erase(_ id: CubeID, owner: Owner, by caller: Caller) throws -> [ExportedCopy] {
        let visibility = try store.visibility(of: owner, for: .erase, by: caller)
        guard let cube = try store.cube(id, owner: owner, asOf: nil, by: .mneme),
            visibility.contains(cube)
        else {
            // What an earlier attempt left in copies.
            if visibility.isUnrestricted { _ = try reachExports(of: owner) }
            throw StoreError(
                .notFound,
                "There is no memory \(id) in this scope\(visibility.isUnrestricted ? "" : ", or it may not be erased")."
            )
        }
        // What a user said is in the prompts of the turns that followed, so all that was made for
        // the owner goes.
        let sources: Set = [id.description, Self.source(of: owner)]
        let attached = derived.withLockedValue { Array($0.reversed()) }
        // Before, so that nothing is left if this fails half-way; and after, as it may have been
        // read meanwhile.
        let made = try activations(of: sources, owner: owner)
        let references = made.compactMap(\.activation)
        for derived in attached { try derived.erase(madeOf: sources, references) }
        // What was taken out of it before it was kept goes with it.
        let originals = try store.links(of: id, owner: owner, by: .mneme).filter {
            $0.source == id && $0.kind == CubeLink.derivedFrom
        }.compactMap { link in
            try store.cube(link.target, owner: owner, asOf: nil, by: .mneme).flatMap {
                $0.provenance.isOriginal ? $0.id : nil
            }
        }
        let derivedTexts = try self.made(byRecipesOf: id, owner: owner)
        let ids = [id] + (made.map(\.id) + originals + derivedTexts).filter { $0 != id }
        removeFromFiles(ids, of: owner)
        // Adapters can be learned anew without it: their memories say that they are out of use.
        let adapters = try self.adapters(of: owner).filter {
            $0.adapter?.sources.contains(id.description) ?? false && $0.state.canBecome(.archived) && $0.id != id
        }
        // What was made of it goes, whoever sees it.
        var left: StoreError?
        do {
            _ = try store.commit(
                ids.map { Mutation.erase($0) } + adapters.map { Mutation.archive($0.id) }, owner: owner,
                by: caller.elevated)
        } catch let error as StoreError where error.code == .busy {
            // Erased, with old pages in the store's log: all else goes all the same.
            guard try store.cube(id, owner: owner, asOf: nil, by: .mneme) == nil else { throw error }
            left = error
        }
        for derived in attached { try derived.erase(madeOf: sources, references) }
        removeFromFiles(ids, of: owner)
        scheduleSaving(IndexKey(owner: owner))
        // Last: a copy says that it was erased, which is so by now. If this ends half-way, the list
        // of copies knows what is left to do.
        let copies = try reachExports(of: owner)
        if let left { throw left }
        return copies
    }

    /// Adapters that are out of use as a memory that they were made from was erased.
    func outOfUse(madeOf id: CubeID) async throws -> [String] {
        try await run { [self] in
            try derived.withLockedValue(\.self).flatMap { try $0.outOfUse(madeOf: [id.description]) }
        }
    }

    /// Every file and folder in which memories, and what is made of them, are kept.
    var keptFiles: [String] {
        store.files + [indexFolder].compactMap(\.self)
            + derived.withLockedValue { $0.flatMap(\.files) }
    }

    /// Looks on other machines for what was made of memories.
    func searchElsewhere(madeOf ids: [CubeID]) throws -> [RemoteSearch] {
        let sources = Set(ids.map(\.description))
        return try derived.withLockedValue { Array($0) }.flatMap { try $0.search(madeOf: sources) }
    }

    /// Names an owner among the sources of what is derived.
    static func source(of owner: Owner) -> String { "owner:\(owner.tenant)/\(owner.user)" }

    /// Waits for work in progress, writes what was counted and embeds what is pending, at most
    /// `deadline` long.
    ///
    /// Texts that were not embedded by then stay pending in the store. No call may follow.
    public func close(deadline: Duration = .seconds(10)) async {
        do { try await embedPending(deadline: deadline) } catch {
            logger.warning(
                "memories wait for vectors, as they could not be embedded",
                metadata: ["error": "\(error)"])
        }
        closed.store(true, ordering: .sequentiallyConsistent)
        await stopFollowing()
        await withCheckedContinuation { done in
            embedding.async { [self] in
                flushUses()
                do { try store.flush() } catch {
                    logger.error(
                        "the audit log was not written to its end", metadata: ["error": "\(error)"])
                }
                done.resume()
            }
        }
        await withCheckedContinuation { done in
            indexing.async { [self] in
                for (key, index) in cachedIndexes { saveIndex(key, index) }
                done.resume()
            }
        }
    }

    /// Takes up work that an earlier process left: memories without vectors are embedded in the
    /// background. Where servers share the store, indexes follow what the others write from now on.
    public func resume() {
        scheduleEmbedding(isOwn: false)
        follow()
    }

    /// Runs blocking work on the worker queue, see ``WorkQueue/run(_:)``.
    package func run<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        // Spans of what is done there belong to the caller's.
        let context = InstrumentationContext.current
        return try await worker.run {
            try InstrumentationContext.$current.withValue(context, operation: body)
        }
    }

    /// Runs work that must not run beside itself: embedding.
    func runEmbedding<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            embedding.async { continuation.resume(with: Result(catching: body)) }
        }
    }

    /// Embeds pending memories soon, in the background: what comes within a moment goes together,
    /// through the model and to the disk.
    ///
    /// - Parameter isOwn: where servers share the store, what others have written is left to them.
    func scheduleEmbedding(isOwn: Bool = true) {
        guard embedder != nil, !embeddingScheduled.exchange(true, ordering: .sequentiallyConsistent)
        else { return }
        // Vectors are written by the store's one writer, and other servers take them in.
        let pause = DispatchTimeInterval.milliseconds(shared == nil ? 50 : 200)
        embedding.asyncAfter(deadline: .now() + pause) { [self] in
            embeddingScheduled.store(false, ordering: .sequentiallyConsistent)
            guard !closed.load(ordering: .sequentiallyConsistent) else { return }
            do {
                // What comes from here on asks for a pass of its own.
                while try embedBatch(isOwn: isOwn) >= Self.embeddingBatch {}
                try prepareVectors()
            } catch {
                logger.warning(
                    "memories wait for vectors, as they could not be embedded",
                    metadata: ["error": "\(error)"])
            }
        }
    }

    /// The index of what is visible of an owner's memories, caught up with the journal. Changes
    /// wait while `body` reads it.
    func withIndex<R>(_ key: IndexKey, _ body: (OwnerIndex) throws -> R) throws -> R {
        let index = try cachedIndex(key)
        index.use()
        let result = try caughtUp(key, index, body)
        scheduleIndexing(key, index)
        return result
    }

    /// True if a write uses the index: if it is cached, and from the second write on, when caching
    /// it is cheaper than to read all words again.
    func isIndexWanted(_ key: IndexKey) -> Bool {
        if isCached(key) { return true }
        return writtenWithout.withLockedValue { written in
            if written.count >= Self.maximumCachedIndexes { written.removeAll() }
            return !written.insert(key).inserted
        }
    }

    /// True if an index is cached.
    func isCached(_ key: IndexKey) -> Bool { indexes.withLockedValue { $0.cached[key] != nil } }

    /// The indexes that are cached.
    var cachedIndexes: [(IndexKey, SharedIndex)] {
        indexes.withLockedValue { $0.cached.map { ($0.key, $0.value.index) } }
    }

    /// The index of an owner and visibility, made empty if it is not cached.
    func cachedIndex(_ key: IndexKey) throws -> SharedIndex {
        try indexes.withLockedValue { state in
            state.clock += 1
            if let cached = state.cached[key] {
                state.cached[key]!.used = state.clock
                return cached.index
            }
            let index = try makeIndex(key)
            state.insert(index, key)
            return index
        }
    }

    /// Caches an index that was loaded, unless there is one.
    func keep(_ index: SharedIndex, _ key: IndexKey) {
        indexes.withLockedValue { if $0.cached[key] == nil { $0.insert(index, key) } }
    }

    /// An empty index, which its first use loads.
    func makeIndex(_ key: IndexKey) throws -> SharedIndex {
        try SharedIndex { [weak self] in
            guard let self else { throw StoreError(.unavailable, "The store was closed.") }
            return try OwnerIndex(
                owner: key.owner, visibility: key.visibility,
                vectors: makeVectors(embedder?.dimension ?? 1, indexFile(key)),
                formerDimension: formerEmbedder?.dimension, file: indexFile(key),
                tableFile: tableFile(key), indexMemory: indexMemory,
                indexDisk: indexDisk, indexKey: indexKey)
        } removeErased: { [weak self] in
            self?.removeErasedFiles(of: key.owner)
        }
    }

    /// Where an index's changes come from.
    func source(of key: IndexKey) -> OwnerIndex.Source {
        OwnerIndex.Source(
            store: store, owner: key.owner, visibility: key.visibility,
            embedder: embedder?.identifier ?? "", former: formerEmbedder?.identifier,
            analyzer: analyzer)
    }

    /// Brings an index to the journal's end, reads it, and stores analyses that had to be made
    /// again.
    func caughtUp<R>(_ key: IndexKey, _ index: SharedIndex, _ body: (OwnerIndex) throws -> R) throws
        -> R
    {
        let caught = try index.catchUp(source(of: key))
        if caught.isUnsaved { scheduleSaving(key) }
        let result = try index.read(body)
        if !caught.rebuilt.isEmpty { try store.saveAnalyses(caught.rebuilt, owner: key.owner) }
        return result
    }
}
