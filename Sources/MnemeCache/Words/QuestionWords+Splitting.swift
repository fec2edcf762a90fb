import Foundation

/// How a question's text becomes words.
extension QuestionWords {
    /// Lower-case words: letters, digits, and what joins them within a word. Short forms become
    /// two words, and `'s` is cut off. A word in capitals that would be a word without meaning in
    /// small letters ("US") gets an underscore.
    static func split(_ text: String) -> [String] {
        var words: [String] = []
        var word = ""
        let isLoud = !text.contains(where: \.isLowercase)
        func end() {
            while let last = word.last, "'-._".contains(last) { word.removeLast() }
            while let first = word.first, "'-._".contains(first) { word.removeFirst() }
            defer { word = "" }
            let small = word.lowercased()
            guard !small.isEmpty else { return }
            if let form = contracted[small] {
                words += form
            } else if small.hasSuffix("'s") {
                words.append(String(small.dropLast(2)))
            } else if !isLoud, word.count > 1, empty.contains(small), word == word.uppercased() {
                words.append(small + "_")
            } else {
                words.append(small)
            }
        }
        for character in text {
            if character.isLetter || character.isNumber || "'-._".contains(character) {
                word.append(character)
            } else {
                end()
            }
        }
        end()
        return words
    }

    /// Texts between back-ticks or double quotes.
    static func quoted(in text: String) -> [String] {
        var found: [String] = []
        var rest = text[...]
        while let start = rest.firstIndex(where: { $0 == "`" || $0 == "\"" }) {
            let mark = rest[start]
            let behind = rest.index(after: start)
            guard let end = rest[behind...].firstIndex(of: mark) else { break }
            found.append(String(rest[behind..<end]))
            rest = rest[rest.index(after: end)...]
        }
        return found
    }

    /// A line of words with spaces around each, without what only leads to the question.
    static func withoutOpeners(_ line: String) -> String {
        var line = line
        while true {
            let words = line.split(separator: " ", maxSplits: 3)
            if words.count > 2, asksFor.contains(String(words[0])), words[1] == "you",
                requested.contains(String(words[2])) || tasks.contains(String(words[2]))
            {
                line = " " + words[2...].joined(separator: " ")
                continue
            }
            guard let opener = openers.first(where: { line.hasPrefix($0) }),
                line.utf8.count > opener.utf8.count
            else { break }
            line = " " + line.dropFirst(opener.count)
        }
        // What is said at the end out of politeness.
        for end in [" please ", " thanks ", " thank you "] where line.hasSuffix(end) {
            line = line.dropLast(end.count) + " "
        }
        return line
    }

    /// A number as it is compared: digits, words for numbers, ordinals, months and days.
    static func number(_ word: String) -> String? {
        if let value = numbers[word] { return value }
        guard word.contains(where: \.isNumber) else { return nil }
        for ending in ["st", "nd", "rd", "th"] where word.hasSuffix(ending) {
            let digits = word.dropLast(2)
            if digits.allSatisfy(\.isNumber) { return "#" + digits }
        }
        return word
    }
}
