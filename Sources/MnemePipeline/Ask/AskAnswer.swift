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
