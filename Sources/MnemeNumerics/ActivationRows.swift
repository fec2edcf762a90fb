import CMnemeKernels

/// The input rows of a ``WeightMatrix``: floats, and what they are quantized to, as the matrix'
/// format reads them.
package struct ActivationRows: Sendable {
    /// Formats of quantized activations. A matrix reads one of them, or floats.
    package struct Formats: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        /// 15 bits in blocks of 32, as two bytes apart, for weights of 8 bits in tiles.
        ///
        /// 15 bits, not 8 as usual: with 8, greedy answers soon leave those of the f32 model.
        package static let codes = Formats(rawValue: 1)
        /// 15 bits in groups of up to 256, as words, for weights of 12 bits; where there is AMX, which
        /// multiplies bytes, as two bytes apart, too.
        package static let words = Formats(rawValue: 2)
        /// 8 bits with a scale and a zero for each row, for weights of 8 bits with a scale for each
        /// column. An encoder's vectors keep cosine 0.999 with them.
        package static let bytes = Formats(rawValue: 4)
        /// 15 bits in groups of up to 256, as two bytes apart, for weights of 4 bits whose scales
        /// are integers.
        package static let groups = Formats(rawValue: 8)
        /// Those with a scale for a group, not for a block of 32.
        package static let inGroups: Formats = [.words, .groups]
    }

    private let buffer: AlignedBuffer<Float>
    /// Blocks of 32: two bytes an element, 128·high + low.
    package let codes: AlignedBuffer<Int8>
    /// For each block of 32: the scale, the sum of its values, and that of its words.
    package let scales: AlignedBuffer<Float>
    package let sums: AlignedBuffer<Float>
    package let totals: AlignedBuffer<Int32>
    /// x ≈ scale·(byte − zero), with a scale and a zero for each row.
    package let bytes: AlignedBuffer<UInt8>
    package let rowScales: AlignedBuffer<Float>
    package let rowZeros: AlignedBuffer<Int32>

    /// Groups: words; two bytes an element, 64 high ones and then as many low ones; the scale of a
    /// group; sums of the bytes, six numbers for each 64 elements. Rows are filled up to whole 64.
    package let words: AlignedBuffer<Int16>
    package let groupBytes: AlignedBuffer<Int8>
    package let groupScales: AlignedBuffer<Float>
    package let groupTotals: AlignedBuffer<Int32>

    package var floats: UnsafeMutablePointer<Float> { buffer.pointer }

    /// - Parameters:
    ///   - columns: the widest row.
    ///   - formats: that there is room for besides floats.
    package init(rows: Int, columns: Int, formats: Formats) {
        buffer = AlignedBuffer(rows * columns)
        codes = AlignedBuffer(formats.contains(.codes) ? 2 * rows * columns : 0)
        let blocks = formats.contains(.codes) ? rows * columns / 32 + 1 : 0
        scales = AlignedBuffer(blocks)
        sums = AlignedBuffer(blocks)
        totals = AlignedBuffer(blocks)
        bytes = AlignedBuffer(formats.contains(.bytes) ? rows * columns : 0)
        rowScales = AlignedBuffer(formats.contains(.bytes) ? rows : 0)
        rowZeros = AlignedBuffer(formats.contains(.bytes) ? rows : 0)
        // A row never has more groups than pieces of 64.
        let pieces = formats.isDisjoint(with: .inGroups) ? 0 : rows * mnk_group_width(columns) / 64
        words = AlignedBuffer(formats.contains(.words) ? 64 * pieces : 0)
        groupBytes = AlignedBuffer(2 * 64 * pieces)
        groupScales = AlignedBuffer(pieces)
        groupTotals = AlignedBuffer(6 * pieces)
    }

    /// Fills formats of rows `rows` from their floats.
    ///
    /// - Parameters:
    ///   - columns: of a row; a multiple of 32.
    ///   - inputScale: bytes only: multiplies each column before; nil for none.
    /// - Complexity: O(rows · columns).
    package func quantize(
        _ rows: Range<Int>, columns: Int, to formats: Formats,
        inputScale: AlignedBuffer<Float>? = nil, features: ProcessorFeatures
    ) {
        let start = rows.lowerBound * columns
        if formats.contains(.codes) {
            mnk_quantize_blocks(
                features.rawValue, floats + start, rows.count * columns, codes.pointer + 2 * start,
                scales.pointer + start / 32, sums.pointer + start / 32, totals.pointer + start / 32)
        }
        if !formats.isDisjoint(with: .inGroups) {
            let width = rows.lowerBound * mnk_group_width(columns)
            let group = rows.lowerBound * mnk_group_count(columns)
            let isApart = formats.contains(.groups) || Self.multipliesBytes(features)
            mnk_quantize_groups(
                features.rawValue, floats + start, rows.count, columns,
                isApart ? groupBytes.pointer + 2 * width : nil,
                formats.contains(.words) ? words.pointer + width : nil, groupScales.pointer + group,
                groupTotals.pointer + width / 64 * 6)
        }
        if formats.contains(.bytes) {
            mnk_quantize_rows(
                features.rawValue, floats + start, rows.count, columns, inputScale?.pointer,
                bytes.pointer + start, rowScales.pointer + rows.lowerBound,
                rowZeros.pointer + rows.lowerBound)
        }
    }

    /// Whether products of words are done by bytes where there are rows enough.
    package static func multipliesBytes(_ features: ProcessorFeatures) -> Bool {
        !features.isDisjoint(with: [.amxInt8, .amxEmulated])
    }
}
