public import Foundation
import MnemeBase

/// A question with what two models did with it, for choosing between them: the taxonomy of routing
/// strategies is that of Varangot-Reille et al., *Doing More with Less* (2025).
public struct RoutedQuestion: Sendable, Codable {
    /// The text.
    public var question: String
    /// True if the small model's answer is good, and the large one's.
    public var small: Bool, large: Bool
    /// The mean probability of the tokens of the small model's answer, from 0 to 1.
    public var confidence: Double?
    /// What a model said when asked whether the small one will do, from 0 to 1.
    public var judged: Double?
    /// The text's vector, once it is made.
    public var vector: [Float]?

    /// A question whose models' answers are known.
    public init(_ question: String, small: Bool, large: Bool, confidence: Double? = nil, judged: Double? = nil) {
        (self.question, self.small, self.large) = (question, small, large)
        (self.confidence, self.judged) = (confidence, judged)
    }

    /// Reads a record of questions: a JSON object a line.
    ///
    /// - Throws: `InputError` that names the line.
    public static func list(_ data: Data) throws -> [RoutedQuestion] {
        let lines = data.split(separator: UInt8(ascii: "\n"))
        let questions = try lines.enumerated().map { number, line in
            do { return try JSONDecoder().decode(RoutedQuestion.self, from: Data(line)) } catch {
                throw InputError(
                    "Line \(number + 1) is no routed question: {\"question\": text, \"small\": true, \"large\": true, \"confidence\": 0.9, \"judged\": 0.8}."
                )
            }
        }
        guard questions.count >= 4 else { throw InputError("At least four questions are needed.") }
        return questions
    }
}

/// Chooses for a question between a small and a large model.
public protocol ModelRouter: Sendable {
    /// Its name.
    static var name: String { get }
    /// When it chooses, and what is paid for that.
    static var stage: RouterStage { get }
    /// Learns from questions whose models' answers are known.
    init(examples: [RoutedQuestion])
    /// How likely the small model's answer is good, from 0 to 1; nil if it cannot tell.
    func share(_ question: RoutedQuestion) -> Double?
}

/// When a router chooses.
public enum RouterStage: String, Sendable, Codable {
    /// Before any model is asked.
    case before
    /// When the small model has answered: its answer is paid for in any case.
    case after
    /// Before, but a model is asked for its judgement, which costs as much as a small answer.
    case judged
}

/// All routers, by name.
public enum RouterCatalog {
    /// In the order in which they are shown.
    public static let all: [any ModelRouter.Type] = [
        SimilarityRouter.self, ClassifierRouter.self, CascadeRouter.self, JudgeRouter.self,
    ]
}
