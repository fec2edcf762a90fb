public import Foundation
import GRDB

/// A copy of an owner's memories that left the store, written down so that erasing reaches it.
public struct VaultExport: Sendable, Codable, Hashable {
    /// How a copy left.
    public enum Kind: String, Sendable, Codable {
        /// Written to a file.
        case file
        /// Fetched from the server by somebody who follows the vault.
        case server
    }

    /// Whose memories.
    public var owner: Owner
    /// How it left.
    public var kind: Kind
    /// The file's path, or the name of the key that fetched it.
    public var place: String
    /// When, and by whom; of what is fetched again and again the last time.
    public var time: Date, principal: String
    /// The position of the journal up to which erasures are in it: what was erased later may still stand there.
    public var position: Int64

    /// A copy.
    public init(owner: Owner, kind: Kind, place: String, time: Date, principal: String, position: Int64) {
        (self.owner, self.kind, self.place, self.time, self.principal, self.position) = (
            owner, kind, place, time, principal, position
        )
    }
}

extension SQLiteMemoryStore {
    public func record(_ export: VaultExport) throws {
        try Self.requireWhole([export.place, export.principal])
        try write { db in
            guard let ownerID = try Self.ownerID(export.owner, db) else { return }  // nothing can have left
            try db.execute(
                sql:
                    "INSERT OR REPLACE INTO export (owner, kind, place, time, principal, position) VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [
                    ownerID, export.kind.rawValue, export.place, export.time.timeIntervalSince1970, export.principal,
                    export.position,
                ])
        }
    }

    public func exports(of owner: Owner, by caller: Caller) throws -> [VaultExport] {
        try read { db in
            let ownerID = try Self.ownerID(owner, db)
            guard try visible(.read, of: owner, ownerID, caller, db).isWhole, let ownerID else { return [] }
            return try Row.fetchAll(
                db, sql: "SELECT * FROM export WHERE owner = ? ORDER BY time, place", arguments: [ownerID]
            ).compactMap { row in
                try VaultExport.Kind(rawValue: row.read("kind")).map {
                    VaultExport(
                        owner: owner, kind: $0, place: try row.read("place"), time: try row.time("time"),
                        principal: try row.read("principal"),
                        position: try row.read("position"))
                }
            }
        }
    }

    public func forget(_ export: VaultExport, by caller: Caller) throws {
        try Self.requireWhole([export.place])
        try audited { db, chain in
            let ownerID = try Self.ownerID(export.owner, db)
            guard try visible(.erase, of: export.owner, ownerID, caller, db).isWhole, let ownerID else {
                throw refusal("Only who reaches all of the memories looks after their copies.", export.owner, caller)
            }
            try db.execute(
                sql: "DELETE FROM export WHERE owner = ? AND kind = ? AND place = ?",
                arguments: [ownerID, export.kind.rawValue, export.place])
            var entry = AuditEntry(caller, export.owner, default: "vault exports")
            entry.detail = "forgot \(export.place)"
            try chain.append(entry, db)
        }
    }

    public func erased(of owner: Owner, since position: Int64) throws -> [CubeID] {
        try read { db in
            guard let ownerID = try Self.ownerID(owner, db) else { return [] }
            return try String.fetchAll(
                db, sql: "SELECT DISTINCT cube FROM journal WHERE owner = ? AND position > ? AND operation = 'erase'",
                arguments: [ownerID, position]
            ).map(CubeID.init(stored:))
        }
    }
}
