import Foundation
import MnemeBase
package import MnemeNumerics

/// Writes a GGUF file of version 3: all at once under another name, then renamed, so that no half
/// file is ever seen.
///
/// "GGUF"  version u32  tensors u64  entries u64
/// entries: key, type u32, value
/// tensors: name, dimensions u32, extents u64 (the fastest first), type u32, offset u64
/// data, each tensor at a multiple of 32 bytes
package struct GGUFWriter {
    /// The header's entries, written, and the tensors that were announced.
    private var entries: [UInt8] = [], entryCount = 0
    private var tensors: [(name: String, shape: [Int], type: GGMLType, bytes: Int)] = []

    package init() {}

    /// Adds an entry as another file has it.
    mutating func add(raw entry: some Sequence<UInt8>) {
        entries += entry
        entryCount += 1
    }

    /// Adds an entry. Integers are written in 32 bits where they fit; those of an array in 32 bits
    /// where all of them fit.
    ///
    /// - Throws: ``ModelError`` for an array whose elements are of several kinds, which the format
    ///   cannot hold.
    package mutating func add(_ key: String, _ value: GGUFFile.Value) throws {
        var written: [UInt8] = []
        let type = try Self.type(of: [value], key)
        Self.put(key, to: &written)
        Self.put(type.rawValue, to: &written)
        try Self.put(value, as: type, key, to: &written)
        entries += written
        entryCount += 1
    }

    /// Announces a tensor; ``write(to:data:)`` asks for the bytes in this order.
    ///
    /// - Parameters:
    ///   - shape: the slowest extent first; it is written the other way round.
    ///   - bytes: of the tensor's blocks, which `data` must return exactly.
    package mutating func add(tensor name: String, shape: [Int], type: GGMLType, bytes: Int) {
        tensors.append((name, shape, type, bytes))
    }

    /// Writes the file whole, or leaves nothing behind.
    ///
    /// - Parameter data: the bytes of the tensor of an index, as many as were announced.
    /// - Throws: ``ModelError`` if the system does, and what `data` throws.
    package func write(to path: String, data: (Int) throws -> [UInt8]) throws {
        do { try write(to: AtomicFile(path, mode: 0o644), data) } catch let error as FileError {
            throw ModelError(.cannotWrite, "\(error.description) Nothing was left behind.")
        }
    }

    /// Header, then tensors one by one: no more than one is in memory.
    private func write(to file: AtomicFile, _ data: (Int) throws -> [UInt8]) throws {
        func pad(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: (32 - count % 32) % 32) }
        var header = Array("GGUF".utf8)
        Self.put(UInt32(3), to: &header)
        Self.put(UInt64(tensors.count), to: &header)
        Self.put(UInt64(entryCount), to: &header)
        header += entries
        var offset = 0
        for tensor in tensors {
            Self.put(tensor.name, to: &header)
            Self.put(UInt32(tensor.shape.count), to: &header)
            for extent in tensor.shape.reversed() { Self.put(UInt64(extent), to: &header) }
            Self.put(UInt32(bitPattern: tensor.type.rawValue), to: &header)
            Self.put(UInt64(offset), to: &header)
            offset += (tensor.bytes + 31) / 32 * 32
        }
        try file.write(header + pad(header.count))
        for (i, tensor) in tensors.enumerated() {
            let bytes = try data(i)
            precondition(bytes.count == tensor.bytes, "A tensor's bytes are not as announced.")
            try file.write(bytes + pad(bytes.count))
        }
        try file.finish()
    }

    /// A number, little-endian.
    private static func put(_ value: some FixedWidthInteger, to out: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) }
    }

    /// A string: its length and UTF-8.
    private static func put(_ text: String, to out: inout [UInt8]) {
        put(UInt64(text.utf8.count), to: &out)
        out += text.utf8
    }

    /// The types of the header's values that are written, by the format's numbers.
    private enum ValueType: UInt32 {
        case uint32 = 4
        case float32 = 6
        case bool = 7
        case string = 8
        case array = 9
        case int64 = 11
    }

    /// The one type that holds all of these values; strings where there is none.
    private static func type(of values: [GGUFFile.Value], _ key: String) throws -> ValueType {
        let types = values.map { value -> ValueType in
            switch value {
            case .integer(let number): UInt32(exactly: number) != nil ? .uint32 : .int64
            case .float: .float32
            case .bool: .bool
            case .string: .string
            case .array: .array
            }
        }
        let different = Set(types)
        if different == [.uint32, .int64] { return .int64 }
        guard different.count <= 1 else {
            throw ModelError(
                .unsupported, "'\(key)' holds values of several kinds, which GGUF files cannot.")
        }
        return types.first ?? .string
    }

    private static func put(
        _ value: GGUFFile.Value, as type: ValueType, _ key: String, to out: inout [UInt8]
    ) throws {
        switch value {
        case .integer(let number):
            if type == .uint32 {
                put(UInt32(truncatingIfNeeded: number), to: &out)
            } else {
                put(number, to: &out)
            }
        case .float(let number): put(Float(number).bitPattern, to: &out)
        case .bool(let bool): out.append(bool ? 1 : 0)
        case .string(let text): put(text, to: &out)
        case .array(let values):
            let type = try Self.type(of: values, key)
            put(type.rawValue, to: &out)
            put(UInt64(values.count), to: &out)
            for value in values { try put(value, as: type, key, to: &out) }
        }
    }
}
