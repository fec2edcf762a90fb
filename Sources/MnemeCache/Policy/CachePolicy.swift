import Foundation
import MnemeBase

/// How freely, how long and how many answers to questions of one category are reused.
public struct CachePolicy: Sendable, Codable, Equatable {
    /// What is done with an answer to a question that is similar, not the same.
    public enum Reuse: String, Sendable, Codable, CaseIterable {
        /// It is the answer.
        case verbatim
        /// It is shown to a smaller model as an example (Yu et al., IC-Cache, 2025).
        case example
        /// Only the same question is answered from the cache.
        case exact
        /// Nothing is kept.
        case off
    }
    /// The least similarity, from 0 to 1: see ``SimilarityModel``.
    public var threshold: Double
    /// Seconds for which an answer is good.
    public var timeToLive: Double
    /// Answers that are kept of this category for one principal; the least recently used go.
    public var quota: Int
    /// What is done with answers to similar questions.
    public var reuse: Reuse

    /// A policy.
    ///
    /// - Throws: `InputError` for a threshold out of 0...1, a time or a quota below 0.
    public init(threshold: Double, timeToLive: Double, quota: Int, reuse: Reuse = .verbatim) throws {
        (self.threshold, self.timeToLive, self.quota, self.reuse) = (threshold, timeToLive, quota, reuse)
        try check()
    }

    private init(_ threshold: Double, _ timeToLive: Double, _ quota: Int, _ reuse: Reuse) {
        (self.threshold, self.timeToLive, self.quota, self.reuse) = (threshold, timeToLive, quota, reuse)
    }

    /// - Throws: `InputError` if a value makes no sense.
    func check() throws {
        guard (0...1).contains(threshold), timeToLive >= 0, timeToLive <= 10 * 365 * 86_400,
            (0...10_000_000).contains(quota)
        else {
            throw InputError(
                "A threshold lies between 0 and 1, a time to live between 0 seconds and ten years, a quota between 0 and 10,000,000 answers."
            )
        }
    }

    /// The policy that a category has unless somebody sets another. Thresholds were chosen on the
    /// half of the made questions that is for that (`scripts/make_cache_data.py dev`).
    public static func standard(_ category: QuestionCategory) -> CachePolicy {
        let hour = 3_600.0
        let day = 86_400.0
        return switch category {
        case .live: CachePolicy(0.6, 300, 1_000, .verbatim)
        case .personal: CachePolicy(0.7, hour, 1_000, .verbatim)
        case .code: CachePolicy(0.6, 30 * day, 10_000, .verbatim)
        case .math: CachePolicy(0.6, 365 * day, 5_000, .verbatim)
        case .task: CachePolicy(0.8, day, 2_000, .verbatim)
        case .fact: CachePolicy(0.5, 7 * day, 20_000, .verbatim)
        case .other: CachePolicy(0.7, day, 5_000, .verbatim)
        }
    }
}

/// A policy for each category.
public struct CachePolicies: Sendable, Equatable {
    private var policies: [QuestionCategory: CachePolicy] = [:]

    /// ``CachePolicy/standard(_:)`` for each.
    public init() {}

    /// One policy for all categories.
    public init(uniform policy: CachePolicy) {
        for category in QuestionCategory.allCases { policies[category] = policy }
    }

    /// A category's policy.
    public subscript(category: QuestionCategory) -> CachePolicy {
        get { policies[category] ?? .standard(category) }
        set { policies[category] = newValue }
    }
}
