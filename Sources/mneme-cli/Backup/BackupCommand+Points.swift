import ArgumentParser
import Mneme
import MnemeBase
import MnemeStore

extension BackupCommand {
    /// `mneme backup points`: the moments that a store can be put back to.
    struct Points: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "points",
            abstract: "List the points of a backup, which `restore --at` and `--position` go back to.")
        /// Where the backup is.
        @Argument(help: "A folder, or s3://BUCKET/PREFIX.") var source: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            guard let series = try BackupCommand.series(source) else {
                throw InputError("\(source) is a copy in a file, of one moment alone. `mneme backup verify` shows it.")
            }
            let points = try series.points()
            if json { return print(try OperationTable.encode(points.map(PointReport.init), pretty: true)) }
            guard !points.isEmpty else { return print("There is no backup at \(series.name).") }
            for point in points { print(BackupCommand.line(point)) }
        }
    }
}
