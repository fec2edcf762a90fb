/// The rule check beside the threshold: why two questions that look alike are not the same.
///
/// Embeddings place "the capital of Austria" beside "the capital of Australia", and a question
/// beside its negation. So whatever differs between two questions has to be explained: by words
/// without meaning of their own, by forms of one word, or by synonyms. Anything else is a reason.
public enum QuestionDifference: String, Sendable, CaseIterable {
    /// A number, date or ordinal.
    case number
    /// One is negated.
    case negation
    /// A word and its opposite.
    case opposite
    /// Another kind of answer: when, where, how many, whether one can or should.
    case kind
    /// Past, present or future.
    case time
    /// Whom it is about: me, you, her.
    case person
    /// From A to B, or from B to A.
    case order
    /// A sign of arithmetic, money or a language's name.
    case sign
    /// What stands in quotes or is code.
    case quotation
    /// A word that only one of them has.
    case word

    /// The first reason found; nil if the rules see none.
    ///
    /// - Complexity: linear in the length of the questions.
    public static func between(_ a: String, _ b: String) -> QuestionDifference? {
        between(QuestionWords(a), QuestionWords(b))
    }

    /// As for texts, of questions that are read already.
    static func between(_ a: QuestionWords, _ b: QuestionWords) -> QuestionDifference? {
        if a.quoted.sorted() != b.quoted.sorted() { return .quotation }
        if a.signs.sorted() != b.signs.sorted() { return .sign }
        if a.numbers.sorted() != b.numbers.sorted() { return .number }
        if a.negations % 2 != b.negations % 2 { return .negation }
        if areOpposite(a, b) { return .opposite }
        if !fit(a.kind, b.kind) { return .kind }
        if a.kind == .yesNo, a.modals != b.modals { return .kind }
        if let one = a.tense, let other = b.tense, one != other { return .time }
        if !fit(persons: a, b) { return .person }
        guard Set(a.content) == Set(b.content), a.hasAlternatives == b.hasAlternatives else {
            return .word
        }
        return isReordered(a, b) ? .order : nil
    }

    /// True if words differ that are opposites, or one of which is the other with a prefix that
    /// negates.
    private static func areOpposite(_ a: QuestionWords, _ b: QuestionWords) -> Bool {
        let (one, other) = (Set(a.stems), Set(b.stems))
        let (mine, yours) = (one.subtracting(other), other.subtracting(one))
        let prefixes = ["un", "in", "im", "ir", "il", "dis", "de", "anti", "non-", "anti-"]
        return mine.contains { word in
            if let opposite = Synonyms.opposite[word], !opposite.isDisjoint(with: yours) {
                return true
            }
            return prefixes.contains { prefix in
                yours.contains(prefix + word)
                    || word.hasPrefix(prefix) && yours.contains(String(word.dropFirst(prefix.count)))
            }
        }
    }

    /// True for kinds of answers that are asked for in either way: "The capital of France", "What
    /// is the capital of France?".
    private static func fit(_ a: QuestionWords.Kind, _ b: QuestionWords.Kind) -> Bool {
        let open: [Set<QuestionWords.Kind>] = [[.what, .statement], [.task, .statement]]
        return a == b || open.contains { $0.contains(a) && $0.contains(b) }
    }

    /// True if both are about the same person. "How do I" and "how do you" are, as is a question
    /// that names nobody.
    private static func fit(persons a: QuestionWords, _ b: QuestionWords) -> Bool {
        if a.owners != b.owners { return false }
        if a.kind == .how || a.modals.contains("can") && b.modals.contains("can") { return true }
        return a.speakers.isEmpty || b.speakers.isEmpty || a.speakers == b.speakers
    }

    /// True if the same words say something else by their order.
    private static func isReordered(_ a: QuestionWords, _ b: QuestionWords) -> Bool {
        // Two numbers that change places, or units around a number: "5 km in miles".
        if a.numbers != b.numbers { return true }
        if !a.numbers.isEmpty, a.content != b.content { return true }
        for (word, behind) in a.directions {
            if let other = b.directions[word], other != behind { return true }
            // "to Paris", "from Paris".
            if b.directions.contains(where: { $0.value == behind && $0.key != word }),
                b.directions[word] != behind
            {
                return true
            }
        }
        let named = Set(a.directions.keys).symmetricDifference(b.directions.keys)
        if !named.isDisjoint(with: ["from", "into", "than"]) { return true }
        if a.content == b.content || a.isSymmetric && b.isSymmetric { return false }
        // "Is A older than B" asks otherwise when A and B change places; so may any sentence, unless
        // a part of it moves to the front: "In Python, how do I …".
        if a.kind == .yesNo { return true }
        guard a.content.count == b.content.count else { return false }
        guard a.content.count > 2 else { return false }
        let doubled = a.content + a.content
        return !a.content.indices.contains { doubled[$0..<$0 + a.content.count].elementsEqual(b.content) }
    }
}
