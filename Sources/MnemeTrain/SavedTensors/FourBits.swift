import MnemeNumerics

/// Numbers in four bits each, in groups with a lowest value and a step.
package struct FourBits {
    /// Numbers that share a lowest value and a step.
    static let group = 64

    private let codes: AlignedBuffer<UInt8>
    private let ranges: AlignedBuffer<SIMD2<Float>>

    package init(_ count: Int, _ arena: TrainingArena) {
        codes = arena.make(UInt8.self, count / 2, .saved)
        ranges = arena.make(SIMD2<Float>.self, count / Self.group, .saved)
    }

    /// Keeps a group's 64 numbers.
    package func encode(_ x: UnsafePointer<Float>, group: Int) {
        var (low, high) = (x[0], x[0])
        for i in 1..<Self.group { (low, high) = (min(low, x[i]), max(high, x[i])) }
        let step = (high - low) / 15
        ranges.pointer[group] = SIMD2(low, step)
        let inverse = step > 0 ? 1 / step : 0
        let to = codes.pointer + group * Self.group / 2
        func code(_ value: Float) -> UInt8 {
            let scaled = (value - low) * inverse
            return scaled.isFinite ? UInt8(max(0, min(15, scaled.rounded()))) : 0
        }
        for i in 0..<Self.group / 2 { to[i] = code(x[2 * i]) | code(x[2 * i + 1]) << 4 }
    }

    /// The numbers, each off by at most half a step.
    package func decode(group: Int, into x: UnsafeMutablePointer<Float>) {
        let range = ranges.pointer[group]
        let from = codes.pointer + group * Self.group / 2
        for i in 0..<Self.group / 2 {
            x[2 * i] = range.x + range.y * Float(from[i] & 15)
            x[2 * i + 1] = range.x + range.y * Float(from[i] >> 4)
        }
    }
}
