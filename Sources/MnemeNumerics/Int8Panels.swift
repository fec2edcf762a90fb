import CMnemeKernels

/// The layout of vectors for products with 8-bit queries: panels of 16 vectors, as `mnk_gemm_int8`
/// reads them.
///
/// Of vector v, component i is code i % 4 of quad i / 4, at panel(v) + (i / 4)·64 + (v % 16)·4 + i
/// % 4; each has a scale, and the sum of its codes. Components are padded with zeros to a multiple
/// of 64, vectors to 16.
package enum Int8Panels {
    /// Components with padding.
    package static func padded(_ dimension: Int) -> Int { (dimension + 63) / 64 * 64 }

    /// Puts `vector` at `row`.
    package static func set(
        _ row: Int, _ vector: UnsafePointer<Float>, dimension: Int,
        codes: UnsafeMutablePointer<Int8>,
        scales: UnsafeMutablePointer<Float>,
        sums: UnsafeMutablePointer<Int32>
    ) {
        let width = padded(dimension)
        let panel = codes + row / 16 * 16 * width + row % 16 * 4
        withUnsafeTemporaryAllocation(of: Int8.self, capacity: mnk_code_bytes(dimension)) { row8 in
            scales[row] = mnk_encode_query(vector, dimension, row8.baseAddress!)
            var sum: Int32 = 0
            for i in 0..<width {
                panel[i / 4 * 64 + i % 4] = row8[i]
                sum += Int32(row8[i])
            }
            sums[row] = sum
        }
    }

    /// Inner products, to 8 bits, of queries and the vectors `rows`, which begin and end at
    /// multiples of 16.
    ///
    /// - Parameters:
    ///   - queries: rows of `dimension`.
    ///   - zeros: a zero for each of `rows`' end.
    ///   - scores: query by query, `stride` apart; the score of row r stands at r.
    /// - Complexity: one reading of the vectors for all queries.
    package static func scores(
        queries: UnsafePointer<Float>, count: Int, dimension: Int, rows: Range<Int>,
        codes: UnsafePointer<Int8>,
        scales: UnsafePointer<Float>,
        sums: UnsafePointer<Int32>, zeros: UnsafePointer<Float>,
        into scores: UnsafeMutablePointer<Float>, stride: Int,
        features: ProcessorFeatures = .current
    ) {
        let width = padded(dimension)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: count * width) { padded in
            padded.initialize(repeating: 0)
            for q in 0..<count {
                (padded.baseAddress! + q * width).update(
                    from: queries + q * dimension, count: dimension)
            }
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: count * width) { bytes in
                withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { scale in
                    withUnsafeTemporaryAllocation(of: Int32.self, capacity: count) { zero in
                        mnk_quantize_rows(
                            features.rawValue, padded.baseAddress!, count, width, nil,
                            bytes.baseAddress!,
                            scale.baseAddress!, zero.baseAddress!)
                        var product = mnk_gemm()
                        product.a = UnsafeRawPointer(bytes.baseAddress!)
                        product.lda = width
                        product.b = UnsafeRawPointer(codes)
                        (product.m, product.k) = (count, width)
                        (product.n, product.n_begin, product.n_end) = (
                            rows.upperBound, rows.lowerBound, rows.upperBound
                        )
                        product.bias = zeros
                        product.epilogue = Int32(MNK_EPILOGUE_BIAS)
                        product.c = scores
                        product.ldc = stride
                        (product.a_scale, product.a_zero) = (
                            UnsafePointer(scale.baseAddress!), UnsafePointer(zero.baseAddress!)
                        )
                        (product.b_scale, product.b_sum) = (scales, sums)
                        mnk_gemm_int8(features.rawValue, &product)
                    }
                }
            }
        }
    }
}

/// The inner product of two vectors of `count` elements.
package func dotProduct(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int,
    features: ProcessorFeatures = .current
) -> Float {
    mnk_dot_f32(features.rawValue, a, b, count)
}
