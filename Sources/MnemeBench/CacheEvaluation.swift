public import Foundation
import Mneme
public import MnemeBase
public import MnemeCache
import NIOConcurrencyHelpers

/// What a cache of answers does with a stream of questions whose answers are known: questions of one
/// group have the same answer, in the version that holds at their time.
///
/// Questions are asked in their order with their own clock. A hit is false if its answer is another
/// group's, and stale if it is an earlier version.
public struct CacheEvaluation: Sendable {
    /// A question of the stream.
    public struct Question: Sendable, Codable {
        /// Seconds since the beginning.
        public var at: Double
        /// The text.
        public var question: String
        /// Questions of one group have the same answer.
        public var group: String
        /// Which answer holds now.
        public var version: Int?

        /// A question.
        public init(at: Double, question: String, group: String, version: Int? = nil) {
            (self.at, self.question, self.group, self.version) = (at, question, group, version)
        }
    }

    /// A way to use the cache, and what came of it.
    public struct Row: Sendable, Codable {
        /// Its name.
        public var name: String
        /// Questions, and those of them that were asked before in some form.
        public var questions = 0, repeats = 0
        /// Answers from the cache: of the same question, of similar ones.
        public var exact = 0, similar = 0
        /// Hits with another question's answer, and with one that holds no more.
        public var falseHits = 0, stale = 0
        /// Hits among the questions.
        public var hitRate: Double { Double(exact + similar) / Double(max(1, questions)) }
        /// Right answers without a call, among the questions.
        public var callsSaved: Double { Double(exact + similar - falseHits - stale) / Double(max(1, questions)) }
        /// False hits among the hits.
        public var falseShare: Double { Double(falseHits) / Double(max(1, exact + similar)) }
        /// Right and fresh hits among the questions that were asked before.
        public var recall: Double {
            Double(exact + similar - falseHits - stale) / Double(max(1, repeats))
        }

        enum CodingKeys: String, CodingKey {
            case name, questions, repeats, exact, similar, falseHits, stale
        }
    }

    /// A way to use the cache.
    public struct Way: Sendable {
        /// Its name.
        public let name: String
        let similarity: SimilarityModel, policies: CachePolicies

        /// A way.
        public init(_ name: String, _ similarity: SimilarityModel, _ policies: CachePolicies) {
            (self.name, self.similarity, self.policies) = (name, similarity, policies)
        }
    }

    /// The ways that are compared: by the same question alone, by the cosine at a threshold, with
    /// the rules for words, with the learned similarity and one policy for all, and with the
    /// policy of each category.
    public static func ways(policies: CachePolicies) -> [Way] {
        func uniform(_ threshold: Double, _ reuse: CachePolicy.Reuse = .verbatim) -> CachePolicies {
            var policy = CachePolicy.standard(.other)
            (policy.threshold, policy.reuse) = (threshold, reuse)
            return CachePolicies(uniform: policy)
        }
        return [
            Way("same question", .learned, uniform(1, .exact)),
            Way("cosine 0.80", .cosine, uniform(0.8)), Way("cosine 0.90", .cosine, uniform(0.9)),
            Way("cosine 0.95", .cosine, uniform(0.95)),
            Way("cosine 0.80, words", .cosineAndWords, uniform(0.8)),
            Way("learned, words", .learned, uniform(0.6)),
            Way("policy by category", .learned, policies),
        ]
    }

    /// The cosine alone, at thresholds: what an embedding model by itself can do.
    public static func cosineWays(_ thresholds: [Double]) -> [Way] {
        thresholds.map { threshold in
            var policy = CachePolicy.standard(.other)
            (policy.threshold, policy.timeToLive) = (threshold, 365 * 86_400)
            return Way("cosine " + String(format: "%.2f", threshold), .cosine, CachePolicies(uniform: policy))
        }
    }

