import Foundation
import MnemeBase

/// Something to learn: a text, or a prompt with its completion.
public struct TrainingExample: Sendable, Equatable {
    /// Stands before the completion and is not learned; empty for a text by itself.
    public var prompt: String
    /// The text that is learned.
    public var completion: String

    /// An example.
    public init(prompt: String = "", completion: String) {
        self.prompt = prompt
        self.completion = completion
    }

    /// Reads a file of examples: lines of JSON with `prompt` and `completion` where its name ends
    /// in `.jsonl`, else paragraphs of text, which empty lines divide.
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
            guard let json, let completion = json["completion"]?.string, !completion.isEmpty,
                let prompt = json["prompt"].map({ $0.string }) ?? ""
            else {
                throw TrainingError(
                    .invalidFile,
                    "Line \(i + 1) of \(path) is not {\"prompt\": \"…\", \"completion\": \"…\"} with a completion."
                )
            }
            found.append(TrainingExample(prompt: prompt, completion: completion))
        }
        return found
    }
}

/// Questions that a claim answers, by rule: "Where does Ana live?".
public enum ClaimQuestion {
    /// - Parameters:
    ///   - subject: as it is to be written; nil is the user, who asks about themself.
    ///   - attribute: such as `home`, `employer`, `email`, `opinion of coffee`.
    public static func text(subject: String?, attribute: String) -> String {
        let name = subject ?? "I"
        let does = subject == nil ? "do" : "does"
        let whose = subject.map { $0 + ($0.hasSuffix("s") ? "'" : "'s") } ?? "my"
        let is_ = subject == nil ? "am" : "is"
        switch attribute {
        case "home": return "Where \(does) \(name) live?"
        case "employer": return "Where \(does) \(name) work?"
        case "age": return "How old \(is_) \(name)?"
        case "time": return "When \(is_) \(name)?"
        case "place": return "Where \(is_) \(name)?"
        case "diet": return "What \(does) \(name) eat?"
        default:
            let opinion = "opinion of "
            if attribute.hasPrefix(opinion) {
                return
                    "What \(does) \(name) think of \(attribute.dropFirst(opinion.count))?"
            }
            return "What is \(whose) \(attribute)?"
        }
    }
}
