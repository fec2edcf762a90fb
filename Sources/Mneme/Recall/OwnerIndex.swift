import Foundation
import MnemeIndex
import MnemeSeal
import MnemeStore

/// One owner's memories, indexed in memory by words, by vector and by conversation.
///
/// Derived from the store: it carries the journal position that it has reached; ``SharedIndex`` has
/// it catch up before each use. Documents are numbered as they come.
struct OwnerIndex: Sendable {
    /// A memory as filters and features see it, without its text. A class, as each candidate of
    /// each question copies it: one reference to count, where a struct would have many.
    final class Document: Sendable {
        let id: CubeID
        let type: MemoryType
        let state: LifecycleState
        let agent: String?, session: String?, speaker: String?
        let eventTime: Date, expires: Date?, validUntil: Date?
        let tags: [String]
        let analysis: Analysis

        /// A document of a row of the store and its analysis.
        init(_ row: IndexRow, _ analysis: Analysis) {
            (id, type, state, agent, session, speaker) = (
                row.id, row.type, row.state, row.agent, row.session, row.speaker
            )
            (eventTime, expires, validUntil, tags, self.analysis) = (
                row.eventTime, row.expires, row.validUntil, row.tags, analysis
            )
        }

        /// The remains of an erased document: its number stays, its words go.
        init(erased old: Document) {
            (id, type, state, agent, session, speaker) = (old.id, old.type, .erased, nil, nil, nil)
            (eventTime, expires, validUntil, tags, analysis) = (
                old.eventTime, nil, nil, [], Analysis.empty
            )
        }
    }

    /// Whose memories are indexed; an index never holds two owners' memories.
    let owner: Owner
    /// The part of the owner's memories that is indexed.
    let visibility: Visibility
    /// The journal position up to which changes are applied.
    private(set) var position: Int64 = 0
    /// The same for vectors, which are written later than their memories and counted by themselves.
    private(set) var vectorPosition: Int64 = 0
    /// Documents by number. A number is never given out again, not even after an erasure, so that
    /// postings, vectors and graph may refer to it.
    private(set) var documents: [Document] = []
    /// Postings for BM25, by number.
    private(set) var lexical = LexicalIndex()
    /// Conversation neighbours, by number.
    private(set) var threads = SessionLinks()
    /// By number of the document.
    private(set) var vectors: any VectorIndex
    /// Vectors of the former embedder, of documents that have none of the present one yet.
    private(set) var formerVectors: (any VectorIndex)?
    /// Documents that recall passes over, or may: archived, merged, about to expire.
    private(set) var hidden: Set<Int> = []
    /// By number: whether recall may show a document whenever no filter forbids it.
    private(set) var isShown: [Bool] = []
    /// Documents erased since this index was made.
    private(set) var erasedCount = 0
    /// Lower-cased speakers, and how many memories each has.
    private(set) var speakers: [String: Int] = [:]
    /// The graph of links, conversation neighbours and shared entities.
    private(set) var graph = MemoryGraph()
    /// Successors of superseded memories.
    private var successors: [CubeID: CubeID] = [:]
    /// Documents in quarantine.
    private(set) var quarantinedCount = 0
    private var nodes: [Int] = []  // by document
    private var nodeDocuments: [Int32] = []  // by node: its document, or −1
    /// Nodes of the graph that stand for what texts name, by the hash of the name.
    private var entityNodes: [UInt32: Int] = [:]
    /// Numbers of the documents that are not erased.
    private var numbers: [CubeID: Int] = [:]
    /// The file that keeps the vectors' index between runs; nil keeps none.
    private let file: String?
    /// Bytes that vectors may take in memory and on disk, and the key that encrypts the file.
    private let indexMemory: Int, indexDisk: Int, indexKey: DataKey?
    /// Conversations by the name of their session.
    private var sessions: [String: Int] = [:]

