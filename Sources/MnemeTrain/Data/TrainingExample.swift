import Foundation
import MnemeBase

/// Something to learn: a text, or a prompt with its completion.
public struct TrainingExample: Sendable, Equatable {
    /// Stands before the completion and is not learned; empty for a text by itself.
    public var prompt: String
    /// The text that is learned.
    public var completion: String
    /// Names what the example says, where several say the same in other words: one of them can be
    /// held out, and what it says is learned all the same. Nil if nothing else says it.
    public var group: String?
    /// A system message before the prompt, which is not learned either; nil for none.
    public var system: String?
    /// The procedure that the completion follows, where procedures are learned; nil for the adapter's own.
    public var procedure: String?
    /// The completion in parts, where it follows several procedures; empty where it follows one.
    public var parts: [Part] = []

    /// Texts that are near the prompt and not what it should find: what an embedder is told apart by.
    public var negatives: [String] = []

    /// A part of a completion.
    public struct Part: Sendable, Equatable {
        /// The procedure that it follows.
        public var procedure: String
        /// Its text.
        public var text: String

        /// A part.
        public init(procedure: String, text: String) { (self.procedure, self.text) = (procedure, text) }
    }

    /// An example without a system message.
    public init(prompt: String = "", completion: String, group: String? = nil) {
        self.prompt = prompt
        self.completion = completion
        self.group = group
    }

    /// Reads a file of examples: lines of JSON with `prompt`, `completion` and, where there is one, `system`
    /// where its name ends in `.jsonl`, else paragraphs of text, which empty lines divide. A line may name its
    /// `procedure`, or have `parts` with `procedure` and `text` in place of a completion; a `group`, of which all lines say
    /// the same; and `negatives`, for embedders.
    ///
    /// - Throws: ``TrainingError`` if it cannot be read, a line is none, or nothing is in it.
    public static func read(_ path: String) throws -> [TrainingExample] {
        guard let data = FileManager.default.contents(atPath: path),
            let text = String(data: data, encoding: .utf8)
        else { throw TrainingError(.invalidFile, "\(path) cannot be read as UTF-8 text.") }
        let examples = path.hasSuffix(".jsonl") ? try pairs(text, path) : paragraphs(text)
        guard !examples.isEmpty else {
            throw TrainingError(.emptySelection, "\(path) holds no text to learn from.")
        }
        return examples
    }

    private static func paragraphs(_ text: String) -> [TrainingExample] {
        var found: [TrainingExample] = []
        var lines: [Substring] = []
        let all = text.split(separator: "\n", omittingEmptySubsequences: false)
        for line in all + [Substring("")] {
            if line.allSatisfy({ $0.isWhitespace }) {
                if !lines.isEmpty {
                    found.append(TrainingExample(completion: lines.joined(separator: "\n")))
                }
                lines = []
            } else {
                lines.append(line)
            }
        }
        return found
    }

    private static func pairs(_ text: String, _ path: String) throws -> [TrainingExample] {
        var found: [TrainingExample] = []
        for (i, line) in text.split(whereSeparator: \.isNewline).enumerated()
        where !line.allSatisfy({ $0.isWhitespace }) {
            let json = Array(line.utf8).withUnsafeBytes { try? OrderedJSON(bytes: $0) }
            let parts = json.flatMap(Self.parts)
            guard let json, let parts, case let whole = parts.map(\.text).joined(),
                let completion = parts.isEmpty ? json["completion"]?.string : whole, !completion.isEmpty,
                json["procedure"] == nil || json["procedure"]?.string != nil,
                let prompt = json["prompt"].map({ $0.string }) ?? "",
                case let system = json["system"]?.string, system == nil || !prompt.isEmpty,
                json["system"] == nil || system != nil,
                json["group"] == nil || json["group"]?.string != nil, let negatives = Self.negatives(json)
            else {
                throw TrainingError(
                    .invalidFile,
                    "Line \(i + 1) of \(path) is not {\"prompt\": \"…\", \"completion\": \"…\"} with a completion, and a prompt behind a \"system\" text."
                )
            }
            var example = TrainingExample(prompt: prompt, completion: completion)
            (example.system, example.procedure, example.parts) = (system, json["procedure"]?.string, parts)
            (example.group, example.negatives) = (json["group"]?.string, negatives)
            found.append(example)
        }
        return found
    }

    /// The negatives of a line; empty if it has none, nil if one is no text.
    private static func negatives(_ json: OrderedJSON) -> [String]? {
        guard let list = json["negatives"] else { return [] }
        let texts = list.elements?.compactMap { $0.string.flatMap { $0.isEmpty ? nil : $0 } }
        return texts?.count == list.elements?.count ? texts : nil
    }

    /// The parts of a line; empty if it has none, nil if they are not whole.
    private static func parts(_ json: OrderedJSON) -> [Part]? {
        guard let parts = json["parts"] else { return [] }
        let found = parts.elements?.compactMap { part -> Part? in
            guard let procedure = part["procedure"]?.string, let text = part["text"]?.string, !text.isEmpty
            else { return nil }
            return Part(procedure: procedure, text: text)
        }
        return found?.count == parts.elements?.count && found?.isEmpty == false ? found : nil
    }
}
