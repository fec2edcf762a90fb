import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeStore

extension BackupCommand {
    /// `mneme backup verify`: looks through a copy. Exit code 1 if something is wrong in it.
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a copy: its structure, the audit log, and each memory's history.",
            discussion:
                "The folder must be one that can be written: SQLite keeps files beside a database while it reads it."
        )
        /// The copy.
        @Argument(help: "The copy.") var file: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let key = SQLiteMemoryStore.isEncrypted(file) ? try Home.encryptionKey() : nil
            let found = try SQLiteMemoryStore.inspect(backup: file, key: key)
            if json {
                print(try OperationTable.encode(found, pretty: true))
            } else {
                for finding in found.findings { print("WRONG  \(finding)") }
                print(
                    BackupCommand.line(found) + (found.findings.isEmpty ? "; it is sound." : "."))
            }
            if !found.findings.isEmpty { throw ExitCode(1) }
        }
    }
}
