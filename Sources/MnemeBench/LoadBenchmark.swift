import Foundation
import Mneme
public import MnemeBase
public import MnemeStore
import NIOConcurrencyHelpers

/// Many tenants in one process: writers and readers at once for a while, each with the rights of
/// one tenant. It shows latencies when both cores are busy, how the process grows, and whether a
/// tenant ever sees another's memory.
public struct LoadBenchmark: Sendable {
    /// The measurements.
    public struct Report: Sendable, Codable {
        /// Tenants, memories of each before the load, and clients.
        public var tenants: Int, memories: Int, writers: Int, readers: Int
        /// The duration in seconds.
        public var seconds: Double
        /// Writes acknowledged and recalls answered in that time.
        public var writes: Int, recalls: Int
        /// Latencies in milliseconds.
        public var writeP50: Double, writeP99: Double, recallP50: Double, recallP99: Double
        /// Calls that failed, the first few in words.
        public var errors: Int, firstErrors: [String]
        /// Memories in answers that were another tenant's.
        public var foreign: Int
        /// Milliseconds until a tenant's first question was answered by a server that did not have the
        /// index in memory: from the database, from the index that was loaded for it, and from the files
        /// that another server has written of it; medians. None of a store in a file.
        public var firstFromDatabase: Double?, firstFromIndex: Double?, firstFromFiles: Double?
        /// The least and the most that one client got done, as parts of the mean of its kind.
        public var writerShare: [Double], readerShare: [Double]
        /// Resident bytes of the process at the beginning of the load, then once a minute, then at
        /// the end.
        public var residentBytes: [Int]
        /// Vectors that were missing at the end.
        public var pendingEmbeddings: Int

        /// The report as text for people.
        public var summary: String {
            let share = { (values: [Double]) in
                values.map { String(format: "%.2f", $0) }.joined(separator: " to ")
            }
            return String(
                format: """
                    %d tenants × %d memories; %d writers and %d readers, %.0f s
                    remember   %d done, p50 %.2f ms, p99 %.2f ms; a writer's share of the mean %@
                    recall     %d done, p50 %.2f ms, p99 %.2f ms; a reader's share of the mean %@
                    errors     %d; memories of another tenant in an answer: %d
                    process    %@ MiB (begin, each minute, end); %d vectors still to make
                    """, tenants, memories, writers, readers, seconds, writes, writeP50, writeP99,
                share(writerShare),
                recalls, recallP50, recallP99,
                share(readerShare), errors, foreign,
                residentBytes.map { String($0 >> 20) }.joined(separator: " "),
                pendingEmbeddings)
                + (firstFromIndex.map { index in
                    let database = firstFromDatabase.map { String(format: "%.0f ms", $0) } ?? "not"
                    return "\nfirst      answered from the database \(database), from an index that is loaded for it "
                        + String(format: "%.0f ms, from its files %.0f ms", index, firstFromFiles ?? .nan)
                } ?? "")
                + (firstErrors.isEmpty ? "" : "\n" + firstErrors.joined(separator: "\n"))
        }
    }

    /// The observations of one client: latencies, memories that were not its tenant's, and errors.
    private struct Tally: Sendable {
        var milliseconds: [Double] = []
        var foreign = 0
        var errors: [String] = []
    }

    /// The number of each.
    let tenants: Int, memories: Int, writers: Int, readers: Int
    /// The pace of one writer and one reader, and how long, in seconds.
    let writesPerSecond: Double, asksPerSecond: Double?, seconds: Double
    /// The store's folder; a temporary one if nil.
    let folder: String?

