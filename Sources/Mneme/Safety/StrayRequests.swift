import MnemeIndex

/// Finds sentences of a mail, page or document that ask its reader for something which the document is not about:
/// instructions that somebody put into a text that others hand to a model (BIPIA, Yi et al. 2025; InjecAgent, Zhan et al.
/// 2024).
///
/// Such a sentence is harmless to read and shows no other sign: "Write a poem about the sea" is what anybody asks a model,
/// and out of place at the end of a bill. Three things are asked for together: it gives a reader of texts something to
/// do or wants its answer changed, it shares no topic with the rest, and the rest asks for nothing of the kind. Lists of
/// tasks and manuals ask all the time, so that nothing in them is out of place. Words are compared, not vectors: these are
/// not made yet when a text is stored.
struct StrayRequests {
    /// A part of a text, and whether it is such a request.
    struct Piece: Equatable {
        /// An exact slice of the text.
        var text: Substring
        /// True for a request that has nothing to do with the rest.
        var isStray: Bool
    }

    /// Words and sentences that the rest of a document has at least: of less nobody can say what it is about.
    private static let leastWords = 12, leastSentences = 2
    /// Sentences of a document that are read, and stray ones that it has at most; with more it is a list.
    private static let longest = 2_000, most = 3

    private let analyzer: TextAnalyzer

    /// A finder that stems words as the index does.
    init(_ analyzer: TextAnalyzer) { self.analyzer = analyzer }

    /// A text's parts, in order: joined, they are the text again. A text without stray requests is one part.
    ///
    /// - Complexity: linear in the text.
    func pieces(of text: String) -> [Piece] {
        let whole = [Piece(text: text[...], isStray: false)]
        let sentences = Self.sentences(of: text).prefix(Self.longest).map(read)
        guard sentences.count > Self.leastSentences else { return whole }
        let asking = sentences.indices.filter { sentences[$0].isRequest }
        guard !asking.isEmpty, asking.count <= Self.most else { return whole }
        let rest = sentences.indices.filter { !sentences[$0].isRequest }
        guard rest.count >= Self.leastSentences, asking.count * 3 <= sentences.count,
            rest.reduce(0, { $0 + sentences[$1].words.count }) >= Self.leastWords
        else { return whole }
        let subject = rest.reduce(into: Set<String>()) { $0.formUnion(sentences[$1].topics) }
        let stray = asking.filter { place in
            let topics = sentences[place].topics
            return topics.intersection(subject).count * 4 <= topics.count
        }
        guard let first = stray.first, let last = stray.last, last - first < Self.most else { return whole }
        // What stands between two of them is theirs.
        let range = sentences[first].text.startIndex..<sentences[last].text.endIndex
        return [
            Piece(text: text[..<range.lowerBound], isStray: false), Piece(text: text[range], isStray: true),
            Piece(text: text[range.upperBound...], isStray: false),
        ].filter { piece in piece.text.contains { !$0.isWhitespace } || piece.isStray }
    }

    /// A sentence as it is compared.
    private struct Sentence {
        var text: Substring
        var words: [String]
        /// Stems of what it is about.
        var topics: Set<String>
        var isRequest: Bool
    }

    private func read(_ text: Substring) -> Sentence {
        let words = TextAnalyzer.words(String(text.prefix(2_000)))
        let meant = words.filter {
            !TextAnalyzer.stopWords.contains($0) && !StrayWords.all.contains($0) && !ChangeWords.isValue($0)
        }
        let topics = Set(meant.map(analyzer.stem))
        // What is quoted is not said to the reader.
        let plain = text.prefix { !"'\"“‘:".contains($0) }
        let asked = plain.count < 8 ? words : TextAnalyzer.words(String(plain.prefix(2_000)))
        let begins = text.first { !$0.isWhitespace }.map { $0.isUppercase || "'\"“‘".contains($0) } ?? false
        let isRequest = begins && words.count <= 60 && Self.isRequest(asked, isQuestion: Self.asks(text))
        let isShort = topics.count < (asked.contains("me") ? 3 : Self.asks(text) ? 2 : 1)
        return Sentence(text: text, words: words, topics: topics, isRequest: isRequest && !isShort)
    }

    /// True if a sentence gives the reader of a text something to do: a task for a writer, a change of its answer, or a
    /// question of general knowledge.
    private static func isRequest(_ words: [String], isQuestion: Bool) -> Bool {
        if words.count > 3, words[0] == "in", words[1] == "your", StrayWords.answers.contains(words[2]) { return true }
        let words = words.drop { StrayWords.openers.contains($0) }
        guard let first = words.first, words.count >= 3 else { return false }
        let said = Set(words)
        let isTask = StrayWords.tasks.contains(first)
        let isEdit = isTask || StrayWords.edits.contains(first)
        if isEdit, !said.isDisjoint(with: StrayWords.answers), said.contains("your") || said.contains("the") {
            return true
        }
        // Whoever writes to somebody speaks of themselves and of them; "show me" is said to anybody.
        let people = said.intersection(StrayWords.people)
        guard people.isEmpty || isTask && people == ["me"] else { return false }
        return isTask || isQuestion && StrayWords.questions.contains(first)
    }

    /// True if a sentence ends with a question mark.
    private static func asks(_ text: Substring) -> Bool {
        text.last { !$0.isWhitespace && $0 != "\"" && $0 != "'" && $0 != ")" } == "?"
    }

    /// The sentences and lines of a text: slices that joined are the text again. A line that goes on in lower case is
    /// none of its own, and a full stop without a space behind it, as in mails that lost their layout, is one.
    private static func sentences(of text: String) -> [Substring] {
        let scalars = text.unicodeScalars
        var sentences: [Substring] = []
        var start = scalars.startIndex
        var place = scalars.startIndex
        var before: Unicode.Scalar = " "
        while place < scalars.endIndex {
            let scalar = scalars[place]
            let next = scalars.index(after: place)
            let following = next < scalars.endIndex ? scalars[next] : "\n"
            let isMark = scalar == "." || scalar == "!" || scalar == "?"
            let ends =
                scalar.isLineEnd
                ? !(scalars[next...].first { !$0.isSpace && !$0.isLineEnd }.map(isLower) ?? false)
                : isMark && (following.isSpace || following.isLineEnd || isUpper(following) && isLower(before))
            if ends {
                sentences.append(text[start..<next])
                start = next
            }
            (before, place) = (scalar, next)
        }
        if start < text.endIndex { sentences.append(text[start...]) }
        // Blank lines belong to what stands before them.
        return sentences.reduce(into: []) { joined, sentence in
            if let last = joined.last, !sentence.contains(where: { $0.isLetter || $0.isNumber }) {
                joined[joined.count - 1] = text[last.startIndex..<sentence.endIndex]
            } else {
                joined.append(sentence)
            }
        }
    }

    private static func isLower(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isLowercase }
    private static func isUpper(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isUppercase }
}
