import Dispatch
import MnemeIndex
import MnemeStore
import NIOConcurrencyHelpers

/// Stored memories that are similar to a text by their words, and whether a quarantined one is among
/// them.
struct SimilarMemories: Sendable {
    /// Memories in use, the oldest first.
    var neighbours: [Neighbour] = []
    /// True if a quarantined memory says the same in much the same words, and none in use is more
    /// like it: a mail is like all mails of its template, and one of these may have been injected
    /// into.
    var isSimilarToQuarantined = false
    /// Memories in use with some of the same rare words, the most similar first, where there are
    /// lessons: what the text may share with honest ones.
    var siblings: [CubeID] = []
    /// True if any memory is quarantined, and the text is one that lessons are asked about.
    var isJudged = false

    /// Texts of fewer distinct words are similar to no other.
    static let leastWords = 4
    /// Words that candidates have to share: so many of the text's rarest, all of them.
    static let sharedWords = 2
    /// Candidates that are compared.
    static let candidateLimit = 256
    /// Pairs of neighbours among the rarest words that are looked up among quarantined memories.
    static let quarantinedPairs = 8
    /// Candidates of each pair that are compared.
    static let quarantinedLimit = 64
    /// From this similarity on a text counts as similar to a quarantined one.
    static let quarantinedSimilarity = 0.75
    /// Quarantined memories up to which all are compared with a text before candidates are looked for.
    static let comparedQuarantined = 64
    /// From this similarity on a memory is a sibling, and how many there are at most.
    static let siblingSimilarity = 0.5, siblingLimit = 16
}

/// Words of stored memories, in which those that are similar to a text are found.
protocol SimilarityIndex: Sendable {
    /// The number of quarantined documents.
    var quarantinedCount: Int { get }
    /// Higher for a term that fewer documents hold.
    func rarity(of term: TermCounts.Term) -> Float
    /// The documents that hold every one of `terms`, at most `limit`, the oldest first.
    func entries(withAll terms: [TermCounts.Term], limit: Int) -> [SimilarityIndexEntry]
    /// The terms of all quarantined documents; nil if they are not known, or more than `limit`.
    func quarantinedTerms(limit: Int) -> [TermCounts]?
}

/// A document of a ``SimilarityIndex``.
struct SimilarityIndexEntry {
    /// The memory.
    var id: CubeID
    /// Its lifecycle state: only recallable ones are neighbours, only quarantined ones a warning.
    var state: LifecycleState
    /// Its terms, which similarity is computed from.
    var terms: TermCounts
}

extension Analysis {
    /// False for a text of so few words that it is similar to no other.
    var canBeSimilar: Bool { terms.entries.count >= SimilarMemories.leastWords }
}

extension SimilarityIndex {
    /// For each of some drafts, the memories that share its rarest words: on all cores, as nothing is
    /// changed meanwhile.
    func similarMemories(to drafts: [PreparedDraft]) -> [SimilarMemories] {
        let quarantined =
            quarantinedCount > 0 ? quarantinedTerms(limit: SimilarMemories.comparedQuarantined) : []
        // As many as need a few milliseconds, so that one draft alone waits for no other thread.
        let size = 32
        guard drafts.count > size else {
            return drafts.map { similarMemories(to: $0, quarantined: quarantined) }
        }
        let chunks = (drafts.count + size - 1) / size
        let found = NIOLockedValueBox([[SimilarMemories]](repeating: [], count: chunks))
        DispatchQueue.concurrentPerform(iterations: chunks) { chunk in
            let part = drafts[chunk * size..<min(drafts.count, (chunk + 1) * size)]
            let similar = part.map { similarMemories(to: $0, quarantined: quarantined) }
            found.withLockedValue { $0[chunk] = similar }
        }
        return found.withLockedValue { Array($0.joined()) }
    }

    /// Memories that share the rarest words of a text.
    ///
    /// - Parameters:
    ///   - draft: the text, and whether somebody vouches for it.
    ///   - quarantined: ``quarantinedTerms(limit:)``.
    /// - Complexity: at most ``SimilarMemories/candidateLimit`` comparisons, and some hundreds for a text
    ///   that may be like a quarantined one, or reads like an attack, while memories are quarantined.
    private func similarMemories(to draft: PreparedDraft, quarantined: [TermCounts]?) -> SimilarMemories {
        let terms = draft.analysis.terms
        guard draft.analysis.canBeSimilar else { return SimilarMemories() }
        let rare = terms.entries.map { ($0.term, rarity(of: $0.term)) }.sorted { $0.1 > $1.1 }.map(\.0)
        var similar = SimilarMemories()
        let candidates = entries(
            withAll: Array(rare.prefix(SimilarMemories.sharedWords)), limit: SimilarMemories.candidateLimit)
        similar.neighbours = candidates.filter { $0.state.isRecallable }.map {
            Neighbour($0.id, similarity: terms.similarity(to: $0.terms))
        }
        guard quarantinedCount > 0 else { return similar }
        similar.isJudged = Implication.isJudged(draft.cube)
        // Most texts are like no quarantined one, and lessons are not asked about them.
        let mayBeSimilar =
            quarantined?.contains { terms.similarity(to: $0) >= SimilarMemories.quarantinedSimilarity } ?? true
        if mayBeSimilar || similar.isJudged { compare(terms, rare, &similar) }
        return similar
    }

