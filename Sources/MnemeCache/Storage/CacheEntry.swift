public import Foundation

/// A kept answer.
public struct CacheEntry: Sendable, Equatable, Identifiable {
    /// Its number in the file.
    public let id: Int64
    /// Whose it is, as ``CacheKey/principal`` names it.
    public let principal: String
    /// The model that answered.
    public let model: String
    /// The question's category.
    public let category: QuestionCategory
    /// The last question of the conversation.
    public let question: String
    /// The body of the whole answer, as the endpoint sent it.
    public let answer: String
    /// When it was kept.
    public let stored: Date
    /// When it was used last.
    public let used: Date
    /// How often it was the answer.
    public let hits: Int

    /// Seconds since it was kept, at least 0.
    public func age(at now: Date = Date()) -> Double { max(0, now.timeIntervalSince(stored)) }
}
