public import MnemeFormats
import MnemeNumerics

extension Adapter {
    /// Writes a model's GGUF file with the adapter's terms added to its matrices: a model that needs
    /// no adapter.
    ///
    /// - Parameters:
    ///   - file: the model that the adapter is for.
    ///   - target: the type of the matrices; fewer bits lose some of what the terms change.
    ///   - path: the file to write, which must not be there.
    ///   - progress: called with the share that is done.
    /// - Throws: ``AdapterError`` if it does not fit; `ModelError` as
    ///   `GGUFConversion.convert(_:to:path:progress:change:)`.
    /// - Complexity: one pass over the model; a tensor of floats at a time in memory.
    public func merge(
        into file: GGUFFile, as target: GGUFConversion.Target, path: String,
        progress: (Double) -> Void = { _ in }
    ) throws {
        let c = try file.decoderConfiguration()
        try check(c)
        try requireTerms("Merging")
        try GGUFConversion.convert(
            file, to: target, path: path, progress: progress, change: { add(to: $0, &$1, c) })
    }

    /// Adds scale·B·A to a tensor of a GGUF file, if it is a matrix that has a term, and gives its rows
    /// their lengths.
    private func add(to name: String, _ values: inout [Float], _ c: DecoderConfiguration) {
        guard let (layer, linears) = GGUFAdapter.place(matrix: name, c) else { return }
        let kernels = DecoderKernels()
        var row = 0
        for linear in linears {
            let (outputs, inputs) = c.size(of: linear)
            defer { row += outputs }
            guard let term = terms[Place(layer, linear)]?.inOrder(of: c, linear) else { continue }
            let b = term.b.map { $0 * term.scale }
            values.withUnsafeMutableBufferPointer { values in
                term.a.withUnsafeBufferPointer { a in
                    b.withUnsafeBufferPointer { b in
                        guard let values = values.baseAddress, let a = a.baseAddress,
                            let b = b.baseAddress
                        else { return }
                        for output in 0..<outputs {
                            let to = UnsafeMutableBufferPointer(
                                start: values + (row + output) * inputs, count: inputs)
                            let length = kernels.lengthOfRow(
                                to, adding: UnsafeBufferPointer(start: b + output * term.rank, count: term.rank),
                                of: a)
                            guard let wanted = term.magnitudes?[output], length > 0 else { continue }
                            for i in 0..<inputs { to[i] *= wanted / length }
                        }
                    }
                }
            }
        }
    }
}
