import Foundation
import Mneme
import MnemeBase

extension BenchFormat {
    /// Histories and questions of one's own, an object a line: `history` (texts, or objects with `text` and,
    /// if known, `id`, `speaker`, `time`, `session`), and `question`, or `questions`, a list of objects, each
    /// with `question`, `evidence` (ids, or places in the history from 0), `answer` or `answers`, `category`,
    /// `outdated`, `unanswerable` and `time` where they apply.
    public static let questions: BenchFormat = {
        var format = BenchFormat(
            name: "recall", title: "Questions of one's own", source: "a file of your own, see docs/benches.md",
            sample: questionsSample)
        format.read = { record, number in [try history(record, number)] }
        format.score = { answer, question in
            guard !question.isUnanswerable else { return [:] }
            return [
                "contains": TextScore.best(question.answers) { TextScore.contains(answer, $0) },
                "F1": TextScore.best(question.answers) { TextScore.f1(answer, $0) },
            ]
        }
        format.recognises = { $0["history"]?.array != nil && ($0["question"] != nil || $0["questions"] != nil) }
        return format
    }()

    private static func history(_ record: JSONValue, _ number: Int) throws -> BenchEpisode {
        let fields = try BenchFields(record)
        let turns = try fields.require("history", fields.list("history")).enumerated().map { i, value in
            if let text = value.string { return BenchTurn(id: "\(i)", session: "history", text: text) }
            let turn = try BenchFields(value)
            let said = BenchTurn(
                id: try turn.answer("id") ?? "\(i)", session: try turn.text("session") ?? "history",
                speaker: try turn.text("speaker"), text: try turn.require("text", turn.text("text")))
            return said.at(try turn.answer("time").map(time))
        }
        let known = Set(turns.map(\.id))
        let asked = try fields.list("questions") ?? [record]
        let questions = try asked.enumerated().map { i, value in
            let fields = try BenchFields(value)
            let evidence = try fields.texts("evidence") ?? []
            if let lost = evidence.first(where: { !known.contains($0) }) {
                throw InputError("'evidence' names '\(lost.prefix(80))', and no turn of the history has that id.")
            }
            var question = BenchQuestion(
                id: try fields.answer("id") ?? "q\(i + 1)",
                text: try fields.require("question", fields.text("question")),
                category: try fields.text("category") ?? "questions",
                answers: try fields.answers("answer") + fields.answers("answers"))
            question.evidence = Set(evidence)
            question.isUnanswerable = try fields.flag("unanswerable") ?? false
            question.outdated = try fields.answers("outdated")
            question.time = try fields.answer("time").map(time)
            return question
        }
        let name = try asked.count == 1 && fields.list("questions") == nil ? nil : fields.answer("id")
        return BenchEpisode(id: name ?? "history-\(number + 1)", turns: turns, questions: questions)
    }

    private static func time(_ text: String) throws -> Date {
        guard let date = BenchTime.date(text) else {
            throw InputError("'time' is no date such as 2024-03-01 or 2024-03-01T18:00: '\(text.prefix(60))'.")
        }
        return date
    }
}

/// Two histories of our own.
private let questionsSample = #"""
    {"id": "club", "history": [{"id": "t1", "speaker": "Ana", "time": "2024-03-01", "text": "The chess club meets on Tuesday at 7 pm."}, {"id": "t2", "speaker": "Ben", "time": "2024-03-02", "text": "My parrot learned to whistle the anthem."}, {"id": "t3", "speaker": "Ana", "time": "2024-04-05", "text": "The chess club was moved to Friday at 7 pm."}], "questions": [{"question": "When does the chess club meet?", "answer": "Friday", "outdated": ["Tuesday"], "evidence": ["t3"], "category": "latest word"}, {"question": "What can the parrot whistle?", "answer": "the anthem", "evidence": ["t2"], "category": "fact"}, {"question": "Who repaired the lighthouse?", "unanswerable": true, "category": "no answer"}]}
    {"history": ["The spare key hangs behind the clock.", "Bread is delivered at six."], "question": "Where is the spare key?", "answers": ["behind the clock"], "evidence": [0]}
    """#
