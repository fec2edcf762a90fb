public import Foundation
import GRDB

/// Reads. Each asks in its own snapshot who may see what, and writes what was handed out into the
/// audit log afterwards: nothing leaves that is not noted, and a read waits for no disk.
extension SQLiteMemoryStore {
    /// As ``CubeStore`` has it. A former version is shown only to who sees the present one, too: a
    /// label that was raised holds for the past.
    public func cube(_ id: CubeID, owner: Owner, asOf: Date? = nil, by caller: Caller) throws
        -> MemCube?
    {
        let found: MemCube? = try read { db in
            let known = try Self.ownerID(owner, db)
            let visibility = try visible(.read, of: owner, known, caller, db)
            guard let ownerID = known, let present = try Self.current(id, ownerID, db),
                visibility.contains(present)
            else {
                return nil
            }
            guard let asOf else { return present }
            let payload = try String.fetchOne(
                db,
                sql: JournalQuery.snapshot, arguments: [id.description, ownerID, asOf.timeIntervalSince1970])
            return try payload.map { try StoreCoding.decode(MemCube.self, $0) }.flatMap {
                visibility.contains($0) ? $0 : nil
            }
        }
        try noteRead("get", found.map { [$0.id] } ?? [], owner: owner, by: caller)
        return found
    }

    /// One lookup by the primary key for each id.
    public func cubes(_ ids: [CubeID], owner: Owner, by caller: Caller) throws -> [MemCube] {
        let found: [MemCube] = try read { db in
            let known = try Self.ownerID(owner, db)
            let visibility = try visible(.read, of: owner, known, caller, db)
            guard let ownerID = known else { return [] }
            return try ids.compactMap { try Self.current($0, ownerID, db) }.filter(visibility.contains)
        }
        try noteRead("read", found.map(\.id), owner: owner, by: caller)
        return found
    }

    /// By comparing ends of strings: what was typed is no pattern.
    public func ids(endingWith ending: String, owner: Owner, by caller: Caller) throws -> [CubeID] {
        try TextRules.requireStorable([ending])
        return try read { db in
            let known = try Self.ownerID(owner, db)
            let condition = Self.condition(try visible(.read, of: owner, known, caller, db))
            guard let ownerID = known else { return [] }
            // The inner query reads the index of ids alone, not the rows with their texts.
            let sql = """
                SELECT id FROM cube WHERE id IN (SELECT id FROM cube WHERE substr(id, -length(?)) = ?)
                    AND owner = ? AND \(condition.sql) ORDER BY id LIMIT 3
                """
            return try String.fetchAll(
                db, sql: sql, arguments: [ending, ending, ownerID] + condition.arguments
            ).map(CubeID.init(stored:))
        }
    }

    /// As ``CubeStore`` has it, in one statement; as of a time, from the whole snapshot of it.
    public func list(_ filter: CubeFilter, by caller: Caller) throws -> [MemCube] {
        try TextRules.requireStorable(filter.texts)
        if let asOf = filter.asOf {
            var found = try snapshot(owner: filter.owner, asOf: asOf, by: caller).filter(
                filter.fits)
            if filter.newestFirst { found.reverse() }
            if let after = filter.after {
                found = Array(found.drop { filter.newestFirst ? $0.id >= after : $0.id <= after })
            }
            found = Array(found.prefix(filter.limit))
            try noteRead("list", found.map(\.id), owner: filter.owner, by: caller)
            return found
        }
        let found: [MemCube] = try read { db in
            let known = try Self.ownerID(filter.owner, db)
            let condition = Self.condition(try visible(.read, of: filter.owner, known, caller, db))
            guard let ownerID = known else { return [] }
            var conditions = ["cube.owner = ?", condition.sql]
            var arguments: StatementArguments = [ownerID] + condition.arguments
            /// A condition with one parameter, if there is a value for it.
            func add(_ condition: String, _ value: (any DatabaseValueConvertible)?) {
                guard let value else { return }
                conditions.append(condition)
                arguments += [value]
            }
            add("cube.agent = ?", filter.agent)
            add("session.name = ?", filter.session)
            add("cube.type = ?", filter.type?.rawValue)
            // Its index holds these alone, and is used only where the state is no parameter.
            if filter.state == .quarantined {
                conditions.append("cube.state = 'quarantined'")
            } else {
                add("cube.state = ?", filter.state?.rawValue)
            }
            add(
                "coalesce(json_extract(cube.header, '$.tier'), 'short-term') = ?",
                filter.tier?.rawValue)
            add(
                "cube.seq > coalesce((SELECT seq FROM progress WHERE owner = cube.owner AND work = ?), 0)",
                filter.afterProgress)
            if let form = filter.form { conditions.append(form.condition) }
            add(
                "EXISTS (SELECT 1 FROM json_each(cube.header, '$.tags') WHERE value = ?)",
                filter.tag)
            add("cube.event_time >= ?", filter.from?.timeIntervalSince1970)
            add("cube.event_time < ?", filter.before?.timeIntervalSince1970)
            add("cube.event_time <= ?", filter.at?.timeIntervalSince1970)
            add(
                "(cube.valid_until IS NULL OR cube.valid_until > ?)",
                filter.at?.timeIntervalSince1970)
            if let after = filter.after {
                add(
                    "cube.seq \(filter.newestFirst ? "<" : ">") coalesce((SELECT seq FROM cube WHERE id = ?), 0)",
                    after.description)
            }
            let sql =
                Self.cubeQuery + " WHERE " + conditions.joined(separator: " AND ")
                + " ORDER BY cube.seq \(filter.newestFirst ? "DESC" : "ASC") LIMIT ?"
            return try Row.fetchAll(db, sql: sql, arguments: arguments + [filter.limit]).map { try $0.cube() }
        }
        try noteRead("list", found.map(\.id), owner: filter.owner, by: caller)
        return found
    }

