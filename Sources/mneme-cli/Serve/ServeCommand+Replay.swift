import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeEngine

extension ServeCommand {
    /// `mneme serve replay TRACE`: what a trace of requests would meet on this engine, in simulated
    /// time.
    ///
    /// It needs no model. Exit code 2 for a trace or options that make no sense. The report goes to
    /// standard output: a row for each admission policy and split of the cores.
    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "replay",
            abstract: "Run the engine's scheduler over a trace of requests, in simulated time.",
            discussion: """
                The trace is Azure's (CSV: TIMESTAMP,ContextTokens,GeneratedTokens), Mooncake's (JSON lines: timestamp, \
                input_length, output_length, hash_ids) or Mneme's own (JSON lines: at, prompt, output, and max, owner, \
                session, blocks, block_tokens). Which requests start, which wait, which are put back and what is evicted \
                is decided by the server's own code; how long a step takes, by --cost. Options that take several values \
                make a row of each combination.
                """)

        @Argument(help: "The trace's file.") var trace: String
        @Option(
            parsing: .upToNextOption,
            help: ArgumentHelp(
                "Who may start beside those that run: \(AdmissionCatalog.names.joined(separator: ", ")).",
                valueName: "name"))
        var admit = AdmissionCatalog.names
        @Option(
            parsing: .upToNextOption,
            help: ArgumentHelp(
                "How prompts and answers share the cores: \(CoreSplitCatalog.names.joined(separator: ", ")), static:SHARE.",
                valueName: "name"))
        var split = ["one-step"]
        @Option(
            name: .customLong("switch"), parsing: .upToNextOption,
            help: ArgumentHelp(
                "What becomes of sequences that are put back: \(ContextSwitchCatalog.names.joined(separator: ", ")).",
                valueName: "name"))
        var contextSwitch = ["recompute"]
        @Option(help: ArgumentHelp("Tokens of the memory that they are copied to.", valueName: "tokens"))
        var hostTokens = ReplaySettings().hostTokens
        /// Coefficients of a model on a machine.
        @Option(
            help: ArgumentHelp(
                "How long steps take: a file of `mneme bench steps MODEL --json`; SmolLM2 on two cores if left out.",
                valueName: "file"))
        var cost: String?
        @Option(help: ArgumentHelp("Tokens of keys and values in memory.", valueName: "tokens"))
        var kvTokens = ReplaySettings().kvTokens
        @Option(help: ArgumentHelp("Tokens of a step, at most.", valueName: "tokens"))
        var stepTokens = ReplaySettings().stepTokens
        @Option(help: ArgumentHelp("Sequences that run at once.", valueName: "count"))
        var sequences = ReplaySettings().sequences
        @Option(help: ArgumentHelp("Requests that wait; more are refused.", valueName: "count"))
        var waiting = ReplaySettings().waiting
        @Option(
            help: ArgumentHelp("The most tokens of an answer, where the trace does not tell.", valueName: "tokens"))
        var maxTokens = ReplaySettings().maxTokens
        @Option(help: ArgumentHelp("Seconds to the first token, to be in time.", valueName: "seconds"))
        var firstTokenLimit = ReplaySettings().firstTokenLimit
        @Option(
            help: ArgumentHelp("Seconds a token, the mean of an answer's, to be in time.", valueName: "seconds"))
        var tokenLimit = ReplaySettings().tokenLimit
        @Option(help: ArgumentHelp("Let requests come so many times as fast.", valueName: "factor")) var speed = 1.0
        /// The trace as work that is all known beforehand.
        @Option(
            help: ArgumentHelp(
                "Take all requests as there from the beginning, in this order: \(BatchOrder.names.joined(separator: ", ")).",
                valueName: "order"))
        var batch: String?
        @Option(help: ArgumentHelp("Only the first requests of the trace.", valueName: "count")) var limit: Int?
        @Option(help: "Names the tokens that the trace does not.") var seed: UInt64 = 0
        @Flag(help: "Print JSON, with memory over time.") var json = false

        /// A combination and its report.
        private struct Row: Encodable {
            var admission: String, split: String, contextSwitch: String
            var report: ReplayReport
        }

        /// Reads the trace and replays it once for each combination.
        func run() async throws {
            guard speed > 0, speed.isFinite, (limit ?? 1) > 0 else {
                throw InputError("--speed is above 0, --limit at least 1.")
            }
            var requests = Array(try TraceFile.read(trace, seed: seed).prefix(limit ?? .max))
            for i in requests.indices { requests[i].arrival /= speed }
            var settings = ReplaySettings()
            (settings.kvTokens, settings.stepTokens) = (kvTokens, stepTokens)
            (settings.sequences, settings.waiting, settings.maxTokens) = (sequences, waiting, maxTokens)
            settings.hostTokens = hostTokens
            (settings.firstTokenLimit, settings.tokenLimit) = (firstTokenLimit, tokenLimit)
            if let batch {
                requests = try BatchOrder.named(batch).order(requests)
                // Memory alone bounds who runs, and all may wait.
                (settings.waiting, settings.measuresSharing) = (requests.count, true)
            }
            if let cost { settings.cost = try StepCost(file: cost) }
            var rows: [Row] = []
            for split in split {
                for contextSwitch in contextSwitch {
                    for admission in admit {
                        settings.admission = try AdmissionCatalog.policy(admission)
                        settings.split = try CoreSplitCatalog.split(split)
                        settings.contextSwitch = try ContextSwitchCatalog.named(contextSwitch)
                        var replay = try MnemeEngine.Replay(requests, settings)
                        rows.append(
                            Row(
                                admission: admission, split: split, contextSwitch: contextSwitch,
                                report: try replay.run()))
                    }
                }
            }
            if json { return print(try OperationTable.encode(rows, pretty: true)) }
            Self.show(requests, rows)
        }

        /// A row of figures for each combination.
        private static func show(_ requests: [TraceRequest], _ rows: [Row]) {
            let prompt = requests.reduce(0) { $0 + $1.promptTokens }
            let answer = requests.reduce(0) { $0 + $1.completionTokens }
            let seconds = requests.last?.arrival ?? 0
            print(
                "\(requests.count) requests in \(String(format: "%.0f", seconds)) s, \(prompt) tokens of prompts, \(answer) of answers"
            )
            print(
                "admission     cores       put back    goodput  in time  first token p50/p99  token p50/p99  "
                    + "preempted  evicted  hit rate  memory"
            )
            for row in rows {
                let report = row.report
                let share = 100 * Double(report.inTime) / Double(max(1, report.answered + report.refused))
                let name =
                    "\(row.admission.padded(to: 13)) \(row.split.padded(to: 11)) \(row.contextSwitch.padded(to: 10))"
                let served = String(format: "%7.3f/s  %5.1f%%", report.goodput, share)
                let times = String(
                    format: "%8.2f %8.2f s  %5.0f %5.0f ms", report.firstToken.p50, report.firstToken.p99,
                    1000 * report.betweenTokens.p50, 1000 * report.betweenTokens.p99)
                let memory = String(
                    format: "%9d %8d  %7.1f%%  %5.1f%%", report.preempted, report.evicted, 100 * report.hitRate,
                    100 * report.memoryMean)
                print("\(name)\(served)  \(times)  \(memory)")
            }
            for row in rows {
                let name = "\(row.admission), \(row.split), \(row.contextSwitch)"
                let report = row.report
                if row.contextSwitch != "recompute" {
                    print("\(name): \(report.copies) copies of \(report.copiedBlocks) blocks")
                }
                guard let shared = report.sharedLifetime else { continue }
                let figures = String(
                    format: "%.1f s; blocks that prompts share were needed for %.1f", report.seconds, shared)
                print("\(name): all answered after \(figures) s each")
            }
            if let refused = rows.map(\.report.refused).max(), refused > 0 {
                print("Refused, as they do not fit the memory or the line was full: up to \(refused).")
            }
        }
    }
}
