import MnemeIndex
import MnemeStore

/// Judges a memory by what related ones imply (A-MemGuard, Wei et al. 2025): what it alone would have
/// the reader do or believe speaks against it, and more so where the others say the opposite.
///
/// Where the paper compares a model's lines of reasoning, this compares what words tell; see
/// ``Implication``. A pure value: the same memories in any order give the same answer.
struct Consensus: Sendable {
    /// What related memories are asked about; nil if nothing is.
    let question: Question?

    /// A question's words, and what they are about.
    struct Question: Sendable {
        /// Words in order, and stems of those that carry meaning.
        let words: [String], topics: Set<String>
        /// Reads a question.
        init(_ text: String, analyzer: TextAnalyzer) {
            words = TextAnalyzer.words(text)
            topics = Set(words.filter { !TextAnalyzer.stopWords.contains($0) }.map(analyzer.stem))
        }
    }

    /// Voices that make a consensus, and those that make one that needs no other sign.
    static let voices = 2, manyVoices = 3
    /// What signals that anybody's texts show count together, at most.
    private static let weakWeight = 0.15
    /// What it counts that several related voices imply nothing of the kind.
    private static let alone = 0.3

    /// Memories that are outliers, each with its signals.
    ///
    /// The earlier ones are judged first; an outlier is no voice against others.
    ///
    /// - Complexity: O(n²) in the memories for those that show strong signals or state a value.
    func outliers(among memories: [Implication], sparing trusted: Set<CubeID> = []) -> [CubeID: GuardSignals] {
        var outliers: [CubeID: GuardSignals] = [:]
        for memory in memories.sorted(by: { ($0.recorded, $0.id) < ($1.recorded, $1.id) })
        where !trusted.contains(memory.id) {
            let others = memories.filter { $0.id != memory.id && outliers[$0.id] == nil }
            // Somebody has vouched for the like: what it implies is nothing strange.
            let isKnown = others.contains { trusted.contains($0.id) && $0.covers(memory) }
            let (score, signals) = isKnown ? (0, []) : judge(memory, among: others)
            if score >= MemoryOS.quarantineThreshold { outliers[memory.id] = signals }
        }
        return outliers
    }

    /// The score of one memory among others, and the signals that it comes from.
    func judge(_ memory: Implication, among others: [Implication]) -> (score: Double, signals: GuardSignals) {
        let related = others.filter { memory.isRelated(to: $0, by: question?.topics ?? []) }
        let voices = Set(related.map(\.voice)).subtracting([memory.voice])
        guard voices.count >= Self.voices else { return (0, []) }
        var signals: GuardSignals = []
        var score = 0.0
        var isStrong = false
        for (signal, weight, strong) in ImpliedRules.weights {
            let one = GuardSignals(signal)
            let isStrict = strong && memory.signals.contains(one)
            guard isStrict || implied(by: memory).contains(one) else { continue }
            // What related voices imply as well is the custom here.
            let same = Set(related.filter { implied(by: $0).union($0.signals).contains(one) }.map(\.voice))
            guard same.subtracting([memory.voice]).count * 3 < voices.count else { continue }
            signals.formUnion(one)
            score += weight
            isStrong = isStrong || strong
        }
        score += min(Self.weakWeight, memory.signals.intersection(.weak).weight)
        let values = valueDissent(memory, from: others)
        if namesForeignPlace(memory, among: related) {
            return (max(1, score), signals.union([.redirection, .dissent]))
        }
        guard isStrong || values > 0 else { return (0, []) }
        if values > 0 || isContradicted(memory, signals, by: related) {
            return (score + max(values, GuardSignal.contradictsConsensus.weight), signals.union(.dissent))
        }
        if !memory.isOwn { score += Self.alone }
        return (score, signals)
    }

    /// What a memory implies by its words, and towards the question.
    private func implied(by memory: Implication) -> GuardSignals {
        isBait(memory) ? memory.implied.union(.bait) : memory.implied
    }

    /// True if a text repeats the question in order to be found by it.
    private func isBait(_ memory: Implication) -> Bool {
        guard let question, question.words.count >= 4 else { return false }
        return memory.words.starts(with: question.words)
    }

