import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeHub
import MnemeStore

/// `mneme backup`: copies of the whole store, made while it is used, checked, and put back.
///
/// For whoever keeps memories that must outlive a disk or a mistake. A folder or a bucket takes a
/// series of points, a file one whole copy, which `mneme --store` opens, too.
struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Back the store up, check backups, and put one back.",
        discussion: """
            `mneme backup FOLDER` copies the whole store the first time, and what has changed from then on: each run adds a point that the store can be put \
            back to. FOLDER may be s3://BUCKET/PREFIX. `mneme backup FILE.db` makes one whole copy instead, of a store in a file.
            A backup holds all memories of all users with their history, vectors, grants, jobs and the audit log, as they were at one moment; \
            servers and agents may go on meanwhile. If the encryption key is set, the backup is encrypted with it. What is erased in the store is taken out \
            of the points by the next backup there; copies in files keep it.
            Not in it: the encryption key, the signing key ($MNEME_HOME/audit.key), keys of the HTTP interface ($MNEME_HOME/keys.json), models, adapters, and \
            the KV cache. Keep copies of the keys elsewhere.
            """,
        subcommands: [Make.self, Points.self, Verify.self, Restore.self, Prune.self], defaultSubcommand: Make.self)

    /// The series in a folder or a bucket.
    ///
    /// - Returns: nil for a file, or a name that is to be one.
    /// - Throws: `InputError` for a bucket that cannot be asked, or a key that cannot be read.
    static func series(_ target: String) throws -> BackupSeries? {
        if target.hasPrefix("s3://") {
            return reading(BackupSeries(try S3Place(target), key: try Home.encryptionKey()))
        }
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: target, isDirectory: &isFolder) {
            guard isFolder.boolValue else { return nil }
        } else if target.hasSuffix(".db") {
            return nil
        }
        return reading(BackupSeries(folder: target, key: try Home.encryptionKey()))
    }

    /// A series that finds the terms of former texts as this program does.
    private static func reading(_ series: BackupSeries) -> BackupSeries {
        var series = series
        series.terms = MemoryOS.terms
        return series
    }

    /// The content of a copy, in a line.
    static func line(_ backup: StoreBackup) -> String {
        "\(memories(backup.memories)) of \(counted(backup.users, "user", "users")), \(size(backup.bytes)), "
            + "journal up to \(backup.position)\(backup.isEncrypted ? ", encrypted" : "")"
    }

    /// A point, in a line.
    static func line(_ point: BackupPoint) -> String {
        "\(DateText.format(point.time))  \(point.isWhole ? "whole  " : "changes")  position \(point.position), "
            + "\(memories(point.memories)); \(counted(point.rows, "row", "rows")), \(size(point.bytes))"
    }

    /// A number with its noun.
    static func counted(_ count: Int, _ one: String, _ many: String) -> String { "\(count) \(count == 1 ? one : many)" }

    /// So many memories.
    static func memories(_ count: Int) -> String { counted(count, "memory", "memories") }

    /// Which points stay, as `--keep` says it.
    ///
    /// - Throws: `InputError` if it says nothing of the kind.
    static func retention(_ text: String) throws -> BackupRetention {
        guard let keep = BackupRetention(text) else {
            throw InputError(
                "--keep is numbers of hours, days, weeks, months and years, such as 24h,30d,12m: "
                    + "the last point of each stays.")
        }
        return keep
    }

    static func size(_ bytes: Int) -> String {
        ByteCountFormatter.string(fromByteCount: Int64(bytes), countStyle: .binary)
    }

    /// A point, as `--json` prints it.
    struct PointReport: Codable {
        var time: Date, isWhole: Bool, position: Int64, memories: Int, rows: Int, bytes: Int

        init(_ point: BackupPoint) {
            (time, isWhole, position) = (point.time, point.isWhole, point.position)
            (memories, rows, bytes) = (point.memories, point.rows, point.bytes)
        }
    }
}
