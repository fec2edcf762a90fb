public import Foundation
public import MnemeStore
import NIOConcurrencyHelpers

/// Reads. Each asks in its own snapshot who may see what, and writes what was handed out into the
/// audit log afterwards: nothing leaves that is not noted, and a read waits for no writer.
extension PostgresMemoryStore {
    /// Runs a read of one owner's memories with what the caller reaches of them; nil for an owner
    /// that has no place.
    private func read<T>(
        _ owner: Owner, by caller: Caller, _ body: (PGConnection, Int64, Visibility) throws -> T
    ) throws -> T? {
        try read { db in
            let known = try ownerID(owner, db)
            let visibility = try visible(.read, of: owner, known, caller, db)
            return try known.map { try body(db, $0, visibility) }
        }
    }

    /// As `CubeStore` has it. A former version is shown only to who sees the present one, too: a
    /// label that was raised holds for the past.
    public func cube(_ id: CubeID, owner: Owner, asOf: Date? = nil, by caller: Caller) throws -> MemCube? {
        let found: MemCube?? = try read(owner, by: caller) { db, ownerID, visibility in
            guard let present = try Self.current(id, ownerID, db), visibility.contains(present) else {
                return nil
            }
            guard let asOf else { return present }
            let payload = try db.first(
                """
                SELECT payload FROM journal WHERE cube = ? AND owner = ? AND time <= ?
                    AND operation NOT IN ('link', 'unlink') ORDER BY position DESC LIMIT 1
                """, [id.description, ownerID, asOf.timeIntervalSince1970])?.text("payload")
            return try payload.map { try StoreCoding.decode(MemCube.self, $0) }.flatMap {
                visibility.contains($0) ? $0 : nil
            }
        }
        let cube = found ?? nil
        try noteRead("get", cube.map { [$0.id] } ?? [], owner: owner, by: caller)
        return cube
    }

    /// One statement for all. Owners read their own in one way to the database and back.
    public func cubes(_ ids: [CubeID], owner: Owner, by caller: Caller) throws -> [MemCube] {
        let found =
            try ownCubes(ids, owner: owner, by: caller)
            ?? read(owner, by: caller) { db, ownerID, visibility in
                let query = Self.cubesQuery(ids, ownerID)
                return try Self.cubes(db.rows(query.sql, query.arguments), ids, visibility)
            }
        try noteRead("read", (found ?? []).map(\.id), owner: owner, by: caller)
        return found ?? []
    }

    /// Memories of an owner that no grant is looked at for: one statement is one snapshot.
    ///
    /// - Returns: nil where it takes more.
    private func ownCubes(_ ids: [CubeID], owner: Owner, by caller: Caller) throws -> [MemCube]? {
        guard let visibility = Self.ownVisibility(of: owner, for: .read, caller.principal) else { return nil }
        try TextRules.requireStorable(owner.texts + caller.principal.texts)
        let rows = try repeating(true) { () -> [PGRow]? in
            guard let ownerID = ownerIDs.withLockedValue({ $0[owner] }) else { return nil }
            return try pool.lend {
                try $0.together([Self.scope(of: owner, ownerID), Self.cubesQuery(ids, ownerID)])
            }
        }
        return try rows.map { try Self.cubes($0, ids, visibility) }
    }

    private static func cubesQuery(_ ids: [CubeID], _ ownerID: Int64) -> (sql: String, arguments: PGArguments) {
        (cubeQuery + " WHERE cube.owner = ? AND cube.id = ANY (?::text[])", [ownerID, ids.map(\.description)])
    }

