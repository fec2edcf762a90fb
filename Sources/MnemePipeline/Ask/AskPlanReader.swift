import Foundation

/// Reads the plan of a question, in English, by rule.
///
/// Each word of a question is used once: by the form of the question, by who, when and what it asks about. A word that is
/// left over must stand in what happened. What no rule reads has no plan.
struct AskPlanReader {
    /// The question's words that no rule has used.
    private var words: [AskWord]
    /// Words of the whole question, each with a space on both sides.
    private let spaced: String
    private var plan = AskPlan(goal: .list)
    private let actors: Set<String>

    private static let fillers: Set<String> = [
        "the", "a", "an", "of", "did", "does", "do", "has", "have", "had", "was", "were", "is", "are", "in", "on", "at",
        "to",
        "for", "with", "that", "what", "which", "who", "whom", "when", "where", "how", "many", "much", "often", "times",
        "time", "all", "total", "altogether", "overall", "everything", "thing", "things", "items", "item", "list",
        "name",
        "show", "me", "give", "tell", "money", "ever", "so", "far", "long", "and", "or", "by", "there", "been",
        "different",
        "than", "most", "more", "least", "less", "fewest", "fewer", "average", "mean", "distance", "price", "amount",
        "please", "every", "each", "it", "they", "this", "sum", "cost", "costs", "out", "anything", "up", "per",
        "number",
        "go", "went", "gone", "order", "from", "into", "be",
        "make", "made", "take", "took", "taken", "my", "his", "her", "their",
    ]

    /// The plan of a question; nil if no rule reads it.
    ///
    /// - Parameters:
    ///   - times: spans that it names.
    ///   - actors: those who did something, in lower case.
    static func plan(_ question: String, times: [AskTime], actors: Set<String>) -> AskPlan? {
        var reader = AskPlanReader(question, actors)
        return reader.read(times)
    }

    private init(_ question: String, _ actors: Set<String>) {
        words = AskWord.words(of: question)
        spaced = " " + words.map(\.lower).joined(separator: " ") + " "
        self.actors = actors
    }

    private func says(_ phrases: String...) -> Bool { phrases.contains { spaced.contains(" \($0) ") } }
    private func has(_ word: String) -> Bool { words.contains { $0.lower == word } }

    private mutating func remove(_ lower: Set<String>) { words.removeAll { lower.contains($0.lower) } }

    private mutating func read(_ times: [AskTime]) -> AskPlan? {
        guard !words.isEmpty else { return nil }
        readTimes(times)
        readActor()
        let comparison = readComparison()
        readBound()
        let form = AskForm(words, spaced)
        guard let action = readAction(form) else { return nil }
        if let comparison {
            plan.goal = comparison
        } else if let goal = form.goal(action: action, plan: plan) {
            plan.goal = goal
        } else {
            return nil
        }
        plan.wantsCities = form.asksCity
        finish(form)
        return plan
    }

    /// Spans, with the word before them: "in", "after", "before", "between … and".
    private mutating func readTimes(_ times: [AskTime]) {
        var spans: [(Range<Date>, String)] = []
        for time in times {
            let wanted = time.words.split(separator: " ").map(String.init)
            guard
                let start = words.indices.first(where: { i in
                    i + wanted.count <= words.count && zip(words[i...], wanted).allSatisfy { $0.lower == $1 }
                })
            else { continue }
            let link = start > 0 ? words[start - 1].lower : ""
            let isLink = ["after", "before", "since", "until", "between", "from", "in", "on", "during", "and", "to"]
                .contains(link)
            words.removeSubrange((isLink ? start - 1 : start)..<(start + wanted.count))
            spans.append((time.span, link))
        }
        // "between February and May": the second one is no time by itself.
        if spans.count == 1, ["between", "from"].contains(spans[0].1), let end = monthEnd(after: spans[0].0) {
            plan.spans = [spans[0].0.lowerBound..<end]
            return
        }
        if spans.count == 2, ["between", "from"].contains(spans[0].1), ["and", "to", "until"].contains(spans[1].1) {
            plan.spans = [spans[0].0.lowerBound..<max(spans[1].0.upperBound, spans[0].0.upperBound)]
            return
        }
        plan.spans = spans.map { span, link in
            switch link {
            case "after": span.upperBound..<Date.distantFuture
            case "since": span.lowerBound..<Date.distantFuture
            case "before": Date.distantPast..<span.lowerBound
            case "until": Date.distantPast..<span.upperBound
            default: span
            }
        }
    }

