/// Cuts a long text into parts that an embedder reads whole.
///
/// The parts are exact slices: joined, they are the text again, so that the original is kept.
///
/// A part is normally at least half as long as the target, unless it is the last, so that no cut
/// leaves a scrap of a sentence. What is a quarter longer than the target at most stays whole.
package enum Segmenter {
    /// Characters of a part: about 250 tokens of English.
    package static let targetLength = 1000
    /// Scalars of a part for each character that it may have: there is no bound to the marks on one
    /// letter.
    private static let scalarsPerCharacter = 4

    /// Parts of `text`, cut at paragraphs, else sentences, else words, else anywhere.
    ///
    /// - Complexity: linear: each step looks at what a part can hold.
    package static func parts(of text: String, targetLength: Int = targetLength) -> [Substring] {
        var parts: [Substring] = []
        var start = text.startIndex
        while let window = window(of: text[start...], targetLength) {
            let half =
                window.index(
                    window.startIndex, offsetBy: targetLength / 2, limitedBy: window.endIndex)
                ?? window.startIndex
            let end = text.utf8.index(
                start,
                offsetBy: window.utf8.distance(
                    from: window.startIndex, to: cut(window, after: half)))
            parts.append(text[start..<end])
            start = end
        }
        if start < text.endIndex || parts.isEmpty { parts.append(text[start...]) }
        return parts
    }

    /// The text that the next part is cut from, or nil if the rest is one part.
    ///
    /// A copy: within a longer text, to find a character may mean to go back over all marks before
    /// it.
    private static func window(of rest: Substring, _ targetLength: Int) -> String? {
        let longest = targetLength * 5 / 4
        guard rest.utf8.count > longest else { return nil }
        let scalars = rest.unicodeScalars
        let reach =
            scalars.index(
                scalars.startIndex, offsetBy: longest * scalarsPerCharacter,
                limitedBy: scalars.endIndex)
            ?? scalars.endIndex
        let near = String(scalars[..<reach])
        guard
            let end = near.index(near.startIndex, offsetBy: targetLength, limitedBy: near.endIndex)
        else {
            return reach < rest.endIndex ? near : nil
        }
        // A little more than a part stays whole.
        let isLonger =
            near.index(end, offsetBy: longest - targetLength + 1, limitedBy: near.endIndex) != nil
        return isLonger || reach < rest.endIndex ? String(near[..<end]) : nil
    }

    /// The end of the last paragraph, sentence, line or word behind `half`.
    private static func cut(_ window: String, after half: String.Index) -> String.Index {
        var paragraph: String.Index?
        var sentence: String.Index?
        var line: String.Index?
        var word: String.Index?
        var cut = half
        var isBehindLine = false
        var isBehindMark = false
        while cut < window.endIndex {
            // Characters, so that none is cut; looked at as scalars, since to compare characters
            // costs as much as they have marks.
            let scalar = window.unicodeScalars[cut]
            let next = window.index(after: cut)
            let isLine = scalar.isLineEnd
            if isLine {
                line = next
                if isBehindLine { paragraph = next }
            }
            if scalar == " " { word = next }
            if isBehindMark && (scalar == " " || isLine) || isFullStop(scalar) { sentence = next }
            isBehindLine = isLine
            isBehindMark = scalar == "." || scalar == "!" || scalar == "?"
            cut = next
        }
        return paragraph ?? sentence ?? line ?? word ?? window.endIndex
    }

    /// Ends of sentences behind which no space stands.
    private static func isFullStop(_ scalar: Unicode.Scalar) -> Bool {
        guard !scalar.isASCII else { return false }
        return scalar == "。" || scalar == "！" || scalar == "？" || scalar == "।" || scalar == "؟"
            || scalar == "۔"
    }
}
