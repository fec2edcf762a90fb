import Foundation
import MnemeBase
import MnemeStore
import Testing

/// A store that changes at random in every way that leaves rows, and what it held.
final class ChangingStore {
    static let owner = Owner(tenant: "t", user: "u")
    /// Tables whose rows of any moment follow from journal and audit log.
    static let logged = [
        "owner", "session", "cube", "link", "journal", "claim", "idempotency", "access_grant", "policy", "audit",
    ]

    let store: any MemoryStore
    private(set) var random: SplitMix64
    private var live: [MemCube] = []
    /// Memories that were erased.
    private(set) var erased: Set<String> = []

    init(_ store: any MemoryStore, seed: UInt64) { (self.store, random) = (store, SplitMix64(seed: seed)) }

    /// Terms that follow from the text alone, as a backup finds them again.
    static func terms(_ cube: MemCube) -> BackupTextTerms {
        let bytes = Array(cube.text.utf8)
        return BackupTextTerms(analysis: bytes, analyzer: "test", contentHash: bytes)
    }

    private func commit(_ mutation: Mutation, key: String? = nil) throws {
        try store.commit([mutation], owner: Self.owner, by: .local, idempotencyKey: key)
    }

    /// Changes something, or refuses to; every entry of the log is written then.
    func change() throws {
        let one = live.isEmpty ? nil : live[Int(random.next() % UInt64(live.count))]
        switch (random.next() % 15, one) {
        case (0, let one?), (1, let one?):
            var next = try #require(try store.cube(one.id, owner: Self.owner, asOf: nil, by: .local))
            next.text += " again"
            next.claims = [Claim(subject: "ana", attribute: "home", value: "\(random.next() % 4)")]
            let terms = Self.terms(next)
            _ = try? commit(.update(next, analysis: terms.analysis, contentHash: terms.contentHash))
        case (2, let one?): try store.recordUse([one.id: Usage(count: 1, last: Date())], owner: Self.owner)
        case (3, let one?):
            let version = try store.cube(one.id, owner: Self.owner, asOf: nil, by: .local)?.version
            try store.saveVectors([(one.id, try #require(version), [0.5, 0.25])], embedder: "e")
        case (4, let one?), (5, let one?):
            let other = live[Int(random.next() % UInt64(live.count))]
            guard other.id != one.id else { return }
            let link = CubeLink(
                source: one.id, target: other.id, kind: "k\(random.next() % 2)",
                time: Date(timeIntervalSince1970: Double(random.next() % 1_000)))
            _ = try? commit(random.next() % 3 == 0 ? .unlink(link) : .link(link))
        case (6, let one?): _ = try? commit(.archive(one.id))
        case (7, let one?): _ = try? commit(.restore(one.id))
        case (8, _): _ = try store.enqueue(Job("tick", arguments: ["a": "b"]), by: .local)
        case (9, let one?): try store.setProgress(one.id, of: "links", owner: Self.owner)
        case (10, let one?):
            let cube = random.next() % 2 == 0 ? one.id : nil
            _ = try store.share(
                Grant(owner: Self.owner, cube: cube, grantee: .user("b\(random.next() % 3)")), by: .local)
        case (11, _):
            if let grant = try store.grants(owner: Self.owner, by: .local).first {
                try store.unshare(grant.id, owner: Self.owner, by: .local)
            }
        case (12, _):
            var policy = MemoryPolicy()
            policy.redaction = random.next() % 2 == 0 ? [.secrets] : []
            try store.setPolicy(random.next() % 3 == 0 ? nil : policy, tenant: "t", by: .local)
        default:
            var cube = MemCube(
                scope: Scope(tenant: "t", user: "u"), type: .episodic, text: "memory \(random.next())",
                eventTime: Date(), recordedTime: Date(), provenance: Provenance(source: "test"))
            cube.scope.session = "s\(random.next() % 3)"
            cube.tags = ["a", "\"b\""]
            cube.claims = [Claim(subject: "ana", attribute: "home", value: "\(random.next() % 4)")]
            let terms = Self.terms(cube)
            try commit(
                .add(cube, analysis: terms.analysis, contentHash: terms.contentHash), key: "\(random.next())")
            live.append(cube)
        }
        try store.flush()
    }

    /// Erases a memory.
    func erase() throws {
        guard !live.isEmpty else { return }
        let gone = live.remove(at: Int(random.next() % UInt64(live.count)))
        try commit(.erase(gone.id))
        erased.insert(gone.id.description)
        try store.flush()
    }

    /// All rows of a store.
    ///
    /// - Parameter audit: the last entry of the audit log that counts, which goes on in a restored store.
    static func rows(_ store: any MemoryStore, upTo audit: Int64 = .max) throws -> [String: [[StoredValue]]] {
        var all: [String: [[StoredValue]]] = [:]
        try #require(store as? any CopyableStore).readTables { reader in
            for table in StoreTable.all {
                try reader.forEachRow(table) { row in
                    let isLog = table.name == "audit" || table.name == "audit_checkpoint"
                    if try isLog && row.number("position", of: table) > audit { return }
                    all[table.name, default: []].append(row)
                }
            }
        }
        return all
    }

    /// The rows that follow from the logs, as they are when memories were erased since: without what a
    /// moment cannot have of these.
    static func logged(_ rows: [String: [[StoredValue]]], without erased: Set<String>) -> [String: [[StoredValue]]] {
        var result: [String: [[StoredValue]]] = [:]
        let gone = Set(
            (rows["cube"] ?? []).filter { erased.contains($0.text("id", of: .cube) ?? "") }.map { $0[0] })
        for table in logged.map(StoreTable.named) {
            result[table.name] = (rows[table.name] ?? []).compactMap { row in
                func names(_ column: String) -> Bool { row.text(column, of: table).map(erased.contains) ?? false }
                switch table.name {
                case "cube":
                    guard !names("id") else { return nil }
                    return zip(table.columns, row).map { ["uses", "last_used"].contains($0) ? .null : $1 }
                case "claim": return gone.contains(row.value("cube", of: table)) ? nil : row
                case "link": return names("source") || names("target") ? nil : row
                case "access_grant": return names("cube") ? nil : row
                case "journal":
                    guard names("cube") || names("target") else { return row }
                    return zip(table.columns, row).map { ["payload", "salt"].contains($0) ? .null : $1 }
                // The place that an erased memory had may be the last.
                case "session": return erased.isEmpty ? row : Array(row.dropLast())
                default: return row
                }
            }
        }
        return result
    }
}
