import Foundation
import GRDB

/// The parts of a cube that are read only with it, as one JSON column.
///
/// Members that are missing were written before there were any; ``CubeJSON`` writes them.
struct CubeHeader: Codable {
    var tags: [String]
    var metadata: [String: String]
    var entities: [String]
    var keywords: [String]
    var dates: [DateMention]
    var claims: [Claim]
    var confirmations: Int?
    var tier: MemoryTier?
    var topic: CubeID?
    var caution: [String]?
    var vouchedBy: String?
    var utcOffset: Int?
    var provenance: Provenance
    var activation: ActivationReference?
}

extension SQLiteMemoryStore {
    /// Columns of a cube with its owner and session names.
    static let cubeQuery = """
        SELECT cube.*, owner.tenant, owner.user, session.name AS session_name FROM cube
        JOIN owner ON owner.id = cube.owner LEFT JOIN session ON session.id = cube.session
        """

    /// A version after which there can be another.
    static func version(_ number: Int) throws -> Int {
        guard (0..<Int.max).contains(number) else {
            throw StoreError(.corrupt, "A memory has the version \(number). Run `mneme doctor`.")
        }
        return number
    }

    /// A row of ``cubeQuery`` as a cube.
    ///
    /// - Throws: ``StoreError`` or `RowDecodingError` if a value is none that the store writes. An
    ///   unknown label counts as the highest: what cannot be read is shown to the fewest.
    static func cube(_ row: Row) throws -> MemCube {
        guard let id = CubeID(try row.read("id") as String),
            let type = MemoryType(rawValue: try row.read("type")),
            let state = LifecycleState(rawValue: try row.read("state"))
        else {
            throw StoreError(
                .corrupt, "A memory has an unknown id, type or state. Run `mneme doctor`.")
        }
        let header = try StoreCoding.decode(CubeHeader.self, try row.read("header"))
        let recorded = try row.time("recorded_time")
        var cube = MemCube(
            id: id,
            scope: Scope(
                tenant: try row.read("tenant"), user: try row.read("user"),
                agent: try row.read("agent"),
                session: try row.read("session_name")),
            type: type, text: try row.read("text"), speaker: try row.read("speaker"),
            eventTime: try row.time("event_time"),
            recordedTime: recorded, provenance: header.provenance)
        cube.state = state
        cube.version = try version(row.read("version"))
        cube.updatedTime = try row.time("updated_time")
        cube.expires = try row.optionalTime("expires")
        cube.priority = try row.read("priority")
        cube.sensitivity = Sensitivity(rawValue: try row.read("sensitivity")) ?? .restricted
        cube.tags = header.tags
        cube.metadata = header.metadata
        cube.entities = header.entities
        cube.keywords = header.keywords
        cube.dates = header.dates
        cube.claims = header.claims
        cube.confirmations = header.confirmations
        cube.tier = header.tier
        cube.topic = header.topic
        cube.caution = header.caution
        cube.vouchedBy = header.vouchedBy
        cube.utcOffset = header.utcOffset
        cube.validUntil = try row.optionalTime("valid_until")
        if let activation = header.activation {
            cube.payload = .activation(activation, of: cube.text)
        }
        if let last = try row.optionalTime("last_used") {
            cube.usage = Usage(count: try row.read("uses"), last: last)
        }
        return cube
    }

    /// The row of an owner; nil for one that has no place yet.
    static func ownerID(_ owner: Owner, _ db: Database) throws -> Int64? {
        try TextRules.requireStorable(owner.texts)
        return try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT id FROM owner WHERE tenant = ? AND user = ?"),
            arguments: [owner.tenant, owner.user])
    }
}
