import Foundation
import MnemeBase
import MnemeEngine
import MnemeModels
import MnemeNumerics
import Testing

extension GGMLType: Decodable {}

@Suite struct ModelFileTests {
    struct Block: Decodable, CustomTestStringConvertible {
        var type: GGMLType
        var raw, floats: String
        var q8_0: String?
        var testDescription: String { "type \(type)" }
    }
    static let blocks = (try? Golden.read([Block].self, "blocks")) ?? []

    @Test func `there are golden blocks`() { #expect(Self.blocks.count >= 13) }

    @Test(arguments: blocks)
    func `blocks become the reference's floats, and tiles the same`(block: Block) throws {
        let raw = Golden.bytes(block.raw)
        let expected = Golden.floats(block.floats)
        var floats = [Float](repeating: 0, count: expected.count)
        raw.withUnsafeBytes {
            dequantize(type: block.type, $0.baseAddress!, count: expected.count, into: &floats)
        }
        for (a, b) in zip(floats, expected) { #expect(abs(a - b) <= 1e-6 * max(1, abs(b))) }
        if let eight = block.q8_0 {
            #expect(quantize(expected, type: .q8_0) == Golden.bytes(eight))
        }
        #expect(quantize(expected, type: .f32) == Golden.bytes(block.floats))
        // One row of a matrix, packed and unpacked: codes are kept, or fitted to eight bits.
        let matrix = raw.withUnsafeBytes {
            WeightMatrix(
                source: $0.baseAddress!, type: block.type, outputs: 1, inputs: expected.count)
        }
        var row = [Float](repeating: 0, count: expected.count)
        matrix.row(0, into: &row)
        let largest = expected.map(abs).max()!
        for (a, b) in zip(row, expected) { #expect(abs(a - b) <= largest * 0.005) }
    }

    @Test func `halves are read as IEEE 754 says, infinities and NaNs, too`() {
        let halves = (0...UInt16.max).map { $0 }
        let isFinite = { (half: UInt16) in half & 0x7c00 != 0x7c00 }
        var floats = [Float](repeating: 0, count: halves.count)
        halves.withUnsafeBytes {
            dequantize(type: .f16, $0.baseAddress!, count: halves.count, into: &floats)
        }
        // The sign, and a sum of powers of two; an exponent of all ones is no number.
        let wrong = halves.filter { half in
            let value = floats[Int(half)]
            let exponent = Int(half >> 10 & 31)
            let fraction = Double(half & 1023) / 1024
            guard isFinite(half) else {
                return half & 1023 == 0
                    ? value != (half < 0x8000 ? .infinity : -.infinity) : !value.isNaN
            }
            let magnitude =
                exponent == 0
                ? fraction * 0x1p-14
                : (1 + fraction) * Double(sign: .plus, exponent: exponent - 15, significand: 1)
            return Double(value.magnitude) != magnitude || (value.sign == .minus) != (half >= 0x8000)
        }
        #expect(wrong.isEmpty)
        #expect(floats.count { $0.isNaN } == 2 * 1023)
    }

    @Test(arguments: [GGMLType.f16, .q8_0, .q2_k, .q6_k, .q4_k])
    func `blocks that hold no numbers are packed without harm`(type: GGMLType) throws {
        let shape = try #require(blockShape(type: type))
        let columns = 256
        // All bits set: NaNs wherever the type has halves.
        let source = [UInt8](repeating: 0xff, count: columns / shape.weights * shape.bytes)
        let matrix = source.withUnsafeBytes {
            WeightMatrix(source: $0.baseAddress!, type: type, outputs: 1, inputs: columns)
        }
        var row = [Float](repeating: 0, count: columns)
        matrix.row(0, into: &row)
        #expect(!row.contains { !$0.isFinite }, "packed scales are finite halves")
    }

    @Test func `quantizing to eight bits makes zero of what is no number`() {
        var values = (0..<64).map { Float($0) - 32 }
        (values[3], values[40]) = (.nan, .infinity)
        let blocks = quantize(values, type: .q8_0)
        var back = [Float](repeating: 1, count: 64)
        blocks.withUnsafeBytes {
            dequantize(type: .q8_0, $0.baseAddress!, count: 64, into: &back)
        }
        #expect(back[3] == 0 && abs(back[0] + 32) < 0.2 && !back.contains { !$0.isFinite })
    }

    @Test func `arrays of small and large integers are written as they are`() throws {
        let path = NSTemporaryDirectory() + "mneme-\(UUID().uuidString).gguf"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let entries: [String: GGUFFile.Value] = [
            "small": .array([.integer(1), .integer(2)]),
            "mixed": .array([.integer(1), .integer(-1), .integer(.max), .integer(1 << 32)]),
            "nested": .array([.array([.integer(1)]), .array([.integer(-1), .integer(7)])]),
            "empty": .array([]), "after": .string("still found"),
        ]
        var writer = GGUFWriter()
        for (key, value) in entries.sorted(by: { $0.key < $1.key }) { try writer.add(key, value) }
        let error = #expect(throws: ModelError.self) {
            try writer.add("several", .array([.integer(1), .string("a")]))
        }
        #expect(error?.code == .unsupported && error?.message.contains("several") == true)
        try writer.write(to: path) { _ in [] }
        #expect(try GGUFFile(path: path).metadata == entries)
    }

    @Test(
        arguments: blocks,
        [ProcessorFeatures.portable, [.avx2], [.avx2, .avx512], .current, .amxEmulated])
    func `products equal those of the floats`(block: Block, features: ProcessorFeatures) throws {
        guard features == .amxEmulated || features.isSubset(of: .current) else { return }
        // 24 outputs of 256 inputs, blocks repeated in turn.
        let raw = Golden.bytes(block.raw)
        let shape = try #require(blockShape(type: block.type))
        let rowBytes = 256 / shape.weights * shape.bytes
        let source = (0..<24).flatMap { row in
            (0..<rowBytes).map { raw[($0 + row * shape.bytes) % raw.count] }
        }
        let matrix = source.withUnsafeBytes {
            WeightMatrix(
                source: $0.baseAddress!, type: block.type, outputs: 24, inputs: 256,
                features: features)
        }
        let kernels = DecoderKernels(features: features)
        for rows in [1, 2, 5, 13, 25] {
            let input = ActivationRows(rows: rows, columns: 256, formats: matrix.reads)
            for i in 0..<rows * 256 { input.floats[i] = sin(Float(i) * 0.7) * Float(i % 5) }
            kernels.quantize(input, rows: 0..<rows, columns: 256, formats: matrix.reads)
            var output = [Float](repeating: 1, count: rows * 32)
            var expected = [Float](repeating: 0, count: 256)
            matrix.apply(
                input, rows: rows, groups: 0..<2, epilogue: .accumulate, into: &output, stride: 32)
            for column in [0, 7, 15, 16, 23] {
                matrix.row(column, into: &expected)
                for row in 0..<rows {
                    let exact = (0..<256).reduce(1.0) {
                        $0 + Double(expected[$1]) * Double(input.floats[row * 256 + $1])
                    }
                    let size = (0..<256).reduce(0.0) {
                        $0 + abs(Double(expected[$1]) * Double(input.floats[row * 256 + $1]))
                    }
                    #expect(abs(Double(output[row * 32 + column]) - exact) <= size * 3e-4 + 1e-5)
                }
            }
        }
    }

    @Test(arguments: [GGMLType.f16, .bf16], [96, 80])
    func `halves keep twelve bits of the highest of a group, or all where rows have no blocks`(
        type: GGMLType, inputs: Int
    )
        throws
    {
        // Wide, narrow, tiny and huge ones, and what is no number.
        let exact = (0..<17 * inputs).map { i in
            sin(Float(i) * 1.3) * exp2(Float(i / 32 % 7) * 4 - 14)
        }
        var bits = exact.map { type == .f16 ? Float16($0).bitPattern : UInt16($0.bitPattern >> 16) }
        bits[16 * inputs] = type == .f16 ? 0x7e00 : 0x7fc0
        bits[16 * inputs + 40] = type == .f16 ? 0x7bff : 0x7f7f
        let matrix = bits.withUnsafeBytes {
            WeightMatrix(source: $0.baseAddress!, type: type, outputs: 17, inputs: inputs)
        }
        #expect(matrix.reads == (inputs == 96 ? .words : []))
        // 96 are filled up to 128, in one group with a scale for each of 32 columns.
        #expect(matrix.byteCount == (inputs == 96 ? 32 * (128 * 3 / 2 + 4) : 32 * 80 * 4))
        var given = [Float](repeating: 0, count: inputs)
        var row = given
        for index in 0..<16 {
            bits.withUnsafeBytes {
                dequantize(
                    type: type, $0.baseAddress! + index * inputs * 2, count: inputs, into: &given)
            }
            matrix.row(index, into: &row)
            let bound = given.map(abs).max()! * (inputs == 96 ? 1.001 / 4094 : 0)
            for i in 0..<inputs { #expect(abs(row[i] - given[i]) <= bound + 1e-8) }
        }
        guard inputs == 96 else { return }
        matrix.row(16, into: &row)
        #expect(row.allSatisfy(\.isFinite) && row[40] >= 65_500)
    }

    @Test(
        arguments: blocks,
        [
            ProcessorFeatures.portable, [.avx2], [.avx2, .avx512], [.avx2, .avx512, .avx512VNNI],
            .current,
            .amxEmulated,
        ])
    func `a row's products are the same bits on every processor and beside any others`(
        block: Block, features: ProcessorFeatures
    ) throws {
        guard features == .amxEmulated || features.isSubset(of: .current) else { return }
        let raw = Golden.bytes(block.raw)
        let shape = try #require(blockShape(type: block.type))
        let rowBytes = 256 / shape.weights * shape.bytes
        let source = (0..<80).flatMap { row in
            (0..<rowBytes).map { raw[($0 + row * shape.bytes) % raw.count] }
        }
        func products(_ features: ProcessorFeatures, rows: Int) -> [UInt32] {
            let matrix = source.withUnsafeBytes {
                WeightMatrix(
                    source: $0.baseAddress!, type: block.type, outputs: 80, inputs: 256,
                    features: features)
            }
            let kernels = DecoderKernels(features: features)
            let input = ActivationRows(rows: rows, columns: 256, formats: matrix.reads)
            for i in 0..<rows * 256 { input.floats[i] = sin(Float(i) * 0.3) * Float(i % 7) }
            kernels.quantize(input, rows: 0..<rows, columns: 256, formats: matrix.reads)
            var output = [Float](repeating: 0.5, count: rows * 80)
            let bias = (0..<80).map { Float($0) / 3 }
            matrix.apply(
                input, rows: rows, groups: 0..<5, epilogue: .accumulate, bias: bias, into: &output,
                stride: 80)
            return output.map(\.bitPattern)
        }
        let expected = products(.portable, rows: 49)
        for rows in Array(1...33) + [47, 48, 49] {
            let found = products(features, rows: rows)
            #expect(found == Array(expected[..<found.count]), "\(rows) rows")
        }
    }

    /// A sound file with two tensors.
    static func sample() -> [UInt8] {
        var out = Array("GGUF".utf8)
        func put<T: FixedWidthInteger>(_ value: T) {
            withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) }
        }
        func put(_ text: String) {
            put(UInt64(text.utf8.count))
            out.append(contentsOf: text.utf8)
        }
        put(UInt32(3))
        put(UInt64(2))
        put(UInt64(4))
        put("general.architecture")
        put(UInt32(8))
        put("llama")
        put("llama.block_count")
        put(UInt32(4))
        put(UInt32(1))
        put("list")
        put(UInt32(9))
        put(UInt32(8))
        put(UInt64(2))
        put("a")
        put("b")
        put("flag")
        put(UInt32(7))
        out.append(1)
        for (i, name) in ["x", "y"].enumerated() {
            put(name)
            put(UInt32(2))
            put(UInt64(32))
            put(UInt64(2))
            put(UInt32(i == 0 ? 0 : 8))
            put(UInt64(i * 256))
        }
        while out.count % 32 != 0 { out.append(0) }
        out += [UInt8](repeating: 0, count: 256 + 68)
        return out
    }

    private func read(_ bytes: [UInt8]) throws -> GGUFFile {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-\(UUID().uuidString).gguf"
        ).path
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let file = try GGUFFile(path: path)
        for (name, tensor) in file.tensors { _ = try file.floats(name, shape: tensor.shape) }
        _ = try? file.decoderConfiguration()
        _ = try? file.tokenizer()
        return file
    }

