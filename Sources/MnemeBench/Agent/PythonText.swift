/// A text as Python's `str` sees it: code points, its own blanks and word characters. LoCoBench-Agent's metrics
/// are defined over these, and `Character` would see a line's end differently ("\r\n" is one of them).
struct PythonText {
    /// The code points.
    let scalars: ArraySlice<Unicode.Scalar>

    init(_ text: String) { scalars = Array(text.unicodeScalars)[...] }
    init(_ scalars: ArraySlice<Unicode.Scalar>) { self.scalars = scalars }

    /// The parts between line feeds, as `split("\n")` has them: one at least.
    var lines: [PythonText] {
        scalars.split(separator: "\n", omittingEmptySubsequences: false).map { PythonText($0) }
    }

    /// The text without blanks at both ends (`strip`).
    var stripped: PythonText {
        let start = scalars.drop(while: Self.isBlank)
        let end = start.lastIndex { !Self.isBlank($0) }.map { $0 + 1 } ?? start.startIndex
        return PythonText(start[start.startIndex..<end])
    }

    /// Words between blanks (`split()`).
    var words: [String] {
        scalars.split(whereSeparator: Self.isBlank).map { part in
            var word = ""
            word.unicodeScalars.append(contentsOf: part)
            return word
        }
    }

    /// Whether the text begins with one of these (`startswith`).
    func starts(_ prefixes: String...) -> Bool {
        prefixes.contains { scalars.starts(with: $0.unicodeScalars) }
    }

    /// Places of a text that do not overlap (`count`).
    ///
    /// - Complexity: O(*n* × needle).
    func count(_ needle: String) -> Int {
        let needle = Array(needle.unicodeScalars)
        var found = 0
        var place = scalars.startIndex
        while place + needle.count <= scalars.endIndex {
            // Behind a match the search goes on at its end.
            if scalars[place] == needle[0], scalars[place..<place + needle.count].elementsEqual(needle) {
                found += 1
                place += needle.count
            } else {
                place += 1
            }
        }
        return found
    }

    /// Runs of word characters, as `\w+` finds them, with their places.
    var runs: [Range<Int>] {
        var runs: [Range<Int>] = []
        var start: Int?
        for place in scalars.indices {
            if Self.isWord(scalars[place]) {
                start = start ?? place
            } else if let begin = start {
                runs.append(begin..<place)
                start = nil
            }
        }
        if let begin = start { runs.append(begin..<scalars.endIndex) }
        return runs
    }

    /// The code points of a range as a string.
    func text(_ range: Range<Int>) -> String {
        var text = ""
        text.unicodeScalars.append(contentsOf: scalars[range])
        return text
    }

    /// The first place from `start` on that is no blank; the end if there is none.
    func skippingBlanks(_ start: Int) -> Int {
        scalars[start...].firstIndex { !Self.isBlank($0) } ?? scalars.endIndex
    }

    /// A blank as `str.isspace` has it: Unicode's, and the four separators of ASCII.
    static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
    }

    /// A word character of `\w`: a letter, a number or an underscore.
    static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        if scalar == "_" { return true }
        return switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber:
            true
        default: false
        }
    }
}
