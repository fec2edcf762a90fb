import Foundation

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
    var adapter: AdapterReference?
}

/// Rows of cubes, their edges and their journal.
extension StoredRow {
    /// A cube, from the columns of its table with `tenant`, `user` and `session_name`.
    ///
    /// - Throws: ``StoreError``, or an error of the backend, if a value is none that the store
    ///   writes. An unknown label counts as the highest: what cannot be read is shown to the fewest.
    package func cube() throws -> MemCube {
        guard let id = CubeID(try value("id") as String),
            let type = MemoryType(rawValue: try value("type")),
            let state = LifecycleState(rawValue: try value("state"))
        else {
            throw StoreError(
                .corrupt, "A memory has an unknown id, type or state. Run `mneme doctor`.")
        }
        let header = try StoreCoding.decode(CubeHeader.self, try value("header"))
        let recorded = try date("recorded_time")
        var cube = MemCube(
            id: id,
            scope: Scope(
                tenant: try value("tenant"), user: try value("user"), agent: try text("agent"),
                session: try text("session_name")),
            type: type, text: try value("text"), speaker: try text("speaker"),
            eventTime: try date("event_time"), recordedTime: recorded,
            provenance: header.provenance)
        cube.state = state
        cube.version = try Self.version(value("version"))
        cube.updatedTime = try date("updated_time")
        cube.expires = try optionalDate("expires")
        cube.priority = try value("priority")
        cube.sensitivity = Sensitivity(rawValue: try value("sensitivity")) ?? .restricted
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
        cube.validUntil = try optionalDate("valid_until")
        if let activation = header.activation {
            cube.payload = .activation(activation, of: cube.text)
        } else if let adapter = header.adapter {
            cube.payload = .parametric(adapter, of: cube.text)
        }
        if let last = try optionalDate("last_used") {
            cube.usage = Usage(count: try value("uses"), last: last)
        }
        return cube
    }

    /// A version after which there can be another.
    private static func version(_ number: Int) throws -> Int {
        guard (0..<Int.max).contains(number) else {
            throw StoreError(.corrupt, "A memory has the version \(number). Run `mneme doctor`.")
        }
        return number
    }

    /// An edge; nil if an end is no id.
    package func link() throws -> CubeLink? {
        guard let source = CubeID(try value("source") as String),
            let target = CubeID(try value("target") as String)
        else { return nil }
        return CubeLink(
            source: source, target: target, kind: try value("kind"), time: try date("time"))
    }

    /// A journal entry of a cube.
    package func journalEntry(of id: CubeID) throws -> JournalEntry {
        guard let operation = JournalEntry.Operation(rawValue: try value("operation")) else {
            throw StoreError(
                .corrupt, "The journal holds an unknown operation. Run `mneme doctor`.")
        }
        let payload = try text("payload")
        var entry = JournalEntry(
            position: try value("position"), time: try date("time"), operation: operation, cube: id,
            version: try value("version"), principal: try value("principal"))
        entry.reason = try text("reason")
        if operation == .link || operation == .unlink {
            entry.link = try payload.map { try StoreCoding.decode(CubeLink.self, $0) }
        } else {
            entry.snapshot = try payload.map { try StoreCoding.decode(MemCube.self, $0) }
        }
        return entry
    }
}
