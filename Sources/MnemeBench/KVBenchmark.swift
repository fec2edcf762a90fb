import Foundation
public import MnemeEngine
public import MnemeKV
import MnemeModels

/// Gain of the KV cache: time to the first token after a full prefill and with the prompt cached in
/// memory, on disk or on a server; and the memory of sequences that share a prefix.
public struct KVBenchmark: Sendable {
    /// A way to the first token.
    public struct Row: Sendable, Codable {
        /// `anew`, `memory`, `disk` (in the system's cache), `disk-cold` or `remote`.
        public var from: String
        /// From the request to the first token; the median.
        public var milliseconds: Double
        /// Tokens that were restored, and new ones behind them.
        public var restored: Int, following: Int
        /// Whether the new ones were computed while layers came; nil where there is nothing to wait for.
        public var byLayers: Bool?
    }

    /// The measurements.
    public struct Report: Sendable, Codable {
        /// The model, and tokens of the prompt.
        public var model: String, tokens: Int
        /// The ways.
        public var rows: [Row]
        /// Bytes on disk.
        public var diskBytes: Int
        /// Sequences that share a prefix of so many tokens, and what they take together beyond
        /// one of them.
        public var sharing: Int, sharedTokens: Int, sharedBytes: Int, furtherBytes: Int
    }

    /// - Parameters:
    ///   - model: any language model; its own context bounds the prompt.
    ///   - tokens: of the prompt, 2,000 at least.
    ///   - repetitions: of each way; the median counts.
    ///   - folder: for files; emptied.
    ///   - following: new tokens that are asked behind the prompt, with and without computing them while
    ///     layers of it come; 0 leaves that out.
    ///   - remote: a server to measure, too.
    ///   - progress: called with the way that is measured.
    /// - Throws: ``MnemeEngine/EngineError``, ``MnemeKV/KVError``.
    public static func run(
        _ model: LanguageModel, tokens: Int, repetitions: Int, folder: String,
        following: Int = 256, remote: (any KVTier)? = nil,
        progress: (String) -> Void
    )
        async throws -> Report
    {
        let size = model.decoder.configuration.vocabularySize
        let files = FileManager.default
        let prompt = (0..<tokens).map { Int32(($0 * 7919 + $0 / 13) % (size - 1000) + 500) }
        var rows: [Row] = []
        /// Measures one way. Each repetition begins with what `prepare` gives, so that nothing is
        /// in memory that should not be.
        func measure(_ name: String, _ prepare: () throws -> Engine, keep: Bool = false)
            async throws
        {
            progress(name)
            var times: [Double] = []
            var restored = 0
            for _ in 0..<repetitions {
                let engine = try prepare()
                let usage = try await first(engine, prompt)
                if !keep { engine.close() }
                times.append(usage.firstToken * 1000)
                restored = usage.cachedTokens
            }
            rows.append(
                Row(from: name, milliseconds: times.sorted()[times.count / 2], restored: restored, following: 0))
        }
        var asked = 0
        /// Measures the first token of new tokens behind the prompt, other ones each time; with and
        /// without layers in turn, so that both meet the same.
        func measureFollowing(_ name: String, _ prepare: (Engine.Limits) throws -> Engine) async throws {
            guard following > 0 else { return }
            progress("\(name), \(following) tokens behind")
            var times: [Bool: [Double]] = [:]
            var restored = 0
            for _ in 0..<repetitions {
                for byLayers in [false, true] {
                    var limits = Engine.Limits()
                    limits.loadsByLayers = byLayers
                    let engine = try prepare(limits)
                    defer { engine.close() }
                    asked += 1
                    let usage = try await first(
                        engine, prompt + (0..<following).map { Int32(($0 * 31 + asked * 977) % (size - 1000) + 500) })
                    times[byLayers, default: []].append(usage.firstToken * 1000)
                    restored = usage.cachedTokens
                }
            }
            for byLayers in [false, true] {
                let median = times[byLayers, default: []].sorted()[repetitions / 2]
                rows.append(
                    Row(
                        from: name, milliseconds: median, restored: restored, following: following,
                        byLayers: byLayers))
            }
        }
        try? files.removeItem(atPath: folder)
        // No folder: nothing is found.
        try await measure("anew", { try Engine(model) })
        // One engine that has the prompt already.
        let kept = try Engine(model, folder: KVFolder(path: folder))
        defer { kept.close() }
        _ = try await first(kept, prompt)
        try await measure("memory", { kept }, keep: true)
        kept.close()
        sync()
        // A new engine over the files, as after a restart.
        try await measure("disk", { try Engine(model, folder: KVFolder(path: folder)) })
        try await measure(
            "disk-cold",
            {
                try forget(folder)
                return try Engine(model, folder: KVFolder(path: folder))
            })
        let diskBytes = try KVFolder(path: folder).entries().reduce(0) { $0 + $1.bytes }
        try await measureFollowing("disk") { try Engine(model, limits: $0, folder: KVFolder(path: folder)) }
        try await measureFollowing("disk-cold") {
            try forget(folder)
            return try Engine(model, limits: $0, folder: KVFolder(path: folder))
        }
        if let remote {
            let sender = try Engine(model, remote: remote)
            _ = try await first(sender, prompt)
            sender.close()
            try await measure("remote", { try Engine(model, remote: remote) })
            try await measureFollowing("remote") { try Engine(model, limits: $0, remote: remote) }
        }
        progress("sharing")
        // Sixteen sequences behind one prefix, each with twenty tokens of its own.
        let shared = Array(prompt.prefix(2000))
        let engine = try Engine(model)
        defer { engine.close() }
        _ = try await first(engine, shared)
        let one = engine.statistics.kv.residentBytes
        var requests: [AsyncThrowingStream<GenerationEvent, any Error>] = []
        for i in 0..<16 {
            var request = GenerationRequest(
                prompt: shared + (0..<20).map { Int32(1000 + $0 + 100 * i) })
            request.maxTokens = 64
            request.ignoresEnd = true
            requests.append(try engine.generate(request))
        }
        var most = 0
        // All have begun when each has sampled some tokens.
        for request in requests {
            var sampled = 0
            for try await _ in request {
                sampled += 1
                if sampled == 20 { most = max(most, engine.statistics.kv.residentBytes) }
            }
        }
        return Report(
            model: model.name, tokens: tokens, rows: rows, diskBytes: diskBytes, sharing: 16,
            sharedTokens: shared.count, sharedBytes: one,
            furtherBytes: most - one)
    }

    /// Runs a prompt up to its first token, whatever that is.
    private static func first(_ engine: Engine, _ prompt: [Int32]) async throws -> GenerationUsage {
        var request = GenerationRequest(prompt: prompt)
        request.maxTokens = 1
        request.ignoresEnd = true
        for try await event in try engine.generate(request) {
            if case .finished(_, let usage) = event { return usage }
        }
        throw CancellationError()
    }

    /// Has the system drop the files' pages from its cache.
    private static func forget(_ folder: String) throws {
        #if os(Linux)
            for case let name as String in FileManager.default.enumerator(atPath: folder) ?? .init()
            where name.hasSuffix(".kv") {
                let file = open(folder + "/" + name, O_RDONLY)
                guard file >= 0 else { continue }
                fdatasync(file)
                posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)
                close(file)
            }
        #endif
    }
}
