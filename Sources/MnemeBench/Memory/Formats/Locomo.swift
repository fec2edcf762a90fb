import Foundation
import Mneme
import MnemeBase

extension BenchFormat {
    /// LoCoMo (Maharana et al. 2024): conversations of two people over months, and questions of five
    /// kinds. Answers are scored as its `evaluation.py` does: F1 of stems, of lists for multi-hop questions,
    /// and for adversarial ones whether the answer says that there is none. Beside it stands BLEU-1, as others report it.
    public static let locomo: BenchFormat = {
        var format = BenchFormat(
            name: "locomo", title: "LoCoMo (Maharana et al. 2024, arXiv:2402.17753)",
            source: "github.com/snap-research/locomo, data/locomo10.json", sample: locomoSample)
        format.read = { record, number in
            let conversation = try LocomoConversation.read(record, number: number)
            let known = Set(conversation.turns.map(\.id))
            var episode = BenchEpisode(id: conversation.id, turns: [], questions: [])
            episode.turns = conversation.turns.map {
                BenchTurn(id: $0.id, session: $0.session, speaker: $0.speaker, text: $0.text).at($0.time)
            }
            for (i, asked) in conversation.questions.enumerated() {
                let evidence = known.intersection(asked.evidence)
                guard let kind = kinds[asked.category], !evidence.isEmpty || asked.category == 5 else { continue }
                var question = BenchQuestion(
                    id: "q\(i + 1)", text: asked.text, category: kind, answers: asked.answer.map { [$0] } ?? [])
                question.evidence = evidence
                if asked.category == 5 {
                    // Its evidence tells of something else, and its answer is of another question.
                    (question.evidence, question.answers, question.isUnanswerable) = ([], [], true)
                }
                episode.questions.append(question)
            }
            return [episode]
        }
        format.score = { answer, question in
            guard !question.isUnanswerable else {
                let said = answer.lowercased()
                return ["F1": said.contains("no information available") || said.contains("not mentioned") ? 1 : 0]
            }
            guard var reference = question.answers.first else { return [:] }
            if question.category == kinds[3] {
                reference = String(reference.prefix { $0 != ";" }).trimmingCharacters(in: .whitespaces)
            }
            let isList = question.category == kinds[1]
            return [
                "F1": isList ? TextScore.listF1(answer, reference) : TextScore.stemF1(answer, reference),
                "BLEU-1": TextScore.bleu1(answer, reference),
            ]
        }
        format.recognises = { $0["conversation"]?.object != nil && $0["qa"]?.array != nil }
        return format
    }()

    /// Kinds of questions by the numbers that the file has.
    private static let kinds = [
        1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial",
    ]
}

/// A conversation of our own in the form of `locomo10.json`.
private let locomoSample = #"""
    [{"sample_id": "sample-1",
      "conversation": {
        "speaker_a": "Nora", "speaker_b": "Emil",
        "session_1_date_time": "6:05 pm on 3 March, 2024",
        "session_1": [
          {"speaker": "Nora", "dia_id": "D1:1", "text": "I finally signed up for the ceramics course at the old mill."},
          {"speaker": "Emil", "dia_id": "D1:2", "text": "Lovely! I adopted a greyhound last week, she is called Vega."},
          {"speaker": "Nora", "dia_id": "D1:3", "text": "My sister Ida is allergic to dogs, so we only ever had turtles."},
          {"speaker": "Emil", "dia_id": "D1:4", "text": "I repair accordions now, mostly for the folk club in Bergen."}],
        "session_2_date_time": "9:30 am on 20 April, 2024",
        "session_2": [
          {"speaker": "Nora", "dia_id": "D2:1", "text": "The ceramics teacher let me fire two blue vases yesterday."},
          {"speaker": "Emil", "dia_id": "D2:2", "text": "Vega won a ribbon at the park race on Sunday."},
          {"speaker": "Nora", "dia_id": "D2:3", "text": "I also started sailing lessons, the harbour is five minutes away."},
          {"speaker": "Emil", "dia_id": "D2:4", "text": "I will play at the midsummer party in June with the folk club."}]},
      "qa": [
        {"question": "What did Nora sign up for in March?", "answer": "a ceramics course", "evidence": ["D1:1"], "category": 4},
        {"question": "What is the name of Emil's greyhound?", "answer": "Vega", "evidence": ["D1:2"], "category": 4},
        {"question": "When did Nora fire the blue vases?", "answer": "19 April 2024", "evidence": ["D2:1"], "category": 2},
        {"question": "Which hobbies has Nora begun?", "answer": "ceramics, sailing", "evidence": ["D1:1", "D2:3"], "category": 1},
        {"question": "Would Ida enjoy a visit to Emil's home?", "answer": "No; she is allergic to dogs", "evidence": ["D1:3", "D1:2"], "category": 3},
        {"question": "Which instrument does Nora repair?", "adversarial_answer": "accordions", "evidence": ["D1:4"], "category": 5}]}]
    """#
