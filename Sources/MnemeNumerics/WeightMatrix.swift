import CMnemeKernels

/// The last step of a ``WeightMatrix``'s product: what becomes of its sums, to which the bias is
/// added.
package enum Epilogue {
    /// They are stored.
    case store
    /// They are added to what stands in the output.
    case accumulate
    /// GELU of them is stored (with the exact error function). Not with weights in tiles.
    case gelu
    /// They are stored with a residual of the output's shape added. Not with weights in tiles.
    case residual(UnsafePointer<Float>)
}

/// A linear map's weights, packed once for the machine's kernels: the matrices of language models
/// and of encoders.
///
/// The formats, each with the activations that it reads (``reads``):
///
/// | Weights | Activations | Of |
/// |---|---|---|
/// | floats | floats | F32, and halves in rows of no whole blocks |
/// | 8 bits, one scale a column | 8 bits, one scale and zero a row | encoders |
/// | codes of 4 bits in tiles, integer scales | 15 bits in groups of up to 256 | Q4_0, Q4_1, Q4_K |
/// | codes of 8 bits in tiles | 15 bits in blocks of 32 | a file's other quantized types |
/// | codes of 12 bits in tiles | 15 bits in groups of up to 256 | F16, BF16 |
package final class WeightMatrix: Sendable {
    /// The packed weights, by format.
    private enum Storage {
        /// Panels of 16 outputs.
        case f32(AlignedBuffer<Float>)
        /// Panels of 16 outputs; each output's scale, and the sum of its codes.
        case int8(AlignedBuffer<Int8>, scales: AlignedBuffer<Float>, sums: AlignedBuffer<Int32>)
        /// `mnk_tiles` of one of the kernels' formats.
        case tiles(AlignedBuffer<UInt8>, format: Int32)
    }

    package let inputs: Int
    package let outputs: Int
    /// The format in which the product reads its input; none is floats.
    package let reads: ActivationRows.Formats
    private let storage: Storage
    /// What the input is multiplied by before it is quantized; its inverse is in the weights.
    private let inputScale: AlignedBuffer<Float>?
    private let zeros: AlignedBuffer<Float>
    private let features: ProcessorFeatures

    /// Outputs as the kernels count them.
    package var paddedOutputs: Int { (outputs + 15) / 16 * 16 }

    /// True for types that can be packed with rows of this length: whole blocks.
    package static func isSupported(type: GGMLType, inputs: Int) -> Bool {
        guard let shape = blockShape(type: type), inputs > 0, inputs % shape.weights == 0 else {
            return false
        }
        return shape.weights == 1 || inputs % 32 == 0
    }

    /// Packs weights as a model's file has them. Quantized types keep their codes; halves get codes
    /// of 12 bits.
    ///
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
        self.features = features
        let padded = (outputs + 15) / 16 * 16
        let format = inputs % 32 == 0 ? mnk_tile_format(type.rawValue) : -1
        reads =
            switch Int(format) {
            case ..<0: []
            case MNK_G12: .words
            case MNK_G4, MNK_Z4: .groups
            default: .codes
            }
        zeros = AlignedBuffer(padded)
        inputScale = nil
        nonisolated(unsafe) let source = source
        if format >= 0 {
            let packed = AlignedBuffer<UInt8>(padded / 16 * mnk_panel_bytes(format, inputs))
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

    /// Packs floats in 8 bits with one scale for each output.
    ///
    /// - Parameters:
    ///   - weights: `outputs` × `inputs`, row-major. `outputs` is a multiple of 16, `inputs` of 64.
    ///   - smoothing: `inputs` positive factors that move range from activations to weights
    ///     (SmoothQuant, Xiao et al. 2023): x is divided and W multiplied by them. nil for none.
    package init(
        int8 weights: UnsafeBufferPointer<Float>, outputs: Int, inputs: Int,
        smoothing: [Float]? = nil, features: ProcessorFeatures = .current
    ) {
        precondition(
            weights.count == outputs * inputs && smoothing?.count ?? inputs == inputs,
            "The weights do not have the matrix' shape.")
        precondition(
            outputs % 16 == 0 && inputs % 64 == 0,
            "In 8 bits a matrix has a multiple of 16 outputs and of 64 inputs.")
        self.inputs = inputs
        self.outputs = outputs
        self.features = features
        reads = .bytes
        zeros = AlignedBuffer(outputs)
        inputScale = smoothing.map { smoothing in
            let scale = AlignedBuffer<Float>(inputs)
            for i in 0..<inputs { scale.pointer[i] = 1 / smoothing[i] }
            return scale
        }
        let packed = AlignedBuffer<Int8>(outputs * inputs)
        let scales = AlignedBuffer<Float>(outputs)
        let sums = AlignedBuffer<Int32>(outputs)
        mnk_pack_int8(
            weights.baseAddress, outputs, inputs, smoothing, packed.pointer, scales.pointer,
            sums.pointer)
        storage = .int8(packed, scales: scales, sums: sums)
    }

    /// Bytes of the packed weights.
    package var byteCount: Int {
        switch storage {
        case .f32(let packed): packed.count * 4
        case .int8(let packed, let scales, let sums): packed.count + 4 * (scales.count + sums.count)
        case .tiles(let packed, _): packed.count
        }
    }

    /// Quantizes rows of an input to the format that ``reads`` names, and does nothing where that
    /// is floats.
    ///
    /// - Complexity: O(rows · inputs).
    package func quantize(_ input: ActivationRows, rows: Range<Int>) {
        input.quantize(
            rows, columns: inputs, to: reads, inputScale: inputScale, features: features)
    }

    /// output[rows][stride] = epilogue(input · Wᵀ + bias) for the column groups (of 16) in `groups`.
    ///
    /// Writes whole groups: `stride` holds ``paddedOutputs``.
    ///
    /// - Parameters:
    ///   - input: floats, and the format that ``reads`` names.
    ///   - bias: ``paddedOutputs`` values; nil for none.
    /// - Complexity: 2·rows·columns·inputs operations.
    package func apply(
        _ input: ActivationRows, rows: Int, groups: Range<Int>, epilogue: Epilogue = .store,
        bias: UnsafePointer<Float>? = nil,
        into output: UnsafeMutablePointer<Float>, stride: Int
    ) {
        guard !groups.isEmpty, rows > 0 else { return }
        switch storage {
        case .tiles(let packed, let format):
            let isAdded =
                switch epilogue {
                case .store: false
                case .accumulate: true
                case .gelu, .residual: preconditionFailure("Tiles store or add their sums.")
                }
            let isGrouped = reads != .codes
            let a: UnsafeRawPointer? =
                switch reads {
                case .words where !ActivationRows.multipliesBytes(features): nil
                case .words, .groups: UnsafeRawPointer(input.groupBytes.pointer)
                default: UnsafeRawPointer(input.codes.pointer)
                }
            var g = mnk_tiles(
                a: a, a_words: reads == .words ? UnsafePointer(input.words.pointer) : nil,
                a_scale: isGrouped ? input.groupScales.pointer : input.scales.pointer,
                a_sum: input.sums.pointer,
                a_total: isGrouped ? input.groupTotals.pointer : input.totals.pointer,
                b: packed.pointer, format: format, m: rows,
                n: paddedOutputs, k: inputs, n_begin: groups.lowerBound * 16,
                n_end: groups.upperBound * 16, bias: bias,
                c: output, ldc: stride,
                accumulate: isAdded ? 1 : 0)
            mnk_gemm_tiles(features.rawValue, &g)
        case .f32(let packed):
            var g = product(rows, groups, epilogue, bias, output, stride)
            g.a = UnsafeRawPointer(input.floats)
            g.b = UnsafeRawPointer(packed.pointer)
            mnk_gemm_f32(features.rawValue, &g)
        case .int8(let packed, let scales, let sums):
            var g = product(rows, groups, epilogue, bias, output, stride)
            g.a = UnsafeRawPointer(input.bytes.pointer)
            g.b = UnsafeRawPointer(packed.pointer)
            g.a_scale = UnsafePointer(input.rowScales.pointer)
            g.a_zero = UnsafePointer(input.rowZeros.pointer)
            g.b_scale = UnsafePointer(scales.pointer)
            g.b_sum = UnsafePointer(sums.pointer)
            mnk_gemm_int8(features.rawValue, &g)
        }
    }

    /// A product of panels but for its operands.
    private func product(
        _ rows: Int, _ groups: Range<Int>, _ epilogue: Epilogue, _ bias: UnsafePointer<Float>?,
        _ output: UnsafeMutablePointer<Float>, _ stride: Int
    ) -> mnk_gemm {
        var g = mnk_gemm()
        g.lda = inputs
        g.m = rows
        g.n = paddedOutputs
        g.k = inputs
        g.n_begin = groups.lowerBound * 16
        g.n_end = groups.upperBound * 16
        g.bias = bias ?? UnsafePointer(zeros.pointer)
        g.c = output
        g.ldc = stride
        switch epilogue {
        case .store: g.epilogue = Int32(MNK_EPILOGUE_BIAS)
        case .gelu: g.epilogue = Int32(MNK_EPILOGUE_GELU)
        case .accumulate:
            g.epilogue = Int32(MNK_EPILOGUE_RESIDUAL)
            g.residual = UnsafePointer(output)
        case .residual(let residual):
            g.epilogue = Int32(MNK_EPILOGUE_RESIDUAL)
            g.residual = residual
        }
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
        case .int8(let packed, let scales, _):
            let panel = packed.pointer + index / 16 * 16 * inputs + index % 16 * 4
            for k in 0..<inputs {
                output[k] =
                    Float(panel[k / 4 * 64 + k % 4]) * scales.pointer[index]
                    * (inputScale?.pointer[k] ?? 1)
            }
        }
    }
}
