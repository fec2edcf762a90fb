import MnemeStore

/// Contradictions of value: memories that answer one question differently.
///
/// Where many independent voices agreed before, the later answer is an outlier. Where fewer did, nobody can tell which
/// one is right: both are handed out, and marked, so that a model says that they differ instead of taking the last one.
extension Consensus {
    /// A memory's answer against that of earlier ones.
    struct Conflict: Sendable {
        /// Earlier memories that agree on another answer.
        var witnesses: Set<CubeID>
        /// What it counts against the memory: 1 makes it an outlier.
        var weight: Double
    }

    /// The share of a question's topics from which on a memory answers it, and from which on it has to do with it.
    private static let answering = 0.75, touching = 0.5

    /// The earlier memories that agree on another answer to the question than one gives; nil if there is no question, or
    /// they do not.
    ///
    /// Whoever corrects an own word, tells of themselves or says that something changed is in no conflict. One source is
    /// one voice, see ``Implication/voice``: texts that came together do not confirm one another. A memory that somebody
    /// has vouched for is a witness that needs no second.
    func conflict(of memory: Implication, with others: [Implication], _ trusted: Set<CubeID>) -> Conflict? {
        guard let question, question.topics.count >= 2, !isNews(memory) else { return nil }
        let asked = question.held(by: memory)
        let coverage = question.coverage(of: memory)
        let isCertain = coverage >= Self.answering
        // Another patient's dose contradicts nothing.
        guard isCertain || coverage >= Self.touching && !memory.isOwn && question.values.isSubset(of: memory.values)
        else { return nil }
        let earlier = others.filter { other in
            (other.recorded, other.id) < (memory.recorded, memory.id) && other.voice != memory.voice
                && (memory.speaker == nil || other.speaker != memory.speaker)
                && question.coverage(of: other) >= Self.touching
        }
        let rivals = earlier.filter { isAlike(memory, $0, question) && asked.isSubset(of: question.held(by: $0)) }
        guard !rivals.isEmpty else { return nil }
        if isCertain, let denied = contradictsYesOrNo(memory, rivals, question) {
            return Conflict(witnesses: denied, weight: memory.isOwn ? 0 : 1)
        }
        let agreed = agreement(of: rivals, among: earlier, on: question, trusted)
        guard contradicts(memory, agreed, of: rivals, question) else { return nil }
        let voices = Set(rivals.map(\.voice)).count
        let weight =
            !isCertain || memory.isOwn ? 0 : voices >= Self.manyVoices ? 1 : GuardSignal.contradictsConsensus.weight
        let witnesses = earlier.filter { !agreed.isDisjoint(with: $0.topics.union($0.valueStems)) }.map(\.id)
        return Conflict(witnesses: Set(witnesses), weight: weight)
    }

    /// The rivals of a memory that answer a question of yes or no otherwise than it does; nil if there are none.
    ///
    /// The answer is that of three voices which say it outright ("no", "true"), and of three quarters of all. A memory
    /// that says neither states what is asked, unless it denies something.
    private func contradictsYesOrNo(
        _ memory: Implication, _ rivals: [Implication], _ question: Question
    ) -> Set<CubeID>? {
        guard let first = question.words.first, ImpliedRules.yesNoOpeners.contains(first),
            !question.words.contains("or")
        else { return nil }
        func isNo(_ memory: Implication) -> Bool { !ImpliedRules.noes.isDisjoint(with: memory.words) }
        let others = rivals.filter { isNo($0) != isNo(memory) }
        let outright = others.filter { !ImpliedRules.outright.isDisjoint(with: $0.words) }
        let voices = Set(rivals.map(\.voice)).count
        guard Set(outright.map(\.voice)).count >= Self.manyVoices, Set(others.map(\.voice)).count * 4 >= voices * 3
        else { return nil }
        return Set(others.map(\.id))
    }

    /// True if two memories answer the same question: each of them holds most of it, or they are about the same.
    private func isAlike(_ memory: Implication, _ other: Implication, _ question: Question) -> Bool {
        if question.coverage(of: other) >= Self.answering, question.coverage(of: memory) >= Self.answering {
            return true
        }
        let shared = memory.topics.intersection(other.topics).count
        return shared >= 2 && shared * 5 >= 3 * min(memory.topics.count, other.topics.count)
    }

    /// What three quarters of the rivals' voices say, the question does not, and a second voice confirms. Of a single
    /// rival only names and numbers count: that others use a word of it as well says little.
    private func agreement(
        of rivals: [Implication], among earlier: [Implication], on question: Question, _ trusted: Set<CubeID>
    ) -> Set<String> {
        let voices = Set(rivals.map(\.voice)).count
        let isTrusted = rivals.contains { trusted.contains($0.id) }
        var support: [String: Set<String>] = [:]
        var confirmed: [String: Set<String>] = [:]
        for memory in rivals {
            let words = voices < Self.voices ? memory.valueStems : memory.valueStems.union(memory.topics)
            for word in words.subtracting(question.said) { support[word, default: []].insert(memory.voice) }
        }
        for memory in earlier {
            for word in memory.valueStems.union(memory.topics) where support[word] != nil {
                confirmed[word, default: []].insert(memory.voice)
            }
        }
        return Set(
            support.filter { word, said in
                said.count * 4 >= voices * 3 && (isTrusted || confirmed[word, default: []].count >= Self.voices)
            }.keys)
    }

    /// True if a memory gives another value of the same kind than what is agreed on, or another answer to the whole
    /// question.
    private func contradicts(
        _ memory: Implication, _ agreed: Set<String>, of earlier: [Implication], _ question: Question
    ) -> Bool {
        let own = memory.valueStems.subtracting(question.said)
        let isElsewhere = !ImpliedRules.otherWorlds.isDisjoint(with: memory.words)
        let numbers = agreed.filter(isNumber)
        let ownNumbers = own.filter(isNumber)
        // Of "20 mg" and "50 mg" the numbers count, and not the unit.
        if !numbers.isEmpty, !ownNumbers.isEmpty {
            return numbers.isDisjoint(with: ownNumbers) || isElsewhere && !ownNumbers.isSubset(of: numbers)
        }
        let said = memory.topics.union(memory.valueStems).union(memory.values).union(memory.words)
        guard !agreed.isEmpty, agreed.isDisjoint(with: said) || memory.isDenial || isElsewhere else { return false }
        let isTyped = agreed.contains { word in
            earlier.contains { $0.valueStems.contains(word) } && own.contains { isNumber($0) == isNumber(word) }
        }
        return isTyped || question.coverage(of: memory) >= 0.8
    }

    /// True if a memory tells in few words that something changed: that is news, and no dissent. "Contrary to what is believed" is a claim about others, and no news.
    private func isNews(_ memory: Implication) -> Bool {
        memory.statesChange(besides: question?.said ?? []) && memory.words.count <= 30
            && ImpliedRules.rebuttals.isDisjoint(with: memory.words)
    }

    private func isNumber(_ value: String) -> Bool { value.first?.isNumber ?? false }
}
