import CStemmer
import NIOConcurrencyHelpers

/// Cuts text into index terms: its words, the same for all spellings of them (see ``TextFolding``),
/// without stop words, stemmed by Snowball's stemmer of its language.
///
/// Thread-safe. Stems are remembered, so that a common word costs one look-up.
public final class TextAnalyzer: Sendable {
    /// Changes whenever the same text would give other terms, with any table of a language too;
    /// stored analyses of another version are remade.
    public static let version = "snowball-3-" + String(Language.tablesHash, radix: 16)

    /// A stemmer, and the stems that it found. Used under the lock only.
    private final class Stemmer: @unchecked Sendable {
        let handle: OpaquePointer?
        var known: [String: String] = [:]
        init(_ name: String) { handle = sb_stemmer_new(name, nil) }
        deinit { sb_stemmer_delete(handle) }

        func stem(_ word: String) -> String {
            if let stem = known[word] { return stem }
            guard let handle else { return word }
            var copy = word
            let result = copy.withUTF8 { utf8 -> String in
                guard let stem = sb_stemmer_stem(handle, utf8.baseAddress, Int32(utf8.count)) else {
                    return word
                }
                return String(
                    decoding: UnsafeBufferPointer(
                        start: stem, count: Int(sb_stemmer_length(handle))), as: UTF8.self)
            }
            if known.count > 200_000 { known.removeAll() }
            known[word] = result
            return result
        }
    }

    private let english = NIOLockedValueBox(Stemmer(Language.english.stemmer))
    /// Of other languages, by their names; made when a text is the first of its language.
    private let others = NIOLockedValueBox<[String: Stemmer]>([:])

    /// An analyzer with its own cache of stems.
    public init() {}

    /// The terms of `text` in order, stop words left out, as of an English text.
    ///
    /// - Complexity: linear in the text.
    public func terms(_ text: String) -> [String] { terms(ofWords: Self.words(text)) }

    /// As ``terms(_:)``, for what ``words(_:)`` gave.
    public func terms(ofWords words: [String]) -> [String] {
        let stopWords = Self.stopWords
        let words = words.filter { !stopWords.contains($0) }
        return english.withLockedValue { stemmer in words.map { stemmer.stem($0) } }
    }

    /// The terms of a text in a language, in order, its stop words left out.
    ///
    /// - Parameters:
    ///   - words: as the language parts them, see ``Language/words(of:_:)``.
    ///   - language: names the stop words and the stemmer.
    public func terms(ofWords words: [String], in language: Language) -> [String] {
        let words = words.filter { !language.stopWords.contains($0) }
        return others.withLockedValue { stemmers in
            let stemmer = stemmers[language.name] ?? Stemmer(language.stemmer)
            stemmers[language.name] = stemmer
            return words.map { stemmer.stem($0) }
        }
    }

    /// The English stem of one lower-cased word.
    public func stem(_ word: String) -> String { english.withLockedValue { $0.stem(word) } }

    /// Words of `text` as they are compared, see ``TextFolding``; an apostrophe joins ("don't" is
    /// one word), the possessive ending 's is dropped.
    ///
    /// Emoji are words. Of scripts without spaces, and of Hangul, words are pairs of neighbouring
    /// letters and single ideographs and syllables.
    public static func words(_ text: String) -> [String] { WordSegmenter.words(of: text) }

    /// Tells whether a word is a single ideograph or syllable, which stands in many other words.
    public static func isLetterAlone(_ word: String) -> Bool { WordSegmenter.isLetterAlone(word) }

    /// English words that carry no topic; question words among them.
    public static var stopWords: Set<String> { Language.english.stopWords }
}
