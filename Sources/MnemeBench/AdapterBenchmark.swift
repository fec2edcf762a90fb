import Foundation
import MnemeBase
package import MnemeEngine
import MnemeKV
package import MnemeModels

/// What adapters cost when they are served: the decode rate with a different one in each sequence
/// of a batch beside none, and many known ones that are paged by use.
package struct AdapterBenchmark: Sendable {
    /// Tokens a second of all sequences together; the best of the repetitions.
    package struct Rates: Sendable, Codable {
        /// The model as it is.
        package var none = 0.0
        /// One adapter for all sequences.
        package var one = 0.0
        /// Another adapter for each sequence.
        package var different = 0.0
        /// `different` over `none`.
        package var ratio = 0.0
        /// Rows of the mixed batch whose logits are those of the sequence alone, bit by bit.
        package var equalRows = 0
    }

    /// Many adapters in a store.
    package struct Known: Sendable, Codable {
        /// Adapters in the store.
        package var count = 0
        /// Of one file.
        package var fileBytes = 0
        /// To read the names of all.
        package var listSeconds = 0.0
        /// One token with an adapter that was not in memory, and with one that was; medians.
        package var firstSeconds = 0.0, nextSeconds = 0.0
        /// The same without an adapter.
        package var plainSeconds = 0.0
        /// Adapters that answered.
        package var answered = 0
        /// In memory at the end, and what is allowed.
        package var loaded = 0, loadedBytes = 0, budgetBytes = 0
    }

    /// The measurements.
    package struct Report: Sendable, Codable {
        /// The model's name.
        package var model = ""
        /// Sequences of the batch, the rank of each adapter, and its bytes in memory.
        package var sequences = 0, rank = 0, adapterBytes = 0
        /// Of decoding.
        package var rates = Rates()
        /// Of the store; nil if that part was left out.
        package var known: Known?
    }

    /// What is measured.
    package struct Options: Sendable {
        /// Sequences of a batch.
        package var sequences = 16
        /// Of each adapter.
        package var rank = 8
        /// Tokens of an answer.
        package var answer = 64
        /// Of each way to decode, in turns; the best counts.
        package var repetitions = 3
        /// Adapters of the store; 0 leaves that part out.
        package var known = 1000
        /// Bytes that adapters may take in memory.
        package var budget = 256 << 20

        package init() {}
    }

    /// A random adapter: a term for all linear maps, or for those in `targets`.
    ///
    /// A is of the size that trainings begin with, B of the size that they end with, so that logits
    /// change as with a learned adapter.
    package static func random(
        _ c: DecoderConfiguration, rank: Int, seed: UInt64, targets: [LayerLinear] = LayerLinear.allCases
    ) -> Adapter {
        var generator = SplitMix64(seed: seed)
        func floats(_ count: Int, _ size: Double) -> [Float] {
            (0..<count).map { _ in Float((2 * generator.unit() - 1) * size) }
        }
        var terms: [Adapter.Place: Adapter.Term] = [:]
        for layer in 0..<c.layers {
            for linear in targets {
                let (outputs, inputs) = c.size(of: linear)
                terms[Adapter.Place(layer, linear)] = Adapter.Term(
                    rank: rank, scale: 2, a: floats(rank * inputs, 1 / Double(inputs).squareRoot()),
                    b: floats(outputs * rank, 0.01))
            }
        }
        return Adapter(terms)
    }

    /// Measures; files are below `folder`, which the caller removes.
    ///
    /// - Throws: `AdapterError`, `KVError`, `EngineError`, `FileError`.
    package static func run(
        _ model: LanguageModel, _ options: Options, folder: String, progress: (Int, Int) -> Void
    ) async throws -> Report {
        var report = Report()
        let c = model.decoder.configuration
        (report.model, report.rank) = (model.name, options.rank)
        report.sequences = min(
            options.sequences, model.decoder.stepLogits, model.decoder.stepTokens)
        let adapters = try (0..<report.sequences).map {
            try model.decoder.bind(random(c, rank: options.rank, seed: UInt64($0)))
        }
        report.adapterBytes = adapters.first?.byteCount ?? 0
        report.rates = try AdapterDecoding(model.decoder, adapters, options).rates()
        if options.known > 0 {
            report.known = try await known(model, options, folder, progress)
        }
        return report
    }

    /// Writes the adapters, lists them, and asks each for one token twice: first it is read from
    /// disk, then it is in memory. The budget holds a part of them, so that others are evicted.
    private static func known(
        _ model: LanguageModel, _ options: Options, _ folder: String, _ progress: (Int, Int) -> Void
    ) async throws -> Known {
        let c = model.decoder.configuration
        let store = AdapterStore(path: folder)
        var known = Known()
        (known.count, known.budgetBytes) = (options.known, options.budget)
        for i in 0..<options.known {
            // Queries and values: a file is small enough for a thousand.
            let adapter = random(c, rank: options.rank, seed: UInt64(i), targets: [.query, .value])
            let added = try store.add(adapter, AdapterRecord(name: "bench-\(i)", base: model.name))
            if i == 0 { known.fileBytes = added.fileBytes }
            progress(i + 1, 2 * options.known)
        }
        let start = ContinuousClock.now
        let names = store.names()
        known.listSeconds = (ContinuousClock.now - start) / .seconds(1)
        var limits = Engine.Limits()
        limits.adapterBytes = options.budget
        let engine = try Engine(model, limits: limits, adapters: store)
        defer { engine.close() }
        func seconds(_ adapter: String?) async throws -> Double {
            var request = GenerationRequest(prompt: [1, 2, 3, 4])
            (request.adapter, request.maxTokens, request.ignoresEnd) = (adapter, 1, true)
            let start = ContinuousClock.now
            for try await _ in try engine.generate(request) {}
            return (ContinuousClock.now - start) / .seconds(1)
        }
        var (first, next, plain): ([Double], [Double], [Double]) = ([], [], [])
        for (i, name) in names.enumerated() {
            first.append(try await seconds(name))
            next.append(try await seconds(name))
            if i % 10 == 0 { plain.append(try await seconds(nil)) }
            known.answered += 1
            progress(options.known + i + 1, 2 * options.known)
        }
        func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
        (known.firstSeconds, known.nextSeconds) = (median(first), median(next))
        known.plainSeconds = median(plain)
        (known.loaded, known.loadedBytes) = (
            engine.statistics.adapters, engine.statistics.adapterBytes
        )
        return known
    }
}

