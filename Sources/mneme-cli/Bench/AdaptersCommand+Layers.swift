import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeChat
import MnemeEngine
import MnemeModels
import MnemeStore
import MnemeTrain

extension AdaptersCommand {
    /// `mneme adapters layers`: fills a form from an owner's profile, log and adapter, and tells which layer
    /// knew each field.
    ///
    /// Exit code 2 if the adapter was made of no memories, or none of them answers a question by rule.
    struct Layers: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "layers",
            abstract: "Tell which layer answers: the profile, what was said, or an adapter that learned it.",
            discussion: """
                Each memory that the adapter was made from and that answers a question by rule ("Where does Ana live?") is a \
                field of a form. The profile and recall are asked as they are, the model without any memory in its prompt, with \
                the adapter and without. --json names the memories behind each answer.
                """)

        @Argument(help: "The adapter's name.") var name: String
        @OptionGroup var store: StoreOptions
        @Option(help: "The most tokens of an answer.") var maxTokens = 48
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            guard (1...4096).contains(maxTokens) else { throw InputError("--max-tokens is 1 to 4096.") }
            guard let record = try Home.adapters.folder(name).record(), let place = record.cube,
                !record.memories.isEmpty
            else {
                throw InputError(
                    "'\(name)' was made from no memories. `mneme adapters train NAME --from all` makes one that is.")
            }
            let memory = try store.open(requiresModel: false)
            let owner = Owner(tenant: place.tenant, user: place.user)
            let cubes = try memory.store.cubes(
                record.memories.compactMap { CubeID($0) }, owner: owner, by: .local)
            let language = try Home.languageModel(record.base)
            let engine = try Engine(language, adapters: Home.adapters)
            defer { engine.close() }
            let encoder = try ExampleEncoder(
                language.tokenizer, template: language.chatTemplate, limit: 1024)
            let line = ProgressLine()
            defer { line.end() }
            var done = 0
            let fields = try await LayerProbes(memory, of: owner).fields(of: cubes) { question in
                let result = try await AdapterEvaluation.run(
                    engine, adapter: name, questions: [question], maxTokens: maxTokens
                ) {
                    let sequence = encoder.encode(TrainingExample(prompt: $0.prompt, completion: $0.answer))
                    return (sequence.tokens, sequence.promptTokens)
                }
                done += 1
                line.show(done, cubes.count, "memories")
                return (result.without.right > 0, result.with.right > 0)
            }
            line.end()
            await memory.close()
            guard !fields.isEmpty else {
                throw InputError("None of the \(cubes.count) memories of '\(name)' answers a question by rule.")
            }
            if json { return print(try OperationTable.encode(fields, pretty: true)) }
            show(fields)
        }

        /// How many fields each layer knows, then each field with the first that does.
        private func show(_ fields: [LayerProbes.Field]) {
            func row(_ label: String, _ knows: (LayerProbes.Field) -> Bool) {
                print("\(label.padded(to: 24))\(fields.count(where: knows)) of \(fields.count)")
            }
            row("profile") { !$0.profile.isEmpty }
            row("log") { !$0.log.isEmpty }
            row("model as it is", \.before)
            row("model with the adapter", \.adapter)
            for field in fields {
                let layer = field.layer?.rawValue ?? "none"
                print(Terminal.line("\(layer.padded(to: 9))\(field.question)  \(field.expected)"))
            }
        }
    }
}
