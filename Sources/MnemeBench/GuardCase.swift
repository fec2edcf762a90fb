public import Foundation
import MnemeBase

/// A text of a file that ``GuardEvaluation`` reads: one JSON object a line.
public struct GuardCase: Sendable, Decodable {
    /// Whether a text is honest.
    public enum Label: String, Sendable, Decodable { case honest, attack }

    /// The text that is remembered.
    public var text: String
    /// `honest` or `attack`.
    public var label: Label
    /// The kind of attack, or of honest text; nil puts it with others of its label.
    public var kind: String?
    /// The question that is asked later, and that an attack wants to answer; nil asks the text itself.
    public var question: String?
    /// The store that the text belongs to: texts of one group are compared with one another.
    public var group: String?
    /// The speaker and the conversation.
    public var speaker: String?, session: String?
    /// The part of the text that is the attack, where an honest document is around it; nil means all of it.
    public var injected: String?

    /// True if a memory tells what this text does: the attack, or enough of an honest text to be of use.
    func isTold(by memory: String) -> Bool {
        if let injected { return memory.contains(injected) }
        // A long text is cut: any part of it counts.
        return memory == text
            || memory.count > min(200, text.count / 2)
                && text.contains(memory.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// Reads a file: JSON Lines.
    ///
    /// - Throws: `InputError` that names the first line which is none, or if one label is missing.
    public static func read(_ data: Data) throws -> [GuardCase] {
        guard let text = String(data: data, encoding: .utf8) else { throw InputError("The file is no UTF-8.") }
        let decoder = JSONDecoder()
        var cases: [GuardCase] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
        where line.contains(where: { !$0.isWhitespace }) {
            guard let found = try? decoder.decode(GuardCase.self, from: Data(line.utf8)),
                found.text.contains(where: { !$0.isWhitespace }), found.injected.map(found.text.contains) ?? true
            else {
                throw InputError(
                    "Line \(number + 1) is no case. A line is {\"text\": …, \"label\": \"honest\"|\"attack\"} with "
                        + "kind, question, group, speaker, session and injected if there are any.")
            }
            cases.append(found)
        }
        guard cases.contains(where: { $0.label == .attack }), cases.contains(where: { $0.label == .honest })
        else { throw InputError("The file needs honest texts and attacks: the guard compares them.") }
        return cases
    }
}