    /// - Complexity: one pass over the owner's journal up to the time.
    public func snapshot(owner: Owner, asOf: Date, by caller: Caller) throws -> [MemCube] {
        try read { db in
            let known = try Self.ownerID(owner, db)
            let visibility = try visible(.read, of: owner, known, caller, db)
            guard let ownerID = known else { return [] }
            // A label that was raised since holds for the past, too.
            let present = Self.condition(visibility)
            let seen =
                visibility.isUnrestricted
                ? nil
                : Set(
                    try String.fetchAll(
                        db, sql: "SELECT id FROM cube WHERE owner = ? AND " + present.sql,
                        arguments: [ownerID] + present.arguments
                    ).map(
                        CubeID.init(stored:)))
            return try String.fetchAll(
                db,
                sql: """
                    SELECT payload FROM journal WHERE payload IS NOT NULL AND position IN (
                        SELECT max(position) FROM journal WHERE owner = ? AND time <= ? AND operation NOT IN ('link', 'unlink') GROUP BY cube)
                    ORDER BY cube
                    """, arguments: [ownerID, asOf.timeIntervalSince1970]
            ).map { try StoreCoding.decode(MemCube.self, $0) }.filter {
                visibility.contains($0) && seen?.contains($0.id) ?? true
            }
        }
    }

    /// As ``CubeStore`` has it. Entries are shown whose snapshot the caller may see; edges where
    /// the other end is visible.
    public func history(_ id: CubeID, owner: Owner, by caller: Caller) throws -> [JournalEntry] {
        let entries: [JournalEntry] = try read { db in
            let known = try Self.ownerID(owner, db)
            let visibility = try visible(.read, of: owner, known, caller, db)
            guard let ownerID = known else { return [] }
            // What is erased left nothing but that it was; whoever does not see all
            // of the owner's is not told even that.
            guard try Self.current(id, ownerID, db).map(visibility.contains) ?? visibility.isUnrestricted else {
                return []
            }
            return try Row.fetchAll(
                db, sql: JournalQuery.entries, arguments: [id.description, ownerID]
            ).map { try $0.journalEntry(of: id) }.filter { entry in
                if visibility.isUnrestricted { return true }
                if let link = entry.link {
                    return try Self.current(link.target, ownerID, db).map(visibility.contains) ?? false
                }
                return entry.snapshot.map(visibility.contains) ?? false
            }
        }
        try noteRead("history", entries.isEmpty ? [] : [id], owner: owner, by: caller)
        return entries
    }

    /// Edges of which the caller sees both ends.
    public func links(of id: CubeID, owner: Owner, by caller: Caller) throws -> [CubeLink] {
        try read { db in
            let known = try Self.ownerID(owner, db)
            let visibility = try visible(.read, of: owner, known, caller, db)
            guard let ownerID = known else { return [] }
            return try Row.fetchAll(
                db,
                sql:
                    "SELECT * FROM link WHERE owner = ? AND (source = ? OR target = ?) ORDER BY time",
                arguments: [ownerID, id.description, id.description]
            ).compactMap { try $0.link() }.filter { link in
                try visibility.isUnrestricted
                    || [link.source, link.target].allSatisfy {
                        try Self.current($0, ownerID, db).map(visibility.contains) ?? false
                    }
            }
        }
    }

