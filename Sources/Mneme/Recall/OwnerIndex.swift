import Foundation
import MnemeIndex
import MnemeSeal
import MnemeStore

/// One owner's memories, indexed by words, by vector and by conversation. Its tables may lie in a
/// file (`OwnerIndex+File.swift`), with changes in memory.
///
/// Derived from the store: it carries the journal position that it has reached; ``SharedIndex`` has
/// it catch up before each use. Documents are numbered as they come.
struct OwnerIndex: Sendable {
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
    private(set) var documents = DocumentTable()
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
    private(set) var isShown = Column<Bool>()
    /// Documents that were erased.
    private(set) var erasedCount = 0
    /// Lower-cased speakers, and how many memories each has.
    private(set) var speakers: [String: Int] = [:]
    /// The graph of links, conversation neighbours and shared entities.
    private(set) var graph = MemoryGraph()
    /// Successors of superseded memories.
    private(set) var successors: [CubeID: CubeID] = [:]
    /// Documents in quarantine.
    private(set) var quarantinedCount = 0
    private var nodes = Column<Int32>()  // by document
    private var nodeDocuments = Column<Int32>()  // by node: its document, or −1
    /// Nodes of the graph that stand for what texts name, by the hash of the name.
    private var entityNodes = KeyTable<UInt32>()
    /// By document: the hash of its id that files call it by, see ``name(of:)``.
    private(set) var names = Column<Int>()
    /// Numbers of documents by these names.
    private var numbers = KeyTable<Int>()
    /// The files that keep the vectors' index and the tables between runs; nil keeps none.
    private let file: String?, tableFile: String?
    /// Bytes that vectors may take in memory and on disk, and the key that encrypts the file.
    private let indexMemory: Int, indexDisk: Int, indexKey: DataKey?
    /// Conversations by a hash of their session's name, of 63 bits.
    private var sessions = KeyTable<Int>()

