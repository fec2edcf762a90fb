/// Reads the tense of the words around a date.
///
/// The nearest verb before the date decides, and where there is none the nearest behind it: first
/// inside the clause, then in the sentence.
struct TenseReader {
    /// The words of the text.
    let tokens: [TimeToken]
    /// Words looked at on each side.
    private static let reach = 24

    /// The tense of the clause around a date: the nearest verb before it, else behind it, else in
    /// the rest of the sentence.
    ///
    /// - Parameters:
    ///   - start: the date's first word.
    ///   - end: the word behind it.
    func tense(before start: Int, after end: Int) -> Tense {
        if let scheduled = scheduled(before: start) { return scheduled }
        for inClause in [true, false] {
            if let tense = nearest(before: start, inClause) ?? nearest(after: end, inClause) {
                return tense
            }
        }
        return .present
    }

    /// The tense of the nearest verb before a word.
    private func nearest(before start: Int, _ inClause: Bool) -> Tense? {
        var i = start - 1
        while i >= 0, start - i <= Self.reach, tokens[i].sentence == tokens[start].sentence {
            if inClause, tokens[i].endsClause { return nil }
            if let tense = tense(of: i, before: start) { return tense }
            i -= 1
        }
        return nil
    }

    /// The tense of the nearest verb from a word on.
    private func nearest(after end: Int, _ inClause: Bool) -> Tense? {
        var i = end
        guard end > 0 else { return nil }
        while i < tokens.count, i - end < Self.reach, tokens[i].sentence == tokens[end - 1].sentence {
            if inClause, tokens[i - 1].endsClause { return nil }
            if let tense = tense(of: i, before: i) { return tense }
            i += 1
        }
        return nil
    }

    /// "was moved to Thursday", "booked for Friday": arranged in the past for what lies ahead.
    private func scheduled(before start: Int) -> Tense? {
        guard start > 0, Self.targets.contains(tokens[start - 1].text) else { return nil }
        for i in stride(from: start - 2, through: max(0, start - 7), by: -1) where i >= 0 {
            guard tokens[i].sentence == tokens[start].sentence else { return nil }
            if Self.moves.contains(tokens[i].text) { return .future }
            if Self.plans.contains(tokens[i].text) {
                return isBehind(i, Self.pastForms) ? .unclear : .future
            }
        }
        return nil
    }

    /// The tense that one word shows; nil for most words. A verb of planning before "to" or "for"
    /// shows the future: "moved it to Friday".
    private func tense(of i: Int, before start: Int) -> Tense? {
        let word = tokens[i].text
        let next = i + 1 < tokens.count ? tokens[i + 1].text : ""
        if word == "have" || word == "has" { return next == "to" ? .future : nil }
        if word == "going" {
            return next != "to" ? nil : isBehind(i, Self.pastForms) ? .unclear : .future
        }
        if Self.futures.contains(word) || word.hasSuffix("'ll") {
            guard isBehind(i, Self.pastForms) else { return .future }
            return word == "due" ? .past : .unclear
        }
        // "Sat, 28 November" is no verb.
        if word == "sat", tokens[i].isCapital { return nil }
        if Self.presents.contains(word) || word.hasSuffix("'re") || word.hasSuffix("'m") {
            return .present
        }
        if Self.conditionals.contains(word) { return .unclear }
        guard Self.pasts.contains(word) || isRegularPast(i) else { return nil }
        if Self.reports.contains(word) {
            // "Ana said she comes on Friday": what was said may lie ahead.
            let said = i + 1 < start ? tokens[(i + 1)..<start] : []
            return said.contains { Self.clauseOpeners.contains($0.text) } ? .unclear : .past
        }
        if word.hasSuffix("ed") {
            if isBehind(i, ["be"]) { return .future }
            if isBehind(i, Self.presents) { return .present }
        }
        return .past
    }