    /// The visible cubes of rows, in the order of `ids`.
    private static func cubes(_ rows: [PGRow], _ ids: [CubeID], _ visibility: Visibility) throws -> [MemCube] {
        let cubes = try rows.map { try $0.cube() }.filter(visibility.contains)
        let known = Dictionary(cubes.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        return ids.compactMap { known[$0] }
    }

    /// By comparing ends of strings: what was typed is no pattern.
    public func ids(endingWith ending: String, owner: Owner, by caller: Caller) throws -> [CubeID] {
        try TextRules.requireStorable([ending])
        return try read(owner, by: caller) { db, ownerID, visibility in
            let condition = Self.condition(visibility)
            return try db.texts(
                """
                SELECT id FROM cube WHERE owner = ? AND right(id, length(?::text)) = ? AND \(condition.sql)
                ORDER BY id LIMIT 3
                """, [ownerID, ending, ending] + condition.arguments
            ).map(CubeID.init(stored:))
        } ?? []
    }

    /// As `CubeStore` has it, in one statement; as of a time, from the whole snapshot of it.
    public func list(_ filter: CubeFilter, by caller: Caller) throws -> [MemCube] {
        try TextRules.requireStorable(filter.texts)
        var found: [MemCube]
        if let asOf = filter.asOf {
            found = try snapshot(owner: filter.owner, asOf: asOf, by: caller).filter(filter.fits)
            if filter.newestFirst { found.reverse() }
            if let after = filter.after {
                found = Array(found.drop { filter.newestFirst ? $0.id >= after : $0.id <= after })
            }
            found = Array(found.prefix(filter.limit))
        } else {
            found =
                try read(filter.owner, by: caller) { db, ownerID, visibility in
                    let (sql, arguments) = Self.query(filter, ownerID, visibility)
                    return try db.query(sql, arguments, isKept: false).rows.map { try $0.cube() }
                } ?? []
        }
        try noteRead("list", found.map(\.id), owner: filter.owner, by: caller)
        return found
    }

    /// The statement for a filter.
    private static func query(_ filter: CubeFilter, _ ownerID: Int64, _ visibility: Visibility)
        -> (sql: String, arguments: PGArguments)
    {
        let condition = condition(visibility)
        var (conditions, arguments) = conditions(filter)
        conditions = ["cube.owner = ?", condition.sql] + conditions
        arguments = [ownerID] + condition.arguments + arguments
        if let after = filter.after {
            conditions.append(
                "cube.seq \(filter.newestFirst ? "<" : ">") coalesce((SELECT seq FROM cube WHERE id = ?), 0)")
            arguments.append(after.description)
        }
        let order = "ORDER BY cube.seq \(filter.newestFirst ? "DESC" : "ASC") LIMIT ?"
        return (
            "\(cubeQuery) WHERE \(conditions.joined(separator: " AND ")) \(order)",
            arguments + [filter.limit]
        )
    }

    /// What a filter asks of a cube, and of its session by that table's name; owner and page are no
    /// part of it.
    static func conditions(_ filter: CubeFilter) -> (sql: [String], arguments: PGArguments) {
        var conditions: [String] = []
        var arguments: PGArguments = []
        /// A condition with one parameter, if there is a value for it.
        func add(_ condition: String, _ value: (any PGEncodable)?) {
            guard let value else { return }
            conditions.append(condition)
            arguments.append(value)
        }
        add("cube.agent = ?", filter.agent)
        add("session.name = ?", filter.session)
        add("cube.type = ?", filter.type?.rawValue)
        add("cube.state = ?", filter.state?.rawValue)
        add("coalesce(cube.header::json ->> 'tier', 'short-term') = ?", filter.tier?.rawValue)
        add(
            "cube.seq > coalesce((SELECT seq FROM progress WHERE owner = cube.owner AND work = ?), 0)",
            filter.afterProgress)
        if let form = filter.form { conditions.append(form.condition) }
        add(
            "EXISTS (SELECT 1 FROM json_array_elements_text(cube.header::json -> 'tags') AS tag WHERE tag = ?)",
            filter.tag)
        add("cube.event_time >= ?", filter.from?.timeIntervalSince1970)
        add("cube.event_time < ?", filter.before?.timeIntervalSince1970)
        add("cube.event_time <= ?", filter.at?.timeIntervalSince1970)
        add("(cube.valid_until IS NULL OR cube.valid_until > ?)", filter.at?.timeIntervalSince1970)
        return (conditions, arguments)
    }

    /// - Complexity: one pass over the owner's journal up to the time.
    public func snapshot(owner: Owner, asOf: Date, by caller: Caller) throws -> [MemCube] {
        try read(owner, by: caller) { db, ownerID, visibility in
            // A label that was raised since holds for the past, too.
            let present = Self.condition(visibility)
            let seen =
                visibility.isUnrestricted
                ? nil
                : Set(
                    try db.texts(
                        "SELECT id FROM cube WHERE owner = ? AND " + present.sql,
                        [ownerID] + present.arguments
                    ).map(CubeID.init(stored:)))
            var cubes: [MemCube] = []
            try db.forEach(
                """
                SELECT payload FROM journal WHERE owner = ? AND payload IS NOT NULL AND position IN (
                    SELECT max(position) FROM journal WHERE owner = ? AND time <= ?
                        AND operation NOT IN ('link', 'unlink') GROUP BY cube)
                ORDER BY cube
                """, [ownerID, ownerID, asOf.timeIntervalSince1970]
            ) { row in
                let cube = try StoreCoding.decode(MemCube.self, row.value("payload"))
                if visibility.contains(cube), seen?.contains(cube.id) ?? true { cubes.append(cube) }
                return true
            }
            return cubes
        } ?? []
    }

    /// As `CubeStore` has it. Entries are shown whose snapshot the caller may see; edges where the
    /// other end is visible.
    public func history(_ id: CubeID, owner: Owner, by caller: Caller) throws -> [JournalEntry] {
        let entries = try read(owner, by: caller) { db, ownerID, visibility -> [JournalEntry] in
            // What is erased left nothing but that it was; whoever does not see all of the owner's is
            // not told even that.
            let present = try Self.current(id, ownerID, db)
            guard present.map(visibility.contains) ?? visibility.isUnrestricted else { return [] }
            return try db.rows(
                "SELECT * FROM journal WHERE cube = ? AND owner = ? ORDER BY position",
                [id.description, ownerID]
            ).map { try $0.journalEntry(of: id) }.filter { entry in
                if visibility.isUnrestricted { return true }
                if let link = entry.link {
                    return try Self.current(link.target, ownerID, db).map(visibility.contains) ?? false
                }
                return entry.snapshot.map(visibility.contains) ?? false
            }
        }
        try noteRead("history", entries?.isEmpty ?? true ? [] : [id], owner: owner, by: caller)
        return entries ?? []
    }

    /// Edges of which the caller sees both ends.
    public func links(of id: CubeID, owner: Owner, by caller: Caller) throws -> [CubeLink] {
        try read(owner, by: caller) { db, ownerID, visibility in
            try db.rows(
                """
                SELECT * FROM link WHERE owner = ? AND (source = ? OR target = ?)
                ORDER BY time, source, target, kind
                """, [ownerID, id.description, id.description]
            ).compactMap { try $0.link() }.filter { link in
                try visibility.isUnrestricted
                    || [link.source, link.target].allSatisfy {
                        try Self.current($0, ownerID, db).map(visibility.contains) ?? false
                    }
            }
        } ?? []
    }

    /// One lookup at the end of an index.
    public func position(of owner: Owner) throws -> Int64 {
        try read { db in
            guard let ownerID = try ownerID(owner, db) else { return 0 }
            return try db.number("SELECT position FROM journal \(Self.fromEnd) LIMIT 1", [ownerID, ownerID]) ?? 0
        }
    }

    /// Counts rows of one index, no more than `limit`.
    public func count(owner: Owner, limit: Int) throws -> Int {
        try read { db in
            guard let ownerID = try ownerID(owner, db) else { return 0 }
            return Int(
                try db.number(
                    "SELECT count(*) FROM (SELECT 1 FROM cube WHERE owner = ? LIMIT ?) AS counted",
                    [ownerID, limit]) ?? 0)
        }
    }

    /// The owner of a cube, whoever asks; nil if there is no such cube.
    public func owner(of id: CubeID) throws -> Owner? {
        try readAll { db in
            try db.first(
                """
                SELECT tenant, "user" FROM owner JOIN cube ON cube.owner = owner.id WHERE cube.id = ?
                """, [id.description]
            ).map { Owner(tenant: try $0.value("tenant"), user: try $0.value("user")) }
        }
    }

    /// In the order in which they came.
    public func owners() throws -> [Owner] {
        try read { db in
            try db.rows("SELECT tenant, \"user\" FROM owner ORDER BY id").map {
                Owner(tenant: try $0.value("tenant"), user: try $0.value("user"))
            }
        }
    }
}
