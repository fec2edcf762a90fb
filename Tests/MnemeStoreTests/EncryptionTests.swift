import Crypto
import Foundation
import MnemeBase
import MnemeSeal
import MnemeStore
import MnemeTesting
import Testing

@Suite struct EncryptionTests {
    private func add(_ text: String, to store: SQLiteMemoryStore) throws -> MemCube {
        let cube = MemCube(
            scope: Scope(tenant: "t", user: "u"), type: .episodic, text: text, eventTime: Date(),
            recordedTime: Date(),
            provenance: Provenance(source: "test"))
        try store.commit(
            [.add(cube, analysis: Array(text.utf8), contentHash: Array(text.utf8))],
            owner: cube.scope.owner, by: .local
        )
        return cube
    }

    private func bytes(_ path: String) -> Data {
        FileManager.default.contents(atPath: path) ?? Data()
    }

    /// The content of a store, in an order.
    private func contents(_ store: SQLiteMemoryStore) throws -> [String] {
        try store.snapshot(
            owner: Owner(tenant: "t", user: "u"), asOf: Date(timeIntervalSinceNow: 60), by: .local
        ).map {
            "\($0.id) \($0.text)"
        }.sorted()
    }

    @Test(arguments: MemoryStoreConformance.all)
    func `an encrypted store conforms`(check: MemoryStoreConformance) throws {
        let folder = try TemporaryFolder()
        try check.run(
            SQLiteMemoryStore(
                path: folder.path + "/store.db", analyzer: "test",
                auditKey: Curve25519.Signing.PrivateKey(), key: EncryptionKey()))
    }

