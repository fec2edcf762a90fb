import CMnemeKernels
import Foundation
import MnemeBase
package import MnemeModels
package import MnemeNumerics
import MnemeText

/// Lets a base model write texts by itself: a training is held to what the base predicts in them.
///
/// Half of them begin with a random token, go on with the three likeliest and then as the model's
/// probabilities have it (LLM-QAT, Liu et al. 2023). The other half are questions that the model
/// itself writes where the chat template has the user's message, with its answers (Magpie, Xu et al.
/// 2024). So nobody has to bring texts like those that the model was made from, and languages and
/// subjects are those that it knows.
package struct BaseWriter {
    /// Texts side by side in a step.
    private static let width = 16
    /// Tokens that are the likeliest, behind a random first one.
    private static let likeliest = 3

    private let decoder: TransformerDecoder
    private let tokenizer: any Tokenizer
    private let frame: (before: [Int32], after: [Int32])?
    private let features = ProcessorFeatures.current.rawValue
    /// Asked before each step of the decoder: false ends the writing with what is there, texts cut short
    /// among it; what it throws ends it with nothing.
    package var goesOn: () throws -> Bool = { true }

    /// Packs the model's weights, for as long as it writes.
    ///
    /// - Throws: `ModelError`, `TemplateError`.
    package init(_ source: ModelSource, pool: ThreadPool) throws {
        decoder = try TransformerDecoder(source, stepTokens: 256, stepLogits: Self.width, pool: pool)
        tokenizer = try source.tokenizer()
        frame = try ExampleEncoder(source, limit: 1).frame
    }

    /// On the threads that all share.
    package init(_ source: ModelSource) throws { try self.init(source, pool: .shared) }

    /// Texts, by the seed alone unless ``goesOn`` ends them; of each, what stands before the part that it
    /// wrote is its prompt. One of which it has written nothing yet is left out.
    ///
    /// - Throws: what ``goesOn`` throws.
    /// - Complexity: O(*count* · *tokens*) steps of the decoder, sixteen texts in each.
    package func write(count: Int, tokens: Int, seed: UInt64) throws -> [ExampleEncoder.Sequence] {
        let questions = frame == nil ? 0 : count / 2
        return try free(count - questions, tokens, seed) + asked(questions, tokens, seed)
    }

    /// Plain texts: the beginning token if there is one, a random token, and what the model makes of it.
    private func free(_ count: Int, _ tokens: Int, _ seed: UInt64) throws -> [ExampleEncoder.Sequence] {
        var generator = SplitMix64(seed: SplitMix64.mixed(seed ^ 0x66_7265_65))
        let begin = tokenizer.beginToken.map { [$0] } ?? []
        let texts = (0..<count).map { _ in begin + [randomToken(&generator)] }
        return try extend(texts, by: tokens - 2, likeliest: Self.likeliest, &generator).filter {
            $0.count > begin.count + 1
        }.map { ExampleEncoder.Sequence(tokens: $0, promptTokens: 1) }
    }

    /// Questions of the model, a third of the tokens at most, and its answers.
    private func asked(_ count: Int, _ tokens: Int, _ seed: UInt64) throws -> [ExampleEncoder.Sequence] {
        guard let frame, count > 0 else { return [] }
        var generator = SplitMix64(seed: SplitMix64.mixed(seed ^ 0x6173_6b))
        let openings = [[Int32]](repeating: frame.before, count: count)
        let questions = try extend(openings, by: tokens / 3, &generator).map { text in
            Array(tokenizer.endTokens.contains(text.last ?? -1) ? text.dropLast() : text[...]) + frame.after
        }
        let answered = try extend(questions, by: 2 * tokens / 3, &generator)
        return zip(questions, answered).filter { $0.count < $1.count }.map {
            ExampleEncoder.Sequence(tokens: $1, promptTokens: frame.before.count)
        }
    }

    /// What the model says to prompts, by the likeliest token each time: what it has not ended within so many tokens is
    /// nil.
    ///
    /// - Throws: what ``goesOn`` throws.
    package func answers(to prompts: [[Int32]], tokens: Int) throws -> [String?] {
        var generator = SplitMix64(seed: 0)
        let written = try extend(prompts, by: tokens, likeliest: tokens, &generator)
        return zip(prompts, written).map { prompt, whole in
            guard whole.count > prompt.count, let last = whole.last, tokenizer.endTokens.contains(last) else {
                return nil
            }
            return tokenizer.decode(whole[prompt.count..<whole.count - 1])
        }
    }

    /// Any token but those that have a name, such as the ends of turns.
    private func randomToken(_ generator: inout SplitMix64) -> Int32 {
        while true {
            let token = Int32(generator.next() % UInt64(tokenizer.vocabularySize))
            if tokenizer.name(token) == nil { return token }
        }
    }

    /// Each text with up to `count` tokens more; one that the model ends is shorter.
    private func extend(
        _ texts: [[Int32]], by count: Int, likeliest: Int = 0, _ generator: inout SplitMix64
    ) throws -> [[Int32]] {
        try stride(from: 0, to: texts.count, by: Self.width).flatMap { start in
            var group = Array(texts[start..<min(start + Self.width, texts.count)])
            try write(&group, count, likeliest, &generator)
            return group
        }
    }

    /// Appends to a group of texts, a token of each in a step; texts that end leave the batch.
    private func write(
        _ texts: inout [[Int32]], _ count: Int, _ likeliest: Int, _ generator: inout SplitMix64
    ) throws {
        guard try goesOn() else { return }
        let size = decoder.configuration.vocabularySize
        let memory = texts.map { TextMemory(decoder.configuration, positions: $0.count + count) }
        let logits = AlignedBuffer<Float>(texts.count * size)
        for i in texts.indices { prefill(texts[i], memory[i], logits.pointer + i * size) }
        // The row of `logits` that each text goes on with.
        var open = Array(texts.indices)
        for round in 0..<count {
            for (row, i) in open.enumerated() {
                texts[i].append(next(logits.pointer + row * size, round < likeliest, &generator))
            }
            open.removeAll { tokenizer.endTokens.contains(texts[$0].last ?? -1) }
            guard !open.isEmpty, round + 1 < count, try goesOn() else { return }
            let segments = open.enumerated().map { row, i in
                DecoderSegment(
                    tokens: row..<row + 1, position: texts[i].count - 1, view: memory[i].view, logits: 1)
            }
            step(open.map { texts[$0][texts[$0].count - 1] }, segments, logits.pointer)
        }
    }

    /// A text's keys and values, and the logits behind its last token.
    private func prefill(
        _ text: [Int32], _ memory: TextMemory, _ logits: UnsafeMutablePointer<Float>
    ) {
        for start in stride(from: 0, to: text.count, by: decoder.stepTokens) {
            let part = text[start..<min(start + decoder.stepTokens, text.count)]
            let segment = DecoderSegment(
                tokens: 0..<part.count, position: start, view: memory.view,
                logits: part.endIndex == text.count ? 1 : 0)
            step(Array(part), [segment], logits)
        }
    }

    /// One step of the decoder over several texts.
    private func step(
        _ tokens: [Int32], _ segments: [DecoderSegment], _ logits: UnsafeMutablePointer<Float>
    ) {
        tokens.withUnsafeBufferPointer { tokens in
            segments.withUnsafeBufferPointer {
                decoder.step(tokens: tokens, segments: $0, logits: logits)
            }
        }
    }

    /// The next token, of a row of logits that becomes probabilities.
    private func next(
        _ logits: UnsafeMutablePointer<Float>, _ isLikeliest: Bool, _ generator: inout SplitMix64
    ) -> Int32 {
        let size = min(decoder.configuration.vocabularySize, tokenizer.vocabularySize)
        var softmax = mnk_softmax_state(highest: -.infinity, sum: 0)
        mnk_softmax_add(features, logits, size, &softmax)
        mnk_softmax_gradient(
            features, logits, size, softmax.highest + Float(logOf(softmax.sum)), 1)
        var (best, sum, drawn) = (0, 0.0, generator.unit())
        if isLikeliest { drawn = .infinity }
        for i in 0..<size {
            sum += Double(logits[i])
            if sum > drawn { return Int32(i) }
            if logits[i] > logits[best] { best = i }
        }
        return Int32(best)
    }
}

/// Keys and values of one text while it is written.
private final class TextMemory {
    /// Of memory that lives as long as this.
    let view: KVView
    private let memory: AlignedBuffer<UInt16>

    init(_ c: DecoderConfiguration, positions: Int) {
        let blocks = (positions + KVView.blockTokens - 1) / KVView.blockTokens
        let side = KVView.blockTokens * c.kvSize
        memory = AlignedBuffer(2 * c.layers * blocks * side)
        view = KVView(
            keys: memory.pointer, values: memory.pointer + side, layerStride: 2 * side * blocks,
            blockStride: 2 * side, capacity: blocks * KVView.blockTokens)
    }
}
