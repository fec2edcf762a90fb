/// What stands behind a clause's verb: what was done, to what, where to and with whom.
struct ClauseObject {
    private let words: [AskWord]
    private let verb: Int
    /// Places of words that write amounts.
    private let figures: Set<Int>

    init(_ words: [AskWord], verb: Int, figures: Set<Int>) {
        self.words = words
        self.verb = verb
        self.figures = figures
    }

    private static let stops: Set<String> = [
        "for", "at", "in", "on", "with", "from", "by", "to", "after", "before", "during", "because", "again",
        "yesterday",
        "today", "tonight", "last", "this", "when", "since", "until", "near", "along", "into", "over", "without", "as",
        "while", "so", "twice", "once", "together", "and", "which", "that",
    ]
    private static let articles: Set<String> = ["a", "an", "the", "some", "my", "our", "his", "her", "another", "new"]

    /// Sets what was done and all that belongs to it.
    func fill(_ happening: inout Happening) {
        let stem = words[verb].stem
        happening.verb = stem
        happening.people = names(behind: ["with"])
        let rest = words[(verb + 1)...]
        let noun = rest.prefix(6).prefix { !["with", "to", "in", "at"].contains($0.lower) }
        if ActionWords.lightVerbs.contains(stem) {
            if let activity = noun.first(where: { $0.lower.hasSuffix("ing") && $0.lower != "meeting" }),
                let action = ActionWords.verbs[activity.stem]
            {
                happening.action = action
                let place = words.firstIndex(of: activity) ?? verb
                setObject(&happening, from: place + 1)
                return
            }
            if noun.contains(where: { $0.lower == "meeting" || $0.lower == "meetings" }) {
                happening.action = "meeting"
                setObject(&happening, from: verb + 1)
                return
            }
            if let action = noun.compactMap({ ActionWords.nouns[$0.stem] }).first {
                happening.action = action
                happening.places = names(behind: ["to"])
                if happening.places.isEmpty, action == "travel" { happening.status = .unfinished }
                return
            }
        }
        // "ran out of milk" is no run.
        if let particle = rest.first, ["into", "out", "away", "off", "late", "over"].contains(particle.lower),
            ActionWords.verbs[stem] != nil, !["travel"].contains(ActionWords.verbs[stem])
        {
            happening.action = stem + " " + particle.lower
            setObject(&happening, from: verb + 2)
            return
        }
        switch stem {
        case AskWord.stem("been"):
            happening.places = names(behind: ["to"])
            happening.action = "travel"
        case AskWord.stem("go"), AskWord.stem("travel"), AskWord.stem("fly"), AskWord.stem("drive"):
            happening.places = names(behind: ["to"])
            happening.action = happening.places.isEmpty ? "go" : "travel"
            if happening.places.isEmpty {
                // "went to a concert"
                if let to = rest.firstIndex(where: { $0.lower == "to" }) {
                    happening.action = "attend"
                    setObject(&happening, from: to + 1)
                }
            }
        case AskWord.stem("take") where noun.contains(where: { ActionWords.vehicles.contains($0.stem) }):
            happening.places = names(behind: ["to"])
            happening.action = happening.places.isEmpty ? stem : "travel"
        case AskWord.stem("visit"):
            happening.places = listed(from: verb + 1)
            happening.action = happening.places.isEmpty ? "visit" : "travel"
            if happening.places.isEmpty { setObject(&happening, from: verb + 1) }
        case AskWord.stem("finish"):
            let isTitle = rest.first.map { $0.isCapital || $0.stem == AskWord.stem("reading") } ?? false
            happening.action = isTitle || rest.contains { ActionWords.books.contains($0.stem) } ? "read" : stem
            setObject(&happening, from: verb + (rest.first?.lower == "reading" ? 2 : 1))
        case AskWord.stem("see"):
            happening.action = rest.prefix(4).contains { ActionWords.films.contains($0.stem) } ? "watch" : stem
            setObject(&happening, from: verb + 1)
        case AskWord.stem("pay"), AskWord.stem("spend"):
            let isMoney = happening.amounts.contains { $0.kind.isLike(.money("")) }
            happening.action = isMoney ? "buy" : stem
            let link = rest.firstIndex { ["for", "on"].contains($0.lower) }
            if isMoney, let link { setObject(&happening, from: link + 1) }
        case AskWord.stem("meet"):
            happening.action = "meet"
            happening.people = listed(from: verb + 1) + happening.people
        default:
            happening.action = ActionWords.verbs[stem] ?? stem
            setObject(&happening, from: verb + 1 + particleLength)
        }
    }

