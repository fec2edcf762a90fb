import MnemeStore

/// The rules: what a word and its neighbours claim.
extension ClaimSentence {
    /// Claims of the sentence, in order.
    ///
    /// Stops at a word such as "if" or "would": what follows states nothing.
    func claims() -> [Claim] {
        var found: [Claim] = []
        var last: String?
        var i = 0
        while i < tokens.count {
            defer { i += 1 }
            // "used to live", "would like", "if she moved": nothing is stated.
            if [
                "if", "would", "might", "could", "wish", "hope", "wants", "want", "may", "whether",
                "should",
            ].contains(
                tokens[i].lower)
            {
                return found
            }
            let word = tokens[i].lower
            if let claim = shifted(at: i) {
                found.append(claim)
            } else if starts(at: i, with: ClaimWords.joins) {
                guard let claim = joined(at: i, after: last) else { continue }
                last = claim.subject
                found.append(claim)
            } else if let rule = ClaimWords.verbsByFirst[word]?.first(where: {
                starts(at: i, with: $0.words)
            }) {
                guard let (who, isDenied) = subject(before: i, after: last),
                    let value = value(from: i + rule.words.count, rule.value)
                else { continue }
                last = who
                found.append(
                    Claim(
                        subject: who, attribute: rule.attribute, value: value,
                        isDenied: rule.isDenied != isDenied))
            } else if ClaimWords.likingVerbs.contains(word) || ClaimWords.dislikingVerbs.contains(word)
                || starts(at: i, with: ["stand"])
            {
                guard let (who, isDenied) = subject(before: i, after: last),
                    word != "stand" || isDenied,
                    let object = value(from: i + 1, .anything, most: 4),
                    !ClaimWords.emptyObjects.contains(tokens[i + 1].lower)
                else { continue }
                last = who
                let isPositive = word == "stand" ? false : ClaimWords.likingVerbs.contains(word) != isDenied
                found.append(
                    Claim(
                        subject: who, attribute: "opinion of " + object,
                        value: isPositive ? "likes" : "dislikes"))
            } else if word == "is" || word == "am" || word == "became" || word == "turned"
                || ClaimWords.contractions[word] == "am"
            {
                guard let claim = state(at: i) else { continue }
                found.append(claim)
            }
        }
        return found
    }

    /// "Ana joined Siemens as an engineer"
    func joined(at index: Int, after last: String?) -> Claim? {
        guard let (who, isDenied) = subject(before: index, after: last),
            let name = value(from: index + 1, .name),
            let role = tokens[(index + 1)...].firstIndex(where: { $0.lower == "as" }),
            role <= index + 6,
            let what = value(from: role + 1, .anything, most: 3)
        else { return nil }
        guard ClaimWords.temporaryRoles.isDisjoint(with: what.split(separator: " ").map(String.init)) else {
            return nil
        }
        return Claim(subject: who, attribute: "employer", value: name, isDenied: isDenied)
    }

    /// "The meeting was moved to Thursday at 4pm"
    func shifted(at index: Int) -> Claim? {
        guard ClaimWords.shifts.contains(tokens[index].lower), !tokens[index].endsClause else { return nil }
        var next = index + 1
        while next < tokens.count, ClaimWords.shiftAdverbs.contains(tokens[next].lower) { next += 1 }
        guard next + 1 < tokens.count, ["to", "until", "till", "for"].contains(tokens[next].lower),
            Self.isTime(tokens[next + 1].lower)
        else { return nil }
        var end = index
        while end > 0,
            ClaimWords.auxiliaries.contains(tokens[end - 1].lower) || ClaimWords.adverbs.contains(tokens[end - 1].lower)
        {
            end -= 1
        }
        guard end > 0, !tokens[end - 1].endsClause,
            let what = name(endingAt: end),
            let value = value(from: next + 1, .anything)
        else { return nil }
        return Claim(subject: what, attribute: "time", value: value)
    }

    /// True if a word begins a time: a weekday, a month, "tomorrow", a number.
    static func isTime(_ word: String) -> Bool {
        ClaimWords.times.contains(word) || ["today", "tomorrow", "next"].contains(word)
            || word.first?.isNumber ?? false
    }

    /// The claim of "is", "am", "became" and the like: a diet, marital status, age, attribute, time or
    /// place ("My favourite colour is blue", "The key is under the mat", "Ana is vegan").
    func state(at index: Int) -> Claim? {
        var next = index + 1
        var isDenied = false
        while next < tokens.count {
            let word = tokens[next].lower
            if word == "not" || word == "longer" {
                isDenied = true
            } else if !ClaimWords.adverbs.contains(word), word != "no" {
                break
            }
            next += 1
        }
        guard next < tokens.count, !tokens[index].endsClause else { return nil }
        let word = tokens[next].lower
        let isContraction = ClaimWords.contractions[tokens[index].lower] != nil
        guard isContraction || index > 0, isContraction || !tokens[index - 1].endsClause else {
            return nil
        }
        let whose = isContraction ? speaker : name(endingAt: index)
        if ClaimWords.diets.contains(word) {
            return whose.map {
                Claim(subject: $0, attribute: "diet", value: word, isDenied: isDenied)
            }
        }
        if ClaimWords.articles.contains(word), next + 1 < tokens.count,
            ClaimWords.diets.contains(tokens[next + 1].lower)
        {
            return whose.map {
                Claim(
                    subject: $0, attribute: "diet", value: tokens[next + 1].lower,
                    isDenied: isDenied)
            }
        }
        if ClaimWords.statuses.contains(word), next + 1 == tokens.count || tokens[next].endsClause {
            return whose.map {
                Claim(subject: $0, attribute: "marital status", value: word, isDenied: isDenied)
            }
        }
        if next + 2 < tokens.count, Int(word) != nil, tokens[next + 1].lower == "years",
            tokens[next + 2].lower == "old"
        {
            return whose.map {
                Claim(subject: $0, attribute: "age", value: word, isDenied: isDenied)
            }
        }
        guard !isContraction, tokens[index].lower == "is" else { return nil }
        if let (subject, attribute) = attribute(before: index),
            let value = value(from: next, .anything)
        {
            return Claim(subject: subject, attribute: attribute, value: value, isDenied: isDenied)
        }
        if ClaimWords.times.contains(word), index >= 2, !tokens[index - 1].isCapital, let whose,
            let value = value(from: next, .anything)
        {
            return Claim(subject: whose, attribute: "time", value: value, isDenied: isDenied)
        }
        // Only things lie somewhere for long; people come and go.
        guard ClaimWords.locationPrepositions.contains(word), let whose, index >= 2, !tokens[index - 1].isCapital,
            let value = value(from: next + 1, .anything)
        else {
            return nil
        }
        let isTime =
            ClaimWords.times.contains(value.split(separator: " ")[0].description) || value.first!.isNumber
        return Claim(
            subject: whose, attribute: isTime ? "time" : "place",
            value: isTime ? value : word + " " + value,
            isDenied: isDenied)
    }
}
