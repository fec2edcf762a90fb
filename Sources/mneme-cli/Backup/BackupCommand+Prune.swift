import ArgumentParser
import Mneme
import MnemeBase
import MnemeStore

extension BackupCommand {
    /// `mneme backup prune`: merges points. Exit code 1 if that fails; all is as before then.
    struct Prune: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "prune",
            abstract: "Merge old points of a backup into those that stay.",
            discussion: """
                The last point of each of so many hours, days, weeks, months and years that have one stays (UTC), and the last of all. Each restores the same \
                as before. What was between them can still be gone back to with `restore --at`, as the journal has it. The oldest that stays becomes the \
                whole copy. `mneme backup make --keep` does the same by itself.
                """)
        /// Where the backup is.
        @Argument(help: "A folder, or s3://BUCKET/PREFIX.") var source: String
        @Option(help: ArgumentHelp("Points that stay, such as 24h,30d,12m; the others are merged.", valueName: "rules"))
        var keep: String
        @Flag(help: "Print JSON.") var json = false

        /// The outcome, as `--json` prints it.
        private struct Report: Codable {
            var pointsBefore: Int, points: Int, bytesBefore: Int, bytes: Int
        }

        func run() async throws {
            let keep = try BackupCommand.retention(keep)
            guard let series = try BackupCommand.series(source) else {
                throw InputError("\(source) is a copy in a file, which has no points.")
            }
            let done = try series.prune(keep)
            let report = Report(
                pointsBefore: done.pointsBefore, points: done.points, bytesBefore: done.bytesBefore, bytes: done.bytes)
            if json { return print(try OperationTable.encode(report, pretty: true)) }
            print(
                "\(series.name)  \(BackupCommand.counted(done.pointsBefore, "point", "points")) before, \(done.points) now; "
                    + "\(BackupCommand.size(done.bytesBefore)) before, \(BackupCommand.size(done.bytes)) now")
        }
    }
}