    /// - Parameters:
    ///   - tenants: each has one user.
    ///   - memories: of each tenant; a kept folder that has them already is not loaded again.
    ///   - writers: clients that remember; they go round the tenants.
    ///   - readers: clients that recall; they go round the tenants from the other end.
    ///   - writesPerSecond: of each writer.
    ///   - asksPerSecond: of each reader; nil asks again as soon as there is an answer.
    ///   - seconds: how long the clients run.
    ///   - folder: where the store lies and stays; a temporary one if nil.
    public init(
        tenants: Int, memories: Int, writers: Int, readers: Int, writesPerSecond: Double,
        asksPerSecond: Double?,
        seconds: Double, folder: String?
    ) {
        (self.tenants, self.memories, self.writers, self.readers) = (
            max(1, tenants), max(1, memories), max(0, writers), max(0, readers)
        )
        (self.writesPerSecond, self.asksPerSecond, self.seconds, self.folder) = (
            max(0.01, writesPerSecond), asksPerSecond, max(1, seconds), folder
        )
    }

    /// The scope of a tenant's memories.
    private func scope(_ tenant: Int) -> Scope {
        Scope(tenant: "tenant-\(tenant)", user: "user-\(tenant)")
    }

    /// Somebody who reaches one tenant only.
    private func caller(_ tenant: Int) -> Caller {
        Caller(
            Principal(
                name: "client-\(tenant)", permissions: [.read, .write], tenant: "tenant-\(tenant)",
                user: "user-\(tenant)"))
    }

    /// Loads what is missing, then lets all clients run.
    ///
    /// - Parameters:
    ///   - shared: a store that several servers share, opened once for each of them: clients go round
    ///     the servers. One store in a file, and one server, if empty.
    ///   - progress: done, total and what.
    ///   - note: called once, with the seconds that loading will take and those of the load, as far
    ///     as a first part tells; not called where nothing is missing.
    public func run(
        embedder: any TextEmbedder, shared: [any MemoryStore] = [],
        progress: @escaping @Sendable (Int, Int, String) -> Void, note: (Double) -> Void = { _ in }
    ) async throws
        -> Report
    {
        let folder = folder ?? NSTemporaryDirectory() + "mneme-load-\(UUID().uuidString)"
        defer { if self.folder == nil { try? FileManager.default.removeItem(atPath: folder) } }
        let stores =
            shared.isEmpty
            ? [try SQLiteMemoryStore(path: folder + "/store.db", analyzer: MemoryOS.analyzerVersion)]
            : shared
        // Servers of one machine share the folder.
        let servers = stores.map { MemoryOS(store: $0, embedder: embedder, indexFolder: folder + "/index") }
        let (store, memory) = (stores[0], servers[0])
        if let seconds = try await estimate(memory, progress) { note(seconds) }
        for tenant in 0..<tenants { try await load(tenant, upTo: memories, memory, progress) }
        try await memory.embedPending { done, total in progress(done, total, "embedded") }
        let (fromDatabase, fromIndex) =
            shared.isEmpty ? ([], []) : try await firstAnswers(store, embedder, progress)
        for tenant in 0..<tenants {
            let scope = scope(tenant)
            for server in servers {
                try await server.prepareIndex(of: scope.owner)
                _ = try await server.recall(
                    RecallRequest("Who sold the guitar?", owner: scope.owner), by: caller(tenant))
            }
            progress(tenant, tenants, "indexes")
        }
        let fromFiles = shared.isEmpty ? [] : try await firstFromFiles(store, embedder, folder + "/index")

        // Servers that share a store hear each other, as those of `mneme serve` do.
        if !shared.isEmpty { for server in servers { server.resume() } }

        // From here on it counts.
        let clock = ContinuousClock()
        let start = clock.now
        let end = start + .seconds(seconds)
        let resident = NIOLockedValueBox([ProcessMemory.bytes("VmRSS")])
        // The process is looked at once a minute.
        let sampling = Task {
            while !Task.isCancelled {
                try await Task.sleep(for: .seconds(60))
                resident.withLockedValue { $0.append(ProcessMemory.bytes("VmRSS")) }
                progress(Int((clock.now - start) / .seconds(1)), Int(seconds), "seconds")
            }
        }
        // Of a run before in the same folder nothing is said again.
        let run = UUID().uuidString.prefix(8)
        var (writing, reading) = ([Tally](), [Tally]())
        await withTaskGroup(of: (Bool, Tally).self) { group in
            for number in 0..<writers {
                let server = servers[number % servers.count]
                group.addTask { (true, await write(number, String(run), server, until: end)) }
            }
            for number in 0..<readers {
                let server = servers[number % servers.count]
                group.addTask { (false, await read(number, server, until: end)) }
            }
            for await (isWriter, tally) in group {
                if isWriter { writing.append(tally) } else { reading.append(tally) }
            }
        }
        let lasted = (clock.now - start) / .seconds(1)
        sampling.cancel()
        let writes = writing.flatMap(\.milliseconds).sorted()
        let recalls = reading.flatMap(\.milliseconds).sorted()
        let errors = (writing + reading).flatMap(\.errors)
        let report = Report(
            tenants: tenants, memories: memories, writers: writers, readers: readers,
            seconds: lasted,
            writes: writes.count, recalls: recalls.count,
            writeP50: writes.percentile(50), writeP99: writes.percentile(99),
            recallP50: recalls.percentile(50),
            recallP99: recalls.percentile(99),
            errors: errors.count, firstErrors: Array(errors.prefix(3)),
            foreign: (writing + reading).reduce(0) { $0 + $1.foreign },
            firstFromDatabase: fromDatabase.isEmpty ? nil : fromDatabase.sorted().percentile(50),
            firstFromIndex: fromIndex.isEmpty ? nil : fromIndex.sorted().percentile(50),
            firstFromFiles: fromFiles.isEmpty ? nil : fromFiles.sorted().percentile(50),
            writerShare: Self.shares(writing), readerShare: Self.shares(reading),
            residentBytes: resident.withLockedValue { $0 } + [ProcessMemory.bytes("VmRSS")],
            pendingEmbeddings: try store.pendingEmbeddingCount(replacing: embedder.identifier))
        for server in servers { await server.close() }
        for store in stores { try store.close() }
        return report
    }

