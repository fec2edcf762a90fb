import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeStore

extension BackupCommand {
    /// `mneme backup restore`: puts a copy in the place of the store. Exit code 1 if the copy is not
    /// sound or another program uses the store; all is as before then.
    struct Restore: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a copy in the place of the store.",
            discussion: """
                End `mneme serve` and `mneme mcp` first. What was erased since the copy was made is erased from it, too, so that it does not come back. \
                What was remembered since then is not in it: the former store stays beside it under another name; remove that when it is not needed.
                """)
        @OptionGroup var store: StoreFileOptions
        /// The copy; it stays as it is.
        @Argument(help: "The copy.") var file: String
        @Flag(help: "Print JSON.") var json = false

        /// The outcome, as `--json` prints it.
        private struct Report: Codable {
            var store: String
            var restored: StoreBackup
            var erasedAgain: Int
            var former: String?
            var note: String?
        }

        func run() async throws {
            let path = try store.filePath()
            let key = SQLiteMemoryStore.isEncrypted(file) ? try Home.encryptionKey() : nil
            // Before anything is written: the store's own erasures, while it can be read.
            var erasures: [(owner: Owner, id: CubeID)] = []
            var note: String?
            if FileManager.default.fileExists(atPath: path) {
                do {
                    let former = try store.openFile()
                    erasures = try former.erasures()
                    try former.close()
                } catch let error as StoreError where error.code == .corrupt {
                    note =
                        "The former store is damaged: what was erased since the copy was made may be in it again."
                }
            }
            var restored = try SQLiteMemoryStore.stage(file, for: path, key: key)
            let staged = restored.path
            do {
                let again = try await Self.erase(erasures, in: staged)
                let former = try SQLiteMemoryStore.install(
                    staged, at: path,
                    key: SQLiteMemoryStore.isEncrypted(path) ? try Home.encryptionKey() : nil)
                restored.path = file
                let report = Report(
                    store: path, restored: restored, erasedAgain: again, former: former, note: note)
                try say(report)
            } catch {
                SQLiteMemoryStore.discard(staged: staged)
                throw error
            }
        }

        /// Erases from a staged store what had been erased elsewhere.
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
            try memory.store.note("restored from a copy; \(count) memories erased again", by: .local)
            await memory.close()
            return count
        }

        private func say(_ report: Report) throws {
            if json { return print(try OperationTable.encode(report, pretty: true)) }
            print("\(report.store): \(BackupCommand.line(report.restored)).")
            if report.erasedAgain > 0 {
                print("\(report.erasedAgain) memories had been erased since, and were erased again.")
            }
            if let former = report.former { print("The former store is \(former).") }
            if let note = report.note { print(note) }
        }
    }
}
