import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeCache

/// An entry as JSON shows it.
private struct ShownEntry: Encodable {
    let id: Int64, principal: String, model: String, category: String, question: String
    let answer: String, stored: String, age: Int, hits: Int

    init(_ entry: CacheEntry) {
        (id, principal, model, question) = (entry.id, entry.principal, entry.model, entry.question)
        category = entry.category.rawValue
        answer = ChatAnswer(whole: Data(entry.answer.utf8))?.text ?? entry.answer
        stored = DateText.format(entry.stored)
        (age, hits) = (Int(entry.age()), entry.hits)
    }
}

extension CacheCommand {
    /// `mneme cache list`: a line an answer, the last used first.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List kept answers, the last used first.")
        @OptionGroup var file: CacheFileOptions
        @OptionGroup var options: CacheSelectionOptions
        @Option(help: "Answers at most.") var limit = 50
        @Flag(help: "Print JSON.") var json = false

        /// Long questions are cut in the list, not in JSON.
        func run() async throws {
            guard limit > 0 else { throw InputError("--limit is at least 1.") }
            let entries = try file.open().entries(options.selection, limit: limit)
            if json { return print(try OperationTable.encode(entries.map(ShownEntry.init), pretty: true)) }
            if entries.isEmpty { print("No answers.") }
            for entry in entries {
                let columns = [
                    String(entry.id).leftPadded(to: 6), entry.category.rawValue.padded(to: 8),
                    "\(entry.hits)".leftPadded(to: 5) + " hits", Age.text(entry.age()).leftPadded(to: 8),
                    entry.principal.padded(to: 12), String(entry.question.prefix(80)),
                ]
                print(Terminal.line(columns.joined(separator: "  ")))
            }
        }
    }

    /// `mneme cache show`: an answer with all that is known of it. Exit code 2 if there is none.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show one kept answer.")
        @Argument(help: "The entry's number, from `list` or the header X-Mneme-Cache-Entry.") var id: Int64
        @OptionGroup var file: CacheFileOptions
        @Flag(help: "Print JSON.") var json = false

        /// The whole question and answer, with control characters made visible.
        func run() async throws {
            guard let entry = try file.open().entry(id) else { throw InputError("There is no entry \(id).") }
            let shown = ShownEntry(entry)
            if json { return print(try OperationTable.encode(shown, pretty: true)) }
            for (name, value) in [
                ("question", shown.question), ("answer", shown.answer), ("model", shown.model),
                ("category", shown.category), ("principal", shown.principal), ("kept", shown.stored),
                ("hits", "\(shown.hits)"),
            ] {
                print((name + ":").padded(to: 11) + Terminal.shown(value))
            }
        }
    }

    /// `mneme cache clear`: erases answers; their bytes are overwritten. Exit code 2 without a
    /// choice, so that a slip erases nothing.
    struct Clear: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "clear",
            abstract: "Erase kept answers.")
        @OptionGroup var file: CacheFileOptions
        @OptionGroup var options: CacheSelectionOptions
        @Option(help: ArgumentHelp("Only the entry of this number.", valueName: "number")) var id: Int64?
        @Flag(help: "Erase all answers.") var all = false

        /// Erases in one transaction, then empties the log.
        func run() async throws {
            guard all != (id != nil || !options.isAll), id == nil || options.isAll else {
                throw InputError(
                    "Say what to erase: --id, --category, --principal, --model, --matching, --older-than, or --all alone."
                )
            }
            let cache = try file.open()
            let count = try id.map { try cache.erase($0) ? 1 : 0 } ?? cache.erase(options.selection)
            print("\(count) answer\(count == 1 ? "" : "s") erased.")
        }
    }
}
