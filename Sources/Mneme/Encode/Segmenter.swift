/// Cuts a long text into parts that an embedder reads whole.
///
/// The parts are exact slices: joined, they are the text again, so that the original is kept.
package enum Segmenter {
    /// Characters of a part: about 250 tokens of English.
    package static let targetLength = 1000

    /// Parts of `text`, cut at paragraphs, else sentences, else words, else anywhere.
    ///
    /// - Complexity: linear.
    package static func parts(of text: String, targetLength: Int = targetLength) -> [Substring] {
        guard text.utf8.count > targetLength * 5 / 4, text.count > targetLength * 5 / 4 else { return [text[...]] }
        var parts: [Substring] = [], rest = text[...]
        while rest.count > targetLength * 5 / 4 {
            let window = rest.prefix(targetLength), half = window.index(window.startIndex, offsetBy: targetLength / 2)
            let cut =
                end(of: "\n\n", in: window, after: half) ?? sentenceEnd(in: window, after: half) ?? end(of: "\n", in: window, after: half)
                ?? end(of: " ", in: window, after: half) ?? window.endIndex
            parts.append(rest[..<cut])
            rest = rest[cut...]
        }
        if !rest.isEmpty { parts.append(rest) }
        return parts
    }

    private static func end(of separator: String, in window: Substring, after start: String.Index) -> String.Index? {
        window.ranges(of: separator).last { $0.lowerBound >= start }?.upperBound
    }

    private static func sentenceEnd(in window: Substring, after start: String.Index) -> String.Index? {
        [". ", "! ", "? ", ".\n", "!\n", "?\n", "。"].compactMap { end(of: $0, in: window, after: start) }.max()
    }
}
