import ArgumentParser
import Foundation
import Mneme
import MnemeModels

/// Looks at model files.
struct ModelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models", abstract: "List and inspect model files and their chat templates.", subcommands: [List.self, Inspect.self, Render.self, Tokenize.self],
        defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the models in $MNEME_HOME/models.")

        func run() async throws {
            let files = FileManager.default
            for folder in ((try? files.contentsOfDirectory(atPath: Home.models)) ?? []).sorted() where !folder.hasPrefix(".") {
                for file in ((try? files.contentsOfDirectory(atPath: Home.models + "/" + folder)) ?? []).sorted()
                where file.hasSuffix(".gguf") || file.hasSuffix(".safetensors") {
                    let size = (try? files.attributesOfItem(atPath: "\(Home.models)/\(folder)/\(file)")[.size] as? Int) ?? 0
                    print(
                        "\(folder.padding(toLength: max(20, folder.count), withPad: " ", startingAt: 0))  \(String(format: "%6.0f MiB", Double(size) / 1_048_576))  \(file)"
                    )
                }
            }
        }
    }

    struct Render: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the prompt that a chat template makes of messages.",
            discussion: #"Variables come as a JSON object on standard input, such as {"messages": [{"role": "user", "content": "Hi"}]}."#)

        @Argument(help: "A model's name, a GGUF file, or a Jinja file.") var template: String

        func run() async throws {
            let text: String
            if template.hasSuffix(".jinja") {
                guard let file = try? String(contentsOfFile: template, encoding: .utf8) else {
                    throw ModelError(.missingFile, "\(template) cannot be read as UTF-8 text.")
                }
                text = file
            } else {
                let file = try GGUFFile(path: Home.languageModelFile(template))
                guard let found = file.chatTemplate else { throw ModelError(.unsupported, "\(file.path) has no chat template.") }
                text = found
            }
            guard let object = (try? JSONDecoder().decode(JSONValue.self, from: FileHandle.standardInput.readDataToEndOfFile()))?.object else {
                throw InputError("Standard input must hold a JSON object with the template's variables.")
            }
            do {
                let prompt = try ChatTemplate(text).render(["add_generation_prompt": true].merging(object.mapValues(Self.value)) { $1 })
                print(prompt, terminator: "")
            } catch let error as TemplateError { throw InputError(error.description) }
        }

        private static func value(_ json: JSONValue) -> JinjaValue {
            switch json {
            case .null: .none
            case .bool(let bool): .bool(bool)
            case .number(let number): Int(exactly: number).map { .integer($0) } ?? .float(number)
            case .string(let text): .string(text)
            case .array(let items): .list(items.map(value))
            case .object(let members): .object(members.sorted { $0.key < $1.key }.map { (key: $0.key, value: value($0.value)) })
            }
        }
    }

    struct Tokenize: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the token ids of texts.",
            discussion: "Each line of standard input is a text as a JSON string; each line of the output is the list of its ids.")

        @Argument(help: "A model's name, or a GGUF file (its vocabulary is enough).") var model: String
        @Flag(help: "Read names of special tokens in the texts as those tokens.") var special = false

        func run() async throws {
            let tokenizer = try GGUFFile(path: Home.languageModelFile(model)).tokenizer(), decoder = JSONDecoder()
            while let line = readLine() {
                guard let text = try? decoder.decode(String.self, from: Data(line.utf8)) else { throw InputError("This line is not a JSON string: \(line.prefix(80))") }
                print("[\(tokenizer.encode(text, special: special).map(String.init).joined(separator: ","))]")
            }
        }
    }

    struct Inspect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a GGUF file's architecture, shapes, bytes by type, context and template.")

        @Argument(help: "A model's name, or a GGUF file.") var model: String
        @Flag(help: "Print JSON.") var json = false

        struct Report: Encodable {
            var path, architecture: String
            var parameters, layers, hiddenSize, heads, kvHeads, contextLength, vocabularySize: Int
            var bytesByType: [String: Int]
            var kvBytesPerToken: Int
            var chatTemplate: String?
        }

        func run() async throws {
            let file = try GGUFFile(path: Home.languageModelFile(model)), c = try file.decoderConfiguration()
            let report = Report(
                path: file.path, architecture: c.architecture, parameters: file.tensors.values.reduce(0) { $0 + $1.count }, layers: c.layers,
                hiddenSize: c.hiddenSize, heads: c.heads, kvHeads: c.kvHeads, contextLength: c.contextLength, vocabularySize: c.vocabularySize,
                bytesByType: Dictionary(file.tensors.values.map { ($0.typeName, $0.range.count) }, uniquingKeysWith: +),
                kvBytesPerToken: 4 * c.layers * c.kvSize, chatTemplate: file.chatTemplate)
            if json { return print(try OperationTable.encode(report, pretty: true)) }
            print(
                """
                \(report.path)
                architecture  \(report.architecture), \(String(format: "%.1f", Double(report.parameters) / 1e6)) million parameters
                layers        \(report.layers), \(report.hiddenSize) wide, \(report.heads) heads over \(report.kvHeads) of keys and values
                context       \(report.contextLength) tokens, \(report.kvBytesPerToken) bytes of keys and values each
                vocabulary    \(report.vocabularySize) tokens
                weights       \(report.bytesByType.sorted { $0.value > $1.value }.map { "\($0.key) \(String(format: "%.1f MiB", Double($0.value) / 1_048_576))" }.joined(separator: ", "))
                template      \(report.chatTemplate.map { "\($0.utf8.count) bytes of Jinja" } ?? "none")
                """)
        }
    }
}
