import MnemeBase
package import MnemeNumerics

/// What a side network computes of one row (``SideNetwork``): the same for training and for answers.
package struct SideStep: Sendable {
    package let sizes: SideSizes
    /// All that is learned.
    package let values: AlignedBuffer<Float>
    /// Where in them it begins.
    package let offset: Int
    /// S of each layer, width × hidden.
    private let signs: AlignedBuffer<Float>

    /// - Parameters:
    ///   - values: numbers in the order of the sizes, from `offset` on; they may change between rows.
    ///   - seed: signs are drawn by it.
    package init(_ sizes: SideSizes, seed: Int, values: AlignedBuffer<Float>, offset: Int = 0) {
        (self.sizes, self.values, self.offset) = (sizes, values, offset)
        signs = AlignedBuffer(sizes.layers * sizes.width * sizes.hidden)
        let scale = 1 / Float(sizes.hidden).squareRoot()
        for row in 0..<sizes.layers * sizes.width {
            var bits: UInt64 = 0
            for i in 0..<sizes.hidden {
                if i % 64 == 0 {
                    let place = UInt64(row) << 20 | UInt64(i / 64)
                    bits = SplitMix64.mixed(SplitMix64.mixed(UInt64(seed)) ^ place)
                }
                signs.pointer[row * sizes.hidden + i] = bits >> UInt64(i % 64) & 1 == 1 ? scale : -scale
            }
        }
    }

    package var byteCount: Int { (values.count + signs.count) * MemoryLayout<Float>.stride }

    /// What a row has of a layer: S·n, u, U·u, and g.
    package struct Row {
        package let projected, mixed, wide, output: UnsafeMutablePointer<Float>

        /// Floats of a row.
        package static func count(_ sizes: SideSizes) -> Int { 3 * sizes.width + sizes.wide }

        package init(_ memory: UnsafeMutablePointer<Float>, _ sizes: SideSizes) {
            (projected, mixed) = (memory, memory + sizes.width)
            wide = mixed + sizes.width
            output = wide + sizes.wide
        }
    }

    package func parameter(_ place: Int) -> UnsafeMutablePointer<Float> { values.pointer + offset + place }

    /// The root of a state's mean square.
    package func size(_ state: UnsafePointer<Float>) -> Float {
        (dotProduct(state, state, count: sizes.hidden) / Float(sizes.hidden)).squareRoot()
    }

    /// One layer.
    ///
    /// - Parameters:
    ///   - state: behind the model's layer.
    ///   - before: the layer before; may be the row's own output. Nil for the first.
    package func take(_ layer: Int, _ state: UnsafePointer<Float>, before: UnsafePointer<Float>?, into row: Row) {
        let (hidden, width, wide) = (sizes.hidden, sizes.width, sizes.wide)
        let signs = signs.pointer + layer * width * hidden
        let (up, down, beta) = (
            parameter(sizes.up(layer)), parameter(sizes.down(layer)), parameter(sizes.mix(layer)).pointee
        )
        let size = size(state)
        let scale = size > 0 ? 1 / size : 0
        for j in 0..<width {
            row.projected[j] = scale * dotProduct(signs + j * hidden, state, count: hidden)
            row.mixed[j] = (1 - beta) * row.projected[j] + beta * (before?[j] ?? 0)
        }
        for k in 0..<wide { row.wide[k] = dotProduct(up + k * width, row.mixed, count: width) }
        for j in 0..<width {
            var sum = row.mixed[j]
            for k in 0..<wide where row.wide[k] > 0 { sum += down[j * wide + k] * row.wide[k] }
            row.output[j] = sum
        }
    }

    /// state += rms(state)·O·g.
    package func add(_ output: UnsafePointer<Float>, to state: UnsafeMutablePointer<Float>) {
        let (size, matrix) = (size(state), parameter(sizes.output))
        for i in 0..<sizes.hidden {
            state[i] += size * dotProduct(matrix + i * sizes.width, output, count: sizes.width)
        }
    }
}
