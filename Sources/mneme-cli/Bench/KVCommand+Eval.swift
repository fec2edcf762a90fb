import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeEngine
import MnemeKV

extension KVCommand {
    /// `mneme kv eval`: what eviction policies and codecs of the KV cache cost in perplexity, and
    /// what they still find, against the full cache: for choosing `--kv-codec`, and for whoever
    /// writes a policy.
    ///
    /// The first row is the full cache; perplexity and KL divergence of the others are against it.
    /// Needle and passkey are shares of numbers that were found. Exit code 2 for a file that is no
    /// UTF-8 text, or a count that makes no sense.
    struct Eval: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What evicting rows of the KV cache, or keeping them in fewer bits, costs.",
            discussion: """
                Prompts cut from the text are computed under each policy; then what follows is predicted token by token, and numbers hidden in \
                prompts are asked for. window and random are what a policy must beat. Policies: \(PolicyCatalog.names.joined(separator: ", ")). \
                Codecs: \(KVCodec.allCases.dropFirst().map(\.rawValue).joined(separator: ", ")), alone or behind a policy that evicts once: snapkv+int4.
                """)
        @Argument(help: "A text file.") var file: String
        @OptionGroup var language: LanguageModelOptions
        @Option(
            name: .customLong("policy"), parsing: .upToNextOption,
            help: "Policies and codecs; all if none is named.")
        var policies: [String] = []
        /// Budgets, a row each and policy: 0.25 keeps a quarter of the rows.
        @Option(
            name: .customLong("budget"), parsing: .upToNextOption,
            help: "Shares of a prompt's KV rows that may be kept.") var budgets = [0.25]
        /// Length of the prompts that rows are evicted from.
        @Option(help: "Tokens of a prompt.") var promptTokens = 1024
        /// Tokens that perplexity and agreement are counted over, for each prompt.
        @Option(help: "Tokens behind a prompt that are predicted.") var tail = 128
        @Option(help: "Prompts cut from the text at most.") var windows = 8
        /// Prompts of each kind: one hidden number (needle), and four of which one is asked for
        /// (passkey).
        @Option(
            help:
                "Prompts with one number to find, and as many with four of which one is asked for.")
        var needles =
            20
        /// A harder test: the policy cannot see the question while it chooses rows.
        @Flag(
            help:
                "Ask only after rows were evicted, so that none are chosen for the question."
        )
        var askLater = false
        /// The newest rows, which stay exact in f16; 0 quantizes all.
        @Option(help: "The last rows that no codec touches, as KIVI keeps them.") var exact = 128
        @Option(help: "Write a picture (SVG) of what is found at several budgets.") var plot: String?
        @Flag(help: "Print JSON.") var json = false

        /// Computes the full cache first, then each policy at each budget.
        func run() async throws {
            guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
                throw InputError("\(file) cannot be read as UTF-8 text.")
            }
            guard exact >= 0, needles >= 0, windows > 0 else {
                throw InputError("Counts are not negative, and there is one window at least.")
            }
            // All policies and codecs if none is named.
            let names =
                policies.isEmpty
                ? PolicyCatalog.names + KVCodec.allCases.dropFirst().map(\.rawValue) : policies
            let subjects = try names.map { try KVPolicyBenchmark.Subject($0) }
            let model = try language.open()
            let line = ProgressLine()
            var settings = KVPolicyBenchmark.Settings()
            (settings.context, settings.tail, settings.windows, settings.needles) = (
                promptTokens, tail, windows, needles
            )
            (settings.asksLater, settings.exact) = (askLater, exact)
            let rows = try KVPolicyBenchmark.run(
                model, tokens: model.tokens(of: text), subjects: subjects, budgets: budgets,
                settings: settings
            ) {
                line.show($0, $1, "prompts")
            }
            line.end()
            if let plot {
                try AtomicFile.write(Data(KVPolicyBenchmark.plot(rows).utf8), to: plot, mode: 0o644)
            }
            if json { return print(try OperationTable.encode(rows, pretty: true)) }
            print(
                "policy          budget   kept     peak     perplexity          KL, nats   same   needle  passkey  tokens/s"
            )
            for row in rows {
                let size = String(
                    format: "%5.0f%% %6.1f%% %7.1f%%", 100 * row.budget, 100 * share(row.bytes),
                    100 * share(row.peakBytes))
                // Against the full cache, which is the first row.
                let change = String(
                    format: "%10.3f %+8.2f%%", row.perplexity,
                    100 * (row.perplexity / rows[0].perplexity - 1))
                let found = String(
                    format: "%9.4f %7.3f %7.2f %8.2f %9.0f", row.divergence, row.agreement,
                    row.needle, row.passkey,
                    row.tokensPerSecond)
                print(
                    "\(row.policy.padded(to: 14)) \(size) \(change) \(found)"
                )
            }
            /// Bytes as a part of those of the full cache.
            func share(_ bytes: Int) -> Double { Double(bytes) / Double(rows[0].bytes) }
        }
    }
}
