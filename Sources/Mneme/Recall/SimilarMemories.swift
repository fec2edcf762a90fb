import MnemeIndex
import MnemeStore

/// Stored memories that are similar to a text by their words, and whether a quarantined one is among
/// them.
struct SimilarMemories: Sendable {
    /// Memories in use, the oldest first.
    var neighbours: [Neighbour] = []
    /// True if a quarantined memory says the same in much the same words.
    var isSimilarToQuarantined = false
    /// True if any memory is quarantined: there are lessons.
    var hasQuarantined = false

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
}

/// Words of stored memories, in which those that are similar to a text are found.
protocol SimilarityIndex {
    /// The number of quarantined documents.
    var quarantinedCount: Int { get }
    /// Higher for a term that fewer documents hold.
    func rarity(of term: TermCounts.Term) -> Float
    /// The documents that hold every one of `terms`, at most `limit`, the oldest first.
    func entries(withAll terms: [TermCounts.Term], limit: Int) -> [SimilarityIndexEntry]
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
    /// Memories that share the rarest words of a text.
    ///
    /// - Complexity: at most ``SimilarMemories/candidateLimit`` comparisons, and some hundreds while
    ///   memories are quarantined.
    func similarMemories(to analysis: Analysis) -> SimilarMemories {
        guard analysis.canBeSimilar else { return SimilarMemories() }
        let rare = analysis.terms.entries.map(\.term).sorted { rarity(of: $0) > rarity(of: $1) }
        var similar = SimilarMemories()
        let candidates = entries(
            withAll: Array(rare.prefix(SimilarMemories.sharedWords)), limit: SimilarMemories.candidateLimit)
        similar.neighbours = candidates.filter { $0.state.isRecallable }.map {
            Neighbour($0.id, similarity: analysis.terms.similarity(to: $0.terms))
        }
        similar.hasQuarantined = quarantinedCount > 0
        guard similar.hasQuarantined else { return similar }
        similar.isSimilarToQuarantined = zip(rare, rare.dropFirst()).prefix(SimilarMemories.quarantinedPairs)
            .contains { pair in
                entries(withAll: [pair.0, pair.1], limit: SimilarMemories.quarantinedLimit).contains {
                    $0.state == .quarantined
                        && analysis.terms.similarity(to: $0.terms) >= SimilarMemories.quarantinedSimilarity
                }
            }
        return similar
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
