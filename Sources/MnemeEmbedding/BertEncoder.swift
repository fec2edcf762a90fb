import Crypto
import Foundation
public import MnemeBase
import MnemeFormats
public import MnemeNumerics
import NIOConcurrencyHelpers
import Synchronization

/// A sentence encoder of the BERT family: tokens, transformer layers, pooling, unit length.
///
/// Equal to sentence-transformers with a BERT, RoBERTa, XLM-RoBERTa or DistilBERT transformer and
/// what the model's folder says to do behind it: pooling by mean, first or last token, and dense
/// layers. Several texts travel through a layer as one matrix without padding: only attention knows
/// where one text ends.
///
/// ```swift
/// let encoder = try BertEncoder(folder: "models/all-MiniLM-L6-v2")
/// let vectors = try encoder.embed(["a memory", "another"])
/// ```
public final class BertEncoder: TextEmbedder {
    /// The model's shape.
    public let configuration: BertConfiguration
    /// The model's tokenizer.
    public let tokenizer: any EncoderTokenizer
    /// The format of weights and activations in products.
    public let precision: Precision
    /// The folder's name and a hash of the weights' ends: vectors of another identifier are another
    /// model's.
    public let identifier: String
    /// Floats of a vector: the hidden size, or the outputs of the model's last dense layer.
    public var dimension: Int { head.dimension }
    /// Tokens after which a text is cut.
    public var maximumTokens: Int { configuration.maximumTokens }

    /// Tokens of a pass: their activations stay in the second-level cache, and products have rows
    /// enough to be worth reading the weights.
    private static let passTokens = 448
    /// A text of so many tokens is not shared by threads: they would wait for each other, on a busy
    /// machine for long, and one needs a millisecond or two.
    private static let aloneTokens = 32

    // The packed weights; kernels beside the products; the threads; and memory of passes, lent to
    // one pass at a time.
    private let weights: BertWeights
    private let head: EmbeddingHead
    private let modules: SentenceModules
    private let kernels: EncoderKernels
    private let pool: ThreadPool
    /// Memory of passes that rest.
    private let workspaces = NIOLockedValueBox<[BertWorkspace]>([])

    /// Reads and packs the model in `folder`: `config.json`, `model.safetensors`, `vocab.txt` or
    /// `tokenizer.json`, and what sentence-transformers keeps beside them.
    ///
    /// - Parameters:
    ///   - folder: the model's folder, as the hub has it.
    ///   - precision: of weights and products; int8 keeps cosine 0.999 and is the fastest.
    ///   - pool: threads to run on.
    ///   - features: instruction sets to use.
    /// - Throws: `ModelError`.
    public init(
        folder: String, precision: Precision = .int8, pool: ThreadPool = .shared,
        features: ProcessorFeatures = .current
    ) throws {
        let files = try EncoderFolder(path: folder)
        (modules, configuration, tokenizer) = (files.modules, files.configuration, files.tokenizer)
        self.precision = precision
        self.pool = pool
        kernels = EncoderKernels(features: features)
        head = try EmbeddingHead(modules, hidden: configuration.hiddenSize, features: features)
        identifier = files.identifier
        var ranges: [ActivationRanges]?
        if precision == .int8 {
            ranges = try Self.calibrate(folder: folder, pool: pool, features: features)
        }
        weights = try BertWeights(
            file: files.weights, configuration: configuration, precision: precision, ranges: ranges,
            features: features)
    }

    /// The folder's name and a hash of the weights' header, first and last mebibyte, and of what is
    /// done behind the transformer: cheap, and another for any model that was trained on.
    static func identifier(folder: String, file: SafetensorsFile, modules: SentenceModules)
        -> String
    {
        var hash = SHA256()
        for part in file.sampledContent { hash.update(bufferPointer: part) }
        if !modules.isPlain {
            let parts =
                ["\(modules.pooling)", modules.queryPrefix, modules.documentPrefix]
                + modules.dense.map { "\($0.outputs) \($0.hasTanh)" }
            hash.update(data: Data(parts.joined(separator: "\n").utf8))
        }
        return URL(fileURLWithPath: folder).lastPathComponent + "@"
            + Hexadecimal.string(hash.finalize().prefix(6))
    }

