import Foundation
import MnemeKV
import Testing

/// Erasing in a folder of KV blocks: what is asked for is gone, or an error says what may be left.
@Suite struct ErasingTests {
    private static let shape = KVShape(layers: 1, heads: 1, dimension: 32)
    private static let root = KVHash(String(repeating: "ab", count: 32))!

    private static func folder() throws -> KVFolder {
        try KVFolder(path: NSTemporaryDirectory() + "mneme-erasing-\(UUID().uuidString)")
    }

    private static func path(_ hash: KVHash, _ folder: KVFolder) -> String {
        "\(folder.path)/\(hash.description.prefix(2))/\(hash).kv"
    }

    /// Writes blocks, one behind the other.
    private static func write(
        _ tokens: [Int32], behind parent: KVHash = root, at position: Int = 0,
        sources: [String] = [], to folder: KVFolder
    ) throws -> [KVHash] {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: shape.blockBytes, alignment: 64)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 1, count: shape.blockBytes)
        var parent = parent
        return try tokens.enumerated().map { i, token in
            let block = KVBlockFile(
                model: root, parent: parent, position: position + 32 * i, shape: shape,
                tokens: [Int32](repeating: token, count: 32), modelName: "m", sources: sources)
            try folder.write(block, from: memory, shape: shape)
            parent = block.hash
            return parent
        }
    }

    @Test func `an erase deletes what cannot be read, too`() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        let doomed = try Self.write([1], sources: ["a"], to: folder)[0]
        let damaged = try Self.write([2], sources: ["a"], to: folder)[0]
        let misnamed = try Self.write([3], sources: ["a"], to: folder)[0]
        let other = try Self.write([4], sources: ["b"], to: folder)[0]
        // A header that was changed; a block under another's name; what a killed writer left.
        var bytes = try Data(contentsOf: URL(fileURLWithPath: Self.path(damaged, folder)))
        bytes[40] ^= 1
        try bytes.write(to: URL(fileURLWithPath: Self.path(damaged, folder)))
        #expect(
            rename(Self.path(misnamed, folder), Self.path(Self.root, folder)) == 0
                || mkdir(folder.path + "/ab", 0o700) == 0
                    && rename(Self.path(misnamed, folder), Self.path(Self.root, folder)) == 0
        )
        let half = Self.path(doomed, folder) + ".1.1.tmp"
        try Data([1]).write(to: URL(fileURLWithPath: half))
        #expect(
            folder.entries().map(\.hash).sorted { "\($0)" < "\($1)" }
                == [doomed, other].sorted { "\($0)" < "\($1)" })
        try folder.erase(sources: ["a"])
        for gone in [doomed, damaged, Self.root].map({ Self.path($0, folder) }) + [half] {
            #expect(!FileManager.default.fileExists(atPath: gone), "\(gone)")
        }
        #expect(folder.entries().map(\.hash) == [other])
    }

    @Test func `an erase that may leave something says so, and deletes all else`() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        let block = try Self.write([1], sources: ["a"], to: folder)[0]
        // A folder in a block's place can be neither read nor deleted like a file.
        try FileManager.default.createDirectory(
            atPath: Self.path(Self.root, folder), withIntermediateDirectories: true)
        let error = #expect(throws: KVError.self) { try folder.erase(sources: ["a"]) }
        #expect(
            error?.code == .inputOutput
                && error?.message.contains(Self.path(Self.root, folder)) == true
                && error?.message.contains("may be left") == true)
        #expect(folder.count(of: [block]) == 0)
        #expect(throws: KVError.self) { try folder.remove(Self.root) }
        try folder.remove(block)
    }

    @Test func `a text with a missing block is not absent, and erasing it says what may be left`()
        throws
    {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        let chain = try Self.write([1, 2, 3], to: folder)
        unlink(Self.path(chain[1], folder))
        for body in [{ _ = try folder.chain(chain[2]) }, { _ = try folder.unsharedBlocks(chain[2]) }] {
            let error = #expect(throws: KVError.self, performing: body)
            #expect(
                error?.code == .damaged
                    && error?.message.contains(chain[1].description) == true)
        }
        let error = #expect(throws: KVError.self) { try folder.erase(text: chain[2]) }
        #expect(error?.code == .damaged && error?.message.contains("may be left") == true)
        #expect(folder.entries().map(\.hash) == [chain[0]])
        let absent = #expect(throws: KVError.self) { try folder.erase(text: chain[2]) }
        #expect(absent?.code == .notFound)
    }

    @Test func `what is missing before a branch leaves nothing of a text`() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        let shared = try Self.write([1, 2], to: folder)
        let one = try Self.write([3, 4], behind: shared[1], at: 64, to: folder)
        let other = try Self.write([5], behind: shared[1], at: 64, to: folder)
        unlink(Self.path(shared[0], folder))
        #expect(try folder.unsharedBlocks(one[1]) == one)
        #expect(try folder.erase(text: one[1]) == 2)
        // The block from which both texts part is missing: what is behind it is the other's alone.
        let third = try Self.write([6], behind: shared[1], at: 64, to: folder)
        unlink(Self.path(shared[1], folder))
        #expect(try folder.erase(text: other[0]) == 1)
        #expect(folder.entries().map(\.hash) == third)
    }
}
