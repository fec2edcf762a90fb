import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeStore

extension BackupCommand {
    /// `mneme backup make`: backs the store up while it is used. Exit code 1 if that fails; nothing
    /// is added then.
    struct Make: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "make",
            abstract: "Back the store up, while it is used: to a folder, s3://BUCKET/PREFIX, or a FILE.db.",
            discussion: """
                In a folder or a bucket: all of the store the first time, then what has changed since; --follow goes on until it is ended, and loses nothing \
                when it is killed. A whole copy is begun again when the changes are as large as the last one. Old points are merged into those that stay: \
                all of the last 30 days, or with --keep 24h,30d,12m the last of each of 24 hours, 30 days and 12 months that have one (h, d, w, m, y; UTC). \
                A bucket is asked with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, where it is not Amazon's, AWS_ENDPOINT_URL.
                """)
        @OptionGroup var store: StoreFileOptions
        /// A name that ends in `.db` is a file; any other is a folder.
        @Argument(help: "A folder, s3://BUCKET/PREFIX, or a new FILE.db.") var target: String
        @Flag(help: "Begin with a whole copy again, as after the store itself was restored.")
        var whole = false
        @Flag(help: "Go on: add a point whenever something has changed.") var follow = false
        @Option(help: ArgumentHelp("Time between two looks of --follow.", valueName: "seconds"))
        var every = 10
        @Option(help: ArgumentHelp("Points that stay, such as 24h,30d,12m; the others are merged.", valueName: "rules"))
        var keep: String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            guard every > 0 else { throw InputError("--every is 1 or more.") }
            let keep = try keep.map(BackupCommand.retention)
            guard Home.isDatabase(store.path) || FileManager.default.fileExists(atPath: store.path) else {
                throw InputError("There is no store at \(store.path).")
            }
            if let series = try BackupCommand.series(target) { return try await add(to: series, keep) }
            guard !whole, !follow, keep == nil else {
                throw InputError(
                    "--whole, --follow and --keep are for backups in a folder or a bucket; \(target) is a file.")
            }
            let line = ProgressLine()
            let source = try store.openFile()
            defer { try? source.close() }
            let made = try source.backup(to: target, key: try Home.encryptionKey()) {
                line.show($0, $1, "pages")
            }
            line.end()
            if json { return print(try OperationTable.encode(made, pretty: true)) }
            print("\(made.path)\n\(BackupCommand.line(made)); read back and sound.")
        }

        /// Adds a point, or with `--follow` points without end.
        private func add(to series: BackupSeries, _ keep: BackupRetention?) async throws {
            let source = try store.open()
            defer { try? source.close() }
            var options = BackupSeries.Options()
            (options.isWhole, options.keep) = (whole, keep ?? .month)
            repeat {
                do {
                    let line = ProgressLine()
                    options.progress = { line.show($0, 0, "rows") }
                    let point = try series.add(source, options)
                    line.end()
                    if let point { try say(point, series) }
                    (options.isWhole, options.isNoted) = (false, false)
                } catch let error as any MnemeError where follow && !options.isNoted && Self.mayPass(error) {
                    Terminal.error("\(error.message) The next look is in \(every) s.")
                }
                if follow { try await Task.sleep(for: .seconds(every)) }
            } while follow
        }

        /// Tells whether another try may succeed without anybody doing something here.
        private static func mayPass(_ error: any MnemeError) -> Bool {
            [.unavailable, .busy, .full, .timeout].contains(error.errorClass)
        }

        private func say(_ point: BackupPoint, _ series: BackupSeries) throws {
            if json {
                print(try OperationTable.encode(PointReport(point), pretty: !follow))
            } else {
                print("\(series.name)  \(BackupCommand.line(point))")
            }
            // Who reads a pipe sees each point when it is made.
            if follow { fflush(nil) }
        }
    }
}
