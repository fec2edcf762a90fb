import Foundation
import MnemeBase
import MnemeHub
import Testing

@Suite struct ZipTests {
    /// Writes an entry by hand: stored, with the name, checksum and bytes given.
    private static func zip(_ name: String, _ bytes: [UInt8], checksum: UInt32) -> Data {
        func little(_ value: Int, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
        let shared =
            little(0, 2) + little(0, 4) + little(Int(checksum), 4) + little(bytes.count, 4)
            + little(bytes.count, 4) + little(name.utf8.count, 2) + little(0, 2)
        let local =
            little(0x0403_4b50, 4) + little(20, 2) + little(0, 2) + shared + Array(name.utf8) + bytes
        let central =
            little(0x0201_4b50, 4) + little(20, 2) + little(20, 2) + little(0, 2) + shared
            + little(0, 2) + little(0, 2) + little(0, 2) + little(0, 4) + little(0, 4)
            + Array(name.utf8)
        let end =
            little(0x0605_4b50, 4) + little(0, 2) + little(0, 2) + little(1, 2) + little(1, 2)
            + little(central.count, 4) + little(local.count, 4) + little(0, 2)
        return Data(local + central + end)
    }

    /// Unpacks `archive` into a folder of its own, and hands that over.
    private func unpacked(_ archive: Data, _ body: (String) throws -> Void = { _ in }) throws {
        let folder = NSTemporaryDirectory() + "mneme-zip-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder + "/out", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try archive.write(to: URL(fileURLWithPath: folder + "/a.zip"))
        try ZipFile(path: folder + "/a.zip").unpack("a", into: folder + "/out")
        try body(folder + "/out")
    }

    /// CRC-32 of "abc".
    private static let sum: UInt32 = 0x3524_41c2

    @Test func `an entry of the folder is unpacked under its name`() throws {
        try unpacked(Self.zip("a/b/c.txt", Array("abc".utf8), checksum: Self.sum)) {
            (folder: String) throws -> Void in
            #expect(FileManager.default.contents(atPath: folder + "/a/b/c.txt") == Data("abc".utf8))
        }
        try unpacked(Self.zip("other/c.txt", Array("abc".utf8), checksum: Self.sum)) {
            (folder: String) throws -> Void in
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
        }
    }

    @Test func `a damaged archive, or a name that leads elsewhere, is refused`() {
        let sound = Self.zip("a/c.txt", Array("abc".utf8), checksum: Self.sum)
        #expect(throws: ModelError.self) {
            try unpacked(Self.zip("a/c.txt", Array("abd".utf8), checksum: Self.sum))
        }
        for name in ["a/../../c.txt", "a//c.txt", "a/./c.txt"] {
            #expect(throws: ModelError.self) {
                try unpacked(Self.zip(name, Array("abc".utf8), checksum: Self.sum))
            }
        }
        for count in [0, 10, 40, sound.count - 1] {
            #expect(throws: ModelError.self) { try unpacked(sound.prefix(count)) }
        }
        // No byte that is changed ends the process, whatever it stands for.
        for place in sound.indices {
            var damaged = sound
            damaged[place] = 0xff
            try? unpacked(damaged)
        }
    }

    @Test func `a proxy of the environment is taken for others than this machine`() throws {
        let rule = ProxyRule([
            "http_proxy": "http://proxy:3128", "HTTPS_PROXY": "secure.example:8080",
            "NO_PROXY": "intern.example, .local",
        ])
        func place(_ address: String) throws -> String? {
            let url = try #require(URL(string: address))
            return rule.proxy(for: url).map { "\($0.host):\($0.port)" }
        }
        #expect(try place("http://huggingface.co/x") == "proxy:3128")
        #expect(try place("https://huggingface.co/x") == "secure.example:8080")
        for near in ["http://127.0.0.1:1", "http://localhost", "https://a.intern.example", "https://x.local"] {
            #expect(try place(near) == nil, "\(near)")
        }
        let hub = try #require(URL(string: "http://huggingface.co"))
        #expect(ProxyRule(["HTTP_PROXY": "http://from-a-caller"]).proxy(for: hub) == nil)
        #expect(ProxyRule(["http_proxy": "http://proxy", "no_proxy": "*"]).proxy(for: hub) == nil)
    }
}
