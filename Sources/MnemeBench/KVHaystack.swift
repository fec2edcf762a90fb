import MnemeBase
import MnemeEngine
import MnemeModels

/// A text with numbers hidden in it, and a question for one of them. The same number gives the same
/// task for every policy.
struct Haystack {
    /// Tokens: what is read, what is asked, and what has to be answered, token by token.
    var text: [Int32], question: [Int32], answer: [Int32]

    /// - Parameters:
    ///   - number: decides where in `tokens` the text is cut, what is hidden, and where.
    ///   - depth: the share of the text that stands before the first number; anywhere if nil.
    init(
        _ model: LanguageModel, _ tokens: [Int32], context: Int, number: Int, keys: Int,
        depth: Double? = nil
    ) {
        var random = SplitMix64(seed: UInt64(number * 2 + keys))
        func randomIndex(_ count: Int) -> Int { Int(random.next() % UInt64(max(1, count))) }
        let names = ["Alice", "Robert", "Maria", "Thomas", "Sophie", "Daniel", "Laura", "Peter"]
            .shuffled(
                using: &random)
        let codes = (0..<keys).map { _ in String(randomIndex(90000) + 10000) }
        let needles = (0..<keys).map {
            model.tokenizer.encode(
                " The pass key of \(names[$0]) is \(codes[$0]). Remember it.\n", special: false)
        }
        let asked = randomIndex(keys)
        question = model.tokenizer.encode(
            "\n\nQuestion: What is the pass key of \(names[asked])?\nAnswer: The pass key of \(names[asked]) is",
            special: false)
        answer = model.tokenizer.encode(" " + codes[asked], special: false)
        let room = context - question.count - needles.reduce(0) { $0 + $1.count }
        let start = randomIndex(tokens.count - room)
        text = model.tokenizer.beginToken.map { [$0] } ?? []
        var left = Array(tokens[start..<start + max(0, room)])[...]
        for (i, needle) in needles.enumerated() {
            // One in each part of the text, anywhere within it.
            let piece = left.prefix(left.count / (keys - i))
            let anywhere = randomIndex(piece.count)
            let place = i == 0 ? depth.map { Int($0 * Double(piece.count)) } ?? anywhere : anywhere
            text += piece.prefix(place) + needle + piece.dropFirst(place)
            left = left.dropFirst(piece.count)
        }
        text += left
    }
}
