import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeStore

extension AuditCommand {
    /// `mneme audit shorten`: moves old entries into a file. They are on disk there before they
    /// leave the store, and a signature in their place keeps the rest verifiable.
    ///
    /// Exit code 2 if the file is there already, 1 if it cannot be written: then nothing was taken
    /// away.
    ///
    /// For whoever must keep a log for years but not in the store. Afterwards the store is
    /// compacted, so that its file shrinks. Where nothing is older no file is left.
    struct Shorten: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "shorten",
            abstract: "Move old entries to a file.",
            discussion:
                "A signature stands in their place, so that the rest, and every memory's history, can be verified as before. Keep the file."
        )
        @OptionGroup var store: StoreFileOptions
        /// A date or time; entries from then on stay.
        @Option(help: ArgumentHelp("What is older goes, such as 2026-01-01.", valueName: "date"))
        var before: String
        /// The archive. The store cannot read it back: it is for people and auditors.
        @Option(
            name: .customLong("to"),
            help: ArgumentHelp(
                "The file, as JSON lines; it must not be there yet.", valueName: "file")) var file: String

        /// Makes the archive first, so that no entry leaves the store without a place to go; a
        /// failed run takes the archive away again.
        func run() async throws {
            guard let time = DateText.parse(before) else {
                throw InputError("'\(before)' is no date such as 2026-01-01.")
            }
            guard try AtomicFile.write(Data(), to: file, .ifAbsent) else {
                throw InputError("\(file) is there already.")
            }
            guard let handle = FileHandle(forWritingAtPath: file) else {
                throw FileError(file)
            }
            let count: Int
            let store: any MemoryStore
            do {
                store = try self.store.open()
                count = try store.shortenAudit(before: time, by: AuditCommand.caller) { page in
                    // On disk before anything is taken away.
                    do {
                        for entry in page {
                            try handle.write(
                                contentsOf: Data((OperationTable.encode(entry) + "\n").utf8))
                        }
                        try handle.synchronize()
                    } catch {
                        throw FileError(file).adding("Nothing was taken away.")
                    }
                }
            } catch {
                unlink(file)
                throw error
            }
            if count == 0 { unlink(file) }
            // From here on the file holds what the store does not, whatever happens.
            if count > 0 { try store.compact() }
            print(count == 0 ? "Nothing is older." : "\(count) entries are in \(file).")
        }
    }
}
