import ArgumentParser
import Foundation
import Mneme
import MnemeKV
import MnemeText

extension KVCommand {
    /// `mneme kv list`, and `mneme kv` alone: a line a text, with how it begins where its model's
    /// tokenizer is here.
    ///
    /// Columns: name (12 digits of the last block's hash), tokens, size, last use, `*` if pinned,
    /// and the beginning. Blocks that several texts share are counted in the size of each, and once
    /// in the sum below. Exit code 0 also for an empty cache.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Texts whose KV cache is on disk, the last used first.")
        @Flag(help: "Print JSON.") var json = false

        /// Reads the headers of all blocks and opens one tokenizer for each model among them.
        func run() async throws {
            let folder = try KVCommand.folder()
            let texts = folder.texts()
            if json { return print(try OperationTable.encode(texts.map(\.text), pretty: true)) }
            if texts.isEmpty {
                return print(
                    "No keys and values are kept in \(folder.path). `mneme chat`, `generate` and `serve` keep them by themselves."
                )
            }
            print("name          tokens      size  last used           begins")
            // A tokenizer is opened once a model; where it is not here, the model's name is shown.
            let models = Set(texts.map(\.text.model))
            let tokenizers = Dictionary(
                uniqueKeysWithValues: models.map { ($0, Home.tokenizer($0)) })
            for (text, chain) in texts {
                let start =
                    tokenizers[text.model]??.decode(chain.prefix(4).flatMap(\.tokens)) ?? text.model
                let line = start.split(whereSeparator: \.isWhitespace).joined(separator: " ")
                let when = text.lastUse.formatted(
                    .iso8601.year().month().day().dateTimeSeparator(.space).time(
                        includingFractionalSeconds: false))
                let numbers = String(
                    format: "%7d %5.1f MiB", text.tokens, Double(text.bytes) / 1_048_576)
                print(
                    "\(text.id) \(numbers)  \(when.prefix(16))\(text.isPinned ? " * " : "   ")\(line.prefix(max(20, Terminal.width - 52)))"
                )
            }
            // Blocks that texts share count once.
            let blocks = Set(texts.flatMap { $0.chain.map(\.hash) }).count
            let bytes = folder.entries().reduce(0) { $0 + $1.bytes }
            print(
                "\(texts.count) text\(texts.count == 1 ? "" : "s"), \(blocks) blocks, \(bytes / 1_048_576) MiB; prefixes that texts share are kept once\(texts.contains { $0.text.isPinned } ? "; * is pinned" : "")"
            )
        }
    }
}
