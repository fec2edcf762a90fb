import Foundation
import Mneme
public import MnemeBase
public import MnemeSeal
import MnemeStore

/// Speed of writing and recalling at a size of the store, over made-up sentences from a fixed seed,
/// so that two runs store the same.
///
/// Measured in this order: loading in batches, embedding, single writes by one caller, by many at
/// once, opening again, and questions. All times are wall-clock times.
public struct StoreBenchmark: Sendable {
    /// The measurements.
    public struct Report: Sendable, Codable {
        /// Memories loaded.
        public var memories: Int
        /// Memories loaded a second, in batches of 256.
        public var loadPerSecond: Double
        /// Vectors made and stored a second.
        public var embedPerSecond: Double
        /// Single remembers, acknowledged and durable, without vectors.
        public var writeP50, writeP99: Double
        /// Single remembers a second by ``callers`` at once, each acknowledged and durable before
        /// its caller goes on.
        public var concurrentPerSecond: Double
        /// Callers at once.
        public var callers: Int
        /// From opening the store to the first answer, in a warm process.
        public var openMilliseconds: Double
        /// Recalls, embedding of the question included.
        public var recallP50, recallP99: Double
        /// Bytes of the file and its log.
        public var bytesOnDisk: Int
        /// Resident bytes of the process at the end.
        public var residentBytes: Int

        /// The report as text for people.
        public var summary: String {
            String(
                format: """
                    memories            %d (%.0f MiB on disk, process %.0f MiB)
                    bulk load           %.0f a second, then embedded at %.0f a second
                    remember            p50 %.2f ms, p99 %.2f ms (one message, durable)
                    remember, %2d callers %.0f a second (each message acknowledged and durable)
                    open + first answer %.0f ms
                    recall              p50 %.2f ms, p99 %.2f ms (question embedded)
                    """, memories, Double(bytesOnDisk) / 1_048_576,
                Double(residentBytes) / 1_048_576, loadPerSecond,
                embedPerSecond, writeP50, writeP99,
                callers, concurrentPerSecond, openMilliseconds,
                recallP50, recallP99)
        }
    }

    /// Callers that write at once: enough that one commit holds messages of many.
    private static let callers = 64
    /// The number of memories loaded, of single writes timed, and of questions timed.
    let memories, writes, questions: Int
    /// The store's folder; a temporary one if nil. What it holds of the memories is not loaded again.
    let folder: String?
    /// Memories from one keeping of the index to the next while loading, so that it never has to
    /// take in all at once.
    private static let step = 65_536
    /// Encrypts the store; nil for none.
    let key: EncryptionKey?

    /// Sizes of the run; `folder` nil uses a temporary one, and with a `key` the store is
    /// encrypted.
    public init(
        memories: Int, writes: Int, questions: Int, folder: String?, key: EncryptionKey? = nil
    ) {
        self.key = key
        self.memories = max(1, memories)
        self.writes = max(1, writes)
        self.questions = max(1, questions)
        self.folder = folder
    }

    /// Loads, writes and asks.
    ///
    /// - Parameter progress: done, total and what.
    public func run(
        embedder: any TextEmbedder, progress: @escaping @Sendable (Int, Int, String) -> Void
    ) async throws
        -> Report
    {
        let folder = folder ?? NSTemporaryDirectory() + "mneme-bench-\(UUID().uuidString)"
        defer { if self.folder == nil { try? FileManager.default.removeItem(atPath: folder) } }
        let path = folder + "/store.db"
        let owner = Owner(user: "bench")
        let scope = Scope(user: "bench")
        var report = Report(
            memories: memories, loadPerSecond: 0, embedPerSecond: 0, writeP50: 0, writeP99: 0,
            concurrentPerSecond: 0,
            callers: Self.callers,
            openMilliseconds: 0, recallP50: 0, recallP99: 0, bytesOnDisk: 0,
            residentBytes: 0)
        let clock = ContinuousClock()
        var sentences = Sentences(seed: 42)
        let store = try SQLiteMemoryStore(path: path, analyzer: MemoryOS.analyzerVersion, key: key)
        let memory = MemoryOS(store: store, embedder: embedder, indexFolder: folder + "/index")

        // What is there from a former run is passed over.
        let known = try store.count(owner: owner, limit: .max)
        for number in 0..<known { _ = sentences.input(number) }
        var (loading, embedding) = (Duration.zero, Duration.zero)
        for first in stride(from: known, to: memories, by: Self.step) {
            let end = min(first + Self.step, memories)
            // Loading, as an import does: 256 messages a transaction.
            let begun = clock.now
            for start in stride(from: first, to: end, by: 256) {
                let inputs = (start..<min(start + 256, end)).map { sentences.input($0) }
                _ = try await memory.record(inputs, scope: scope, by: .local, isBulk: true)
                progress(start, memories, "stored")
            }
            let stored = clock.now
            loading += stored - begun
            // Vectors of all of them, as the background work makes them.
            try await memory.embedPending { done, _ in progress(first + done, memories, "embedded") }
            embedding += clock.now - stored
            progress(end, memories, "indexed")
            try await memory.prepareIndex(of: owner)
        }
        let loaded = max(0, memories - known)
        report.memories = max(known, memories)
        report.loadPerSecond = Double(loaded) / max(1e-9, loading / .seconds(1))
        report.embedPerSecond = Double(loaded) / max(1e-9, embedding / .seconds(1))

        // One caller who waits for the disk each time.
        var times: [Double] = []
        for i in 0..<writes {
            let input = sentences.input(report.memories + i)
            let start = clock.now
            _ = try await memory.record([input], scope: scope, by: .local)
            times.append((clock.now - start) / .milliseconds(1))
        }
        times.sort()
        (report.writeP50, report.writeP99) = (times.percentile(50), times.percentile(99))
        // Many callers at once: what arrives together is committed together.
        let perCaller = max(1, writes * 4 / Self.callers)
        let next = report.memories + writes
        let sharing = clock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<Self.callers {
                let inputs = (0..<perCaller).map {
                    sentences.input(next + caller * perCaller + $0)
                }
                group.addTask {
                    for input in inputs {
                        _ = try await memory.record([input], scope: scope, by: .local)
                    }
                }
            }
            try await group.waitForAll()
        }
        report.concurrentPerSecond =
            Double(perCaller * Self.callers) / ((clock.now - sharing) / .seconds(1))
        try await memory.embedPending()
        try await memory.prepareIndex(of: owner)

