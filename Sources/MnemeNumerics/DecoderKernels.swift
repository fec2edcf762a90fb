import CMnemeKernels

/// The kernels of a decoder besides the matrix product, over caller-owned memory. None allocates.
package struct DecoderKernels: Sendable {
    private let features: UInt32

    package init(features: ProcessorFeatures = .current) { self.features = features.rawValue }

    /// Quantizes rows of an input to several formats, for matrices that read it in different ones.
    package func quantize(
        _ input: ActivationRows, rows: Range<Int>, columns: Int, formats: ActivationRows.Formats
    ) {
        input.quantize(
            rows, columns: columns, to: formats, features: ProcessorFeatures(rawValue: features))
    }

    /// output (+)= x/√(mean(x²) + ε)·weight for each row.
    package func rmsNorm(
        _ input: UnsafePointer<Float>, weight: UnsafePointer<Float>, epsilon: Float, rows: Int,
        columns: Int,
        accumulate: Bool = false,
        into output: UnsafeMutablePointer<Float>
    ) { mnk_rms_norm(features, input, weight, epsilon, rows, columns, accumulate ? 1 : 0, output) }

    /// Rotary position embedding of `heads` heads at `x`.
    package func rope(
        _ x: UnsafeMutablePointer<Float>, heads: Int, dimension: Int, half: Int,
        cosine: UnsafePointer<Float>,
        sine: UnsafePointer<Float>, interleaved: Bool
    ) { mnk_rope(x, heads, dimension, half, cosine, sine, interleaved ? 1 : 0) }

    /// gate = SiLU(gate)·up, or GELU(gate)·up (the tanh form).
    package func gate(
        _ gate: UnsafeMutablePointer<Float>, _ up: UnsafePointer<Float>, count: Int, gelu: Bool
    ) {
        mnk_gate(features, gate, up, count, gelu ? 1 : 0)
    }

    /// output += p·B for `count` columns of B, whose `rank` rows are `stride` floats apart; a
    /// multiple of 16.
    package func addRows(
        _ p: UnsafePointer<Float>, rank: Int, _ b: UnsafePointer<Float>, stride: Int, count: Int,
        to output: UnsafeMutablePointer<Float>
    ) {
        mnk_add_rows(features, p, rank, b, stride, count, output)
    }

    /// The Euclidean length of a row of W + B·A, which `row` is then.
    ///
    /// - Parameters:
    ///   - row: that of W.
    ///   - factors: the row of B, as many floats as A has rows.
    ///   - a: A, row after row.
    package func lengthOfRow(
        _ row: UnsafeMutableBufferPointer<Float>, adding factors: UnsafeBufferPointer<Float>,
        of a: UnsafePointer<Float>
    ) -> Float {
        guard let to = row.baseAddress, let from = factors.baseAddress else { return 0 }
        addRows(from, rank: factors.count, a, stride: row.count, count: row.count, to: to)
        return mnk_dot_f32(features, to, to, row.count).squareRoot()
    }

    /// x = cap·tanh(x/cap).
    package func softCap(_ x: UnsafeMutablePointer<Float>, count: Int, cap: Float) {
        mnk_soft_cap(features, x, count, cap)
    }

    /// Rounds one position's keys to half precision, each ``kvBlock`` elements behind the one
    /// before.
    package func storeKeys(
        _ input: UnsafePointer<Float>, count: Int, into output: UnsafeMutablePointer<UInt16>
    ) {
        mnk_store_keys(features, input, count, output)
    }

    /// Copies keys within a block's length to another place and turns them by as much; see
    /// `mnk_move_keys`.
    package func moveKeys(
        _ source: UnsafePointer<UInt16>, from: Int, to target: UnsafeMutablePointer<UInt16>,
        at: Int, count: Int,
        heads: Int, dimension: Int,
        cosine: UnsafePointer<Float>, sine: UnsafePointer<Float>, half: Int, interleaved: Bool
    ) {
        mnk_move_keys(
            features, source, from, target, at, count, heads, dimension, half, cosine, sine,
            interleaved ? 1 : 0)
    }

    /// Positions of a block of keys and values.
    package static let kvBlock = Int(MNK_KV_BLOCK)

    /// Bytes of a page of codes of 8 or 4 bits; see `mnk_encode_kv_page`.
    package static func pageBytes(bits: Int, dimension: Int) -> Int {
        mnk_kv_page_bytes(Int32(bits), dimension)
    }

    /// Codes of a head's 32 positions.
    package func encodePage(
        bits: Int, keys: UnsafePointer<UInt16>, values: UnsafePointer<UInt16>, dimension: Int,
        into target: UnsafeMutableRawPointer
    ) {
        mnk_encode_kv_page(
            features, Int32(bits), keys, values, dimension,
            target.assumingMemoryBound(to: UInt8.self))
    }

    /// The other way.
    package func decodePage(
        bits: Int, _ source: UnsafeRawPointer, dimension: Int, keys: UnsafeMutablePointer<UInt16>,
        values: UnsafeMutablePointer<UInt16>
    ) {
        mnk_decode_kv_page(
            features, Int32(bits), source.assumingMemoryBound(to: UInt8.self), dimension, keys,
            values)
    }

    /// Rounds to half precision.
    package func toHalf(
        _ input: UnsafePointer<Float>, count: Int, into output: UnsafeMutablePointer<UInt16>
    ) {
        mnk_to_half(features, input, count, output)
    }

    /// Causal attention of one sequence's new tokens; see `mnk_decoder_attention` in the kernels'
    /// header.
    package struct Attention {
        fileprivate var arguments: mnk_decoder_attention

        /// - Parameters:
        ///   - queries: a row of heads·dimension for each token, at `stride`.
        ///   - keys: halves, as `mnk_decoder_attention` describes the places. Values likewise.
        ///   - window: positions seen; 0 for all.
        ///   - scale: of the scores; `cap` bounds them softly, 0 does not.
        ///   - places: of the tokens, ascending, if they do not follow each other from `position`
        ///     on; that is then the last place + 1 - tokens.
        ///   - rowLogs: the logarithms of how many each row stands for, up to a multiple of 64 rows; nil
        ///     if each for itself.
        ///   - codeBits: of codes in blocks whose entry in `table` is negative.
        package init(
            queries: UnsafePointer<Float>, stride: Int, keys: UnsafePointer<UInt16>,
            values: UnsafePointer<UInt16>,
            blockStride: Int,
            table: UnsafePointer<Int32>?, tokens: Int, position: Int, heads: Int, kvHeads: Int,
            dimension: Int,
            window: Int, scale: Float, cap: Float,
            into output: UnsafeMutablePointer<Float>,
            outputStride: Int, places: UnsafePointer<Int32>? = nil,
            rowLogs: UnsafePointer<Float>? = nil, codeBits: Int = 0
        ) {
            arguments = mnk_decoder_attention()
            (arguments.q, arguments.ldq) = (queries, stride)
            (arguments.keys, arguments.values) = (keys, values)
            (arguments.block_stride, arguments.table) = (blockStride, table)
            (arguments.tokens, arguments.position) = (tokens, position)
            (arguments.heads, arguments.kv_heads, arguments.dim) = (heads, kvHeads, dimension)
            (arguments.window, arguments.scale, arguments.cap) = (window, scale, cap)
            (arguments.out, arguments.ldo, arguments.places) = (output, outputStride, places)
            arguments.row_logs = rowLogs
            arguments.coded_bits = Int32(codeBits)
        }
    }

    /// Floats with which threads can share an attention's context; 0 if that would not help.
    package static func partials(
        tokens: Int, position: Int, heads: Int, kvHeads: Int, dimension: Int
    ) -> Int {
        var arguments = mnk_decoder_attention()
        arguments.tokens = tokens
        arguments.position = position
        arguments.heads = heads
        arguments.kv_heads = kvHeads
        arguments.dim = dimension
        return mnk_decoder_partials(&arguments)
    }

    /// Has threads share the context: then ``merge(_:heads:)`` ends the work.
    ///
    /// - Parameter firstSpan: spans before it come from ``attend(shared:span:heads:scratch:)``.
    package func share(
        _ attention: inout Attention, partials: UnsafeMutablePointer<Float>, firstSpan: Int
    ) {
        attention.arguments.partials = partials
        attention.arguments.first_span = firstSpan
    }

    /// Positions of a span, and sequences that can share one reading of it.
    package static let span = Int(MNK_SPAN), sharing = Int(MNK_SHARING)

    /// One span that sequences of one token each have in common.
    package func attend(
        shared members: UnsafeMutableBufferPointer<Attention>, span: Int, heads: Range<Int>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        withUnsafeTemporaryAllocation(
            of: UnsafePointer<mnk_decoder_attention>?.self, capacity: members.count
        ) {
            pointers in
            for i in members.indices {
                pointers.initializeElement(
                    at: i,
                    to: UnsafeRawPointer(members.baseAddress! + i).assumingMemoryBound(
                        to: mnk_decoder_attention.self))
            }
            mnk_attend_shared(
                features, pointers.baseAddress, members.count, span, heads.lowerBound,
                heads.upperBound, scratch)
        }
    }

    /// Ends the work of some key-value heads of an attention that is shared.
    package func merge(_ attention: inout Attention, heads: Range<Int>) {
        mnk_merge_partials(&attention.arguments, heads.lowerBound, heads.upperBound)
    }

    /// Pieces of work that threads can share.
    package func units(_ attention: inout Attention) -> Int {
        mnk_decoder_units(&attention.arguments)
    }

    /// Floats of scratch that ``attend(_:units:scratch:)`` needs.
    package static func scratch(heads: Int, kvHeads: Int, dimension: Int) -> Int {
        mnk_decoder_scratch(heads, kvHeads, dimension)
    }

    /// Adds the weight that the last `tokens` tokens give to each position, over the query heads of
    /// one key-value head; and their squares, where they are wanted.
    package func addMass(
        _ attention: inout Attention, head: Int, lastTokens tokens: Int,
        into mass: UnsafeMutablePointer<Float>, squares: UnsafeMutablePointer<Float>? = nil
    ) {
        mnk_attention_mass(features, &attention.arguments, head, tokens, mass, squares)
    }

    /// Scores of pages of keys for queries of one key-value head, see `mnk_score_pages`.
    ///
    /// - Parameters:
    ///   - queries: a row of `dimension` floats each.
    ///   - vectors: `count` of them stand for a page, in halves.
    ///   - scores: for each query, `pages` rounded up to 16.
    package func scorePages(
        queries: UnsafePointer<Float>, count: Int, dimension: Int, scale: Float,
        vectors: UnsafePointer<UInt16>, of vectorCount: Int, pages: Int,
        into scores: UnsafeMutablePointer<Float>
    ) {
        mnk_score_pages(
            features, queries, dimension, count, dimension, scale, vectors, vectorCount, pages,
            scores)
    }

    /// The share of attention that each page of `pages` would have if its rows scored as it does, see
    /// `mnk_page_worth`: of the scores of one page more than its end.
    package func pageWorth(
        _ scores: UnsafePointer<Float>, queries: Int, pages: Range<Int>,
        into worth: UnsafeMutablePointer<Float>
    ) {
        mnk_page_worth(features, scores, queries, pages.lowerBound, pages.upperBound, worth)
    }

    /// Units of an attention, see ``units(_:)``.
    package func attend(
        _ attention: inout Attention, units: Range<Int>, scratch: UnsafeMutablePointer<Float>
    ) {
        mnk_attend(features, &attention.arguments, units.lowerBound, units.upperBound, scratch)
    }
}