    /// Measures the ranges of activations on a few sentences, with the f32 model: cosine to f32
    /// rises when columns that reach far are moved into the weights.
    private static func calibrate(folder: String, pool: ThreadPool, features: ProcessorFeatures)
        throws
        -> [ActivationRanges]
    {
        let plain = try BertEncoder(folder: folder, precision: .f32, pool: pool, features: features)
        var ranges = (0..<plain.configuration.layers).map { _ in
            ActivationRanges(columns: plain.configuration.hiddenSize)
        }
        let texts = [
            "The quick brown fox jumps over the lazy dog.",
            "Memory is what remains after the conversation ends: names, dates and places.",
            "In 2019 she moved to Lisbon, where she teaches chemistry at a small school!",
            "Hey :) how did the interview go? I am so excited for you & your family...",
        ]
        let tokens = texts.map { plain.tokenizer.encode($0, maximumLength: plain.maximumTokens) }
        let workspace = BertWorkspace(
            capacity: tokens.map(\.count).reduce(0, +), threads: 1,
            configuration: plain.configuration, weights: plain.weights)
        plain.forward(tokens[...], workspace: workspace, thread: 0, threads: 1, ranges: &ranges) {
            _, _, _ in
        }
        return ranges
    }

    /// The number of tokens of a text, the special ones among them, uncut.
    public func tokenCount(_ text: String) -> Int {
        tokenizer.encode(text, maximumLength: .max).count
    }

    // MARK: Embedding

    /// Vectors of `texts` in a role, in order: the words that the model wants before such texts are
    /// put there first.
    public func embed(_ texts: [String], as role: TextRole) throws -> Embeddings {
        let prefix =
            switch role {
            case .query: modules.queryPrefix
            case .document: modules.documentPrefix
            }
        return try embed(prefix.isEmpty ? texts : texts.map { prefix + $0 })
    }

    /// Vectors of `texts` as they are, in order.
    ///
    /// Texts are sorted by length and packed into passes; each thread takes whole passes, or, for a
    /// single pass, all threads share each product by columns. A vector is the same bits alone and
    /// beside others.
    ///
    /// - Complexity: about 21 million multiply-adds a token for all-MiniLM-L6-v2; attention adds
    ///   2·tokens·hidden for each token and layer.
    public func embed(_ texts: [String]) throws -> Embeddings { vectors(of: tokenized(texts)) }

    /// Vectors of texts that are given as the ids of their tokens, with those that begin and end a
    /// text; longer ones are cut as texts are.
    ///
    /// The tokens around a text tell ids of this model from those of others, which are numbers in
    /// the same range.
    ///
    /// - Throws: `InputError` for ids that this model's tokenizer does not give.
    public func embed(tokens: [[Int32]]) throws -> Embeddings {
        let frame = tokenizer.encode("", maximumLength: maximumTokens)
        let ids = 0..<Int32(configuration.vocabularySize)
        guard frame.count >= 2, let first = frame.first, let last = frame.last else {
            throw InputError("The embedding model \(identifier) takes texts, no token ids.")
        }
        for text in tokens {
            guard text.count >= 2, text.first == first, text.last == last,
                text.allSatisfy(ids.contains)
            else {
                throw InputError(
                    "These are no token ids of the embedding model \(identifier): a text's begin with \(first), end with \(last), and are below \(ids.upperBound). Have the client send texts (LangChain: check_embedding_ctx_length=False)."
                )
            }
        }
        return vectors(
            of: tokens.map { text in
                text.count <= maximumTokens ? text : text.prefix(maximumTokens - 1) + [last]
            })
    }

