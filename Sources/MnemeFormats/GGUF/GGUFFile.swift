import Foundation
import MnemeBase
public import MnemeNumerics

/// A GGUF file of version 2 or 3, memory-mapped, with every length checked before use.
///
/// ```
/// "GGUF", u32 version, u64 tensors, u64 entries
/// entries   key, u32 type, value                         strings are u64 length and UTF-8
/// tensors   name, u32 dimensions, u64 each (the fastest first), u32 type, u64 offset
/// padding to the alignment, then the data
/// ```
///
/// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
public final class GGUFFile: Sendable {
    /// A value of the file's header. The format's 13 types become five: integers of any width are
    /// `Int64` (larger ones are clamped), floats `Double`.
    public enum Value: Sendable, Equatable {
        /// A whole number of any of the format's eight widths and signs.
        case integer(Int64)
        /// A number of 32 or 64 bits.
        case float(Double)
        /// A truth value, one byte in the file.
        case bool(Bool)
        /// UTF-8 text.
        case string(String)
        /// Elements of one type.
        case array([Value])
    }

    /// One tensor of the file.
    public struct Tensor: Sendable, Equatable {
        /// Its name, such as `blk.0.attn_q.weight`.
        public let name: String
        /// Extents, the slowest first, as PyTorch has them.
        public let shape: [Int]
        /// The type of its weights.
        public let type: GGMLType
        /// The range of its bytes in the file.
        public let range: Range<Int>

        /// The type's name, such as `Q4_1`.
        public var typeName: String { type.name }
        /// Weights in it.
        public var count: Int { shape.reduce(1, *) }
    }

    /// The file.
    public let path: String
    /// The header's entries.
    public let metadata: [String: Value]
    /// Tensors by name.
    public let tensors: [String: Tensor]
    package let file: MappedFile
    /// The files that hold its tensors where it is a chain of blocks, in the order of the header; none in
    /// other files.
    package let blocks: [GGUFBlock]
    /// The block of each tensor that lies in one.
    private let homes: [String: Int]
    /// The bytes of each entry of the header, key and all, in order: for files that are made of
    /// this one.
    let entries: [(key: String, range: Range<Int>)]

    /// Opens a file, and the blocks that hold its tensors where it is a chain of them
    /// (`mneme models share`).
    ///
    /// - Throws: `ModelError` that names the first fault found.
    public convenience init(path: String) throws { try self.init(path: path, isBlock: false) }