    /// The end of the month that "and" or "to" names, the first after a span; takes both words out.
    private mutating func monthEnd(after span: Range<Date>) -> Date? {
        guard
            let place = words.indices.dropFirst().first(where: { i in
                ["and", "to", "until"].contains(words[i - 1].lower) && AskCalendar.months.contains(words[i].text)
            }), let month = AskCalendar.months.firstIndex(of: words[place].text)
        else { return nil }
        words.removeSubrange((place - 1)...place)
        let calendar = AskCalendar.calendar
        let start = calendar.nextDate(
            after: span.lowerBound.addingTimeInterval(-1), matching: DateComponents(month: month + 1, day: 1, hour: 0),
            matchingPolicy: .nextTime)
        return start.flatMap { calendar.date(byAdding: .month, value: 1, to: $0) }
    }

    /// Who: a name that did something, behind "did", with a possessive ending, or "I".
    private mutating func readActor() {
        let isWho = ["who", "which of"].contains { spaced.hasPrefix(" \($0) ") } && !has("did") && !has("does")
        // "Who ran more, Nora or Tomás?": both.
        if isWho || spaced.contains(" people ") && !has("did") {
            words.removeAll { actors.contains($0.lower) }
            return
        }
        for actor in actors.sorted(by: { ($1.count, $0) < ($0.count, $1) }) {
            let parts = actor.split(separator: " ").map(String.init)
            guard
                let place = words.indices.first(where: { i in
                    i + parts.count <= words.count && zip(words[i...], parts).allSatisfy { $0.lower == $1 }
                })
            else { continue }
            let before = place > 0 ? words[place - 1].lower : ""
            let end = place + parts.count - 1
            guard
                [
                    "did", "has", "have", "does", "of", "that", "was", "thing", "by", "is", "do", "will", "",
                    "everything", "what", "books",
                    "cities", "things",
                ].contains(before) || words[end].isPossessive || place == 0
                    || end + 1 < words.count && ActionWords.verbs[words[end + 1].stem] != nil
            else { continue }
            plan.actor = actor
            words.removeSubrange(place...end)
            return
        }
        if ["i", "me", "my", "we", "our"].contains(where: has) {
            plan.isOwn = true
            remove(["i", "me", "my", "we", "our"])
        }
    }

    /// "Did … A before B?", "In what order … A, B and C?", "Which … first, A or B?".
    private mutating func readComparison() -> AskPlan.Goal? {
        if says("what order", "which order", "order did") || spaced.hasPrefix(" order ") {
            let order = words.firstIndex { $0.lower == "order" } ?? 0
            let start = words[(order + 1)...].firstIndex { Self.isAction($0) } ?? order
            let items = takeItems(from: start + 1)
            remove(["order"])
            return items.count > 1 ? .order(items, firstOnly: false, lastOnly: false) : nil
        }
        let isFirst = has("first") || has("earlier")
        if isFirst || has("last") || has("later"), has("or"),
            let comma = words.firstIndex(where: { $0.mark.contains(",") })
        {
            let items = takeItems(from: comma + 1)
            guard items.count > 1 else { return nil }
            remove(["first", "earlier", "last", "later", "came"])
            return .order(items, firstOnly: isFirst, lastOnly: !isFirst)
        }
        if spaced.hasPrefix(" did ") || spaced.hasPrefix(" was ") || spaced.hasPrefix(" has "),
            let link = words.firstIndex(where: { ["before", "after"].contains($0.lower) })
        {
            let verb = words[..<link].firstIndex(where: Self.isAction) ?? 0
            let first = Self.item(words[(verb + 1)..<link])
            let second = Self.item(words[(link + 1)...])
            let isSwapped = words[link].lower == "after"
            guard !first.isEmpty, !second.isEmpty else { return nil }
            words.removeSubrange((verb + 1)...)
            return .isBefore(first, second, isSwapped: isSwapped)
        }
        return nil
    }

    private static func isAction(_ word: AskWord) -> Bool {
        ActionWords.verbs[word.stem] != nil || ["go", "finish", "see"].contains(word.lower)
    }

    /// Items from a place on, joined by commas, "and" and "or"; takes them out.
    private mutating func takeItems(from start: Int) -> [[String]] {
        guard start < words.count else { return [] }
        var items: [[String]] = []
        var item: [AskWord] = []
        for word in words[start...] {
            if ["and", "or"].contains(word.lower) {
                items.append(Self.item(item[...]))
                item = []
                continue
            }
            item.append(word)
            if word.mark.contains(",") {
                items.append(Self.item(item[...]))
                item = []
            }
        }
        items.append(Self.item(item[...]))
        words.removeSubrange(start...)
        return items.filter { !$0.isEmpty }
    }

    /// The stems that name an item.
    private static func item(_ words: ArraySlice<AskWord>) -> [String] {
        words.filter { !["the", "a", "an", "my", "to", "in", "her", "his"].contains($0.lower) }.map(\.stem)
    }

