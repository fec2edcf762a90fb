import Foundation
import MnemeBase

/// Rows of memories as of a moment, made of what the journal says and what the points around have.
struct MomentCubes {
    /// Rows at the point before and at the point after, by the memories' ids.
    let former: [String: [StoredValue]], next: [String: [StoredValue]]
    /// The highest number of a row.
    private(set) var top: Int64
    /// Finds terms of a text that neither point has.
    let terms: (MemCube) throws -> BackupTextTerms
    /// What the memories claim.
    private(set) var claims: [[StoredValue]] = []
    /// The last places that were given in sessions, by the sessions' numbers.
    private(set) var places: [StoredValue: Int64] = [:]
    /// The memories' numbers, and those of memories without a vector of their text.
    private(set) var numbers: Set<Int64> = [], waiting: Set<Int64> = []
    /// Of memories with the text that the point after has: the version there, and the row's now.
    private var versions: [Int64: (there: Int64, now: Int64)] = [:]

    init(
        former: [String: [StoredValue]], next: [String: [StoredValue]], top: Int64,
        terms: @escaping (MemCube) throws -> BackupTextTerms
    ) {
        (self.former, self.next, self.top, self.terms) = (former, next, top, terms)
    }

    /// A memory's row after a change.
    ///
    /// - Throws: ``StoreError`` if the point after lacks it, and what finding terms throws.
    mutating func add(_ id: String, _ change: MomentLog.Change) throws -> [StoredValue] {
        guard let payload = change.payload else {
            // Erased since: a row without a text, which is erased again.
            let row = next[id] ?? former[id] ?? blank(id, change)
            numbers.insert(try row.number("seq", of: .cube))
            try notePlace(of: row, id)
            return row.setting("version", to: .number(change.version), of: .cube)
                .setting("position", to: .number(change.position), of: .cube)
        }
        guard let after = next[id] else {
            throw StoreError(.corrupt, "The backup lacks a row of memory \(id), which its journal has.")
        }
        let cube = try CubeJSON.cube(from: payload)
        let seq = try after.number("seq", of: .cube)
        numbers.insert(seq)
        for claim in Dictionary(cube.claims.map { ($0.key, $0) }, uniquingKeysWith: { $1 }).values {
            claims.append([
                change.owner, .text(claim.key), .number(seq), .text(claim.subject), .text(claim.attribute),
                .text(claim.value), .number(claim.isDenied ? 1 : 0),
            ])
        }
        try notePlace(of: after, id)
        let row =
            try after.value("position", of: .cube) == .number(change.position)
            ? after : self.row(of: cube, position: change.position, after, former[id])
        if isSameText(row, after) { versions[seq] = (try after.number("version", of: .cube), change.version) }
        if cube.isPlaintext { waiting.insert(seq) }
        return row
    }

    /// Sessions count the places that they have given.
    private mutating func notePlace(of row: [StoredValue], _ id: String) throws {
        let session = row.value("session", of: .cube)
        guard session != .null, former[id] == nil else { return }
        places[session] = max(places[session] ?? 0, try row.number("place", of: .cube))
    }

    /// A vector that the point after has, with the version of the memory's row.
    ///
    /// - Returns: nil if it is of another text, or of a memory that was not added here.
    mutating func vector(_ row: [StoredValue]) throws -> [StoredValue]? {
        let seq = try row.number("cube", of: .vector)
        guard let versions = versions[seq] else { return nil }
        if try row.number("version", of: .vector) == versions.there {
            waiting.remove(seq)
            return row.setting("version", to: .number(versions.now), of: .vector)
        }
        // Of a text before: it is searched until there is another, where the row is that of the point.
        return versions.there == versions.now ? row : nil
    }

    private func isSameText(_ one: [StoredValue], _ other: [StoredValue]?) -> Bool {
        ["text", "speaker", "event_time"].allSatisfy {
            one.value($0, of: .cube) == other?.value($0, of: .cube)
        }
    }

    /// The row of a version between the points.
    private func row(
        of cube: MemCube, position: Int64, _ after: [StoredValue], _ before: [StoredValue]?
    ) throws -> [StoredValue] {
        func text(_ text: String?) -> StoredValue { text.map(StoredValue.text) ?? .null }
        func time(_ date: Date?) -> StoredValue { date.map { .real($0.timeIntervalSince1970) } ?? .null }
        var row = after
        for (column, value) in [
            ("agent", text(cube.scope.agent)), ("type", .text(cube.type.rawValue)),
            ("state", .text(cube.state.rawValue)), ("version", .number(Int64(cube.version))),
            ("text", .text(cube.text)), ("speaker", text(cube.speaker)), ("event_time", time(cube.eventTime)),
            ("recorded_time", time(cube.recordedTime)), ("updated_time", time(cube.updatedTime)),
            ("expires", time(cube.expires)), ("priority", .real(cube.priority)),
            ("header", .text(CubeJSON(cube).header)), ("position", .number(position)),
            ("sensitivity", .number(Int64(cube.sensitivity.rawValue))), ("valid_until", time(cube.validUntil)),
        ] as [(String, StoredValue)] { row[StoreTable.cube.index(column)] = value }
        if isSameText(row, after) { return row }
        let columns = ["content_hash", "analysis", "analyzer"]
        let found: [StoredValue]
        if let before, isSameText(row, before) {
            found = columns.map { before.value($0, of: .cube) }
        } else {
            let terms = try terms(cube)
            found = [.bytes(Data(terms.contentHash)), .bytes(Data(terms.analysis)), .text(terms.analyzer)]
        }
        for (column, value) in zip(columns, found) { row[StoreTable.cube.index(column)] = value }
        return row
    }

    /// The row of a memory of which nothing is left, under a number that no other has.
    private mutating func blank(_ id: String, _ change: MomentLog.Change) -> [StoredValue] {
        top += 1
        let values: [String: StoredValue] = [
            "seq": .number(top), "id": .text(id), "owner": change.owner, "place": .number(0),
            "type": .text(MemoryType.episodic.rawValue), "state": .text(LifecycleState.activated.rawValue),
            "text": .text(""), "event_time": change.time, "recorded_time": change.time, "updated_time": change.time,
            "priority": .real(0), "header": .text(BackupErasure.blankHeader), "content_hash": .bytes(Data()),
            "analysis": .bytes(Data()), "analyzer": .text(""), "uses": .number(0),
            "sensitivity": .number(Int64(Sensitivity.internal.rawValue)),
        ]
        return StoreTable.cube.columns.map { values[$0] ?? .null }
    }
}
