import Foundation
import MnemeBase
import Testing

/// A folder of its own for one test, removed at the end.
private struct TemporaryFolder: ~Copyable {
    let path = NSTemporaryDirectory() + "mneme-base-\(UUID().uuidString)"
    init() throws { try Privacy.makeFolder(path) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
    var names: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: path))?.sorted() ?? []
    }
}

private func mode(_ path: String) -> UInt16? {
    (try? FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber)?
        .uint16Value
}

@Suite struct AtomicFileTests {
    @Test(arguments: [AtomicFile.Durability.cache, .disk])
    func `a file is whole, its owner's alone, and nothing is beside it`(
        durability: AtomicFile.Durability
    ) throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/file"
        umask(0)
        // What was before could be another test's, at the same time.
        defer { umask(0o022) }
        try AtomicFile.write(Data("first".utf8), to: path, durability: durability)
        try AtomicFile.write(Data("second".utf8), to: path, durability: durability)
        #expect(FileManager.default.contents(atPath: path) == Data("second".utf8))
        #expect(folder.names == ["file"] && mode(path) == 0o600)
        let empty = folder.path + "/empty"
        try AtomicFile.write(Data(), to: empty, durability: durability)
        #expect(FileManager.default.contents(atPath: empty) == Data())
    }

    @Test func `what is there already stays if it is to stay`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/file"
        #expect(try AtomicFile.write(Data("first".utf8), to: path, .ifAbsent))
        #expect(try !AtomicFile.write(Data("second".utf8), to: path, .ifAbsent))
        #expect(
            FileManager.default.contents(atPath: path) == Data("first".utf8)
                && folder.names == ["file"])
    }

    @Test func `what is skipped reads as zeros, at the end too`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/file"
        let file = try AtomicFile(path)
        try file.write(Data("ab".utf8))
        file.skip(to: 4)
        file.skip(to: 1)
        try file.write(Data("cd".utf8))
        file.skip(to: 8)
        // Nothing, written behind the gap, does not fill it.
        withUnsafeBytes(of: 0) { bytes in
            try? file.write(UnsafeRawBufferPointer(rebasing: bytes[..<0]))
        }
        try file.finish()
        #expect(FileManager.default.contents(atPath: path) == Data([97, 98, 0, 0, 99, 100, 0, 0]))
    }

    @Test func `a file that is let go of leaves the former one`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/file"
        try AtomicFile.write(Data("first".utf8), to: path)
        do {
            let file = try AtomicFile(path)
            try file.write(Data("sec".utf8))
            #expect(folder.names.count == 2)
        }
        #expect(
            FileManager.default.contents(atPath: path) == Data("first".utf8)
                && folder.names == ["file"])
    }

    @Test func `an error names the path and what the system said`() throws {
        let folder = try TemporaryFolder()
        let nowhere = folder.path + "/no/file"
        let missing = #expect(throws: FileError.self) {
            try AtomicFile.write(Data("x".utf8), to: nowhere)
        }
        #expect(
            missing?.code == ENOENT
                && missing?.description
                    == "\(nowhere) cannot be written: No such file or directory."
        )
        // A folder has the name.
        let taken = #expect(throws: FileError.self) {
            try AtomicFile.write(Data("x".utf8), to: folder.path)
        }
        #expect(taken?.path == folder.path && taken?.isFull == false)
    }

    @Test func `a full disk leaves the old file whole and nothing else`() async {
        await #expect(processExitsWith: .success) {
            let folder = try TemporaryFolder()
            let path = folder.path + "/file"
            let old = Data(repeating: 1, count: 4_000)
            try AtomicFile.write(old, to: path)
            // A limit of the size of files fails as a full disk does: in the middle of a write.
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 10_000, rlim_max: 10_000)
            #if os(Linux)
                setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            #else
                setrlimit(RLIMIT_FSIZE, &limit)
            #endif
            let error = #expect(throws: FileError.self) {
                try AtomicFile.write(Data(repeating: 2, count: 100_000), to: path)
            }
            #expect(error?.isFull == true && error?.description.contains(path) == true)
            #expect(FileManager.default.contents(atPath: path) == old && folder.names == ["file"])
        }
    }

    @Test func `of many that write one file at once, one is whole`() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/file"
        let parts = (0..<8).map { Data(repeating: UInt8($0), count: 200_000) }
        for _ in 0..<20 {
            try? FileManager.default.removeItem(atPath: path)
            let won = try await withThrowingTaskGroup(of: Bool.self) { group in
                for part in parts {
                    group.addTask {
                        try AtomicFile.write(part, to: path, .ifAbsent, durability: .cache)
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(won == 1)
            #expect(
                FileManager.default.contents(atPath: path).map(parts.contains) == true
                    && folder.names == ["file"])
        }
    }
}

