import Foundation

/// Reads the plan of a question, in English, by rule.
///
/// Each word of a question is used once: by the form of the question, by who, when and what it asks about. A word that is
/// left over must stand in what happened. What no rule reads has no plan.
struct AskPlanReader {
    /// The question's words that no rule has used.
    var words: [AskWord]
    /// Words of the whole question, each with a space on both sides.
    let spaced: String
    var plan = AskPlan(goal: .list)
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

    func says(_ phrases: String...) -> Bool { phrases.contains { spaced.contains(" \($0) ") } }
    func has(_ word: String) -> Bool { words.contains { $0.lower == word } }

    mutating func remove(_ lower: Set<String>) { words.removeAll { lower.contains($0.lower) } }

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
            guard !parts.isEmpty,
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
