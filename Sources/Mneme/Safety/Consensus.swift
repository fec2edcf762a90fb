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
        /// All that it says, which is no answer: words, stems, and its numbers as digits.
        let said: Set<String>
        /// Names and numbers in it, in lower case: whom it is about.
        let values: Set<String>
        /// The words that carry meaning, by their stems.
        private let wordsByTopic: [String: Set<String>]
        /// Reads a question.
        init(_ text: String, analyzer: TextAnalyzer) {
            words = TextAnalyzer.words(text)
            let meant = words.filter { !TextAnalyzer.stopWords.contains($0) && $0 != "many" && $0 != "much" }
            wordsByTopic = Dictionary(meant.map { (analyzer.stem($0), [$0]) }, uniquingKeysWith: { $0.union($1) })
            topics = Set(wordsByTopic.keys)
            values = Implication.values(of: text).values
            said = topics.union(words).union(words.compactMap { TimeWords.numbers[$0].map { "\($0)" } })
        }

        /// The topics of the question that a memory holds, be it as a topic, a value or a word that is neither.
        func held(by memory: Implication) -> Set<String> {
            topics.filter { topic in
                memory.topics.contains(topic) || memory.values.contains(topic) || memory.words.contains(topic)
                    || !(wordsByTopic[topic] ?? []).isDisjoint(with: memory.words)
            }
        }

        /// The share of the question's topics that a memory holds, 0 to 1.
        func coverage(of memory: Implication) -> Double {
            Double(held(by: memory).count) / Double(max(1, topics.count))
        }
    }

    /// What came of comparing memories with one another.
    struct Verdict: Sendable {
        /// Memories that are outliers, each with its signals.
        var outliers: [CubeID: GuardSignals] = [:]
        /// Memories that state another value than others, without being an outlier: each side with the other's ids.
        var disputes: [CubeID: Set<CubeID>] = [:]
    }

    /// Voices that make a consensus, and those that make one that needs no other sign.
    static let voices = 2, manyVoices = 3
    /// What signals that anybody's texts show count together, at most.
    private static let weakWeight = 0.15
    /// What it counts that several related voices imply nothing of the kind.
    private static let alone = 0.3

    /// Memories that are outliers, and those that contradict others without being one.
    ///
    /// The earlier ones are judged first; an outlier is no voice against others.
    ///
    /// - Complexity: O(n²) in the memories for those that show strong signals or state a value.
    func verdict(on memories: [Implication], sparing trusted: Set<CubeID> = []) -> Verdict {
        var verdict = Verdict()
        for memory in memories.sorted(by: { ($0.recorded, $0.id) < ($1.recorded, $1.id) })
        where !trusted.contains(memory.id) {
            let others = memories.filter { $0.id != memory.id && verdict.outliers[$0.id] == nil }
            // Somebody has vouched for the like: what it implies is nothing strange.
            guard !others.contains(where: { trusted.contains($0.id) && $0.covers(memory) }) else { continue }
            let conflict = conflict(of: memory, with: others, trusted)
            let (score, signals) = judge(memory, among: others, conflict)
            if score >= MemoryOS.quarantineThreshold {
                verdict.outliers[memory.id] = signals
            } else if let conflict {
                verdict.disputes[memory.id, default: []].formUnion(conflict.witnesses)
                for other in conflict.witnesses { verdict.disputes[other, default: []].insert(memory.id) }
            }
        }
        return verdict
    }

    /// The score of one memory among others, and the signals that it comes from.
    private func judge(_ memory: Implication, among others: [Implication], _ conflict: Conflict?)
        -> (score: Double, signals: GuardSignals)
    {
        let related = others.filter { memory.isRelated(to: $0, by: question?.topics ?? []) }
        let voices = Set(related.map(\.voice)).subtracting([memory.voice])
        guard voices.count >= Self.voices else { return (0, []) }
        var signals: GuardSignals = []
        var score = 0.0
        var isStrong = false
        for (signal, weight, strong) in ImpliedRules.weights {
            let one = GuardSignals(signal)
            let isStrict = strong && memory.signals.contains(one)
            guard isStrict || memory.implied.contains(one) else { continue }
            // What related voices imply as well is the custom here.
            let same = Set(related.filter { $0.implied.union($0.signals).contains(one) }.map(\.voice))
            guard same.subtracting([memory.voice]).count * 3 < voices.count else { continue }
            signals.formUnion(one)
            score += weight
            isStrong = isStrong || strong
        }
        score += min(Self.weakWeight, memory.signals.intersection(.weak).weight)
        let values = conflict?.weight ?? 0
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
}
