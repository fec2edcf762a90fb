import Foundation
import Mneme
import MnemeBase

extension BenchFormat {
    /// MemoryAgentBench (Hu et al. 2025): a long text a record, fed chunk by chunk, and questions about it in
    /// four competencies: accurate retrieval, test-time learning, long-range understanding and conflict
    /// resolution. Answers are scored as its `eval_other_utils.py` does.
    ///
    /// The data set is Parquet; a record is a line of JSON, as `datasets` writes it with `to_json`.
    public static let memoryAgentBench: BenchFormat = {
        var format = BenchFormat(
            name: "memoryagentbench", title: "MemoryAgentBench (Hu et al. 2025, arXiv:2507.05257)",
            source: "huggingface.co/datasets/ai-hyz/MemoryAgentBench, each split as JSON lines (docs/benches.md)",
            sample: memoryAgentSample)
        format.read = { record, number in [try context(record, number)] }
        format.score = score
        format.judged =
            "The authors judge summaries and LongMemEval's answers by a model; without one, words are compared."
        format.recognises = { $0["context"]?.string != nil && $0["questions"]?.array != nil }
        return format
    }()

    /// Characters of a chunk, about 500 tokens: the authors use 512 to 4,096.
    private static let chunk = 2000

    /// Competencies by how the names of their sources begin.
    private static let competencies = [
        ("factconsolidation", "conflict resolution"), ("icl", "test-time learning"), ("recsys", "test-time learning"),
        ("infbench", "long-range understanding"), ("detective", "long-range understanding"),
    ]

    /// One text with its questions.
    private static func context(_ record: JSONValue, _ number: Int) throws -> BenchEpisode {
        let fields = try BenchFields(record)
        let text = try fields.require("context", fields.text("context"))
        let questions = try fields.require("questions", fields.texts("questions"))
        let answers = try fields.require("answers", fields.list("answers"))
        guard questions.count == answers.count else { throw InputError("'questions' and 'answers' must be as many.") }
        let metadata = try fields.object("metadata")
        let source = try metadata?.text("source") ?? fields.text("source") ?? ""
        let competency = competencies.first { source.hasPrefix($0.0) }?.1 ?? "accurate retrieval"
        var episode = BenchEpisode(id: "\(number + 1) \(source)", turns: [], questions: [])
        episode.turns = Segmenter.parts(of: text, targetLength: chunk).enumerated().map { i, part in
            // A chunk is what the user says at a time.
            BenchTurn(id: "\(i + 1)", session: "chunk-\(i + 1)", text: String(part))
        }
        episode.questions = try zip(questions, answers).enumerated().map { i, pair in
            BenchQuestion(
                id: "q\(i + 1)", text: pair.0, category: "\(competency): \(kind(source))",
                answers: try BenchFields.flat(pair.1, "answers"))
        }
        return episode
    }

    /// A source's name without its size: `factconsolidation_mh_6k` is `factconsolidation_mh`.
    private static func kind(_ source: String) -> String {
        let parts = source.split(separator: "_").filter { $0.first?.isNumber != true }
        return parts.isEmpty ? "text" : parts.joined(separator: "_")
    }

    /// The scores of all answers, and of those that name several things how many are named.
    @Sendable private static func score(_ answer: String, _ question: BenchQuestion) -> [String: Double] {
        // What stands behind "Answer:" counts as well, as the better of the two.
        let parsed = answer.range(of: "answer:", options: .caseInsensitive).map { String(answer[$0.upperBound...]) }
        func best(_ score: (String, String) -> Double) -> Double {
            TextScore.best([answer, parsed ?? answer]) { text in TextScore.best(question.answers) { score(text, $0) } }
        }
        var scores = [
            "exact match": best(TextScore.exact), "F1": best(TextScore.f1), "contains": best(TextScore.contains),
        ]
        if question.category.contains("infbench") { scores["ROUGE-L"] = best(TextScore.rougeL) }
        if question.category.contains("eventqa") || question.category.contains("niah") {
            let said = answer.lowercased()
            let named = question.answers.count { said.contains($0.lowercased()) }
            scores["named"] = Double(named) / Double(max(1, question.answers.count))
        }
        return scores
    }
}

/// Four texts of our own, one a competency.
private let memoryAgentSample = #"""
    {"context": "The lighthouse of Skagen was painted red in 1907. Its keeper was Mette Holm, who kept bees. The harbour master of Skagen collected maps of the north. In 1911 the lamp was replaced by one from Bergen.", "questions": ["Who was the keeper of the lighthouse of Skagen?", "When was the lighthouse painted red?"], "answers": [["Mette Holm"], ["1907"]], "metadata": {"source": "ruler_qa1_own"}}
    {"context": "Sentence: my card was eaten by the machine. label: 3\nSentence: the exchange rate looks wrong. label: 8\nSentence: the cash machine kept my card. label: 3\nSentence: why is the rate for euros so low. label: 8", "questions": ["Sentence: a machine has swallowed my card. Which label?"], "answers": [["3"]], "metadata": {"source": "icl_own_4shot"}}
    {"context": "Chapter one. Inspector Rao finds the vault open and the guard asleep. Chapter two. The guard's tea smells of valerian, and only the cook served tea. Chapter three. The cook has a brother in debt. Chapter four. Rao returns the necklace.", "questions": ["Who drugged the guard's tea?"], "answers": [["The cook"]], "metadata": {"source": "detective_qa_own"}}
    {"context": "0. The capital of Veldonia is Arn. 1. The anthem of Veldonia was written by Tilo Brandt. 2. The capital of Veldonia is Mirow. 3. The river of Mirow is the Saale.", "questions": ["Newer facts have larger numbers. What is the capital of Veldonia?"], "answers": [["Mirow"]], "metadata": {"source": "factconsolidation_sh_own"}}
    """#