    private func vectors(of tokens: [[Int32]]) -> Embeddings {
        var result = Embeddings(dimension: dimension, count: tokens.count)
        let dimension = self.dimension
        let hidden = configuration.hiddenSize
        result.values.withUnsafeMutableBufferPointer { values in
            nonisolated(unsafe) let out = values.baseAddress!
            forEachText(tokens) { text, rows, count in
                head.vector(rows, count: count, columns: hidden, into: out + text * dimension)
            }
        }
        return result
    }

    /// Vectors of each text's tokens, the special ones among them, of length 1: for ranking by
    /// single tokens (late interaction; ColBERT, Khattab and Zaharia 2020).
    ///
    /// - Returns: for each text a vector of hiddenSize for each token, in order.
    /// - Complexity: as ``embed(_:)``, and hiddenSize floats for each token.
    public func embedTokens(_ texts: [String]) throws -> [Embeddings] {
        let tokens = tokenized(texts)
        let starts = tokens.reduce(into: [0]) { $0.append($0.last! + $1.count) }
        let dimension = configuration.hiddenSize
        let all = AlignedBuffer<Float>(starts.last! * dimension)
        forEachText(tokens) { text, rows, count in
            // The mean of one row is the row at length 1.
            for i in 0..<count {
                kernels.meanPool(
                    rows + i * dimension, rows: 1, columns: dimension,
                    into: all.pointer + (starts[text] + i) * dimension)
            }
        }
        return tokens.indices.map { i in
            let rows = starts[i] * dimension..<starts[i + 1] * dimension
            return Embeddings(
                dimension: dimension,
                values: Array(UnsafeBufferPointer(start: all.pointer, count: all.count)[rows]))
        }
    }

    /// Calls `body` with each text's last hidden states, `count` rows of hiddenSize, on the pool's
    /// threads; texts come in any order.
    private func forEachText(
        _ tokens: [[Int32]],
        _ body: (_ text: Int, _ rows: UnsafePointer<Float>, _ count: Int) -> Void
    ) {
        guard !tokens.isEmpty else { return }
        if tokens.count == 1, tokens[0].count <= Self.aloneTokens {
            let workspace = borrowWorkspace(tokens[0].count, threads: 1)
            var none: [ActivationRanges] = []
            forward(
                tokens[...], workspace: workspace, thread: 0, threads: 1, ranges: &none,
                finish: body)
            return returnToPool(workspace)
        }
        let order = tokens.indices.sorted { tokens[$0].count > tokens[$1].count }
        let passes = Self.pack(order, lengths: tokens.map(\.count), threads: pool.threadCount)
        // Few passes: all threads share each of them.
        if passes.count < pool.threadCount {
            for pass in passes {
                let batch = pass.map { tokens[$0] }
                let workspace = borrowWorkspace(
                    batch.map(\.count).reduce(0, +), threads: pool.threadCount)
                pool.run { thread, threads in
                    var none: [ActivationRanges] = []
                    forward(
                        batch[...], workspace: workspace, thread: thread, threads: threads,
                        ranges: &none
                    ) {
                        body(pass[$0], $1, $2)
                    }
                }
                returnToPool(workspace)
            }
        } else {
            // Many passes: each thread takes the next one that nobody has.
            let next = Atomic<Int>(0)
            pool.run { _, _ in
                while true {
                    let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    guard index < passes.count else { return }
                    let batch = passes[index].map { tokens[$0] }
                    let workspace = borrowWorkspace(batch.map(\.count).reduce(0, +), threads: 1)
                    var none: [ActivationRanges] = []
                    forward(batch[...], workspace: workspace, thread: 0, threads: 1, ranges: &none) {
                        body(passes[index][$0], $1, $2)
                    }
                    returnToPool(workspace)
                }
            }
        }
    }

    /// Token ids of texts, cut to the model's length; many texts are shared by the threads.
    private func tokenized(_ texts: [String]) -> [[Int32]] {
        guard texts.count >= 8 else {
            return texts.map { tokenizer.encode($0, maximumLength: maximumTokens) }
        }
        var tokens = [[Int32]](repeating: [], count: texts.count)
        tokens.withUnsafeMutableBufferPointer { buffer in
            nonisolated(unsafe) let out = buffer.baseAddress!
            pool.run { thread, threads in
                for i in stride(from: thread, to: texts.count, by: threads) {
                    out[i] = tokenizer.encode(texts[i], maximumLength: maximumTokens)
                }
            }
        }
        return tokens
    }