    /// - Parameters:
    ///   - vectors: empty.
    ///   - formerDimension: of the former embedder, if there is one.
    ///   - indexMemory: bytes of vectors in memory; more lie on disk, at most `indexDisk`, see
    ///     `TieredIndex`.
    ///   - indexKey: decrypts what is kept.
    ///   - file: where the vectors' index is kept; nil keeps it in memory only.
    init(
        owner: Owner, visibility: Visibility = .all, vectors: any VectorIndex,
        formerDimension: Int? = nil,
        file: String? = nil, indexMemory: Int = .max,
        indexDisk: Int = .max, indexKey: DataKey? = nil
    ) throws {
        self.owner = owner
        self.visibility = visibility
        (self.indexMemory, self.indexDisk, self.indexKey) = (indexMemory, indexDisk, indexKey)
        self.file = file
        self.vectors = vectors
        formerVectors = try formerDimension.map { try TieredIndex(dimension: $0) }
    }

    /// The source of changes: a store, an owner, a visibility, and the models in use.
    struct Source {
        var store: any MemoryStore, owner: Owner, visibility: Visibility, embedder: String,
            former: String?,
            analyzer: TextAnalyzer

        /// Changes since positions of the journal and of vectors.
        func changes(since position: Int64, vectorsSince: Int64) throws -> IndexChanges {
            try store.changes(
                owner: owner, since: position, vectorsSince: vectorsSince, embedder: embedder,
                former: former,
                visibility: visibility)
        }
    }

    /// Takes in all that there is, for the first time.
    ///
    /// - Returns: as ``apply(_:from:)``.
    mutating func load(_ source: Source) throws -> [(CubeID, [UInt8])] {
        // Vectors that the file holds are not read from the store.
        let saved = file.flatMap { TieredIndex.savedPosition(at: $0, dataKey: indexKey) }
        var changes = try source.changes(since: 0, vectorsSince: saved ?? 0)
        if let saved, let file {
            if saved <= changes.vectorPosition, let opened = try? open(file, changes.rows) {
                vectors = opened
            } else {
                // Damaged, or of another store: it is made again from the store.
                changes = try source.changes(since: 0, vectorsSince: 0)
            }
        }
        return try apply(changes, from: source)
    }

    /// Applies what has happened since ``position`` and ``vectorPosition``.
    ///
    /// - Returns: analyses that were made again because another analyzer had made the stored ones.
    mutating func apply(_ changes: IndexChanges, from source: Source) throws -> [(CubeID, [UInt8])] {
        var analyses = changes.rows.map {
            $0.analyzer == Analysis.version ? Analysis(encoded: $0.analysis) : nil
        }
        var remade: [(CubeID, [UInt8])] = []
        if analyses.contains(where: { $0 == nil }) {
            let stale = changes.rows.indices.filter { analyses[$0] == nil }
            let cubes = Dictionary(
                uniqueKeysWithValues: try source.store.cubes(
                    stale.map { changes.rows[$0].id }, owner: owner, by: .mneme
                ).map { ($0.id, $0) })
            for i in stale {
                let row = changes.rows[i]
                guard let cube = cubes[row.id] else { continue }  // erased between the two reads
                analyses[i] = Analysis(of: cube, analyzer: source.analyzer)
                remade.append((row.id, analyses[i]!.encoded))
            }
        }
        try apply(changes, analyses)
        return remade
    }

