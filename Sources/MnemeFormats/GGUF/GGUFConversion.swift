import Foundation
import MnemeBase
import MnemeNumerics

/// Makes a GGUF file with weights of another type out of one that is there. The header's entries
/// are copied byte by byte, but for those that say the type.
public enum GGUFConversion {
    /// The type that matrices get. Vectors (norms, biases) become F32, as in all published files.
    public enum Target: String, Sendable, CaseIterable {
        /// 32 and 16 bits a weight.
        case f32, f16
        /// Eight bits and one scale for 32 weights.
        case q8_0
        /// Two bits, a scale and a minimum for 64 weights of a layer's matrices; eight bits for the embedding and
        /// the output. Mneme reads it alone, and a model so small needs the correction of `mneme adapters correct`.
        case q2_64

        var type: GGMLType {
            switch self {
            case .f32: .f32
            case .f16: .f16
            case .q8_0: .q8_0
            case .q2_64: .q2_64
            }
        }
        /// llama.cpp's number for a file of mostly this type.
        var fileType: Int64 {
            switch self {
            case .f32: 0
            case .f16: 1
            case .q8_0: 7
            case .q2_64: Int64(GGMLType.q2_64.rawValue)
            }
        }

        /// The type of a matrix of a row's length: rows that do not fall into whole blocks have more bits.
        func type(of name: String, columns: Int) -> GGMLType {
            switch self {
            case .f32: .f32
            case .q2_64 where columns % 64 == 0 && name.hasPrefix("blk."): .q2_64
            case .q2_64 where columns % 32 == 0: .q8_0
            case .f16, .q8_0, .q2_64: columns % 32 == 0 && self != .q2_64 ? type : .f16
            }
        }
    }

    /// Writes `file` with its matrices in `target` to `path`. A type of fewer bits than the file's
    /// loses precision; one of more gains none. Weights beyond F16's range become its largest
    /// numbers.
    ///
    /// - Parameters:
    ///   - file: the model to convert.
    ///   - target: the type that its matrices get.
    ///   - path: the file to write; none may be there.
    ///   - progress: called with the share that is done, 0 to 1.
    ///   - change: may change a tensor's weights before they are written; it is given its name.
    /// - Throws: `ModelError` if `path` is there already or cannot be written, or a weight is not
    ///   finite; then nothing is left behind.
    /// - Complexity: one pass; a tensor of floats at a time in memory.
    public static func convert(
        _ file: GGUFFile, to target: Target, path: String,
        progress: (Double) -> Void = { _ in },
        change: (_ name: String, _ weights: inout [Float]) -> Void = { _, _ in }
    ) throws {
        guard !FileManager.default.fileExists(atPath: path) else {
            throw ModelError(
                .cannotWrite, "\(path) is there already. Remove it, or choose another name.")
        }
        var writer = GGUFWriter()
        let replaced = [
            "general.file_type", "general.quantization_version", "general.alignment", GGUFBlock.key,
        ]
        for entry in file.entries where !replaced.contains(entry.key) {
            writer.add(raw: file.file.bytes[entry.range])
        }
        try writer.add("general.file_type", .integer(target.fileType))
        try writer.add("general.quantization_version", .integer(2))
        // In the order of the file, so that it is read from front to back.
        let tensors = file.tensors.values.sorted { $0.range.lowerBound < $1.range.lowerBound }
        let types = tensors.map { tensor -> GGMLType in
            // Rows that do not fall into whole blocks keep the precision of floats.
            guard tensor.shape.count > 1, let columns = tensor.shape.last else { return .f32 }
            return target.type(of: tensor.name, columns: columns)
        }
        for (tensor, type) in zip(tensors, types) {
            guard let shape = blockShape(type: type) else { continue }
            writer.add(
                tensor: tensor.name, shape: tensor.shape, type: type,
                bytes: tensor.count / shape.weights * shape.bytes)
        }
        let total = tensors.reduce(0) { $0 + $1.count }
        var done = 0
        try writer.write(to: path) { i in
            defer {
                file.discardPages()
                done += tensors[i].count
                progress(Double(done) / Double(max(1, total)))
            }
            let name = tensors[i].name
            var values = try file.floats(name, shape: tensors[i].shape)
            change(name, &values)
            if let bad = values.firstIndex(where: { !$0.isFinite }) {
                throw ModelError(
                    .invalidFile,
                    "Tensor '\(name)' of \(file.path) holds \(values[bad]) at \(bad). Fetch it again, or take another file."
                )
            }
            return quantize(values, type: types[i])
        }
    }
}
