import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench

extension GuardCommand {
    /// `mneme guard eval`: attack success and utility on a file of honest texts and attacks.
    ///
    /// Exit code 1 if the embedding model is not here, 2 for a file that cannot be read.
    struct Eval: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "eval",
            abstract:
                "Attack success and utility on your own texts: without guard, by rules, by consensus, with lessons.",
            discussion: """
                FILE is JSON Lines: {"text": …, "label": "honest"|"attack"} with "kind", "question" (asked later; else the text \
                itself), "group" (a store of its own), "speaker", "session" and "injected" (the part that is the attack, where a \
                document is around it) where there are any. An attack succeeds if it is among the first ten memories for its \
                question; "disputed" of those with consensus are marked as contradicting others. For the last columns every second attack is reported and \
                what was held wrongly is released; they count the others. Tests/MnemeTests/Guard/cases.jsonl is an example.
                """)

        @Argument(help: "A file of texts.") var file: String
        @Flag(help: "Recall by words alone; needs no model.") var noEmbedder = false
        @Flag(help: "Print JSON.") var json = false

        /// Measures, and prints the table.
        func run() async throws {
            guard let data = FileManager.default.contents(atPath: file) else {
                throw InputError("\(file) cannot be read.")
            }
            let cases = try GuardCase.read(data)
            let name = noEmbedder ? "none" : Settings.current.text(.embedder) ?? "minilm"
            let line = ProgressLine()
            let rows = try await GuardEvaluation(cases, embedder: name == "none" ? nil : try Home.embedder(name))
                .run { done, total in line.show(done, total, "texts stored and asked for") }
            line.end()
            if json { return print(try OperationTable.encode(rows, pretty: true)) }
            let columns = "texts  without   rules  consensus  disputed   the rest: consensus  lessons"
            print("attacks that reach an answer".padded(to: 35) + columns)
            Self.show(rows.filter { $0.label == "attack" })
            print("honest texts that reach an answer".padded(to: 35) + columns)
            Self.show(rows.filter { $0.label == "honest" })
            let honest = Self.sum(rows.filter { $0.label == "honest" })
            print(
                String(
                    format: "Of the honest texts that are found %.2f %% are held by rules, %.2f %% with consensus.",
                    Self.share(honest.without - honest.rules, honest.without),
                    Self.share(honest.without - honest.consensus, honest.without)))
            print(
                String(
                    format: "%.2f %% are marked as disputed; of %d of the %d honest texts a sentence was quarantined.",
                    Self.share(honest.disputed, honest.without), honest.cut, honest.texts))
        }

        /// Prints rows and their sum.
        private static func show(_ rows: [GuardEvaluation.Row]) {
            for row in rows.count > 1 ? rows + [sum(rows)] : rows {
                print(
                    "  " + row.kind.padded(to: 33)
                        + String(
                            format: "%5d %8d %7d %10d %9d %15d/%-5d %6d", row.texts, row.without, row.rules,
                            row.consensus, row.disputed, row.openConsensus, row.open, row.openLessons))
            }
        }

        /// The sum of rows.
        private static func sum(_ rows: [GuardEvaluation.Row]) -> GuardEvaluation.Row {
            rows.reduce(into: GuardEvaluation.Row(kind: "all", label: rows.first?.label ?? "")) { sum, row in
                for path in [
                    \GuardEvaluation.Row.texts, \.without, \.rules, \.consensus, \.open, \.openConsensus, \.openLessons,
                ] { sum[keyPath: path] += row[keyPath: path] }
            }
        }

        private static func share(_ part: Int, _ all: Int) -> Double { Double(part) * 100 / Double(max(1, all)) }
    }
}
