import ArgumentParser
import Foundation
import MnemeBase
import MnemeEngine
import MnemeKV

extension KVCommand {
    /// `mneme kv warm`: prefills a text and caches its KV blocks before somebody asks about it: a
    /// long document, or the system message of an assistant.
    ///
    /// Exit code 2 for a text of under 32 tokens, 1 if the blocks could not be written.
    ///
    /// It prints the text's name, tokens and size on disk. Only whole blocks of 32 tokens are kept.
    /// The cache is of this model file: another model, or other weights of it, computes anew.
    struct Warm: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "warm",
            abstract: "Prefill and cache a text before it is asked about.",
            discussion: """
                A prompt that begins with the text then starts at once, also after a restart. With --system the text is the system message of a \
                chat, as `mneme chat --system` and the chat endpoint write it.
                """)
        /// The text, UTF-8, with all its bytes: a byte order mark is part of it.
        @Argument(help: "A text file; - reads standard input.") var file: String
        /// Wraps the text into the chat template first, as prefixes are found by tokens.
        @Flag(help: "As the system message of a chat.") var system = false
        @Flag(help: "Also keep it from being evicted.") var pin = false
        @OptionGroup var language: LanguageModelOptions
        @OptionGroup var kv: KVOptions

        /// Prefills the text through the engine, closes it, and looks for the blocks on disk: a
        /// name is printed only for what is really there.
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
            // Blocks are whole: what is shorter than one is not kept.
            guard tokens.count >= KVShape.blockTokens else {
                throw InputError(
                    "The text has \(tokens.count) tokens; fewer than \(KVShape.blockTokens) are computed sooner than read."
                )
            }
            let engine = try kv.engine(model)
            // One token is generated, so that the whole prompt is computed.
            var request = GenerationRequest(prompt: tokens)
            request.maxTokens = 1
            request.ignoresEnd = true
            for try await event in try engine.generate(request) {
                if case .finished(_, let usage) = event { Terminal.note(usage.summary) }
            }
            // Closing writes the blocks.
            engine.close()
            let folder = try KVCommand.folder()
            guard
                let kept = folder.texts().first(where: {
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
}
