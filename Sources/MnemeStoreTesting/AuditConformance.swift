import Foundation
import MnemeStore

/// What every ``AuditStore`` must do.
extension MemoryStoreConformance {
    /// Checks of the audit log.
    static let audit: [MemoryStoreConformance] = [
        check("reads, writes and refusals are in the audit log, which is whole") { store in
            let cube = sample("x")
            _ = try store.commit([add(cube)], owner: alice, by: at(1))
            _ = try store.cube(cube.id, owner: alice, asOf: nil, by: at(2))
            try expectRefusal {
                _ = try store.list(
                    CubeFilter(owner: alice),
                    by: Caller(Principal(name: "bob", permissions: [.read], user: "bob")))
            }
            let entries = try store.auditEntries(after: 0, limit: 10, by: at(3))
            try expect(
                entries.map(\.outcome) == [.done, .done, .refused] && entries[0].cubes == [cube.id]
                    && entries[1].cubes == [cube.id])
            try expect(entries.map(\.principal) == ["test", "test", "bob"])
            try expect(store.verifyAudit(keys: nil, head: nil, by: at(4)).findings.isEmpty)
        },
        check(
            "each audit entry is chained to the one before, and names the journal entries it wrote"
        ) { store in
            let cube = sample("x")
            _ = try store.commit([add(cube)], owner: alice, by: at(1))
            _ = try store.commit([.confirm(cube.id), .archive(cube.id)], owner: alice, by: at(2))
            try expectError(.notFound) {
                _ = try store.commit([.archive(CubeID())], owner: alice, by: at(3))
            }
            _ = try store.commit([.erase(cube.id)], owner: alice, by: at(4))
            let entries = try store.auditEntries(after: 0, limit: 10, by: at(5))
            try expect(entries.map(\.position) == [1, 2, 3])
            var last = Data()
            for entry in entries {
                try expect(entry.hash == entry.chained(to: last) && entry.digest != nil)
                last = entry.hash
            }
            let journal = try store.history(cube.id, owner: alice, by: at(6)).map(\.position)
            try expect(
                entries[0].journalFirst == journal.first && entries[1].journalFirst == journal[1]
                    && entries[1].journalLast == journal[2]
                    && entries[2].journalLast == journal.last)
            try expect(store.auditEntries(after: 2, limit: 10, by: at(5)).first?.position == 3)
            // The text is gone, and the log is whole all the same.
            let report = try store.verifyAudit(
                keys: nil, head: (entries[1].position, entries[1].hash), by: at(7))
            try expect(report.findings.isEmpty)
            let forged = try store.verifyAudit(
                keys: nil, head: (entries[1].position, Data([1])), by: at(7))
            try expect(!forged.findings.isEmpty)
        },
    ]
}