    /// Asks each tenant's first question of servers that have no index: one that may have the database
    /// find candidates, and one that loads the index. What is too small for the first is left out there.
    private func firstAnswers(
        _ store: any MemoryStore, _ embedder: any TextEmbedder, _ progress: @Sendable (Int, Int, String) -> Void
    ) async throws -> (fromDatabase: [Double], fromIndex: [Double]) {
        var times: (fromDatabase: [Double], fromIndex: [Double]) = ([], [])
        for tenant in 0..<tenants {
            let request = RecallRequest("Who sold the guitar?", owner: scope(tenant).owner)
            for isLoaded in [false, true] {
                let server = MemoryOS(store: store, embedder: embedder)
                server.setCold(above: isLoaded ? .max : 0, until: .max)
                let answer = try await server.recall(request, by: caller(tenant))
                if answer.source == .database { times.fromDatabase.append(answer.milliseconds) }
                if isLoaded { times.fromIndex.append(answer.milliseconds) }
            }
            progress(tenant, tenants, "first answers")
        }
        return times
    }

    /// Asks each tenant's first question of a server that finds its index in files.
    private func firstFromFiles(_ store: any MemoryStore, _ embedder: any TextEmbedder, _ folder: String)
        async throws -> [Double]
    {
        var times: [Double] = []
        for tenant in 0..<tenants {
            let server = MemoryOS(store: store, embedder: embedder, indexFolder: folder)
            let request = RecallRequest("Who sold the guitar?", owner: scope(tenant).owner)
            times.append(try await server.recall(request, by: caller(tenant)).milliseconds)
        }
        return times
    }

