import CMnemeKernels
import MnemeModels
import MnemeNumerics

/// Rows of a frozen matrix as its file has them: read from the mapped file and turned to floats
/// when a product needs them (QLoRA's way, Dettmers et al. 2023), so that a quantized base costs
/// its file's bytes and no more.
struct StoredRows {
    /// Keeps the file mapped.
    private let matrix: StoredMatrix
    let source: UnsafeRawPointer
    let outputs: Int
    var inputs: Int { matrix.inputs }
    var type: GGMLType { matrix.type }

    init(_ matrix: StoredMatrix) {
        self.matrix = matrix
        source = matrix.source
        outputs = matrix.outputs
    }

    private init(_ matrix: StoredMatrix, rows: Range<Int>) {
        let shape = blockShape(type: matrix.type) ?? (1, 0)
        self.matrix = matrix
        source = matrix.source + rows.lowerBound * (matrix.inputs / shape.weights) * shape.bytes
        outputs = rows.count
    }

    private init(_ matrix: StoredMatrix, copy: UnsafeRawPointer, outputs: Int) {
        (self.matrix, source, self.outputs) = (matrix, copy, outputs)
    }

    /// Bytes of all rows.
    var byteCount: Int {
        let shape = blockShape(type: matrix.type) ?? (1, 0)
        return outputs * (matrix.inputs / shape.weights) * shape.bytes
    }

    /// The same rows, read from a copy of their bytes.
    func moved(to copy: UnsafeRawPointer) -> StoredRows {
        StoredRows(matrix, copy: copy, outputs: outputs)
    }

    /// A part of them.
    subscript(rows: Range<Int>) -> StoredRows { StoredRows(matrix, rows: rows) }

    /// Row `index` as floats: an embedding.
    func row(_ index: Int, into output: UnsafeMutablePointer<Float>) {
        dequantize(
            type: type, self[index..<index + 1].source, count: inputs, into: output)
    }

    /// Bytes of the packed form that products need.
    func packedBytes(_ precision: TrainingPrecision) -> Int {
        let isBF16: Int32 = precision == .bf16 ? 1 : 0
        return max(
            mnk_frozen_bytes(isBF16, 0, outputs, inputs),
            mnk_frozen_bytes(isBF16, 1, outputs, inputs))
    }
}
