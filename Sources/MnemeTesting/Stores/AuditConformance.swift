import Foundation
import MnemeStore

/// Requirements of every ``AuditStore``: a log of each read, write and refusal that cannot be
/// changed unseen.
extension MemoryStoreConformance {
    /// Checks of the audit log: its entries, its chain of hashes, and its shortening.
    static let audit: [MemoryStoreConformance] = [
        // Holds the store to writing an entry for each call that reaches memories, with principal,
        // outcome and ids. Finds a store that logs only what succeeded, or that rolls the entry of
        // a refusal back together with the call.
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
        // Holds `auditEntries`, `verifyAudit` and the journal to each other: a hash covers the
        // entry and the hash before it, and the range of journal positions is that of the commit.
        // Finds a store whose failed commits leave gaps in the positions, whose entries name other
        // journal entries than those written, whose log breaks when a text is erased, or that
        // accepts any noted end.
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
        // Whoever keeps the archive can still be asked; the store must not lose what it did not
        // hand over.
        // Holds `shortenAudit(before:by:archive:)`: nothing is taken away before the archive has
        // it, and a signature stands in its place. Finds a store that deletes first, that lets the
        // administrator of one user shorten the log of all, or that loses the chain between the
        // parts.
        check("a log that is shortened hands its first part over, and stays verifiable") { store in
            let cube = sample("x")
            for (time, mutation) in [
                (1.0, add(cube)), (2, .confirm(cube.id)), (10, .archive(cube.id)),
            ] {
                _ = try store.commit([mutation], owner: alice, by: at(time))
            }
            let all = try store.auditEntries(after: 0, limit: 10, by: at(11))
            struct Full: Error {}
            do {
                _ = try store.shortenAudit(before: at(5).time, by: at(12)) { _ in throw Full() }
                throw Failure(description: "An archive that fails must end the shortening.")
            } catch is Full {}
            try expect(store.auditEntries(after: 0, limit: 10, by: at(13)) == all)
            let plain = Caller(Principal(name: "plain", permissions: [.admin], user: "alice"))
            try expectRefusal {
                _ = try store.shortenAudit(before: at(5).time, by: plain) { _ in }
            }
            var archive: [AuditEntry] = []
            let taken = try store.shortenAudit(before: at(5).time, by: at(14)) { archive += $0 }
            try expect(taken == 2 && archive == Array(all.prefix(2)))
            let left = try store.auditEntries(after: 0, limit: 10, by: at(15))
            try expect(left.first == all[2] && left.last?.operation == "audit")
            // The noted end of before is in the part that is left.
            let report = try store.verifyAudit(
                keys: nil, head: (all[2].position, all[2].hash), by: at(16))
            try expect(report.findings.isEmpty && report.begin == all[2].position)
            try expect(store.shortenAudit(before: at(5).time, by: at(17)) { _ in } == 0)
        },
    ]
}
