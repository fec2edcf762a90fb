import Crypto
package import Foundation

/// Verification of a log: its chain, its signatures, and the journal that it binds.
extension AuditLog {
    /// Walks the chain, the signatures and the journal behind it.
    ///
    /// - Parameters:
    ///   - keys: public keys that are trusted; nil trusts any.
    ///   - head: an end that was noted earlier.
    /// - Returns: findings, of which the first hundred are told; none if the log is whole.
    /// - Throws: what the rows throw for values that no log holds. Bad sums, gaps and signatures are
    ///   findings, not errors.
    /// - Complexity: one pass over the log in pages, one over the journal.
    package static func verify(
        keys: [Data]?, head: (position: Int64, hash: Data)?, _ rows: some AuditRows
    ) throws -> AuditReport {
        var report = AuditReport(
            entries: 0, position: 0, head: Data(), checkpoints: 0, unsigned: 0, unaudited: 0,
            findings: [])
        var findings: [String] = []
        /// A log that is wrong throughout is told by its first hundred findings.
        func find(_ text: String) { if findings.count < 100 { findings.append(text) } }
        let checkpoints = try rows.checkpoints()
        let places = Dictionary(grouping: checkpoints, by: \.position)
        // Positions come from a file that somebody may have changed: sums of them wrap and never
        // trap.
        var seen: Set<Int64> = []
        var signedTo: Int64 = 0
        var written = 0
        var noted = head == nil
        if let base = try rows.base() {
            if !base.isValid {
                find("where the log begins is not signed: its first entries were taken away")
            } else if let keys, !keys.contains(base.key) {
                find("where the log begins is signed by a key that is not trusted")
            }
            if try digest(0, base.journal, rows).digest != base.digest {
                find(
                    "journal entries up to \(base.journal) are not those of before the log was shortened"
                )
            }
            (report.position, report.head, report.begin, signedTo, written) = (
                base.position, base.hash, base.position &+ 1, base.position, base.written
            )
            if let head, head.position == base.position, head.hash == base.hash { noted = true }
            if let head, head.position < base.position {
                find("the noted end lies in the part that was taken away; its archive has it")
            }
        }
        while true {
            let entries = try rows.entries(after: report.position, limit: page)
            for entry in entries {
                // The chain: places without gaps, each hash made of the one before.
                if entry.position != report.position &+ 1 {
                    find("entries \(report.position &+ 1) to \(entry.position &- 1) are missing")
                }
                if entry.hash != entry.chained(to: report.head) {
                    find("entry \(entry.position) was changed, or one before it taken away")
                }
                for checkpoint in places[entry.position] ?? [] {
                    seen.insert(checkpoint.position)
                    if checkpoint.hash != entry.hash || !checkpoint.isValid {
                        find("the signature at entry \(entry.position) is not of this log")
                    } else if let keys, !keys.contains(checkpoint.key) {
                        find(
                            "the signature at entry \(entry.position) is of a key that is not trusted"
                        )
                    } else {
                        signedTo = entry.position
                    }
                }
                // The journal: what the entry says that it wrote is there, and unchanged.
                if let first = entry.journalFirst, let last = entry.journalLast {
                    let (digest, count) = try digest(first, last, rows)
                    if digest != entry.digest {
                        find(
                            "journal entries \(first) to \(last) are not those of audit entry \(entry.position)"
                        )
                    }
                    written &+= count
                }
                if let head, entry.position == head.position, entry.hash == head.hash {
                    noted = true
                }
                (report.position, report.head) = (entry.position, entry.hash)
                report.entries += 1
            }
            if entries.count < page { break }
        }
        report.checkpoints = checkpoints.count
        for checkpoint in checkpoints where !seen.contains(checkpoint.position) {
            find("the log was signed up to entry \(checkpoint.position), which is gone")
        }
        if !noted, head!.position >= report.begin {
            find("the log does not hold the noted end: entry \(head!.position) is gone or another")
        }
        report.unsigned = Int(report.position &- signedTo)
        report.unaudited = try verifyJournal(rows, written: written, find)
        report.findings = findings
        return report
    }

    /// Each journal entry says what it was written with, and belongs to a write that the log knows.
    ///
    /// - Returns: entries from before there was a log.
    private static func verifyJournal(
        _ rows: some AuditRows, written: Int, _ find: (String) -> Void
    ) throws -> Int {
        // Entries of before there was a log carry no digest; nothing can be said of them.
        let start = try rows.firstDigest() ?? .max
        try rows.forEachJournalEntry(from: start) { row in
            let position: Int64 = try row.value("position")
            guard let digest = try row.bytes("digest") else {
                find("journal entry \(position) carries no digest")
                return
            }
            // What is erased cannot be compared any more: its salt is gone with it.
            guard let payload = try row.text("payload"), let salt = try row.bytes("salt") else { return }
            let expected = JournalDigest.digest(
                salt: salt, time: try row.value("time"), operation: try row.value("operation"),
                cube: try row.value("cube"), version: try row.value("version"),
                principal: try row.value("principal"),
                reason: try row.text("reason"), payload: payload)
            if expected != digest { find("journal entry \(position) was changed") }
        }
        let (before, all) = try rows.journalCounts(splitAt: start)
        if all > written {
            find("\(all &- written) journal entries belong to no write of the log")
        }
        return before
    }

    /// The digest of all journal entries of one write.
    static func digest(_ first: Int64, _ last: Int64, _ rows: some AuditRows) throws -> (
        digest: Data, count: Int
    ) {
        var hash = SHA256()
        var count = 0
        try rows.forEachDigest(from: first, through: last) { position, digest in
            JournalDigest.add(position, digest ?? Data(), to: &hash)
            count += 1
        }
        return (Data(hash.finalize()), count)
    }
}
