import Foundation
import MnemeNumerics
import Testing

/// Keys and values of a sequence in blocks, and attention over them in Double.
private struct KVSample {
    static let heads = 6, kvHeads = 2, dimension = 32, block = DecoderKernels.kvBlock
    var keys: [UInt16], values: [UInt16], queries: [Float]
    let positions: Int, tokens: Int
    /// A position that stands for several.
    var compensationRow = 0, many: Float = 1
    static var side: Int { kvHeads * dimension * block }

    init(positions: Int, tokens: Int, seed: Int) {
        self.positions = positions
        self.tokens = tokens
        let blocks = (positions + Self.block - 1) / Self.block
        func noise(_ i: Int, _ salt: Int) -> Float {
            Float(sin(Double(i) * 12.9898 + Double(salt + seed) * 78.233) * 43758.5453)
                .truncatingRemainder(
                    dividingBy: 1)
        }
        keys = (0..<blocks * Self.side).map { Float16(noise($0, 1)).bitPattern }
        values = (0..<blocks * Self.side).map { Float16(noise($0, 2)).bitPattern }
        queries = (0..<tokens * Self.heads * Self.dimension).map { 3 * noise($0, 3) }
    }

    private func key(_ p: Int, _ head: Int, _ i: Int) -> Double {
        Double(
            Float16(
                bitPattern: keys[
                    p / Self.block * Self.side + (head * Self.dimension + i) * Self.block + p
                        % Self.block]
            ))
    }

    private func value(_ p: Int, _ head: Int, _ i: Int) -> Double {
        Double(
            Float16(
                bitPattern: values[
                    p / Self.block * Self.side + (head * Self.block + p % Self.block)
                        * Self.dimension + i]))
    }

    /// Outputs, and the weight that the last `observed` tokens give to each position, by key-value
    /// heads.
    func reference(window: Int, cap: Double, observed: Int = 0) -> (
        out: [Double], mass: [[Double]], squares: [[Double]]
    ) {
        var out: [Double] = []
        var mass = [[Double]](
            repeating: [Double](repeating: 0, count: positions), count: Self.kvHeads)
        var squares = mass
        for t in 0..<tokens {
            let place = positions - tokens + t
            let first = window > 0 ? max(0, place + 1 - window) : 0
            for head in 0..<Self.heads {
                let shared = head / (Self.heads / Self.kvHeads)
                let q = (t * Self.heads + head) * Self.dimension
                let weights = (first...place).map { p -> Double in
                    let score =
                        (0..<Self.dimension).reduce(0.0) {
                            $0 + Double(queries[q + $1]) * key(p, shared, $1)
                        } * 0.25
                    return exp(cap > 0 ? cap * tanh(score / cap) : score)
                        * (p == compensationRow ? Double(many) : 1)
                }
                let total = weights.reduce(0, +)
                if t >= tokens - observed {
                    for (p, weight) in zip(first...place, weights) {
                        mass[shared][p] += weight / total
                        squares[shared][p] += weight / total * weight / total
                    }
                }
                for i in 0..<Self.dimension {
                    out.append(
                        zip(first...place, weights).reduce(0.0) {
                            $0 + $1.1 * value($1.0, shared, i)
                        } / total)
                }
            }
        }
        return (out, mass, squares)
    }

    /// Runs `body` with the kernel's arguments; what it writes is returned.
    mutating func run(
        window: Int = 0, cap: Float = 0, _ body: (inout DecoderKernels.Attention) -> Void
    ) -> [Float] {
        var out = [Float](repeating: 0, count: queries.count)
        let width = Self.heads * Self.dimension
        var logs = [Float](repeating: 0, count: (positions + 63) / 64 * 64)
        logs[compensationRow] = log(many)
        logs.withUnsafeBufferPointer { logs in
            keys.withUnsafeBufferPointer { keys in
                values.withUnsafeBufferPointer { values in
                    queries.withUnsafeBufferPointer { queries in
                        out.withUnsafeMutableBufferPointer { out in
                            var attention = DecoderKernels.Attention(
                                queries: queries.baseAddress!, stride: width, keys: keys.baseAddress!,
                                values: values.baseAddress!, blockStride: Self.side,
                                table: nil, tokens: tokens, position: positions - tokens,
                                heads: Self.heads,
                                kvHeads: Self.kvHeads, dimension: Self.dimension,
                                window: window, scale: 0.25, cap: cap, into: out.baseAddress!,
                                outputStride: width,
                                rowLogs: many == 1 ? nil : logs.baseAddress)
                            body(&attention)
                        }
                    }
                }
            }
        }
        return out
    }
}

private let decoderPaths: [ProcessorFeatures] = [.portable, [.avx2], [.avx2, .avx512]].filter {
    ProcessorFeatures.current.isSuperset(of: $0)
}

@Suite struct DecoderKernelTests {
    private func scratch() -> [Float] {
        [Float](
            repeating: .nan,
            count: DecoderKernels.scratch(
                heads: KVSample.heads, kvHeads: KVSample.kvHeads, dimension: KVSample.dimension)
                + 64)
    }

