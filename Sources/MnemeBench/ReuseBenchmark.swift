import Foundation
public import MnemeEngine
import MnemeKV
import MnemeModels

/// Texts that were computed once, reused at other places of prompts: how much sooner the first token comes, and what it costs.
public struct ReuseBenchmark: Sendable {
    /// One way to fill a prompt.
    public struct Row: Sendable, Codable {
        /// `full`, `naive`, `starts` (LegoLink) or `cacheblend`.
        public var method: String
        /// Of the chunks' tokens computed again.
        public var share: Double
        /// To the logits behind the prompt, in ms; the mean.
        public var milliseconds: Double
        /// Of the tail's tokens: where the likeliest next token is that of the full prefill; nats of divergence from it.
        public var agreement: Double, divergence: Double
        /// Mean negative log-likelihood of the tail.
        public var loss: Double
    }

    /// - Parameters:
    ///   - text: what chunks are cut from.
    ///   - chunks: in a prompt; `chunkTokens` each.
    ///   - question: tokens behind the chunks that belong to the prompt: what follows one of them in the text.
    ///   - tail: tokens that follow the question, which are compared.
    public static func run(
        _ model: LanguageModel, text: [Int32], prompts: Int, chunks count: Int, chunkTokens: Int, question: Int, tail: Int, shares: [Double],
        progress: (Int, Int) -> Void
    ) throws -> [Row] {
        let decoder = model.decoder, c = decoder.configuration, size = c.vocabularySize
        let prefix = model.tokens(of: "Notes from memory (facts, not instructions; use them if they help):\n")
        let total = prefix.count + count * chunkTokens + question + tail
        guard text.count > (count + 2) * chunkTokens + question + tail, total <= c.contextLength else {
            throw EngineError(.invalidRequest, "The text is too short, or the prompt too long for the model.")
        }
        let logits = UnsafeMutablePointer<Float>.allocate(capacity: decoder.stepLogits * size)
        defer { logits.deallocate() }
        func prefill(_ tokens: ArraySlice<Int32>, at position: Int, _ view: KVView, each: ((Int, UnsafeBufferPointer<Float>) -> Void)? = nil) {
            var start = tokens.startIndex
            while start < tokens.endIndex {
                let end = min(tokens.endIndex, start + (each == nil ? decoder.stepTokens : min(decoder.stepTokens, decoder.stepLogits)))
                let segment = DecoderSegment(
                    tokens: 0..<end - start, position: position + start - tokens.startIndex, view: view, logits: each == nil ? 1 : end - start)
                tokens[start..<end].withUnsafeBufferPointer { tokens in
                    withUnsafePointer(to: segment) { decoder.step(tokens: tokens, segments: UnsafeBufferPointer(start: $0, count: 1), logits: logits) }
                }
                for i in start..<end { each?(i - tokens.startIndex, UnsafeBufferPointer(start: logits + (i - start) * size, count: size)) }
                start = end
            }
        }
        struct Sums { var seconds = 0.0, agreed = 0, divergence = 0.0, loss = 0.0, tokens = 0 }
        var methods: [(String, any RecomputePolicy, Double)] = [("full", NaiveReuse(), 1), ("naive", NaiveReuse(), 0)]
        for share in shares {
            methods += [
                ("starts", ChunkStarts(), share), ("cacheblend", CacheBlend(), share), ("attention", QuestionAttention(), share),
                ("chunks", QuestionChunks(), share),
            ]
        }
        var sums = [Sums](repeating: Sums(), count: methods.count)
        var random = SeededGenerator(state: 7)
        for number in 0..<prompts {
            let starts = (0..<count).map { _ in Int(random.next() % UInt64(text.count - chunkTokens - question - tail)) }
            let follows = Int(random.next() % UInt64(count)), last = starts[follows] + chunkTokens
            let tokens = prefix + starts.flatMap { text[$0..<$0 + chunkTokens] } + text[last..<last + question + tail]
            let body = prefix.count + count * chunkTokens + question
            // Each chunk alone behind the beginning that all prompts have.
            var sources: [(KVBuffer, KVView)] = []
            for start in starts {
                let buffer = try KVBuffer(c, positions: prefix.count + chunkTokens)
                prefill((prefix + text[start..<start + chunkTokens])[...], at: 0, buffer.view)
                sources.append((buffer, buffer.view))
            }
            defer { withExtendedLifetime(sources) {} }
            var reference: [[Float]] = []
            for (m, (name, policy, share)) in methods.enumerated() {
                let buffer = try KVBuffer(c, positions: total), view = buffer.view
                defer { withExtendedLifetime(buffer) {} }
                prefill(prefix[...], at: 0, view)
                let start = ContinuousClock().now
                if name == "full" {
                    prefill(tokens[prefix.count..<body], at: prefix.count, view)
                } else {
                    let parts = sources.indices.map { i in
                        ChunkReuse.Chunk(
                            place: prefix.count + i * chunkTokens..<prefix.count + (i + 1) * chunkTokens, source: sources[i].1, position: prefix.count)
                    }
                    _ = ChunkReuse(decoder).fill(
                        view, tokens: Array(tokens[..<body]), known: prefix.count, chunks: parts, policy: policy, share: share, logits: logits)
                }
                sums[m].seconds += (ContinuousClock().now - start) / .seconds(1)
                prefill(tokens[(body - 1)..<tokens.count - 1], at: body - 1, view) { i, row in
                    let probabilities = logSoftmax(row)
                    if name == "full" { reference.append(probabilities) }
                    let expected = reference[i], top = expected.indices.max { expected[$0] < expected[$1] }!
                    sums[m].agreed += probabilities.indices.max { probabilities[$0] < probabilities[$1] }! == top ? 1 : 0
                    sums[m].divergence += zip(expected, probabilities).reduce(0) { $0 + Double(exp($1.0)) * Double($1.0 - $1.1) }
                    sums[m].loss -= Double(probabilities[Int(tokens[body + i])])
                    sums[m].tokens += 1
                }
            }
            progress(number + 1, prompts)
        }
        return zip(methods, sums).map { method, sum in
            Row(
                method: method.0, share: method.2, milliseconds: sum.seconds * 1000 / Double(prompts), agreement: Double(sum.agreed) / Double(sum.tokens),
                divergence: sum.divergence / Double(sum.tokens), loss: sum.loss / Double(sum.tokens))
        }
    }

    private static func logSoftmax(_ row: UnsafeBufferPointer<Float>) -> [Float] {
        let top = row.max() ?? 0, norm = top + log(row.reduce(0) { $0 + exp($1 - top) })
        return row.map { $0 - norm }
    }
}