    @Test func `no file holds what was written, in use or closed`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let key = EncryptionKey()
        let store = try SQLiteMemoryStore(path: path, analyzer: "test", key: key)
        for i in 0..<300 { _ = try add("the treasure lies under palm number \(i)", to: store) }
        #expect(bytes(path + "-wal").count > 100_000, "the log is in use")
        func check() {
            for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] {
                let bytes = bytes(folder.path + "/" + name)
                for word in ["treasure", "palm number", "SQLite format", "CREATE TABLE"] {
                    #expect(bytes.range(of: Data(word.utf8)) == nil, "\(name): \(word)")
                }
            }
        }
        check()
        try store.close()
        check()
        // Nor does chance help: what is encrypted cannot be compressed, as equal pages do not look
        // equal.
        let file = bytes(path)
        let starts = stride(from: 4096, to: file.count - 16, by: 16)
        #expect(Set(starts.map { file[$0..<$0 + 16] }).count == Array(starts).count)
    }

    @Test func `a key is needed, and the right one`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let key = EncryptionKey()
        let store = try SQLiteMemoryStore(path: path, analyzer: "test", key: key)
        let cube = try add("a secret", to: store)
        try store.close()
        #expect(SQLiteMemoryStore.isEncrypted(path))
        #expect(
            try #require(throws: SealError.self) {
                try SQLiteMemoryStore(path: path, analyzer: "test")
            }.code
                == .keyMissing)
        #expect(
            try #require(throws: SealError.self) {
                try SQLiteMemoryStore(path: path, analyzer: "test", key: EncryptionKey())
            }.code == .wrongKey)
        let again = try SQLiteMemoryStore(
            path: path, analyzer: "test", key: EncryptionKey(text: " \(key.text.uppercased())\n"))
        #expect(
            try again.cube(cube.id, owner: cube.scope.owner, asOf: nil, by: .local)?.text
                == "a secret")
        let plain = folder.path + "/plain.db"
        try SQLiteMemoryStore(path: plain, analyzer: "test").close()
        #expect(
            try #require(throws: SealError.self) {
                try SQLiteMemoryStore(path: plain, analyzer: "test", key: key)
            }.code
                == .notEncrypted)
        for text in [
            "", "12", String(key.text.dropLast()), key.text + "0", key.text.dropLast() + "g",
            "ünïcödé",
        ] {
            #expect(
                try #require(throws: SealError.self, "\(text)") { try EncryptionKey(text: text) }
                    .code == .malformedKey)
        }
    }

    @Test func `encrypting, exchanging the key and decrypting keep everything`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let first = EncryptionKey()
        let second = EncryptionKey()
        func open(_ key: EncryptionKey?) throws -> SQLiteMemoryStore {
            try SQLiteMemoryStore(path: path, analyzer: "test", key: key)
        }
        var store = try open(nil)
        for i in 0..<200 {
            _ = try add(String(repeating: "fact \(i) ", count: 1 + i * 3), to: store)
        }
        let expected = try contents(store)
        #expect(
            try #require(throws: StoreError.self) {
                try SQLiteMemoryStore.rewrite(path, from: nil, to: first)
            }.code
                == .busy, "it is open")
        #expect(try contents(store) == expected)
        try store.close()
        func check(_ key: EncryptionKey?, not other: EncryptionKey?) throws {
            #expect(throws: SealError.self) { try open(other) }
            store = try open(key)
            #expect(try contents(store) == expected)
            #expect(try store.check(repair: false, by: .local).allSatisfy(\.sound))
            try store.close()
        }
        try SQLiteMemoryStore.rewrite(path, from: nil, to: first)
        try check(first, not: nil)
        // While it is open: it stays open.
        store = try open(first)
        try SQLiteMemoryStore.exchangeKey(path, from: first, to: second)
        #expect(try contents(store) == expected)
        try store.close()
        try check(second, not: first)
        #expect(throws: SealError.self) {
            try SQLiteMemoryStore.exchangeKey(path, from: first, to: second)
        }
        try SQLiteMemoryStore.rewrite(path, from: second, to: first)
        try check(first, not: second)
        #expect(throws: SealError.self) {
            try SQLiteMemoryStore.rewrite(path, from: second, to: first)
        }
        #expect(throws: SealError.self) {
            try SQLiteMemoryStore.rewrite(path, from: nil, to: first)
        }
        try SQLiteMemoryStore.rewrite(path, from: first, to: nil)
        try check(nil, not: first)
        #expect(bytes(path).range(of: Data("fact 7 fact 7".utf8)) != nil)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.path).filter {
                !["store.db", "store.db-wal", "store.db-shm"].contains($0)
            }.isEmpty)
    }

    @Test func `who changes the key or the file waits for who makes or opens the store`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let first = EncryptionKey()
        let second = EncryptionKey()
        try SQLiteMemoryStore(path: path, analyzer: "test", key: first).close()
        let link = folder.path + "/elsewhere/link.db"
        try FileManager.default.createDirectory(
            atPath: folder.path + "/elsewhere", withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
        let changes: [@Sendable () throws -> Void] = [
            { try SQLiteMemoryStore.exchangeKey(link, from: first, to: second) },
            { try SQLiteMemoryStore.rewrite(link, from: second, to: nil) },
        ]
        for change in changes {
            var lock = try FileLock.take(folder.path)
            #expect(lock != nil)
            let before = bytes(path)
            let done = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                do { try change() } catch { Issue.record("\(error)") }
                done.signal()
            }
            #expect(done.wait(timeout: .now() + 0.3) == .timedOut)
            #expect(bytes(path) == before)
            lock = nil
            #expect(done.wait(timeout: .now() + 30) == .success)
            #expect(bytes(path) != before)
        }
        // The link is one still, and what was written has the store's own name.
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == path)
        #expect(!SQLiteMemoryStore.isEncrypted(path))
        try SQLiteMemoryStore(path: path, analyzer: "test").close()
        #expect(throws: StoreError.self) {
            try SQLiteMemoryStore.exchangeKey(folder.path + "/absent", from: first, to: second)
        }
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/absent"))
    }

    @Test func `a first page that is half written is waited for`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let key = EncryptionKey()
        let store = try SQLiteMemoryStore(path: path, analyzer: "test", key: key)
        _ = try add("behind the first page", to: store)
        let expected = try contents(store)
        try store.close()
        // Behind the page with the wrapped key.
        let place = 4096 + 2_000
        let sound = bytes(path)[place..<place + 64]
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        func put(_ data: Data) throws {
            try file.seek(toOffset: UInt64(place))
            try file.write(contentsOf: data)
        }
        try put(Data(count: 64))
        let opened = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            do {
                let store = try SQLiteMemoryStore(path: path, analyzer: "test", key: key)
                #expect(try self.contents(store) == expected)
                try store.close()
            } catch { Issue.record("\(error)") }
            opened.signal()
        }
        #expect(opened.wait(timeout: .now() + 0.1) == .timedOut)
        try put(sound)
        #expect(opened.wait(timeout: .now() + 30) == .success)
        withExtendedLifetime(file) {}
    }

    @Test func `what a killed rewriting left is removed by the next`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let key = EncryptionKey()
        try SQLiteMemoryStore(path: path, analyzer: "test").close()
        for name in ["store.db.rewritten", "store.db.rewritten.1.2.tmp"] {
            try Data("left".utf8).write(to: URL(fileURLWithPath: folder.path + "/" + name))
        }
        try SQLiteMemoryStore.rewrite(path, from: nil, to: key)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(!names.contains { $0.contains("rewritten") })
    }

    @Test func `stores side by side have their own keys, or none`() throws {
        let folder = try TemporaryFolder()
        let keys: [EncryptionKey?] = [EncryptionKey(), nil, EncryptionKey()]
        let stores = try keys.enumerated().map {
            try SQLiteMemoryStore(path: "\(folder.path)/\($0).db", analyzer: "test", key: $1)
        }
        let second = try SQLiteMemoryStore(
            path: "\(folder.path)/0.db", analyzer: "test", key: keys[0])
        for (i, store) in stores.enumerated() { _ = try add("of store \(i)", to: store) }
        #expect(try contents(second).count == 1)
        try stores[0].close()
        _ = try add("by the second", to: second)
        #expect(try contents(second).count == 2)
        for i in 0..<3 {
            #expect(
                (bytes("\(folder.path)/\(i).db-wal").range(of: Data("of store \(i)".utf8)) != nil)
                    == (i == 1))
        }
        withExtendedLifetime(stores) {}
    }

    @Test func `what is changed on the disk is noticed, and never read`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let key = EncryptionKey()
        let store = try SQLiteMemoryStore(path: path, analyzer: "test", key: key)
        for i in 0..<120 { _ = try add(String(repeating: "page \(i) ", count: 700), to: store) }
        let expected = try contents(store)
        try store.close()
        let sound = bytes(path)
        let unit = 4096 + 28
        var random = SystemRandomNumberGenerator()
        var refused = 0
        func attempt(_ changed: Data) throws {
            try changed.write(to: URL(fileURLWithPath: path))
            do {
                let store = try SQLiteMemoryStore(path: path, analyzer: "test", key: key)
                defer { try? store.close() }
                // Pages that are not asked for are not looked at.
                let found = try contents(store)
                #expect(found == expected)
                if try !store.check(repair: false, by: .local).allSatisfy(\.sound) { refused += 1 }
            } catch let error as StoreError {
                refused += 1
                #expect(error.code == .corrupt || error.code == .unavailable, "\(error)")
            } catch let error as SealError {
                refused += 1
                #expect(
                    error.code == .damaged || error.code == .wrongKey
                        || error.code == .notEncrypted, "\(error)")
            }
            for name in ["-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: path + name)
            }
        }
        for _ in 0..<60 {
            var changed = sound
            changed[Int.random(in: 4096..<sound.count, using: &random)] ^= UInt8.random(
                in: 1...255, using: &random)
            try attempt(changed)
            // Pages exchanged, each of them whole.
            changed = sound
            let pages = (sound.count - 4096) / unit
            let a = Int.random(in: 0..<pages, using: &random)
            let b = Int.random(in: 0..<pages, using: &random)
            changed.replaceSubrange(
                4096 + a * unit..<4096 + (a + 1) * unit,
                with: sound[4096 + b * unit..<4096 + (b + 1) * unit])
            try attempt(changed)
            // Overwritten with zeros.
            changed = sound
            changed.replaceSubrange(
                4096 + a * unit..<4096 + (a + 1) * unit, with: Data(count: unit))
            try attempt(changed)
            try attempt(sound.prefix(Int.random(in: 1..<sound.count, using: &random)))
        }
        #expect(refused > 210, "of 240, some of which exchange a page with itself")
        try attempt(sound)
        var head = sound
        head[40] ^= 1
        try head.write(to: URL(fileURLWithPath: path))
        #expect(
            try #require(throws: SealError.self) {
                try SQLiteMemoryStore(path: path, analyzer: "test", key: key)
            }.code
                == .damaged)
    }

    @Test func `a log that was cut off or damaged by a crash gives what was whole before`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let key = EncryptionKey()
        let store = try SQLiteMemoryStore(path: path, analyzer: "test", key: key)
        for i in 0..<40 { _ = try add("memory \(i)", to: store) }
        let all = try contents(store)
        let log = bytes(path + "-wal")
        let file = bytes(path)
        #expect(log.count > 60_000)
        var seen: Set<Int> = []
        for step in 0..<40 {
            let copy = folder.path + "/copy\(step).db"
            try file.write(to: URL(fileURLWithPath: copy))
            var damaged = log
            let place = Int.random(in: 0..<log.count)
            if step % 2 == 0 { damaged = log.prefix(place) } else { damaged[place] ^= 0x40 }
            try damaged.write(to: URL(fileURLWithPath: copy + "-wal"))
            let again = try SQLiteMemoryStore(path: copy, analyzer: "test", key: key)
            let found = try contents(again)
            #expect(found == Array(all.prefix(found.count)))
            seen.insert(found.count)
            #expect(
                try again.check(repair: false, by: .local).filter { $0.check != "vectors" }
                    .allSatisfy(\.sound))
            try again.close()
        }
        #expect(seen.count > 5)
        withExtendedLifetime(store) {}
    }

    @Test func `two processes' worth of openings make one new store`() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/new.db"
        let key = EncryptionKey()
        await withTaskGroup(of: Void.self) { group in
            for i in 0..<8 {
                group.addTask {
                    do {
                        let store = try SQLiteMemoryStore(path: path, analyzer: "test", key: key)
                        _ = try self.add("from \(i)", to: store)
                        try store.close()
                    } catch { Issue.record("\(error)") }
                }
            }
        }
        #expect(try contents(SQLiteMemoryStore(path: path, analyzer: "test", key: key)).count == 8)
    }
}
