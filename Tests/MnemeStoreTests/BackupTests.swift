import Crypto
import Foundation
import MnemeBase
import MnemeSeal
import MnemeStore
import Synchronization
import Testing

@Suite struct BackupTests {
    private static let owner = Owner(tenant: "t", user: "u")

    private func open(_ path: String, _ key: EncryptionKey?) throws -> SQLiteMemoryStore {
        try SQLiteMemoryStore(
            path: path, analyzer: "test", auditKey: Curve25519.Signing.PrivateKey(), key: key)
    }

    @discardableResult
    private func add(_ text: String, to store: SQLiteMemoryStore) throws -> MemCube {
        let cube = MemCube(
            scope: Scope(tenant: "t", user: "u"), type: .episodic, text: text, eventTime: Date(),
            recordedTime: Date(), provenance: Provenance(source: "test"))
        try store.commit(
            [.add(cube, analysis: Array(text.utf8), contentHash: Array(text.utf8))],
            owner: Self.owner, by: .local)
        return cube
    }

    private func texts(_ store: SQLiteMemoryStore) throws -> [String] {
        try store.snapshot(
            owner: Self.owner, asOf: Date(timeIntervalSinceNow: 60), by: .local
        ).map(\.text).sorted()
    }

    private func files(_ folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }

    @Test(arguments: [false, true])
    func `a copy holds all of one moment while others write`(isEncrypted: Bool) throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let key = isEncrypted ? EncryptionKey() : nil
        let store = try open(path, key)
        for i in 0..<50 { try add("memory \(i)", to: store) }
        // Another writer, on its own connection, for as long as it takes.
        let isDone = Atomic<Bool>(false)
        let other = try open(path, key)
        let writer = Thread {
            var i = 0
            while !isDone.load(ordering: .relaxed) {
                _ = try? self.add("meanwhile \(i)", to: other)
                i += 1
            }
        }
        writer.start()
        defer { isDone.store(true, ordering: .relaxed) }
        for round in 0..<3 {
            let target = folder.path + "/copies/\(round).db"
            let made = try store.backup(to: target, key: key)
            #expect(made.memories >= 50 && made.users == 1 && made.findings.isEmpty)
            #expect(made.isEncrypted == isEncrypted)
            #expect(try SQLiteMemoryStore.inspect(backup: target, key: key) == made)
            let copy = try open(target, key)
            #expect(try texts(copy).count == made.memories)
            #expect(try copy.check(repair: false, by: .local).filter { !$0.sound }.isEmpty)
            try copy.close()
        }
        if isEncrypted {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/copies/0.db"))
            #expect(bytes.range(of: Data("memory 7".utf8)) == nil)
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/copies")
        #expect(!left.contains { $0.contains(".new") }, "nothing half-made is left")
    }

    @Test func `what is there already, and other keys, are refused`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let key = EncryptionKey()
        let store = try open(path, key)
        try add("a secret", to: store)
        let taken = folder.path + "/taken.db"
        try Data("mine".utf8).write(to: URL(fileURLWithPath: taken))
        let error = #expect(throws: StoreError.self) { try store.backup(to: taken, key: key) }
        #expect(error?.code == .conflict)
        #expect(try String(contentsOfFile: taken, encoding: .utf8) == "mine")
        #expect(throws: SealError.self) {
            try store.backup(to: folder.path + "/plain.db", key: nil)
        }
        let copy = folder.path + "/copy.db"
        _ = try store.backup(to: copy, key: key)
        #expect(throws: SealError.self) {
            try SQLiteMemoryStore.inspect(backup: copy, key: EncryptionKey())
        }
        #expect(throws: SealError.self) { try SQLiteMemoryStore.inspect(backup: copy, key: nil) }
        #expect(throws: StoreError.self) {
            try SQLiteMemoryStore.inspect(backup: taken, key: nil)
        }
        #expect(throws: StoreError.self) {
            try SQLiteMemoryStore.inspect(backup: folder.path + "/none.db", key: nil)
        }
    }

    @Test func `damage in a copy is found, and it is not put back`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let store = try open(path, nil)
        for i in 0..<400 { try add("memory \(i) with some more words to fill pages", to: store) }
        let copy = folder.path + "/copy.db"
        _ = try store.backup(to: copy, key: nil)
        let whole = try Data(contentsOf: URL(fileURLWithPath: copy))
        var found = 0
        for place in stride(from: 5000, to: whole.count, by: whole.count / 40) {
            var damaged = whole
            for i in place..<min(place + 64, whole.count) { damaged[i] ^= 0x5a }
            try damaged.write(to: URL(fileURLWithPath: copy))
            do {
                let report = try SQLiteMemoryStore.inspect(backup: copy, key: nil)
                guard !report.findings.isEmpty else { continue }
            } catch { #expect(error is StoreError, "\(error)") }
            found += 1
            #expect(throws: StoreError.self) {
                try SQLiteMemoryStore.stage(copy, for: path, key: nil)
            }
        }
        #expect(found > 20, "free space and vectors have no checksum; most bytes have")
        #expect(!files(folder.path).contains { $0.contains("staged") })
        #expect(try texts(store).count == 400)
    }

    @Test(arguments: [false, true])
    func `a copy takes the store's place, which stays beside it`(isEncrypted: Bool) throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let key = isEncrypted ? EncryptionKey() : nil
        var store = try open(path, key)
        try add("before", to: store)
        let copy = folder.path + "/copy.db"
        _ = try store.backup(to: copy, key: key)
        let erased = try add("after", to: store)
        try store.commit([.erase(erased.id)], owner: Self.owner, by: .local)
        try add("later", to: store)
        #expect(try store.erasures().map(\.id) == [erased.id])
        try FileManager.default.createDirectory(
            atPath: path + ".index", withIntermediateDirectories: false)

        // As long as somebody has it open, all stays as it is.
        let staged = try SQLiteMemoryStore.stage(copy, for: path, key: key).path
        let busy = #expect(throws: StoreError.self) {
            try SQLiteMemoryStore.install(staged, at: path, key: key)
        }
        #expect(busy?.code == .busy)
        #expect(try texts(store) == ["before", "later"])
        try store.close()

        let former = try #require(try SQLiteMemoryStore.install(staged, at: path, key: key))
        store = try open(path, key)
        #expect(try texts(store) == ["before"])
        try store.close()
        let old = try open(former, key)
        #expect(try texts(old) == ["before", "later"])
        try old.close()
        #expect(!FileManager.default.fileExists(atPath: path + ".index"))
        #expect(!files(folder.path).contains { $0.contains("staged") })
    }

    @Test func `a damaged store is replaced`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let store = try open(path, nil)
        try add("kept", to: store)
        let copy = folder.path + "/copy.db"
        _ = try store.backup(to: copy, key: nil)
        try store.close()
        try Data(repeating: 0x41, count: 9000).write(to: URL(fileURLWithPath: path))
        let staged = try SQLiteMemoryStore.stage(copy, for: path, key: nil).path
        _ = try SQLiteMemoryStore.install(staged, at: path, key: nil)
        #expect(try texts(open(path, nil)) == ["kept"])
    }
}
