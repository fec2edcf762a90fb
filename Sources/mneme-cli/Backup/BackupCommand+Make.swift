import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeStore

extension BackupCommand {
    /// `mneme backup make`: copies the store to a new file while it is used, and reads the copy
    /// back. Exit code 1 if that fails; no file is left then.
    struct Make: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Copy the store to a new file while it is used, and check the copy.",
            discussion:
                "Into a folder, the file is called memory-TIME.db, and --keep 7 leaves the newest seven of such files: for a daily job."
        )
        @OptionGroup var store: StoreFileOptions
        /// A new file, or a folder that is there.
        @Argument(help: "A new file, or a folder for memory-TIME.db.") var target: String
        /// Only files that this command named are counted and removed.
        @Option(help: ArgumentHelp("Copies that stay in the folder.", valueName: "count"))
        var keep: Int?
        @Flag(help: "Print JSON.") var json = false

        /// The names that this command gives.
        private static let prefix = "memory-", suffix = ".db"

        func run() async throws {
            var isFolder: ObjCBool = false
            let isThere = FileManager.default.fileExists(atPath: target, isDirectory: &isFolder)
            let folder = isThere && isFolder.boolValue ? target : nil
            if let keep {
                guard keep > 0 else { throw InputError("--keep is 1 or more.") }
                guard folder != nil else {
                    throw InputError("--keep is for copies in a folder that is there.")
                }
            }
            guard FileManager.default.fileExists(atPath: try store.filePath()) else {
                throw InputError("There is no store at \(store.path).")
            }
            let line = ProgressLine()
            let source = try store.openFile()
            defer { try? source.close() }
            let name = Self.prefix + SQLiteMemoryStore.stamp() + Self.suffix
            let made = try source.backup(
                to: folder.map { $0 + "/" + name } ?? target, key: try Home.encryptionKey()
            ) { line.show($0, $1, "pages") }
            line.end()
            var removed: [String] = []
            if let keep, let folder { removed = try Self.prune(folder, keeping: keep) }
            if json {
                print(try OperationTable.encode(made, pretty: true))
            } else {
                print("\(made.path)\n\(BackupCommand.line(made)); read back and sound.")
                if !removed.isEmpty { print("Removed: \(removed.joined(separator: ", "))") }
            }
        }

        /// Removes the oldest copies of a folder; names sort by time.
        ///
        /// - Throws: `FileError` for one that cannot be removed.
        private static func prune(_ folder: String, keeping count: Int) throws -> [String] {
            let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
                let stamp = $0.dropFirst(prefix.count).dropLast(suffix.count)
                return $0.hasPrefix(prefix) && $0.hasSuffix(suffix) && stamp.count == 16
                    && stamp.allSatisfy { $0.isASCII && ($0.isNumber || $0 == "T" || $0 == "Z") }
            }.sorted()
            return try names.dropLast(count).map { name in
                guard unlink("\(folder)/\(name)") == 0 else { throw FileError("\(folder)/\(name)") }
                return name
            }
        }
    }
}
