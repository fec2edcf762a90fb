import Foundation
import MnemeBase
import MnemeModels
import Testing

@Suite struct SafetensorsTests {
    private static func file(header: String, data: [UInt8], claimed: UInt64? = nil) -> [UInt8] {
        let length = claimed ?? UInt64(header.utf8.count)
        return withUnsafeBytes(of: length.littleEndian, Array.init) + Array(header.utf8) + data
    }

    @discardableResult
    private static func withFile<R>(_ bytes: [UInt8], _ body: (String) throws -> R) throws -> R {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-\(UUID().uuidString)"
        ).path
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try body(path)
    }

    private static let sound = file(
        header:
            #"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[16,20]}}"#,
        data: [0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64, 0, 0, 128, 64, 128, 63, 0, 64])

    @Test func `tensors are read`() throws {
        try Self.withFile(Self.sound) { path in
            let file = try SafetensorsFile(path: path)
            #expect(try file.floats("a", shape: [2, 2]).array == [1, 2, 3, 4])
            #expect(try file.floats("b", shape: [2]).array == [1, 2])
            #expect(throws: ModelError.self) { try file.floats("c", shape: [1]) }
            #expect(throws: ModelError.self) { try file.floats("a", shape: [4]) }
        }
    }

    @Test func `values are read wherever they lie, those that are not finite, too`() throws {
        let bytes: [UInt8] = [
            // -2, infinity and a NaN in F16; 1 in F32 and in BF16, at odd places.
            0x00, 0xc0, 0x00, 0x7c, 0x01, 0xfe, 0x7f, 0, 0, 128, 63, 128, 63,
        ]
        let header =
            #"{"h":{"dtype":"F16","shape":[3],"data_offsets":[0,6]},"#
            + #""u":{"dtype":"U8","shape":[1],"data_offsets":[6,7]},"#
            + #""f":{"dtype":"F32","shape":[1],"data_offsets":[7,11]},"#
            + #""b":{"dtype":"BF16","shape":[1],"data_offsets":[11,13]}}"#
        try Self.withFile(Self.file(header: header, data: bytes)) { path in
            let file = try SafetensorsFile(path: path)
            let halves = try file.floats("h", shape: [3]).array
            #expect(halves[0] == -2 && halves[1] == .infinity && halves[2].isNaN)
            #expect(try file.floats("f", shape: [1]).array == [1])
            #expect(try file.floats("b", shape: [1]).array == [1])
            #expect(throws: ModelError.self) { try file.floats("u", shape: [1]) }
        }
    }

    @Test(arguments: [
        file(header: "{}", data: [1]),
        file(header: "[]", data: []),
        file(header: "{", data: []),
        file(header: "{}", data: [], claimed: 3),
        file(header: "{}", data: [], claimed: .max),
        file(
            header: #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}"#,
            data: [UInt8](repeating: 0, count: 8)),
        file(
            header: #"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, data: [0, 0, 0, 0]),
        file(
            header:
                #"{"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807],"data_offsets":[0,4]}}"#,
            data: [0, 0, 0, 0]),
        file(
            header: #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, data: [0, 0, 0, 0]),
        file(
            header: #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[1e300,4]}}"#,
            data: [0, 0, 0, 0]),
        file(
            header: #"{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#, data: [0, 0, 0, 0]),
        file(
            header:
                #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#,
            data: [0, 0, 0, 0]),
        [UInt8](), [1, 2, 3],
    ])
    func `hostile headers are refused`(bytes: [UInt8]) throws {
        try Self.withFile(bytes) { path in
            #expect(throws: ModelError.self) { try SafetensorsFile(path: path) }
        }
    }

    @Test func `every truncation is refused and no bit flip crashes`() throws {
        for length in 0..<Self.sound.count {
            try Self.withFile(Array(Self.sound[..<length])) { path in
                #expect(throws: ModelError.self) { try SafetensorsFile(path: path) }
            }
        }
        var opened = 0
        for bit in 0..<Self.sound.count * 8 {
            var bytes = Self.sound
            bytes[bit / 8] ^= 1 << (bit % 8)
            try Self.withFile(bytes) { path in
                if let file = try? SafetensorsFile(path: path) {
                    opened += 1
                    for (name, tensor) in file.tensors {
                        _ = try? file.floats(name, shape: tensor.shape)
                    }
                }
            }
        }
        #expect(opened > 0, "flips in the data do no harm")
    }
}
