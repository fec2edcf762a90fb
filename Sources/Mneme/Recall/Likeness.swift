import MnemeIndex
import MnemeStore

/// Stored memories that are like a text by their words, and whether a quarantined one is among
/// them.
struct Likeness: Sendable {
    /// Memories in use, the oldest first.
    var neighbours: [Neighbour] = []
    /// Whether a quarantined memory says the same in much the same words.
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

/// An index of words in which memories that are like a text are found.
protocol LikenessIndex {
    /// Which document holds which words.
    var lexical: LexicalIndex { get }
    /// How many documents are quarantined.
    var quarantinedCount: Int { get }
    /// Fields of a document that are compared.
    func entry(_ number: Int) -> LikenessEntry
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

extension LikenessIndex {
    /// Memories that share the rarest words of a text.
    ///
    /// - Complexity: at most ``Likeness/candidateLimit`` comparisons, and some hundreds while
    ///   memories are quarantined.
    func likeness(to analysis: Analysis) -> Likeness {
        guard analysis.terms.entries.count >= Likeness.leastWords else { return Likeness() }
        let rare = analysis.terms.entries.map(\.term).sorted {
            lexical.inverseDocumentFrequency($0) > lexical.inverseDocumentFrequency($1)
        }
        var likeness = Likeness()
        let candidates = lexical.documents(
            withAll: Array(rare.prefix(Likeness.sharedWords)), limit: Likeness.candidateLimit)
        likeness.neighbours = candidates.map(entry).filter { $0.state.isRecallable }.map {
            Neighbour($0.id, similarity: analysis.terms.similarity(to: $0.terms))
        }
        guard quarantinedCount > 0 else { return likeness }
        likeness.isLikeQuarantined = zip(rare, rare.dropFirst()).prefix(Likeness.quarantinedPairs)
            .contains { pair in
                lexical.documents(withAll: [pair.0, pair.1], limit: Likeness.quarantinedLimit).map(
                    entry
                ).contains {
                    $0.state == .quarantined
                        && analysis.terms.similarity(to: $0.terms) >= Likeness.quarantinedSimilarity
                }
            }
        return likeness
    }
}

extension OwnerIndex: LikenessIndex {
    func entry(_ number: Int) -> LikenessEntry {
        let document = documents[number]
        return LikenessEntry(id: document.id, state: document.state, terms: document.analysis.terms)
    }
}

/// The words of an owner's memories alone: enough for one write, and made in a fraction of an
/// ``OwnerIndex``' time.
struct WordIndex: LikenessIndex {
    /// Postings of the documents, in the order of the rows.
    private(set) var lexical = LexicalIndex()
    /// Quarantined documents; 0 saves the search among them.
    private(set) var quarantinedCount = 0
    /// Fields of each document that are compared, by its number.
    private var entries: [LikenessEntry] = []

    /// - Returns: nil if another analyzer has made some of the rows' terms.
    init?(_ rows: [IndexRow]) {
        entries.reserveCapacity(rows.count)
        for row in rows {
            guard row.analyzer == Analysis.version, let analysis = Analysis(encoded: row.analysis)
            else { return nil }
            lexical.append(analysis.terms)
            entries.append(LikenessEntry(id: row.id, state: row.state, terms: analysis.terms))
            if row.state == .quarantined { quarantinedCount += 1 }
        }
    }

    func entry(_ number: Int) -> LikenessEntry { entries[number] }
}
