public import Foundation
public import MnemeBase
import MnemeCache
public import MnemeEngine

/// What a cache saves whose answers are shown to a smaller model as examples, beside handing them out again: a stream of
/// questions, for each the right answer and what the large model says. The smaller model is asked in fact.
///
/// What the large model said is kept, and nothing else. The very same question gets its kept answer in every way.
public struct ExampleEvaluation: Sendable {
    /// A question of the stream.
    public struct Question: Sendable, Codable {
        /// The text, and what is right.
        public var question: String, answer: String
        /// What the large model says; the right answer if left out.
        public var large: String?
    }

    /// What came of one way.
    public struct Row: Sendable, Codable, Equatable {
        /// Its name.
        public var name: String
        /// Questions, and right answers.
        public var questions = 0, right = 0
        /// Kept answers handed out, and answers of the smaller model.
        public var reused = 0, small = 0
        /// Calls of either model, those to learn from among them.
        public var smallCalls = 0, largeCalls = 0
        /// Examples shown, of all answers of the smaller model.
        public var examples = 0
        /// The share of questions that the smaller model answered.
        public var offloaded: Double { Double(small) / Double(max(1, questions)) }
        /// The share of right answers.
        public var quality: Double { Double(right) / Double(max(1, questions)) }
    }

    /// How the learned way goes on.
    public struct Plan: Sendable {
        /// Examples that are shown at most, and entries that they are chosen of.
        public var examples = 3, candidates = 12
        /// Quality from which the smaller model is asked.
        public var threshold = 0.7
        /// Shares of the questions for which both models are asked, so that there is something to learn from: where the smaller
        /// one answers, and where the large one does.
        public var checked = 0.1, tried = 0.3
        /// The same seed checks the same questions.
        public var seed: UInt64 = 1

        /// The standard plan.
        public init() {}
    }

    /// Asks the smaller model.
    public typealias Ask = @Sendable (_ messages: [ChatMessage]) async throws -> String

    private let questions: [Question], vectors: [[Float]], plan: Plan
    private let small: RememberedAnswers

    /// An evaluation; vectors are made at once.
    ///
    /// - Throws: what the embedder throws, `InputError` without questions.
    public init(
        _ questions: [Question], embedder: any TextEmbedder, plan: Plan = Plan(), small: @escaping Ask
    ) throws {
        guard !questions.isEmpty else { throw InputError("The file holds no questions.") }
        let made = try embedder.embed(questions.map(\.question), as: .document)
        vectors = (0..<made.count).map { made[$0] }
        (self.questions, self.plan, self.small) = (questions, plan, RememberedAnswers(small))
    }

    /// Reads a file of questions: a JSON object a line.
    ///
    /// - Throws: `InputError` that names the line.
    public static func read(_ data: Data) throws -> [Question] {
        try data.split(separator: UInt8(ascii: "\n")).enumerated().map { number, line in
            do { return try JSONDecoder().decode(Question.self, from: Data(line)) } catch {
                throw InputError(
                    "Line \(number + 1) is no question: {\"question\": text, \"answer\": text, \"large\": text}.")
            }
        }
    }

    /// Plays the stream in every way.
    ///
    /// - Parameter progress: ways done, and how many there are.
    /// - Throws: what the smaller model throws, and `CancellationError`.
    public func run(progress: @Sendable (Int, Int) -> Void = { _, _ in }) async throws -> [Row] {
        let ways: [(String, Way)] = [
            ("large model alone", .large), ("small model alone", .small), ("reuse, cosine 0.80", .reuse(0.8)),
            ("reuse, cosine 0.90", .reuse(0.9)), ("nearest as examples", .nearest), ("examples by use", .use),
        ]
        var rows: [Row] = []
        for (name, way) in ways {
            progress(rows.count, ways.count)
            rows.append(try await play(way, name))
        }
        return rows
    }

    private enum Way {
        case large, small
        case reuse(Double)
        case nearest, use
    }

    /// An answer that was kept.
    private struct Kept { var question: Int, answer: String }

    /// The similarity below which nothing is like a question, so that the large model is asked.
    private static let unlike = 0.5

