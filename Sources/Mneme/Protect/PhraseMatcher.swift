/// Looks for patterns of words in sentences.
///
/// A pattern is a list of elements: `word`, `one|other`, `@class` (a named set of words), `~3` (up to three words of any kind) and `^`, the place where
/// somebody begins to tell the reader what to do: a sentence or a part of one, or behind words such as "please", "must" or "assistant". A word comes
/// first, or `^` and a word.
struct PhraseMatcher: Sendable {
    private enum Element: Sendable {
        case word(Set<Int>)
        case gap(Int)
        case command
    }
    struct Sentence: Sendable {
        fileprivate var ids: [Int]
        /// Whether a command may begin there.
        fileprivate var isCommand: [Bool]
        var isEmpty: Bool { ids.isEmpty }
    }

    private var numbers: [String: Int] = [:]
    private var patterns: [(signal: GuardSignal, elements: [Element])] = []
    /// Patterns by the words that they can begin with.
    private var beginnings: [Int: [Int]] = [:]
    /// Words behind which a command may begin.
    private let openers: Set<Int>

    /// - Parameters:
    ///   - classes: words by the name of their class; a class may name others as `@class`.
    ///   - patterns: one a line, by what they are a sign of.
    init(classes: [String: String], openers: String, patterns: [(GuardSignal, String)]) {
        var numbers: [String: Int] = [:]
        func number(_ word: Substring) -> Int {
            if let known = numbers[String(word)] { return known }
            numbers[String(word)] = numbers.count + 1
            return numbers.count
        }
        func words(_ text: Substring) -> Set<Int> {
            text.split(whereSeparator: { $0 == "|" || $0 == " " || $0 == "\n" }).reduce(into: []) { set, word in
                if word.hasPrefix("@") {
                    set.formUnion(words(Substring(classes[String(word.dropFirst())]!)))
                } else {
                    set.insert(number(word))
                }
            }
        }
        self.openers = words(Substring(openers))
        for (signal, lines) in patterns {
            for line in lines.split(separator: "\n") {
                let elements = line.split(separator: " ").map { part -> Element in
                    if part == "^" { return .command }
                    if part.hasPrefix("~"), let most = Int(part.dropFirst()) { return .gap(most) }
                    return .word(words(part))
                }
                self.patterns.append((signal, elements))
            }
        }
        self.numbers = numbers
        for (number, pattern) in self.patterns.enumerated() {
            for case .word(let words) in pattern.elements.prefix(2).drop(while: {
                if case .word = $0 { false } else { true }
            }).prefix(1) {
                for word in words { beginnings[word, default: []].append(number) }
            }
        }
    }

    /// A text's sentences, cut into lowercase words.
    func sentences(of text: String) -> [Sentence] {
        var sentences: [Sentence] = [], sentence = Sentence(ids: [], isCommand: []), word = "", begins = true, count = 0
        func endWord() {
            guard !word.isEmpty else { return }
            let id = numbers[word] ?? 0
            sentence.ids.append(id)
            sentence.isCommand.append(begins)
            begins = openers.contains(id)
            word = ""
        }
        func endSentence() {
            endWord()
            if !sentence.isEmpty { sentences.append(sentence) }
            sentence = Sentence(ids: [], isCommand: [])
            begins = true
        }
        var scalars = text.lowercased().unicodeScalars[...]
        while let scalar = scalars.popFirst() {
            count += 1
            if count > 20_000 { break }
            switch scalar {
            case ".", "!", "?", ";", "\n":
                // A point within a name or a number ends nothing.
                if scalar == ".", let next = scalars.first,
                    next.properties.isAlphabetic || next.properties.numericType != nil
                {
                    endWord()
                } else {
                    endSentence()
                }
            case ",", ":", ")", "(", "\"", "-", "–", "—", "[", "]", "<", ">", "“", "”":
                // Hyphens within words part them, and nothing begins there.
                let within = scalar == "-" && !word.isEmpty && (scalars.first?.properties.isAlphabetic ?? false)
                endWord()
                if !within { begins = true }
            case "'", "’":
                if !word.isEmpty, scalars.first?.properties.isAlphabetic ?? false {
                    word.append("'")
                } else {
                    endWord()
                }
            default:
                if scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "_" {
                    word.unicodeScalars.append(scalar)
                } else {
                    endWord()
                }
            }
        }
        endSentence()
        return sentences
    }

    /// What a sentence shows signs of.
    ///
    /// - Complexity: a few patterns for each known word.
    func signals(in sentence: Sentence) -> Set<GuardSignal> {
        var found: Set<GuardSignal> = []
        for (place, id) in sentence.ids.enumerated() where id != 0 {
            for number in beginnings[id] ?? [] where !found.contains(patterns[number].signal) {
                if Self.matches(patterns[number].elements[...], sentence, place) {
                    found.insert(patterns[number].signal)
                }
            }
        }
        return found
    }

    private static func matches(_ elements: ArraySlice<Element>, _ sentence: Sentence, _ place: Int) -> Bool {
        guard let element = elements.first else { return true }
        let rest = elements.dropFirst()
        switch element {
        case .word(let words):
            return place < sentence.ids.count && words.contains(sentence.ids[place])
                && matches(rest, sentence, place + 1)
        case .command: return place < sentence.ids.count && sentence.isCommand[place] && matches(rest, sentence, place)
        case .gap(let most): return (0...most).contains { matches(rest, sentence, place + $0) }
        }
    }
}
