package import Foundation
import MnemeBase

/// Writes a safetensors file of F32 tensors: whole, or not at all.
package enum SafetensorsWriter {
    /// A tensor to write.
    package struct Tensor: Sendable {
        package var name: String
        /// Extents, the slowest first.
        package var shape: [Int]
        /// As many as the shape says.
        package var values: [Float]

        package init(_ name: String, shape: [Int], values: [Float]) {
            (self.name, self.shape, self.values) = (name, shape, values)
        }
    }

    /// - Parameters:
    ///   - tensors: in the order of the file.
    ///   - mode: the file's permissions; its owner's alone if left out.
    /// - Throws: ``MnemeBase/FileError`` if the system refuses; nothing is left behind then.
    package static func write(_ tensors: [Tensor], to path: String, mode: mode_t = 0o600) throws {
        var members = [
            OrderedJSON.Member(
                key: "__metadata__",
                value: .object([OrderedJSON.Member(key: "format", value: .string("pt"))]))
        ]
        var offset = 0
        for tensor in tensors {
            precondition(
                tensor.values.count == tensor.shape.reduce(1, *), "A tensor's shape is not its own.")
            let end = offset + tensor.values.count * MemoryLayout<Float>.stride
            members.append(
                OrderedJSON.Member(
                    key: tensor.name,
                    value: .object([
                        OrderedJSON.Member(key: "dtype", value: .string("F32")),
                        OrderedJSON.Member(key: "shape", value: integers(tensor.shape)),
                        OrderedJSON.Member(key: "data_offsets", value: integers([offset, end])),
                    ])))
            offset = end
        }
        // Blanks behind the header, so that the floats lie at a multiple of eight.
        var header = Array(OrderedJSON.object(members).text.utf8)
        header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
        let file = try AtomicFile(path, mode: mode)
        try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try file.write($0) }
        try file.write(header)
        for tensor in tensors { try tensor.values.withUnsafeBytes { try file.write($0) } }
        try file.finish()
    }

    private static func integers(_ values: [Int]) -> OrderedJSON {
        .array(values.map { .number(String($0)) })
    }
}
