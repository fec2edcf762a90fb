import Foundation

/// The form of a question: how many, which first, the three longest.
struct AskForm {
    private let words: [AskWord]
    private let spaced: String
    /// Words that the form uses, in lower case.
    private(set) var used: Set<String> = []
    /// It asks who did something.
    let isWho: Bool
    /// It asks for cities, which no memory says that places are.
    var asksCity: Bool { words.contains { ["city", "cities", "town", "towns"].contains($0.lower) } }

    private static let times: [String: Bool] = [
        "first": false, "earliest": false, "oldest": false, "last": true, "latest": true, "newest": true,
        "recent": true,
    ]
    private static let sizes: [String: (smallest: Bool, kind: AskAmount.Kind?)] = [
        "longest": (false, nil), "farthest": (false, .distance), "furthest": (false, .distance),
        "shortest": (true, nil),
        "expensive": (false, .money("")), "priciest": (false, .money("")), "costliest": (false, .money("")),
        "cheapest": (true, .money("")), "biggest": (false, nil), "largest": (false, nil), "smallest": (true, nil),
    ]
    private static let groups: [String: AskPlan.Group] = [
        "city": .place, "cities": .place, "town": .place, "towns": .place, "place": .place, "places": .place,
        "people": .person, "person": .person, "persons": .person, "friends": .person, "friend": .person,
        "month": .month, "months": .month,
    ]

    init(_ words: [AskWord], _ spaced: String) {
        self.words = words
        self.spaced = spaced
        isWho = words.first?.lower == "who" && !words.contains { $0.lower == "did" }
        used = Set(Self.times.keys).union(Self.sizes.keys).union(Self.groups.keys)
            .union(["top", "or", "most", "least", "before", "after", "often", "working", "day"])
        for word in words where word.number != nil || AskUnit.named[word.lower] != nil { used.insert(word.lower) }
    }

    private func says(_ phrases: String...) -> Bool { phrases.contains { spaced.contains(" \($0) ") } }

    /// What is made of the happenings; nil if no form fits.
    ///
    /// - Parameter action: what was done.
    func goal(action: String, plan: AskPlan) -> AskPlan.Goal? {
        let unit = words.lazy.compactMap { AskUnit.named[$0.lower] }.first
        let usual: AskAmount.Kind? =
            switch action {
            case "buy": .money("")
            case "run", "swim", "cycle", "walk": .distance
            case "work", "practise", "sleep": .duration
            default: nil
            }
        let group = words.lazy.compactMap { Self.groups[$0.lower] }.first
        let isLeast = says("least", "less", "fewest", "fewer")
        let isAverage = says("average", "mean", "on average")
        let kind = unit?.kind ?? (says("money", "price", "cost", "spend", "spent", "pay") ? .money("") : usual)
        if spaced.hasPrefix(" did "), let bound = plan.bound { return .exceeds(bound) }
        if isAverage { return kind.map { .average($0) } }
        // Superlatives of single happenings.
        if let size = words.compactMap({ Self.sizes[$0.lower] }).first {
            return .extremes(
                .amount(size.kind ?? unit?.kind, smallest: size.smallest), count: count,
                wantsTime: says("when") || says("day", "date"))
        }
        if says("most", "more", "least", "less", "fewest", "fewer"), plan.bound == nil {
            return most(group, unit, action, kind, isLeast: isLeast)
        }
        if says("how many times", "how often") { return .count(.happenings) }
        if says("how many") {
            if let unit { return .sum(unit.kind, in: unit) }
            if says("how many people"), !words.contains(where: { $0.lower == "did" }) { return .count(.actors) }
            if let group, group != .month { return .count(.different(group)) }
            return counted(action)
        }
        if says("how much", "how far", "how long", "total distance", "total time", "in total", "altogether") {
            if says("cost", "costs"), action == "buy" { return .amount(.money("")) }
            return kind.map { .sum($0, in: unit) }
        }
        if let word = words.first(where: { Self.times[$0.lower] != nil }), let isLast = Self.times[word.lower] {
            return .extremes(.time(last: isLast), count: count, wantsTime: spaced.hasPrefix(" when "))
        }
        if spaced.hasPrefix(" when ") { return .time }
        let lists = ["list", "name", "show", "which", "what", "where", "who", "tell", "give"]
        return lists.contains(words.first?.lower ?? "") ? .list : nil
    }

    /// "How many plants": things by their noun; "how many runs", "how many books … read": happenings.
    private func counted(_ action: String) -> AskPlan.Goal {
        guard let place = words.firstIndex(where: { $0.lower == "many" }), place + 1 < words.count else {
            return .count(.happenings)
        }
        let noun = words[place + 1]
        let isOwnNoun =
            ActionWords.nouns[noun.stem] != nil || ["things", "items", "purchases", "meetings"].contains(noun.lower)
            || action == "read" && ActionWords.books.contains(noun.stem)
            || action == "watch" && ActionWords.films.contains(noun.stem)
            || action == "attend" || ["did", "of"].contains(noun.lower)
            || AskWord.stem("concert") == noun.stem
        return .count(isOwnNoun ? .happenings : .things(noun.stem))
    }

    /// How many are asked for: "three longest", "top 2"; one if nothing is said.
    private var count: Int {
        guard let place = words.firstIndex(where: { $0.number != nil }), let number = words[place].number,
            (1...100).contains(number), number == number.rounded()
        else { return 1 }
        return Int(number)
    }

    /// "Who ran the most", "which city … most often", "in which month".
    private func most(
        _ group: AskPlan.Group?, _ unit: AskUnit?, _ action: String, _ kind: AskAmount.Kind?, isLeast: Bool
    ) -> AskPlan.Goal? {
        let byAmount =
            says("often", "times") ? nil : unit?.kind ?? (action == "buy" && !says("things", "books") ? kind : nil)
        let weight = byAmount.map { AskPlan.Weight.amount($0) } ?? .count
        if isWho { return .most(.actor, by: weight, least: isLeast) }
        if words.first?.lower == "who" || group == .person { return .most(.person, by: weight, least: isLeast) }
        guard let group else { return says("what", "which") ? .most(.object, by: weight, least: isLeast) : nil }
        return .most(group, by: weight, least: isLeast)
    }
}
