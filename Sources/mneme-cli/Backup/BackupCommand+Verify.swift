import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeStore

extension BackupCommand {
    /// `mneme backup verify`: looks through a backup. Exit code 1 if something is wrong in it.
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract: "Check a backup: every file, the structure, the audit log, and each memory's history.",
            discussion: """
                Of a backup in a folder or a bucket, all files of all points are read, and the last point is restored to a file in the folder for \
                temporary files, and checked there. A copy in a file must be in a folder that can be written: SQLite keeps files beside a database \
                while it reads it.
                """)
        /// Where the backup is.
        @Argument(help: "A folder, s3://BUCKET/PREFIX, or the file of a copy.") var source: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            if let series = try BackupCommand.series(source) { return try look(through: series) }
            let key = SQLiteMemoryStore.isEncrypted(source) ? try Home.encryptionKey() : nil
            let found = try SQLiteMemoryStore.inspect(backup: source, key: key)
            if json {
                print(try OperationTable.encode(found, pretty: true))
            } else {
                for finding in found.findings { print("WRONG  \(finding)") }
                print(
                    BackupCommand.line(found) + (found.findings.isEmpty ? "; it is sound." : "."))
            }
            if !found.findings.isEmpty { throw ExitCode(1) }
        }

        private func look(through series: BackupSeries) throws {
            let points = try series.verify()
            let path = FileManager.default.temporaryDirectory.path + "/mneme-\(UUID().uuidString).db"
            defer { SQLiteMemoryStore.discard(staged: path) }
            let line = ProgressLine()
            let store = try Home.fileStore(path)
            defer { try? store.close() }
            _ = try series.restore(points[points.endIndex - 1], to: store) { line.show($0, 0, "rows") }
            line.end()
            try StoreCopy.verify(store, by: .local)
            if json { return print(try OperationTable.encode(points.map(PointReport.init), pretty: true)) }
            for point in points { print(BackupCommand.line(point)) }
            print(
                "\(BackupCommand.counted(points.count, "point", "points")); every file is as it was written, "
                    + "and the last was restored and is sound.")
        }
    }
}
