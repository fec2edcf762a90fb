import Foundation
import Mneme
import MnemeBase

extension BenchFormat {
    /// LongMemEval (Wu et al. 2025): a question a record, with a history of chats of its own, for five
    /// abilities: extraction of what was said, reasoning over several sessions and over time, updates of
    /// knowledge, and abstention. Recall is counted by turns that are marked and by sessions, as its
    /// `eval_utils.py` does; its authors have a model judge answers.
    public static let longMemEval: BenchFormat = {
        var format = BenchFormat(
            name: "longmemeval", title: "LongMemEval (Wu et al. 2025, arXiv:2410.10813)",
            source: "huggingface.co/datasets/xiaowu0162/longmemeval-cleaned, any of its JSON files",
            sample: longMemEvalSample)
        format.read = { record, _ in [try episode(record)] }
        format.score = { answer, question in
            guard !question.isUnanswerable else { return [:] }
            return [
                "contains": TextScore.best(question.answers) { TextScore.contains(answer, $0) },
                "F1": TextScore.best(question.answers) { TextScore.f1(answer, $0) },
            ]
        }
        format.judged =
            "The authors judge answers by a model (GPT-4o); without one, contains says whether the reference stands in it."
        format.recognises = { $0["haystack_sessions"]?.array != nil && $0["question_id"] != nil }
        return format
    }()

    /// Abilities by the types of questions in the file.
    private static let abilities = [
        "single-session-user": "information extraction (user)",
        "single-session-assistant": "information extraction (assistant)",
        "single-session-preference": "information extraction (preference)",
        "multi-session": "multi-session reasoning", "temporal-reasoning": "temporal reasoning",
        "knowledge-update": "knowledge updates",
    ]

    /// One record.
    private static func episode(_ record: JSONValue) throws -> BenchEpisode {
        let fields = try BenchFields(record)
        let id = try fields.require("question_id", fields.answer("question_id"))
        let sessions = try fields.require("haystack_sessions", fields.list("haystack_sessions"))
        let names = try fields.texts("haystack_session_ids") ?? []
        let dates = try fields.texts("haystack_dates") ?? []
        guard names.isEmpty || names.count == sessions.count, dates.isEmpty || dates.count == sessions.count else {
            throw InputError("'haystack_session_ids' and 'haystack_dates' must be as many as 'haystack_sessions'.")
        }
        var turns: [BenchTurn] = []
        var evidence: Set<String> = []
        var counts: [String: Int] = [:]
        // Sessions by their time: those of the oracle file are not in order.
        let times = dates.map(BenchTime.date)
        let order = sessions.indices.sorted { a, b in
            guard !times.isEmpty, let first = times[a], let second = times[b] else { return a < b }
            return (first, a) < (second, b)
        }
        for i in order {
            guard let messages = sessions[i].array else { throw InputError("A session is not a list of messages.") }
            let plain = names.isEmpty ? "s\(i + 1)" : names[i]
            // A session may stand in a history twice.
            counts[plain, default: 0] += 1
            let prefix = counts[plain] == 1 ? plain : "\(plain)#\(counts[plain]!)"
            for (j, message) in messages.enumerated() {
                let message = try BenchFields(message)
                let turn = "\(prefix)_\(j + 1)"
                if try message.flag("has_answer") == true { evidence.insert(turn) }
                let said = BenchTurn(
                    id: turn, session: plain, speaker: try message.text("role"),
                    text: try message.require("content", message.text("content")))
                turns.append(said.at((times.isEmpty ? nil : times[i])?.addingTimeInterval(Double(j))))
            }
        }
        let type = try fields.require("question_type", fields.text("question_type"))
        let isUnanswerable = id.hasSuffix("_abs")
        var question = BenchQuestion(
            id: id, text: try fields.require("question", fields.text("question")),
            category: isUnanswerable ? "abstention" : abilities[type] ?? type,
            answers: isUnanswerable ? [] : try fields.answer("answer").map { [$0] } ?? [])
        question.evidence = isUnanswerable ? [] : evidence
        question.isUnanswerable = isUnanswerable
        question.sessions = isUnanswerable ? [] : Set(try fields.texts("answer_session_ids") ?? [])
        question.time = try fields.text("question_date").flatMap(BenchTime.date)
        return BenchEpisode(id: id, turns: turns, questions: [question])
    }
}

/// Two records of our own in the form of `longmemeval_s.json`.
private let longMemEvalSample = #"""
    [{"question_id": "own_1", "question_type": "knowledge-update", "question": "How many books are in my reading group's list now?",
      "answer": 14, "question_date": "2024/05/30 (Thu) 10:00", "answer_session_ids": ["a1", "a2"],
      "haystack_session_ids": ["f1", "a1", "f2", "a2"],
      "haystack_dates": ["2024/02/02 (Fri) 08:10", "2024/03/01 (Fri) 19:00", "2024/04/11 (Thu) 12:40", "2024/05/20 (Mon) 21:15"],
      "haystack_sessions": [
        [{"role": "user", "content": "Which spices go with roasted pumpkin?"}, {"role": "assistant", "content": "Nutmeg, sage and a little chilli."}],
        [{"role": "user", "content": "Our reading group's list has 11 books now, help me sort it.", "has_answer": true}, {"role": "assistant", "content": "Shall we sort the 11 books by length?"}],
        [{"role": "user", "content": "How do I descale a kettle?"}, {"role": "assistant", "content": "Boil equal parts of water and vinegar."}],
        [{"role": "user", "content": "We added three, so the reading group's list is at 14 books.", "has_answer": true}, {"role": "assistant", "content": "14 it is."}]]},
     {"question_id": "own_2", "question_type": "single-session-user", "question": "Which village did I buy the telescope in?",
      "answer": "Altdorf", "question_date": "2024/05/30 (Thu) 10:00", "answer_session_ids": ["b1"],
      "haystack_session_ids": ["b1", "f3"], "haystack_dates": ["2024/01/14 (Sun) 17:00", "2024/02/15 (Thu) 09:00"],
      "haystack_sessions": [
        [{"role": "user", "content": "I bought a used telescope in the village of Altdorf, how do I clean its mirror?", "has_answer": true}, {"role": "assistant", "content": "With distilled water, and rarely."}],
        [{"role": "user", "content": "Name three card games for two."}, {"role": "assistant", "content": "Piquet, cribbage and gin rummy."}]]},
     {"question_id": "own_3_abs", "question_type": "single-session-user", "question": "What colour is my canoe?",
      "answer": "You did not mention a canoe.", "question_date": "2024/05/30 (Thu) 10:00", "answer_session_ids": ["c1"],
      "haystack_session_ids": ["c1"], "haystack_dates": ["2024/03/03 (Sun) 11:00"],
      "haystack_sessions": [[{"role": "user", "content": "My bicycle is green, which lock suits it?"}, {"role": "assistant", "content": "A folding lock."}]]}]
    """#