    /// Compares a text with memories that share a pair of its rarest words, quarantined ones and others.
    private func compare(_ terms: TermCounts, _ rare: [TermCounts.Term], _ similar: inout SimilarMemories) {
        var found: [CubeID: (state: LifecycleState, similarity: Double)] = [:]
        for pair in zip(rare, rare.dropFirst()).prefix(SimilarMemories.quarantinedPairs) {
            for entry in entries(withAll: [pair.0, pair.1], limit: SimilarMemories.quarantinedLimit)
            where found[entry.id] == nil {
                found[entry.id] = (entry.state, terms.similarity(to: entry.terms))
            }
        }
        let honest = found.filter { $0.value.state.isRecallable }
        let nearest = found.values.filter { $0.state == .quarantined }.map(\.similarity).max() ?? 0
        similar.isSimilarToQuarantined =
            nearest >= SimilarMemories.quarantinedSimilarity
            && nearest >= honest.values.map(\.similarity).max() ?? 0
        similar.siblings = honest.filter { $0.value.similarity >= SimilarMemories.siblingSimilarity }
            .sorted { ($1.value.similarity, $0.key) < ($0.value.similarity, $1.key) }
            .prefix(SimilarMemories.siblingLimit).map(\.key)
    }
}

extension OwnerIndex: SimilarityIndex {
    func rarity(of term: TermCounts.Term) -> Float { lexical.inverseDocumentFrequency(term) }

    func entries(withAll terms: [TermCounts.Term], limit: Int) -> [SimilarityIndexEntry] {
        lexical.documents(withAll: terms, limit: limit).map { number in
            let document = documents[number]
            return SimilarityIndexEntry(
                id: document.id, state: document.state, terms: document.analysis.terms)
        }
    }

    /// - Complexity: a step for each document that recall passes over.
    func quarantinedTerms(limit: Int) -> [TermCounts]? {
        guard quarantinedCount <= limit else { return nil }
        return hidden.filter { documents.state($0) == .quarantined }.map { documents[$0].analysis.terms }
    }
}

/// Memories in the store by their words, for the words of a few texts, read for one write. Nothing
/// is kept of memories that share fewer than two of them.
struct SharedWords: SimilarityIndex {
    /// For each word of the texts, the numbers of the documents that hold it, in rising order.
    private var holders: [TermCounts.Term: [Int32]]
    /// Documents that may be similar to one of the texts, by number.
    private var entries: [Int32: SimilarityIndexEntry] = [:]
    /// Quarantined documents; 0 saves the search among them.
    private(set) var quarantinedCount = 0
    /// Documents read.
    private var count: Int32 = 0

    /// Words of these texts, which no document was compared with yet.
    init(of texts: some Sequence<Analysis>) {
        holders = Dictionary(
            texts.flatMap { $0.terms.entries.map { ($0.term, []) } }, uniquingKeysWith: { $1 })
    }

    /// Compares the next document of the store, the oldest first.
    ///
    /// - Returns: false if another analyzer has made its terms: they have to be made again.
    mutating func add(_ row: TermsRow) -> Bool {
        guard row.analyzer == Analysis.version, let analysis = Analysis(encoded: row.analysis)
        else { return false }
        var shared = 0
        for (term, _) in analysis.terms.entries where holders[term] != nil {
            holders[term]!.append(count)
            shared += 1
        }
        if shared >= SimilarMemories.sharedWords {
            entries[count] = SimilarityIndexEntry(id: row.id, state: row.state, terms: analysis.terms)
        }
        if row.state == .quarantined { quarantinedCount += 1 }
        count += 1
        return true
    }

    /// Documents without two words of the texts were not kept, but are like none of them, either.
    func quarantinedTerms(limit: Int) -> [TermCounts]? {
        guard quarantinedCount <= limit else { return nil }
        return entries.values.filter { $0.state == .quarantined }.map(\.terms)
    }

    func rarity(of term: TermCounts.Term) -> Float { -Float(holders[term]?.count ?? 0) }

    func entries(withAll terms: [TermCounts.Term], limit: Int) -> [SimilarityIndexEntry] {
        let lists = terms.map { holders[$0] ?? [] }.sorted { $0.count < $1.count }
        guard let shortest = lists.first else { return [] }
        let others = lists.dropFirst().map(Set.init)
        return Array(
            shortest.lazy.filter { number in others.allSatisfy { $0.contains(number) } }
                .prefix(limit).compactMap { entries[$0] })
    }
}