    /// A row that later requests find; it is noted like other changes.
    public func create(_ owner: Owner, by caller: Caller) throws -> Bool {
        try audited { db, chain in
            let known = try Self.ownerID(owner, db)
            _ = try visible(.write, of: owner, known, caller, db)
            guard known == nil else { return false }
            _ = try Self.createOwner(owner, db)
            try chain.append(AuditEntry(caller, owner, default: "create"), db)
            return true
        }
    }

    /// One lookup at the end of an index.
    public func position(of owner: Owner) throws -> Int64 {
        try read { db in
            guard let ownerID = try Self.ownerID(owner, db) else { return 0 }
            return try Int64.fetchOne(
                db.cachedStatement(sql: "SELECT max(position) FROM journal WHERE owner = ?"),
                arguments: [ownerID]) ?? 0
        }
    }

    /// The database and its log. The third file, of shared memory, holds page numbers only.
    public var files: [String] { ["", "-wal"].map { path + $0 } }

    /// Texts of all versions, and vectors. Terms are not among them: they are words of the text,
    /// and words are found in other memories as well.
    public func traces(of ids: [CubeID], owner: Owner) throws -> [Data] {
        try read { db in
            guard let ownerID = try Self.ownerID(owner, db) else { return [] }
            return try ids.flatMap { id in
                try Data.fetchAll(
                    db,
                    sql: """
                        SELECT CAST(text AS BLOB) FROM cube WHERE id = ?1 AND owner = ?2
                        UNION SELECT vector.data FROM vector JOIN cube ON cube.seq = vector.cube WHERE cube.id = ?1 AND cube.owner = ?2
                        UNION \(JournalQuery.texts)
                        """, arguments: [id.description, ownerID])
            }
        }
    }

    /// Reads the owner's tally: a row for each state.
    public func count(owner: Owner, limit: Int) throws -> Int {
        try read { db in
            guard let ownerID = try Self.ownerID(owner, db) else { return 0 }
            let count = try Int.fetchOne(
                db.cachedStatement(
                    sql: "SELECT sum(value) FROM tally WHERE owner = ? AND name = 'state'"),
                arguments: [ownerID])
            return min(limit, count ?? 0)
        }
    }

    /// The owner of a cube, whoever asks; nil if there is no such cube.
    public func owner(of id: CubeID) throws -> Owner? {
        try read { db in
            try Row.fetchOne(
                db,
                sql:
                    "SELECT tenant, user FROM owner JOIN cube ON cube.owner = owner.id WHERE cube.id = ?",
                arguments: [id.description]
            ).map { Owner(tenant: try $0.read("tenant"), user: try $0.read("user")) }
        }
    }

    /// In the order in which they came.
    public func owners() throws -> [Owner] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT tenant, user FROM owner ORDER BY id").map {
                Owner(tenant: try $0.read("tenant"), user: try $0.read("user"))
            }
        }
    }

    /// Counts tell of what is not visible, so that they are for those alone who reach everything.
    ///
    /// - Complexity: a row for each count, whatever is stored.
    public func statistics(owner: Owner?, by caller: Caller) throws -> StoreStatistics {
        if owner == nil { try requireAll(.read, caller) }
        return try read { db in
            if let owner,
                try !visible(.read, of: owner, Self.ownerID(owner, db), caller, db).isUnrestricted
            {
                throw refusal(
                    "'\(caller.principal.name)' reaches a part of these memories only, and counts tell of the rest.",
                    owner, caller)
            }
            let ownerID = try owner.map { try Self.ownerID($0, db) ?? -1 }
            let counts = try Tally.read(owner: ownerID, db)
            func count(_ name: String) -> Int { counts[name]?[""] ?? 0 }
            let bytes = files.reduce(0) {
                $0 + ((try? FileManager.default.attributesOfItem(atPath: $1)[.size] as? Int) ?? 0)
            }
            var statistics = StoreStatistics()
            statistics.byState = counts["state"] ?? [:]
            statistics.byType = counts["type"] ?? [:]
            // Every cube has one state.
            statistics.memories = statistics.byState.values.reduce(0, +)
            statistics.owners =
                try ownerID.map { $0 < 0 ? 0 : 1 }
                ?? Int.fetchOne(db, sql: "SELECT count(*) FROM owner") ?? 0
            statistics.sessions = count("session")
            statistics.links = count("link")
            statistics.journalEntries = count("journal")
            statistics.vectors = count("vector")
            statistics.pendingEmbeddings = count("pending")
            statistics.bytesOnDisk = bytes
            return statistics
        }
    }
}
