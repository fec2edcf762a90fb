import MnemeBase

/// Looks for patterns of words in sentences.
///
/// A pattern is a list of elements: `word`, `one|other`, `@class` (a named set of words), `~3` (up
/// to three words of any kind) and `^`, the place where somebody begins to tell the reader what to
/// do: a sentence or a part of one, or behind words such as "please", "must" or "assistant". A word
/// comes first, or `^` and a word. Nothing begins behind a denial ("never skip a test"), unless the pattern names it. A gap
/// ends where the next clause begins with a command, and no word behind it begins one: "turn the switch off, check the
/// lamp" turns no check off.
///
/// All patterns are compiled into one array of elements, and indexed by the words that they can
/// begin with: a word that no pattern begins with costs one look-up. Matching then backtracks over
/// gaps, which are short, so that a sentence costs a few comparisons for each known word.
struct PhraseMatcher: Sendable {
    /// One element of a compiled pattern.
    private enum Element: Sendable {
        /// One of a set of words, by its place in ``PhraseMatcher/members``.
        case word(set: Int)
        /// Up to so many words of any kind.
        case gap(Int)
        /// The next word may begin a command.
        case command
        /// The end of a pattern.
        case end
    }
    /// A word of a sentence.
    struct Word: Sendable {
        /// The word's number; 0 is any word that no pattern names.
        fileprivate var id: Int
        /// True if a command may begin there.
        fileprivate var isCommand: Bool
        /// True if a clause begins there: behind a comma, a colon or a dash, or "and" behind one.
        fileprivate var beginsClause: Bool
    }
    /// The words of one sentence, a slice of the words of the text.
    typealias Sentence = ArraySlice<Word>

    /// Numbers of the words that patterns name, by their hash.
    private let numbers: [UInt64: Int]
    /// The patterns one behind the other.
    private let elements: [Element]
    /// Patterns by the words that they can begin with: of what they are a sign, and where their
    /// elements stand.
    private let patternsByFirstWord: [[(signal: GuardSignals, start: Int)]]
    /// Words behind which a command may begin.
    private let openers: Set<Int>
    /// Words that join a clause to the one before; words that deny the next one.
    private let joiners: Set<Int>, denials: Set<Int>
    /// "Without", and what denies it besides.
    private let exceptions: Set<Int>, absences: Set<Int>
    /// Words of commands, which no gap goes over where a clause begins with one.
    private let verbs: Set<Int>
    /// Sets of words, each as many bits as there are numbers.
    private let members: [UInt64]
    /// Words of 64 bits that a set takes.
    private let stride: Int
    /// Scalars of a text that are looked at.
    private static let longest = 20_000

    /// - Parameters:
    ///   - classes: words by the name of their class; a class may name others as `@class`.
    ///   - verbs: words of commands.
    ///   - patterns: one a line, by what they are a sign of.
    init(classes: [String: String], openers: String, verbs: String, patterns: [(GuardSignal, String)]) {
        var numbers: [UInt64: Int] = [:]
        var read: [Substring: Set<Int>] = [:]
        /// The number of a word, given out at its first use, from 1.
        func number(_ word: Substring) -> Int {
            let hash = word.unicodeScalars.reduce(WordHash()) { $0.adding($1) }.value
            if let known = numbers[hash] { return known }
            numbers[hash] = numbers.count + 1
            return numbers.count
        }
        /// The numbers of the words of an alternative, with those of the classes that it names.
        func words(_ text: Substring) -> Set<Int> {
            // Patterns name the same classes again and again.
            if let known = read[text] { return known }
            let pieces = text.utf8.split { $0 == UInt8(ascii: "|") || $0 == 32 || $0 == 10 }
            let set: Set<Int> = pieces.lazy.map { Substring($0) }
                .reduce(into: []) { set, word in
                    if word.hasPrefix("@") {
                        set.formUnion(words(Substring(classes[String(word.dropFirst())]!)))
                    } else {
                        set.insert(number(word))
                    }
                }
            read[text] = set
            return set
        }
        self.openers = words(Substring(openers))
        joiners = words("and then but or")
        denials = words("not never don't dont")
        exceptions = words("without")
        absences = words("no cannot can't nobody")
        self.verbs = words(Substring(verbs))
        var elements: [Element] = []
        var sets: [Set<Int>] = []
        // By the text of an alternative: two texts of the same words are two sets.
        var setNumbers: [Substring: Int] = [:]
        var starts: [(signal: GuardSignals, start: Int, first: Int)] = []
        for (signal, lines) in patterns {
            for line in lines.parts(between: "\n") {
                let start = elements.count
                var first: Int?
                for part in line.parts(between: " ") {
                    if part == "^" {
                        elements.append(.command)
                    } else if part.hasPrefix("~"), let most = Int(part.dropFirst()) {
                        elements.append(.gap(most))
                    } else {
                        let number = setNumbers[part] ?? sets.count
                        if number == sets.count {
                            sets.append(words(part))
                            setNumbers[part] = number
                        }
                        elements.append(.word(set: number))
                        if first == nil { first = number }
                    }
                }
                elements.append(.end)
                if let first { starts.append((GuardSignals(signal), start, first)) }
            }
        }
        var patternsByFirstWord = [[(signal: GuardSignals, start: Int)]](
            repeating: [], count: numbers.count + 1)
        for (signal, start, first) in starts {
            for word in sets[first] { patternsByFirstWord[word].append((signal, start)) }
        }
        stride = numbers.count / 64 + 1
        var members = [UInt64](repeating: 0, count: sets.count * stride)
        for (number, set) in sets.enumerated() {
            for word in set { members[number * stride + word / 64] |= 1 << UInt64(word % 64) }
        }
        (self.numbers, self.elements, self.patternsByFirstWord, self.members) = (
            numbers, elements, patternsByFirstWord, members
        )
    }

