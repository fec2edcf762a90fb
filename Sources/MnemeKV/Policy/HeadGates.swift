import MnemeBase
package import MnemeModels
import MnemeNumerics

/// Learns on passkeys which heads must see all rows (DuoAttention, Xiao et al. 2025): each head has a gate, open
/// while it sees all, closed where it sees the first and the last pages alone. Gates are chosen so that what the model
/// says of passkeys that it repeats stays what it was.
///
/// The paper relaxes gates to numbers and learns them by gradients from hidden states, with a penalty on open ones.
/// Here they are closed in rounds, those first whose closing changes scores least beside all that are closed already:
/// no gradients, and one order for all budgets.
package final class HeadGates {
    private let decoder: TransformerDecoder
    private let cache: CompressedCache
    /// The passkey that is repeated, and what the model says of each of its tokens with all gates open.
    private let tail: [Int32]
    private var exact: [Float] = []
    private let logits: AlignedBuffer<Float>
    private let heads: UnsafeMutablePointer<KVHeadRows>, tables: UnsafeMutablePointer<Int32>
    private var count: Int { decoder.configuration.layers * decoder.configuration.kvHeads }
    /// Pages of a closed head: the first, the last full one, and those that the tail is written to.
    private static let pages = 4

    /// Hides passkeys in a text and reads it.
    ///
    /// - Parameters:
    ///   - text: tokens, some hundred; random ones take the place of what lacks.
    ///   - seed: of the passkeys.
    /// - Throws: ``KVError`` without memory.
    package init(_ decoder: TransformerDecoder, text: [Int32], seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let vocabulary = decoder.configuration.vocabularySize
        func draw(_ count: Int) -> [Int32] { (0..<count).map { _ in Int32(random.next() % UInt64(vocabulary)) } }
        let filler = text.prefix(640) + draw(max(0, 640 - text.count))
        // A marker of two tokens tells which of the passkeys is meant.
        let keys = (0..<5).map { _ in draw(2 + 8) }
        var prompt: [Int32] = []
        for (i, key) in keys.enumerated() { prompt += filler[i * 128..<(i + 1) * 128] + key }
        let asked = keys[Int(random.next() % 3)]
        // Far from what is repeated: a closed head does not see it.
        prompt += draw(4) + asked.prefix(2)
        tail = Array(asked.dropFirst(2))
        let full = KVPolicy("full", trigger: .never, scorer: StreamingLLM())
        self.decoder = decoder
        cache = try CompressedCache(
            decoder, full, budget: prompt.count, positions: prompt.count + KVShape.blockTokens)
        try cache.take(ExactPrompt(decoder, prompt, needs: []))
        guard cache.sequence.prepare(tail.count) else { throw KVError(.outOfMemory, "There is no memory for a probe.") }
        logits = AlignedBuffer(tail.count * vocabulary)
        let count = decoder.configuration.layers * decoder.configuration.kvHeads
        heads = .allocate(capacity: count)
        heads.initialize(from: cache.sequence.heads, count: count)
        tables = .allocate(capacity: count * Self.pages)
        tables.initialize(repeating: 0, count: count * Self.pages)
        exact = scores([])
    }

    deinit {
        heads.deallocate()
        tables.deallocate()
    }

    /// How far the scores of the passkey's tokens are from those with all gates open: the mean square.
    ///
    /// - Complexity: a step of eight tokens.
    package func loss(closed: Set<Int>) -> Float {
        zip(exact, scores(closed)).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / Float(exact.count)
    }

    private func scores(_ closed: Set<Int>) -> [Float] {
        let sequence = cache.sequence
        let block = KVShape.blockTokens
        for i in 0..<count {
            heads[i] = sequence.heads[i]
            let full = heads[i].count / block
            guard closed.contains(i), full > 2 else { continue }
            let table = tables + i * Self.pages
            let seen = [0, full - 1] + (full..<sequence.given[i])
            for (j, page) in seen.prefix(Self.pages).enumerated() { table[j] = sequence.heads[i].pages[page] }
            heads[i].pages = table
            heads[i].count = 2 * block + heads[i].count % block
        }
        var view = sequence.view
        view.heads = UnsafePointer(heads)
        // Their rows are written behind the prompt each time, and never counted.
        let segment = DecoderSegment(
            tokens: 0..<tail.count, position: sequence.next, view: view, logits: tail.count)
        decoder.step(segment, tail[...], logits.pointer)
        return Array(UnsafeBufferPointer(start: logits.pointer, count: logits.count))
    }

    /// Closes gates, the least of those that are open in each round.
    ///
    /// - Parameters:
    ///   - probes: whose losses are added up.
    ///   - share: of the open gates that a round closes.
    /// - Returns: for ``RetrievalHeads``: the later a head's gate is closed, the stronger it is; from 0 to 1. Heads
    ///   with a window of their own, which have no gate, are the weakest.
    /// - Complexity: about 1/share steps for each head and probe.
    package static func strengths(
        _ decoder: TransformerDecoder, _ probes: [HeadGates], share: Double = 0.25
    ) -> [[Float]] {
        let c = decoder.configuration
        var open = (0..<c.layers * c.kvHeads).filter { c.window(layer: $0 / c.kvHeads) == nil }
        let all = Float(max(1, open.count))
        var closed: Set<Int> = []
        var strengths = [[Float]](repeating: [Float](repeating: 0, count: c.kvHeads), count: c.layers)
        while !open.isEmpty {
            let losses = open.map { head in probes.reduce(Float(0)) { $0 + $1.loss(closed: closed.union([head])) } }
            let order = open.indices.sorted { (losses[$0], $0) < (losses[$1], $1) }.map { open[$0] }
            for head in order.prefix(max(1, Int(share * Double(open.count)))) {
                closed.insert(head)
                strengths[head / c.kvHeads][head % c.kvHeads] = Float(closed.count) / all
            }
            open.removeAll { closed.contains($0) }
        }
        return strengths
    }
}