    /// Groups texts (the longest first) into passes of about ``passTokens`` tokens, and at least as
    /// many passes as there are threads, if there are texts enough.
    ///
    /// Each text goes into the pass with the least load so far (longest processing time first;
    /// Graham 1969), so that threads end at about the same time.
    private static func pack(_ order: [Int], lengths: [Int], threads: Int) -> [[Int]] {
        let total = order.reduce(0) { $0 + lengths[$1] }
        // As many passes as the tokens need; more if threads would rest.
        var count = (total + passTokens - 1) / passTokens
        // A multiple of the threads leaves none idle; one text alone is shared by all.
        if order.count >= threads {
            count = (max(count, threads) + threads - 1) / threads * threads
        }
        count = min(count, order.count)
        guard count > 1 else { return [order] }
        var passes = [[Int]](repeating: [], count: count)
        var load = [Int](repeating: 0, count: count)
        for text in order {
            let lightest = load.indices.min { load[$0] < load[$1] }!
            passes[lightest].append(text)
            load[lightest] += lengths[text]
        }
        return passes
    }

    /// A workspace that is large enough: one that rests, or a new one.
    private func borrowWorkspace(_ tokens: Int, threads: Int) -> BertWorkspace {
        let found = workspaces.withLockedValue { all -> BertWorkspace? in
            guard
                let i = all.firstIndex(where: {
                    $0.capacity >= tokens && $0.scratch.count >= threads
                })
            else {
                return nil
            }
            return all.remove(at: i)
        }
        return found
            ?? BertWorkspace(
                capacity: max(tokens, Self.passTokens + maximumTokens),
                threads: max(threads, pool.threadCount),
                configuration: configuration, weights: weights)
    }

    /// Keeps a workspace for later passes; a few more than there are threads.
    private func returnToPool(_ workspace: BertWorkspace) {
        workspaces.withLockedValue { if $0.count < pool.threadCount + 2 { $0.append(workspace) } }
    }

    // MARK: Forward pass

