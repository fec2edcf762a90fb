import ArgumentParser
import Foundation
import MnemeBase
import MnemeModels

extension ModelsCommand {
    /// `mneme models render`: the prompt that a chat template makes of messages, as it goes to the
    /// model. For whoever writes a template or looks for what a model was told;
    /// `scripts/check_templates.py` compares it with the reference.
    ///
    /// Exit code 2 if standard input is not a JSON object, 1 if the template refuses it.
    ///
    /// It prints the prompt without a line break of its own, so that a byte comparison is possible.
    /// `add_generation_prompt` is true unless the input says otherwise.
    struct Render: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "render",
            abstract: "Print the prompt that a chat template makes of messages.",
            discussion:
                #"Variables come as a JSON object on standard input, such as {"messages": [{"role": "user", "content": "Hi"}]}."#
        )

        /// The template's origin: a file whose name ends in `.jinja`, or the model that carries it.
        @Argument(help: "A model's name, a GGUF file, or a Jinja file.") var template: String

        /// Reads all of standard input, renders once, and prints the prompt.
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
            let variables = try Self.variables(
                FileHandle.standardInput.readDataToEndOfFile())
            let prompt = try ChatTemplate(text).render(
                ["add_generation_prompt": true].merging(variables) { $1 })
            var output = AnswerOutput()
            output.write(prompt)
        }

        /// The members of a JSON object, for a template. Objects keep the order of their members,
        /// which `tojson` and loops show.
        private static func variables(_ input: Data) throws -> [String: JinjaValue] {
            let json: OrderedJSON
            do { json = try input.withUnsafeBytes(OrderedJSON.init(bytes:)) } catch {
                throw InputError("Standard input is not JSON. \(error)")
            }
            guard let members = json.members else {
                throw InputError(
                    "Standard input must hold a JSON object with the template's variables.")
            }
            return Dictionary(members.map { ($0.key, value($0.value)) }) { $1 }
        }

        /// A JSON value as templates see it. Whole numbers that fit are integers, all others
        /// floats.
        private static func value(_ json: OrderedJSON) -> JinjaValue {
            switch json {
            case .null: .none
            case .bool(let bool): .bool(bool)
            case .number: json.integer.map { .integer($0) } ?? .float(json.double ?? .infinity)
            case .string(let text): .string(text)
            case .array(let items): .list(items.map(value))
            case .object(let members):
                .object(members.map { (key: $0.key, value: value($0.value)) })
            }
        }
    }
}
