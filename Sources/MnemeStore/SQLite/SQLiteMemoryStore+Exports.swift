import Foundation
import GRDB

/// The log of copies that left, in SQLite.
extension SQLiteMemoryStore {
    /// A place has one row: what is written there again replaces what was there.
    public func record(_ export: VaultExport) throws {
        try TextRules.requireStorable([export.place, export.principal])
        try write { db in
            guard let ownerID = try Self.ownerID(export.owner, db) else { return }  // nothing can have left
            try db.execute(
                sql:
                    "INSERT OR REPLACE INTO export (owner, kind, place, time, principal, position) VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [
                    ownerID, export.kind.rawValue, export.place, export.time.timeIntervalSince1970,
                    export.principal,
                    export.position,
                ])
        }
    }

    /// Kinds that this version does not know are left out.
    public func exports(of owner: Owner, by caller: Caller) throws -> [VaultExport] {
        try read { db in
            let ownerID = try Self.ownerID(owner, db)
            guard try visible(.read, of: owner, ownerID, caller, db).isUnrestricted, let ownerID else {
                return []
            }
            return try Row.fetchAll(
                db, sql: "SELECT * FROM export WHERE owner = ? ORDER BY time, place",
                arguments: [ownerID]
            ).compactMap { try $0.export(of: owner) }
        }
    }

    /// Needs the permission to erase: erasing reaches the copy no more.
    public func forget(_ export: VaultExport, by caller: Caller) throws {
        try TextRules.requireStorable([export.place])
        try audited { db, chain in
            let ownerID = try Self.ownerID(export.owner, db)
            guard try visible(.erase, of: export.owner, ownerID, caller, db).isUnrestricted, let ownerID
            else {
                throw refusal(
                    "Only who reaches all of the memories looks after their copies.", export.owner,
                    caller)
            }
            try db.execute(
                sql: "DELETE FROM export WHERE owner = ? AND kind = ? AND place = ?",
                arguments: [ownerID, export.kind.rawValue, export.place])
            var entry = AuditEntry(caller, export.owner, default: "vault exports")
            entry.detail = "forgot \(export.place)"
            try chain.append(entry, db)
        }
    }

    /// From the journal: it keeps that an erasure happened, and nothing of the text.
    public func erased(of owner: Owner, since position: Int64) throws -> [CubeID] {
        try read { db in
            guard let ownerID = try Self.ownerID(owner, db) else { return [] }
            return try String.fetchAll(
                db,
                sql:
                    "SELECT DISTINCT cube FROM journal WHERE owner = ? AND position > ? AND operation = 'erase'",
                arguments: [ownerID, position]
            ).map(CubeID.init(stored:))
        }
    }
}
