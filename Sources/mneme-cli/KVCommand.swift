import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeEngine
import MnemeKV
import MnemeModels
import MnemeStore

/// Looks after computed keys and values.
struct KVCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kv",
        abstract:
            "Look after the keys and values that were computed: what is kept, how big, when last used.",
        discussion: """
            They lie in $MNEME_HOME/kv, one file a block of 32 tokens, and are found by what a text begins with. They are a cache: \
            all of it may be deleted at any time.
            """,
        subcommands: [
            List.self, Show.self, Warm.self, Keep.self, Pin.self, Unpin.self, Export.self,
            Import.self, Erase.self,
            Verify.self, AllocBench.self, Eval.self,
            ReuseEval.self,
        ], defaultSubcommand: List.self)

    static func folder() throws -> KVFolder { try Home.kvFolder() }

    /// A text: the end of a chain, and all before it.
    struct Text: Encodable {
        var id: String
        var model: String
        var tokens: Int
        var bytes: Int
        var lastUse: Date
        var isPinned: Bool
        var sources: [String]

        static func all(_ folder: KVFolder) -> [(text: Text, chain: [KVFolder.Entry])] {
            let entries = folder.entries(), parents = Set(entries.map(\.parent))
            let known = Dictionary(entries.map { ($0.hash, $0) }) { first, _ in first }
            return entries.filter { !parents.contains($0.hash) }.map { end in
                var chain = [end]
                while let before = known[chain[0].parent] { chain.insert(before, at: 0) }
                let text = Text(
                    id: String(end.hash.description.prefix(12)), model: end.model,
                    tokens: end.position + end.tokens.count,
                    bytes: chain.reduce(0) { $0 + $1.bytes }, lastUse: end.lastUse,
                    isPinned: end.isPinned,
                    sources: end.sources)
                return (text, chain)
            }.sorted { $0.text.lastUse > $1.text.lastUse }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Texts whose keys and values are on disk, the last used first.")
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let folder = try KVCommand.folder(), texts = Text.all(folder)
            if json { return print(try OperationTable.encode(texts.map(\.text), pretty: true)) }
            if texts.isEmpty {
                return print(
                    "No keys and values are kept in \(folder.path). `mneme chat`, `generate` and `serve` keep them by themselves."
                )
            }
            print("name          tokens      size  last used           begins")
            let models = Set(texts.map(\.text.model)),
                tokenizers = Dictionary(
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
            let blocks = Set(texts.flatMap { $0.chain.map(\.hash) }).count,
                bytes = folder.entries().reduce(0) { $0 + $1.bytes }
            print(
                "\(texts.count) text\(texts.count == 1 ? "" : "s"), \(blocks) blocks, \(bytes / 1_048_576) MiB; beginnings that texts share are kept once\(texts.contains { $0.text.isPinned } ? "; * is pinned" : "")"
            )
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "A text, and what is kept of it.")
        @Argument(help: "The name, or its beginning, as `mneme kv list` shows it.") var name: String
        @Flag(help: "Print JSON.") var json = false

        struct Report: Encodable {
            var id: String
            var model: String
            var modelHash: String
            var tokens: [Int32]
            var text: String?
            var bytes: Int
            var isPinned: Bool
            var sources: [String]
        }

        func run() async throws {
            let folder = try KVCommand.folder(), chain = try folder.chain(folder.find(name))
            let known = Dictionary(folder.entries().map { ($0.hash, $0) }) { first, _ in first },
                entries = chain.compactMap { known[$0] }
            guard let end = entries.last else { throw KVError.absent(name) }
            let tokens = entries.flatMap(\.tokens)
            let report = Report(
                id: end.hash.description, model: end.model, modelHash: end.modelHash.description,
                tokens: tokens,
                text: Home.tokenizer(end.model)?.decode(tokens),
                bytes: entries.reduce(0) { $0 + $1.bytes },
                isPinned: end.isPinned, sources: end.sources)
            if json { return print(try OperationTable.encode(report, pretty: true)) }
            print(
                """
                name     \(report.id)
                model    \(report.model) (\(report.modelHash.prefix(12)))
                size     \(tokens.count) tokens in \(entries.count) blocks, \(report.bytes / 1024) KiB\(report.isPinned ? ", pinned" : "")
                """)
            if !report.sources.isEmpty {
                print("memories \(report.sources.joined(separator: " "))")
            }
            print(report.text ?? "(the model is not here to read its tokens)")
        }
    }

    struct Warm: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compute the keys and values of a text before it is asked about.",
            discussion: """
                A prompt that begins with the text then starts at once, also after a restart. With --system the text is the system message of a \
                chat, as `mneme chat --system` and the chat endpoint write it.
                """)
        @Argument(help: "A text file; - reads standard input.") var file: String
        @Flag(help: "As the system message of a chat.") var system = false
        @Flag(help: "Also keep it from being trimmed.") var pin = false
        @OptionGroup var language: LanguageModelOptions
        @OptionGroup var kv: KVOptions

        func run() async throws {
            guard
                let data = file == "-"
                    ? FileHandle.standardInput.readDataToEndOfFile()
                    : FileManager.default.contents(atPath: file),
                let text = String(validating: data, as: UTF8.self)  // all of it: Foundation drops a byte order mark
            else { throw InputError("\(file) cannot be read as UTF-8 text.") }
            guard kv.kvDisk > 0 else { throw InputError("With --kv-disk 0 nothing can be kept.") }
            let model = try language.open()
            let tokens = system ? try model.tokens(ofSystem: text) : model.tokens(of: text)
            guard tokens.count >= KVShape.blockTokens else {
                throw InputError(
                    "The text has \(tokens.count) tokens; fewer than \(KVShape.blockTokens) are computed sooner than read."
                )
            }
            let engine = try kv.engine(model)
            var request = GenerationRequest(prompt: tokens)
            request.maxTokens = 1
            request.ignoresEnd = true
            for try await event in try engine.generate(request) {
                if case .finished(_, let usage) = event { Terminal.note(usage.summary) }
            }
            engine.close()
            let folder = try KVCommand.folder()
            guard
                let kept = Text.all(folder).first(where: {
                    $0.chain.flatMap(\.tokens).starts(with: tokens)
                }),
                let end = kept.chain.last
            else {
                throw KVError.absent(
                    "\(file) (it could not be written, or is larger than --kv-disk)")
            }
            if pin { try folder.setPinned(end.hash, true) }
            print(
                "\(kept.text.id)  \(tokens.count) tokens, \(kept.text.bytes / 1_048_576) MiB\(pin ? ", pinned" : "")"
            )
        }
    }

    struct Keep: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Make a text's keys and values a memory: with an owner, a history, and edges to the memories that it was made of.",
            discussion: """
                They are not trimmed any more. `mneme get`, `list` and `history` show the memory; it is no saying, so `recall` does not. \
                `mneme erase` of it, or of a memory that it was made of, deletes the keys and values, too.
                """)
        @Argument(help: "The name, or its beginning.") var name: String
        @Option(help: "Whose memory it is.") var user = "default"
        @Option(help: "An organisation or deployment.") var tenant = "default"
        @OptionGroup var store: StoreOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let folder = try KVCommand.folder(), hash = try folder.find(name),
                chain = try folder.chain(hash),
                names = Set(chain)
            let entries = folder.entries().filter { names.contains($0.hash) }
            guard let end = entries.last, entries.count == chain.count else {
                throw KVError.absent(name)
            }
            let tokens = entries.flatMap(\.tokens),
                text = Home.tokenizer(end.model)?.decode(tokens) ?? ""
            let reference = ActivationReference(
                block: hash.description, model: end.model, modelHash: end.modelHash.description,
                tokens: tokens.count,
                bytes: entries.reduce(0) { $0 + $1.bytes },
                sources: Set(entries.flatMap(\.sources)).sorted())
            let memory = try StoreOptions.open(store: store.store, noEmbedder: true)
            let cube = try await memory.keep(
                reference,
                text: text.contains { !$0.isWhitespace }
                    ? String(text.prefix(400)) : "Keys and values of \(end.model)",
                scope: Scope(tenant: tenant, user: user),
                by: Caller(.local, operation: "kv keep"))
            try folder.setPinned(hash, true)
            await memory.close()
            if json { return print(try OperationTable.encode(cube, pretty: true)) }
            print(
                "\(cube.id)  \(tokens.count) tokens, \(reference.bytes / 1_048_576) MiB, kept until `mneme erase \(cube.id)`"
            )
        }
    }

    struct Pin: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Keep a text from being trimmed.")
        @Argument(help: "The name, or its beginning.") var name: String
        func run() async throws {
            let folder = try KVCommand.folder()
            try folder.setPinned(folder.find(name), true)
        }
    }

    struct Unpin: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let a text be trimmed again.")
        @Argument(help: "The name, or its beginning.") var name: String
        func run() async throws {
            let folder = try KVCommand.folder()
            try folder.setPinned(folder.find(name), false)
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a text's keys and values into one file, for another machine.")
        @Argument(help: "The name, or its beginning.") var name: String
        @Argument(help: "The file to write.") var file: String
        func run() async throws {
            let folder = try KVCommand.folder()
            try folder.export(folder.find(name), to: file)
        }
    }

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take over an exported file.",
            discussion: """
                It is used by the same model file on a machine with the same instruction sets; others compute anew. Import only what you trust: \
                checksums show damage, not whether keys and values are really those of the text.
                """)
        @Argument(help: "The file.") var file: String
        func run() async throws { print("\(try KVCommand.folder().import(file)) blocks") }
    }

    struct Erase: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete keys and values, and all that follow them.")
        @Argument(help: "The name of a text, or its beginning: what it alone has is deleted.")
        var name: String?
        @Flag(help: "Delete all.") var all = false
        @Option(help: "Delete what was made with this memory in the text.") var memory: String?

        func run() async throws {
            guard [name != nil, all, memory != nil].count(where: { $0 }) == 1 else {
                throw InputError("Give a name, --memory ID or --all.")
            }
            let folder = try KVCommand.folder(), count: Int
            if let name {
                // What others begin with stays.
                count = try folder.erase(text: folder.find(name))
                guard count > 0 else {
                    throw InputError("Other texts begin with all of it. Erase them first.")
                }
            } else {
                count = try folder.erase { all || $0.sources.contains(memory ?? "") }
            }
            print("\(count) block\(count == 1 ? "" : "s") deleted")
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read all blocks and compare their checksums. Ends with 1 if one is damaged.")
        @Flag(help: "Delete damaged blocks; they are computed again when needed.") var repair =
            false

        func run() async throws {
            let line = ProgressLine(),
                result = try KVCommand.folder().verify { line.show($0, $1, "blocks") }
            line.end()
            print("\(result.sound) block\(result.sound == 1 ? " is" : "s are") sound")
            for path in result.damaged {
                if repair { unlink(path) }
                Terminal.error("\(path) is damaged\(repair ? "; deleted" : "")")
            }
            if !result.damaged.isEmpty, !repair { throw ExitCode(1) }
        }
    }

    struct Eval: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What giving keys and values up, or keeping them in fewer bits, costs.",
            discussion: """
                Prompts cut from the text are computed under each policy; then what follows is predicted token by token, and numbers hidden in \
                prompts are asked for. window and random are what a policy must beat. Policies: \(PolicyCatalog.names.joined(separator: ", ")). \
                Codecs: \(KVCodec.allCases.dropFirst().map(\.rawValue).joined(separator: ", ")), alone or behind a policy that gives up once: snapkv+int4.
                """)
        @Argument(help: "A text file.") var file: String
        @OptionGroup var language: LanguageModelOptions
        @Option(
            name: .customLong("policy"), parsing: .upToNextOption,
            help: "Policies and codecs; all if none is named.")
        var policies: [String] = []
        @Option(
            name: .customLong("budget"), parsing: .upToNextOption,
            help: "Shares of a prompt's keys and values that may be kept.") var budgets = [0.25]
        @Option(help: "Tokens of a prompt.") var promptTokens = 1024
        @Option(help: "Tokens behind a prompt that are predicted.") var tail = 128
        @Option(help: "Prompts cut from the text at most.") var windows = 8
        @Option(
            help:
                "Prompts with one number to find, and as many with four of which one is asked for.")
        var needles =
            20
        @Flag(
            help:
                "Ask only after keys and values were given up, so that none are chosen for the question."
        )
        var askLater = false
        @Option(help: "The last rows that no codec touches, as KIVI keeps them.") var exact = 128
        @Option(help: "Write a picture (SVG) of what is found at several budgets.") var plot: String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
                throw InputError("\(file) cannot be read as UTF-8 text.")
            }
            guard exact >= 0, needles >= 0, windows > 0 else {
                throw InputError("Counts are not negative, and there is one window at least.")
            }
            let names =
                policies.isEmpty
                ? PolicyCatalog.names + KVCodec.allCases.dropFirst().map(\.rawValue) : policies
            let subjects = try names.map { try KVPolicyBenchmark.Subject($0) }
            let model = try language.open(), line = ProgressLine()
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
                let change = String(
                    format: "%10.3f %+8.2f%%", row.perplexity,
                    100 * (row.perplexity / rows[0].perplexity - 1))
                let found = String(
                    format: "%9.4f %7.3f %7.2f %8.2f %9.0f", row.divergence, row.agreement,
                    row.needle, row.passkey,
                    row.tokensPerSecond)
                print(
                    "\(row.policy.padding(toLength: 14, withPad: " ", startingAt: 0)) \(size) \(change) \(found)"
                )
            }
            func share(_ bytes: Int) -> Double { Double(bytes) / Double(rows[0].bytes) }
        }
    }

    struct ReuseEval: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reuse-eval",
            abstract: "What reusing texts at other places of a prompt saves, and what it costs.",
            discussion: """
                Chunks of the text are computed in earlier prompts, each of which has half of them in the same order among other chunks, then put together \
                in one; a tail that follows one of them in the text is compared with a full prefill: how often the likeliest token is the same, and how far the distributions are apart. naive \
                computes nothing again, starts the beginning of each chunk (EPIC's LegoLink), cacheblend what changes most in the second layer, \
                attention what the question attends to, chunks the chunks that it attends to most.
                """)
        @Argument(help: "A text file.") var file: String
        @Flag(
            help:
                "The file is LoCoMo's: its questions are asked with the memories that recall finds, and the model's answers are compared."
        )
        var locomo = false
        @OptionGroup var language: LanguageModelOptions
        @Option(help: "Prompts.") var prompts = 10
        @Option(help: "Chunks in a prompt.") var chunks = 16
        @Option(help: "Tokens of a chunk.") var chunkTokens = 128
        @Option(help: "Tokens of the question, which end the prompt.") var question = 24
        @Option(help: "Tokens of the tail.") var tail = 64
        @Option(
            name: .customLong("share"), parsing: .upToNextOption,
            help: "Shares of the chunks' tokens that are computed again.") var shares = [
                0.05, 0.15, 0.3,
            ]
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            guard prompts > 0, chunks > 0, chunkTokens > 0, question > 0, tail > 1,
                shares.allSatisfy({ (0...1).contains($0) })
            else {
                throw InputError(
                    "Counts are positive, the tail has two tokens at least, and shares lie between 0 and 1."
                )
            }
            let model = try language.open(), line = ProgressLine()
            let list: [ReuseBenchmark.Prompt]
            if locomo {
                list = try await ReuseBenchmark.prompts(
                    model, locomo: file, embedder: try Home.embedder(), count: prompts,
                    least: chunks * chunkTokens)
            } else {
                guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
                    throw InputError("\(file) cannot be read as UTF-8 text.")
                }
                list = try ReuseBenchmark.prompts(
                    model, text: model.tokens(of: text), count: prompts, chunks: chunks,
                    chunkTokens: chunkTokens,
                    question: question, tail: tail)
            }
            let rows = try ReuseBenchmark.run(model, prompts: list, answer: tail, shares: shares) {
                line.show($0, $1, "prompts")
            }
            line.end()
            if json { return print(try OperationTable.encode(rows, pretty: true)) }
            let tokens = list.reduce(0) { $0 + $1.chunks.joined().count } / max(1, list.count)
            print(
                "\(list.count) prompts with \(tokens) tokens of \(locomo ? "memories" : "chunks"), \(locomo ? "answers" : "tails") of up to \(tail)"
            )
            print("method       again   first token   sooner   same token   KL, nats   loss")
            for row in rows {
                print(
                    row.method.padding(toLength: 11, withPad: " ", startingAt: 0),
                    String(
                        format: "%5.0f%% %10.1f ms %7.1f× %11.3f %10.4f %7.3f", row.share * 100,
                        row.milliseconds,
                        rows[0].milliseconds / row.milliseconds,
                        row.agreement, row.divergence, row.loss))
            }
        }
    }

    struct AllocBench: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "alloc-bench",
            abstract:
                "Compare ways to give sequences memory: waste, latency and speed of attention.",
            discussion: """
                reserve sets the whole context aside. aliases maps blocks side by side, as the engine does. table finds blocks through a table \
                (PagedAttention). commit is the time to get memory, +touch that to write to it first; again is both for what another text gives \
                up, emptied, as when memory is full. The best of the repetitions counts.
                """)
        @Argument(help: "A model's name, a GGUF file, or a folder as the hub has it.") var model =
            "smollm2"
        @Option(help: "Tokens of the prompt.") var tokens = 4096
        @Option(help: "Repetitions.") var repetitions = 3
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let model = try Home.languageModel(model)
            guard tokens > 0, tokens + 64 <= model.decoder.configuration.contextLength else {
                throw InputError("--tokens does not fit the model's context.")
            }
            let rows = try KVAllocationBenchmark.run(
                model, tokens: tokens, repetitions: max(1, repetitions))
            if json { return print(try OperationTable.encode(rows, pretty: true)) }
            print(
                "             memory    wasted   commit   +touch    again  prefill   decode   (µs a block of 32 tokens; tokens/s)"
            )
            for row in rows {
                let memory = String(
                    format: "%6.1f MiB %5d KiB", Double(row.bytes) / 1_048_576,
                    row.wastedBytes / 1024)
                let speed = String(
                    format: "%8.1f %8.1f %8.1f %8.0f %8.0f", row.commitMicroseconds,
                    row.touchMicroseconds,
                    row.againMicroseconds, row.prefill, row.decode)
                print(
                    "\(row.allocator.padding(toLength: 8, withPad: " ", startingAt: 0)) \(memory) \(speed)"
                )
            }
        }
    }
}
