import Foundation

/// Names in a sentence: the subjects, attributes and values of its claims.
extension ClaimSentence {
    /// The subject of the verb at `index`, and whether the verb is denied.
    ///
    /// - Parameter last: the subject of the clause before, which "and works at Acme" goes on with.
    /// - Returns: nil if it is nobody in particular.
    func subject(before index: Int, after last: String?) -> (String, Bool)? {
        var end = index
        var isDenied = false
        while end > 0 {
            let word = tokens[end - 1].lower
            if tokens[end - 1].endsClause { break }
            if word == "longer", end > 1, tokens[end - 2].lower == "no" {
                isDenied = true
                end -= 2
            } else if [
                "don't", "doesn't", "dont", "doesnt", "isn't", "never", "cannot", "can't", "cant",
            ].contains(word) {
                isDenied = true
                end -= 1
            } else if word == "not", end > 1,
                ["do", "does", "is", "am", "can"].contains(tokens[end - 2].lower)
            {
                isDenied = true
                end -= 2
            } else if ClaimWords.adverbs.contains(word) {
                end -= 1
            } else {
                break
            }
        }
        // "Ana moved to Berlin and works at Acme."
        guard end > 0, !tokens[end - 1].endsClause, !["and", "but"].contains(tokens[end - 1].lower)
        else {
            return last.map { ($0, isDenied) }
        }
        // "I like", "Ana likes"; "sounds like" is neither. What is denied has no ending: "Ana
        // doesn't like".
        let isSpeaker = tokens[end - 1].lower == "i" || ClaimWords.contractions[tokens[end - 1].lower] != nil
        guard isDenied || isSpeaker || !ClaimWords.bases.contains(tokens[index].lower) else { return nil }
        return name(endingAt: end, isVerb: true).map { ($0, isDenied) }
    }

    /// The person or thing that the words before `end` name, in lower case: `ana`, `ana's dog`.
    ///
    /// - Parameter isVerb: whether a verb follows, so that `'s` may be "is" or "has".
    func name(endingAt end: Int, isVerb: Bool = false) -> String? {
        let token = tokens[end - 1]
        if token.lower == "i" || ClaimWords.contractions[token.lower] != nil { return speaker }
        if ClaimWords.indefinitePronouns.contains(token.lower) { return nil }
        // "Ana's living in Paris"
        if isVerb, token.isCapital, let owner = token.possessor { return owner }
        for start in stride(from: end - 2, through: max(0, end - 4), by: -1)
        where !tokens[start].endsClause {
            let thing = tokens[(start + 1)..<end].map(\.lower).joined(separator: " ")
            if tokens[start].lower == "my" { return "\(speaker)'s \(thing)" }
            if tokens[start].lower == "the" { return thing }
            if let owner = tokens[start].possessor, tokens[start].isCapital || isLower {
                return "\(owner)'s \(thing)"
            }
            if ClaimWords.indefinitePronouns.contains(tokens[start].lower) { break }
        }
        if token.isCapital {
            var start = end - 1
            while start > 0, tokens[start - 1].isCapital, !tokens[start - 1].endsClause,
                !ClaimWords.indefinitePronouns.contains(tokens[start - 1].lower),
                tokens[start - 1].lower != "i"
            {
                start -= 1
            }
            return end - start <= 3 ? tokens[start..<end].map(\.lower).joined(separator: " ") : nil
        }
        return isLower && end == 1 ? token.lower : nil
    }

    /// The value that begins at `index`, up to the end of the clause and `most` words long.
    func value(from index: Int, _ kind: ClaimWords.Value, most: Int = 5) -> String? {
        var parts: [String] = []
        var i = index
        while i < tokens.count, parts.count < most {
            let token = tokens[i]
            if parts.isEmpty, ClaimWords.articles.contains(token.lower) || token.lower == "my" {
                if kind == .name, !isLower { return nil }
                i += 1
                continue
            }
            if ClaimWords.ends.contains(token.lower)
                || token.isCapital && ClaimWords.times.contains(token.lower) && !parts.isEmpty
            {
                break
            }
            // A name ends where its capitals do.
            if kind == .name, !isLower, !token.isCapital { break }
            parts.append(token.lower)
            i += 1
            if token.endsClause { break }
        }
        return parts.isEmpty ? nil : parts.joined(separator: " ")
    }

    /// "my phone number", "Ana's boss", "the capital of France": of whom, and what.
    func attribute(before end: Int) -> (subject: String, attribute: String)? {
        if let of = tokens[max(0, end - 4)..<end].lastIndex(where: { $0.lower == "of" }),
            of + 1 < end, of >= 2
        {
            guard let start = tokens[max(0, of - 4)..<of].lastIndex(where: { $0.lower == "the" }),
                start + 1 < of,
                let what = Self.canonical(tokens[(start + 1)..<of])
            else { return nil }
            return (
                tokens[(of + 1)..<end].map(\.lower).filter { !ClaimWords.articles.contains($0) }.joined(
                    separator: " "), what
            )
        }
        for start in stride(from: end - 2, through: max(0, end - 5), by: -1)
        where start >= 0 && !tokens[start].endsClause {
            let owner =
                tokens[start].lower == "my"
                ? speaker : tokens[start].isCapital || isLower ? tokens[start].possessor : nil
            // Somebody's number is that of the phone.
            if let owner {
                return Self.canonical(tokens[(start + 1)..<end]).map {
                    (owner, $0 == "number" ? "phone" : $0)
                }
            }
            if tokens[start].lower == "the" {
                // "The wifi password is …": of nobody's, but there is one.
                let words = tokens[(start + 1)..<end]
                guard words.count >= 2, let what = Self.canonical(words.suffix(1)) else { return nil }
                return (words.dropLast().map(\.lower).joined(separator: " "), what)
            }
        }
        return nil
    }

    /// One name for an attribute that has several ("e-mail address", "new mobile number"), so that
    /// claims in other words meet.
    ///
    /// - Returns: nil for what is no attribute of which there is one.
    static func canonical(_ tokens: ArraySlice<Token>) -> String? {
        // "The Name of the Wind" is a title, "the CEO" is not.
        guard !tokens.contains(where: { $0.isCapital && $0.text != $0.text.uppercased() }) else {
            return nil
        }
        let words = tokens.map(\.lower)
        let same = [
            "favourite": "favorite", "e-mail": "email", "colour": "color", "wi-fi": "wifi",
            "time-zone": "timezone",
            "mobile": "phone", "cell": "phone",
            "telephone": "phone", "cellphone": "phone", "mail": "email",
        ]
        var parts = words.map { same[$0] ?? $0 }
        while parts.count > 1, ClaimWords.latest.contains(parts[0]) { parts.removeFirst() }
        if parts.count > 1,
            parts.suffix(2) == ["phone", "number"] || parts.suffix(2) == ["email", "address"]
        {
            parts.removeLast()
        }
        if parts.suffix(2) == ["phone", "phone"] { parts.removeLast() }
        if parts == ["home", "address"] || parts == ["postal", "address"]
            || parts == ["street", "address"]
        {
            parts = ["address"]
        }
        if parts.suffix(2) == ["time", "zone"] { parts = parts.dropLast(2) + ["timezone"] }
        guard (1...3).contains(parts.count), !ClaimWords.latest.contains(parts[0]),
            parts[0] == "favorite" && parts.count > 1 || ClaimWords.attributes.contains(parts[parts.count - 1])
        else { return nil }
        return parts.joined(separator: " ")
    }
}
