import CMnemeKernels

/// The last step of a ``LinearLayer``'s product, before sums are stored.
package enum Epilogue {
    /// Add the bias.
    case bias
    /// Add the bias, then GELU (with the exact error function).
    case gelu
    /// Add the bias and a residual of the output's shape.
    case residual(UnsafePointer<Float>)
}

/// The input rows of a ``LinearLayer``, in the format that its precision reads.
package enum LayerInput {
    case f32(UnsafePointer<Float>)
    case int8(UnsafePointer<UInt8>, scale: UnsafePointer<Float>, zero: UnsafePointer<Int32>)
}

/// y = x·Wᵀ + b of the encoder, with weights packed once for the machine's kernels.
///
/// Beside ``WeightMatrix``, the decoder's: here activations have 8 bits with one scale and zero a
/// row, weights one scale a column, and bias, GELU or a residual are part of the product. There
/// activations have 15 bits in blocks of 32, and weights keep a file's block formats.
package final class LinearLayer: Sendable {
    package let inputs: Int
    package let outputs: Int
    package let precision: Precision
    /// int8 only: multiplies the inputs before they are quantised (its inverse is in the weights).
    package let inputScale: AlignedBuffer<Float>?

    private let features: UInt32
    private let bias: AlignedBuffer<Float>
    private let packedF32: AlignedBuffer<Float>?
    private let packedInt8: AlignedBuffer<Int8>?
    private let scales: AlignedBuffer<Float>
    private let sums: AlignedBuffer<Int32>

    /// - Parameters:
    ///   - weight: `outputs` × `inputs`, row-major. `outputs` is a multiple of 16, `inputs` of 64.
    ///   - bias: `outputs` values.
    ///   - smoothing: int8 only, `inputs` positive factors that move range from activations to
    ///     weights (SmoothQuant, Xiao et al. 2023): x is divided and W multiplied by them.
    package init(
        weight: UnsafeBufferPointer<Float>, bias: UnsafeBufferPointer<Float>, outputs: Int,
        inputs: Int,
        precision: Precision, smoothing: [Float]? = nil, features: ProcessorFeatures = .current
    ) {
        precondition(
            weight.count == outputs * inputs && bias.count == outputs,
            "The weights do not have the layer's shape.")
        precondition(
            outputs % 16 == 0 && inputs % 64 == 0, "Layers are padded to 16 outputs and 64 inputs.")
        self.inputs = inputs
        self.outputs = outputs
        self.precision = precision
        self.features = features.rawValue
        self.bias = AlignedBuffer(outputs)
        self.bias.pointer.update(from: bias.baseAddress!, count: outputs)
        scales = AlignedBuffer(outputs)
        sums = AlignedBuffer(outputs)
        var f32: AlignedBuffer<Float>?
        var int8: AlignedBuffer<Int8>?
        var inputScale: AlignedBuffer<Float>?
        switch precision {
        case .f32:
            f32 = AlignedBuffer(outputs * inputs)
            mnk_pack_f32(weight.baseAddress, outputs, inputs, f32!.pointer)
        case .int8:
            int8 = AlignedBuffer(outputs * inputs)
            if let smoothing {
                inputScale = AlignedBuffer(inputs)
                for i in 0..<inputs { inputScale!.pointer[i] = 1 / smoothing[i] }
            }
            mnk_pack_int8(
                weight.baseAddress, outputs, inputs, smoothing, int8!.pointer, scales.pointer,
                sums.pointer)
        }
        packedF32 = f32
        packedInt8 = int8
        self.inputScale = inputScale
    }

    /// Computes `rows` rows of output columns `columns` (multiples of 16).
    ///
    /// - Complexity: 2·rows·columns·inputs operations.
    package func apply(
        _ input: LayerInput, rows: Int, columns: Range<Int>, epilogue: Epilogue,
        into output: UnsafeMutablePointer<Float>
    ) {
        guard rows > 0, !columns.isEmpty else { return }
        var g = mnk_gemm()
        g.lda = inputs
        g.m = rows
        g.n = outputs
        g.k = inputs
        g.n_begin = columns.lowerBound
        g.n_end = columns.upperBound
        g.bias = UnsafePointer(bias.pointer)
        g.c = output
        g.ldc = outputs
        switch epilogue {
        case .bias: g.epilogue = Int32(MNK_EPILOGUE_BIAS)
        case .gelu: g.epilogue = Int32(MNK_EPILOGUE_GELU)
        case .residual(let residual):
            g.epilogue = Int32(MNK_EPILOGUE_RESIDUAL)
            g.residual = residual
        }
        switch (input, precision) {
        case (.f32(let a), .f32):
            g.a = UnsafeRawPointer(a)
            g.b = UnsafeRawPointer(packedF32!.pointer)
            mnk_gemm_f32(features, &g)
        case (.int8(let a, let scale, let zero), .int8):
            g.a = UnsafeRawPointer(a)
            g.b = UnsafeRawPointer(packedInt8!.pointer)
            g.a_scale = scale
            g.a_zero = zero
            g.b_scale = UnsafePointer(scales.pointer)
            g.b_sum = UnsafePointer(sums.pointer)
            mnk_gemm_int8(features, &g)
        default:
            preconditionFailure("The input does not have the layer's precision.")
        }
    }
}
