import MnemeBase
import MnemeNumerics

/// A safetensors file, memory-mapped, with every length in its header checked before use.
///
/// ```
/// offset 0   u64 little-endian: N, bytes of the header
/// offset 8   N bytes of JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}
/// offset 8+N the data; the tensors cover it without gap or overlap
/// ```
///
/// Format: https://github.com/huggingface/safetensors
public final class SafetensorsFile: Sendable {
    /// One tensor of the file.
    public struct Tensor: Sendable, Equatable {
        /// Element type as the file names it, such as `F32`.
        public let type: String
        /// Extents, the slowest first; empty for a scalar.
        public let shape: [Int]
        /// The range of its bytes, from the start of the data.
        public let range: Range<Int>
    }

    /// The longest header that is read: as in the reference implementation.
    static let maximumHeader = 100_000_000

    private let file: MappedFile
    private let dataStart: Int
    /// Tensors by name.
    public let tensors: [String: Tensor]

    /// - Throws: `ModelError` that names the first fault found.
    public init(path: String) throws {
        file = try MappedFile(path: path)
        let bytes = file.bytes
        func fault(_ what: String) -> ModelError {
            ModelError(
                .invalidFile, "\(path) is not a sound safetensors file: \(what). Fetch it again.")
        }
        guard bytes.count >= 8 else { throw fault("it is shorter than its header length") }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard length <= UInt64(Self.maximumHeader), Int(length) <= bytes.count - 8 else {
            throw fault("its header claims \(length) bytes, of which \(bytes.count - 8) are there")
        }
        dataStart = 8 + Int(length)
        let available = bytes.count - dataStart
        let header: OrderedJSON
        do {
            header = try OrderedJSON(bytes: UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart]))
        } catch {
            throw fault("its header is not JSON (\(error))")
        }
        guard let members = header.members else { throw fault("its header is not a JSON object") }
        var tensors: [String: Tensor] = [:]
        tensors.reserveCapacity(members.count)
        for (name, entry) in members.map({ ($0.key, $0.value) }) where name != "__metadata__" {
            guard let type = entry["dtype"]?.string,
                let shape = Self.integers(entry["shape"]),
                let offsets = Self.integers(entry["data_offsets"]),
                offsets.count == 2
            else { throw fault("tensor '\(name.prefix(80))' has no dtype, shape or data_offsets") }
            guard let size = Self.elementSize[type] else {
                throw fault("tensor '\(name.prefix(80))' has the unknown type '\(type.prefix(20))'")
            }
            // Bytes by the shape must be those of the range; a scalar has one element.
            var expected = size
            for extent in shape {
                let (product, overflow) = expected.multipliedReportingOverflow(by: extent)
                guard !overflow else {
                    throw fault("the shape of tensor '\(name.prefix(80))' is too large")
                }
                expected = product
            }
            guard offsets[0] <= offsets[1], offsets[1] <= available,
                offsets[1] - offsets[0] == expected
            else {
                throw fault("tensor '\(name.prefix(80))' does not lie inside the file")
            }
            guard
                tensors.updateValue(
                    Tensor(type: type, shape: shape, range: offsets[0]..<offsets[1]), forKey: name)
                    == nil
            else {
                throw fault("tensor '\(name.prefix(80))' stands there twice")
            }
        }
        // Without overlap or gap, as the format demands: no byte means two things, and none is
        // hidden.
        var end = 0
        for tensor in tensors.values.sorted(by: {
            ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
        }) {
            guard tensor.range.lowerBound == end else {
                throw fault("its tensors overlap or leave a gap")
            }
            end = tensor.range.upperBound
        }
        guard end == available else {
            throw fault("\(available - end) bytes follow the last tensor")
        }
        self.tensors = tensors
    }

    /// Bytes of an element of the types that the format knows; three of them are read as floats.
    private static let elementSize = [
        "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8,
        "U32": 4, "U16": 2,
        "U8": 1,
        "BOOL": 1,
    ]

    /// JSON whole numbers that fit an `Int` and are not negative, 16 at most: a shape, or offsets.
    private static func integers(_ value: OrderedJSON?) -> [Int]? {
        guard let elements = value?.elements, elements.count <= 16 else { return nil }
        let numbers = elements.compactMap(\.integer)
        return numbers.count == elements.count && numbers.allSatisfy { $0 >= 0 } ? numbers : nil
    }

    /// The values of an F32, F16 or BF16 tensor as floats. Infinities and NaNs stay what they are.
    ///
    /// - Parameter shape: the shape that the caller expects.
    /// - Throws: ``ModelError`` if the tensor is absent, of another shape, or not a float type.
    /// - Complexity: aligned F32 tensors are read in place; others are copied.
    package func floats(_ name: String, shape: [Int]) throws -> FloatTensor {
        guard let tensor = tensors[name] else {
            throw ModelError(
                .invalidFile,
                "\(file.path) has no tensor '\(name)'. It is not the model that was expected.")
        }
        guard tensor.shape == shape else {
            throw ModelError(
                .unsupported,
                "Tensor '\(name)' of \(file.path) has shape \(tensor.shape), expected \(shape).")
        }
        let start = dataStart + tensor.range.lowerBound
        let bytes = UnsafeRawBufferPointer(
            rebasing: file.bytes[start..<(dataStart + tensor.range.upperBound)])
        let count = shape.reduce(1, *)
        switch tensor.type {
        case "F32" where Int(bitPattern: bytes.baseAddress) % 4 == 0:
            return FloatTensor(
                mapped: UnsafeBufferPointer(rebasing: bytes.bindMemory(to: Float.self)[...]),
                file: file)
        case "F32": return FloatTensor(count: count, of: .f32, bytes)
        case "BF16": return FloatTensor(count: count, of: .bf16, bytes)
        case "F16": return FloatTensor(count: count, of: .f16, bytes)
        default:
            throw ModelError(
                .unsupported,
                "Tensor '\(name)' of \(file.path) is \(tensor.type); F32, F16 or BF16 is needed.")
        }
    }

    /// The bytes of a tensor; valid while the file lives.
    package func bytes(_ tensor: Tensor) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            rebasing: file.bytes[
                dataStart + tensor.range.lowerBound..<dataStart + tensor.range.upperBound])
    }

    /// Parts that name the content: the bytes of the header, its length, and the first and last
    /// mebibyte of the data. Enough to tell models apart without reading all of them.
    package var sampledContent: [UnsafeRawBufferPointer] {
        let bytes = file.bytes
        let mebibyte = 1 << 20
        return [
            UnsafeRawBufferPointer(rebasing: bytes[..<dataStart]),
            UnsafeRawBufferPointer(
                rebasing: bytes[dataStart..<min(bytes.count, dataStart + mebibyte)]),
            UnsafeRawBufferPointer(rebasing: bytes[max(dataStart, bytes.count - mebibyte)...]),
        ]
    }
}

/// Float values of a tensor: a view of the mapped file where it holds aligned F32, else a converted
/// copy. The view keeps the mapping alive.
package final class FloatTensor: @unchecked Sendable {
    // Sendable: never written after init; the owner below keeps the memory.
    /// Valid while the tensor lives.
    package let values: UnsafeBufferPointer<Float>
    private let owner: AnyObject

    init(mapped values: UnsafeBufferPointer<Float>, file: MappedFile) {
        self.values = values
        owner = file
    }

    /// Converts `count` values of a type that has one value a block, wherever the bytes lie.
    init(count: Int, of type: GGMLType, _ bytes: UnsafeRawBufferPointer) {
        let buffer = AlignedBuffer<Float>(count)
        if let source = bytes.baseAddress {
            dequantize(type: type, source, count: count, into: buffer.pointer)
        }
        values = UnsafeBufferPointer(start: UnsafePointer(buffer.pointer), count: count)
        owner = buffer
    }

    /// A copy of the values.
    package var array: [Float] { withExtendedLifetime(self) { Array(values) } }
}