    /// Stores a tenant's memories as far as they are missing: what is there already was made of the
    /// same seed.
    private func load(
        _ tenant: Int, upTo count: Int, _ memory: MemoryOS, _ progress: @Sendable (Int, Int, String) -> Void
    ) async throws {
        let scope = scope(tenant)
        let known = try memory.store.count(owner: scope.owner, limit: count)
        var sentences = Sentences(seed: UInt64(tenant) + 1)
        for first in stride(from: 0, to: count, by: 256) {
            let inputs = (first..<min(first + 256, count)).map { sentences.input($0) }
            guard first >= known else { continue }
            _ = try await memory.record(inputs, scope: scope, by: caller(tenant), isBulk: true)
            progress(tenant * memories + first, tenants * memories, "stored")
        }
    }

    /// Loads a first part of one tenant, and its vectors.
    ///
    /// - Returns: the seconds that everything will take at this rate; nil if nothing is missing.
    private func estimate(
        _ memory: MemoryOS, _ progress: @Sendable (Int, Int, String) -> Void
    ) async throws -> Double? {
        let part = min(memories, 1_024)
        guard try memory.store.count(owner: scope(0).owner, limit: part) < part else { return nil }
        let clock = ContinuousClock()
        let start = clock.now
        try await load(0, upTo: part, memory, progress)
        try await memory.embedPending()
        return (clock.now - start) / .seconds(1) / Double(part) * Double(tenants * memories) + seconds
    }

    /// The least and the most of what clients got done, as parts of their mean.
    private static func shares(_ tallies: [Tally]) -> [Double] {
        let counts = tallies.map { Double($0.milliseconds.count) }
        let mean = counts.reduce(0, +) / Double(max(1, counts.count))
        return mean > 0 ? [counts.min()! / mean, counts.max()! / mean] : []
    }

    /// One writer until the end: a message, then a pause that keeps its pace.
    private func write(
        _ number: Int, _ run: String, _ memory: MemoryOS, until end: ContinuousClock.Instant
    ) async
        -> Tally
    {
        let tenant = number % tenants
        let clock = ContinuousClock()
        let scope = scope(tenant)
        let pause = Duration.seconds(1 / writesPerSecond)
        var sentences = Sentences(seed: UInt64(1000 + number))
        var tally = Tally()
        var next = clock.now
        while clock.now < end {
            var input = sentences.input(memories + tally.milliseconds.count)
            input.session = "run-\(run)-\(number)-\(tally.milliseconds.count / 20)"
            let start = clock.now
            do {
                let made = try await memory.remember([input], scope: scope, by: caller(tenant))
                tally.milliseconds.append((clock.now - start) / .milliseconds(1))
                tally.foreign += made.count { $0.memory.scope.owner != scope.owner }
            } catch { tally.errors.append("remember: \(error)") }
            await Self.wait(for: &next, pause)
        }
        return tally
    }

    /// Until the next call is due; one that is late is not caught up with.
    private static func wait(for next: inout ContinuousClock.Instant, _ pause: Duration) async {
        let clock = ContinuousClock()
        next += pause
        if next > clock.now {
            try? await Task.sleep(until: next, clock: clock)
        } else {
            next = clock.now
        }
    }

    /// One reader until the end: a question, then the next at once or at its pace.
    private func read(_ number: Int, _ memory: MemoryOS, until end: ContinuousClock.Instant) async
        -> Tally
    {
        // Not the writers' tenants in the same order, so that some tenants have both.
        let tenant = (tenants - 1 - number % tenants)
        let clock = ContinuousClock()
        let scope = scope(tenant)
        var sentences = Sentences(seed: UInt64(5000 + number))
        var tally = Tally()
        var asked = 0
        var next = clock.now
        while clock.now < end {
            let start = clock.now
            do {
                let answer = try await memory.recall(
                    RecallRequest(sentences.question(asked), owner: scope.owner), by: caller(tenant)
                )
                tally.milliseconds.append((clock.now - start) / .milliseconds(1))
                tally.foreign += answer.memories.count { $0.memory.scope.owner != scope.owner }
            } catch { tally.errors.append("recall: \(error)") }
            asked += 1
            if let asksPerSecond { await Self.wait(for: &next, .seconds(1 / asksPerSecond)) }
        }
        return tally
    }
}
