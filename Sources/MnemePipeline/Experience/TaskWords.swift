/// The words of a task that tell what it is about, and how like another one's they are.
struct TaskWords: Equatable {
    /// Stems, without words that every text has.
    let stems: Set<String>

    private static let common: Set<String> = [
        "a", "an", "the", "of", "to", "in", "on", "at", "for", "with", "and", "or", "is", "are", "was", "be", "it",
        "this",
        "that", "from", "by", "as", "my", "our", "your", "please", "how", "do", "i", "we", "you",
    ]

    /// - Complexity: O(*n*) in the text's length.
    init(_ text: String) {
        stems = Set(AskWord.words(of: text).filter { !Self.common.contains($0.lower) }.map(\.stem))
    }

    init(stems: Set<String>) { self.stems = stems }

    /// The share of words that two tasks have in common (Dice), 0 to 1.
    func similarity(to other: TaskWords) -> Double {
        let all = stems.count + other.stems.count
        return all == 0 ? 0 : 2 * Double(stems.intersection(other.stems).count) / Double(all)
    }

    /// The share of these words that a task holds, 0 to 1.
    func coverage(by task: TaskWords) -> Double {
        stems.isEmpty ? 0 : Double(stems.intersection(task.stems).count) / Double(stems.count)
    }
}
