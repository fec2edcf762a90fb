import Foundation
import Mneme
import MnemeBase

extension BenchFormat {
    /// ConvoMem (Pakhomov et al. 2025): questions of six kinds (user facts, assistant facts, changing facts,
    /// abstention, preferences, implicit connections), each with the messages that answer it and conversations
    /// around them. Both of its forms are read: evidence (`evidence_items`) and mixed test cases
    /// (`evidenceItems` with `conversations`).
    public static let convoMem: BenchFormat = {
        var format = BenchFormat(
            name: "convomem", title: "ConvoMem (Pakhomov et al. 2025, arXiv:2511.10523)",
            source: "huggingface.co/datasets/Salesforce/ConvoMem, a file of evidence_questions or of test cases",
            sample: convoMemSample)
        format.read = { record, number in try cases(record, number) }
        format.score = { answer, question in
            guard !question.isUnanswerable else { return [:] }
            return ["contains": TextScore.best(question.answers) { TextScore.contains(answer, $0) }]
        }
        format.judged =
            "The authors judge answers by a model; without one, contains says whether the reference stands in the answer."
        format.recognises = { ($0["evidence_items"] ?? $0["evidenceItems"])?.array != nil }
        return format
    }()

    /// The questions of a file or test case, each with a history of its own.
    private static func cases(_ record: JSONValue, _ number: Int) throws -> [BenchEpisode] {
        let fields = try BenchFields(record)
        let items = try fields.require(
            "evidence_items", fields.list("evidence_items") ?? fields.list("evidenceItems"))
        let shared = try fields.list("conversations")
        return try items.enumerated().map { i, item in
            let item = try BenchFields(item)
            let conversations = try shared ?? item.require("conversations", item.list("conversations"))
            var turns: [BenchTurn] = []
            for (c, conversation) in conversations.enumerated() {
                let conversation = try BenchFields(conversation)
                let name = try conversation.text("id") ?? "c\(c + 1)"
                let messages = try conversation.require("messages", conversation.list("messages"))
                turns += try messages.enumerated().map { m, message in
                    let message = try BenchFields(message)
                    return BenchTurn(
                        id: "c\(c + 1).\(m + 1)", session: "\(c + 1) \(name)", speaker: try message.text("speaker"),
                        text: try message.require("text", message.text("text")))
                }
            }
            // Evidence is named by its text.
            let texts = Set(try (item.list("message_evidences") ?? []).compactMap { try BenchFields($0).text("text") })
            let evidence = turns.filter { texts.contains($0.text) }
            let kind = try item.text("category") ?? item.text("evidence_type") ?? "questions"
            var question = BenchQuestion(
                id: "q", text: try item.require("question", item.text("question")), category: kind,
                answers: try item.answers("answer"))
            question.evidence = Set(evidence.map(\.id))
            question.isUnanswerable = texts.isEmpty || kind.lowercased().contains("abstention")
            if question.isUnanswerable { (question.evidence, question.answers) = ([], []) }
            return BenchEpisode(id: "\(number + 1).\(i + 1)", turns: turns, questions: [question])
        }
    }
}

/// Evidence of our own.
private let convoMemSample = #"""
    {"evidence_items": [
      {"question": "Which day is my piano lesson?", "answer": "Wednesday", "category": "user facts",
       "message_evidences": [{"speaker": "User", "text": "My piano lesson is every Wednesday after work."}],
       "conversations": [{"id": "a", "containsEvidence": true, "messages": [{"speaker": "User", "text": "My piano lesson is every Wednesday after work."}, {"speaker": "Assistant", "text": "Shall I keep that evening free?"}, {"speaker": "User", "text": "Yes, please."}]}]},
      {"question": "Which glue did you recommend for the chair?", "answer": "hide glue", "category": "assistant facts",
       "message_evidences": [{"speaker": "Assistant", "text": "For an old chair I recommend hide glue, it can be undone."}],
       "conversations": [{"id": "b", "containsEvidence": true, "messages": [{"speaker": "User", "text": "A leg of my chair is loose."}, {"speaker": "Assistant", "text": "For an old chair I recommend hide glue, it can be undone."}]}]},
      {"question": "What is my budget for the trip now?", "answer": "900 euros", "category": "changing facts",
       "message_evidences": [{"speaker": "User", "text": "The budget for the trip is 600 euros."}, {"speaker": "User", "text": "My budget for the trip is 900 euros now."}],
       "conversations": [{"id": "c", "containsEvidence": true, "messages": [{"speaker": "User", "text": "The budget for the trip is 600 euros."}, {"speaker": "Assistant", "text": "Noted."}]}, {"id": "d", "containsEvidence": true, "messages": [{"speaker": "User", "text": "My budget for the trip is 900 euros now."}, {"speaker": "Assistant", "text": "That allows a night train."}]}]},
      {"question": "What is the registration number of my motorbike?", "answer": "It was not mentioned.", "category": "abstention", "message_evidences": [],
       "conversations": [{"id": "e", "messages": [{"speaker": "User", "text": "Which soup goes with rye bread?"}, {"speaker": "Assistant", "text": "Beetroot soup."}]}]}]}
    """#
