import Foundation
public import MnemeEngine
import MnemeKV
import MnemeModels

/// What keeping keys and values in fewer bits costs.
public struct KVCodecBenchmark: Sendable {
    /// What was measured of a codec.
    public struct Row: Sendable, Codable {
        /// Its name.
        public var codec: String
        /// Bytes of a token.
        public var bytes: Int
        /// exp of the mean negative log-likelihood of the second half of each window.
        public var perplexity: Double
        /// Of these tokens: nats of divergence from exact keys and values, and how often the likeliest next token is the same.
        public var divergence: Double, agreement: Double
    }

    /// Each block of 32 positions but the first goes through the codec when it is full and `exact` positions stand behind it; what follows reads the
    /// outcome.
    ///
    /// - Parameters:
    ///   - exact: the last positions that stay as they are (KIVI's residual), a multiple of a block.
    ///   - tokens: of a text; the windows are cut from it one after the other.
    /// - Throws: ``MnemeEngine/EngineError`` if the text is shorter than a window.
    public static func run(_ model: LanguageModel, tokens: [Int32], context: Int, windows: Int, exact recent: Int = 0, progress: (Int, Int) -> Void) throws
        -> [Row]
    {
        let decoder = model.decoder, c = decoder.configuration, size = c.vocabularySize, block = KVShape.blockTokens
        let windows = min(windows, tokens.count / context)
        guard windows > 0, context >= 2 * block, context % block == 0, recent % block == 0, recent >= 0, context <= c.contextLength else {
            throw EngineError(
                .invalidRequest,
                "The text is shorter than a window of \(context) tokens, or that or the exact positions are no multiple of \(block) within the model's context."
            )
        }
        let codecs = KVCodec.allCases, shape = KVShape(c)
        var sums = codecs.map { _ in Sums() }, count = 0
        let exact = UnsafeMutablePointer<Float>.allocate(capacity: block * size), logits = UnsafeMutablePointer<Float>.allocate(capacity: block * size)
        let codes = UnsafeMutablePointer<UInt8>.allocate(capacity: 2 * block * c.kvSize * 2)
        defer {
            exact.deallocate()
            logits.deallocate()
            codes.deallocate()
        }
        let buffers = try codecs.map { _ in try KVBuffer(c, positions: context) }
        defer { withExtendedLifetime(buffers) {} }
        for window in 0..<windows {
            try Task.checkCancellation()
            var part = Array(tokens[window * context..<(window + 1) * context])
            if let begin = model.tokenizer.beginToken { part[0] = begin }
            for start in stride(from: 0, to: context, by: block) {
                for (i, codec) in codecs.enumerated() {
                    let view = buffers[i].view, out = codec == .f16 ? exact : logits
                    part[start..<start + block].withUnsafeBufferPointer { tokens in
                        withUnsafePointer(to: DecoderSegment(tokens: 0..<block, position: start, view: view, logits: block)) {
                            decoder.step(tokens: tokens, segments: UnsafeBufferPointer(start: $0, count: 1), logits: out)
                        }
                    }
                    if codec != .f16, start > recent {
                        for layer in 0..<c.layers {
                            let place = view.keys + layer * view.layerStride + (start - recent) / block * view.blockStride
                            codec.encode(place, elements: 2 * block * c.kvSize, into: codes)
                            codec.decode(codes, elements: 2 * block * c.kvSize, into: place)
                        }
                    }
                    for j in 0..<block where start + j >= context / 2 && start + j < context - 1 {
                        let row = UnsafeBufferPointer(start: out + j * size, count: size), expected = UnsafeBufferPointer(start: exact + j * size, count: size)
                        sums[i].add(row, expected, target: Int(part[start + j + 1]))
                        if codec == .f16 { count += 1 }
                    }
                }
            }
            progress(window + 1, windows)
        }
        return zip(codecs, sums).map { codec, sum in
            Row(
                codec: codec.rawValue, bytes: codec.bytes(shape.layers * 2 * shape.kvSize * block) / block, perplexity: exp(sum.loss / Double(count)),
                divergence: sum.divergence / Double(count), agreement: Double(sum.agreed) / Double(count))
        }
    }

}

/// What is summed up of a codec.
private struct Sums {
    var loss = 0.0, divergence = 0.0, agreed = 0

    /// Compares logits with those of exact keys and values.
    mutating func add(_ row: UnsafeBufferPointer<Float>, _ expected: UnsafeBufferPointer<Float>, target: Int) {
        var top = 0, best = 0
        for i in row.indices {
            if row[i] > row[top] { top = i }
            if expected[i] > expected[best] { best = i }
        }
        let highest = row[top], most = expected[best]
        var total: Float = 0, whole: Float = 0
        for i in row.indices {
            total += exp(row[i] - highest)
            whole += exp(expected[i] - most)
        }
        let norm = highest + log(total), expectedNorm = most + log(whole)
        loss -= Double(row[target] - norm)
        agreed += top == best ? 1 : 0
        if row.baseAddress != expected.baseAddress {
            var sum = 0.0
            for i in row.indices where expected[i] - expectedNorm > -20 {
                sum += Double(exp(expected[i] - expectedNorm) * (expected[i] - expectedNorm - row[i] + norm))
            }
            divergence += sum
        }
    }
}
