import Foundation
import GRDB

/// The parts of a cube that are read only with it, as one JSON column.
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
    var provenance: Provenance
    var activation: ActivationReference?
}

enum StoreCoding {
    static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .secondsSince1970
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    static func decode<T: Decodable>(_ type: T.Type, _ json: String) throws -> T {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .secondsSince1970
        do { return try decoder.decode(type, from: Data(json.utf8)) } catch {
            throw StoreError(.corrupt, "A record of the store cannot be read. Run `mneme doctor`.")
        }
    }
}

extension SQLiteMemoryStore {
    /// Columns of a cube with its owner and session names.
    static let cubeQuery = """
        SELECT cube.*, owner.tenant, owner.user, session.name AS session_name FROM cube
        JOIN owner ON owner.id = cube.owner LEFT JOIN session ON session.id = cube.session
        """

    static func cube(_ row: Row) throws -> MemCube {
        guard let id = CubeID(row["id"] as String), let type = MemoryType(rawValue: row["type"]),
            let state = LifecycleState(rawValue: row["state"])
        else { throw StoreError(.corrupt, "A memory has an unknown id, type or state. Run `mneme doctor`.") }
        let header = try StoreCoding.decode(CubeHeader.self, row["header"])
        let recorded = Date(timeIntervalSince1970: row["recorded_time"])
        var cube = MemCube(
            id: id, scope: Scope(tenant: row["tenant"], user: row["user"], agent: row["agent"], session: row["session_name"]),
            type: type, text: row["text"], speaker: row["speaker"], eventTime: Date(timeIntervalSince1970: row["event_time"]),
            recordedTime: recorded, provenance: header.provenance)
        cube.state = state
        cube.version = row["version"]
        cube.updatedTime = Date(timeIntervalSince1970: row["updated_time"])
        cube.expires = (row["expires"] as Double?).map(Date.init(timeIntervalSince1970:))
        cube.priority = row["priority"]
        cube.sensitivity = Sensitivity(rawValue: row["sensitivity"]) ?? .restricted
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
        cube.validUntil = (row["valid_until"] as Double?).map(Date.init(timeIntervalSince1970:))
        cube.activation = header.activation
        if let last = row["last_used"] as Double? { cube.usage = Usage(count: row["uses"], last: Date(timeIntervalSince1970: last)) }
        return cube
    }

    static func ownerID(_ owner: Owner, _ db: Database) throws -> Int64? {
        try requireWhole(owner.texts)
        return try Int64.fetchOne(db.cachedStatement(sql: "SELECT id FROM owner WHERE tenant = ? AND user = ?"), arguments: [owner.tenant, owner.user])
    }
}
