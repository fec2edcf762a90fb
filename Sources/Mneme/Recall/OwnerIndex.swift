import Foundation
import MnemeIndex
import MnemeStore

/// One owner's memories, indexed in memory by words, by vector and by conversation.
///
/// Derived from the store: it carries the journal position that it has reached and catches up
/// before each use, so that other processes' writes are seen. Documents are numbered as they come.
struct OwnerIndex: Sendable {
    struct Document: Sendable {
        var id: CubeID
        var type: MemoryType
        var state: LifecycleState
        var agent: String?
        var session: String?
        var speaker: String?
        var eventTime: Date
        var expires: Date?
        var tags: [String]
        var analysis: Analysis
    }

    let owner: Owner
    private(set) var position: Int64 = 0
    private(set) var vectorPosition: Int64 = 0
    private(set) var documents: [Document] = []
    private(set) var lexical = LexicalIndex()
    private(set) var threads = ThreadLinks()
    private(set) var vectors: FlatVectorIndex
    /// Lower-cased speakers, and how many memories each has.
    private(set) var speakers: [String: Int] = [:]
    private var numbers: [CubeID: Int] = [:]
    private var sessions: [String: Int] = [:]

    init(owner: Owner, dimension: Int) {
        self.owner = owner
        vectors = FlatVectorIndex(dimension: dimension)
    }

    /// Applies what has happened since the last call.
    ///
    /// - Returns: analyses that were made again because another analyzer had made the stored ones.
    mutating func catchUp(_ store: any MemoryStore, embedder: String, analyzer: TextAnalyzer) throws -> [(CubeID, [UInt8])] {
        let changes = try store.changes(owner: owner, since: position, vectorsSince: vectorPosition, embedder: embedder)
        var analyses = changes.rows.map { $0.analyzer == Analysis.version ? Analysis(encoded: $0.analysis) : nil }
        var remade: [(CubeID, [UInt8])] = []
        if analyses.contains(where: { $0 == nil }) {
            let stale = changes.rows.indices.filter { analyses[$0] == nil }
            let cubes = Dictionary(uniqueKeysWithValues: try store.cubes(stale.map { changes.rows[$0].id }, owner: owner).map { ($0.id, $0) })
            for i in stale {
                let row = changes.rows[i]
                guard let cube = cubes[row.id] else { continue }  // erased between the two reads
                analyses[i] = Analysis(of: cube, analyzer: analyzer)
                remade.append((row.id, analyses[i]!.encoded))
            }
        }
        apply(changes, analyses)
        return remade
    }

    /// Applies changes with the analysis of each row.
    mutating func apply(_ changes: IndexChanges, _ analyses: [Analysis?]) {
        for (row, analysis) in zip(changes.rows, analyses) { if let analysis { apply(row, analysis) } }
        for id in changes.erased { remove(id) }
        position = changes.position
        vectorPosition = changes.vectorPosition
    }

    private mutating func apply(_ row: IndexRow, _ analysis: Analysis) {
        let document = Document(
            id: row.id, type: row.type, state: row.state, agent: row.agent, session: row.session, speaker: row.speaker,
            eventTime: row.eventTime, expires: row.expires, tags: row.tags, analysis: analysis)
        let number: Int
        if let known = numbers[row.id] {
            number = known
            let old = documents[known]
            if old.analysis.terms != analysis.terms {
                threads.adjust(known, by: analysis.terms.length - lexical.length(of: known))
                lexical.replace(known, old: old.analysis.terms, with: analysis.terms)
            }
            count(old.speaker, -1)
            documents[known] = document
        } else {
            number = documents.count
            numbers[row.id] = number
            documents.append(document)
            lexical.append(analysis.terms)
            threads.append(thread: thread(of: row.session), place: row.place, length: analysis.terms.length)
        }
        count(row.speaker, 1)
        if let vector = row.vector, vector.count == vectors.dimension { vectors.set(vector, for: number) }
    }

    /// A place stays, empty and dead: numbers never move.
    private mutating func remove(_ id: CubeID) {
        guard let number = numbers.removeValue(forKey: id) else { return }
        let old = documents[number]
        let nothing = TermCounts([])
        threads.adjust(number, by: -lexical.length(of: number))
        lexical.replace(number, old: old.analysis.terms, with: nothing)
        count(old.speaker, -1)
        documents[number].state = .erased
        documents[number].speaker = nil
        documents[number].tags = []
        documents[number].analysis.terms = nothing
        if vectors.contains(number) { vectors.set([Float](repeating: 0, count: vectors.dimension), for: number) }
    }

    private mutating func thread(of session: String?) -> Int {
        guard let session else { return threads.addThread() }
        if let known = sessions[session] { return known }
        let thread = threads.addThread()
        sessions[session] = thread
        return thread
    }

    private mutating func count(_ speaker: String?, _ difference: Int) {
        guard let speaker = speaker?.lowercased(), !speaker.isEmpty else { return }
        let count = (speakers[speaker] ?? 0) + difference
        speakers[speaker] = count > 0 ? count : nil
    }

    /// A memory that says nearly the same: at least nine in ten words are shared.
    ///
    /// Looks among the memories that hold the three rarest words; texts of fewer than four words are never near.
    func nearDuplicate(of analysis: Analysis) -> CubeID? {
        guard analysis.terms.entries.count >= 4 else { return nil }
        let rare = analysis.terms.entries.map(\.term).sorted { lexical.inverseDocumentFrequency($0) > lexical.inverseDocumentFrequency($1) }.prefix(3)
        var best: (similarity: Double, id: CubeID)?
        for number in lexical.documents(withAll: Array(rare.prefix(2)), limit: 256) {
            let document = documents[number]
            guard document.state.isRecallable else { continue }
            let similarity = analysis.terms.similarity(to: document.analysis.terms)
            if similarity >= 0.9, similarity > best?.similarity ?? 0 { best = (similarity, document.id) }
        }
        return best?.id
    }
}
