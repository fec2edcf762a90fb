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

extension Haystack {
    /// A conversation in the model's template, one of whose rounds tells a number that its last message asks
    /// for.
    ///
    /// - Parameters:
    ///   - context: tokens of the conversation, about.
    ///   - number: decides where in `tokens` the rounds are cut, what is told, and in which of them.
    ///   - rounds: before the question.
    /// - Throws: ``MnemeEngine/EngineError`` for a model without a template.
    init(chat model: LanguageModel, _ tokens: [Int32], context: Int, number: Int, rounds: Int = 8) throws {
        var random = SplitMix64(seed: SplitMix64.mixed(UInt64(number)))
        func index(_ count: Int) -> Int { Int(random.next() % UInt64(max(1, count))) }
        let name = ["Alice", "Robert", "Maria", "Thomas", "Sophie", "Daniel", "Laura", "Peter"][index(8)]
        let code = String(index(90000) + 10000)
        let length = max(1, (context - 48) / rounds - 16)
        let start = index(tokens.count - rounds * length)
        var messages: [ChatMessage] = []
        for round in 0..<rounds {
            let from = start + round * length
            var said = model.text(of: tokens[from..<min(tokens.count, from + length)])
            if round == number % rounds { said += " The pass key of \(name) is \(code). Remember it." }
            messages += [ChatMessage(role: "user", content: said), ChatMessage(role: "assistant", content: "I see.")]
        }
        func prompt(_ question: String) throws -> [Int32] {
            try model.tokens(of: messages + [ChatMessage(role: "user", content: question)])
        }
        let whole = try prompt("What is the pass key of \(name)?")
        // What stands before the question is what prompts with other questions share.
        let shared = try zip(whole, prompt("1")).prefix { $0 == $1 }.count
        text = Array(whole.prefix(shared))
        question =
            whole.dropFirst(shared)
            + model.tokenizer.encode("The pass key of \(name) is", special: false)
        answer = model.tokenizer.encode(" " + code, special: false)
    }

    /// A text whose summary is asked for; there is no one answer.
    init(summary model: LanguageModel, _ tokens: [Int32], context: Int, number: Int, of count: Int) {
        question = model.tokenizer.encode(
            "\n\nA short summary of the text above, in three sentences:", special: false)
        answer = []
        let room = min(tokens.count, max(1, context - question.count))
        let start = number * ((tokens.count - room) / max(1, count))
        text = (model.tokenizer.beginToken.map { [$0] } ?? []) + tokens[start..<start + room]
    }
}

extension LanguageModel {
    /// The text of some tokens.
    func text(of tokens: some Sequence<Int32>) -> String {
        String(decoding: tokens.flatMap { tokenizer.bytes($0) }, as: UTF8.self)
    }
}
