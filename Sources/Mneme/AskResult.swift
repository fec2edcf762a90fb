public import Foundation
package import MnemePipeline
public import MnemeStore

/// The answer to an ``AskRequest``.
public struct AskResult: Sendable, Codable {
    /// A part of an answer: a thing, a place, a person, a month.
    public struct Item: Sendable, Codable {
        /// What it is; empty for what has no name, as a run.
        public var label: String
        /// How much, with its unit.
        public var amount: String?
        /// When it was.
        public var time: Date?
        /// Memories that tell of it.
        public var memories: [CubeID]

        /// A part with the memories that tell of it.
        init(label: String, amount: String? = nil, time: Date? = nil, memories: [CubeID]) {
            (self.label, self.amount, self.time, self.memories) = (label, amount, time, memories)
        }
    }

    /// The answer in words.
    public var answer: String
    /// True if the memories settle it; if not, the answer is a guess, and ``reasons`` say why.
    public var certain: Bool
    /// Why it is a guess; empty for a certain one.
    public var reasons: [String]
    /// The number that was asked for.
    public var value: Double?
    /// The number's unit.
    public var unit: String?
    /// The day that was asked for, or of what was.
    public var time: Date?
    /// The answer to a question for yes or no.
    public var truth: Bool?
    /// The parts of the answer, in its order.
    public var items: [Item]
    /// The memories that were counted; where none could be, those that recall finds.
    public var memories: [MemCube]
    /// True if the memories are those that recall finds, and were not counted.
    public var recalled = false
    /// The model that answered, from the memories that it cites; nil for an answer by rule.
    public var model: String?
    /// Memories that were read.
    public var considered: Int

    /// The answer of the rules, with memories in the place of their numbers.
    package init(_ found: AskAnswer, _ cubes: [MemCube]) {
        answer =
            found.isUnderstood
            ? found.text : "This is no question that memories are counted for. These may help:"
        certain = found.isCertain
        reasons = found.doubts
        (value, unit, time, truth) = (found.value, found.unit, found.time, found.truth)
        items = found.items.map { item in
            Item(
                label: item.label, amount: item.amount, time: item.time,
                memories: item.memories.map { cubes[$0].id })
        }
        var seen: Set<Int> = []
        memories = found.memories.filter { seen.insert($0).inserted }.map { cubes[$0] }
        considered = cubes.count
    }
}
