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
    /// Where it stands: the positions up to which changes are applied. Vectors are written later than
    /// their memories, and counted by themselves.
    var reached = FeedPosition.start
    /// The journal position up to which changes are applied.
    var position: Int64 { reached.journal }
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
    /// Documents that were erased, and the lowest number of those that were since files were read.
    private(set) var erasedCount = 0, lowestErased = Int.max
    /// The marks of the segments, the files that tables were read from, see `OwnerIndex+File.swift`.
    var segmentMarks: [Int] = []
    /// The journal position that these have reached, and that of the file that vectors were read from, if any.
    var filedPosition: Int64 = 0, filedVectors: Int64?
    /// Lower-cased speakers, and how many memories each has.
    private(set) var speakers: [String: Int] = [:]
    /// The graph of links, conversation neighbours and shared entities.
    private(set) var graph = MemoryGraph()
    /// Successors of superseded memories.
    private(set) var successors: [CubeID: CubeID] = [:]
    /// The superseded memories of which each segment says what holds in their place, and those of which
    /// none does.
    private var supersededSegments: [[CubeID]] = [], newlySuperseded: Set<CubeID> = []
    /// Documents in quarantine.
    private(set) var quarantinedCount = 0
    private(set) var nodes = Column<Int32>()  // by document
    private(set) var nodeDocuments = Column<Int32>()  // by node: its document, or −1
    /// Nodes of the graph that stand for what texts name, by the hash of the name.
    private var entityNodes = KeyTable<UInt32>()
    /// By document: the hash of its id that files call it by, see ``name(of:)``.
    private(set) var names = Column<Int>()
    /// Numbers of documents by these names.
    private var numbers = KeyTable<Int>()
    /// The files that keep the vectors' index and the tables between runs; nil keeps none.
    let file: String?, tableFile: String?
    /// Bytes that vectors may take in memory and on disk, and the key that encrypts the file.
    let indexMemory: Int, indexDisk: Int, indexKey: DataKey?
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

    /// Takes in all that there is, for the first time: what files hold, and from the store what has
    /// happened since.
    ///
    /// - Returns: as ``apply(_:from:)``.
    mutating func load(_ source: Source) throws -> [(CubeID, [UInt8])] {
        let empty = self
        if let tableFile { readTables(tableFile, indexKey, source.store) }
        // Vectors that the file holds are not read from the store.
        let saved = file.flatMap { Self.savedVectors(at: $0, indexKey, owner: owner, source.store) }
        let without: Int64 = source.embedder.isEmpty ? .max : 0
        var changes = try source.changes(
            since: FeedPosition(position, vectors: saved ?? without, mark: reached.mark))
        // The journal went back between the two looks.
        if changes.isReset { self = empty }
        // What was erased meanwhile is in no file any more, whoever wrote it at that moment.
        if !changes.erased.isEmpty, let tableFile { removeSegments(of: changes.erased, at: tableFile) }
        if saved != nil, let file {
            if !changes.isReset, let opened = try? open(file, changes.rows) {
                (vectors, filedVectors) = (opened, saved)
            } else {
                // Damaged, or of another store: it is made again from the store.
                changes = try source.changes(since: FeedPosition(position, mark: reached.mark))
                if changes.isReset { self = empty }
            }
        }
        return try apply(changes, from: source)
    }

    /// Applies changes with the analysis of each row.
    mutating func apply(_ changes: IndexChanges, _ analyses: [Analysis?]) throws {
        var vectors = VectorChanges(position: changes.reached.vectors)
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
                newlySuperseded.insert(link.target)
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
        reached = changes.reached
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
    func open(_ file: String, _ rows: [IndexRow]) throws -> TieredIndex {
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
        // All but its vector is here.
        if let known, row.position > 0, row.position <= position { return known }
        let isNew = known == nil
        var oldEntities: [UInt32] = []
        if let known {
            number = known
            let old = former(known)
            oldEntities = old.analysis.entities
            if old.analysis.terms != analysis.terms {
                threads.adjust(known, by: analysis.terms.length - lexical.length(of: known))
                lexical.replace(
                    known, old: old.analysis.terms, with: analysis.terms, session: old.session)
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
            linkNeighbours(of: number)
        }
        if isNew || oldEntities != analysis.entities {
            let own = Int(nodes[number])
            graph.isolate(own, .entity)
            for entity in analysis.entities {
                let other = node(ofEntity: entity)
                graph.link(own, other, .entity)
            }
        }
        count(row.speaker, 1)
        if row.state == .quarantined { quarantinedCount += 1 }
        isShown[number] = row.state.isRecallable && row.expires == nil
        if isShown[number] { hidden.remove(number) } else { hidden.insert(number) }
        return number
    }

    /// Links a new document with those beside it in its conversation.
    ///
    /// They are noted first: a closure that changed this value while another table of it is read would
    /// have that table copied.
    private mutating func linkNeighbours(of number: Int) {
        var beside = InlineArray<2, Int>(repeating: number)
        var count = 0
        threads.forEachNeighbour(of: number, at: 1) {
            beside[count] = $0
            count += 1
        }
        let own = Int(nodes[number])
        for place in 0..<count where beside[place] < nodes.count {
            graph.link(own, Int(nodes[beside[place]]), .temporal)
        }
    }

    /// What other tables have of a document that is about to change. It is read out: a `Document`
    /// shares the records, and the change would copy those of all documents.
    private func former(_ number: Int) -> (
        analysis: Analysis, session: Int?, speaker: String?, state: LifecycleState
    ) {
        let document = documents[number]
        return (
            document.analysis, document.session.map { _ in threads.session(of: number) },
            document.speaker, document.state
        )
    }

    /// A place stays, empty and dead: numbers never move.
    private mutating func remove(_ id: CubeID) -> Int? {
        guard let number = number(of: id) else { return nil }
        erasedCount += 1
        lowestErased = min(lowestErased, number)
        let old = former(number)
        if old.state == .quarantined { quarantinedCount -= 1 }
        threads.adjust(number, by: -lexical.length(of: number))
        lexical.remove(number, old: old.analysis.terms, session: old.session)
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
    func node(of document: Int) -> Int { Int(nodes[document]) }

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

    /// Makes this index, of a part of the memories, score as that of all would.
    ///
    /// - Parameters:
    ///   - whole: counts of all memories.
    ///   - sessions: by name: how often the whole session holds the question's terms, and its length.
    mutating func complete(
        _ whole: CorpusStatistics, sessions: [String: (counts: [TermCounts.Term: Int], length: Int)]
    ) {
        var counts: [Int: [TermCounts.Term: Int]] = [:]
        for (name, session) in sessions {
            guard let thread = self.sessions[Self.name(of: name)] else { continue }
            counts[thread] = session.counts
            threads.setLength(ofSession: thread, session.length)
        }
        lexical.complete(whole, sessionCounts: counts)
    }

    /// Adds to a speaker's count; a speaker without memories is forgotten, so that questions no
    /// longer select by that name.
    private mutating func count(_ speaker: String?, _ difference: Int) {
        guard let speaker = speaker?.lowercased(), !speaker.isEmpty else { return }
        let count = (speakers[speaker] ?? 0) + difference
        speakers[speaker] = count > 0 ? count : nil
    }

    // MARK: Files

    /// The number of the segments that a file of tables made now can follow upon: all, but those that
    /// have something of what was erased since.
    var soundSegments: Int {
        (0..<segmentMarks.count).first { documents.start(ofSegment: $0 + 1) > lowestErased }
            ?? segmentMarks.count
    }

    /// The first segment that has something of some memories; nil if none has.
    func segment(holding ids: [CubeID]) -> Int? {
        guard let lowest = ids.compactMap({ number(of: $0) }).min() else { return nil }
        return (0..<segmentMarks.count).first { documents.start(ofSegment: $0 + 1) > lowest }
    }

    /// Takes in a segment that ``addTables(to:since:)`` made, upon those that were read before; see
    /// `OwnerIndex+File.swift`.
    mutating func takeTables(from reader: inout TableReader) throws {
        try documents.read(from: &reader)
        try lexical.read(from: &reader)
        try threads.read(from: &reader)
        try graph.read(from: &reader)
        try reader.change(&isShown)
        try reader.change(&nodes)
        try reader.change(&nodeDocuments)
        try reader.change(&names)
        try numbers.read(from: &reader)
        try entityNodes.read(from: &reader)
        try sessions.read(from: &reader)
        try takeSmallTables(from: &reader)
    }

    /// Takes what is read whole.
    private mutating func takeSmallTables(from reader: inout TableReader) throws {
        let few: Column<UInt8> = try reader.column()
        let small = try JSONDecoder().decode(SmallTables.self, from: Data(few.array))
        speakers = small.speakers
        supersededSegments.append(small.successors.keys.map { CubeID(stored: $0) })
        for (old, new) in small.successors {
            successors[CubeID(stored: old)] = new.isEmpty ? nil : CubeID(stored: new)
        }
        reached = FeedPosition(small.position, vectors: small.vectorPosition)
        quarantinedCount = small.quarantinedCount
    }

    /// Finds, when all segments were read, the documents that are erased, and those that are not shown.
    ///
    /// - Complexity: one step a document.
    mutating func findHidden() {
        erasedCount = documents.erasedCount
        var found: Set<Int> = []
        isShown.withElements { isShown in
            for (number, isShown) in isShown.enumerated() where !isShown {
                if !documents.isErased(number) { found.insert(number) }
            }
        }
        hidden = found
    }

    /// Takes the vectors of an index with the same documents.
    mutating func takeVectors(of other: OwnerIndex) {
        (vectors, formerVectors, filedVectors) = (other.vectors, other.formerVectors, other.filedVectors)
        reached.vectors = other.reached.vectors
    }

    /// Takes vectors of a file that were brought to where these are.
    mutating func takeVectors(_ opened: TieredIndex, filed: Int64) { (vectors, filedVectors) = (opened, filed) }

    /// Adds what some segments have, and what is in none, all but vectors.
    ///
    /// - Parameter segment: the first of these segments, at most ``soundSegments``; 0 adds all.
    func addTables(to writer: inout TableWriter, since segment: Int) throws {
        documents.write(to: &writer, since: segment)
        lexical.write(to: &writer, since: segment, sessions: threads)
        threads.write(to: &writer, since: segment)
        graph.write(to: &writer, since: segment)
        writer.addChanges(of: isShown, since: segment)
        writer.addChanges(of: nodes, since: segment)
        writer.addChanges(of: nodeDocuments, since: segment)
        writer.addChanges(of: names, since: segment)
        if erasedCount == 0 {
            numbers.write(to: &writer, since: segment)
            entityNodes.write(to: &writer, since: segment)
            sessions.write(to: &writer, since: segment)
        } else {
            // Nothing is left of what only erased memories were, told of or stood in.
            numbers.write(to: &writer, since: segment) { !documents.isErased($0) }
            entityNodes.write(to: &writer, since: segment) { graph.edgeCount($0) > 0 }
            sessions.write(to: &writer, since: segment) {
                threads.documents(ofSession: $0).contains { !documents.isErased($0) }
            }
        }
        try addSmallTables(to: &writer, since: segment)
    }

    /// Adds what is read whole.
    private func addSmallTables(to writer: inout TableWriter, since segment: Int) throws {
        var kept: [String: String] = [:]
        let superseded =
            segment == 0
            ? Set(successors.keys)
            : supersededSegments.dropFirst(segment).reduce(into: newlySuperseded) { $0.formUnion($1) }
        for old in superseded where number(of: old) != nil {
            if let new = successors[old], number(of: new) != nil {
                kept[old.description] = new.description
            } else if segment > 0 {
                // What an earlier segment says holds no more.
                kept[old.description] = ""
            }
        }
        let small = SmallTables(
            speakers: speakers, successors: kept, position: position, vectorPosition: reached.vectors,
            quarantinedCount: quarantinedCount)
        writer.add(Column(Array(try JSONEncoder().encode(small))))
    }

    /// Small tables of a segment, read whole: all, and of what holds in place of superseded memories what
    /// has changed. Nothing holds in place of one with an empty text.
    private struct SmallTables: Codable {
        var speakers: [String: Int], successors: [String: String]
        var position: Int64, vectorPosition: Int64
        var quarantinedCount: Int
    }
}
