import ArgumentParser
import Crypto
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeEngine
import MnemeKV

extension KVCommand {
    /// `mneme kv eval`: what answers from a part of the KV cache cost in perplexity, what they still
    /// find, what they read and how fast, against all rows: for choosing `--kv-policy`, `--kv-budget`
    /// and `--kv-type`, and for whoever writes a policy.
    ///
    /// The first row is the full cache; perplexity and KL divergence of the others are against it.
    /// Needle and passkey are shares of numbers that were found. Exit code 2 for a file that is no
    /// UTF-8 text, or a count that makes no sense.
    struct Eval: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "eval",
            abstract: "What answers from a part of the KV cache, or in fewer bits, cost.",
            discussion: """
                Prompts cut from the text are computed with all rows, and each policy chooses at their end, as in answers; then what follows is \
                predicted token by token, and numbers hidden in prompts are asked for. window and random are what a policy must beat. \
                Policies: \(PolicyCatalog.names.joined(separator: ", ")); with a part left out or replaced: \
                \(PolicyCatalog.variants.joined(separator: ", ")). \
                Row types: \(KVCodec.allCases.map(\.rawValue).joined(separator: ", ")) (int2 is for files alone), alone or behind a policy: snapkv+int4.
                """)
        @Argument(help: "A text file.") var file: String
        @OptionGroup var language: LanguageModelOptions
        @Option(
            name: .customLong("policy"), parsing: .upToNextOption,
            help: "Policies and row types; all if neither is named.")
        var policies: [String] = []
        /// Types of rows, each with each policy.
        @Option(
            parsing: .upToNextOption,
            help: "Types of rows, each with each policy that is named; alone if none is.")
        var kvType: [String] = []
        /// Every policy with f16 rows, and every type of rows without a policy.
        @Flag(
            help:
                "Measure every policy and every type of rows, and pass over what does not go together; numbers are hidden at several depths."
        )
        var all = false
        /// Budgets, a row each and policy: 0.25 keeps a quarter of the rows.
        @Option(
            name: .customLong("budget"), parsing: .upToNextOption,
            help: "Shares of a prompt's KV rows that may be kept.") var budgets = [0.25]
        /// Length of the prompts that rows are evicted from.
        @Option(
            name: [.customLong("prompt"), .customLong("prompt-tokens")], help: "Tokens of a prompt.")
        var promptTokens = 1024
        /// Tokens that perplexity and agreement are counted over, for each prompt.
        @Option(help: "Tokens behind a prompt that are predicted.") var tail = 128
        @Option(help: "Prompts cut from the text at most.") var windows = 8
        /// Prompts of each kind: one hidden number (needle), and four of which one is asked for
        /// (passkey).
        @Option(
            help:
                "Prompts with one number to find, and as many with four of which one is asked for.")
        var needles = 20
        /// Texts to be summed up: how much the words have in common with those of the full cache.
        @Option(help: "Prompts whose text is summed up.") var summaries = 0
        /// Conversations of eight rounds, in the model's template; one of them tells a number.
        @Option(help: "Conversations with a number to find.") var chats = 0
        /// Where the number is that stands alone.
        @Option(
            parsing: .upToNextOption,
            help: "Where one number is hidden, in turn, as shares of the text; anywhere if left out.")
        var depth: [Double] = []
        /// A harder test: the policy cannot see the question while it chooses rows.
        @Flag(
            help:
                "Ask only after rows were evicted, so that none are chosen for the question."
        )
        var askLater = false
        /// As the papers of such policies bound the memory of a prompt, too.
        @Flag(help: "Evict while the prompt is read, where a policy does; answers do not.")
        var evictInPrompt = false
        /// The newest rows, which stay exact in f16; 0 quantizes all.
        @Option(help: "The last rows that stay f16, as KIVI keeps them; answers keep none.") var exact = 0
        /// Measurements as they come; a later run goes on from them.
        @Option(
            help: ArgumentHelp(
                "Keep measurements in a file, and measure only what it does not have.", valueName: "file"))
        var output: String?
        @Option(help: "Write a picture (SVG) of what is found at several budgets.") var plot: String?
        @Flag(help: "Print a Markdown table.") var markdown = false
        @Flag(help: "Print JSON.") var json = false

        /// Refuses counts that make no sense.
        func validate() throws {
            guard exact >= 0, needles >= 0, summaries >= 0, chats >= 0, windows > 0 else {
                throw ValidationError("Counts are not negative, and there is one window at least.")
            }
            guard !(json && markdown) else {
                throw ValidationError("--json or --markdown, not both.")
            }
        }

        /// Computes each prompt once, and measures all subjects on it.
        func run() async throws {
            guard let data = FileManager.default.contents(atPath: file),
                let text = String(data: data, encoding: .utf8)
            else { throw InputError("\(file) cannot be read as UTF-8 text.") }
            let subjects = try subjects()
            let model = try language.open()
            let settings = settings
            let line = ProgressLine()
            let start = ContinuousClock.now
            let rows = try KVPolicyBenchmark.run(
                model, tokens: model.tokens(of: text), subjects: subjects, budgets: budgets,
                settings: settings, results: output, source: try source(model, data),
                passOver: all ? { Terminal.report("\($0) is passed over: \($1)") } : nil
            ) { done, all, before in
                // Measurements that were there took no time.
                let measured = Double(max(1, done - before))
                let left = (ContinuousClock.now - start) / .seconds(1) / measured * Double(all - done)
                line.show(done, all, "measurements, about \(EvalCommand.time(left)) left")
            }
            line.end()
            if let plot {
                try AtomicFile.write(Data(KVPolicyBenchmark.plot(rows).utf8), to: plot, mode: 0o644)
            }
            if json {
                print(try OperationTable.encode(rows, pretty: true))
            } else if markdown {
                print(KVPolicyBenchmark.markdown(rows, depths: settings.depths))
            } else {
                show(rows)
            }
        }

        private var settings: KVPolicyBenchmark.Settings {
            var settings = KVPolicyBenchmark.Settings()
            (settings.context, settings.tail, settings.windows, settings.needles) = (
                promptTokens, tail, windows, needles
            )
            (settings.summaries, settings.chats) = (summaries, chats)
            settings.depths = depth.isEmpty && all ? [0.1, 0.3, 0.5, 0.7, 0.9] : depth
            (settings.asksLater, settings.exact, settings.evictsInPrompt) = (askLater, exact, evictInPrompt)
            return settings
        }

        /// What is measured: all that there is unless something is named.
        private func subjects() throws -> [KVPolicyBenchmark.Subject] {
            let types = KVCodec.allCases.map(\.rawValue)
            let everything = PolicyCatalog.names + PolicyCatalog.variants + types.dropFirst()
            var names = all || (policies.isEmpty && kvType.isEmpty) ? everything : []
            names += policies.filter { !names.contains($0) }
            if !kvType.isEmpty {
                if let unknown = kvType.first(where: { !types.contains($0) }) {
                    throw InputError(
                        "There is no row type '\(unknown.prefix(40))'. There are \(types.joined(separator: ", ")).")
                }
                let plain = (all ? PolicyCatalog.names : policies).filter { !$0.contains("+") }
                let coded = (plain.isEmpty ? ["full"] : plain).flatMap { name in
                    kvType.map { "\(name)+\($0)" }
                }
                names = names.filter { !plain.contains($0) || all } + coded
            }
            return try names.map { try KVPolicyBenchmark.Subject($0) }
        }

        /// Names text and model in the file of measurements.
        private func source(_ model: LanguageModel, _ text: Data) throws -> String {
            guard output != nil else { return "" }
            let hash = SHA256.hash(data: text).map { String(format: "%02x", $0) }.joined()
            return try ModelIdentity.hash(model.path, cache: Home.kv + "/models") + " " + hash
        }

        private func show(_ rows: [KVPolicyBenchmark.Row]) {
            print(
                "policy                budget   kept     peak     read     perplexity          KL, nats   same   needle  passkey  tokens/s"
            )
            for row in rows {
                let size = String(
                    format: "%5.0f%% %6.1f%% %7.1f%% %7.1f%%", 100 * row.budget, 100 * share(row.bytes),
                    100 * share(row.peakBytes), 100 * share(row.readBytes))
                // Against the full cache, which is the first row.
                let change = String(
                    format: "%10.3f %+8.2f%%", row.perplexity,
                    100 * (row.perplexity / rows[0].perplexity - 1))
                let found = String(
                    format: "%9.4f %7.3f %7.2f %8.2f %9.0f", row.divergence, row.agreement,
                    row.needle, row.passkey,
                    row.tokensPerSecond)
                print("\(row.policy.padded(to: 20)) \(size) \(change) \(found)")
            }
            print(String(format: "full keeps %.1f MB.", Double(rows[0].bytes) / 1e6))
            for row in rows where row.summary != nil || row.chat != nil {
                let parts = [("summary", row.summary), ("chat", row.chat)]
                    .compactMap { name, value in value.map { name + String(format: " %.2f", $0) } }
                print("\(row.policy): \(parts.joined(separator: ", "))")
            }
            for row in rows where !row.readings.isEmpty {
                let readings = row.readings.sorted { $0.key < $1.key }
                    .map { "\($0.key) " + String(format: "%.3f", $0.value) }
                print("\(row.policy): \(readings.joined(separator: ", "))")
            }
            /// Bytes as a part of those of the full cache.
            func share(_ bytes: Int) -> Double { Double(bytes) / Double(max(1, rows[0].bytes)) }
        }
    }
}