    /// Reads a file of questions: a JSON object a line.
    ///
    /// - Throws: `InputError` that names the line.
    public static func read(_ data: Data) throws -> [Question] {
        var questions: [Question] = []
        for (number, line) in data.split(separator: UInt8(ascii: "\n")).enumerated() {
            do { questions.append(try JSONDecoder().decode(Question.self, from: Data(line))) } catch {
                throw InputError(
                    "Line \(number + 1) is no question: {\"at\": seconds, \"question\": text, \"group\": text, \"version\": number}."
                )
            }
        }
        guard !questions.isEmpty else { throw InputError("The file holds no questions.") }
        return questions
    }

    private let questions: [Question], embedder: any TextEmbedder

    /// An evaluation on a stream of questions.
    public init(_ questions: [Question], embedder: any TextEmbedder) {
        (self.questions, self.embedder) = (questions, KnownVectors(embedder))
    }

    /// Asks all questions in one way, in a cache of its own that is gone afterwards.
    ///
    /// - Throws: `StoreError`, and what the embedder throws.
    public func run(_ way: Way) throws -> Row {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-cache-\(UUID().uuidString)"
        ).path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let cache = try AnswerCache(
            path: folder + "/cache.db", embedder: embedder, similarity: way.similarity)
        try cache.becomeTemporary()
        for category in QuestionCategory.allCases { try cache.set(way.policies[category], for: category) }
        var row = Row(name: way.name)
        var seen: Set<String> = []
        for question in questions {
            let now = Date(timeIntervalSince1970: question.at)
            let key = try Self.key(question.question)
            let finding = try cache.find(key, now: now)
            let right = "\(question.group)\n\(question.version ?? 0)"
            row.questions += 1
            row.repeats += seen.insert(question.group).inserted ? 0 : 1
            guard let entry = finding.entry else {
                try cache.store(right, for: key, vector: finding.vector, now: now)
                continue
            }
            if finding.match == .exact { row.exact += 1 } else { row.similar += 1 }
            guard entry.answer != right else { continue }
            if entry.answer.split(separator: "\n").first.map(String.init) == question.group {
                row.stale += 1
            } else {
                row.falseHits += 1
            }
        }
        try cache.close()
        return row
    }

    /// All pairs of different questions, as `scripts/fit_cache.py` reads them: a JSON object a line.
    /// Pairs that ask something else and lie far apart are left out.
    ///
    /// - Complexity: quadratic in the number of questions.
    public func pairs(_ line: (String) -> Void) throws {
        let vectors = try questions.map { try embedder.embed([$0.question])[0] }
        for (place, question) in questions.enumerated() {
            for (other, earlier) in questions[..<place].enumerated() where earlier.question != question.question {
                let cosine = zip(vectors[place], vectors[other]).reduce(0) { $0 + Double($1.0 * $1.1) }
                let isSame = earlier.group == question.group
                guard isSame || cosine > 0.5 else { continue }
                let (words, letters) = SimilarityModel.features(earlier.question, question.question)
                line(
                    #"{"same":\#(isSame),"cosine":\#(cosine),"words":\#(words),"letters":\#(letters)}"#)
            }
        }
    }

    private static func key(_ question: String) throws -> CacheKey {
        let text = String(decoding: try JSONEncoder().encode(question), as: UTF8.self)
        let body = #"{"model":"m","messages":[{"role":"user","content":\#(text)}]}"#
        return try ChatRequest(Data(body.utf8)).key(for: .init(name: "eval", parts: ["eval"]))
    }
}

/// An embedder that remembers, so that several ways cost one embedding a question.
private final class KnownVectors: TextEmbedder {
    private let base: any TextEmbedder
    private let known = NIOLockedValueBox<[String: [Float]]>([:])
    let identifier: String, dimension: Int, maximumTokens: Int

    init(_ base: any TextEmbedder) {
        self.base = base
        (identifier, dimension, maximumTokens) = (base.identifier, base.dimension, base.maximumTokens)
    }

    func embed(_ texts: [String]) throws -> Embeddings {
        var values: [Float] = []
        for text in texts {
            let vector = try known.withLockedValue { $0[text] } ?? base.embed([text], as: .document)[0]
            known.withLockedValue { $0[text] = vector }
            values += vector
        }
        return Embeddings(dimension: dimension, values: values)
    }

    func tokenCount(_ text: String) -> Int { base.tokenCount(text) }
}
