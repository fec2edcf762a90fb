import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench

/// `mneme bench eviction TRACE`: what a full KV cache still finds of a trace of requests, by the rule
/// that evicts.
///
/// A row a rule: the share of the prompts' tokens that was found, and of the computing that they
/// take. All rules have room for equally many tokens. Exit code 2 for a trace that cannot be read, 1
/// if the server cannot be reached or its database has blocks.
struct BenchEvictionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eviction",
        abstract: "What a full KV cache still finds of a trace of requests, by the rule that evicts.")

    @Argument(help: "A file of requests, in a format of `mneme serve replay`.") var trace: String
    @Option(help: "Tokens that there is room for.") var tokens = 65_536
    /// The database must be empty, and is left so.
    @Option(help: "A Redis or Valkey server to ask, too; its database (…/5) must hold nothing.") var remote: String?
    @Flag(help: "Print JSON.") var json = false

    /// Replays the trace once for each rule.
    func run() throws {
        guard (64...100_000_000).contains(tokens) else {
            throw InputError("--tokens lies between 64 and 100,000,000.")
        }
        let report = try EvictionBenchmark.run(trace: trace, room: tokens, server: remote)
        if json { return print(try OperationTable.encode(report, pretty: true)) }
        print("\(report.requests) requests of \(report.tokens) tokens, room for \(report.room)")
        print("                                      found    computing saved")
        // What the rows are called in the table.
        let names = [
            "lru-blocks": "least recently used, blocks", "lru": "least recently used, ends first",
            "cost-aware": "cost × chance, ends first", "redis-index": "on the server, with a limit",
        ]
        for row in report.rows {
            print(
                (names[row.rule] ?? row.rule).padded(to: 36)
                    + String(format: "%5.1f %%  %15.1f %%", row.found * 100, row.saved * 100))
        }
    }
}