    /// True if one of the two words before is one of `words`.
    private func isBehind(_ i: Int, _ words: Set<String>) -> Bool {
        (max(0, i - 2)..<i).contains {
            words.contains(tokens[$0].text) && tokens[$0].sentence == tokens[i].sentence
        }
    }

    /// True if a word ends like a regular past form and is none of the words that only look so.
    private func isRegularPast(_ i: Int) -> Bool {
        let word = tokens[i].text
        guard word.utf8.count > 3, word.hasSuffix("ed"), !Self.notPasts.contains(word) else {
            return false
        }
        let isFirst = i == 0 || tokens[i - 1].sentence != tokens[i].sentence
        // "Ahmed", "the updated plan"
        return !(tokens[i].isCapital && !isFirst)
            && !(i > 0 && ["a", "an", "the", "my", "our"].contains(tokens[i - 1].text))
    }

    /// Words between a verb of moving and the time that it leads to.
    private static let targets: Set<String> = ["to", "for", "until", "till"]
    /// Verbs that move an appointment: in the past tense, of a time that lies ahead.
    private static let moves: Set<String> = [
        "moved", "rescheduled", "postponed", "pushed", "shifted", "delayed", "changed", "deferred",
        "rebooked",
        "bumped",
    ]
    /// Verbs of planning: in any tense, what is planned lies ahead.
    private static let plans: Set<String> = [
        "booked", "scheduled", "planned", "set", "arranged", "reserved", "invited", "agreed",
        "confirmed", "due",
        "slated",
    ]
    /// Auxiliaries of the past.
    private static let pastForms: Set<String> = ["was", "were", "wasn't", "weren't", "had", "been"]
    /// Verbs of the present, which leave a weekday open.
    private static let presents: Set<String> = [
        "is", "am", "are", "isn't", "aren't", "be", "im", "being",
    ]
    /// Auxiliaries that tell neither tense.
    private static let conditionals: Set<String> = [
        "would", "could", "might", "wouldn't", "couldn't", "if",
    ]
    /// Words of the future.
    private static let futures: Set<String> = [
        "will", "won't", "shall", "gonna", "must", "should", "need", "needs", "want", "wants",
        "plan", "plans",
        "planning",
        "hope", "hopes", "let's", "lets", "due", "deadline", "remind", "reminder", "upcoming",
        "can", "supposed",
        "expect", "expects", "please", "remember", "forget",
    ]
    /// Verbs that report: the time is of what is reported, and not of the report.
    private static let reports: Set<String> = [
        "said", "told", "mentioned", "heard", "thought", "asked", "confirmed", "agreed", "decided",
        "promised",
        "reminded",
        "wanted", "hoped", "planned", "announced", "knew", "learned", "forgot", "suggested",
        "offered", "wrote",
    ]
    /// Words with which another clause begins, whose verb does not count.
    private static let clauseOpeners: Set<String> = [
        "that", "to", "he", "she", "they", "we", "i", "it", "you", "there", "i'm", "we're",
        "they're",
    ]
    /// Words that end in "ed" and are no past form.
    private static let notPasts: Set<String> = [
        "need", "feed", "seed", "speed", "shed", "weed", "breed", "bleed", "indeed", "exceed",
        "proceed", "succeed",
        "hundred", "sacred", "naked", "embed", "reed", "deed", "greed", "steed", "wicked",
    ]
    /// Irregular past forms.
    private static let pasts: Set<String> = Set(
        """
        was were wasn't weren't did didn't had hadn't been went gone met saw seen flew came left got took taken made bought \
        ate eaten gave given told said found ran spoke wrote drove felt kept lost sold sent spent won woke wore broke began \
        built brought caught chose fell fought forgot grew heard held knew led paid rode rang rose sang sat shook slept stood \
        stole swam taught threw thought understood drank dreamt dug lent meant shot slid struck swore wept withdrew done \
        became fed hid hung laid lay sought spilt stuck swept tore wound learnt burnt
        """.split(whereSeparator: \.isWhitespace).map(String.init))
}
