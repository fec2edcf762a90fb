import Foundation
import MnemeKV
import MnemeNumerics
import Testing

/// Files of keys and values that are damaged or made to do harm: each is refused with a
/// ``KVError``, or read.
@Suite struct DamagedBlockTests {
    private struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    private static let shape = KVShape(layers: 2, heads: 2, dimension: 32)
    /// Bytes before the header: the magic, its length, its checksum.
    private static let start = 28

    private static func block(_ codec: KVCodec, tokens: [Int32]) throws -> (
        file: KVBlockFile, bytes: [UInt8]
    ) {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: shape.blockBytes, alignment: 64)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: shape.blockBytes)
        let model = try #require(KVHash(String(repeating: "ab", count: 32)))
        var file = KVBlockFile(
            model: model, parent: model, position: 64, shape: shape, codec: codec, tokens: tokens,
            modelName: "m",
            sources: ["a", "b"])
        return (file, try file.bytes(of: memory, shape: shape, key: nil))
    }

    /// The bytes with a checksum that fits the header, so that the reader goes on to what it says.
    private static func signed(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.count >= start else { return bytes }
        let length = (0..<4).reduce(0) { $0 | Int(bytes[8 + $1]) << (8 * $1) }
        guard length <= bytes.count - start else { return bytes }
        var result = bytes
        let sums = bytes[start..<start + length].withUnsafeBytes { Checksum.crc32c($0) }
        for (i, sum) in sums.enumerated() {
            withUnsafeBytes(of: sum.littleEndian) {
                result.replaceSubrange(12 + 4 * i..<16 + 4 * i, with: $0)
            }
        }
        return result
    }

    /// Reads a file in every way.
    ///
    /// - Returns: whether its rows were read.
    private static func look(_ bytes: [UInt8], _ folder: KVFolder, _ file: KVBlockFile) throws
        -> Bool
    {
        let name = file.hash.description
        let path = "\(folder.path)/\(name.prefix(2))/\(name).kv"
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: shape.blockBytes, alignment: 64)
        defer { memory.deallocate() }
        let request = KVBlockRequest(
            model: file.model, parent: file.parent, codec: file.codec, tokens: file.tokens,
            shape: shape)
        var isRead = false
        func attempt(_ body: () throws -> Void) throws { do { try body() } catch is KVError {} }
        for _ in 0..<2 { try Data(bytes).write(to: URL(fileURLWithPath: path)) }
        _ = folder.entries()
        _ = folder.verify()
        try attempt { _ = try folder.chain(file.hash) }
        try attempt { _ = try folder.unsharedBlocks(file.hash) }
        try attempt { _ = try KVBlockFile.verify(path, key: nil) }
        try attempt {
            try bytes.withUnsafeBytes {
                try KVBlockFile.read($0, name: "memory", key: nil, request, into: memory)
                isRead = true
            }
        }
        try attempt { try folder.read(request, into: memory) }
        folder.trim(to: 1)
        let package = folder.path + "/package"
        for length in [UInt64(bytes.count), .max, UInt64(bytes.count) + 1] {
            try Data(
                Array("MNEMEKVS".utf8) + withUnsafeBytes(of: length.littleEndian, Array.init)
                    + bytes
            ).write(
                to: URL(fileURLWithPath: package))
            try attempt { try folder.import(package) }
        }
        unlink(package)
        return isRead
    }

    @Test(arguments: KVCodec.allCases, [1, 32])
    func `any number of a header is refused or read`(codec: KVCodec, count: Int) throws {
        let path = NSTemporaryDirectory() + "mneme-kv-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let folder = try KVFolder(path: path)
        let (file, sound) = try Self.block(codec, tokens: (0..<Int32(count)).map { $0 })
        #expect(Self.signed(sound) == sound && file.tokens.count == count)
        let length = Int(sound[8]) | Int(sound[9]) << 8
        var read = 0
        var refused = 0
        for place in Self.start + 64..<Self.start + length - 3
        where (place - Self.start - 64) % 4 == 0 {
            for value in [0, 1, 33, 1 << 12, 1 << 16, 0x7fff_ffff, 0x8000_0000, .max] as [UInt32] {
                var bytes = sound
                withUnsafeBytes(of: value.littleEndian) {
                    bytes.replaceSubrange(place..<place + 4, with: $0)
                }
                if try Self.look(Self.signed(bytes), folder, file) { read += 1 } else { refused += 1 }
            }
        }
        // The position, and values that are there already, change nothing that is asked for.
        #expect(read > 0 && refused > read, "\(read) read, \(refused) refused")
    }

    @Test(arguments: [KVCodec.f16, .int4])
    func `files whose bytes are changed or cut off are refused or read`(codec: KVCodec) throws {
        let path = NSTemporaryDirectory() + "mneme-kv-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let folder = try KVFolder(path: path)
        let (file, sound) = try Self.block(codec, tokens: [1, 2, 3])
        var random = Random(state: 1)
        var read = 0
        var refused = 0
        for _ in 0..<300 {
            var bytes = sound
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: 0..<min(bytes.count, 300), using: &random)] = [
                    0, 1, 0x7f, 0x80, 0xff,
                ]
                .randomElement(using: &random)!
            }
            if Int.random(in: 0..<4, using: &random) == 0 {
                bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
            }
            let isRead = try Self.look(
                Bool.random(using: &random) ? Self.signed(bytes) : bytes, folder, file)
            if isRead { read += 1 } else { refused += 1 }
        }
        #expect(read > 0 && refused > read, "\(read) read, \(refused) refused")
    }

    @Test func `a block under another's name is no part of a chain`() throws {
        let path = NSTemporaryDirectory() + "mneme-kv-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        // It says that it stands behind itself.
        let folder = try KVFolder(path: path)
        let (file, sound) = try Self.block(.f16, tokens: [1])
        let name = file.parent.description
        try FileManager.default.createDirectory(
            atPath: "\(path)/\(name.prefix(2))", withIntermediateDirectories: true)
        try Data(sound).write(to: URL(fileURLWithPath: "\(path)/\(name.prefix(2))/\(name).kv"))
        let error = #expect(throws: KVError.self) { try folder.chain(file.parent) }
        #expect(error?.code == .damaged)
    }

    @Test(arguments: [
        "redis://localhost:99999999999", "redis://localhost:0", "redis://localhost:65536",
        "redis://localhost/99999999999999999999",
    ])
    func `addresses of servers that cannot be are refused`(url: String) {
        #expect(throws: KVError.self) { try RedisTier(url: url) }
    }
}
