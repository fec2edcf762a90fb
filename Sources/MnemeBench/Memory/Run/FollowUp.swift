import MnemeIndex

/// A second question made from what the first brought: names that the question does not hold, such as
/// a ticket, a branch or a person, may stand beside the answer elsewhere.
enum FollowUp {
    /// Names that one follow-up asks for.
    private static let names = 3

    /// The question with the names that the found texts mention most; nil if there are none that are new.
    ///
    /// - Parameter asked: names that earlier follow-ups asked for; those of this one are added.
    static func question(_ question: String, _ texts: [String], asked: inout Set<String>) -> String? {
        let own = Set(TextAnalyzer.words(question))
        var counts: [String: Int] = [:]
        for text in texts {
            for name in Set(names(in: text)) where !asked.contains(name) {
                // A name whose words the question has is known to it.
                guard !TextAnalyzer.words(name).allSatisfy(own.contains) else { continue }
                counts[name, default: 0] += 1
            }
        }
        let best = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(names).map(\.key)
        guard !best.isEmpty else { return nil }
        asked.formUnion(best)
        return question + " " + best.joined(separator: " ")
    }

    /// Words that look like names: with a digit and a letter (ENG-142, v2), or with a capital letter within a
    /// sentence.
    private static func names(in text: String) -> [String] {
        var found: [String] = []
        var isFirst = true
        for part in text.split(whereSeparator: \.isWhitespace) {
            let word = part.trimmingPrefix { !$0.isLetter && !$0.isNumber }
            let name = String(word.reversed().drop { !$0.isLetter && !$0.isNumber }.reversed())
            let isMixed = name.contains(where: \.isNumber) && name.contains(where: \.isLetter)
            let isCapital = !isFirst && name.first?.isUppercase == true && name.count > 1
            if (isMixed || isCapital) && name.count <= 40 { found.append(name) }
            isFirst = part.last.map { ".!?:".contains($0) } ?? false
        }
        return found
    }
}
