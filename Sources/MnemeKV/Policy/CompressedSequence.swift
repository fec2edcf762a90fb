import MnemeBase
package import MnemeModels
import MnemeNumerics

/// The keys and values of one sequence, of which a policy keeps a part: each head of each layer has
/// rows of its own (ragged heads), in pages of halves or of codes.
///
/// It owns positions and rows, not the memory that they are in (``KVPages``), and computes nothing:
/// whoever does makes room (``prepare(_:)``), hands ``view`` to the model, and says what was
/// computed (``advance(_:)``). Rows may also come from a sequence that was computed whole
/// (``take(_:from:rows:)``). Used by one thread at a time.
package final class CompressedSequence: @unchecked Sendable {
    /// The policy.
    package let policy: KVPolicy
    /// Rows that a head may keep on average.
    package var budget: Int
    /// The format of full pages; a head's first page stays exact.
    package let codec: KVCodec
    /// The position of the next token.
    package internal(set) var next = 0
    /// Tokens since rows were evicted.
    package internal(set) var fresh = 0
    /// True if the prompt's rows were chosen.
    package var isBehindPrompt = false
    /// Tokens of all positions so far, if a part asks for them.
    private(set) var tokens: [Int32] = []
    /// The memory of its pages.
    package let pages: KVPages
    let configuration: DecoderConfiguration
    /// The last rows that stay exact (KIVI's residual).
    let residual: Int
    let capacity: Int
    let kernels = DecoderKernels()
    let rebase: KVRebase
    let heads: UnsafeMutablePointer<KVHeadRows>
    private let tables: UnsafeMutablePointer<Int32>
    var positions: [[Int32]]
    /// The positions where rows stood first, if the policy looks at tokens and moves rows; empty otherwise.
    var origins: [[Int32]]
    /// Leading pages of each head that are full and will not be encoded any more.
    var sealed: [Int]
    /// The first page of each head that is never encoded.
    var exactFrom: [Int]
    /// Pages of each head that it has memory for: those of its rows, and of what was prepared.
    var given: [Int]
    /// The head whose rows lie in `scratch`; nil if they are not as they were.
    var loaded: Int?
    /// Keys of leading rows before they were moved, so that moves do not add up their roundings.
    var anchors: [[Anchor]]
    /// The weights that the scorer asks for; `capacity` for each head.
    let attention: AlignedBuffer<Float>
    /// Their squares, if the scorer asks for them; likewise.
    let squares: AlignedBuffer<Float>
    /// The weights of the last tokens, if they are asked for beside those of all; likewise.
    let recent: AlignedBuffer<Float>
    /// The last tokens' queries, if a part asks for them, see ``MnemeModels/KVObservation/queries``.
    let queries: AlignedBuffer<Float>
    /// Of each head, how many rows its first rows stand for, and the logarithms as attention reads them;
    /// empty while each stands for itself.
    var mergeCounts: [[Float]]
    var mergeLogs: [AlignedBuffer<Float>?]
    /// Bytes of each head that its rows take in memory and that do not count: of keys' elements that went
    /// (``Disposer/keyShare``), and of directions that are another layer's (``KVPolicy/layers``).
    var savedBytes: [Int]
    /// What codes each head's pages, if the policy has a coder.
    var encoders: [(any KVPageEncoder)?]
    /// What coding or merging changed of keys and of values.
    var keyChanges = KVChangeMeter(), valueChanges = KVChangeMeter()
    /// Of each head, the positions that the last tokens attended to most at the last eviction; and how many of such
    /// were so again.
    var pivots: [Set<Int32>]
    var persistence = (sum: 0.0, count: 0)
    /// Rows that evictions moved to other places.
    var movedRows = 0
    /// The budgets that a measuring allocator gave, while rows are taken.
    var measured: [Int]?
    /// Scores that were made for all heads together, while rows are taken or evicted.
    var joint: [[Float]]?
    let scratch: HeadScratch
    /// What each token reads, if not all.
    let selection: KVSelection?

    /// A row's key where it was computed.
    struct Anchor {
        var key: [UInt16]
        var position: Int32
    }

    /// - Parameters:
    ///   - budget: rows that a head may keep on average.
    ///   - rows: the most that a head may have at any time.
    ///   - residual: the last rows that stay exact.
    /// - Throws: ``KVError`` if the parts do not go together.
    package init(
        _ configuration: DecoderConfiguration, _ policy: KVPolicy, budget: Int, rows: Int,
        codec: KVCodec, residual: Int = 0, pages: KVPages
    ) throws {
        let c = configuration
        try Self.check(c, policy, codec)
        self.configuration = c
        self.policy = policy
        self.budget = max(1, budget)
        self.codec = codec
        self.residual = residual
        self.pages = pages
        rebase = KVRebase(c)
        capacity = KVShape.blocks(rows) * KVShape.blockTokens
        let count = c.layers * c.kvHeads
        let length = KVShape.blocks(capacity)
        tables = .allocate(capacity: count * length)
        tables.initialize(repeating: 0, count: count * length)
        heads = .allocate(capacity: count)
        for i in 0..<count {
            (heads + i).initialize(
                to: KVHeadRows(pages: tables + i * length, codeBits: codec.isPaged ? codec.bits : 0))
        }
        positions = [[Int32]](repeating: [], count: count)
        origins = positions
        sealed = [Int](repeating: 0, count: count)
        given = sealed
        exactFrom = [Int](repeating: .max, count: count)
        anchors = [[Anchor]](repeating: [], count: count)
        attention = AlignedBuffer(
            policy.attention == .none ? 0 : count * capacity)
        squares = AlignedBuffer(policy.scorer.needsSquares ? attention.count : 0)
        recent = AlignedBuffer(policy.attention.countsAll && policy.attention.window != nil ? attention.count : 0)
        queries = AlignedBuffer(
            policy.needsQueries ? c.layers * c.heads * KVObservation.queryTokens * c.headDimension : 0)
        savedBytes = [Int](repeating: 0, count: count)
        encoders = [(any KVPageEncoder)?](repeating: nil, count: count)
        pivots = [Set<Int32>](repeating: [], count: count)
        mergeCounts = [[Float]](repeating: [], count: count)
        mergeLogs = [AlignedBuffer<Float>?](repeating: nil, count: count)
        scratch = HeadScratch(rows: capacity, dimension: c.headDimension)
        let own = heads
        selection = policy.selector.map {
            KVSelection(c, $0, rows: (budget, rows), heads: own)
        }
        selection?.allocate = { pages.allocate(.halves) }
    }

    deinit {
        tables.deallocate()
        heads.deallocate()
    }

    /// Refuses what does not go together.
    ///
    /// - Throws: ``KVError``.
    package static func check(
        _ c: DecoderConfiguration, _ policy: KVPolicy, _ codec: KVCodec
    ) throws {
        if policy.movesTogether, (0..<c.layers).contains(where: { c.window(layer: $0) != nil }) {
            throw KVError(
                .unsupported,
                "\(policy.name) moves rows together, which a model with sliding windows does not allow. Use another policy."
            )
        }
        if codec == .int4, !c.headDimension.isMultiple(of: 32) {
            throw KVError(
                .unsupported,
                "int4 needs heads of a multiple of 32 elements; this model's have \(c.headDimension). Use int8."
            )
        }
        if policy.coder != nil, codec != .f16 {
            throw KVError(
                .unsupported, "\(policy.name) has codes of its own, so that \(codec.rawValue) cannot be used. Use f16.")
        }
        if case .every = policy.trigger, codec != .f16, !(policy.disposer is Drop) || !codec.isPaged {
            throw KVError(
                .unsupported,
                "\(policy.name) changes rows all the time; as \(codec.rawValue) they would be encoded again and again. Use f16."
            )
        }
    }

    // MARK: What there is

    /// The view for the model, valid until the next change.
    package var view: KVView {
        var view = KVView(
            keys: pages.base, values: pages.base, layerStride: 0, blockStride: 0, heads: heads,
            capacity: capacity)
        view.chooser = selection?.chooser
        return view
    }
    /// Rows that all heads keep, on average.
    package var rowsPerHead: Double {
        Double(positions.reduce(0) { $0 + $1.count }) / Double(positions.count)
    }
    /// Rows of the heads that the policy chooses among, on average: of layers without windows.
    private var chosenRows: Double {
        var rows = 0
        var heads = 0
        for i in positions.indices
        where configuration.window(layer: i / configuration.kvHeads) == nil {
            rows += positions[i].count
            heads += 1
        }
        return Double(rows) / Double(max(1, heads))
    }
    /// Bytes of the rows that are kept; of encoded pages, those of their codes; without ``savedBytes``.
    package var bytes: Int { positions.indices.reduce(0) { $0 + bytes($1) - savedBytes[$1] } }
    private func bytes(_ i: Int) -> Int {
        let d = configuration.headDimension
        let codes = codedPages(i)
        return (positions[i].count - codes * KVShape.blockTokens) * 4 * d
            + codes * codec.pageBytes(dimension: d)
    }
    /// Bytes of keys and values that the last token read, with those by which they were chosen.
    package var readBytes: Int {
        guard let selection else { return bytes }
        return positions.indices.reduce(selection.readBytes) { sum, i in
            sum + (configuration.window(layer: i / configuration.kvHeads) == nil ? 0 : bytes(i))
        }
    }
    /// Bytes of all pages in use.
    package var keptBytes: Int { pages.usedBytes }
    /// Pages of a head that are counted as codes.
    func codedPages(_ i: Int) -> Int {
        codec.isPaged
            ? (0..<sealed[i]).count { heads[i].pages[$0] < 0 } : max(0, min(sealed[i], exactFrom[i]) - 1)
    }

    // MARK: Growing

    /// Pages that so many further tokens need beyond those that are there.
    package func newPages(_ tokens: Int) -> (halves: Int, codes: Int) {
        var halves = 0
        var codes = 0
        for i in positions.indices {
            let rows = positions[i].count
            halves += max(0, KVShape.blocks(rows + tokens) - given[i])
            halves +=
                KVSelection.meanPages(policy.selector, of: rows + tokens)
                - KVSelection.meanPages(policy.selector, of: rows)
            codes += (rows + tokens) / KVShape.blockTokens - sealed[i]
        }
        return (halves, codec.isPaged ? codes : 0)
    }

    /// Makes room for so many further tokens.
    ///
    /// - Returns: false if there is no memory.
    package func prepare(_ tokens: Int) -> Bool {
        precondition(
            (positions.map(\.count).max() ?? 0) + tokens <= capacity,
            "The sequence is longer than it was to be.")
        guard pages.reserve(newPages(tokens).halves, .halves) else { return false }
        for i in positions.indices {
            guard give(i, pages: KVShape.blocks(positions[i].count + tokens)) else { return false }
        }
        return true
    }

    /// Gives a head exact pages up to their number.
    func give(_ i: Int, pages count: Int) -> Bool {
        while given[i] < count {
            guard let page = pages.allocate(.halves) else { return false }
            heads[i].pages[given[i]] = page
            given[i] += 1
        }
        return true
    }

    /// Takes the tokens of positions that were or will be computed, if a part asks for them.
    ///
    /// - Parameter token: the one at a position; asked up to `count`.
    package func note(upTo count: Int, _ token: (Int) -> Int32) {
        guard policy.needsTokens else { return }
        while tokens.count < count { tokens.append(token(tokens.count)) }
    }

    /// Says that tokens were computed, and lets go what they push out.
    package func advance(_ tokens: Int) {
        grow(tokens)
        if isDue { evict() }
    }

    /// Whether rows are due to go.
    var isDue: Bool {
        if case .every(let slack) = policy.trigger { fresh >= slack && chosenRows > Double(budget) } else { false }
    }

    /// Whether rows' tokens are found by where they stood first.
    var keepsOrigins: Bool { policy.movesTogether && policy.scorer.needsTokens }

    /// Counts tokens in that were computed, and lets nothing go but what nobody sees.
    func grow(_ tokens: Int) {
        for i in positions.indices {
            heads[i].count += tokens
            positions[i] += (next..<next + tokens).map { Int32($0) }
            if keepsOrigins { origins[i] += (next..<next + tokens).map { Int32($0) } }
        }
        loaded = nil
        next += tokens
        fresh += tokens
        if let selection {
            for i in positions.indices { selection.build(i, base: pages.base, tokens: self.tokens) }
        }
        dropUnseen()
    }

    /// The most tokens of a step, so that whatever it is cut into, rows are evicted and encoded
    /// behind the same ones.
    package var stepTokens: Int {
        // What a token reads is chosen for it alone.
        if selection != nil { return 1 }
        var most = KVShape.blockTokens
        if codec.isPaged || policy.coder != nil {
            most = positions.reduce(most) { min($0, most - $1.count % KVShape.blockTokens) }
        }
        guard case .every(let slack) = policy.trigger else { return most }
        let left = fresh < slack ? slack - fresh : Int(Double(budget) - chosenRows) + 1
        return max(1, min(most, left))
    }

    /// Rows that no later token of a layer with a window sees go, by pages.
    private func dropUnseen() {
        let block = KVShape.blockTokens
        for i in positions.indices {
            guard let window = configuration.window(layer: i / configuration.kvHeads) else { continue }
            let unseen = max(0, positions[i].count - window) / block
            if unseen > 0 { dropPages(i, 0..<unseen) }
        }
    }
}
