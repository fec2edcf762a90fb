/// Stems of English words by Porter's rules ("An algorithm for suffix stripping", 1980), with the
/// changes that NLTK makes to them: authors of benchmarks score answers by NLTK's stems, which are
/// not Snowball's.
enum PorterStems {
    /// A suffix, what stands in its place, and how many vowel-consonant pairs must be before it.
    private typealias Rule = (suffix: String, replacement: String, pairs: Int)

    /// Words whose stems no rule gives.
    private static let irregular = [
        "sky": "sky", "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "news": "news",
        "innings": "inning", "inning": "inning", "outings": "outing", "outing": "outing",
        "cannings": "canning", "canning": "canning", "howe": "howe", "proceed": "proceed",
        "exceed": "exceed", "succeed": "succeed",
    ]
    private static let second: [Rule] = [
        ("ational", "ate", 1), ("tional", "tion", 1), ("enci", "ence", 1), ("anci", "ance", 1),
        ("izer", "ize", 1), ("bli", "ble", 1), ("alli", "al", 1), ("entli", "ent", 1), ("eli", "e", 1),
        ("ousli", "ous", 1), ("ization", "ize", 1), ("ation", "ate", 1), ("ator", "ate", 1),
        ("alism", "al", 1), ("iveness", "ive", 1), ("fulness", "ful", 1), ("ousness", "ous", 1),
        ("aliti", "al", 1), ("iviti", "ive", 1), ("biliti", "ble", 1), ("fulli", "ful", 1),
    ]
    private static let third: [Rule] = [
        ("icate", "ic", 1), ("ative", "", 1), ("alize", "al", 1), ("iciti", "ic", 1), ("ical", "ic", 1),
        ("ful", "", 1), ("ness", "", 1),
    ]
    private static let fourth: [Rule] = [
        "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate",
        "iti", "ous", "ive", "ize",
    ].map { ($0, "", 2) }

    /// The stem of a word, in lower case.
    ///
    /// - Complexity: linear in the word.
    static func stem(_ word: String) -> String {
        let lower = word.lowercased()
        if let known = irregular[lower] { return known }
        guard lower.unicodeScalars.count > 2 else { return lower }
        var word = plural(Letters(lower))
        word = ending(word)
        // y is i behind a consonant, if that is not all there is.
        if word.ends("y"), word.count > 2, word.isConsonant(word.count - 2) {
            word = word.replacing("y", "i")
        }
        word = derived(word)
        word = apply(third, word)
        word = apply(fourth, word)
        if word.ends("e") {
            let stem = word.dropping(1)
            if stem.pairs > 1 || (stem.pairs == 1 && !stem.endsShort) { word = stem }
        }
        if word.ends("ll"), word.dropping(1).pairs > 1 { word = word.dropping(1) }
        return word.text
    }

    private static func plural(_ word: Letters) -> Letters {
        if word.ends("ies") { return word.replacing("ies", word.count == 4 ? "ie" : "i") }
        if word.ends("sses") { return word.dropping(2) }
        return word.ends("s") && !word.ends("ss") ? word.dropping(1) : word
    }

    /// Takes -ed and -ing away.
    private static func ending(_ word: Letters) -> Letters {
        if word.ends("ied") { return word.replacing("ied", word.count == 4 ? "ie" : "i") }
        if word.ends("eed") { return word.dropping(3).pairs > 0 ? word.dropping(1) : word }
        guard let suffix = ["ed", "ing"].first(where: { word.ends($0) && word.dropping($0.count).hasVowel })
        else { return word }
        let stem = word.dropping(suffix.count)
        if ["at", "bl", "iz"].contains(where: stem.ends) { return stem.adding("e") }
        if stem.endsDouble { return ["l", "s", "z"].contains(where: stem.ends) ? stem : stem.dropping(1) }
        return stem.pairs == 1 && stem.endsShort ? stem.adding("e") : stem
    }

    /// Shortens what is derived from a shorter word: -ational, -izer, -fulness.
    private static func derived(_ word: Letters) -> Letters {
        if word.ends("alli"), word.dropping(4).pairs > 0 { return derived(word.replacing("alli", "al")) }
        let result = apply(second, word)
        guard result.text == word.text, word.ends("logi"), word.dropping(3).pairs > 0 else { return result }
        return word.dropping(1)
    }

    /// Applies the first rule whose suffix fits, if its condition does.
    private static func apply(_ rules: [Rule], _ word: Letters) -> Letters {
        guard let rule = rules.first(where: { word.ends($0.suffix) }) else { return word }
        let stem = word.dropping(rule.suffix.unicodeScalars.count)
        guard stem.pairs >= rule.pairs else { return word }
        // -ion goes behind s and t alone.
        if rule.suffix == "ion", rule.pairs == 2, !stem.ends("s"), !stem.ends("t") { return word }
        return stem.adding(rule.replacement)
    }
}

/// The letters of a word, and which are consonants: all but a, e, i, o, u, and y behind a consonant.
private struct Letters {
    private let letters: [Unicode.Scalar]
    private let consonants: [Bool]

    init(_ word: String) { self.init(letters: Array(word.unicodeScalars)) }

    private init(letters: [Unicode.Scalar]) {
        self.letters = letters
        var flags: [Bool] = []
        for letter in letters {
            switch letter {
            case "a", "e", "i", "o", "u": flags.append(false)
            case "y": flags.append(flags.last.map { !$0 } ?? true)
            default: flags.append(true)
            }
        }
        consonants = flags
    }

    var count: Int { letters.count }
    var text: String {
        var text = ""
        text.unicodeScalars.append(contentsOf: letters)
        return text
    }
    var hasVowel: Bool { consonants.contains(false) }
    /// Times that a consonant follows a vowel: Porter's m.
    var pairs: Int { zip(consonants, consonants.dropFirst()).count { !$0 && $1 } }
    /// Ends with a letter twice that is a consonant.
    var endsDouble: Bool { count > 1 && letters[count - 1] == letters[count - 2] && consonants[count - 1] }
    /// Ends with consonant, vowel, and a consonant that is not w, x or y; or is vowel and consonant.
    var endsShort: Bool {
        if count == 2 { return !consonants[0] && consonants[1] }
        guard count > 2, consonants[count - 3], !consonants[count - 2], consonants[count - 1] else { return false }
        return !["w", "x", "y"].contains(letters[count - 1])
    }

    func isConsonant(_ index: Int) -> Bool { consonants[index] }
    func ends(_ suffix: String) -> Bool {
        let suffix = suffix.unicodeScalars
        return letters.count >= suffix.count && letters.suffix(suffix.count).elementsEqual(suffix)
    }
    func dropping(_ number: Int) -> Letters { Letters(letters: letters.dropLast(number)) }
    func adding(_ text: String) -> Letters { Letters(letters: letters + text.unicodeScalars) }
    func replacing(_ suffix: String, _ text: String) -> Letters {
        dropping(suffix.unicodeScalars.count).adding(text)
    }
}
