import ArgumentParser
import Foundation
import Mneme
import MnemeModels

extension ModelsCommand {
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
}
