import Foundation

/// Carries out the plan of a question on what was read from memories, and collects what makes the answer doubtful.
struct AskRun {
    private let plan: AskPlan
    private let reader: HappeningReader
    private let memories: [AskMemory]
    /// Those that fit, by time; each once.
    private var fitting: [Happening] = []
    private var doubts: [String] = []

    init(_ plan: AskPlan, _ reader: HappeningReader, _ memories: [AskMemory]) {
        self.plan = plan
        self.reader = reader
        self.memories = memories
        select()
    }

    /// The answer.
    func answer() -> AskAnswer {
        var answer = AskAnswer()
        answer.doubts = doubts
        answer.memories = fitting.map(\.memory)
        guard !fitting.isEmpty else { return empty(answer) }
        AskGoal(plan, fitting).fill(&answer)
        if plan.wantsCities { answer.doubts.append("that these places are cities is not told") }
        if let nameless = answer.items.first(where: { $0.label.isEmpty && $0.amount == nil }), asksName {
            answer.doubts.append("what it was is not named in '\(quote(nameless.memories.first ?? 0))'")
        }
        return answer
    }

    /// True if the answer is a name.
    private var asksName: Bool {
        switch plan.goal {
        case .list, .most, .order: true
        case .extremes(_, _, let wantsTime): !wantsTime
        default: false
        }
    }

    /// Nothing fits: a count of none is a guess, as nobody says that it was none.
    private func empty(_ answer: AskAnswer) -> AskAnswer {
        var answer = answer
        answer.doubts.insert("no memory tells of it", at: 0)
        switch plan.goal {
        case .count, .sum:
            answer.value = 0
            answer.text = "None that a memory tells of"
        case .isBefore, .exceeds, .list, .most, .order, .time, .extremes, .average, .amount:
            answer.text = "No memory tells of it"
        }
        return answer
    }

    private func quote(_ place: Int) -> String {
        String(
            memories[place].text.split(whereSeparator: \.isNewline).joined(separator: " ").prefix(80))
    }

    // MARK: What fits

    private mutating func select() {
        var wordsOfAction = Set(ActionWords.nouns.filter { plan.actions.contains($0.value) }.keys)
        wordsOfAction.formUnion(ActionWords.verbs.filter { plan.actions.contains($0.value) }.keys)
        var found: [Happening] = []
        for happening in reader.happenings where plan.actions.contains(happening.action) {
            guard fitsActor(happening), fitsWords(happening), isCompared(happening.stems) else { continue }
            switch fitsTime(happening) {
            case false?: continue
            case nil: doubt(happening, "it is not clear when this was")
            case true?: break
            }
            if let bound = plan.bound, isBoundOfEach {
                guard let kind = bound.kind, let amount = happening.amount(kind) else {
                    if happening.status == .done { doubt(happening, "this names no amount") }
                    continue
                }
                guard bound.holds(amount.value) else { continue }
            }
            switch happening.status {
            case .done: found.append(happening)
            case .unfinished where plan.isFinished: continue
            case .unfinished: doubt(happening, "this is not over, or happens again and again")
            case .unreal: continue
            }
            if happening.isSeveral, happening.status == .done { doubt(happening, "this may tell of several times") }
            if happening.isShared { doubt(happening, "this was done by several") }
        }
        fitting = once(found.sorted { ($0.time.lowerBound, $0.memory) < ($1.time.lowerBound, $1.memory) })
        if plan.isOwn, Set(fitting.map(\.actor)).count > 1 {
            doubts.append("'I' may be \(Set(fitting.compactMap(\.actor)).sorted().joined(separator: " or "))")
        }
        doubtCircumstances()
        // Sentences that speak of such things, of which nothing was read.
        let missed = reader.unread.filter { item in
            !wordsOfAction.isDisjoint(with: item.stems) && plan.topics.allSatisfy { item.stems.contains($0) }
                && (plan.noun.map(item.stems.contains) ?? true) && isSaid(item.memory) && isCompared(item.stems)
        }
        if let first = missed.first {
            doubts.append("\(missed.count) more may tell of it, as '\(quote(first.memory))'")
        }
    }

    /// What happened is told by thing, place and people; of other circumstances many a memory is silent: that one run is
    /// told to have been in the rain says nothing of the others.
    private mutating func doubtCircumstances() {
        guard !plan.topics.isEmpty, let first = fitting.first else { return }
        let isNamed = fitting.allSatisfy { happening in plan.topics.allSatisfy(happening.identity.contains) }
        let others = reader.happenings.filter {
            plan.actions.contains($0.action) && fitsActor($0) && $0.status == .done && fitsTime($0) != false
                && !fitsWords($0)
        }
        if !isNamed, !others.isEmpty {
            doubts.append("other memories do not say whether it was so, as '\(quote(others[0].memory))'")
        } else if let silent = others.first(where: { $0.action == first.action && $0.identity.isEmpty }) {
            doubt(silent, "this does not say of what")
        }
    }

    /// True if a memory is of whom the question asks, and of the time.
    private func isSaid(_ place: Int) -> Bool {
        let memory = memories[place]
        guard plan.actor == nil || memory.speaker?.lowercased() == plan.actor else { return false }
        return plan.spans.allSatisfy { $0.overlaps(AskCalendar.day(of: memory.time)) }
    }

    /// A bound on each happening, not on all of them together.
    private var isBoundOfEach: Bool { if case .exceeds = plan.goal { false } else { true } }

    private mutating func doubt(_ happening: Happening, _ why: String) {
        doubts.append("\(why): '\(quote(happening.memory))'")
    }

    private func fitsActor(_ happening: Happening) -> Bool {
        guard let actor = plan.actor else { return true }
        guard let name = happening.actor else { return false }
        return name == actor || name.split(separator: " ").first.map(String.init) == actor
    }

    private func fitsWords(_ happening: Happening) -> Bool {
        if let verb = plan.verb, happening.verb != verb { return false }
        if let noun = plan.noun, !happening.objectStems.contains(noun) { return false }
        if happening.action == "read", !ActionWords.otherReading.isDisjoint(with: happening.objectStems) {
            return false
        }
        return plan.topics.allSatisfy(happening.stems.contains)
    }

    /// True if nothing is compared, or one of the things that are is named.
    private func isCompared(_ stems: Set<String>) -> Bool {
        plan.items.isEmpty || plan.items.contains { $0.allSatisfy(stems.contains) }
    }

    /// nil if its time lies across a bound.
    private func fitsTime(_ happening: Happening) -> Bool? {
        for span in plan.spans {
            if !span.overlaps(happening.time) { return false }
            if !(span.lowerBound <= happening.time.lowerBound && happening.time.upperBound <= span.upperBound) {
                return nil
            }
        }
        return true
    }

    /// Each happening once: one that is told twice, of one day and with the same amounts, counts once.
    private mutating func once(_ found: [Happening]) -> [Happening] {
        var kept: [Happening] = []
        for happening in found {
            let isKnown = kept.contains { other in
                other.actor == happening.actor && other.action == happening.action && other.memory != happening.memory
                    && other.time.overlaps(happening.time) && other.amounts == happening.amounts
                    && other.label.lowercased() == happening.label.lowercased()
            }
            if isKnown {
                doubt(happening, "this may be told twice, and was counted once")
            } else {
                kept.append(happening)
            }
        }
        return kept
    }
}
