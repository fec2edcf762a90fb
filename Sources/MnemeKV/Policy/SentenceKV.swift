import Foundation

/// Stands for each sentence by the mean of its keys, and reads the pages of the sentences that score best
/// (SentenceKV, Zhu et al. 2025).
///
/// Sentences end where a token of the text ends one. A page is worth what the rows of all sentences in it
/// are together; the paper fetches the rows of a sentence, here their pages are read. All rows stay in
/// memory.
public struct SentenceKV: KVIndexSelector {
    /// Tokens behind which a sentence ends, and the most rows of one.
    public var ends: Set<Int32>, longest: Int

    /// By default sentences of 64 rows at most: what never ends is cut there.
    public init(ends: Set<Int32>, longest: Int = 64) { (self.ends, self.longest) = (ends, longest) }

    /// To see where sentences end.
    public var needsTokens: Bool { true }
    /// Vectors of sentences.
    public func index() -> any KVPageIndex { Index(ends: ends, longest: longest) }

    private final class Index: KVPageIndex {
        private let ends: Set<Int32>, longest: Int
        /// The keys of each sentence added up, and its rows; the last one is open.
        private var sums: [[Float]] = [], rows: [Int] = []
        private var isOpen = false
        /// Of each page, its sentences and how many rows of each it has.
        private var pages: [[(sentence: Int, rows: Int)]] = []

        init(ends: Set<Int32>, longest: Int) { (self.ends, self.longest) = (ends, longest) }

        var bytes: Int { sums.reduce(0) { $0 + 4 * $1.count } + 8 * pages.reduce(0) { $0 + $1.count } }

        func add(_ new: KVPageRows) {
            for (i, key) in new.keys.enumerated() {
                if !isOpen {
                    sums.append([Float](repeating: 0, count: key.count))
                    rows.append(0)
                }
                let sentence = sums.count - 1
                for (e, x) in key.enumerated() { sums[sentence][e] += x }
                rows[sentence] += 1
                if i % KVShape.blockTokens == 0 { pages.append([]) }
                if pages[pages.count - 1].last?.sentence == sentence {
                    pages[pages.count - 1][pages[pages.count - 1].count - 1].rows += 1
                } else {
                    pages[pages.count - 1].append((sentence, 1))
                }
                isOpen = rows[sentence] < longest && !(i < new.tokens.count && ends.contains(new.tokens[i]))
            }
        }

        func score(_ query: [Float], at position: Int, into scores: UnsafeMutablePointer<Float>) {
            let worth = sums.indices.map { sentence in
                zip(query, sums[sentence]).reduce(0) { $0 + $1.0 * $1.1 } / Float(rows[sentence])
            }
            for (page, sentences) in pages.enumerated() {
                let most = sentences.reduce(-Float.infinity) { max($0, worth[$1.sentence]) }
                scores[page] =
                    most + log(sentences.reduce(0) { $0 + Float($1.rows) * exp(worth[$1.sentence] - most) })
            }
        }
    }
}
