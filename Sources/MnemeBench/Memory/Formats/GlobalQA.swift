import Foundation
import Mneme
import MnemeBase

extension BenchFormat {
    /// GlobalQA (Luo et al. 2025): questions about a whole collection of documents: counting, extremes,
    /// sorting, top-k. Scored by the answer's F1 and by the F1 of the documents that it rests on.
    ///
    /// A record is a collection: `corpus` (objects with `id` and `text`, `contents` or `content`) and `questions`
    /// (objects with `question`, `answer`, `type`, and `documents` or `doc_ids`).
    public static let globalQA: BenchFormat = {
        var format = BenchFormat(
            name: "globalqa", title: "GlobalQA (Luo et al. 2025, arXiv:2510.26205)",
            source: "the authors' corpus and questions joined into one JSON object (docs/benches.md)",
            sample: globalSample)
        format.read = { record, number in [try collection(record, number)] }
        format.score = score
        format.recognises = { $0["corpus"]?.array != nil && $0["questions"]?.array != nil }
        return format
    }()

    private static func collection(_ record: JSONValue, _ number: Int) throws -> BenchEpisode {
        let fields = try BenchFields(record)
        var episode = BenchEpisode(
            id: try fields.answer("id") ?? "corpus-\(number + 1)", turns: [], questions: [])
        episode.turns = try fields.require("corpus", fields.list("corpus")).enumerated().map { i, value in
            let document = try BenchFields(value)
            let text = try document.text("text") ?? document.text("contents") ?? document.text("content")
            let turn = BenchTurn(
                id: try document.answer("id") ?? "d\(i + 1)", session: "corpus",
                speaker: try document.text("author"), text: try document.require("text", text))
            return turn.at(try document.answer("time").flatMap(BenchTime.date))
        }
        let known = Set(episode.turns.map(\.id))
        episode.questions = try fields.require("questions", fields.list("questions")).enumerated().map { i, value in
            let asked = try BenchFields(value)
            let answer = asked.value("answer")
            // A list is one answer: all of it is asked for, in its order.
            let parts = try answer.map { try BenchFields.flat($0, "answer") } ?? []
            var question = BenchQuestion(
                id: try asked.answer("id") ?? "q\(i + 1)", text: try asked.require("question", asked.text("question")),
                category: try asked.text("type") ?? "global", answers: [parts.joined(separator: ", ")])
            let documents = try asked.texts("documents") ?? asked.texts("doc_ids") ?? []
            question.evidence = known.intersection(documents)
            question.time = try asked.answer("time").flatMap(BenchTime.date)
            return question
        }
        return episode
    }

    /// F1 of words; of a number whether it is the answer's; of a list whether its parts come in that order.
    @Sendable private static func score(_ answer: String, _ question: BenchQuestion) -> [String: Double] {
        guard let reference = question.answers.first else { return [:] }
        var scores = ["F1": TextScore.f1(answer, reference), "contains": TextScore.contains(answer, reference)]
        let parts = reference.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces).lowercased() }
        guard parts.count > 1 else { return scores }
        let said = answer.lowercased()
        let places = parts.map { said.range(of: $0)?.lowerBound }
        let inOrder = zip(places, places.dropFirst()).allSatisfy { a, b in a.flatMap { a in b.map { a < $0 } } ?? false
        }
        scores["contains"] = inOrder ? 1 : 0
        return scores
    }

    /// F1 of two sets of documents.
    static func documentF1(_ found: Set<String>, _ wanted: Set<String>) -> Double {
        let common = Double(found.intersection(wanted).count)
        return common > 0 ? 2 * common / Double(found.count + wanted.count) : 0
    }
}

/// Documents of our own: what members of a club did.
private let globalSample = #"""
    {"id": "club", "corpus": [
      {"id": "d1", "author": "Ana", "time": "2024-01-06", "text": "I ran 5 km on Saturday."},
      {"id": "d2", "author": "Ana", "time": "2024-01-20", "text": "I ran 8 km today."},
      {"id": "d3", "author": "Ana", "time": "2024-02-03", "text": "I ran 12 km today."},
      {"id": "d4", "author": "Ana", "time": "2024-02-10", "text": "I baked a rye loaf."},
      {"id": "d5", "author": "Ana", "time": "2024-02-17", "text": "I visited Lisbon."},
      {"id": "d6", "author": "Ana", "time": "2024-03-02", "text": "I visited Porto."},
      {"id": "d7", "author": "Ana", "time": "2024-03-09", "text": "I visited Faro."},
      {"id": "d8", "author": "Ana", "time": "2024-03-16", "text": "I bought a kayak for 300 euros."},
      {"id": "d9", "author": "Ana", "time": "2024-03-23", "text": "I bought a tent for 120 euros."},
      {"id": "d10", "author": "Ana", "time": "2024-03-30", "text": "The ferry was late again."},
      {"id": "d11", "author": "Ana", "time": "2024-04-06", "text": "I ran 10 km today."},
      {"id": "d12", "author": "Ana", "time": "2024-04-13", "text": "I bought a map for 9 euros."},
      {"id": "d13", "author": "Ana", "time": "2024-04-20", "text": "The kettle whistles in a minor key."},
      {"id": "d14", "author": "Ana", "time": "2024-04-27", "text": "I visited Evora."}],
     "questions": [
      {"question": "How many times did Ana run?", "answer": 4, "type": "counting", "documents": ["d1", "d2", "d3", "d11"], "time": "2024-05-01"},
      {"question": "How many cities did Ana visit?", "answer": 4, "type": "counting", "documents": ["d5", "d6", "d7", "d14"], "time": "2024-05-01"},
      {"question": "How much did Ana spend in total?", "answer": "429", "type": "counting", "documents": ["d8", "d9", "d12"], "time": "2024-05-01"},
      {"question": "What was Ana's longest run?", "answer": "12 km", "type": "extremum", "documents": ["d3"], "time": "2024-05-01"},
      {"question": "Which cities did Ana visit, in order?", "answer": ["Lisbon", "Porto", "Faro", "Evora"], "type": "sorting", "documents": ["d5", "d6", "d7", "d14"], "time": "2024-05-01"},
      {"question": "What are the top 2 most expensive things that Ana bought?", "answer": ["kayak", "tent"], "type": "top-k", "documents": ["d8", "d9"], "time": "2024-05-01"}]}
    """#
