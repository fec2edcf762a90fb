import Foundation

/// A word of a memory or question, with what its spelling tells.
struct AskWord: Equatable {
    /// As it stands, without punctuation around it and without a possessive ending.
    var text: String
    /// In lower case.
    var lower: String
    /// What its forms have in common: `ran`, `running` and `runs` have one.
    var stem: String
    /// Punctuation behind it.
    var mark: String
    /// True for `Nora's`.
    var isPossessive = false

    /// True if it begins with a capital.
    var isCapital: Bool { text.first?.isUppercase ?? false }
    /// True if a sentence ends with it.
    var endsSentence: Bool { mark.contains { ".!?".contains($0) } && !Self.abbreviations.contains(lower) }
    /// The number that it writes, in figures or as a word up to twenty.
    var number: Double? { Self.numbers[lower] ?? Double(Self.plain(text)) }

    /// The words of a text.
    ///
    /// - Complexity: O(*n*) in its length.
    static func words(of text: String) -> [AskWord] {
        text.replacingOccurrences(of: "\u{2019}", with: "'").split(whereSeparator: \.isWhitespace)
            .flatMap { parts(of: String($0)) }.compactMap(AskWord.init)
    }

    private static let abbreviations: Set<String> = ["mr", "mrs", "ms", "dr", "st", "no", "vs", "etc"]
    private static let numbers: [String: Double] = [
        "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
        "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15,
        "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
    ]
    private static let outer = CharacterSet(charactersIn: "\"'“”‘’«»()[]{},;:!?…—–-.*_")

    /// `5km` is two words, `€120` and `half-marathon` too.
    private static func parts(of token: String) -> [String] {
        var parts: [String] = []
        var part = ""
        for letter in token {
            if let last = part.last {
                let wasFigure = last.isNumber
                if "€$£".contains(last) || "€$£".contains(letter) && wasFigure
                    || wasFigure && letter.isLetter && part.allSatisfy({ $0.isNumber || ".,".contains($0) })
                    || last.isLetter && letter == "-" && part.count > 1
                {
                    parts.append(part)
                    part = letter == "-" ? "" : String(letter)
                    continue
                }
            }
            part.append(letter)
        }
        return parts + [part]
    }

    /// Figures without a comma that parts thousands.
    private static func plain(_ text: String) -> String {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count > 1 else { return text }
        return parts.dropFirst().allSatisfy { $0.prefix(3).count == 3 }
            ? parts.joined() : parts.joined(separator: ".")
    }

    private init?(_ token: String) {
        var core = token.trimmingCharacters(in: Self.outer)
        guard !core.isEmpty else { return nil }
        let tail = token.range(of: core, options: .backwards).map { String(token[$0.upperBound...]) }
        mark = tail ?? ""
        if core.lowercased().hasSuffix("'s"), !["it's", "that's", "let's", "he's", "she's"].contains(core.lowercased())
        {
            core = String(core.dropLast(2))
            isPossessive = true
        } else if mark.hasPrefix("'"), core.hasSuffix("s"), core.first?.isUppercase ?? false {
            isPossessive = true
        }
        text = core
        lower = core.lowercased()
        stem = Self.stem(lower)
    }

    /// What the forms of a word have in common; no word itself.
    static func stem(_ word: String) -> String {
        if let base = ActionWords.irregular[word] { return stem(base) }
        var stem = word
        if stem.hasSuffix("ies"), stem.count > 4 {
            stem = stem.dropLast(3) + "y"
        } else if ["ches", "shes", "sses", "xes"].contains(where: stem.hasSuffix) {
            stem.removeLast(2)
        } else if stem.hasSuffix("s"), stem.count > 3, !["ss", "us", "is"].contains(where: stem.hasSuffix) {
            stem.removeLast()
        }
        if stem.hasSuffix("ing"), stem.count > 5 {
            stem.removeLast(3)
        } else if stem.hasSuffix("ed"), stem.count > 4 {
            stem.removeLast(2)
        }
        if stem.hasSuffix("e"), stem.count > 3 { stem.removeLast() }
        if let last = stem.last, stem.dropLast().last == last, stem.count > 3 { stem.removeLast() }
        return stem
    }
}
