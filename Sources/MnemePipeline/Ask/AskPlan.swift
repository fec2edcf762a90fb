package import Foundation

/// A time that a question names, as found by whoever asks.
package struct AskTime: Sendable {
    /// The words that name it, in lower case.
    package var words: String
    /// The span; the end is not part of it.
    package var span: Range<Date>

    /// Words and the span that they mean.
    package init(words: String, span: Range<Date>) {
        self.words = words
        self.span = span
    }
}

/// What a question wants to know of what happened: which happenings count, and what is made of them.
struct AskPlan: Equatable {
    /// What is made of the happenings that fit.
    enum Goal: Equatable {
        /// How many there are, or how many different ones, or how many things of a kind.
        case count(Count)
        /// The sum of an amount, in a unit if the question names one.
        case sum(AskAmount.Kind, in: AskUnit?)
        /// The mean of an amount.
        case average(AskAmount.Kind)
        /// The amount of the only one.
        case amount(AskAmount.Kind)
        /// So many with the largest or smallest amounts, or the first or last.
        case extremes(Order, count: Int, wantsTime: Bool)
        /// The one of a group that has the most or the least.
        case most(Group, by: Weight, least: Bool)
        /// The day.
        case time
        /// All.
        case list
        /// The items of the question by time; the first of them only.
        case order([[String]], firstOnly: Bool, lastOnly: Bool)
        /// Whether the first came before the second.
        case isBefore([String], [String], isSwapped: Bool)
        /// Whether the sum, or their number, is beyond a bound.
        case exceeds(Bound)
    }
    /// What is counted.
    enum Count: Equatable {
        case happenings
        case things(String)
        case different(Group)
        case actors
    }
    /// What happenings are ordered by.
    enum Order: Equatable {
        case time(last: Bool)
        case amount(AskAmount.Kind?, smallest: Bool)
    }
    /// What happenings are put together by.
    enum Group: Equatable { case actor, place, person, month, object }
    /// What counts in a group.
    enum Weight: Equatable {
        case count
        case amount(AskAmount.Kind)
    }
    /// A bound on an amount, in its kind's own unit, or on a count.
    struct Bound: Equatable {
        /// nil bounds a count.
        var kind: AskAmount.Kind?
        var value: Double
        /// More than, rather than less than.
        var isAbove: Bool
        /// The bound itself counts too.
        var isInclusive = false

        func holds(_ other: Double) -> Bool {
            isInclusive && other == value || (isAbove ? other > value : other < value)
        }
    }

    /// What is made of them.
    var goal: Goal
    /// Who: nil for anybody.
    var actor: String?
    /// Whoever asks: "I".
    var isOwn = false
    /// What was done.
    var actions: Set<String> = []
    /// The stem of the verb that it must have been done with.
    var verb: String?
    /// What was only begun does not count.
    var isFinished = false
    /// Stems of which the clause must hold all.
    var topics: [String] = []
    /// The stem of a noun that the object must have.
    var noun: String?
    /// When.
    var spans: [Range<Date>] = []
    /// Places must be cities.
    var wantsCities = false
    /// Stems of the items that are compared; none compares nothing.
    var items: [[String]] {
        switch goal {
        case .order(let items, _, _): items
        case .isBefore(let first, let second, _): [first, second]
        default: []
        }
    }
    /// A bound on each.
    var bound: Bound?
    /// What is asked for in the answer: the unit of a named amount.
    var unit: AskUnit?
}