    /// Applies changes with the analysis of each row.
    mutating func apply(_ changes: IndexChanges, _ analyses: [Analysis?]) throws {
        var vectors = VectorChanges(position: changes.vectorPosition), former = VectorChanges()
        if documents.isEmpty { numbers.reserveCapacity(changes.rows.count) }
        for (row, analysis) in zip(changes.rows, analyses) {
            guard let analysis else { continue }
            let number = apply(row, analysis)
            guard let vector = row.vector else { continue }
            if row.isFormer {
                if vector.count == formerVectors?.dimension, !has(number) {
                    former.inserted.append((number, vector))
                }
            } else if vector.count == self.vectors.dimension {
                vectors.inserted.append((number, vector))
                former.deleted.append(number)
            }
        }
        for (link, isRemoved) in changes.links {
            if link.kind == CubeLink.supersedes {
                if !isRemoved {
                    successors[link.target] = link.source
                } else if successors[link.target] == link.source {
                    successors[link.target] = nil
                }
            }
            guard let a = numbers[link.source], let b = numbers[link.target] else { continue }
            let kind = Self.kind(of: link)
            if isRemoved {
                graph.unlink(nodes[a], nodes[b], kind)
            } else {
                graph.link(nodes[a], nodes[b], kind, time: link.time.timeIntervalSince1970)
            }
        }
        let erased = changes.erased.compactMap { remove($0) }
        vectors.deleted += erased
        former.deleted += erased
        // What is erased is not inserted again by a row that was read before.
        vectors.inserted.removeAll { documents[$0.key].state == .erased }
        former.inserted.removeAll { documents[$0.key].state == .erased }
        try self.vectors.apply(vectors)
        try formerVectors?.apply(former)
        position = changes.position
        vectorPosition = changes.vectorPosition
    }

    /// Its number among the documents.
    func number(of id: CubeID) -> Int? { numbers[id] }

    /// The vector of the present embedder, if there is one.
    func vector(of id: CubeID) -> [Float]? { numbers[id].flatMap { vectors.vector($0) } }

    /// A document that has a vector of the present embedder.
    private func has(_ number: Int) -> Bool { vectors.vector(number) != nil }

    /// Opens the vectors' index; documents will be numbered in the order of `rows`.
    private func open(_ file: String, _ rows: [IndexRow]) throws -> TieredIndex {
        let numbers = Dictionary(rows.enumerated().map { (Self.name(of: $1.id), $0) }) { first, _ in
            first
        }
        let index = try TieredIndex(
            opening: file, memory: indexMemory, disk: indexDisk, dataKey: indexKey
        ) {
            numbers[$0]
        }
        guard index.dimension == vectors.dimension else {
            throw IndexError(
                .corrupt, "\(file) holds vectors of another length. Delete it; it is made again.")
        }
        return index
    }

    /// What a document is called in the file, whatever its number: a hash of its id, of 63 bits.
    private static func name(of id: CubeID) -> Int { Int(TermCounts.wideHash(id.description) >> 1) }

    /// Documents that are not erased.
    var liveCount: Int { numbers.count }

    /// Names of all documents, for writing the vectors' index while others go on.
    var names: [Int] { documents.map { Self.name(of: $0.id) } }

    /// Inserts a document, or replaces it in all indexes.
    ///
    /// - Returns: its number.
    /// - Complexity: linear in its terms and entities; terms that have not changed are left alone.
    private mutating func apply(_ row: IndexRow, _ analysis: Analysis) -> Int {
        let document = Document(row, analysis)
        let number: Int, isNew = numbers[row.id] == nil
        var oldEntities: [UInt32] = []
        if let known = numbers[row.id] {
            number = known
            let old = documents[known]
            oldEntities = old.analysis.entities
            if old.analysis.terms != analysis.terms {
                threads.adjust(known, by: analysis.terms.length - lexical.length(of: known))
                lexical.replace(known, old: old.analysis.terms, with: analysis.terms)
            }
            count(old.speaker, -1)
            if old.state == .quarantined { quarantinedCount -= 1 }
            documents[known] = document
        } else {
            number = documents.count
            numbers[row.id] = number
            documents.append(document)
            isShown.append(false)
            lexical.append(analysis.terms)
            threads.append(
                session: thread(of: row.session), place: row.place, length: analysis.terms.length)
            nodes.append(addNode(number))
            threads.forEachNeighbour(of: number, reach: 1) {
                if $0 < nodes.count { graph.link(nodes[number], nodes[$0], .temporal) }
            }
        }
        if isNew || oldEntities != analysis.entities {
            graph.isolate(nodes[number], .entity)
            for entity in analysis.entities {
                graph.link(nodes[number], node(ofEntity: entity), .entity)
            }
        }
        count(row.speaker, 1)
        if row.state == .quarantined { quarantinedCount += 1 }
        isShown[number] = row.state.isRecallable && row.expires == nil
        if isShown[number] { hidden.remove(number) } else { hidden.insert(number) }
        return number
    }