/// Decodes a batch with and without adapters.
///
/// Each sequence has keys and values of its own and begins with no prompt, so that weights and
/// adapters are nearly all that a step reads.
private struct AdapterDecoding {
    let decoder: TransformerDecoder
    let adapters: [DecoderAdapter]
    let options: AdapterBenchmark.Options

    init(
        _ decoder: TransformerDecoder, _ adapters: [DecoderAdapter],
        _ options: AdapterBenchmark.Options
    ) {
        (self.decoder, self.adapters, self.options) = (decoder, adapters, options)
    }

    /// The rates of all three ways, and how many rows of the mixed batch are as alone.
    func rates() throws -> AdapterBenchmark.Rates {
        var rates = AdapterBenchmark.Rates()
        let first = adapters.first
        // In turns, so that what else runs on the machine slows all of them.
        for _ in 0..<max(1, options.repetitions) {
            rates.none = max(rates.none, try rate { _ in nil })
            rates.one = max(rates.one, try rate { _ in first })
            rates.different = max(rates.different, try rate { adapters[$0] })
        }
        rates.ratio = rates.different / rates.none
        let mixed = try decode(Array(adapters.indices)) { adapters[$0] }.logits
        for i in adapters.indices {
            let alone = try decode([i]) { adapters[$0] }.logits
            if alone[0] == mixed[i] { rates.equalRows += 1 }
        }
        return rates
    }

    /// Tokens a second of all sequences together.
    private func rate(_ adapter: (Int) -> DecoderAdapter?) throws -> Double {
        let seconds = try decode(Array(adapters.indices), adapter).seconds
        return Double(options.answer * adapters.count) / seconds
    }

    /// An answer's tokens for each sequence, and the last logits of each.
    private func decode(_ sequences: [Int], _ adapter: (Int) -> DecoderAdapter?) throws -> (
        logits: [[Float]], seconds: Double
    ) {
        let size = decoder.configuration.vocabularySize
        let caches = try sequences.map { _ in
            try KVBuffer(decoder.configuration, positions: options.answer)
        }
        defer { withExtendedLifetime(caches) {} }
        var segments = caches.enumerated().map {
            DecoderSegment(tokens: $0..<$0 + 1, position: 0, view: $1.view, logits: 1)
        }
        for (row, i) in sequences.enumerated() { segments[row].adapter = adapter(i) }
        var logits = [Float](repeating: 0, count: sequences.count * size)
        let start = ContinuousClock.now
        for position in 0..<options.answer {
            let tokens = sequences.map { Int32((position * 31 + $0) % size) }
            for row in segments.indices { segments[row].position = position }
            tokens.withUnsafeBufferPointer { tokens in
                segments.withUnsafeBufferPointer { segments in
                    logits.withUnsafeMutableBufferPointer {
                        decoder.step(tokens: tokens, segments: segments, logits: $0.baseAddress!)
                    }
                }
            }
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        return (sequences.indices.map { Array(logits[$0 * size..<($0 + 1) * size]) }, seconds)
    }
}