    /// One pass over several texts, run by `threads` threads of the pool together (or by one
    /// alone).
    ///
    /// Every phase is split by rows, columns or heads; a barrier stands between phases. With rows
    /// for all tokens of all texts:
    ///
    /// embed        → sum     [rows][hidden], norm → hidden
    /// each layer:
    ///   query, key, value    → qkv     [rows][3·hidden]
    ///   attention, by text   → context [rows][hidden]
    ///   output + residual    → sum,    norm → hidden
    ///   up, GELU             → wide    [rows][intermediate]
    ///   down, added in place → hidden, norm → hidden
    ///
    /// - Parameters:
    ///   - ranges: widened by what the products read, one for each layer; empty to measure nothing.
    ///   - finish: called with each text's last hidden states, by the thread that has it.
    private func forward(
        _ texts: ArraySlice<[Int32]>, workspace w: BertWorkspace, thread: Int, threads: Int,
        ranges: inout [ActivationRanges],
        finish: (_ text: Int, _ tokens: UnsafePointer<Float>, _ count: Int) -> Void
    ) {
        let c = configuration
        let hidden = c.hiddenSize
        let rows = texts.reduce(0) { $0 + $1.count }
        func barrier() { if threads > 1 { pool.barrier() } }
        // This thread's share of `count` columns, rows or heads, in whole units.
        func share(_ count: Int, unit: Int = 1) -> Range<Int> {
            let units = (count + unit - 1) / unit
            return min(
                count, units * thread / threads * unit)..<min(
                    count, units * (thread + 1) / threads * unit)
        }
        // The rows that this thread normalises and quantizes.
        let mine = share(rows)

        // Layer normalisation of this thread's rows into the hidden states.
        func norm(_ n: BertWeights.Norm, from source: UnsafeMutablePointer<Float>) {
            kernels.layerNorm(
                source + mine.lowerBound * hidden, gamma: n.gamma.pointer, beta: n.beta.pointer,
                epsilon: c.layerNormEpsilon,
                rows: mine.count, columns: hidden, into: w.hidden.floats + mine.lowerBound * hidden
            )
        }
        /// Quantizes all rows to the format that `linear` reads, each thread its own.
        func quantize(_ input: ActivationRows, for linear: BertWeights.Linear) {
            guard !linear.weight.reads.isEmpty else { return }
            linear.weight.quantize(input, rows: mine)
            barrier()
        }

        embed(texts, rows: mine, into: w.sum.pointer)
        norm(weights.embeddingNorm, from: w.sum.pointer)
        barrier()
        for (index, layer) in weights.layers.enumerated() {
            if !ranges.isEmpty {
                ActivationRanges.widen(&ranges[index].hidden, with: w.hidden.floats, count: rows)
            }
            quantize(w.hidden, for: layer.queryKeyValue)
            layer.queryKeyValue.apply(
                w.hidden, rows: rows, groups: share(3 * hidden / 16, unit: 2), into: w.qkv.pointer)
            barrier()
            // Heads are shared by the threads, text by text.
            var start = 0
            for text in texts {
                kernels.attention(
                    qkv: w.qkv.pointer + start * 3 * hidden, tokens: text.count, heads: c.heads,
                    headDimension: c.headDimension,
                    headRange: share(c.heads), into: w.context.floats + start * hidden,
                    scratch: w.scratch[thread].pointer)
                start += text.count
            }
            barrier()
            if !ranges.isEmpty {
                ActivationRanges.widen(&ranges[index].context, with: w.context.floats, count: rows)
            }
            quantize(w.context, for: layer.attentionOutput)
            layer.attentionOutput.apply(
                w.context, rows: rows, groups: share(hidden / 16, unit: 2),
                epilogue: .residual(w.hidden.floats), into: w.sum.pointer)
            barrier()
            norm(layer.attentionNorm, from: w.sum.pointer)
            barrier()
            if !ranges.isEmpty {
                ActivationRanges.widen(&ranges[index].attended, with: w.hidden.floats, count: rows)
            }
            quantize(w.hidden, for: layer.up)
            layer.up.apply(
                w.hidden, rows: rows, groups: share(c.intermediateSize / 16, unit: 2),
                epilogue: .gelu, into: w.intermediate.floats)
            barrier()
            quantize(w.intermediate, for: layer.down)
            // What came in is added where it stands.
            layer.down.apply(
                w.intermediate, rows: rows, groups: share(hidden / 16), epilogue: .accumulate,
                into: w.hidden.floats)
            barrier()
            norm(layer.outputNorm, from: w.hidden.floats)
            barrier()
        }
        var start = 0
        for (i, text) in texts.enumerated() {
            if i % threads == thread {
                finish(i, w.hidden.floats + start * hidden, text.count)
            }
            start += text.count
        }
        barrier()
    }

    /// Sums of word, position and segment embeddings for rows `range` of the pass. All tokens have
    /// segment 0: a text is one.
    private func embed(
        _ texts: ArraySlice<[Int32]>, rows range: Range<Int>,
        into output: UnsafeMutablePointer<Float>
    ) {
        let hidden = configuration.hiddenSize
        let words = weights.tables.words.values.baseAddress!
        let positions =
            weights.tables.positions.values.baseAddress! + configuration.firstPosition * hidden
        let segment = weights.tables.segment?.values.baseAddress
        var row = 0
        for text in texts {
            for (position, id) in text.enumerated() {
                if range.contains(row) {
                    let word = words + Int(id) * hidden
                    let place = positions + position * hidden
                    let out = output + row * hidden
                    for i in 0..<hidden { out[i] = word[i] + place[i] }
                    if let segment { for i in 0..<hidden { out[i] += segment[i] } }
                }
                row += 1
            }
        }
    }
}
