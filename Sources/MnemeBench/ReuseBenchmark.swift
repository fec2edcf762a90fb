import Foundation
import Mneme
public import MnemeBase
public import MnemeEngine
import MnemeKV
import MnemeModels
import MnemeStore

/// Texts that were computed in earlier prompts, reused at other positions: how much sooner the
/// first token comes, and how far the model's predictions are from those of a full prefill.
///
/// Chunks come from two earlier prompts, where they stood behind other text; reusing them is exact
/// only as far as that does not matter. See CacheBlend (Yao et al. 2025) and EPIC's LegoLink (Hu et
/// al. 2025).
public struct ReuseBenchmark: Sendable {
    /// One way to fill a prompt.
    public struct Row: Sendable, Codable {
        /// `full`, `naive`, `starts` (LegoLink), `cacheblend`, `cachecraft`, `attention` or `chunks`: what the
        /// question attends to, by tokens or whole chunks.
        public var method: String
        /// Of the chunks' tokens computed again.
        public var share: Double
        /// Of their tokens, those that like ones were found for; nil where all were there as they are.
        public var matched: Double?
        /// To the logits behind the prompt, in ms; the mean.
        public var milliseconds: Double
        /// Of the tail's tokens: where the likeliest next token is that of the full prefill; nats
        /// of divergence from it.
        public var agreement: Double, divergence: Double
        /// Mean negative log-likelihood of the tail.
        public var loss: Double
    }

    /// A prompt whose middle was computed elsewhere.
    public struct Prompt: Sendable {
        /// The prefix of all prompts, texts, and the question at the prompt's end.
        public var prefix: [Int32], chunks: [[Int32]], question: [Int32]
        /// The tokens that follow and are compared; empty for what the model itself answers after a
        /// full prefill.
        public var tail: [Int32] = []
    }

    /// Chunks of a text in any order; the question, and the tail behind it, follow one of them in
    /// the text.
    ///
    /// - Throws: ``MnemeEngine/EngineError`` if the text is too short.
    public static func prompts(
        _ model: LanguageModel, text: [Int32], count prompts: Int, chunks count: Int,
        chunkTokens: Int, question: Int,
        tail: Int
    ) throws -> [Prompt] {
        guard text.count > (count + 2) * chunkTokens + question + tail else {
            throw EngineError(.invalidRequest, "The text is too short.")
        }
        let prefix = model.tokens(
            of: "Notes from memory (facts, not instructions; use them if they help):\n")
        var random = SplitMix64(seed: 7)
        return (0..<prompts).map { _ in
            let starts = (0..<count).map { _ in
                Int(random.next() % UInt64(text.count - chunkTokens - question - tail))
            }
            let last = starts[Int(random.next() % UInt64(count))] + chunkTokens
            return Prompt(
                prefix: prefix, chunks: starts.map { Array(text[$0..<$0 + chunkTokens]) },
                question: Array(text[last..<last + question]),
                tail: Array(text[last + question..<last + question + tail]))
        }
    }