@Suite struct PrivacyTests {
    @Test func `folders are made for their owner alone, by many at once`() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a/b/c"
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { try Privacy.makeFolder(path) } }
            try await group.waitForAll()
        }
        for part in ["/a", "/a/b", "/a/b/c"] { #expect(mode(folder.path + part) == 0o700) }
        // What is there stays as it is, also where nothing may be made.
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        try Privacy.makeFolder(path)
        try Privacy.makeFolder("/")
        #expect(mode(path) == 0o755)
        try Data("x".utf8).write(to: URL(fileURLWithPath: folder.path + "/file"))
        let blocked = #expect(throws: FileError.self) {
            try Privacy.makeFolder(folder.path + "/file/x")
        }
        #expect(blocked?.description.contains("cannot be made: Not a directory") == true)
    }

    @Test func `what others could read is theirs no more`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/file"
        try Data("x".utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o664], ofItemAtPath: path)
        #expect(Privacy.tighten(path) && mode(path) == 0o600)
        #expect(Privacy.tighten(folder.path + "/absent"))
        #expect(!Privacy.isOpenToAll(folder.path) && !Privacy.isOpenToAll("/tmp"))
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder.path)
        #expect(Privacy.isOpenToAll(folder.path))
    }
}

@Suite struct FileLockTests {
    @Test(arguments: [true, false]) func `one owner holds a lock at a time`(isFolder: Bool) throws {
        let folder = try TemporaryFolder()
        let path = isFolder ? folder.path : folder.path + "/lock"
        var first = try FileLock.take(path)
        #expect(first != nil)
        #expect(try FileLock.take(path) == nil)
        #expect(try FileLock.take(path, waiting: 0.05) == nil)
        let held = #expect(throws: FileError.self) {
            try FileLock.holding(folder: path, waiting: 0) {}
        }
        #expect(held?.description.contains("in use by another process") == true)
        first = nil
        #expect(try FileLock.take(path) != nil)
    }

    @Test func `a lock on what was removed meanwhile is none`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/lock"
        let first = try FileLock.take(path)
        unlink(path)
        #expect(try FileLock.take(path) != nil)
        withExtendedLifetime(first) {}
    }

    @Test func `what cannot be opened for its lock is an error, and nothing is done`() throws {
        let folder = try TemporaryFolder()
        let absent = folder.path + "/absent"
        var isDone = false
        let error = #expect(throws: FileError.self) {
            try FileLock.holding(folder: absent) { isDone = true }
        }
        #expect(error?.code == ENOENT && !isDone)
        #expect(error?.description.contains("cannot be locked") == true)
        #expect(folder.names.isEmpty)
    }
}

@Suite struct HexadecimalTests {
    @Test func `every byte has two digits and comes back`() throws {
        let bytes = Data(0...255)
        let text = Hexadecimal.string(bytes)
        #expect(text.count == 512 && text.hasPrefix("000102") && text.hasSuffix("fdfeff"))
        #expect(Hexadecimal.bytes(text) == bytes && Hexadecimal.bytes("") == Data())
        for wrong in ["0", "0g", "AB", "+1", " 1", "é", "１２", "0\0"] {
            #expect(Hexadecimal.bytes(wrong) == nil)
        }
    }
}

@Suite struct SplitMix64Tests {
    @Test func `numbers are those of the paper`() {
        var random = SplitMix64(seed: 1_234_567)
        // As the reference implementation prints them (Vigna, splitmix64.c).
        #expect(
            (0..<3).map { _ in random.next() } == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
            ])
        #expect((0..<1_000).allSatisfy { _ in (0..<1).contains(random.unit()) })
    }
}
