import Foundation
import MnemeNumerics
import Testing

/// The rows of one key-value head in pages, some of them as codes, and the same with these decoded.
private struct CodedSample {
    static let block = DecoderKernels.kvBlock
    /// Halves from one page's possible beginning to the next.
    static let unit = 32
    let dimension: Int, group: Int, positions: Int, tokens: Int, bits: Int
    /// Memory of either kind of pages, and where each page begins in it.
    private let coded: [UInt16], decoded: [UInt16]
    private let codedTable: [Int32], decodedTable: [Int32]
    private let queries: [Float]

    /// - Parameter isCoded: whether a page is kept as codes; one that is not full never is.
    init(
        _ kernels: DecoderKernels, dimension: Int, group: Int, positions: Int, tokens: Int,
        bits: Int, isCoded: (Int) -> Bool
    ) {
        (self.dimension, self.group, self.positions) = (dimension, group, positions)
        (self.tokens, self.bits) = (tokens, bits)
        var state = UInt64(dimension * 131 + positions * 17 + bits)
        func noise() -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(state >> 40) / 8_388_608 - 1
        }
        let part = Self.block * dimension
        let pages = (positions + Self.block - 1) / Self.block
        var coded = [UInt16](repeating: 0, count: pages * 2 * part)
        var decoded = coded
        var codedTable: [Int32] = []
        var decodedTable: [Int32] = []
        for page in 0..<pages {
            let start = page * 2 * part
            let halves = (0..<2 * part).map { _ in Float16(noise()).bitPattern }
            decoded.replaceSubrange(start..<start + 2 * part, with: halves)
            coded.replaceSubrange(start..<start + 2 * part, with: halves)
            decodedTable.append(Int32(start / Self.unit))
            guard isCoded(page), (page + 1) * Self.block <= positions else {
                codedTable.append(decodedTable[page])
                continue
            }
            codedTable.append(~decodedTable[page])
            coded.withUnsafeMutableBufferPointer { coded in
                decoded.withUnsafeMutableBufferPointer { decoded in
                    let to = decoded.baseAddress! + start
                    kernels.encodePage(
                        bits: bits, keys: to, values: to + part, dimension: dimension,
                        into: coded.baseAddress! + start)
                    kernels.decodePage(
                        bits: bits, coded.baseAddress! + start, dimension: dimension, keys: to,
                        values: to + part)
                }
            }
        }
        (self.coded, self.decoded) = (coded, decoded)
        (self.codedTable, self.decodedTable) = (codedTable, decodedTable)
        queries = (0..<tokens * group * dimension).map { _ in 2 * noise() }
    }

    private var scale: Float { 1 / Float(dimension).squareRoot() }

    /// The most that an output may differ by: decoding rounds each number to a half, by 2⁻¹¹ of it at
    /// most. That moves a score by δ, so weights by a factor within e^±2δ, and the values by 2⁻¹¹.
    var bound: Float {
        let rounding: Float = 1 / 2048
        // Keys, values are within ±1 and a step of their codes, queries within ±2.
        let largest: Float = 1.1
        let reach = (0..<tokens * group).map { row in
            queries[row * dimension..<(row + 1) * dimension].reduce(0) { $0 + abs($1) }
        }
        let delta = scale * (reach.max() ?? 0) * largest * rounding
        return largest * rounding + largest * (exp(2 * delta) - 1) + 1e-5
    }

    func attend(_ kernels: DecoderKernels, coded isCoded: Bool) -> [Float] {
        var out = [Float](repeating: .nan, count: queries.count)
        var scratch = [Float](
            repeating: .nan,
            count: DecoderKernels.scratch(heads: group, kvHeads: 1, dimension: dimension) + 64)
        (isCoded ? coded : decoded).withUnsafeBufferPointer { memory in
            (isCoded ? codedTable : decodedTable).withUnsafeBufferPointer { table in
                queries.withUnsafeBufferPointer { queries in
                    out.withUnsafeMutableBufferPointer { out in
                        var attention = DecoderKernels.Attention(
                            queries: queries.baseAddress!, stride: group * dimension,
                            keys: memory.baseAddress!,
                            values: memory.baseAddress! + Self.block * dimension,
                            blockStride: Self.unit, table: table.baseAddress!, tokens: tokens,
                            position: positions - tokens, heads: group, kvHeads: 1,
                            dimension: dimension, window: 0, scale: scale, cap: 0,
                            into: out.baseAddress!, outputStride: group * dimension,
                            codeBits: bits)
                        kernels.attend(
                            &attention, units: 0..<kernels.units(&attention), scratch: &scratch)
                    }
                }
            }
        }
        return out
    }
}

/// Attention over rows of 8 and 4 bits, which it reads as they are.
@Suite struct CodedAttentionTests {
    @Test(arguments: [64, 128, 256], [8, 4])
    func `attention over codes is attention over the decoded rows`(dimension: Int, bits: Int) {
        let kernels = DecoderKernels(features: .current)
        for group in [1, 3, 8] {
            for (positions, tokens) in [(33, 1), (64, 1), (95, 5), (777, 1), (1031, 33)] {
                let sample = CodedSample(
                    kernels, dimension: dimension, group: group, positions: positions,
                    tokens: tokens, bits: bits
                ) { $0 % 5 != 3 }
                let codes = sample.attend(kernels, coded: true)
                let halves = sample.attend(kernels, coded: false)
                let worst = zip(codes, halves).map { abs($0 - $1) }.max() ?? .infinity
                let what = "group \(group), \(positions) rows, \(tokens) tokens"
                #expect(!codes.contains { !$0.isFinite }, "\(what)")
                #expect(worst <= sample.bound, "\(what): \(worst) of \(sample.bound)")
                #expect(sample.bound < 0.05)
                // They are not the same memory: where a page is coded, the last bits differ.
                if positions >= 64 { #expect(worst > 0, "\(what)") }
            }
        }
    }

    @Test(arguments: [8, 4])
    func `rows without codes give the same bits beside them`(bits: Int) {
        let kernels = DecoderKernels(features: .current)
        let sample = CodedSample(
            kernels, dimension: 64, group: 3, positions: 300, tokens: 1, bits: bits
        ) { _ in false }
        #expect(sample.attend(kernels, coded: true) == sample.attend(kernels, coded: false))
    }

    /// Runs of neighbouring pages with codes and without, of one, two and more, and what of a chunk is not begun.
    @Test(arguments: [8, 4])
    func `codes beside rows without give the same bits on every path`(bits: Int) {
        for (dimension, group, positions, tokens) in [
            (64, 1, 95, 1), (64, 2, 160, 2), (64, 3, 1100, 1), (96, 4, 300, 1), (128, 5, 257, 1), (256, 4, 200, 3),
        ] {
            func run(_ features: ProcessorFeatures) -> [UInt32] {
                let kernels = DecoderKernels(features: features)
                return CodedSample(
                    kernels, dimension: dimension, group: group, positions: positions, tokens: tokens, bits: bits
                ) { $0 % 7 < 3 || $0 % 7 == 5 }
                .attend(kernels, coded: true).map(\.bitPattern)
            }
            let portable = run(.portable)
            for path in ProcessorFeatures.machinePaths {
                #expect(run(path.features) == portable, "\(path), dimension \(dimension), group \(group)")
            }
        }
    }
}