    /// - Parameters:
    ///   - vectors: empty.
    ///   - formerDimension: of the former embedder, if there is one.
    ///   - indexMemory: bytes of vectors in memory; more lie on disk, at most `indexDisk`, see
    ///     `TieredIndex`.
    ///   - indexKey: decrypts what is kept.
    ///   - file: where the vectors' index is kept; nil keeps it in memory only.
    ///   - tableFile: the same for all else.
    init(
        owner: Owner, visibility: Visibility = .all, vectors: any VectorIndex,
        formerDimension: Int? = nil,
        file: String? = nil, tableFile: String? = nil, indexMemory: Int = .max,
        indexDisk: Int = .max, indexKey: DataKey? = nil
    ) throws {
        self.owner = owner
        self.visibility = visibility
        (self.indexMemory, self.indexDisk, self.indexKey) = (indexMemory, indexDisk, indexKey)
        (self.file, self.tableFile) = (file, tableFile)
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

    /// Takes in all that there is, for the first time: what files hold, and from the store what has
    /// happened since.
    ///
    /// - Returns: as ``apply(_:from:)``.
    mutating func load(_ source: Source) throws -> [(CubeID, [UInt8])] {
        if let tableFile { readTables(tableFile, indexKey, source.store) }
        // Vectors that the file holds are not read from the store.
        let saved = file.flatMap { TieredIndex.savedPosition(at: $0, dataKey: indexKey) }
        let without: Int64 = source.embedder.isEmpty ? .max : 0
        var changes = try source.changes(since: position, vectorsSince: saved ?? without)
        // What was erased meanwhile is in no file any more, whoever wrote it at that moment.
        if !changes.erased.isEmpty, let tableFile { unlink(tableFile) }
        if let saved, let file {
            if saved <= changes.vectorPosition, let opened = try? open(file, changes.rows) {
                vectors = opened
            } else {
                // Damaged, or of another store: it is made again from the store.
                changes = try source.changes(since: position, vectorsSince: 0)
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
        var vectors = VectorChanges(position: changes.vectorPosition)
        var former = VectorChanges()
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
            guard let a = number(of: link.source), let b = number(of: link.target) else { continue }
            let kind = Self.kind(of: link)
            let (from, to) = (Int(nodes[a]), Int(nodes[b]))
            if isRemoved {
                graph.unlink(from, to, kind)
            } else {
                graph.link(from, to, kind, time: link.time.timeIntervalSince1970)
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

    /// Its number among the documents; nil if there is none, or it was erased.
    func number(of id: CubeID) -> Int? {
        guard let number = numbers[Self.name(of: id)], documents[number].state != .erased,
            documents[number].id == id
        else { return nil }
        return number
    }

    /// The vector of the present embedder, if there is one.
    func vector(of id: CubeID) -> [Float]? { number(of: id).flatMap { vectors.vector($0) } }

    /// A document that has a vector of the present embedder.
    private func has(_ number: Int) -> Bool { vectors.vector(number) != nil }

    /// Opens the vectors' index; documents will be numbered in the order of `rows`.
    private func open(_ file: String, _ rows: [IndexRow]) throws -> TieredIndex {
        let new = rows.lazy.map { Self.name(of: $0.id) }.filter { numbers[$0] == nil }
        let newNumbers = Dictionary(
            new.enumerated().map { ($1, documents.count + $0) }
        ) { first, _ in first }
        var next = 0
        let index = try TieredIndex(
            opening: file, memory: indexMemory, disk: indexDisk, dataKey: indexKey
        ) { name in
            // Nearly always in the order of the documents.
            if next >= names.count || names[next] != name {
                guard let number = numbers[name] ?? newNumbers[name] else { return nil }
                next = number
            }
            next += 1
            return next - 1
        }
        guard index.dimension == vectors.dimension else {
            throw IndexError(
                .corrupt, "\(file) holds vectors of another length. Delete it; it is made again.")
        }
        return index
    }

    /// A document's name in the file, whatever its number: a hash of its id, of 63 bits.
    private static func name(of id: CubeID) -> Int { name(of: id.description) }

    private static func name(of text: String) -> Int { Int(TermCounts.wideHash(text) >> 1) }

    /// Documents that are not erased.
    var liveCount: Int { documents.count - erasedCount }

    /// Inserts a document, or replaces it in all indexes.
    ///
    /// - Returns: its number.
    /// - Complexity: linear in its terms and entities; terms that have not changed are left alone.
    private mutating func apply(_ row: IndexRow, _ analysis: Analysis) -> Int {
        let number: Int
        let known = self.number(of: row.id)
        let isNew = known == nil
        var oldEntities: [UInt32] = []
        if let known {
            number = known
            let old = documents[known]
            let oldAnalysis = old.analysis
            oldEntities = oldAnalysis.entities
            if oldAnalysis.terms != analysis.terms {
                threads.adjust(known, by: analysis.terms.length - lexical.length(of: known))
                lexical.replace(
                    known, old: oldAnalysis.terms, with: analysis.terms,
                    session: old.session.map { _ in threads.session(of: known) })
            }
            count(old.speaker, -1)
            if old.state == .quarantined { quarantinedCount -= 1 }
            documents.replace(known, with: row, analysis)
        } else {
            number = documents.count
            names.append(Self.name(of: row.id))
            numbers[names[number]] = number
            documents.append(row, analysis)
            isShown.append(false)
            let thread = thread(of: row.session)
            lexical.append(analysis.terms, session: row.session.map { _ in thread })
            threads.append(session: thread, place: row.place, length: analysis.terms.length)
            nodes.append(Int32(addNode(number)))
            threads.forEachNeighbour(of: number, reach: 1) {
                if $0 < nodes.count { graph.link(node(of: number), node(of: $0), .temporal) }
            }
        }
        if isNew || oldEntities != analysis.entities {
            graph.isolate(node(of: number), .entity)
            for entity in analysis.entities {
                graph.link(node(of: number), node(ofEntity: entity), .entity)
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
        guard let number = number(of: id) else { return nil }
        erasedCount += 1
        let old = documents[number]
        if old.state == .quarantined { quarantinedCount -= 1 }
        threads.adjust(number, by: -lexical.length(of: number))
        lexical.remove(
            number, old: old.analysis.terms,
            session: old.session.map { _ in threads.session(of: number) })
        count(old.speaker, -1)
        documents.erase(number)
        names[number] = 0
        hidden.remove(number)
        isShown[number] = false
        graph.isolate(node(of: number))
        return number
    }

    /// Adds a node to the graph for a document, or for an entity if −1.
    private mutating func addNode(_ document: Int) -> Int {
        nodeDocuments.append(Int32(document))
        return graph.addNode()
    }

    /// The node of a document.
    private func node(of document: Int) -> Int { Int(nodes[document]) }

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
            from: seeds.map { (node(of: $0.document), $0.weight) }, hops: 2,
            before: asOf?.timeIntervalSince1970 ?? .infinity
        )
        .compactMap { nodeDocuments[$0.node] >= 0 ? (Int(nodeDocuments[$0.node]), $0.score) : nil }
    }

    /// Documents that links of the store connect with some, those with most and strongest links
    /// first.
    func linked(with documents: [Int], asOf: Date? = nil) -> [(document: Int, score: Float)] {
        let seeds = documents.filter(self.documents.indices.contains)
        return graph.walk(
            from: seeds.map { (node(of: $0), 1) }, hops: 1,
            kinds: [.related, .causal, .derivedFrom],
            before: asOf?.timeIntervalSince1970 ?? .infinity
        )
        .compactMap { nodeDocuments[$0.node] >= 0 ? (Int(nodeDocuments[$0.node]), $0.score) : nil }
        .sorted { ($1.score, $0.document) < ($0.score, $1.document) }
    }

    /// The document that holds in place of a superseded one, at the end of the chain, if this index
    /// has it. Chains are followed for at most 64 steps, so that a cycle ends.
    func successor(of number: Int) -> Int? {
        var number = number
        for _ in 0..<64 {
            guard documents[number].validUntil != nil,
                let next = successors[documents[number].id].flatMap({ self.number(of: $0) })
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
        let name = Self.name(of: session)
        if let known = sessions[name] { return known }
        let thread = threads.addSession()
        sessions[name] = thread
        return thread
    }

    /// The documents of a session, and hardly ever of another one.
    func documents(ofSession session: String) -> [Int] {
        sessions[Self.name(of: session)].map(threads.documents(ofSession:)) ?? []
    }

    /// Adds to a speaker's count; a speaker without memories is forgotten, so that questions no
    /// longer select by that name.
    private mutating func count(_ speaker: String?, _ difference: Int) {
        guard let speaker = speaker?.lowercased(), !speaker.isEmpty else { return }
        let count = (speakers[speaker] ?? 0) + difference
        speakers[speaker] = count > 0 ? count : nil
    }

    // MARK: Files

    /// Takes over tables that ``write(to:)`` wrote; see `OwnerIndex+File.swift`.
    mutating func takeTables(from reader: inout TableReader) throws {
        documents = try DocumentTable(from: &reader)
        lexical = try LexicalIndex(from: &reader)
        threads = try SessionLinks(from: &reader)
        graph = try MemoryGraph(from: &reader)
        (isShown, nodes, nodeDocuments) = (
            try reader.column(), try reader.column(), try reader.column()
        )
        names = try reader.column()
        numbers = try KeyTable(from: &reader)
        entityNodes = try KeyTable(from: &reader)
        sessions = try KeyTable(from: &reader)
        let few: Column<UInt8> = try reader.column()
        let small = try JSONDecoder().decode(SmallTables.self, from: Data(few.array))
        speakers = small.speakers
        for (old, new) in small.successors { successors[CubeID(stored: old)] = CubeID(stored: new) }
        (position, vectorPosition) = (small.position, small.vectorPosition)
        quarantinedCount = small.quarantinedCount
        erasedCount = documents.erasedCount
        hidden = Set(
            documents.indices.lazy.filter { [isShown, documents] in
                !isShown[$0] && !documents.isErased($0)
            })
    }

    /// Takes the vectors of an index with the same documents.
    mutating func takeVectors(of other: OwnerIndex) {
        (vectors, formerVectors) = (other.vectors, other.formerVectors)
        vectorPosition = other.vectorPosition
    }

    /// Adds all tables but those of vectors.
    func addTables(to writer: inout TableWriter) throws {
        documents.write(to: &writer)
        lexical.write(to: &writer, sessions: threads)
        threads.write(to: &writer)
        graph.write(to: &writer)
        writer.add(isShown)
        writer.add(nodes)
        writer.add(nodeDocuments)
        writer.add(names)
        if erasedCount == 0 {
            numbers.write(to: &writer)
            entityNodes.write(to: &writer)
            sessions.write(to: &writer)
        } else {
            // Nothing is left of what only erased memories were, told of or stood in.
            let living = documents.indices.lazy.filter { !documents.isErased($0) }
            let talks = Set(living.map { threads.session(of: $0) })
            numbers.write(to: &writer) { !documents.isErased($0) }
            entityNodes.write(to: &writer) { graph.edgeCount($0) > 0 }
            sessions.write(to: &writer) { talks.contains($0) }
        }
        let kept = successors.filter { number(of: $0.key) != nil && number(of: $0.value) != nil }
        let small = SmallTables(
            speakers: speakers,
            successors: Dictionary(
                uniqueKeysWithValues: kept.map { ($0.key.description, $0.value.description) }),
            position: position, vectorPosition: vectorPosition, quarantinedCount: quarantinedCount)
        writer.add(Column(Array(try JSONEncoder().encode(small))))
    }

    /// Small tables of the file, read whole.
    private struct SmallTables: Codable {
        var speakers: [String: Int], successors: [String: String]
        var position: Int64, vectorPosition: Int64
        var quarantinedCount: Int
    }
}
