import MnemeBase
import MnemeEngine
import MnemeKV
import MnemeModels
import Testing

/// Sequences of all kinds in one small cache, whose rows say whose they are: no model computes them,
/// so that many operations are quick.
///
/// A row of the token at `position` holds digits from 0 to 15: the position, a hash of all tokens up to
/// it, layer and head. It reads the same from codes, as values have the digits' whole range in them.
private final class Operations {
    /// A sequence on its way: exact, or a part of one.
    private final class Sequence {
        let policy: KVPolicy?
        let prompt: Int, budget: Int
        var tokens: [Int32], states: [UInt32]
        var position = 0
        var session: KVCache.Session?
        var compressed: CompressedSequence?

        init(_ tokens: [Int32], policy: KVPolicy?, budget: Int) {
            (self.tokens, self.policy, self.budget, prompt) = (tokens, policy, budget, tokens.count)
            states = []
            for token in tokens { note(token) }
        }
        func note(_ token: Int32) {
            states.append((states.last ?? 7) &* 0x9e37_79b1 ^ UInt32(bitPattern: token) &* 0x85eb_ca6b)
        }
        func append(_ token: Int32) {
            tokens.append(token)
            note(token)
        }
    }

    private static let policies = [
        "window", "random", "streamingllm", "h2o", "snapkv", "pagedeviction", "duoattention", "cake",
        "fastgen", "taskkv", "compactor", "compresskv", "spatten", "windowkv", "quest", "shadowkv",
        "retroinfer", "roundattention", "scissorhands", "hashevict", "sentencekv", "specache", "a2ats",
        "mikv", "attendre", "retrievalattention",
    ]
    private let c: DecoderConfiguration
    private let cache: KVCache
    private let policies: [KVPolicy]
    private var random = SplitMix64(seed: 26)
    private var running: [Sequence] = []
    /// How often each kind of operation happened.
    private(set) var counts: [String: Int] = [:]
    /// What was found to be wrong; empty if nothing.
    private(set) var faults: [String] = []

    init(_ model: LanguageModel, blocks: Int) throws {
        c = model.decoder.configuration
        let shape = KVShape(c)
        cache = try KVCache(
            shape: shape, model: KVHash(String(repeating: "5", count: 64))!, modelName: "tiny",
            bytes: blocks * shape.blockBytes, localTier: nil)
        policies = try Self.policies.map {
            try PolicyCatalog.policy($0, for: model.decoder, sample: [], budget: 0)
        }
    }

