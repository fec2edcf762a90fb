package import MnemeEmbedding

/// Pairs as an encoder reads them: tokens of questions, and of texts with hard negatives behind them.
package struct PairBatch {
    package let questions, texts: [[Int32]]
    /// What each question and each text says, to tell that two are the same.
    private let pairs: [TextPair]
    private let words: [String]

    /// Tokens of all, once.
    package var tokenCount: Int { (questions + texts).reduce(0) { $0 + $1.count } }

    /// - Parameter limit: tokens of a text at most.
    package init(_ pairs: [TextPair], _ folder: EncoderFolder, limit: Int) {
        let (modules, tokenizer) = (folder.modules, folder.tokenizer)
        self.pairs = pairs
        words = pairs.map(\.text) + pairs.flatMap(\.negatives)
        questions = pairs.map { tokenizer.encode(modules.queryPrefix + $0.question, maximumLength: limit) }
        texts = words.map { tokenizer.encode(modules.documentPrefix + $0, maximumLength: limit) }
    }

    /// True if a text is no wrong answer to another pair's question: it is the answer, or the question
    /// itself, or was made from the same.
    package func ignores(question: Int, text: Int) -> Bool {
        let pair = pairs[question]
        if words[text] == pair.text || words[text] == pair.question { return true }
        return text < pairs.count && !Set(pairs[text].sources).isDisjoint(with: pair.sources)
    }

    /// The loss of vectors of all questions, then of all texts.
    package func loss(_ vectors: [Float], dimension: Int) -> ContrastiveLoss {
        let split = questions.count * dimension
        return ContrastiveLoss(
            questions: Array(vectors[..<split]), texts: Array(vectors[split...]), dimension: dimension,
            ignores: ignores)
    }
}
