package import Foundation

/// What the memories say to a question, and how sure that is.
package struct AskAnswer: Sendable {
    /// One line of the answer: a thing, a place, a person, a month.
    package struct Item: Sendable {
        /// What it is.
        package var label: String
        /// How much or how many, as the answer writes it.
        package var amount: String?
        /// When, where it has a day.
        package var time: Date?
        /// Places of the memories that tell of it.
        package var memories: [Int]
    }

    /// The answer in words.
    package var text = ""
    /// A number, in the unit of ``unit``.
    package var value: Double?
    /// The unit of the value, if it has one.
    package var unit: String?
    /// A day.
    package var time: Date?
    /// Yes or no.
    package var truth: Bool?
    /// The parts of the answer, in its order.
    package var items: [Item] = []
    /// True if the memories settle it.
    package var isCertain: Bool { doubts.isEmpty }
    /// Why it is a guess.
    package var doubts: [String] = []
    /// Places of the memories that were counted.
    package var memories: [Int] = []
    /// False if no rule reads the question; the rest says nothing then.
    package var isUnderstood = true
}

/// Answers questions that put many memories together: how many, how much, which most, in what order (after GlobalQA,
/// row 237). By rule and in English.
package enum Aggregation {
    /// The answer to a question.
    ///
    /// - Parameters:
    ///   - question: in plain words.
    ///   - times: spans that it names.
    ///   - memories: all that may be told of.
    /// - Complexity: linear in the length of all memories.
    package static func answer(_ question: String, times: [AskTime] = [], memories: [AskMemory]) -> AskAnswer {
        let reader = HappeningReader(memories)
        let actors = Set(reader.happenings.compactMap(\.actor)).union(memories.compactMap { $0.speaker?.lowercased() })
        guard let plan = AskPlanReader.plan(question, times: times, actors: actors) else {
            var answer = AskAnswer()
            answer.isUnderstood = false
            answer.doubts = ["the question is none of those that are counted by rule"]
            return answer
        }
        return AskRun(plan, reader, memories).answer()
    }
}