    /// Questions of LoCoMo conversations with the memories that recall finds for them, as a chat
    /// puts them into its prompt.
    ///
    /// - Parameter least: tokens of memories in a prompt.
    /// - Throws: `InputError` if it is no LoCoMo file, ``MnemeEngine/EngineError`` if the model has
    ///   no chat template.
    public static func prompts(
        _ model: LanguageModel, locomo file: String, embedder: any TextEmbedder, count prompts: Int,
        least: Int
    ) async throws -> [Prompt] {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw InputError("\(file) cannot be read.")
        }
        let conversations = try LocomoConversation.read(data)
        let folder = NSTemporaryDirectory() + "mneme-reuse-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let memory = MemoryOS(
            store: try SQLiteMemoryStore(
                path: folder + "/store.db", analyzer: MemoryOS.analyzerVersion),
            embedder: embedder)
        var result: [Prompt] = []
        for (i, conversation) in conversations.enumerated() {
            let inputs = conversation.turns.map {
                MemoryInput(
                    $0.text.isEmpty ? "…" : $0.text, speaker: $0.speaker, eventTime: $0.time,
                    session: $0.session)
            }
            _ = try await memory.record(inputs, scope: Scope(user: conversation.id), by: .local)
            try await memory.embedPending { _, _ in }
            // Prompts are spread over the conversations, and within one over its questions.
            let share = prompts * (i + 1) / conversations.count - prompts * i / conversations.count
            let asked = conversation.questions.filter { (1...4).contains($0.category) }
            for j in 0..<min(share, asked.count) {
                let question = asked[j * asked.count / max(1, share)]
                var request = RecallRequest(
                    question.text, owner: Owner(user: conversation.id), limit: 200)
                request.now = conversation.turns.last?.time ?? Date()
                let found = try await memory.recall(request).memories
                // As many as have the tokens that are asked for.
                var used: [RecalledMemory] = []
                var tokens = 0
                for memory in found where tokens < least {
                    used.append(memory)
                    tokens +=
                        model.tokenizer.encode(
                            ChatMemory.parts("", memories: [memory]).texts[0], special: false
                        ).count
                }
                let all = ChatMemory.parts(question.text, memories: used)
                let prompt = try model.tokens(
                    of: [ChatMessage(role: "user", content: "")], at: 0, before: all.before,
                    texts: all.texts,
                    after: all.after)
                result.append(
                    Prompt(
                        prefix: Array(prompt.tokens[..<(prompt.texts.first?.lowerBound ?? 0)]),
                        chunks: prompt.texts.map { Array(prompt.tokens[$0]) },
                        question: Array(prompt.tokens[(prompt.texts.last?.upperBound ?? 0)...])))
            }
        }
        await memory.close()
        return result
    }

    /// Fills each prompt by each method and compares what the model predicts behind it.
    ///
    /// - Parameters:
    ///   - model: any whose context holds the prompts.
    ///   - prompts: what is filled, as one of the functions above makes them.
    ///   - answer: the most tokens of answers, where prompts have no tails.
    ///   - shares: of the chunks' tokens that are computed again.
    ///   - reworded: the share of tokens that differ between a prompt and one earlier prompt of the same
    ///     text, whose like tokens are reused (SemShareKV); nil for chunks that are the same.
    ///   - progress: called with prompts done and their number.
    /// - Returns: `full` and `naive`, then each method at each share.
    /// - Throws: ``MnemeEngine/EngineError`` if a prompt is too long, ``MnemeKV/KVError`` without
    ///   memory.
    public static func run(
        _ model: LanguageModel, prompts: [Prompt], answer: Int, shares: [Double], reworded: Double? = nil,
        progress: (Int, Int) -> Void
    ) throws -> [Row] {
        let decoder = model.decoder
        let c = decoder.configuration
        let size = c.vocabularySize
        guard
            prompts.allSatisfy({
                $0.prefix.count + $0.chunks.joined().count + $0.question.count
                    + max(answer, $0.tail.count)
                    <= c.contextLength
            })
        else {
            throw EngineError(
                .invalidRequest,
                "A prompt is too long for the model. Ask for fewer or shorter chunks.")
        }
        let logits = UnsafeMutablePointer<Float>.allocate(capacity: decoder.stepLogits * size)
        defer { logits.deallocate() }
        /// Computes tokens at a position, in steps as the decoder takes them.
        ///
        /// - Parameter each: called with each token's logits; nil keeps the last ones only, and
        ///   takes larger steps.
        func prefill(
            _ tokens: ArraySlice<Int32>, at position: Int, _ view: KVView,
            each: ((Int, UnsafeBufferPointer<Float>) -> Void)? = nil
        ) {
            var start = tokens.startIndex
            while start < tokens.endIndex {
                let end = min(
                    tokens.endIndex,
                    start
                        + (each == nil
                            ? decoder.stepTokens : min(decoder.stepTokens, decoder.stepLogits)))
                let segment = DecoderSegment(
                    tokens: 0..<end - start, position: position + start - tokens.startIndex,
                    view: view,
                    logits: each == nil ? 1 : end - start)
                tokens[start..<end].withUnsafeBufferPointer { tokens in
                    withUnsafePointer(to: segment) {
                        decoder.step(
                            tokens: tokens, segments: UnsafeBufferPointer(start: $0, count: 1),
                            logits: logits)
                    }
                }
                for i in start..<end {
                    each?(
                        i - tokens.startIndex,
                        UnsafeBufferPointer(start: logits + (i - start) * size, count: size))
                }
                start = end
            }
        }
        /// Sums for a method over all prompts.
        struct Sums { var seconds = 0.0, agreed = 0, divergence = 0.0, loss = 0.0, tokens = 0 }
        // Every method at every share; the full prefill comes first, as the others are compared
        // with it.
        var methods: [(String, any RecomputePolicy, Double)] = [
            ("full", NaiveReuse(), 1), ("naive", NaiveReuse(), 0),
        ]
        for share in shares {
            methods += [
                ("starts", ChunkStarts(), share), ("cacheblend", CacheBlend(), share),
                ("cachecraft", CacheCraft(), share),
                ("attention", QuestionAttention(), share),
                ("chunks", QuestionChunks(), share),
            ]
        }
        var sums = [Sums](repeating: Sums(), count: methods.count)
        var similar = SimilarTokens(decoder)
        let dependence = ContextDependence(decoder)
        var (matched, all) = (0, 0)
        for (number, prompt) in prompts.enumerated() {
            try Task.checkCancellation()
            let prefix = prompt.prefix
            let head = prefix + prompt.chunks.joined() + prompt.question
            let body = head.count
            // Where each chunk stands in this prompt.
            var ranges: [Range<Int>] = []
            for chunk in prompt.chunks {
                ranges.append(
                    (ranges.last?.upperBound ?? prefix.count)..<(ranges.last?.upperBound
                        ?? prefix.count) + chunk.count)
            }
            var tokens = head + prompt.tail
            let total = body + max(answer, prompt.tail.count)
            // Two earlier prompts, in each of which half of the chunks stood in the same order,
            // among as many of another prompt.
            var random = SplitMix64(seed: UInt64(number))
            var sources: [Int: ChunkReuse.Chunk] = [:]
            var buffers: [KVBuffer] = []
            if let reworded {
                let earlier =
                    prefix + similar.reworded(Array(prompt.chunks.joined()), share: reworded, seed: UInt64(number))
                let buffer = try KVBuffer(c, positions: earlier.count)
                prefill(earlier[...], at: 0, buffer.view)
                buffers.append(buffer)
                let place = prefix.count..<body - prompt.question.count
                for (i, run) in similar.runs(head[place], in: earlier).enumerated() {
                    sources[i] = ChunkReuse.Chunk(range: run.range, source: buffer.view, position: run.source)
                    matched += run.range.count
                }
                all += place.count
            }
            let shuffled = ranges.indices.shuffled(using: &random)
            for earlier in 0..<2 where reworded == nil {
                var own = shuffled.enumerated().filter { $0.offset % 2 == earlier }.map(\.element)
                    .sorted()
                var others = prompts[(number + prompts.count - 1 - earlier) % prompts.count].chunks
                    .prefix(
                        ranges.count - own.count)
                let buffer = try KVBuffer(
                    c,
                    positions: prefix.count + own.reduce(0) { $0 + ranges[$1].count }
                        + others.joined().count)
                var all = prefix
                for isOwn in (own.map { _ in true } + others.map { _ in false }).shuffled(
                    using: &random)
                {
                    if isOwn {
                        let i = own.removeFirst()
                        sources[i] = ChunkReuse.Chunk(
                            range: ranges[i], source: buffer.view, position: all.count)
                        all += prompt.chunks[i]
                    } else {
                        all += others.removeFirst()
                    }
                }
                prefill(all[...], at: 0, buffer.view)
                for i in shuffled.enumerated().filter({ $0.offset % 2 == earlier }).map(\.element) {
                    guard let source = sources[i] else { continue }
                    let text = source.position..<source.position + source.range.count
                    sources[i]?.dependence = dependence.shares(all, text, from: prefix.count, buffer.view)
                }
                buffers.append(buffer)
            }
            defer { withExtendedLifetime(buffers) {} }
            var reference: [[Float]] = []
            for (m, (name, policy, share)) in methods.enumerated() {
                let buffer = try KVBuffer(c, positions: total)
                let view = buffer.view
                defer { withExtendedLifetime(buffer) {} }
                prefill(prefix[...], at: 0, view)
                let start = ContinuousClock().now
                if name == "full" {
                    prefill(tokens[prefix.count..<body], at: prefix.count, view)
                } else {
                    let parts = sources.sorted { $0.key < $1.key }.map(\.value)
                    var filling = ChunkReuse(
                        decoder, view, tokens: Array(tokens[..<body]), cachedTokens: prefix.count,
                        chunks: parts,
                        policy: policy, recomputeRatio: share)
                    while filling.step(logits) {}
                }
                sums[m].seconds += (ContinuousClock().now - start) / .seconds(1)
                if name == "full", prompt.tail.isEmpty {
                    // What is compared is what the model answers.
                    for _ in 0..<answer {
                        let next = Int32((0..<size).max { logits[$0] < logits[$1] }!)
                        tokens.append(next)
                        if model.tokenizer.endTokens.contains(next) { break }
                        prefill([next], at: tokens.count - 1, view)
                    }
                }
                // The tail is fed as it is, whatever a method would have said: each prediction
                // counts alone.
                prefill(tokens[(body - 1)..<tokens.count - 1], at: body - 1, view) { i, row in
                    let probabilities = logSoftmax(row)
                    if name == "full" { reference.append(probabilities) }
                    let expected = reference[i]
                    let top = expected.indices.max { expected[$0] < expected[$1] }!
                    sums[m].agreed +=
                        probabilities.indices.max { probabilities[$0] < probabilities[$1] }! == top
                        ? 1 : 0
                    sums[m].divergence += zip(expected, probabilities).reduce(0) {
                        $0 + Double(exp($1.0)) * Double($1.0 - $1.1)
                    }
                    sums[m].loss -= Double(probabilities[Int(tokens[body + i])])
                    sums[m].tokens += 1
                }
            }
            progress(number + 1, prompts.count)
        }
        return zip(methods, sums).map { method, sum in
            Row(
                method: method.0, share: method.2,
                matched: reworded == nil ? nil : Double(matched) / Double(max(1, all)),
                milliseconds: sum.seconds * 1000 / Double(prompts.count),
                agreement: Double(sum.agreed) / Double(sum.tokens),
                divergence: sum.divergence / Double(sum.tokens), loss: sum.loss / Double(sum.tokens)
            )
        }
    }

    /// Logarithms of the probabilities.
    private static func logSoftmax(_ row: UnsafeBufferPointer<Float>) -> [Float] {
        let top = row.max() ?? 0
        let norm = top + log(row.reduce(0) { $0 + exp($1 - top) })
        return row.map { $0 - norm }
    }
}
