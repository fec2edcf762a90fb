import Foundation
import MnemeBase
import MnemeSeal
import MnemeStore
import Testing

private func mode(_ path: String) -> UInt16? {
    (try? FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber)?
        .uint16Value
}

private func setMode(_ mode: Int, _ path: String) throws {
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
}

private func remember(_ text: String, in store: SQLiteMemoryStore) throws {
    let cube = MemCube(
        scope: Scope(), type: .episodic, text: text, eventTime: Date(), recordedTime: Date(),
        provenance: Provenance(source: "test"))
    try store.commit(
        [.add(cube, analysis: [], contentHash: Array(text.utf8))], owner: Owner(), by: .local)
}

private func texts(_ store: SQLiteMemoryStore) throws -> [String] {
    try store.list(CubeFilter(owner: Owner(), limit: 1_000), by: .local).map(\.text).sorted()
}

@Suite struct FirstUseTests {
    @Test(arguments: [false, true])
    func `many that make one new store at once all keep what they say`(
        isEncrypted: Bool
    ) async throws {
        for round in 0..<15 {
            let folder = try TemporaryFolder()
            let path = folder.path + "/new/home/store.db"
            let key = isEncrypted ? EncryptionKey() : nil
            await withTaskGroup(of: Void.self) { group in
                for i in 0..<6 {
                    group.addTask {
                        await withCheckedContinuation { done in
                            // Threads of their own, so that all are in it at once.
                            Thread.detachNewThread {
                                do {
                                    let store = try SQLiteMemoryStore(
                                        path: path, analyzer: "test", key: key)
                                    try remember("sentence \(i)", in: store)
                                    try store.close()
                                } catch { Issue.record("round \(round), \(i): \(error)") }
                                done.resume()
                            }
                        }
                    }
                }
            }
            let store = try SQLiteMemoryStore(path: path, analyzer: "test", key: key)
            #expect(try texts(store) == (0..<6).map { "sentence \($0)" })
            #expect(try store.check(repair: false, by: .local).allSatisfy(\.sound))
            #expect(try store.verifyAudit(keys: nil, head: nil, by: .local).findings.isEmpty)
            try store.close()
            // Nothing of those that came too late is left.
            let left = try FileManager.default.contentsOfDirectory(
                atPath: folder.path + "/new/home")
            #expect(
                left.allSatisfy { ["store.db", "store.db-wal", "store.db-shm"].contains($0) },
                "\(left)")
        }
    }

    @Test func `what a first use that was cut off left becomes a store`() throws {
        let folder = try TemporaryFolder()
        let empty = folder.path + "/empty.db"
        let half = folder.path + "/half.db"
        try Data().write(to: URL(fileURLWithPath: empty))
        // As an earlier version had it for a moment: the table of migrations, and nothing that says
        // whose it is.
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c",
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA journal_mode = WAL'); "
                + "c.execute('CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY)'); c.commit()",
            half,
        ]
        try process.run()
        process.waitUntilExit()
        for path in [empty, half] {
            let store = try SQLiteMemoryStore(path: path, analyzer: "test")
            try remember("kept", in: store)
            #expect(try texts(store) == ["kept"])
            try store.close()
        }
        // With a key, too: an empty file is no store that is not encrypted.
        let other = folder.path + "/other.db"
        let key = EncryptionKey()
        try Data().write(to: URL(fileURLWithPath: other))
        try SQLiteMemoryStore(path: other, analyzer: "test", key: key).close()
        #expect(SQLiteMemoryStore.isEncrypted(other))
    }

    @Test func `a link to where nothing is yet leads to the new store`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/link.db"
        let real = folder.path + "/real.db"
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: real)
        let store = try SQLiteMemoryStore(path: path, analyzer: "test")
        try remember("behind a link", in: store)
        try store.close()
        #expect(mode(real) == 0o600)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: path) == real)
        #expect(try texts(SQLiteMemoryStore(path: real, analyzer: "test")) == ["behind a link"])
    }

    @Test func `who comes by a link waits for who makes the store by its own name`() throws {
        let folder = try TemporaryFolder()
        let real = folder.path + "/real"
        try FileManager.default.createDirectory(atPath: real, withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/link.db", withDestinationPath: real + "/store.db")
        var lock = try FileLock.take(real)
        #expect(lock != nil)
        let opened = DispatchSemaphore(value: 0)
        let path = folder.path + "/link.db"
        Thread.detachNewThread {
            do {
                let store = try SQLiteMemoryStore(path: path, analyzer: "test")
                #expect(store.path == real + "/store.db")
                #expect(store.files.allSatisfy { $0.hasPrefix(real) })
                try store.close()
            } catch { Issue.record("\(error)") }
            opened.signal()
        }
        #expect(opened.wait(timeout: .now() + 0.3) == .timedOut)
        #expect(!FileManager.default.fileExists(atPath: real + "/store.db"))
        lock = nil
        #expect(opened.wait(timeout: .now() + 30) == .success)
        #expect(FileManager.default.fileExists(atPath: real + "/store.db"))
    }

    @Test func `a path that leads in a circle is refused with a reason`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a"
        try FileManager.default.createSymbolicLink(
            atPath: path, withDestinationPath: folder.path + "/b")
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/b", withDestinationPath: path)
        let error = #expect(throws: StoreError.self) {
            try SQLiteMemoryStore(path: path, analyzer: "test")
        }
        #expect(error?.description.contains("no path of a file") == true)
    }

    @Test(arguments: [false, true])
    func `nobody else reads a store's files or enters its new folders`(
        isEncrypted: Bool
    ) throws {
        let folder = try TemporaryFolder()
        let home = folder.path + "/a/home"
        let path = home + "/store.db"
        umask(0)
        // What was before could be another test's, at the same time.
        defer { umask(0o022) }
        let key = isEncrypted ? EncryptionKey() : nil
        let store = try SQLiteMemoryStore(path: path, analyzer: "test", key: key)
        try remember("private", in: store)
        for suffix in ["", "-wal", "-shm"] { #expect(mode(path + suffix) == 0o600, "\(suffix)") }
        #expect(mode(home) == 0o700 && mode(folder.path + "/a") == 0o700)
        #expect(
            try store.check(repair: false, by: .local).first { $0.check == "privacy" }?.sound
                == true)
        try store.close()
        if let key {
            try SQLiteMemoryStore.rewrite(path, from: key, to: nil)
            #expect(mode(path) == 0o600)
        }
    }

    @Test func `what an earlier version made wider is tightened, and what cannot be is said`()
        throws
    {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let first = try SQLiteMemoryStore(path: path, analyzer: "test")
        try remember("old", in: first)
        for suffix in ["", "-wal", "-shm"] { try setMode(0o644, path + suffix) }
        let second = try SQLiteMemoryStore(path: path, analyzer: "test")
        for suffix in ["", "-wal", "-shm"] { #expect(mode(path + suffix) == 0o600, "\(suffix)") }
        // The folder is not the store's: others' files may be in it. That anybody may put files
        // there is said.
        try setMode(0o755, folder.path)
        #expect(
            try second.check(repair: false, by: .local).first { $0.check == "privacy" }?.sound
                == true
                && mode(folder.path) == 0o755)
        func privacy(repair: Bool) throws -> StoreFinding? {
            try second.check(repair: repair, by: .local).first { $0.check == "privacy" }
        }
        // To look changes nothing; to repair does, as far as it is the store's.
        try setMode(0o640, path)
        #expect(try privacy(repair: false)?.sound == false && mode(path) == 0o640)
        let repaired = try privacy(repair: true)
        #expect(repaired?.repaired == true && repaired?.sound == false && mode(path) == 0o600)
        #expect(try privacy(repair: false)?.sound == true)
        try setMode(0o777, folder.path)
        let finding = try privacy(repair: true)
        #expect(finding?.sound == false && finding?.detail.contains(folder.path) == true)
        #expect(finding?.repaired == false && mode(folder.path) == 0o777)
        try second.close()
        try first.close()
    }
}
