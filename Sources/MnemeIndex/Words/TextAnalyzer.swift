import CStemmer
import NIOConcurrencyHelpers

/// Cuts text into index terms: its words, the same for all spellings of them (see ``TextFolding``),
/// without stop words, stemmed by Snowball's English stemmer.
///
/// Thread-safe. Stems are remembered, so that a common word costs one look-up.
public final class TextAnalyzer: Sendable {
    /// Changes whenever the same text would give other terms; stored analyses of another version
    /// are remade.
    public static let version = "en-snowball-2"

    /// Used under the lock only.
    private final class Stemmer: @unchecked Sendable {
        let handle = sb_stemmer_new("english", nil)
        var known: [String: String] = [:]
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

    private let stemmer = NIOLockedValueBox(Stemmer())

    /// An analyzer with its own cache of stems.
    public init() {}

    /// The terms of `text` in order, stop words left out.
    ///
    /// - Complexity: linear in the text.
    public func terms(_ text: String) -> [String] { terms(ofWords: Self.words(text)) }

    /// As ``terms(_:)``, for what ``words(_:)`` gave.
    public func terms(ofWords words: [String]) -> [String] {
        let words = words.filter { !Self.stopWords.contains($0) }
        return stemmer.withLockedValue { stemmer in words.map { stemmer.stem($0) } }
    }

    /// The stem of one lower-cased word.
    public func stem(_ word: String) -> String { stemmer.withLockedValue { $0.stem(word) } }

    /// Words of `text` as they are compared, see ``TextFolding``; an apostrophe joins ("don't" is
    /// one word), the possessive ending 's is dropped.
    ///
    /// Emoji are words. Of scripts without spaces, and of Hangul, words are pairs of neighbouring
    /// letters and single ideographs and syllables.
    public static func words(_ text: String) -> [String] { WordCutter.words(of: text) }

    /// Tells whether a word is a single ideograph or syllable, which stands in many other words.
    public static func isLetterAlone(_ word: String) -> Bool { WordCutter.isLetterAlone(word) }

    /// Words that carry no topic. (English function words; question words among them.)
    public static let stopWords: Set<String> = Set(
        """
        a an and are as at be been but by did do does doing for from had has have having he her hers him his how i if in into is it \
        its itself just me my of on or our out over own s she so some such t than that the their them then there these they this those \
        to too up was we were what when where which while who whom why will with would you your can could should about am
        """.split(separator: " ").map(String.init))
}