    private func below(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
    private func count(_ name: String) { counts[name, default: 0] += 1 }
    private func check(_ isRight: Bool, _ what: @autoclosure () -> String) {
        if !isRight, faults.count < 5 { faults.append(what()) }
    }

    func run(_ operations: Int) throws {
        for operation in 0..<operations {
            switch below(10) {
            case 0...1: try start()
            case 2...6: try goOn()
            case 7: choosePages()
            case 8: if let i = running.indices.randomElement(using: &random) { finish(i) }
            default: break
            }
            if let sequence = running.randomElement(using: &random) { verify(sequence, all: operation % 50 == 0) }
            let statistics = cache.statistics
            check(statistics.bytes <= statistics.limit, "memory is exceeded at operation \(operation)")
        }
        while !running.isEmpty { finish(0) }
        let statistics = cache.statistics
        check(statistics.bytes == statistics.idleBytes, "blocks are left behind")
    }

    // MARK: Operations

    /// A prompt of one of a few families that begin alike.
    private func start() throws {
        guard running.count < 10 else { return finish(below(running.count)) }
        let (family, length, own) = (below(3), 40 + below(220), Int32(below(6)))
        let shared = below(length)
        let tokens = (0..<length).map { Int32(family * 1000 + $0) + ($0 < shared ? 0 : 500 * own) }
        let policy = below(4) == 0 ? nil : policies[below(policies.count)]
        let sequence = Sequence(tokens, policy: policy, budget: 48 + below(80))
        do {
            if let policy {
                sequence.compressed = try cache.compressed(
                    c, policy, budget: sequence.budget, codec: below(2) == 0 ? .f16 : .int8,
                    rows: length + 200, taking: length)
            }
            let session = try cache.open(
                tokens, positions: policy == nil ? length + 200 : length,
                computing: policy?.attention == .all ? length : 1)
            sequence.session = session
            sequence.position = session.restored
            if session.restored > 0 { count("shared") }
            running.append(sequence)
            count("started")
        } catch let error as KVError where error.code == .outOfMemory {
            preempt()
        }
    }

    /// Computes some tokens of a sequence; at the end of a prompt, its policy chooses.
    private func goOn() throws {
        guard let sequence = running.randomElement(using: &random) else { return }
        if let session = sequence.session {
            let left = sequence.prompt - sequence.position
            let tokens = left > 0 ? min(left, 1 + below(120)) : 1
            if left <= 0 {
                guard sequence.tokens.count < sequence.prompt + 150 else { return }
                sequence.append(Int32(below(90)))
            }
            guard try session.prepare(positions: sequence.position + tokens) else {
                if left <= 0 { _ = (sequence.tokens.removeLast(), sequence.states.removeLast()) }
                return preempt()
            }
            write(sequence, to: session.view, sequence.position..<sequence.position + tokens)
            sequence.position += tokens
            try session.publish({ sequence.tokens[$0] }, computed: sequence.position)
            count("computed")
            if sequence.position == sequence.prompt, sequence.compressed != nil { compress(sequence) }
        } else if let compressed = sequence.compressed {
            guard sequence.tokens.count < sequence.prompt + 150 else { return }
            let tokens = min(compressed.stepTokens, 1 + below(8))
            guard compressed.prepare(tokens) else { return preempt() }
            for _ in 0..<tokens { sequence.append(Int32(below(90))) }
            write(sequence, to: compressed, tokens)
            attend(compressed, rows: nil)
            compressed.advance(tokens)
            compressed.encode()
            sequence.position += tokens
            count("answered")
        }
    }

    private func compress(_ sequence: Sequence) {
        guard let compressed = sequence.compressed, let session = sequence.session else { return }
        attend(compressed, rows: sequence.prompt)
        let heads = c.layers * c.kvHeads
        let cut = below(heads)
        for part in [0..<cut, cut..<heads] where !part.isEmpty {
            check(
                compressed.take(part, from: session.view, rows: sequence.prompt),
                "what was reserved for the rows was not there")
        }
        compressed.pages.holdsBlocks = false
        session.close({ sequence.tokens[$0] }, computed: sequence.prompt)
        sequence.session = nil
        count("compressed")
    }

    /// Puts the youngest back, as an engine does.
    private func preempt() {
        guard !running.isEmpty else { return }
        finish(running.count - 1)
        count("preempted")
    }

    private func finish(_ i: Int) {
        let sequence = running.remove(at: i)
        sequence.session?.close({ sequence.tokens[$0] }, computed: sequence.position)
        sequence.compressed = nil
        count("finished")
    }

    /// Has pages chosen, which must be the sequence's own and no more than its budget.
    private func choosePages() {
        let chosen = running.filter { $0.session == nil && $0.policy?.selector != nil }
        guard let sequence = chosen.randomElement(using: &random), let compressed = sequence.compressed,
            let chooser = compressed.view.chooser, let heads = compressed.view.heads
        else { return }
        let queries = (0..<c.heads / c.kvHeads * c.headDimension).map { _ in Float(below(200)) / 100 - 1 }
        // Pages of means are the sequence's, though no row of it lies there.
        let others = running.filter { $0 !== sequence }.compactMap(\.compressed?.view.heads)
        let strange = Set(
            others.flatMap { heads in
                (0..<c.layers * c.kvHeads).flatMap { i in (0..<(heads[i].count + 31) / 32).map { heads[i].pages[$0] } }
            })
        let estimates = sequence.policy?.selector?.estimates ?? false
        for i in 0..<c.layers * c.kvHeads {
            chooser.choose(i / c.kvHeads, i % c.kvHeads, queries: queries, scale: 0.25)
            let (mine, read) = (heads[i], chooser.chosen[i])
            // Those that have rows: what stands behind them was another's, or nobody's.
            let own = Set((0..<(mine.count + 31) / 32).map { mine.pages[$0] })
            let pages = (0..<(read.count + 31) / 32).map { read.pages[$0] }
            let isWhole = i / c.kvHeads < sequence.policy?.selector?.wholeLayers ?? 0
            check(
                Set(pages).count == pages.count && strange.isDisjoint(with: pages) && pages.contains(mine.pages[0])
                    && (own.isSuperset(of: pages) || estimates)
                    && (isWhole || pages.count <= max(4, sequence.budget / 32) + 1 + (estimates ? 1 : 0)),
                "\(sequence.policy?.name ?? "") reads pages that are not its own, or too many")
        }
        count("chosen")
    }

    // MARK: Rows

    /// Sixteen digits of a row; its key has them in reverse.
    private func digits(_ sequence: Sequence, _ position: Int, _ head: Int) -> [Float16] {
        var rest = UInt64(position) | UInt64(sequence.states[position]) << 16
        var digits: [Float16] = [0, 15, Float16(head)]
        while digits.count < 16 {
            digits.append(Float16(rest & 15))
            rest >>= 4
        }
        return digits
    }

    private func write(_ sequence: Sequence, to view: KVView, _ positions: Range<Int>) {
        let d = c.headDimension
        for (p, i) in positions.flatMap({ p in (0..<c.layers * c.kvHeads).map { (p, $0) } }) {
            let (layer, head) = (i / c.kvHeads, i % c.kvHeads)
            let keys = view.keys + layer * view.layerStride + view.keyOffset(p) + head * d * 32
            let values = view.values + layer * view.layerStride + view.valueOffset(p, dimension: d) + head * d * 32
            for (e, digit) in digits(sequence, p, i).enumerated() {
                keys[(d - 1 - e) * 32] = digit.bitPattern
                values[e] = digit.bitPattern
            }
        }
    }

    private func write(_ sequence: Sequence, to compressed: CompressedSequence, _ tokens: Int) {
        let (view, d) = (compressed.view, c.headDimension)
        guard let heads = view.heads else { return }
        for (t, i) in (0..<tokens).flatMap({ t in (0..<c.layers * c.kvHeads).map { (t, $0) } }) {
            let row = heads[i].count + t
            let page = view.keys + Int(heads[i].pages[row / 32]) * KVHeadRows.pageUnit
            for (e, digit) in digits(sequence, sequence.position + t, i).enumerated() {
                page[(d - 1 - e) * 32 + row % 32] = digit.bitPattern
                page[32 * d + row % 32 * d + e] = digit.bitPattern
            }
        }
    }

    /// Attention as if tokens had paid it.
    private func attend(_ compressed: CompressedSequence, rows: Int?) {
        guard let observation = compressed.observation(last: 1), observation.tokens > 0,
            let heads = compressed.view.heads
        else { return }
        for i in 0..<c.layers * c.kvHeads {
            for row in 0..<(rows ?? heads[i].count) {
                let place = i * observation.stride + row
                observation.accumulatedAttention[place] += Float(below(1000)) / 1000
                observation.squares?[place] += Float(below(1000)) / 1000
            }
        }
    }

    /// Looks at some rows of a sequence, or at all.
    private func verify(_ sequence: Sequence, all: Bool) {
        let d = c.headDimension
        func sample(_ rows: Int) -> [Int] { all ? Array(0..<rows) : rows == 0 ? [] : (0..<6).map { _ in below(rows) } }
        for i in 0..<c.layers * c.kvHeads {
            let (layer, head) = (i / c.kvHeads, i % c.kvHeads)
            if let view = sequence.session?.view {
                for p in sample(sequence.position) {
                    let keys = view.keys + layer * view.layerStride + view.keyOffset(p) + head * d * 32
                    let values =
                        view.values + layer * view.layerStride + view.valueOffset(p, dimension: d) + head * d * 32
                    let isSame = digits(sequence, p, i).enumerated().allSatisfy {
                        keys[(d - 1 - $0) * 32] == $1.bitPattern && values[$0] == $1.bitPattern
                    }
                    check(isSame, "an exact row is not what was computed")
                }
            } else if let compressed = sequence.compressed, let policy = sequence.policy {
                let rows = compressed.rows(layer, head)
                var seen: Set<Int> = []
                for row in sample(rows.count) {
                    let value = rows.value(row).map { $0.rounded() }
                    let position = (0..<4).reduce(0) { $0 | Int(value[3 + $1]) << (4 * $1) }
                    let isKnown =
                        position < sequence.states.count
                        && digits(sequence, position, i).map(Float.init) == value
                    check(isKnown, "\(policy.name) holds a row of another sequence")
                    check(!all || seen.insert(position).inserted, "\(policy.name) holds a row twice")
                    guard isKnown, !policy.movesTogether else { continue }
                    check(rows.positions[row] == Int32(position), "\(policy.name) mistakes a row's position")
                    guard compressed.codec == .f16 else { continue }
                    check(rows.key(row).reversed() == value, "\(policy.name) changes a key")
                }
            }
        }
        guard sequence.session == nil, let compressed = sequence.compressed, let policy = sequence.policy else {
            return
        }
        var most = Double(sequence.budget)
        if case .every(let slack) = policy.trigger {
            // Pages of codes go whole.
            most += Double(slack + (compressed.codec == .f16 ? 0 : 64))
        } else {
            most += Double(sequence.position - sequence.prompt)
        }
        check(
            policy.selector != nil || policy.codesRest
                ? compressed.rowsPerHead == Double(sequence.position) : compressed.rowsPerHead <= most,
            "\(policy.name) keeps \(compressed.rowsPerHead) rows a head of \(most)")
    }
}

@Suite struct KVOperationTests {
    @Test func `whatever happens beside, each sequence reads its own rows, and budgets hold`() async throws {
        try await TinyModel.with { model, _ in
            let operations = try Operations(model, blocks: 40)
            try operations.run(10_000)
            #expect(operations.faults.isEmpty, "\(operations.faults)")
            for kind in ["started", "shared", "computed", "compressed", "answered", "chosen", "preempted"] {
                #expect(operations.counts[kind, default: 0] > 20, "\(kind): \(operations.counts)")
            }
        }
    }
}
