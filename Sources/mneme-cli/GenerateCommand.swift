import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeEngine
import MnemeKV
import MnemeModels

/// How tokens are chosen, as options.
struct SamplingOptions: ParsableArguments {
    @Option(help: "0 takes the likeliest token; higher is more varied.") var temperature = 0.0
    @Option(help: "Only the k likeliest tokens; 0 for all.") var topK = 0
    @Option(help: "Only the likeliest tokens that add up to this probability.") var topP = 1.0
    @Option(help: "Only tokens at least so likely, relative to the likeliest.") var minP = 0.0
    @Option(help: "Makes tokens that occurred less likely; 1 does nothing.") var repetitionPenalty =
        1.0
    @Option(help: "Makes the answer repeatable.") var seed: UInt64?

    var parameters: SamplingParameters {
        var parameters = SamplingParameters()
        parameters.temperature = temperature
        parameters.topK = topK
        parameters.topP = topP
        parameters.minP = minP
        parameters.repetitionPenalty = repetitionPenalty
        parameters.seed = seed
        return parameters
    }
}

/// Which language model, and how it is run.
struct LanguageModelOptions: ParsableArguments {
    @Option(help: "A model's name, a GGUF file, or a folder as the hub has it.") var model =
        "smollm2"
    @Option(
        help: ArgumentHelp(
            "Tokens of a prompt and its answer together, if not the model's.", valueName: "tokens"))
    var context: Int?

    func open() throws -> LanguageModel { try Home.languageModel(model, context: context) }
}

/// Where keys and values are kept, as options.
struct KVOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Disk for computed keys and values, so that no known beginning is computed again; 0 keeps none.",
            valueName: "GiB"))
    var kvDisk = 4.0
    @Option(
        help: ArgumentHelp(
            "Memory for keys and values, in use and kept; 4, or a quarter of the machine's, if left out.",
            valueName: "GiB"))
    var kvMemory: Double?

    @Option(
        help:
            "How they are kept on disk: f16 (exact), int8, int4 or int2 (smaller, and answers differ a little after a restart).",
        transform: Self.codec)
    var kvCodec = KVCodec.f16

    @Option(
        help: ArgumentHelp(
            "A Redis or Valkey server that machines share computed keys and values through: redis://[[user]:password@]host[:port][/database].",
            valueName: "url"))
    var kvRemote: String?

    @Option(
        help: ArgumentHelp(
            "In chats, take keys and values of recalled memories from earlier prompts, where they stood elsewhere, and compute this share of their tokens again, such as 0.15: the first word comes sooner, and answers may differ a little.",
            valueName: "share"))
    var kvReuse: Double?

    private static func codec(_ name: String) throws -> KVCodec {
        guard let codec = KVCodec(rawValue: name) else {
            throw ValidationError(
                "'\(name)' is not \(KVCodec.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        return codec
    }

    func engine(_ model: LanguageModel) throws -> Engine {
        var limits = Engine.Limits()
        guard (0...1_000_000).contains(kvDisk), (0.001...100_000).contains(kvMemory ?? 1) else {
            throw InputError(
                "--kv-disk and --kv-memory are numbers of GiB; the second is not zero.")
        }
        guard (0...1).contains(kvReuse ?? 0) else {
            throw InputError("--kv-reuse is a share between 0 and 1.")
        }
        limits.reuseShare = kvReuse
        if let kvMemory { limits.kvBytes = Int(kvMemory * 1_073_741_824) }
        return try Engine(
            model, limits: limits,
            folder: kvDisk > 0 ? Home.kvFolder(limit: Int(kvDisk * 1_073_741_824)) : nil,
            remote: kvRemote.map { try RedisTier(url: $0, key: Home.encryptionKey()) },
            codec: kvCodec)
    }
}

/// Continues a text.
struct GenerateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Continue a text with a language model.")

    @Argument(help: "The text to continue.") var prompt: String
    @OptionGroup var language: LanguageModelOptions
    @Option(help: "The most tokens to write.") var maxTokens = 256
    @Option(help: "End before this text; may be given several times.") var stop: [String] = []
    @Flag(help: "Read names of special tokens in the prompt as those tokens.") var special = false
    @OptionGroup var sampling: SamplingOptions
    @OptionGroup var kv: KVOptions

    func run() async throws {
        let model = try language.open(), engine = try kv.engine(model)
        defer { engine.close() }
        var request = GenerationRequest(prompt: model.tokens(of: prompt, special: special))
        request.maxTokens = maxTokens
        request.stop = stop
        request.sampling = sampling.parameters
        var output = AnswerOutput()
        for try await event in try engine.generate(request) {
            switch event {
            case .token(let text, _, _, _): output.write(text)
            case .finished(_, let usage):
                print()
                fflush(nil)
                if output.isBlank {
                    Terminal.note(
                        "The model wrote nothing: it takes the text for complete. Models that follow instructions answer in `mneme chat`."
                    )
                }
                if Terminal.isInteractive(STDERR_FILENO) { Terminal.note(usage.summary) }
            }
        }
    }
}

extension GenerationUsage {
    /// For people.
    var summary: String {
        let further = max(0, answerTokens - 1),
            rate = further > 0 ? Double(further) / max(1e-9, total - firstToken) : 0
        let moved = reusedTokens > 0 ? ", \(reusedTokens) of them at another place" : ""
        let read = cachedTokens > 0 ? " (\(cachedTokens) remembered\(moved))" : ""
        return String(
            format: "%d tokens\(read) read, first answer after %.0f ms; %d written, %.0f a second",
            promptTokens,
            firstToken * 1000, answerTokens, rate)
    }
}

/// Perplexity of a text.
struct PerplexityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perplexity",
        abstract: "How surprised a model is by a text (as llama.cpp measures it).")

    @Argument(help: "A model's name, a GGUF file, or a folder as the hub has it.") var model: String
    @Argument(help: "A text file.") var file: String
    @Option(help: "Tokens of a window.") var context = 512
    @Option(help: "Windows at most.") var windows: Int?
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw ModelError(.missingFile, "\(file) cannot be read as UTF-8 text.")
        }
        let model = try Home.languageModel(model), progress = ProgressLine()
        let result = try Perplexity.measure(
            model, tokens: model.tokens(of: text), context: context, limit: windows
        ) {
            done, total, value in
            progress.show(done, total, String(format: "windows, perplexity %.3f", value))
        }
        progress.end()
        if json { return print(String(decoding: try JSONEncoder().encode(result), as: UTF8.self)) }
        print(
            String(
                format: "%.4f over %d tokens in %d windows of %d", result.perplexity, result.tokens,
                result.windows,
                context))
    }
}