    /// Words behind the verb that belong to it: "signed up for a course", "picked up a parcel".
    private var particleLength: Int {
        let rest = words[(verb + 1)...].prefix(2).map(\.lower)
        guard let particle = rest.first, ["up", "down", "back"].contains(particle) else { return 0 }
        return rest.count == 2 && ["for", "to", "on", "with"].contains(rest[1]) ? 2 : 1
    }

    /// The object that begins at a place, and how many of each thing in it there are.
    private func setObject(_ happening: inout Happening, from start: Int) {
        var i = start
        // "The Leopard" is a title.
        let first = words[min(start, words.count)...].first { !["a", "an"].contains($0.lower) }
        while i < words.count, figures.contains(i) || Self.articles.contains(words[i].lower) && !words[i].isCapital {
            i += 1
        }
        if i > start, i - 1 < words.count, ["a", "an"].contains(words[i - 1].lower) || first?.lower == "another" {
            i -= 1
        }
        var parts: [[AskWord]] = [[]]
        var isLead = true
        while i < words.count, parts.flatMap(\.self).count < 10, !figures.contains(i) {
            let word = words[i]
            // Titles and pairs go on: "The Old Man and the Sea", "a leash and a bowl".
            let goesOn = word.lower == "and" && i + 1 < words.count && !isLead
            if Self.stops.contains(word.lower), !goesOn { break }
            if word.lower == "and" { parts.append([]) }
            parts[parts.count - 1].append(word)
            isLead = false
            i += 1
            if !word.mark.isEmpty { break }
        }
        var all = parts.flatMap(\.self)
        if let lead = all.first, ["a", "an"].contains(lead.lower) || lead.number != nil && all.count > 1 {
            all.removeFirst()
        }
        happening.object = all.map(\.text).joined(separator: " ")
        for part in parts {
            let head = part.prefix { !["about", "of"].contains($0.lower) }.filter { $0.lower != "and" }
            let number = head.first.flatMap { ["a", "an", "another"].contains($0.lower) ? 1 : $0.number }
            let isNamed = head.first?.isCapital ?? false
            for word in head where word.lower != "a" && word.lower != "an" {
                happening.objectStems.insert(word.stem)
                // "the tent" is one, "apples" are some.
                let isOne = isNamed || !(head.last?.lower.hasSuffix("s") ?? false)
                happening.quantities[word.stem] = .some(number ?? (isOne ? 1 : nil))
            }
        }
    }

    /// Capitalised names behind one of these words: "to Porto", "with Frau Lindqvist".
    private func names(behind links: Set<String>) -> [String] {
        words.indices.dropFirst(verb + 1).filter { links.contains(words[$0].lower) }.flatMap { listed(from: $0 + 1) }
    }

    /// Names from a place on, joined by "and" and commas.
    private func listed(from start: Int) -> [String] {
        var names: [String] = []
        var name: [String] = []
        var i = start
        while i < words.count {
            let word = words[i]
            if ["my", "his", "her", "our"].contains(word.lower), i + 1 < words.count,
                words[i + 1].mark.isEmpty || i + 2 == words.count
            {
                // "my sister"
                if !name.isEmpty { names.append(name.joined(separator: " ")) }
                name = ["\(word.lower) \(words[i + 1].text)"]
                i += 1
            } else if word.isCapital, word.lower != "i", !word.isPossessive {
                name.append(word.text)
                if !word.mark.isEmpty {
                    names.append(name.joined(separator: " "))
                    name = []
                    if word.mark != "," { break }
                }
            } else if word.lower == "and", !name.isEmpty || !names.isEmpty {
                if !name.isEmpty { names.append(name.joined(separator: " ")) }
                name = []
            } else {
                break
            }
            i += 1
        }
        return name.isEmpty ? names : names + [name.joined(separator: " ")]
    }
}
