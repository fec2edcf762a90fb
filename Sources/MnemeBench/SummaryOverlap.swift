import Foundation

/// What two texts have in common, by their words: the harmonic mean of precision and recall of words, and that
/// of pairs of neighbours, halved (ROUGE-1 and ROUGE-2, Lin 2004).
package enum SummaryOverlap {
    /// 1 for the same words in the same order, 0 for no common word; two empty texts are the same.
    package static func score(_ text: String, _ reference: String) -> Double {
        let words = (words(text), Self.words(reference))
        guard !words.0.isEmpty || !words.1.isEmpty else { return 1 }
        let pairs = (neighbours(words.0), neighbours(words.1))
        // A single word has no neighbour.
        guard !pairs.0.isEmpty || !pairs.1.isEmpty else { return mean(words.0, words.1) }
        return (mean(words.0, words.1) + mean(pairs.0, pairs.1)) / 2
    }

    private static func words(_ text: String) -> [String] {
        text.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
    }

    private static func neighbours(_ words: [String]) -> [String] {
        zip(words, words.dropFirst()).map { $0 + " " + $1 }
    }

    /// 2·common/(all of both), a word as often as both have it.
    private static func mean(_ a: [String], _ b: [String]) -> Double {
        var left = Dictionary(b.map { ($0, 1) }, uniquingKeysWith: +)
        var common = 0
        for word in a where left[word, default: 0] > 0 {
            left[word]! -= 1
            common += 1
        }
        return a.isEmpty && b.isEmpty ? 1 : 2 * Double(common) / Double(a.count + b.count)
    }
}
