import CMnemeKernels

/// Rows of vectors as 8-bit codes with a scale each: a quarter of the memory, and one
/// instruction multiplies 64 of them.
///
/// Layout: codes row after row, then per row its scale and the sum of its codes.
package struct Int8Matrix: Sendable {
    package let dimension: Int
    private var codes: [Int8] = []
    private var scales: [Float] = []
    private var sums: [Int32] = []

    package init(dimension: Int) { self.dimension = dimension }

    /// Rows held.
    package var count: Int { scales.count }

    /// Bytes held.
    package var byteCount: Int { codes.count + scales.count * 8 }

    /// Appends one vector.
    package mutating func append(_ vector: UnsafePointer<Float>) {
        let start = codes.count
        codes.append(contentsOf: repeatElement(0, count: dimension))
        var sum: Int32 = 0
        let scale = codes.withUnsafeMutableBufferPointer {
            mnk_quantize_vector(vector, dimension, $0.baseAddress! + start, &sum)
        }
        scales.append(scale)
        sums.append(sum)
    }

    /// Replaces row `row`.
    package mutating func replace(_ row: Int, with vector: UnsafePointer<Float>) {
        var sum: Int32 = 0
        scales[row] = codes.withUnsafeMutableBufferPointer {
            mnk_quantize_vector(vector, dimension, $0.baseAddress! + row * dimension, &sum)
        }
        sums[row] = sum
    }

    /// Inner products of `query` with rows `range`, approximate to 8 bits.
    ///
    /// - Complexity: one pass over the rows; bound by memory bandwidth beyond the cache.
    package func scan(
        _ query: UnsafePointer<Float>, rows range: Range<Int>, features: ProcessorFeatures = .current,
        into scores: UnsafeMutablePointer<Float>
    ) {
        guard !range.isEmpty else { return }
        withUnsafeTemporaryAllocation(of: Int8.self, capacity: dimension) { buffer in
            var sum: Int32 = 0
            let scale = mnk_quantize_vector(query, dimension, buffer.baseAddress!, &sum)
            codes.withUnsafeBufferPointer { codes in
                scales.withUnsafeBufferPointer { scales in
                    sums.withUnsafeBufferPointer { sums in
                        mnk_scan_int8(
                            features.rawValue, buffer.baseAddress!, scale, codes.baseAddress! + range.lowerBound * dimension,
                            scales.baseAddress! + range.lowerBound, sums.baseAddress! + range.lowerBound,
                            range.count, dimension, scores)
                    }
                }
            }
        }
    }
}

/// The inner product of two vectors of `count` elements.
package func dotProduct(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int, features: ProcessorFeatures = .current
) -> Float {
    mnk_dot_f32(features.rawValue, a, b, count)
}
