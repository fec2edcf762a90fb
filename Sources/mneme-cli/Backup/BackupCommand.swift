import ArgumentParser
import Foundation
import MnemeStore

/// `mneme backup`: copies of the whole store, made while it is used, checked, and put back.
///
/// For whoever keeps memories that must outlive a disk or a mistake. A copy is one file that `mneme
/// --store` opens, too.
struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copy the whole store, check copies, and put one back.",
        discussion: """
            A copy holds all memories of all users with their history, vectors, grants, jobs and the audit log, as they were at one moment; \
            servers and agents may go on meanwhile. If the store is encrypted, so is the copy, under the same key. \
            Not in it: the encryption key, the signing key ($MNEME_HOME/audit.key), keys of the HTTP interface ($MNEME_HOME/keys.json), models, and the KV \
            cache. Keep copies of the keys elsewhere.
            """,
        subcommands: [Make.self, Verify.self, Restore.self])

    /// The content of a copy, in a line.
    static func line(_ backup: StoreBackup) -> String {
        let size = ByteCountFormatter.string(
            fromByteCount: Int64(backup.bytes), countStyle: .binary)
        return
            "\(backup.memories) memories of \(backup.users) users, \(size), journal up to \(backup.position)\(backup.isEncrypted ? ", encrypted" : "")"
    }
}