    /// "more than 100 euros", "longer than 7 km", "at least 8 km", "under 2 hours"
    private mutating func readBound() {
        guard let found = AskAmount.find(in: words).first else { return }
        let start = found.place.lowerBound
        let before = words[max(0, start - 3)..<start].map(\.lower).joined(separator: " ")
        let isAbove = ["more than", "longer than", "over", "above", "farther than", "further than"].contains {
            before.hasSuffix($0)
        }
        let isBelow = ["less than", "shorter than", "under", "below", "fewer than", "cheaper than"].contains {
            before.hasSuffix($0)
        }
        let atLeast = before.hasSuffix("at least")
        let atMost = before.hasSuffix("at most")
        guard isAbove || isBelow || atLeast || atMost else { return }
        plan.bound = AskPlan.Bound(
            kind: found.amount.kind, value: found.amount.value, isAbove: isAbove || atLeast,
            isInclusive: atLeast || atMost)
        plan.unit = found.amount.unit
        let used = before.hasSuffix("than") || atLeast || atMost ? 2 : 1
        words.removeSubrange((start - used)..<found.place.upperBound)
    }

    /// What was done; takes its words out.
    ///
    /// - Returns: nil if the question names nothing that can have been done.
    private mutating func readAction(_ form: AskForm) -> String? {
        if let noun = words.first(where: { ["meeting", "meetings"].contains($0.lower) }) {
            words.removeAll { $0 == noun }
            plan.actions = ["meeting"]
            return "meeting"
        }
        var found: String?
        for word in words {
            if word.stem == AskWord.stem("flight") || word.stem == AskWord.stem("fly") {
                plan.verb = AskWord.stem("fly")
            }
            if let action = ActionWords.nouns[word.stem] ?? ActionWords.verbs[word.stem] {
                found = action
                words.removeAll { $0 == word }
                break
            }
        }
        if found == "buy" {
            words.removeAll { ["buy", "purchase", "pay", "spend"].contains(ActionWords.verbs[$0.stem] ?? $0.stem) }
        }
        let nouns = Set(words.map(\.stem))
        let isFilm = !ActionWords.films.isDisjoint(with: nouns)
        let isBook = !ActionWords.books.isDisjoint(with: nouns)
        if found == nil {
            if let word = words.first(where: { ["see", "saw", "seen", "finish", "finished"].contains($0.lower) }) {
                if isFilm { found = "watch" }
                if word.stem == AskWord.stem("finish") {
                    found = "read"
                    plan.isFinished = true
                }
                if found != nil { words.removeAll { $0 == word } }
            } else if isBook, has("finish") {
                found = "read"
            }
        }
        if found == nil, says("cost", "costs", "most expensive", "cheapest", "price") { found = "buy" }
        if found == nil, has("go") || has("went") || has("gone") || has("been") {
            plan.actions = ["travel", "attend"]
            remove(["go", "went", "gone", "been"])
            return "travel"
        }
        if found == nil, spaced.hasPrefix(" when was "), has("in") {
            plan.actions = ["travel"]
            return "travel"
        }
        // "concerts", "dinners": what people went to.
        if found == nil, let word = words.first(where: { $0.stem == AskWord.stem("concert") }) {
            plan.actions = ["attend"]
            words.removeAll { $0 == word }
            plan.noun = word.stem
            return "attend"
        }
        // Another verb behind "did" and whom it asks about.
        if found == nil, has("did") || form.isWho, !has("have") {
            let skipped = Self.fillers.union(["first", "last", "latest", "earliest", "people"])
            if let word = words.last(where: {
                $0.lower.first?.isLetter ?? false && !skipped.contains($0.lower) && !$0.isCapital
            }),
                AskUnit.named[word.lower] == nil
            {
                found = word.stem
                words.removeAll { $0 == word }
            }
        }
        guard let found else { return nil }
        plan.actions = [found]
        return found
    }

    /// Takes out what the form used; what is left must stand in what happened.
    private mutating func finish(_ form: AskForm) {
        words.removeAll { form.used.contains($0.lower) }
        for word in words where plan.noun == nil {
            if ActionWords.books.contains(word.stem) {
                if plan.actions == ["buy"] { plan.noun = word.stem }
                words.removeAll { $0 == word }
                break
            }
            if ActionWords.films.contains(word.stem), plan.actions == ["watch"] {
                words.removeAll { $0 == word }
                break
            }
        }
        if case .count(.things(let noun)) = plan.goal {
            plan.noun = noun
            words.removeAll { $0.stem == noun }
        }
        plan.topics = words.filter { !Self.fillers.contains($0.lower) }.map(\.stem)
    }
}