    /// The hash of a word: 64-bit FNV-1a over its scalars, one step a scalar, so that a text is cut
    /// into words without making strings.
    ///
    /// Words of patterns are compared by hash alone. Two words of one hash would be taken for the
    /// same; among a few thousand words of patterns that is not to be expected by chance, and who
    /// makes such a word on purpose gains a signal, and hides none.
    private struct WordHash {
        var value: UInt64 = 0xcbf2_9ce4_8422_2325

        /// The hash of the word with one more scalar.
        func adding(_ scalar: Unicode.Scalar) -> WordHash {
            WordHash(value: (value ^ UInt64(scalar.value)) &* 0x100_0000_01b3)
        }
    }

    /// A text's sentences, cut into words.
    ///
    /// - Parameter text: in lower case.
    /// - Complexity: linear, with a look-up a word.
    func sentences(of text: some RandomAccessCollection<Unicode.Scalar>) -> [Sentence] {
        var words: [Word] = []
        var ends: [Int] = []
        var begins = true
        var isClause = false
        var hash = WordHash()
        var isWord = false
        /// Ends the word that is being read, if there is one, and notes whether the next may begin
        /// a command.
        func endWord() {
            guard isWord else { return }
            let id = numbers[hash.value] ?? 0
            words.append(Word(id: id, isCommand: begins, beginsClause: isClause))
            begins = openers.contains(id)
            isClause = isClause && joiners.contains(id)
            hash = WordHash()
            isWord = false
        }
        /// Ends the sentence; one without words is none.
        func endSentence() {
            endWord()
            if words.count > ends.last ?? 0 { ends.append(words.count) }
            begins = true
            isClause = false
        }
        let text = text.prefix(Self.longest)
        var offset = text.startIndex
        while offset < text.endIndex {
            let scalar = text[offset]
            offset = text.index(after: offset)
            if scalar.isLetterOrDigit || scalar == "_" {
                hash = hash.adding(scalar)
                isWord = true
                continue
            }
            let next: Unicode.Scalar? = offset < text.endIndex ? text[offset] : nil
            switch scalar {
            case ".", "!", "?", ";", "\n":
                // A point within a name or a number ends nothing.
                if scalar == ".", next?.isLetterOrDigit ?? false {
                    endWord()
                } else {
                    endSentence()
                }
            case ",", ":", ")", "(", "\"", "-", "–", "—", "[", "]", "<", ">", "“", "”":
                // Hyphens within words part them, and nothing begins there.
                let isWithin = scalar == "-" && isWord && next?.isLetter ?? false
                endWord()
                if !isWithin { begins = true }
                if scalar != "-" { isClause = true }
            case "'", "’":
                if isWord, next?.isLetter ?? false { hash = hash.adding("'") } else { endWord() }
            default: endWord()
            }
        }
        endSentence()
        var start = 0
        return ends.map { end in
            defer { start = end }
            return words[start..<end]
        }
    }

    /// The signals whose patterns match somewhere in a sentence.
    ///
    /// - Complexity: for each known word, the patterns that can begin with it; signals that are
    ///   found already are not looked for again.
    func signals(in sentence: Sentence) -> GuardSignals {
        var found: GuardSignals = []
        for offset in sentence.indices where sentence[offset].id != 0 && !isDenied(offset, sentence) {
            for (signal, start) in patternsByFirstWord[sentence[offset].id] where !found.contains(signal) {
                if matches(start, sentence, offset) { found.insert(signal) }
            }
        }
        return found
    }

    /// True if a clause begins at a word that there is.
    private func beginsClause(_ offset: Int, _ sentence: Sentence) -> Bool {
        offset < sentence.endIndex && sentence[offset].beginsClause
    }

    /// True if the word before denies this one; "without" by any denial before it in its clause: "never without a test"
    /// asks for one.
    private func isDenied(_ offset: Int, _ sentence: Sentence) -> Bool {
        guard offset > sentence.startIndex else { return false }
        if denials.contains(sentence[offset - 1].id) { return true }
        guard exceptions.contains(sentence[offset].id) else { return false }
        let clause = sentence[..<offset].lastIndex(where: \.beginsClause) ?? sentence.startIndex
        return sentence[clause..<offset].contains { denials.contains($0.id) || absences.contains($0.id) }
    }

    /// Matches the elements from `element` on against the words from `offset` on, by recursion; a
    /// gap tries all its lengths. Patterns hold few gaps, of few words, which bounds the
    /// backtracking.
    private func matches(_ element: Int, _ sentence: Sentence, _ offset: Int) -> Bool {
        switch elements[element] {
        case .end: return true
        case .word(let set):
            guard offset < sentence.endIndex else { return false }
            let id = sentence[offset].id
            guard members[set * stride + id / 64] & (1 << UInt64(id % 64)) != 0 else {
                return false
            }
            return matches(element + 1, sentence, offset + 1)
        case .command:
            return offset < sentence.endIndex && sentence[offset].isCommand
                && matches(element + 1, sentence, offset)
        case .gap(let most):
            for place in offset...(offset + most) {
                if place > offset, beginsClause(place - 1, sentence), verbs.contains(sentence[place - 1].id) {
                    return false
                }
                if beginsClause(place, sentence), case .word = elements[element + 1] { continue }
                if matches(element + 1, sentence, place) { return true }
            }
            return false
        }
    }
}