    /// - Parameter isBlock: whether it is itself a block, which has none.
    init(path: String, isBlock: Bool) throws {
        self.path = path
        file = try MappedFile(path: path)
        var reader = GGUFReader(bytes: file.bytes, path: path)
        guard file.count >= 4, file.bytes[0..<4].elementsEqual("GGUF".utf8) else {
            throw reader.fault("it does not begin with 'GGUF'")
        }
        reader.offset = 4
        let version = try reader.integer(UInt32.self)
        guard version == 2 || version == 3 else {
            throw ModelError(
                .unsupported,
                "\(path) is a GGUF file of version \(version); versions 2 and 3 are read. Convert it anew."
            )
        }
        // A tensor's header has 24 bytes at least, an entry 13: counts are bounded by what the file
        // could hold.
        let tensorCount = try reader.count(bytesEach: 24)
        let entryCount = try reader.count(bytesEach: 13)
        var metadata: [String: Value] = [:]
        var entries: [(key: String, range: Range<Int>)] = []
        for _ in 0..<entryCount {
            let start = reader.offset
            let key = try reader.string()
            guard
                metadata.updateValue(
                    try reader.value(type: reader.integer(UInt32.self), depth: 0), forKey: key)
                    == nil
            else {
                throw reader.fault("the key '\(key.prefix(80))' stands there twice")
            }
            entries.append((key, start..<reader.offset))
        }
        let alignment: Int
        if case .integer(let value)? = metadata["general.alignment"] {
            guard value >= 8, value <= 1 << 20, value & (value - 1) == 0 else {
                throw reader.fault("its alignment is \(value)")
            }
            alignment = Int(value)
        } else {
            alignment = 32
        }
        // Tensors are checked twice: by themselves, and, when the data's beginning is known,
        // against the file's end.
        var headers: [(name: String, shape: [Int], type: GGMLType, offset: Int, bytes: Int)] = []
        for _ in 0..<tensorCount {
            let name = try reader.string()
            let dimensions = try reader.integer(UInt32.self)
            guard (1...4).contains(dimensions) else {
                throw reader.fault("tensor '\(name.prefix(80))' has \(dimensions) dimensions")
            }
            var shape: [Int] = []
            var total = 1
            for _ in 0..<dimensions {
                let extent = try reader.integer(UInt64.self)
                let (product, overflow) = total.multipliedReportingOverflow(
                    by: Int(clamping: extent))
                guard extent > 0, !overflow, product < 1 << 48 else {
                    throw reader.fault("tensor '\(name.prefix(80))' has the extent \(extent)")
                }
                total = product
                shape.insert(Int(extent), at: 0)
            }
            // A type by ggml's number; one that is known but not read is named in the message.
            let number = Int32(bitPattern: try reader.integer(UInt32.self))
            let offset = try reader.integer(UInt64.self)
            guard let type = GGMLType(rawValue: number), let block = blockShape(type: type) else {
                throw ModelError(
                    .unsupported,
                    "Tensor '\(name.prefix(80))' of \(path) is of type \(GGMLType(rawValue: number)?.name ?? String(number)), which is not read. Choose a file in Q4_1, Q4_K, Q8_0, F16 or the like."
                )
            }
            guard shape.last! % block.weights == 0 else {
                throw reader.fault(
                    "tensor '\(name.prefix(80))' has rows of \(shape.last!), not whole blocks")
            }
            guard offset % UInt64(alignment) == 0, offset < 1 << 48 else {
                throw reader.fault("tensor '\(name.prefix(80))' lies at \(offset)")
            }
            headers.append((name, shape, type, Int(offset), total / block.weights * block.bytes))
        }
        // The data begins at the next multiple of the alignment, and so does each tensor.
        let start = (reader.offset + alignment - 1) / alignment * alignment
        var tensors: [String: Tensor] = [:]
        for header in headers {
            guard start + header.offset + header.bytes <= file.count else {
                throw reader.fault(
                    "it ends before tensor '\(header.name.prefix(80))' does; it may be half downloaded"
                )
            }
            let tensor = Tensor(
                name: header.name, shape: header.shape, type: header.type,
                range: start + header.offset..<start + header.offset + header.bytes)
            guard tensors.updateValue(tensor, forKey: header.name) == nil else {
                throw reader.fault("tensor '\(header.name.prefix(80))' stands there twice")
            }
        }
        blocks = isBlock ? [] : try GGUFBlock.open(metadata[GGUFBlock.key], of: path)
        var homes: [String: Int] = [:]
        for (i, block) in blocks.enumerated() {
            for tensor in block.file.tensors.values {
                let name = block.prefix + tensor.name
                let here = Tensor(name: name, shape: tensor.shape, type: tensor.type, range: tensor.range)
                guard tensors.updateValue(here, forKey: name) == nil else {
                    throw reader.fault("tensor '\(name.prefix(80))' stands there twice")
                }
                homes[name] = i
            }
        }
        self.metadata = metadata
        self.entries = entries
        self.tensors = tensors
        self.homes = homes
    }

    /// The block that a tensor lies in; nil if in this file itself.
    package func block(of tensor: Tensor) -> GGUFBlock? { homes[tensor.name].map { blocks[$0] } }

    /// The mapped file that a tensor lies in.
    package func mapping(of tensor: Tensor) -> MappedFile { block(of: tensor)?.file.file ?? file }

