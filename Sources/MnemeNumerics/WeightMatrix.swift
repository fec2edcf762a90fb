import CMnemeKernels

/// A linear map's weights as a language model's file has them, packed once for the machine's
/// kernels.
///
/// Quantized types keep their codes (4 or 8 bits), F16 and BF16 get codes of 12, and all of them
/// meet activations of 15 bits in blocks of 32; F32, and halves in rows of another length, are
/// floats and meet floats.
package final class WeightMatrix: Sendable {
    private enum Storage {
        case f32(AlignedBuffer<Float>)
        case tiles(AlignedBuffer<UInt8>, format: Int32)
    }

    package let inputs: Int
    package let outputs: Int
    /// The format in which the kernels read ``DecoderRows``; none is floats.
    package let reads: DecoderRows.Forms
    private let storage: Storage
    private let zeros: AlignedBuffer<Float>
    private let features: UInt32

    /// Outputs as the kernels count them.
    package var paddedOutputs: Int { (outputs + 15) / 16 * 16 }

    /// True for types that can be packed with rows of this length: whole blocks.
    package static func isSupported(type: GGMLType, inputs: Int) -> Bool {
        var weights = 0
        var bytes = 0
        guard mnk_block_shape(type.rawValue, &weights, &bytes) != 0, inputs > 0,
            inputs % weights == 0
        else {
            return false
        }
        return weights == 1 || inputs % 32 == 0
    }

    /// - Parameters:
    ///   - source: `outputs` rows of `inputs` weights in blocks of the type.
    ///   - type: of the weights; `isSupported` holds.
    package init(
        source: UnsafeRawPointer, type: GGMLType, outputs: Int, inputs: Int,
        pool: ThreadPool = .shared,
        features: ProcessorFeatures = .current
    ) {
        precondition(Self.isSupported(type: type, inputs: inputs))
        self.inputs = inputs
        self.outputs = outputs
        self.features = features.rawValue
        let padded = (outputs + 15) / 16 * 16
        let format = inputs % 32 == 0 ? mnk_tile_format(type.rawValue) : -1
        reads = format < 0 ? [] : format == Int32(MNK_Q12) ? .words : .codes
        zeros = AlignedBuffer(padded)
        nonisolated(unsafe) let source = source
        if format >= 0 {
            let packed = AlignedBuffer<UInt8>(padded / 16 * (inputs / 32) * mnk_tile_bytes(format))
            pool.run { thread, threads in
                let range = shareOf(padded / 16, thread, threads)
                mnk_pack_tiles(
                    type.rawValue, source, inputs, range.lowerBound * 16,
                    min(outputs, range.upperBound * 16),
                    packed.pointer)
            }
            storage = .tiles(packed, format: format)
        } else {
            let packed = AlignedBuffer<Float>(padded * inputs)
            let bytes = blockShape(type: type)!.bytes
            pool.run { thread, threads in
                let range = shareOf(padded / 16, thread, threads)
                withUnsafeTemporaryAllocation(of: Float.self, capacity: inputs) { values in
                    for row in range.lowerBound * 16..<min(outputs, range.upperBound * 16) {
                        dequantize(
                            type: type, source + row * inputs * bytes, count: inputs,
                            into: values.baseAddress!)
                        let target = packed.pointer + row / 16 * 16 * inputs + row % 16
                        for k in 0..<inputs { target[k * 16] = values[k] }
                    }
                }
            }
            storage = .f32(packed)
        }
    }

    /// Bytes of the packed weights.
    package var byteCount: Int {
        switch storage {
        case .f32(let packed): packed.count * 4
        case .tiles(let packed, _): packed.count
        }
    }

    /// output[rows][stride] (+)= input · Wᵀ for the column groups (of 16) in `groups`.
    ///
    /// Writes whole groups: `stride` holds ``paddedOutputs``.
    package func apply(
        _ input: DecoderRows, rows: Int, groups: Range<Int>, accumulate: Bool = false,
        bias: UnsafePointer<Float>? = nil,
        into output: UnsafeMutablePointer<Float>, stride: Int
    ) {
        guard !groups.isEmpty, rows > 0 else { return }
        switch storage {
        case .tiles(let packed, let format):
            let a =
                reads == .words
                ? UnsafeRawPointer(input.words.pointer) : UnsafeRawPointer(input.codes.pointer)
            var g = mnk_tiles(
                a: a, a_scale: input.scales.pointer, a_sum: input.sums.pointer,
                a_total: input.totals.pointer,
                b: packed.pointer, format: format, m: rows,
                n: paddedOutputs, k: inputs, n_begin: groups.lowerBound * 16,
                n_end: groups.upperBound * 16, bias: bias,
                c: output, ldc: stride,
                accumulate: accumulate ? 1 : 0)
            mnk_gemm_tiles(features, &g)
        case .f32(let packed):
            var g = product(input, packed.pointer, rows, groups, accumulate, bias, output, stride)
            mnk_gemm_f32(features, &g)
        }
    }

    private func product(
        _ input: DecoderRows, _ weights: UnsafeRawPointer, _ rows: Int, _ groups: Range<Int>,
        _ accumulate: Bool,
        _ bias: UnsafePointer<Float>?,
        _ output: UnsafeMutablePointer<Float>, _ stride: Int
    ) -> mnk_gemm {
        var g = mnk_gemm()
        g.a = UnsafeRawPointer(input.floats)
        g.lda = inputs
        g.b = weights
        g.m = rows
        g.n = paddedOutputs
        g.k = inputs
        g.n_begin = groups.lowerBound * 16
        g.n_end = groups.upperBound * 16
        g.bias = bias ?? UnsafePointer(zeros.pointer)
        g.epilogue = Int32(accumulate ? MNK_EPILOGUE_RESIDUAL : MNK_EPILOGUE_BIAS)
        g.residual = UnsafePointer(output)
        g.c = output
        g.ldc = stride
        return g
    }

    /// Row `index` as floats: an embedding.
    package func row(_ index: Int, into output: UnsafeMutablePointer<Float>) {
        switch storage {
        case .tiles(let packed, let format):
            mnk_tile_row(format, packed.pointer, inputs, index, output)
        case .f32(let packed):
            for k in 0..<inputs {
                output[k] = packed.pointer[index / 16 * 16 * inputs + k * 16 + index % 16]
            }
        }
    }
}

/// Thread `index`'s share of `count` pieces of work.
package func shareOf(_ count: Int, _ index: Int, _ threads: Int) -> Range<Int> {
    count * index / threads..<count * (index + 1) / threads
}

/// Weights of a GGUF block type, as floats.
package func dequantize(
    type: GGMLType, _ source: UnsafeRawPointer, count: Int, into output: UnsafeMutablePointer<Float>
) {
    mnk_dequantize(type.rawValue, source, count, output)
}

/// Floats as blocks of F32, F16 or Q8_0 (then a multiple of 32).
package func quantize(_ values: [Float], type: GGMLType) -> [UInt8] {
    guard let shape = blockShape(type: type) else { return [] }
    let bytes = values.count / shape.weights * shape.bytes
    return [UInt8](unsafeUninitializedCapacity: bytes) { out, count in
        mnk_quantize(type.rawValue, values, values.count, out.baseAddress!)
        count = bytes
    }
}

/// Weights and bytes of a block of a GGUF type; nil for types that are not read.
package func blockShape(type: GGMLType) -> (weights: Int, bytes: Int)? {
    var weights = 0
    var bytes = 0
    return mnk_block_shape(type.rawValue, &weights, &bytes) != 0 ? (weights, bytes) : nil
}