    @Test func `a sound file is read`() throws {
        let file = try read(Self.sample())
        #expect(
            file.tensors["x"]?.shape == [2, 32] && file.tensors["y"]?.typeName == "Q8_0"
                && file.integer("llama.block_count") == 1)
        #expect(file.array("list") == [.string("a"), .string("b")] && file.bool("flag") == true)
        let error = #expect(throws: ModelError.self) { try file.decoderConfiguration() }
        #expect(error?.code == .invalidFile)
    }

    @Test func `every truncation is refused, and no change of a byte crashes`() throws {
        let sound = Self.sample()
        for length in 0..<sound.count {
            #expect(throws: ModelError.self) { try read(Array(sound[..<length])) }
        }
        var random = SystemRandomNumberGenerator()
        for i in 0..<sound.count - 324 {
            for value in [0, 0x7f, 0xff, UInt8.random(in: 0...255, using: &random)] {
                var bytes = sound
                bytes[i] = value
                do { _ = try read(bytes) } catch is ModelError {}
            }
        }
    }

    @Test func `types that are not read are named`() throws {
        var bytes = Self.sample()
        let place = bytes.count - 324 - 32..<bytes.count - 324
        // The second tensor's type stands 12 bytes before the padding's end; find the 8 of Q8_0.
        let i = try #require(
            place.reversed().first {
                bytes[$0] == 8 && bytes[$0 + 1] == 0 && bytes[$0 + 4] == 0 && bytes[$0 + 5] == 1
            })
        bytes[i] = 16
        let error = #expect(throws: ModelError.self) { try read(bytes) }
        #expect(error?.description.contains("IQ2_XXS") == true)
    }
}