    /// The bytes of a tensor's blocks in the mapped file; valid while the file lives.
    package func bytes(_ tensor: Tensor) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: mapping(of: tensor).bytes[tensor.range])
    }

    /// Gives the pages back that reading has brought in.
    package func discardPages() {
        file.discardPages()
        for block in blocks { block.file.file.discardPages() }
    }

    /// A tensor's weights as floats, dequantized.
    ///
    /// - Throws: `ModelError` if there is none of that name and shape.
    /// - Complexity: one pass over the tensor.
    public func floats(_ name: String, shape: [Int]) throws -> [Float] {
        let tensor = try tensor(name, shape: shape)
        return [Float](unsafeUninitializedCapacity: tensor.count) { out, count in
            dequantize(
                type: tensor.type, bytes(tensor).baseAddress!, count: tensor.count,
                into: out.baseAddress!)
            count = tensor.count
        }
    }

    /// The tensor of a name, if it has the shape that the caller expects.
    ///
    /// - Throws: `ModelError` if there is none of that name and shape.
    public func tensor(_ name: String, shape: [Int]) throws -> Tensor {
        guard let tensor = tensors[name] else {
            throw ModelError(.invalidFile, "\(path) has no tensor '\(name)'. Is it a whole model?")
        }
        guard tensor.shape == shape else {
            throw ModelError(
                .invalidFile,
                "Tensor '\(name)' of \(path) has the shape \(tensor.shape), not \(shape) as the header says."
            )
        }
        return tensor
    }

    /// An integer of the header.
    public func integer(_ key: String) -> Int? {
        if case .integer(let value)? = metadata[key] { Int(value) } else { nil }
    }
    /// A number of the header.
    public func number(_ key: String) -> Double? {
        switch metadata[key] {
        case .float(let value)?: value
        case .integer(let value)?: Double(value)
        default: nil
        }
    }
    /// A string of the header.
    public func string(_ key: String) -> String? {
        if case .string(let value)? = metadata[key] { value } else { nil }
    }
    /// A switch of the header.
    public func bool(_ key: String) -> Bool? {
        if case .bool(let value)? = metadata[key] { value } else { nil }
    }
    /// A list of the header.
    public func array(_ key: String) -> [Value]? {
        if case .array(let value)? = metadata[key] { value } else { nil }
    }
}

/// Reads a GGUF header from its bytes, and trusts nothing in it: each length is compared with what
/// is left of the file before it is used.
///
/// All numbers are little-endian. A string is its length (u64) and UTF-8; an array its element type
/// (u32), its length (u64) and the elements.
struct GGUFReader {
    let bytes: UnsafeRawBufferPointer
    let path: String
    var offset = 0

    init(bytes: UnsafeRawBufferPointer, path: String) {
        self.bytes = bytes
        self.path = path
    }

    /// An error that says what is wrong with the file.
    func fault(_ what: String) -> ModelError {
        ModelError(.invalidFile, "\(path) is not a sound GGUF file: \(what). Fetch it again.")
    }

    /// The next number, at any address.
    mutating func integer<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        let size = MemoryLayout<T>.size
        guard bytes.count - offset >= size else { throw fault("its header is cut off") }
        defer { offset += size }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// A number of things that take at least `bytesEach` bytes: no claim makes us reserve more than
    /// the file could hold.
    mutating func count(bytesEach: Int) throws -> Int {
        let count = try integer(UInt64.self)
        guard count <= UInt64((bytes.count - offset) / bytesEach) else {
            throw fault("it claims \(count) entries, more than it could hold")
        }
        return Int(count)
    }

    /// The next string.
    mutating func string() throws -> String {
        let length = try count(bytesEach: 1)
        defer { offset += length }
        guard let text = String(validating: bytes[offset..<offset + length], as: UTF8.self) else {
            throw fault("a string is not UTF-8")
        }
        return text
    }

    /// A value of one of the 13 types of the format; arrays may be nested four deep.
    mutating func value(type: UInt32, depth: Int) throws -> GGUFFile.Value {
        switch type {
        case 0: return .integer(Int64(try integer(UInt8.self)))
        case 1: return .integer(Int64(try integer(Int8.self)))
        case 2: return .integer(Int64(try integer(UInt16.self)))
        case 3: return .integer(Int64(try integer(Int16.self)))
        case 4: return .integer(Int64(try integer(UInt32.self)))
        case 5: return .integer(Int64(try integer(Int32.self)))
        case 6: return .float(Double(Float(bitPattern: try integer(UInt32.self))))
        case 7: return .bool(try integer(UInt8.self) != 0)
        case 8: return .string(try string())
        case 9:
            guard depth < 4 else { throw fault("its arrays are nested too deeply") }
            let type = try integer(UInt32.self)
            let size: [Int] = [1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8]
            guard type < size.count else {
                throw fault("it has values of the unknown type \(type)")
            }
            let count = try count(bytesEach: size[Int(type)])
            var values: [GGUFFile.Value] = []
            values.reserveCapacity(count)
            for _ in 0..<count { values.append(try value(type: type, depth: depth + 1)) }
            return .array(values)
        case 10: return .integer(Int64(clamping: try integer(UInt64.self)))
        case 11: return .integer(try integer(Int64.self))
        case 12: return .float(Double(bitPattern: try integer(UInt64.self)))
        default: throw fault("it has values of the unknown type \(type)")
        }
    }
}
