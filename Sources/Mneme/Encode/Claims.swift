import Foundation
package import MnemeStore

/// Finds what a text claims of which only one thing holds at a time: homes, employers, favourites,
/// where things lie, who likes what.
///
/// By rule, for English. Rules are narrow: what they do not find is kept and recalled like
/// everything else, but supersedes nothing. Questions, wishes and pronouns that could be anybody
/// are passed over.
package enum Claims {
    /// Claims of one text that are kept.
    private static let limit = 8
    /// Bytes of a text that are looked at; long texts are stories and documents.
    private static let longest = 2_000

    private struct Token {
        var text: Substring
        var lower: String
        /// Whether a comma or the like stands behind it.
        var endsClause: Bool
        var isCapital: Bool { text.unicodeScalars.first?.isUppercase ?? false }
        /// Without `'s`, if it has one.
        var possessor: String? {
            for end in ["'s", "’s"] where lower.hasSuffix(end) && lower.count > 2 {
                return String(lower.dropLast(2))
            }
            return nil
        }
    }

    /// - Parameters:
    ///   - words: ``MnemeIndex/TextAnalyzer/words(_:)`` of the text.
    ///   - speaker: whom "I" means.
    package static func find(in text: String, words: [String], speaker: String?) -> [Claim] {
        guard text.utf8.count <= longest, words.contains(where: triggers.contains) else {
            return []
        }
        var found: [Claim] = []
        for sentence in sentences(of: text) where found.count < limit {
            for claim in claims(in: sentence, speaker: speaker?.lowercased() ?? "i")
            where !found.contains(claim) && found.count < limit {
                // Of one text the last word counts.
                found.removeAll { $0.subject == claim.subject && $0.attribute == claim.attribute }
                found.append(claim)
            }
        }
        return found
    }

    /// Sentences that state something, cut into words.
    private static func sentences(of text: String) -> [[Token]] {
        var sentences: [[Token]] = [], tokens: [Token] = []
        for line in text.unicodeScalars.split(whereSeparator: \.isLineEnd) {
            for raw in line.split(separator: " ") {
                let word = Substring(raw.trimming { !$0.isWordPart && $0 != "+" && $0 != "#" })
                let mark = raw.last { !"\"')”’".unicodeScalars.contains($0) }
                if !word.isEmpty {
                    let lower = word.lowercased()
                    tokens.append(
                        Token(
                            text: word,
                            lower: lower.utf8.contains(0xE2)
                                ? lower.replacing("’", with: "'") : lower,
                            endsClause: mark == "," || mark == ":" || mark == ")"))
                }
                if mark == "?" {
                    tokens = []
                } else if mark == "." || mark == "!" || mark == ";" {
                    if !tokens.isEmpty { sentences.append(tokens) }
                    tokens = []
                }
            }
            if !tokens.isEmpty { sentences.append(tokens) }
            tokens = []
        }
        return sentences
    }

    // MARK: Rules

    private enum Value { case name, anything }
    private static let verbs: [(words: [String], attribute: String, value: Value, isDenied: Bool)] =
        [
            (["lives", "in"], "home", .name, false), (["live", "in"], "home", .name, false),
            (["living", "in"], "home", .name, false),
            (["moved", "to"], "home", .name, false), (["relocated", "to"], "home", .name, false),
            (["based", "in"], "home", .name, false),
            (["moved", "back", "to"], "home", .name, false),
            (["moved", "over", "to"], "home", .name, false),
            (["moving", "to"], "home", .name, false),
            (["moving", "back", "to"], "home", .name, false),
            (["moved", "back", "in"], "home", .name, false),
            (["moved", "out", "to"], "home", .name, false),
            (["settled", "in"], "home", .name, false),
            (["moved", "away", "from"], "home", .name, true),
            (["moved", "out", "of"], "home", .name, true),
            (["works", "at"], "employer", .name, false),
            (["works", "for"], "employer", .name, false),
            (["work", "at"], "employer", .name, false),
            (["work", "for"], "employer", .name, false),
            (["working", "at"], "employer", .name, false),
            (["working", "for"], "employer", .name, false),
            (["hired", "by"], "employer", .name, false),
            (["got", "a", "job", "at"], "employer", .name, false),
            (["got", "a", "new", "job", "at"], "employer", .name, false),
            (["started", "a", "new", "job", "at"], "employer", .name, false),
            (["employed", "at"], "employer", .name, false),
            (["employed", "by"], "employer", .name, false),
            (["quit"], "employer", .name, true), (["left"], "employer", .name, true),
            (["works", "as"], "job", .anything, false), (["work", "as"], "job", .anything, false),
            (["working", "as"], "job", .anything, false),
            (["married", "to"], "spouse", .name, false), (["drives"], "car", .anything, false),
        ]
    private static let verbsByFirst = Dictionary(grouping: verbs) { $0.words[0] }
    /// "Joined" alone may be a club, an app or a call: what the role says decides.
    private static let joins = ["joined"]
    private static let visitors: Set<String> = [
        "guest", "host", "listener", "viewer", "member", "participant", "observer", "volunteer",
        "player", "beginner",
        "spectator",
        "moderator", "friend", "fan", "student", "subscriber", "user", "customer",
    ]
    /// Verbs that give what has a time another one, when a time follows: "was moved to Thursday".
    private static let shifts: Set<String> = [
        "moved", "rescheduled", "postponed", "pushed", "shifted", "changed", "delayed", "deferred",
        "brought", "put",
        "bumped",
    ]
    private static let shiftAdverbs: Set<String> = ["back", "forward", "off", "up", "out"]
    private static let auxiliaries: Set<String> = [
        "was", "is", "has", "have", "been", "got", "gets", "being", "were", "had",
    ]
    private static let likes: Set<String> = [
        "likes", "like", "loves", "love", "enjoys", "enjoy", "prefers", "prefer", "adores", "adore",
    ]
    private static let dislikes: Set<String> = ["hates", "hate", "dislikes", "dislike"]
    /// Forms that go with "I".
    private static let bases: Set<String> = [
        "live", "work", "like", "love", "enjoy", "prefer", "adore", "hate", "dislike",
    ]
    private static let diets: Set<String> = ["vegan", "vegetarian", "pescatarian"],
        statuses: Set<String> = ["single", "divorced", "engaged", "widowed", "married"]
    /// Attributes of which somebody or something has one.
    private static let attributes: Set<String> = [
        "name", "birthday", "age", "address", "phone", "number", "mobile", "email", "hometown",
        "job", "title", "boss",
        "manager", "doctor", "dentist",
        "password",
        "code", "pin", "budget", "salary", "deadline", "status", "timezone", "nationality", "diet",
        "size", "weight",
        "height", "car", "price", "location",
        "version", "color", "capital", "ceo", "owner", "date", "rent", "employer", "nickname",
        "therapist", "landlord",
        "username", "host", "port", "branch",
        "leader",
    ]
    /// Words that say that it is the one of now; what it is of is the same.
    private static let latest: Set<String> = [
        "new", "current", "latest", "updated", "present", "actual", "own", "correct",
    ]
    private static let triggers: Set<String> = Set(verbs.map { $0.words[0] }).union(joins).union(
        shifts
    ).union(likes)
        .union(dislikes).union([
            "is", "im", "became", "turned", "stand",
        ])
        .union(diets)
    private static let adverbs: Set<String> = [
        "now", "currently", "just", "recently", "has", "have", "is", "am", "are", "still", "also",
        "finally",
        "actually", "really",
    ]
    private static let contractions: [String: String] = ["i'm": "am", "i've": "have"]
    private static let nobody: Set<String> = [
        "he", "she", "they", "it", "we", "you", "who", "what", "which", "that", "this", "these",
        "those", "there",
        "someone", "everyone", "nobody", "people",
        "and",
        "but", "so", "because", "if", "then", "when", "where", "how", "hey", "yes", "no", "well",
        "oh", "also", "one",
        "everybody", "somebody",
    ]
    /// Words at which what is said of something ends.
    private static let ends: Set<String> = [
        "with", "since", "because", "last", "this", "next", "for", "after", "when", "where", "who",
        "which", "that",
        "from", "until", "and", "but", "so", "as",
        "now",
        "today", "yesterday", "tomorrow", "currently", "again", "anymore", "any", "instead",
        "while", "before", "these",
        "too", "right", "these", "two",
        "three", "a",
    ]
    private static let articles: Set<String> = ["a", "an", "the"]
    private static let objectsOfNothing: Set<String> = [
        "it", "that", "this", "you", "him", "her", "them", "how", "when", "what", "me", "us", "one",
        "to",
    ]
    private static let places: Set<String> = [
        "in", "on", "under", "at", "behind", "inside", "near", "beside", "above", "below",
    ]
    private static let times: Set<String> = Set(
        [
            "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "noon",
            "midnight",
        ]
            + UTCCalendar.monthNames)

    private static func claims(in tokens: [Token], speaker: String) -> [Claim] {
        var found: [Claim] = [], last: String?
        // Who writes no capitals at all writes names without them, too.
        let isLower = !tokens.contains(where: \.isCapital)
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
            if let claim = shifted(tokens, at: i, speaker, isLower) {
                found.append(claim)
            } else if starts(tokens, at: i, with: joins) {
                guard let claim = joined(tokens, at: i, speaker, last, isLower) else { continue }
                last = claim.subject
                found.append(claim)
            } else if let rule = verbsByFirst[word]?.first(where: {
                starts(tokens, at: i, with: $0.words)
            }) {
                guard let (who, isDenied) = subject(tokens, before: i, speaker, last, isLower),
                    let value = value(tokens, from: i + rule.words.count, rule.value, isLower)
                else { continue }
                last = who
                found.append(
                    Claim(
                        subject: who, attribute: rule.attribute, value: value,
                        isDenied: rule.isDenied != isDenied))
            } else if likes.contains(word) || dislikes.contains(word)
                || starts(tokens, at: i, with: ["stand"])
            {
                guard let (who, isDenied) = subject(tokens, before: i, speaker, last, isLower),
                    word != "stand" || isDenied,
                    let object = value(tokens, from: i + 1, .anything, isLower, most: 4),
                    !objectsOfNothing.contains(tokens[i + 1].lower)
                else { continue }
                last = who
                let isLiked = word == "stand" ? false : likes.contains(word) != isDenied
                found.append(
                    Claim(
                        subject: who, attribute: "opinion of " + object,
                        value: isLiked ? "likes" : "dislikes"))
            } else if word == "is" || word == "am" || word == "became" || word == "turned"
                || contractions[word] == "am"
            {
                guard let claim = state(tokens, at: i, speaker, isLower) else { continue }
                found.append(claim)
            }
        }
        return found
    }

    /// "Ana joined Siemens as an engineer"
    private static func joined(
        _ tokens: [Token], at place: Int, _ speaker: String, _ last: String?, _ isLower: Bool
    )
        -> Claim?
    {
        guard let (who, isDenied) = subject(tokens, before: place, speaker, last, isLower),
            let name = value(tokens, from: place + 1, .name, isLower),
            let role = tokens[(place + 1)...].firstIndex(where: { $0.lower == "as" }),
            role <= place + 6,
            let what = value(tokens, from: role + 1, .anything, isLower, most: 3)
        else { return nil }
        guard visitors.isDisjoint(with: what.split(separator: " ").map(String.init)) else {
            return nil
        }
        return Claim(subject: who, attribute: "employer", value: name, isDenied: isDenied)
    }

    /// "The meeting was moved to Thursday at 4pm"
    private static func shifted(
        _ tokens: [Token], at place: Int, _ speaker: String, _ isLower: Bool
    ) -> Claim? {
        guard shifts.contains(tokens[place].lower), !tokens[place].endsClause else { return nil }
        var next = place + 1
        while next < tokens.count, shiftAdverbs.contains(tokens[next].lower) { next += 1 }
        guard next + 1 < tokens.count, ["to", "until", "till", "for"].contains(tokens[next].lower),
            isTime(tokens[next + 1].lower)
        else { return nil }
        var end = place
        while end > 0,
            auxiliaries.contains(tokens[end - 1].lower) || adverbs.contains(tokens[end - 1].lower)
        {
            end -= 1
        }
        guard end > 0, !tokens[end - 1].endsClause,
            let what = name(tokens, endingAt: end, speaker, isLower),
            let value = value(tokens, from: next + 1, .anything, isLower)
        else { return nil }
        return Claim(subject: what, attribute: "time", value: value)
    }

    private static func isTime(_ word: String) -> Bool {
        times.contains(word) || ["today", "tomorrow", "next"].contains(word)
            || word.first?.isNumber ?? false
    }

    private static func starts(_ tokens: [Token], at place: Int, with words: [String]) -> Bool {
        place + words.count <= tokens.count
            && words.indices.allSatisfy {
                tokens[place + $0].lower == words[$0]
                    && !($0 + 1 < words.count && tokens[place + $0].endsClause)
            }
    }

    /// Who does what stands at `place`, and whether it is denied.
    private static func subject(
        _ tokens: [Token], before place: Int, _ speaker: String, _ last: String?, _ isLower: Bool
    ) -> (String, Bool)? {
        var end = place, isDenied = false
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
            } else if adverbs.contains(word) {
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
        let isSpeaker = tokens[end - 1].lower == "i" || contractions[tokens[end - 1].lower] != nil
        guard isDenied || isSpeaker || !bases.contains(tokens[place].lower) else { return nil }
        return name(tokens, endingAt: end, speaker, isLower, isVerb: true).map { ($0, isDenied) }
    }

    /// Who or what is named by the words before `end`.
    private static func name(
        _ tokens: [Token], endingAt end: Int, _ speaker: String, _ isLower: Bool,
        isVerb: Bool = false
    ) -> String? {
        let token = tokens[end - 1]
        if token.lower == "i" || contractions[token.lower] != nil { return speaker }
        if nobody.contains(token.lower) { return nil }
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
            if nobody.contains(tokens[start].lower) { break }
        }
        if token.isCapital {
            var start = end - 1
            while start > 0, tokens[start - 1].isCapital, !tokens[start - 1].endsClause,
                !nobody.contains(tokens[start - 1].lower),
                tokens[start - 1].lower != "i"
            {
                start -= 1
            }
            return end - start <= 3 ? tokens[start..<end].map(\.lower).joined(separator: " ") : nil
        }
        return isLower && end == 1 ? token.lower : nil
    }

    /// What is said, up to the end of the clause.
    private static func value(
        _ tokens: [Token], from place: Int, _ kind: Value, _ isLower: Bool, most: Int = 5
    )
        -> String?
    {
        var parts: [String] = [], i = place
        while i < tokens.count, parts.count < most {
            let token = tokens[i]
            if parts.isEmpty, articles.contains(token.lower) || token.lower == "my" {
                if kind == .name, !isLower { return nil }
                i += 1
                continue
            }
            if ends.contains(token.lower)
                || token.isCapital && times.contains(token.lower) && !parts.isEmpty
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

    /// "My favourite colour is blue", "The key is under the mat", "Ana is vegan".
    private static func state(_ tokens: [Token], at place: Int, _ speaker: String, _ isLower: Bool)
        -> Claim?
    {
        var next = place + 1, isDenied = false
        while next < tokens.count {
            let word = tokens[next].lower
            if word == "not" || word == "longer" {
                isDenied = true
            } else if !adverbs.contains(word), word != "no" {
                break
            }
            next += 1
        }
        guard next < tokens.count, !tokens[place].endsClause else { return nil }
        let word = tokens[next].lower, isContraction = contractions[tokens[place].lower] != nil
        guard isContraction || place > 0, isContraction || !tokens[place - 1].endsClause else {
            return nil
        }
        let whose = isContraction ? speaker : name(tokens, endingAt: place, speaker, isLower)
        if diets.contains(word) {
            return whose.map {
                Claim(subject: $0, attribute: "diet", value: word, isDenied: isDenied)
            }
        }
        if articles.contains(word), next + 1 < tokens.count, diets.contains(tokens[next + 1].lower) {
            return whose.map {
                Claim(
                    subject: $0, attribute: "diet", value: tokens[next + 1].lower,
                    isDenied: isDenied)
            }
        }
        if statuses.contains(word), next + 1 == tokens.count || tokens[next].endsClause {
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
        guard !isContraction, tokens[place].lower == "is" else { return nil }
        if let (subject, attribute) = attribute(tokens, before: place, speaker, isLower),
            let value = value(tokens, from: next, .anything, isLower)
        {
            return Claim(subject: subject, attribute: attribute, value: value, isDenied: isDenied)
        }
        if times.contains(word), place >= 2, !tokens[place - 1].isCapital, let whose,
            let value = value(tokens, from: next, .anything, isLower)
        {
            return Claim(subject: whose, attribute: "time", value: value, isDenied: isDenied)
        }
        // Only things lie somewhere for long; people come and go.
        guard places.contains(word), let whose, place >= 2, !tokens[place - 1].isCapital,
            let value = value(tokens, from: next + 1, .anything, isLower)
        else {
            return nil
        }
        let isTime =
            times.contains(value.split(separator: " ")[0].description) || value.first!.isNumber
        return Claim(
            subject: whose, attribute: isTime ? "time" : "place",
            value: isTime ? value : word + " " + value,
            isDenied: isDenied)
    }

    /// "my phone number", "Ana's boss", "the capital of France": of whom, and what.
    private static func attribute(
        _ tokens: [Token], before end: Int, _ speaker: String, _ isLower: Bool
    ) -> (
        subject: String, attribute: String
    )? {
        if let of = tokens[max(0, end - 4)..<end].lastIndex(where: { $0.lower == "of" }),
            of + 1 < end, of >= 2
        {
            guard let start = tokens[max(0, of - 4)..<of].lastIndex(where: { $0.lower == "the" }),
                start + 1 < of,
                let what = canonical(tokens[(start + 1)..<of])
            else { return nil }
            return (
                tokens[(of + 1)..<end].map(\.lower).filter { !articles.contains($0) }.joined(
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
                return canonical(tokens[(start + 1)..<end]).map {
                    (owner, $0 == "number" ? "phone" : $0)
                }
            }
            if tokens[start].lower == "the" {
                // "The wifi password is …": of nobody's, but there is one.
                let words = tokens[(start + 1)..<end]
                guard words.count >= 2, let what = canonical(words.suffix(1)) else { return nil }
                return (words.dropLast().map(\.lower).joined(separator: " "), what)
            }
        }
        return nil
    }

    private static func canonical(_ tokens: ArraySlice<Token>) -> String? {
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
        while parts.count > 1, latest.contains(parts[0]) { parts.removeFirst() }
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
        guard (1...3).contains(parts.count), !latest.contains(parts[0]),
            parts[0] == "favorite" && parts.count > 1 || attributes.contains(parts[parts.count - 1])
        else { return nil }
        return parts.joined(separator: " ")
    }
}
