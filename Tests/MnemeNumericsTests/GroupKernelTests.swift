import MnemeNumerics
import Testing

/// Every path that this machine can run, and the emulated AMX tiles.
private let paths: [ProcessorFeatures] =
    ProcessorFeatures.machinePaths.map(\.features) + [.amxEmulated]

/// Rows of Q4_1 or Q4_0 of any length, which is blocks of 32 with a scale, and in Q4_1 a minimum.
private struct FourBitRows {
    static let types: [GGMLType] = [.q4_1, .q4_0]
    let type: GGMLType
    let rows: Int
    let columns: Int
    private(set) var bytes: [UInt8] = []

    /// - Parameter range: the scale and the minimum of a row's block.
    init(
        _ type: GGMLType, rows: Int, columns: Int,
        range: (Int, Int) -> (scale: Float16, minimum: Float16)
    ) {
        (self.type, self.rows, self.columns) = (type, rows, columns)
        for row in 0..<rows {
            for block in 0..<columns / 32 {
                let (scale, minimum) = range(row, block)
                for half in [scale.bitPattern, minimum.bitPattern].prefix(type == .q4_1 ? 2 : 1) {
                    bytes += [UInt8(half & 255), UInt8(half >> 8)]
                }
                bytes += (0..<16).map {
                    UInt8(truncatingIfNeeded: ($0 * 37 + row * 11 + block * 53) * 2_654_435_761 >> 7)
                }
            }
        }
    }

    var floats: [Float] {
        var floats = [Float](repeating: 0, count: rows * columns)
        bytes.withUnsafeBytes {
            dequantize(type: type, $0.baseAddress!, count: floats.count, into: &floats)
        }
        return floats
    }

    func matrix(_ features: ProcessorFeatures) -> WeightMatrix {
        bytes.withUnsafeBytes {
            WeightMatrix(
                source: $0.baseAddress!, type: type, outputs: rows, inputs: columns,
                features: features)
        }
    }

    /// Products with `count` rows of inputs, which a long row of them begins with `peak`.
    func products(_ features: ProcessorFeatures, count: Int, peak: Float = 1) -> [Float] {
        let matrix = matrix(features)
        let input = ActivationRows(rows: count, columns: columns, formats: matrix.reads)
        for i in 0..<count * columns { input.floats[i] = Self.input(i, columns, peak) }
        matrix.quantize(input, rows: 0..<count)
        var output = [Float](repeating: .nan, count: count * matrix.paddedOutputs)
        matrix.apply(
            input, rows: count, groups: 0..<matrix.paddedOutputs / 16, into: &output,
            stride: matrix.paddedOutputs)
        return output
    }

    static func input(_ i: Int, _ columns: Int, _ peak: Float) -> Float {
        i % columns == 0 ? peak : Float((i * 7919) % 2003 - 1001) / 1001
    }
}

@Suite struct GroupKernelTests {
    /// Blocks that differ in scale by a factor of 64, and in sign.
    private static func sample(_ type: GGMLType, rows: Int, columns: Int) -> FourBitRows {
        FourBitRows(type, rows: rows, columns: columns) { row, block in
            let scale = Float16((row + 3 * block) % 7 + 1) / Float16(1 << ((row + block) % 4 * 2 + 3))
            return (scale, -scale * Float16(block % 3 * 5))
        }
    }

    @Test(arguments: FourBitRows.types, [32, 96, 256, 320, 576])
    func `weights of four bits stay within a fraction of their row's highest`(
        type: GGMLType, columns: Int
    ) {
        let rows = Self.sample(type, rows: 19, columns: columns)
        let exact = rows.floats
        let matrix = rows.matrix(.current)
        #expect(matrix.reads == .groups)
        var found = [Float](repeating: 0, count: columns)
        for row in 0..<19 {
            matrix.row(row, into: &found)
            let given = exact[row * columns..<(row + 1) * columns]
            // A minimum that no code reaches counts, too.
            let bound = 4.6 / 16186 * 2 * given.map(abs).max()!
            for (a, b) in zip(found, given) { #expect(abs(a - b) <= bound) }
        }
    }

    @Test(arguments: paths, [32, 96, 256, 320, 576])
    func `products over groups are the portable path's bits, beside any rows`(
        features: ProcessorFeatures, columns: Int
    ) {
        for type in FourBitRows.types {
            let rows = Self.sample(type, rows: 40, columns: columns)
            let expected = rows.products(.portable, count: 33)
            for count in [1, 2, 3, 4, 7, 8, 9, 12, 13, 16, 17, 31, 33] {
                let found = rows.products(features, count: count)
                #expect(found == Array(expected[..<found.count]), "\(type), \(count) rows")
            }
        }
    }

    @Test(arguments: [(1, 3e-4), (300, 2e-2)] as [(Float, Double)])
    func `an input far above the others costs them precision, and not more than its share`(
        peak: Float, tolerance: Double
    ) {
        let columns = 576
        let rows = Self.sample(.q4_1, rows: 16, columns: columns)
        let matrix = rows.matrix(.current)
        let found = rows.products(.current, count: 2, peak: peak)
        var weights = [Float](repeating: 0, count: columns)
        for output in 0..<16 {
            matrix.row(output, into: &weights)
            for count in 0..<2 {
                let terms = (0..<columns).map {
                    Double(weights[$0])
                        * Double(FourBitRows.input(count * columns + $0, columns, peak))
                }
                // Of what the ordinary inputs give alone.
                let size = terms.dropFirst().reduce(0) { $0 + abs($1) }
                let error = abs(Double(found[count * 16 + output]) - terms.reduce(0, +))
                #expect(error <= size * tolerance + abs(terms[0]) * 1e-4)
            }
        }
    }

    @Test func `scales that are no numbers, or nothing at all, make zeros`() {
        for range in [(Float16.nan, Float16.infinity), (0, 0)] as [(Float16, Float16)] {
            let rows = FourBitRows(.q4_1, rows: 16, columns: 64) { row, block in
                row == 3 && block == 1 ? (0.5, -1) : (range.0, range.1)
            }
            let found = rows.products(.current, count: 2)
            for (i, value) in found.enumerated() {
                #expect(value.isFinite && (value == 0) == (i % 16 != 3), "at \(i): \(value)")
            }
        }
    }
}