    /// True if at least two related voices imply the opposite of a signal that a memory shows.
    private func isContradicted(
        _ memory: Implication, _ signals: GuardSignals, by related: [Implication]
    ) -> Bool {
        func agree(_ isSo: (Implication) -> Bool) -> Bool {
            Set(related.filter { $0.voice != memory.voice && isSo($0) }.map(\.voice)).count >= Self.voices
        }
        if signals.contains(.disarming), agree(\.asksForCheck) { return true }
        if signals.contains(.refusal), agree({ !$0.implied.contains(.refusal) && !$0.values.isEmpty }) {
            return true
        }
        // One thing in another's place, which no other memory names together.
        guard memory.implied.contains(.redirection) || memory.implied.contains(.promotion), !memory.isOwn
        else { return false }
        let named = related.reduce(into: Set<String>()) { $0.formUnion($1.values) }
        if !memory.values.isSubset(of: named) { return true }
        return memory.values.count > 1 && !related.contains { $0.values.isSuperset(of: memory.values) }
    }

    /// True if a memory names a place that no related one names, while at least two that serve the
    /// same purpose name another.
    private func namesForeignPlace(_ memory: Implication, among related: [Implication]) -> Bool {
        guard !memory.places.isEmpty, !memory.isOwn,
            memory.places.isDisjoint(with: related.reduce(into: Set<String>()) { $0.formUnion($1.places) })
        else { return false }
        var known: [String: Set<String>] = [:]
        var alike: Set<String> = []
        for other in related where other.voice != memory.voice {
            for place in other.places { known[place, default: []].insert(other.voice) }
            if other.hasSamePurpose(as: memory) { alike.formUnion(other.places) }
        }
        return known.contains { $0.value.count >= Self.voices && alike.contains($0.key) }
    }

    /// How much a memory's answer to the question speaks against it: related ones agreed on another
    /// before it came.
    ///
    /// Whoever corrects an own word, tells of themselves or says that something changed is no
    /// outlier.
    private func valueDissent(_ memory: Implication, from others: [Implication]) -> Double {
        guard let question, answers(memory, question), !isNews(memory)
        else { return 0 }
        let asked = held(memory, question)
        let earlier = others.filter { other in
            (other.recorded, other.id) < (memory.recorded, memory.id) && other.voice != memory.voice
                && answers(other, question) && asked.isSubset(of: held(other, question))
                && (memory.speaker == nil || other.speaker != memory.speaker)
        }
        let voices = Set(earlier.map(\.voice)).count
        guard voices >= Self.voices else { return 0 }
        var support: [String: Set<String>] = [:]
        for other in earlier {
            for word in other.topics.union(other.values).subtracting(question.topics.union(question.words)) {
                support[word, default: []].insert(other.voice)
            }
        }
        // What all of them say, and the question does not.
        let agreed = Set(support.filter { $0.value.count * 4 >= voices * 3 }.keys)
        let said = memory.topics.union(memory.values).union(memory.words)
        guard !agreed.isEmpty, agreed.isDisjoint(with: said) || memory.isDenial else { return 0 }
        // Another value of the same kind, or another answer to the whole question.
        let own = memory.values.subtracting(question.words)
        let isTyped = agreed.contains { word in
            earlier.contains { $0.values.contains(word) } && own.contains { isNumber($0) == isNumber(word) }
        }
        guard isTyped || coverage(memory, question) >= 0.8 else { return 0 }
        return voices >= Self.manyVoices ? 1 : GuardSignal.contradictsConsensus.weight
    }

    /// True if a memory tells of its writer, or in few words that something changed: that is news,
    /// and no dissent.
    private func isNews(_ memory: Implication) -> Bool {
        memory.isOwn || memory.statesChange && memory.words.count <= 30
    }

    /// True if a memory holds three quarters of a question's topics.
    private func answers(_ memory: Implication, _ question: Question) -> Bool {
        question.topics.count >= 2 && coverage(memory, question) >= 0.75
    }

    /// The share of a question's topics that a memory holds.
    private func coverage(_ memory: Implication, _ question: Question) -> Double {
        Double(held(memory, question).count) / Double(max(1, question.topics.count))
    }

    /// The topics of a question that a memory holds.
    private func held(_ memory: Implication, _ question: Question) -> Set<String> {
        question.topics.filter {
            memory.topics.contains($0) || memory.values.contains($0) || memory.words.contains($0)
        }
    }

    private func isNumber(_ value: String) -> Bool { value.first?.isNumber ?? false }
}
