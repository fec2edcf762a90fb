package import Foundation

/// A memory as aggregation sees it.
package struct AskMemory: Sendable {
    /// Its text.
    package var text: String
    /// Who said it.
    package var speaker: String?
    /// When it was said, on the speaker's clock, as UTC.
    package var time: Date
    /// Times that its text names; the ends are not part of them.
    package var dates: [Range<Date>]

    /// A text, its speaker, and its times.
    package init(text: String, speaker: String?, time: Date, dates: [Range<Date>] = []) {
        self.text = text
        self.speaker = speaker
        self.time = time
        self.dates = dates
    }
}

/// Something that somebody did, read from one sentence.
struct Happening: Equatable {
    /// The memory's place among those asked.
    var memory: Int
    /// Who did it, in lower case; nil is whoever keeps the memory.
    var actor: String?
    /// True if the actor did it with others: "we".
    var isShared = false
    /// What was done: an action of ``ActionWords``, or a verb's stem.
    var action: String
    /// The stem of the verb that was used.
    var verb: String
    /// The thing that it was done to, as the text names it.
    var object = ""
    /// Stems of the object's own words, without what describes it further.
    var objectStems: Set<String> = []
    /// Stems of all words of the clause.
    var stems: Set<String> = []
    /// How many things, by the stems of their names; nil where the text does not say it.
    var quantities: [String: Double?] = [:]
    /// True if the clause tells of more than one time: "twice", "5 km on Monday and 7 km on Friday".
    var isSeveral = false
    /// Places that it led to.
    var places: [String] = []
    /// People whom it was done with.
    var people: [String] = []
    /// Amounts with units.
    var amounts: [AskAmount] = []
    /// The day; a longer span where the text names no day.
    var time: Range<Date>
    /// Whether it happened.
    var status = Status.done

    enum Status: Equatable {
        /// It did.
        case done
        /// It did not, or lies ahead.
        case unreal
        /// It goes on, or happens again and again, so that it cannot be counted.
        case unfinished
    }

    /// What names it in an answer.
    var label: String {
        if action == "travel", !places.isEmpty { return places.joined(separator: ", ") }
        if ["meet", "meeting"].contains(action), !people.isEmpty { return people.joined(separator: ", ") }
        return object
    }

    /// Stems of what identifies it: the thing, the place, the people.
    var identity: Set<String> {
        objectStems.union((places + people).flatMap { AskWord.words(of: $0).map(\.stem) })
    }

    /// The amount of a kind.
    func amount(_ kind: AskAmount.Kind) -> AskAmount? { amounts.first { $0.kind.isLike(kind) } }
}