    /// A place stays, empty and dead: numbers never move.
    private mutating func remove(_ id: CubeID) -> Int? {
        guard let number = numbers.removeValue(forKey: id) else { return nil }
        erasedCount += 1
        let old = documents[number]
        if old.state == .quarantined { quarantinedCount -= 1 }
        threads.adjust(number, by: -lexical.length(of: number))
        documents[number] = Document(erased: old)
        lexical.remove(number, old: old.analysis.terms)
        count(old.speaker, -1)
        hidden.remove(number)
        isShown[number] = false
        graph.isolate(nodes[number])
        return number
    }

    /// Adds a node to the graph for a document, or for an entity if −1.
    private mutating func addNode(_ document: Int) -> Int {
        nodeDocuments.append(Int32(document))
        return graph.addNode()
    }

    /// The node of an entity, made at its first mention.
    private mutating func node(ofEntity hash: UInt32) -> Int {
        if let known = entityNodes[hash] { return known }
        let node = addNode(-1)
        entityNodes[hash] = node
        return node
    }

    /// The kind of edge that a link of the store becomes. Kinds are open to whoever writes links:
    /// common names of derivation, cause and order count as such, others as related.
    private static func kind(of link: CubeLink) -> MemoryGraph.Kind {
        switch link.kind.lowercased() {
        case "derivedfrom", "summaryof", "madefrom": .derivedFrom
        case "causes", "causedby", "because", "leadsto": .causal
        case "follows", "precedes", "before", "after": .temporal
        default: .related
        }
    }

    /// Documents within two steps of some seeds in the graph, with their share of the walks:
    /// personalised PageRank as in HippoRAG (Gutiérrez et al. 2024), cut off early. Nodes of
    /// entities carry walks and are not returned.
    func around(_ seeds: [(document: Int, weight: Float)], asOf: Date? = nil) -> [(
        document: Int, score: Float
    )] {
        graph.walk(
            from: seeds.map { (nodes[$0.document], $0.weight) }, hops: 2,
            before: asOf?.timeIntervalSince1970 ?? .infinity
        )
        .compactMap { nodeDocuments[$0.node] >= 0 ? (Int(nodeDocuments[$0.node]), $0.score) : nil }
    }

    /// The document that holds in place of a superseded one, at the end of the chain, if this index
    /// has it. Chains are followed for at most 64 steps, so that a cycle ends.
    func successor(of number: Int) -> Int? {
        var number = number
        for _ in 0..<64 {
            guard documents[number].validUntil != nil,
                let next = successors[documents[number].id].flatMap({ numbers[$0] })
            else { return nil }
            if documents[next].validUntil == nil { return next }
            number = next
        }
        return nil
    }

    /// The conversation of a session. A memory without a session is a conversation by itself: it
    /// has no neighbours.
    private mutating func thread(of session: String?) -> Int {
        guard let session else { return threads.addSession() }
        if let known = sessions[session] { return known }
        let thread = threads.addSession()
        sessions[session] = thread
        return thread
    }

    /// Adds to a speaker's count; a speaker without memories is forgotten, so that questions no
    /// longer select by that name.
    private mutating func count(_ speaker: String?, _ difference: Int) {
        guard let speaker = speaker?.lowercased(), !speaker.isEmpty else { return }
        let count = (speakers[speaker] ?? 0) + difference
        speakers[speaker] = count > 0 ? count : nil
    }
}
