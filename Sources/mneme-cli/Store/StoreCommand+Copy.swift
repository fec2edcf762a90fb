import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeStore

extension StoreCommand {
    /// `mneme store copy`: copies a store to an empty one, and reads the copy back. Exit code 1 if
    /// that fails; the target is as empty as it was then.
    struct Copy: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "copy",
            abstract: "Copy a whole store into an empty one, and check the copy.",
            discussion: """
                FROM and TO are files or postgres://USER@HOST/DATABASE, as --store takes them. All is copied: memories, their \
                history, vectors, grants, jobs, policies and the audit log. FROM may be used meanwhile: what is written there \
                after the copy has begun is not in it, so stop what writes before you move. The copy is one transaction: if it \
                is interrupted, nothing is in TO, and it can be repeated.
                """)
        /// A store that is there.
        @Argument(help: "The store: a file, or postgres://USER@HOST/DATABASE.") var from: String
        /// A store that is made, or is empty.
        @Argument(help: "A new or empty one.") var to: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            guard Home.isDatabase(from) || FileManager.default.fileExists(atPath: from) else {
                throw InputError("There is no store at \(from).")
            }
            let isNew = !Home.isDatabase(to) && !FileManager.default.fileExists(atPath: to)
            let source = try Home.memoryStore(from)
            let report: StoreCopy.Report
            do {
                let target = try Home.memoryStore(to)
                let line = ProgressLine()
                // What a database is called in the logs has no password.
                report = try StoreCopy((Setting.shown(from), Setting.shown(to)))
                    .run(from: source, to: target) { line.show($0, $1, "rows") }
                line.end()
                try target.close()
            } catch {
                // A file that was made for this is of no use.
                if isNew { for suffix in ["", "-wal", "-shm"] { unlink(to + suffix) } }
                throw error
            }
            try source.close()
            if json { return print(try OperationTable.encode(report, pretty: true)) }
            print(
                "\(report.memories) memories, \(report.journalEntries) journal entries and \(report.auditEntries) entries of the audit log are in \(Setting.shown(to)); read back and sound."
            )
        }
    }
}