        // A second opening of the same files, to its first answer.
        let opening = clock.now
        let again = MemoryOS(
            store: try SQLiteMemoryStore(path: path, analyzer: MemoryOS.analyzerVersion, key: key),
            embedder: embedder,
            indexFolder: folder + "/index")
        _ = try await again.recall(RecallRequest("Who sold the guitar?", owner: owner))
        report.openMilliseconds = (clock.now - opening) / .milliseconds(1)

        times = []
        for i in 0..<questions {
            let result = try await again.recall(RecallRequest(sentences.question(i), owner: owner))
            times.append(result.milliseconds)
            if i % 16 == 0 { progress(i, questions, "questions") }
        }
        times.sort()
        (report.recallP50, report.recallP99) = (times.percentile(50), times.percentile(99))
        report.bytesOnDisk = try store.statistics(owner: nil, by: .local).bytesOnDisk
        report.residentBytes = ProcessMemory.bytes("VmRSS")
        await memory.close()
        return report
    }
}

/// Conversation-like sentences from a seed: few words are common, many are rare, as in real text.
/// The same seed gives the same sentences on every machine.
struct Sentences {
    /// Of Knuth's linear congruential generator (MMIX).
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    /// A number from 0 up to the bound; the generator's high bits, as its low ones repeat early.
    private mutating func random(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(bound))
    }

    private static let syllables = [
        "ka", "ro", "mi", "ten", "sol", "ba", "lu", "ver", "nan", "pi", "dor", "es", "ga", "qui",
        "hem", "ost",
    ]
    private static let subjects = [
        "My sister", "Tom", "The neighbour", "Our team", "Maria", "A friend from work",
        "Grandfather", "The teacher",
    ]
    private static let verbs = [
        "sold", "bought", "painted", "found", "lost", "repaired", "talked about", "dreamed of",
        "cooked for", "visited",
    ]
    private static let things = [
        "guitar", "garden", "recipe", "bicycle", "letter", "puppy", "museum", "river", "exam",
        "holiday", "printer",
        "concert",
    ]

    /// A made-up name; rare ones are long.
    private mutating func name() -> String {
        let length = 2 + (random(3) + random(3)) / 2
        return (0..<length).map { _ in Self.syllables[random(Self.syllables.count)] }.joined()
            .capitalized
    }

    /// One message. Every twenty are a session; messages are a minute apart.
    mutating func input(_ number: Int) -> MemoryInput {
        let text =
            "\(Self.subjects[random(8)]) \(Self.verbs[random(10)]) the \(Self.things[random(12)]) in \(name()) with \(name()), and \(Self.verbs[random(10)]) a \(Self.things[random(12)]) called \(name())."
        return MemoryInput(
            text, speaker: number % 2 == 0 ? "Ana" : "Ben",
            eventTime: Date(timeIntervalSince1970: 1_700_000_000 + Double(number) * 60),
            session: "session-\(number / 20)")
    }

    /// A question of one of three kinds: for a person, a time, an event.
    mutating func question(_ number: Int) -> String {
        [
            "Who \(Self.verbs[random(10)]) the \(Self.things[random(12)]) in \(name())?",
            "When did Ana talk about the \(Self.things[random(12)])?",
            "What happened with the \(Self.things[random(12)]) and the \(Self.things[random(12)])?",
        ][number % 3]
    }
}
