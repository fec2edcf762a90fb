import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeStore

extension BackupCommand {
    /// `mneme backup restore`: puts a backup in the place of the store, or into an empty one. Exit
    /// code 1 if it is not sound or another program uses the store; all is as before then.
    struct Restore: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "restore",
            abstract: "Put a backup in the place of the store, or into an empty one.",
            discussion: """
                End `mneme serve` and `mneme mcp` first, unless --to names another store. What was erased since is erased from it, too, so that it does \
                not come back. What was remembered since then is not in it: the former store stays beside it under another name; remove that when it is \
                not needed. Of a backup in a folder or a bucket, the last point is taken (`mneme backup points` lists them), or any moment: the end of the last request \
                at or before --at, to the second, or the last that wrote up to --position. Between points, memories with their history, edges, grants, policies and \
                the audit log are of that moment; use counts, jobs, schedules and progress are of the point before it, which the output names.
                """)
        @OptionGroup var store: StoreFileOptions
        /// The backup; it stays as it is.
        @Argument(help: "A folder, s3://BUCKET/PREFIX, or the file of a copy.") var source: String
        @Option(help: ArgumentHelp("Restore to this new file or empty database instead.", valueName: "store"))
        var to: String?
        @Option(help: ArgumentHelp("Go back to this time: ISO 8601, UTC without a zone.", valueName: "time"))
        var at: String?
        @Option(help: ArgumentHelp("Go back to this position of the journal.", valueName: "number"))
        var position: Int64?
        @Flag(help: "Print JSON.") var json = false

        /// The outcome, as `--json` prints it.
        private struct Report: Codable {
            var store: String
            var restored: StoreBackup?
            var point: PointReport?
            var moment: Moment?
            var erasedAgain: Int
            var former: String?
            var note: String?
        }

        /// What the store is now: the state of a moment, with what no log has from a point.
        private struct Moment: Codable {
            var time: Date, position: Int64, memories: Int, isPoint: Bool
        }

        func run() async throws {
            guard at == nil || position == nil else { throw InputError("Give --at or --position, not both.") }
            if let series = try BackupCommand.series(source) {
                if let to { return try await restore(series, to: to) }
                return try await restore(series, inPlaceOf: store.filePath())
            }
            guard to == nil, at == nil, position == nil else {
                throw InputError(
                    "--to, --at and --position are for backups in a folder or a bucket; \(source) is a file.")
            }
            let path = try store.filePath()
            let key = SQLiteMemoryStore.isEncrypted(source) ? try Home.encryptionKey() : nil
            let (erasures, note) = try erasures(of: path)
            let restored = try SQLiteMemoryStore.stage(source, for: path, key: key)
            var report = Report(store: path, restored: restored, erasedAgain: 0, note: note)
            report.restored?.path = source
            try await finish(restored.path, erasures, &report)
        }

        /// Restores a point beside the store, and exchanges them.
        private func restore(_ series: BackupSeries, inPlaceOf path: String) async throws {
            let moment = try moment(of: series)
            let (erasures, note) = try erasures(of: path)
            let staged = "\(path).\(UUID().uuidString).staged"
            let restored: BackupSeries.Restored
            do {
                let target = try Home.fileStore(staged)
                restored = try write(moment, of: series, to: target)
                try target.close()
            } catch {
                SQLiteMemoryStore.discard(staged: staged)
                throw error
            }
            var report = report(path, moment, restored)
            report.note = note
            try await finish(staged, erasures + restored.erasedLater, &report)
        }

        /// Restores a point into a store that is new or empty.
        private func restore(_ series: BackupSeries, to path: String) async throws {
            let isFile = !Home.isDatabase(path)
            guard !isFile || !FileManager.default.fileExists(atPath: path) else {
                throw InputError("\(path) is there already. Name a new file.")
            }
            let moment = try moment(of: series)
            do {
                let target = try Home.memoryStore(path)
                let restored = try write(moment, of: series, to: target)
                try target.close()
                var report = report(Setting.shown(path), moment, restored)
                report.erasedAgain = try await Self.erase(restored.erasedLater, in: path)
                try say(report)
            } catch {
                // A file that was made for this is of no use.
                if isFile { SQLiteMemoryStore.discard(staged: path) }
                throw error
            }
        }

        /// The moment that was asked for; the last point if none was.
        private func moment(of series: BackupSeries) throws -> BackupMoment {
            if let position { return try series.moment(position: position) }
            guard let at else { return try series.moment(at: .distantFuture) }
            guard let time = DateText.parse(at) else {
                throw InputError("--at is a time such as 2026-03-01T12:00:00Z.")
            }
            return try series.moment(at: time)
        }

        private func write(_ moment: BackupMoment, of series: BackupSeries, to target: any MemoryStore) throws
            -> BackupSeries.Restored
        {
            let line = ProgressLine()
            defer { line.end() }
            return try series.restore(moment, to: target) { line.show($0, 0, "rows") }
        }

        private func report(_ store: String, _ moment: BackupMoment, _ restored: BackupSeries.Restored) -> Report {
            var report = Report(store: store, erasedAgain: 0)
            report.point = moment.before.map(PointReport.init)
            report.moment = Moment(
                time: moment.time, position: moment.position, memories: restored.memories,
                isPoint: moment.after == nil)
            return report
        }

        /// The erasures of the store that is there, while it can be read; and what is to be said if it
        /// cannot.
        private func erasures(of path: String) throws -> ([(owner: Owner, id: CubeID)], String?) {
            guard FileManager.default.fileExists(atPath: path) else { return ([], nil) }
            do {
                let former = try store.openFile()
                defer { try? former.close() }
                return (try former.erasures(), nil)
            } catch let error as StoreError where error.code == .corrupt {
                return (
                    [], "The former store is damaged: what was erased since the copy was made may be in it again."
                )
            }
        }

        /// Erases again what was erased, checks a staged store, and puts it in the place of the other.
        private func finish(
            _ staged: String, _ erasures: [(owner: Owner, id: CubeID)], _ report: inout Report
        ) async throws {
            do {
                report.erasedAgain = try await Self.erase(erasures, in: staged)
                report.former = try SQLiteMemoryStore.install(
                    staged, at: report.store,
                    key: SQLiteMemoryStore.isEncrypted(report.store) ? try Home.encryptionKey() : nil)
                try say(report)
            } catch {
                SQLiteMemoryStore.discard(staged: staged)
                throw error
            }
        }

        /// Erases from a restored store what had been erased elsewhere, and checks it.
        ///
        /// - Returns: how many memories were there.
        private static func erase(_ erasures: [(owner: Owner, id: CubeID)], in staged: String)
            async throws -> Int
        {
            let memory = try Home.memory(staged, embedder: nil)
            var count = 0
            for (owner, id) in erasures
            where try memory.store.cube(id, owner: owner, asOf: nil, by: .local) != nil {
                try await memory.erase(id, owner: owner)
                count += 1
            }
            try memory.store.note("restored from a copy; \(BackupCommand.memories(count)) erased again", by: .local)
            try StoreCopy.verify(memory.store, by: .local)
            await memory.close()
            return count
        }

        private func say(_ report: Report) throws {
            if json { return print(try OperationTable.encode(report, pretty: true)) }
            if let restored = report.restored { print("\(report.store): \(BackupCommand.line(restored)).") }
            if let moment = report.moment {
                print(
                    "\(report.store): as it was at \(DateText.format(moment.time)), position \(moment.position), "
                        + "\(BackupCommand.memories(moment.memories)).")
                if !moment.isPoint { print(Self.origin(of: report.point)) }
            }
            if report.erasedAgain > 0 {
                let was = report.erasedAgain == 1 ? "was" : "were"
                print("\(BackupCommand.memories(report.erasedAgain)) had been erased since, and \(was) erased again.")
            }
            if let former = report.former { print("The former store is \(former).") }
            if let note = report.note { print(note) }
        }

        /// Where that comes from which neither the journal nor the audit log tells of.
        private static func origin(of point: PointReport?) -> String {
            guard let point else {
                return "That is before the first point: there are no use counts, jobs and progress, and schedules are "
                    + "those of the first point. Vectors that are missing are made when the store is used."
            }
            return "Use counts, jobs, schedules and progress are as at the point of \(DateText.format(point.time)), "
                + "position \(point.position). Vectors that are missing are made when the store is used."
        }
    }
}
