import Crypto
import Foundation
import GRDB
import MnemeStore
import Testing

@Suite struct AuditTests {
    private static let ana = Owner(user: "ana")

    private static func add(_ text: String) -> Mutation {
        .add(
            MemCube(
                scope: Scope(user: "ana"), type: .episodic, text: text, eventTime: Date(),
                recordedTime: Date(),
                provenance: Provenance(source: "test")),
            analysis: [], contentHash: Array(text.utf8))
    }

    /// A store of some reads, writes, refusals and an erasure, signed.
    private func fill(_ path: String, key: Curve25519.Signing.PrivateKey?) throws -> (
        report: AuditReport, ids: [CubeID]
    ) {
        let store = try SQLiteMemoryStore(path: path, analyzer: "test", auditKey: key)
        var ids: [CubeID] = []
        for i in 0..<40 {
            ids.append(
                try store.commit(
                    [Self.add("memory \(i)")], owner: Self.ana,
                    by: Caller(.local, reason: "because \(i)", request: "r\(i)"))[0].id)
        }
        _ = try store.list(CubeFilter(owner: Self.ana), by: Caller(.local, operation: "list"))
        _ = try store.cube(ids[3], owner: Self.ana, asOf: nil, by: Caller(.local, operation: "get"))
        _ = try store.commit([.archive(ids[4]), .archive(ids[5])], owner: Self.ana, by: .local)
        _ = try store.commit(
            [.link(CubeLink(source: ids[6], target: ids[7], kind: "related", time: Date()))],
            owner: Self.ana,
            by: .local)
        _ = try store.commit([.erase(ids[8])], owner: Self.ana, by: .local)
        let bob = Caller(
            Principal(name: "bob", permissions: [.read], user: "bob"), operation: "get")
        #expect(throws: AccessError.self) {
            try store.cube(ids[0], owner: Self.ana, asOf: nil, by: bob)
        }
        let report = try store.verifyAudit(
            keys: key.map { [$0.publicKey.rawRepresentation] }, head: nil, by: .local)
        try store.close()
        return (report, ids)
    }

    @Test func `reads, writes and refusals are written down with who, why and which`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let (report, ids) = try fill(path, key: Curve25519.Signing.PrivateKey())
        #expect(
            report.findings.isEmpty && report.unsigned == 0 && report.unaudited == 0, "\(report)")
        let store = try SQLiteMemoryStore(path: path, analyzer: "test")
        let entries = try store.auditEntries(after: 0, limit: 1_000, by: .local)
        #expect(
            entries.count == report.entries
                && entries.map(\.position) == Array(1...Int64(entries.count)))
        let write = try #require(entries.first)
        #expect(
            write.principal == "local" && write.reason == "because 0" && write.request == "r0"
                && write.cubes == [ids[0]] && write.outcome == .done)
        #expect(entries.first { $0.operation == "list" }?.count == 40)
        #expect(entries.first { $0.operation == "get" }?.cubes == [ids[3]])
        let refusal = try #require(entries.first { $0.outcome == .refused })
        #expect(
            refusal.principal == "bob" && refusal.owner == Self.ana && refusal.cubes.isEmpty
                && refusal.detail?.contains("ana") == true)
        #expect(
            !entries.contains { "\($0)".contains("memory 1") },
            "the log names memories, it does not quote them")
        #expect(throws: AccessError.self) {
            try store.auditEntries(
                after: 0, limit: 1,
                by: Caller(Principal(name: "t", permissions: [.admin], tenant: "t")))
        }
        #expect(throws: AccessError.self) {
            try store.verifyAudit(
                keys: nil, head: nil, by: Caller(Principal(name: "r", permissions: [.read])))
        }
        try store.close()
    }

    @Test(
        arguments: [
            "UPDATE audit SET principal = 'mallory' WHERE position = 5",
            "UPDATE audit SET count = count + 1 WHERE position = 41",
            "DELETE FROM audit WHERE position = 7", "DELETE FROM audit WHERE position > 30",
            "UPDATE audit SET reason = NULL WHERE position = 2",
            "UPDATE audit SET time = time + 0.001 WHERE position = 9",
            "UPDATE audit SET cubes = zeroblob(16) WHERE position = 3",
            "UPDATE journal SET payload = replace(payload, 'memory 1', 'memory 2') WHERE position = 2",
            "UPDATE journal SET principal = 'eve' WHERE position = 4",
            "UPDATE journal SET reason = 'other' WHERE position = 4",
            "DELETE FROM journal WHERE position = 6",
            "UPDATE journal SET digest = NULL WHERE position = 6",
            "UPDATE journal SET time = time - 1 WHERE position = 8",
            "UPDATE journal SET digest = zeroblob(32), salt = NULL, payload = NULL WHERE position = 9",
            """
            INSERT INTO journal (owner, time, operation, cube, version, principal, payload, salt, digest)
            SELECT owner, time, operation, cube, version + 1, principal, payload, salt, digest FROM journal WHERE position = 3
            """,
            "UPDATE audit SET position = position + 1 WHERE position = (SELECT max(position) FROM audit)",
            "UPDATE audit SET hash = zeroblob(32) WHERE position = (SELECT max(position) FROM audit)",
            "UPDATE audit_checkpoint SET hash = zeroblob(32)",
        ])
    func `what is changed, taken out or put in is found`(change: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let key = Curve25519.Signing.PrivateKey()
        _ = try fill(path, key: key)
        let queue = try DatabaseQueue(path: path)
        try queue.write { db in
            try db.execute(sql: change)
            #expect(db.changesCount > 0)
        }
        try queue.close()
        // Whoever verifies does not have to hold the key.
        let store = try SQLiteMemoryStore(path: path, analyzer: "test")
        let report = try store.verifyAudit(
            keys: [key.publicKey.rawRepresentation], head: nil, by: .local)
        #expect(!report.findings.isEmpty)
        try store.close()
    }

    @Test func `a log that was written anew is known by its key and by the noted end`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let key = Curve25519.Signing.PrivateKey()
        let (report, _) = try fill(path, key: key)
        try FileManager.default.removeItem(atPath: path)
        let other = Curve25519.Signing.PrivateKey()
        _ = try fill(path, key: other)
        let store = try SQLiteMemoryStore(path: path, analyzer: "test")
        #expect(
            try store.verifyAudit(keys: nil, head: nil, by: .local).findings.isEmpty,
            "by itself it is whole")
        #expect(
            try store.verifyAudit(keys: [key.publicKey.rawRepresentation], head: nil, by: .local)
                .findings.contains {
                    $0.contains("not trusted")
                })
        let noted = try store.verifyAudit(
            keys: nil, head: (report.position, report.head), by: .local)
        #expect(noted.findings.contains { $0.contains("noted end") })
        try store.close()
    }

    @Test func `several processes write one chain, and reads are on disk within two seconds`()
        async throws
    {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let stores = try (0..<3).map { _ in try SQLiteMemoryStore(path: path, analyzer: "test") }
        await withTaskGroup(of: Void.self) { group in
            for (n, store) in stores.enumerated() {
                group.addTask {
                    for i in 0..<30 {
                        _ = try? store.commit(
                            [Self.add("store \(n) memory \(i)")], owner: Self.ana, by: .local)
                        _ = try? store.list(CubeFilter(owner: Self.ana, limit: 3), by: .local)
                    }
                }
            }
        }
        for store in stores { try store.flush() }
        let report = try stores[0].verifyAudit(keys: nil, head: nil, by: .local)
        #expect(report.findings.isEmpty && report.entries == 180, "\(report)")
        _ = try stores[1].list(
            CubeFilter(owner: Self.ana, limit: 3), by: Caller(.local, operation: "late"))
        let reader = try DatabaseQueue(path: path)
        var isThere = false
        for _ in 0..<100 where !isThere {
            try await Task.sleep(for: .milliseconds(100))
            isThere = try await reader.read {
                try Bool.fetchOne(
                    $0, sql: "SELECT EXISTS (SELECT 1 FROM audit WHERE operation = 'late')")
                    ?? false
            }
        }
        #expect(isThere)
        for store in stores { try store.close() }
    }

    @Test(
        arguments: [
            nil, "DELETE FROM audit_base", "UPDATE audit_base SET position = position - 1",
            "UPDATE audit_base SET written = written + 1",
            "UPDATE audit_base SET journal = journal - 1",
            "UPDATE journal SET payload = replace(payload, 'memory 1', 'memory 2') WHERE position = 2",
            "UPDATE journal SET digest = zeroblob(32) WHERE position = 2",
            "DELETE FROM journal WHERE position = 3",
            "DELETE FROM audit WHERE position = (SELECT min(position) FROM audit)",
            "UPDATE audit SET principal = 'eve' WHERE position = 46",
            "UPDATE audit_base SET signature = zeroblob(64)",
        ] as [String?])
    func `a log that was shortened is verified as before`(tampering: String?) throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let key = Curve25519.Signing.PrivateKey()
        let (report, ids) = try fill(path, key: key)
        let trusted = [key.publicKey.rawRepresentation]
        let store = try SQLiteMemoryStore(path: path, analyzer: "test", auditKey: key)
        let entries = try store.auditEntries(after: 0, limit: 1_000, by: .local)
        let middle = entries[30].time
        #expect(throws: AccessError.self) {
            try store.shortenAudit(
                before: middle, by: Caller(Principal(name: "x", permissions: [.read]))
            ) { _ in }
        }
        struct Full: Error {}
        #expect(throws: Full.self) {
            try store.shortenAudit(before: middle, by: .local) { _ in throw Full() }
        }
        #expect(try store.auditEntries(after: 0, limit: 1_000, by: .local).count >= entries.count)
        var archive: [AuditEntry] = []
        let count = try store.shortenAudit(before: middle, by: .local) { archive += $0 }
        #expect(count == 30 && archive.map(\.position) == Array(1...30))
        #expect(archive.reduce(Data()) { $1.chained(to: $0) } == archive.last?.hash)
        #expect(try store.shortenAudit(before: .distantPast, by: .local) { _ in } == 0)
        var rest = try store.verifyAudit(
            keys: trusted, head: (report.position, report.head), by: .local)
        #expect(rest.findings.isEmpty && rest.begin == 31 && rest.unaudited == 0, "\(rest)")
        #expect(
            try !store.verifyAudit(keys: trusted, head: (5, archive[4].hash), by: .local).findings
                .isEmpty)
        #expect(
            try !store.verifyAudit(keys: [Data(repeating: 1, count: 32)], head: nil, by: .local)
                .findings.isEmpty)
        // What is erased later was written before, and is no finding.
        _ = try store.commit([.erase(ids[2])], owner: Self.ana, by: .local)
        _ = try store.commit([Self.add("afterwards")], owner: Self.ana, by: .local)
        #expect(try store.shortenAudit(before: entries[39].time, by: .local) { archive += $0 } == 9)
        rest = try store.verifyAudit(keys: trusted, head: nil, by: .local)
        #expect(rest.findings.isEmpty && rest.begin == 40)
        try store.close()
        guard let tampering else { return }
        let database = try DatabaseQueue(path: path)
        try database.write { try $0.execute(sql: tampering) }
        try database.close()
        let again = try SQLiteMemoryStore(path: path, analyzer: "test", auditKey: key)
        #expect(try !again.verifyAudit(keys: trusted, head: nil, by: .local).findings.isEmpty)
        #expect(throws: StoreError.self) {
            try again.shortenAudit(before: Date(), by: .local) { _ in }
        }
        try again.close()
    }

    @Test func `a log that nobody signs is not shortened`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        _ = try fill(path, key: nil)
        let store = try SQLiteMemoryStore(path: path, analyzer: "test")
        #expect(throws: StoreError.self) {
            try store.shortenAudit(before: Date(), by: .local) { _ in }
        }
        #expect(try store.auditEntries(after: 0, limit: 1, by: .local).first?.position == 1)
        try store.close()
    }
}