    @Test(
        arguments: decoderPaths,
        [
            (1, 1, 0, 0), (40, 40, 0, 0), (700, 3, 0, 0), (1300, 1, 0, 0), (1300, 20, 0, 20),
            (1300, 5, 600, 0),
            (900, 1, 33, 5),
        ])
    func `attention agrees with Double, and cut into spans it is the same`(
        features: ProcessorFeatures, shape: (Int, Int, Int, Int)
    ) {
        let (positions, tokens, window, cap) = shape
        let kernels = DecoderKernels(features: features)
        var sequence = KVSample(positions: positions, tokens: tokens, seed: positions)
        var scratch = scratch()
        let whole = sequence.run(window: window, cap: Float(cap)) { attention in
            kernels.attend(&attention, units: 0..<kernels.units(&attention), scratch: &scratch)
        }
        let worst = zip(whole, sequence.reference(window: window, cap: Double(cap)).out).map {
            abs(Double($0) - $1)
        }
        .max()!
        #expect(worst < 2e-6, "\(worst)")
        let needed = DecoderKernels.partials(
            tokens: tokens, position: positions - tokens, heads: KVSample.heads,
            kvHeads: KVSample.kvHeads,
            dimension: KVSample.dimension)
        #expect(
            (needed > 0) == (positions > DecoderKernels.span && tokens <= DecoderKernels.sharing))
        guard needed > 0 else { return }
        var partials = [Float](repeating: .nan, count: needed)
        let cut = sequence.run(window: window, cap: Float(cap)) { attention in
            partials.withUnsafeMutableBufferPointer { partials in
                kernels.share(&attention, partials: partials.baseAddress!, firstSpan: 0)
                for unit in (0..<kernels.units(&attention)).reversed() {
                    kernels.attend(&attention, units: unit..<unit + 1, scratch: &scratch)
                }
                kernels.merge(&attention, heads: 0..<KVSample.kvHeads)
            }
        }
        #expect(cut == whole)
    }

    @Test(arguments: decoderPaths, [(1, 1, 0, 0), (700, 20, 0, 0), (900, 3, 33, 5)])
    func `a decoder's kernels give the portable path's bits`(
        features: ProcessorFeatures, shape: (Int, Int, Int, Int)
    ) {
        let (positions, tokens, window, cap) = shape
        func run(_ features: ProcessorFeatures) -> [UInt32] {
            let kernels = DecoderKernels(features: features)
            var sequence = KVSample(positions: positions, tokens: tokens, seed: positions)
            var scratch = scratch()
            (sequence.compensationRow, sequence.many) = (positions / 2, 7)
            var out = sequence.run(window: window, cap: Float(cap)) {
                kernels.attend(&$0, units: 0..<kernels.units(&$0), scratch: &scratch)
            }
            var mass = [Float](repeating: 1, count: positions)
            _ = sequence.run(window: window, cap: Float(cap)) {
                kernels.addMass(&$0, head: 1, lastTokens: tokens, into: &mass)
            }
            var halves = [UInt16](repeating: 0, count: out.count)
            var normed = out
            var gated = out
            kernels.toHalf(out.map { $0 * 1e5 }, count: out.count, into: &halves)
            kernels.rmsNorm(
                out, weight: [Float](repeating: 1.7, count: 192), epsilon: 1e-5, rows: tokens,
                columns: 192,
                into: &normed)
            kernels.gate(&gated, normed, count: gated.count, gelu: tokens % 2 == 0)
            kernels.gate(&normed, out, count: gated.count, gelu: tokens % 2 == 1)
            kernels.softCap(&out, count: out.count, cap: 3)
            let rows = ActivationRows(rows: tokens, columns: 192, formats: [.codes, .words])
            for i in 0..<tokens * 192 { rows.floats[i] = gated[i] + normed[i] }
            kernels.quantize(rows, rows: 0..<tokens, columns: 192, formats: [.codes, .words])
            let codes = (0..<2 * tokens * 192).map {
                UInt32(bitPattern: Int32(rows.codes.pointer[$0]))
            }
            let scales = (0..<tokens * 6).map {
                rows.scales.pointer[$0].bitPattern ^ rows.sums.pointer[$0].bitPattern
            }
            return (out + mass + normed + gated).map(\.bitPattern) + halves.map(UInt32.init) + codes
                + scales
        }
        #expect(run(features) == run(.portable))
    }

    @Test(
        arguments: decoderPaths,
        [
            (1, 1, 1, 0, 0), (40, 40, 40, 0, 0), (700, 35, 32, 0, 0), (300, 7, 7, 64, 0),
            (130, 5, 3, 0, 20),
        ])
    func `attention is added up as Double says`(
        features: ProcessorFeatures, shape: (Int, Int, Int, Int, Int)
    ) {
        let (positions, tokens, observed, window, cap) = shape
        let kernels = DecoderKernels(features: features)
        var sequence = KVSample(positions: positions, tokens: tokens, seed: positions)
        let expected = sequence.reference(window: window, cap: Double(cap), observed: observed)
        for head in 0..<KVSample.kvHeads {
            var mass = [Float](repeating: 1, count: positions)
            _ = sequence.run(window: window, cap: Float(cap)) {
                kernels.addMass(&$0, head: head, lastTokens: observed, into: &mass)
            }
            let worst = zip(mass, expected.mass[head]).map { abs(Double($0) - 1 - $1) }.max()!
            #expect(worst < 2e-5 * Double(max(1, observed)), "\(worst)")
            var again = [Float](repeating: 1, count: positions)
            var squares = [Float](repeating: 0, count: positions)
            _ = sequence.run(window: window, cap: Float(cap)) {
                kernels.addMass(
                    &$0, head: head, lastTokens: observed, into: &again, squares: &squares)
            }
            let squared = zip(squares, expected.squares[head]).map { abs(Double($0) - $1) }.max()!
            #expect(again == mass && squared < 2e-5 * Double(max(1, observed)), "\(squared)")
        }
    }

    @Test(
        arguments: decoderPaths,
        [(1, 1, 0, 0), (70, 1, 4, 0), (700, 20, 650, 0), (300, 5, 64, 20), (130, 130, 127, 0)])
    func `a position that stands for many weighs as they did`(
        features: ProcessorFeatures, shape: (Int, Int, Int, Int)
    ) {
        let (positions, tokens, row, cap) = shape
        let kernels = DecoderKernels(features: features)
        var sequence = KVSample(positions: positions, tokens: tokens, seed: positions)
        var scratch = scratch()
        let before = sequence.reference(window: 0, cap: Double(cap), observed: 1).out
        (sequence.compensationRow, sequence.many) = (row, 41)
        let expected = sequence.reference(window: 0, cap: Double(cap), observed: 1)
        #expect(
            positions == 1 || zip(before, expected.out).contains { abs($0 - $1) > 1e-3 },
            "it changes something")
        let out = sequence.run(cap: Float(cap)) {
            kernels.attend(&$0, units: 0..<kernels.units(&$0), scratch: &scratch)
        }
        let worst = zip(out, expected.out).map { abs(Double($0) - $1) }.max()!
        #expect(worst < 2e-6, "\(worst)")
        var mass = [Float](repeating: 0, count: positions)
        _ = sequence.run(cap: Float(cap)) {
            kernels.addMass(&$0, head: 1, lastTokens: 1, into: &mass)
        }
        #expect(zip(mass, expected.mass[1]).allSatisfy { abs(Double($0) - $1) < 2e-5 })
    }

    @Test(arguments: decoderPaths) func `what two sequences share is read once and gives the same`(
        features: ProcessorFeatures
    ) {
        let kernels = DecoderKernels(features: features)
        var one = KVSample(positions: 1200, tokens: 1, seed: 1)
        var other = KVSample(positions: 1100, tokens: 1, seed: 2)
        var scratch = scratch()
        // The first 1,024 positions are the same.
        for i in 0..<32 * KVSample.side {
            other.keys[i] = one.keys[i]
            other.values[i] = one.values[i]
        }
        let alone = [
            one.run { kernels.attend(&$0, units: 0..<kernels.units(&$0), scratch: &scratch) },
            other.run { kernels.attend(&$0, units: 0..<kernels.units(&$0), scratch: &scratch) },
        ]
        let partials = UnsafeMutablePointer<Float>.allocate(capacity: 200_000)
        defer { partials.deallocate() }
        var second: [Float] = []
        let first = one.run { a in
            kernels.share(&a, partials: partials, firstSpan: 2)
            second = other.run { b in
                kernels.share(&b, partials: partials + 100_000, firstSpan: 2)
                var members = [a, b]
                members.withUnsafeMutableBufferPointer { members in
                    for span in 0..<2 {
                        kernels.attend(
                            shared: members, span: span, heads: 0..<KVSample.kvHeads,
                            scratch: &scratch)
                    }
                }
                kernels.attend(&b, units: 0..<kernels.units(&b), scratch: &scratch)
                kernels.merge(&b, heads: 0..<KVSample.kvHeads)
            }
            kernels.attend(&a, units: 0..<kernels.units(&a), scratch: &scratch)
            kernels.merge(&a, heads: 0..<KVSample.kvHeads)
        }
        #expect([first, second] == alone)
    }

    @Test func `checksums are CRC-32C of the quarters, on every path`() {
        // RFC 3720, and the check value of "123456789".
        let digits = Array("123456789".utf8)
        let zeros = [UInt8](repeating: 0, count: 32)
        let ascending = (0..<32).map { UInt8($0) }
        for features in [ProcessorFeatures.portable, .current] {
            #expect(Checksum.crc32c(digits, features: features)[3] == 0xe306_9283)
            #expect(
                Checksum.crc32c(zeros + zeros + zeros + zeros, features: features)
                    == [UInt32](repeating: 0x8a91_36aa, count: 4))
            #expect(
                Checksum.crc32c(ascending + ascending + ascending + ascending, features: features)
                    == [UInt32](repeating: 0x46dd_794e, count: 4))
        }
        for count in 0..<200 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + 11) }
            #expect(
                Checksum.crc32c(bytes, features: .portable)
                    == Checksum.crc32c(bytes, features: .current))
        }
    }
}
