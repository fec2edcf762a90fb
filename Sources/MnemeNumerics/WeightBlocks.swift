import CMnemeKernels

/// Weights of a GGUF block type, as floats.
package func dequantize(
    type: GGMLType, _ source: UnsafeRawPointer, count: Int, into output: UnsafeMutablePointer<Float>
) {
    mnk_dequantize(type.rawValue, source, count, output)
}

/// Floats as blocks of F32, F16, Q8_0 (then a multiple of 32) or Q2_64 (of 64).
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
