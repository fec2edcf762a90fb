import MnemeIndex
import MnemeStore

/// Stored memories that are like a text by their words, and whether a quarantined one is among
/// them.
struct Likeness: Sendable {
    /// Memories in use, the oldest first.
    var neighbours: [Neighbour] = []
    /// True if a quarantined memory says the same in much the same words.
    var isLikeQuarantined = false

    /// Texts of fewer distinct words are like no other.
    static let leastWords = 4
    /// Words that candidates have to share: so many of the text's rarest, all of them.
    static let sharedWords = 2
    /// Candidates that are compared.
    static let candidateLimit = 256
    /// Pairs of neighbours among the rarest words that are looked up among quarantined memories.
    static let quarantinedPairs = 8
    /// Candidates of each pair that are compared.
    static let quarantinedLimit = 64
    /// From this similarity on a text is like a quarantined one.
    static let quarantinedSimilarity = 0.75
}

/// Words of stored memories, in which those that are like a text are found.
protocol LikenessIndex {
    /// The number of quarantined documents.
    var quarantinedCount: Int { get }
    /// Higher for a term that fewer documents hold.
    func rarity(of term: TermCounts.Term) -> Float
    /// The documents that hold every one of `terms`, at most `limit`, the oldest first.
    func entries(withAll terms: [TermCounts.Term], limit: Int) -> [LikenessEntry]
}

/// A document of a ``LikenessIndex``.
struct LikenessEntry {
    /// The memory.
    var id: CubeID
    /// Its lifecycle state: only recallable ones are neighbours, only quarantined ones a warning.
    var state: LifecycleState
    /// Its terms, which similarity is computed from.
    var terms: TermCounts
}

extension Analysis {
    /// False for a text of so few words that it is like no other.
    var canBeLikeOthers: Bool { terms.entries.count >= Likeness.leastWords }
}

extension LikenessIndex {
    /// Memories that share the rarest words of a text.
    ///
    /// - Complexity: at most ``Likeness/candidateLimit`` comparisons, and some hundreds while
    ///   memories are quarantined.
    func likeness(to analysis: Analysis) -> Likeness {
        guard analysis.canBeLikeOthers else { return Likeness() }
        let rare = analysis.terms.entries.map(\.term).sorted { rarity(of: $0) > rarity(of: $1) }
        var likeness = Likeness()
        let candidates = entries(
            withAll: Array(rare.prefix(Likeness.sharedWords)), limit: Likeness.candidateLimit)
        likeness.neighbours = candidates.filter { $0.state.isRecallable }.map {
            Neighbour($0.id, similarity: analysis.terms.similarity(to: $0.terms))
        }
        guard quarantinedCount > 0 else { return likeness }
        likeness.isLikeQuarantined = zip(rare, rare.dropFirst()).prefix(Likeness.quarantinedPairs)
            .contains { pair in
                entries(withAll: [pair.0, pair.1], limit: Likeness.quarantinedLimit).contains {
                    $0.state == .quarantined
                        && analysis.terms.similarity(to: $0.terms) >= Likeness.quarantinedSimilarity
                }
            }
        return likeness
    }
}

extension OwnerIndex: LikenessIndex {
    func rarity(of term: TermCounts.Term) -> Float { lexical.inverseDocumentFrequency(term) }

    func entries(withAll terms: [TermCounts.Term], limit: Int) -> [LikenessEntry] {
        lexical.documents(withAll: terms, limit: limit).map { number in
            let document = documents[number]
            return LikenessEntry(
                id: document.id, state: document.state, terms: document.analysis.terms)
        }
    }
}

/// Memories in the store by their words, for the words of a few texts, read for one write. Nothing
/// is kept of memories that share fewer than two of them.
struct SharedWords: LikenessIndex {
    /// For each word of the texts, the numbers of the documents that hold it, in rising order.
    private var holders: [TermCounts.Term: [Int32]]
    /// Documents that may be like one of the texts, by number.
    private var entries: [Int32: LikenessEntry] = [:]
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
        if shared >= Likeness.sharedWords {
            entries[count] = LikenessEntry(id: row.id, state: row.state, terms: analysis.terms)
        }
        if row.state == .quarantined { quarantinedCount += 1 }
        count += 1
        return true
    }

    func rarity(of term: TermCounts.Term) -> Float { -Float(holders[term]?.count ?? 0) }

    func entries(withAll terms: [TermCounts.Term], limit: Int) -> [LikenessEntry] {
        let lists = terms.map { holders[$0] ?? [] }.sorted { $0.count < $1.count }
        guard let shortest = lists.first else { return [] }
        let others = lists.dropFirst().map(Set.init)
        return Array(
            shortest.lazy.filter { number in others.allSatisfy { $0.contains(number) } }
                .prefix(limit).compactMap { entries[$0] })
    }
}
