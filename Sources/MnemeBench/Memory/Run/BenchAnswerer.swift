public import Foundation
public import Mneme
import MnemeStore

/// What an answer is made from: the question, what was recalled for it, and the memories themselves.
public struct BenchContext: Sendable {
    /// The question.
    public var question: BenchQuestion
    /// The recalled memories, the best first.
    public var memories: [MemCube]
    /// All memories, for what asks more than recall.
    public var memory: MemoryOS
    /// Whose memories are asked.
    public var owner: Owner
    /// The time of the question.
    public var now: Date
}

/// Answers the questions of a benchmark.
public protocol BenchAnswerer: Sendable {
    /// Says in a line what answers, for the evaluation card.
    var name: String { get }
    /// The tokens of a model that one answer takes, about; 0 if none is asked.
    func tokens(of memories: Int) -> Int
    /// The answer; ``BenchAnswer/none`` if the memories hold none.
    ///
    /// Throws what a model or the store throws.
    func answer(_ context: BenchContext) async throws -> String
}

/// The answer that says that there is none.
public enum BenchAnswer {
    /// LoCoMo's words for it, which its scorer looks for.
    public static let none = "No information available"

    /// Phrases that decline to answer, besides ``none``; LoCoMo's script knows the first two.
    private static let declining = [
        "no information available", "not mentioned", "not specified", "do not know", "don't know",
        "cannot be determined",
        "not enough information", "no information about", "never mentioned", "wasn't mentioned", "isn't mentioned",
    ]

    /// True if an answer declines to answer.
    public static func declines(_ answer: String) -> Bool {
        let answer = answer.lowercased().replacing("’", with: "'")
        return declining.contains(where: answer.contains)
    }
}