    private func play(_ way: Way, _ name: String) async throws -> Row {
        var row = Row(name: name)
        var (kept, use): ([Kept], ExampleUse) = ([], ExampleUse())
        var random = SplitMix64(seed: plan.seed)
        for place in questions.indices {
            try Task.checkCancellation()
            row.questions += 1
            let question = questions[place]
            let large = question.large ?? question.answer
            if case .small = way {
                add(try await ask(place, [], &row), to: &row, question)
                continue
            }
            if case .large = way {
                row.largeCalls += 1
                row.right += isRight(large, question) ? 1 : 0
                continue
            }
            if let same = kept.last(where: { questions[$0.question].question == question.question }) {
                row.reused += 1
                row.right += isRight(same.answer, question) ? 1 : 0
                continue
            }
            let near = self.near(place, kept)
            var isLarge = true
            switch way {
            case .reuse(let least):
                if let best = near.first, best.similarity >= least {
                    row.reused += 1
                    row.right += isRight(kept[Int(best.id)].answer, question) ? 1 : 0
                    isLarge = false
                }
            case .nearest:
                if let best = near.first, best.similarity >= Self.unlike {
                    let shown = Array(near.prefix(plan.examples).reversed())
                    add(try await ask(place, shown.map { kept[Int($0.id)] }, &row), to: &row, question)
                    isLarge = false
                }
            default:
                let shown = use.chosen(of: near, count: plan.examples)
                let isSmall = use.quality(with: shown, vector: vectors[place]) >= plan.threshold
                isLarge = !isSmall
                let isJudged = random.unit() < (isSmall ? plan.checked : plan.tried)
                guard isSmall || isJudged else { break }
                let answer = try await ask(place, shown.map { kept[Int($0.id)] }, &row)
                if isSmall { add(answer, to: &row, question) }
                guard isJudged else { break }
                // What the large model says is what the smaller one is judged by: nobody knows more at the time.
                use.learn(Self.plain(answer) == Self.plain(large), with: shown, vector: vectors[place])
                if isSmall {
                    row.largeCalls += 1
                    kept.append(Kept(question: place, answer: large))
                }
            }
            guard isLarge else { continue }
            row.largeCalls += 1
            row.right += isRight(large, question) ? 1 : 0
            kept.append(Kept(question: place, answer: large))
        }
        return row
    }

    /// Kept answers to the most similar questions, the nearest first; numbers are places among what is kept.
    private func near(_ place: Int, _ kept: [Kept]) -> [ExampleUse.Candidate] {
        kept.enumerated().map { number, entry in
            let cosine = zip(vectors[entry.question], vectors[place]).reduce(0) { $0 + Double($1.0 * $1.1) }
            return ExampleUse.Candidate(id: Int64(number), similarity: cosine)
        }.sorted { ($1.similarity, $1.id) < ($0.similarity, $0.id) }.prefix(plan.candidates).map(\.self)
    }

    /// The smaller model's answer behind examples.
    private func ask(_ place: Int, _ examples: [Kept], _ row: inout Row) async throws -> String {
        row.smallCalls += 1
        row.examples += examples.count
        let shown = examples.flatMap {
            [
                ChatMessage(role: "user", content: questions[$0.question].question),
                ChatMessage(role: "assistant", content: $0.answer),
            ]
        }
        return try await small.answer(shown + [ChatMessage(role: "user", content: questions[place].question)])
    }

    private func add(_ answer: String, to row: inout Row, _ question: Question) {
        row.small += 1
        row.right += isRight(answer, question) ? 1 : 0
    }

    private func isRight(_ answer: String, _ question: Question) -> Bool {
        Self.plain(answer) == Self.plain(question.answer)
    }

    /// A text without what makes no difference: capitals, space at the ends and between words, a last full stop.
    static func plain(_ text: String) -> String {
        let words = text.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return words.hasSuffix(".") ? String(words.dropLast()) : words
    }
}

/// A model whose answers are remembered, so that several ways cost one call a prompt.
private actor RememberedAnswers {
    private let base: ExampleEvaluation.Ask
    private var known: [String: String] = [:]

    init(_ base: @escaping ExampleEvaluation.Ask) { self.base = base }

    func answer(_ messages: [ChatMessage]) async throws -> String {
        let key = messages.map { "\($0.role)\n\($0.content)" }.joined(separator: "\u{0}")
        if let answer = known[key] { return answer }
        let answer = try await base(messages)
        known[key] = answer
        return answer
    }
}
