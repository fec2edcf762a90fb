import Foundation
import MnemeStore

/// Vectors as the database compares them: pgvector's `halfvec`, 16-bit floats, in the column `half` of
/// `vector`, beside the floats that indexes are made of.
///
/// A database without the extension has no such columns, and nothing else is missing there. They are
/// no step of the schema, as the extension may come later: whoever opens the store looks for it.
///
/// `half_position` says of which vector a half is: it equals `position` where it is of the present
/// one. Servers that know nothing of halves write vectors with a new `position`, so that what they
/// leave is seen, in the index `vector_unprepared`, and made good by ``PostgresMemoryStore/prepareVectors(limit:)``.
struct PGHalves: Sendable {
    /// The schema that the extension's types and operators are in, quoted.
    let schema: String

    /// The type of a half vector.
    var type: String { "\(schema).halfvec" }
    /// The operator of the negative inner product: of unit vectors the least is the nearest.
    var distance: String { "OPERATOR(\(schema).<#>)" }

    /// What is looked up at each opening, in one statement.
    private static let state = """
        SELECT (SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace AS s ON s.oid = extnamespace
                WHERE extname = 'vector'
                    AND EXISTS (SELECT 1 FROM pg_type WHERE typnamespace = s.oid AND typname = 'halfvec')) AS schema,
            EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'vector') AS installed,
            EXISTS (SELECT 1 FROM pg_available_extension_versions AS v
                    JOIN pg_available_extensions AS e ON e.name = v.name AND e.default_version = v.version
                    JOIN pg_roles ON rolname = current_user
                WHERE v.name = 'vector' AND (rolsuper OR trusted
                    AND has_database_privilege(current_database(), 'CREATE')
                    AND has_schema_privilege(to_regnamespace('public')::oid, 'CREATE'))) AS permitted,
            EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = 'vector'::regclass AND attname = 'half_position'
                AND NOT attisdropped) AS prepared
        """

    /// Finds the extension, and makes the columns if it is there; makes the extension, too, if the
    /// role may. Several processes may be the first.
    ///
    /// - Parameter lock: the store's writers'.
    /// - Returns: nil in a database that cannot compare vectors.
    static func prepare(_ db: PGConnection, lock: Int64) throws -> PGHalves? {
        let known = try look(db)
        try db.sync()
        if known.isPrepared || !(known.halves != nil || known.mayInstall) { return known.halves }
        try db.run("BEGIN")
        try db.run("SELECT pg_advisory_xact_lock(?)", [lock])
        // Of two that wait for the lock, the second finds the first one's columns.
        var state = try look(db)
        if state.halves == nil, state.mayInstall {
            // Not beside the table `vector`, whose rows have a type of that name.
            try db.run("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public", isKept: false)
            state = try look(db)
        }
        if let halves = state.halves, !state.isPrepared {
            for statement in halves.columns { try db.run(statement, isKept: false) }
        }
        try db.run("COMMIT")
        try db.sync()
        return state.halves
    }

    /// The columns, and the index of vectors whose half is missing: it is empty most of the time.
    private var columns: [String] {
        [
            "ALTER TABLE vector ADD COLUMN half \(type), ADD COLUMN half_position BIGINT",
            // Halves stay in their rows, which a comparison passes over one after the other; the floats
            // that no comparison reads go where long values are kept.
            "ALTER TABLE vector ALTER COLUMN half SET STORAGE MAIN",
            "CREATE INDEX vector_unprepared ON vector (owner) WHERE half_position IS DISTINCT FROM position",
        ]
    }

    private static func look(_ db: PGConnection) throws -> (
        halves: PGHalves?, isPrepared: Bool, mayInstall: Bool
    ) {
        guard let row = try db.first(state) else {
            throw PGFailure.connectionLost("an answer is missing")
        }
        let halves = try row.text("schema").map { PGHalves(schema: $0) }
        let isInstalled = try row.integer("installed") == 1
        return (
            halves, try halves != nil && row.integer("prepared") == 1,
            try !isInstalled && row.integer("permitted") == 1
        )
    }
}

/// A vector as a parameter of the type `halfvec`, of length 1: only directions are compared.
struct PGHalfVector: PGEncodable {
    /// Its elements, as 16-bit floats.
    let halves: [Float16]
    /// Elements that the type takes at most.
    private static let limit = 16_000

    /// - Returns: nil for a vector that cannot be compared: too long, of length 0, or with elements that
    ///   are no finite numbers.
    init?(_ vector: [Float]) {
        let square = vector.reduce(into: 0.0) { $0 += Double($1) * Double($1) }
        guard (1...Self.limit).contains(vector.count), square > 0, square.isFinite else { return nil }
        let factor = 1 / square.squareRoot()
        halves = vector.map { Float16(Double($0) * factor) }
    }

    /// Their number, two unused bytes, the elements (pgvector, `halfvec_recv`).
    var encoded: PGParameter {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 + 2 * halves.count)
        for number in [UInt16(halves.count), 0] + halves.map(\.bitPattern) {
            bytes.append(UInt8(number >> 8))
            bytes.append(UInt8(truncatingIfNeeded: number))
        }
        return PGParameter(bytes)
    }
}
