import Foundation

/// A task of SCBench: what is asked of a shared context, how long an answer may be, and how it is scored. Scores and
/// lengths are those of the authors' `compute_scores.py` and `eval_utils.py`; the openings are our own words.
public enum SharedContextTask: String, Sendable, Codable, CaseIterable {
    /// A value of a long JSON object, by its key.
    case kv
    /// A string by how it begins and ends.
    case prefixSuffix = "prefix_suffix"
    /// Variables that were assigned to each other.
    case variables = "vt"
    /// A function of a repository, by its description.
    case repoQA = "repoqa"
    /// Questions about a long English or Chinese text, and those with four choices.
    case qaEnglish = "qa_eng"
    /// As ``qaEnglish``, in Chinese.
    case qaChinese = "qa_chn"
    /// As ``qaEnglish``, with four choices.
    case choice = "choice_eng"
    /// Many examples of a kind, and one more to be labelled.
    case manyShot = "many_shot"
    /// A figure of a long list of numbers, such as the largest.
    case mathFind = "mf"
    /// A summary.
    case summary
    /// A number that is hidden in a text.
    case passkey

    /// Reads the authors' names: `scbench_kv`, `multi_turn_kv` and `kv` are the same; a part of a file's name is
    /// enough. Nil for any other.
    public init?(name: String) {
        let name = name.lowercased()
        // Longer names first: `qa_eng` stands in no other, but `kv` does.
        let all = Self.allCases.sorted { ($1.rawValue.count, $0.rawValue) < ($0.rawValue.count, $1.rawValue) }
        let parts = name.split { !$0.isLetter && !$0.isNumber && $0 != "_" }.joined(separator: "_")
        guard let task = all.first(where: { ("_" + parts + "_").contains("_\($0.rawValue)_") }) else { return nil }
        self = task
    }

    /// Tokens of an answer at most.
    public var answerTokens: Int {
        switch self {
        case .kv, .prefixSuffix: 150
        case .variables: 30
        case .repoQA: 1024
        case .qaEnglish, .qaChinese, .choice: 40
        case .manyShot: 10
        case .mathFind: 5
        case .summary: 200
        case .passkey: 15
        }
    }

    /// Whether an answer ends with its first line, so that what a model goes on to invent is not paid for.
    var isLine: Bool { self != .summary && self != .repoQA }

    /// What stands before the context.
    var opening: String {
        switch self {
        case .kv: "Here is a JSON object. Its values are asked for by their keys.\n\n"
        case .passkey: "Somewhere in this text are numbers that will be asked for. Keep them in mind.\n\n"
        case .qaEnglish, .choice: "Read this text. Questions about it follow; answer them in few words.\n\n"
        case .qaChinese: "请阅读下文，然后简短地回答问题。\n\n"
        case .repoQA: "Here is code. Functions of it are described; repeat the one that fits, word for word.\n\n"
        case .prefixSuffix, .variables, .manyShot, .mathFind, .summary: ""
        }
    }

    /// A request as it stands in the prompt.
    func request(_ turn: SharedContextTurn) -> String {
        switch self {
        case .qaEnglish: "\n\nQuestion: \(turn.input)\nAnswer:"
        case .qaChinese: "\n\n问题：\(turn.input)\n回答："
        case .choice:
            "\n\nQuestion: \(turn.input)\n"
                + zip("ABCDEFGH", turn.options).map { "\($0). \($1)\n" }.joined() + "The letter of the right answer is"
        default: "\n\n" + turn.input
        }
    }

    /// The score of an answer, from 0 to 1.
    public func score(_ answer: String, _ expected: [String]) -> Double {
        let first = expected.first ?? ""
        switch self {
        case .kv, .prefixSuffix: return !first.isEmpty && answer.contains(first) ? 1 : 0
        case .passkey, .mathFind:
            let number = answer.drop { !$0.isASCII || !$0.isNumber }.prefix { $0.isASCII && $0.isNumber }
            return !number.isEmpty && number == first.prefix { $0.isNumber } ? 1 : 0
        case .variables:
            let text = answer.lowercased()
            return Double(expected.count { text.contains($0.lowercased()) }) / Double(max(1, expected.count))
        case .qaEnglish, .manyShot:
            let text = answer.uppercased()
            return expected.contains { !$0.isEmpty && text.contains($0.uppercased()) } ? 1 : 0
        case .choice:
            // The first letter that stands alone.
            let letter = answer.split { !$0.isLetter }.first { $0.count == 1 && $0 >= "A" && $0 <= "H" }
            return letter.map { expected.contains(String($0)) } == true ? 1 : 0
        case .qaChinese: return TextScore.best(expected) { Self.characters(answer, $0) }
        case .repoQA, .summary: return TextScore.best(expected) { TextScore.rougeL(answer, $0) }
        }
    }

    /// The F1 of characters, blanks and punctuation left out, as the authors compare Chinese answers.
    private static func characters(_ answer: String, _ expected: String) -> Double {
        func list(_ text: String) -> [String] {
            text.lowercased().filter { !$0.isWhitespace && !$0.isPunctuation && !$0.isSymbol }.map(String.init)
        }
        return TextScore.overlap(list(answer), list(expected))
    }
}
