import Foundation
import GRDB

/// Mutations: rules decide, rows are read and written here.
extension SQLiteMemoryStore {
    /// Applies one mutation.
    ///
    /// - Returns: the cube after it, if there is one.
    func apply(_ mutation: Mutation, _ change: Change, _ db: Database) throws -> MemCube? {
        let time = change.caller.time
        switch mutation {
        case .add(let cube, let analysis, let contentHash, let links):
            return try add(cube, analysis, contentHash, links, change, db)
        case .adopt(let cube, let history, let analysis, let contentHash):
            return try adopt(cube, history, analysis, contentHash, change, db)
        case .update(let cube, let analysis, let contentHash):
            return try replace(cube, analysis, contentHash, .update, change, db)
        case .rollback(let cube, let analysis, let contentHash):
            return try replace(cube, analysis, contentHash, .rollback, change, db)
        case .archive(let id): return try transition(id, to: .archived, .archive, change, db)
        case .restore(let id): return try transition(id, to: .activated, .restore, change, db)
        case .quarantine(let id):
            return try transition(id, to: .quarantined, .quarantine, change, db)
        case .release(let id): return try release(id, change, db)
        case .freeze(let id): return try transition(id, to: .frozen, .freeze, change, db)
        case .merge(let id, let other):
            _ = try require(other, for: .write, change, db)
            try LifecycleRules.requireOther(id, than: other)
            return try transition(id, to: .merged, .merge, change, db)
        case .invalidate(let id, let date):
            let cube = try requireChangeable(id, change, db)
            return try save(
                LifecycleRules.validity(of: cube, until: date, as: .invalidate, at: time), change,
                db)
        case .confirm(let id):
            return try save(
                LifecycleRules.confirm(requireChangeable(id, change, db), at: time), change, db)
        case .move(let id, let tier, let topic):
            let cube = try requireChangeable(id, change, db)
            return try save(LifecycleRules.move(cube, to: tier, topic: topic, at: time), change, db)
        case .erase(let id): try erase(id, change, db)
        case .link(let link):
            _ = try require(link.source, for: .write, change, db)
            _ = try require(link.target, for: .write, change, db)
            try LifecycleRules.check(link)
            try Self.add(link, change, db)
        case .unlink(let link):
            _ = try require(link.source, for: .write, change, db)
            try db.execute(
                sql: "DELETE FROM link WHERE owner = ? AND source = ? AND target = ? AND kind = ?",
                arguments: [
                    change.ownerID, link.source.description, link.target.description, link.kind,
                ])
            guard db.changesCount > 0 else {
                throw StoreError(
                    .notFound,
                    "There is no '\(link.kind)' link from \(link.source) to \(link.target).")
            }
            Self.forgetEnd(by: link, change)
            try Self.record(.unlink, link, change, db)
        }
        return nil
    }

    /// Adds a cube with its journal entry, terms, links and claims, unless the same content is
    /// there already: then that cube is returned and nothing is written.
    private func add(
        _ new: MemCube, _ analysis: [UInt8], _ contentHash: [UInt8], _ links: [CubeLink],
        _ change: Change,
        _ db: Database
    ) throws -> MemCube? {
        var cube = new
        let ownerID = change.ownerID
        let writable = change.sight(.write)
        try confine(&cube, change, isNew: true)
        if let known = try String.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT id FROM cube WHERE owner = ? AND content_hash = ? AND state NOT IN ('archived', 'merged')
                    LIMIT 1
                    """),
            arguments: [ownerID, Data(contentHash)])
        {
            // That there is one out of sight must not show.
            let cube = try Self.current(CubeID(stored: known), ownerID, db)
            if let cube, writable.contains(cube) { return cube }
        }
        cube.scope.tenant = change.owner.tenant
        cube.scope.user = change.owner.user
        let json = CubeJSON(cube)
        let position = try Self.append(
            .add, cube.id, version: cube.version, payload: json.payload, change, db)
        try insert(cube, json, analysis, contentHash, position, change, db)
        for link in links {
            guard let target = try Self.current(link.target, ownerID, db),
                AccessRules.keeps(link, to: target, writable: writable)
            else { continue }
            try Self.add(link, change, db)
        }
        return try settleNew(cube, change, db)
    }

    /// Writes down what a cube that was just inserted claims, and who ends whom since.
    ///
    /// - Returns: the cube as it is then.
    func settleNew(_ cube: MemCube, _ change: Change, _ db: Database) throws -> MemCube {
        guard !cube.claims.isEmpty else { return cube }
        let keys = try Self.saveClaims(cube, change.ownerID, db)
        change.claims.insert(cube)
        return try settle(keys, change, db)[cube.id] ?? cube
    }

    /// Bounds what the caller writes, see ``AccessRules/confine(_:to:_:isNew:)``.
    func confine(_ cube: inout MemCube, _ change: Change, isNew: Bool) throws {
        try noting(change.owner, change.caller) {
            try AccessRules.confine(
                &cube, to: change.sight(.write), change.caller.principal, isNew: isNew)
        }
    }

    /// Removes a cube and all that says what was in it: the row, its vector and terms (with it, by
    /// reference), the journal's payloads and salts, links, grants. What it had ended holds again.
    private func erase(_ id: CubeID, _ change: Change, _ db: Database) throws {
        var cube = try require(id, for: .erase, change, db)
        cube.version += 1
        _ = try Self.record(.erase, cube, change, db)
        // The journal keeps that it happened, never what was said.
        // Its own entries, and those of edges that lead to it.
        for column in ["cube", "target"] {
            try db.execute(
                sql: "UPDATE journal SET payload = NULL, salt = NULL WHERE \(column) = ?",
                arguments: [id.description])
        }
        let keys = try Self.claimedKeys(id, db)
        let ended = try String.fetchAll(
            db, sql: "SELECT target FROM link WHERE source = ? AND kind = ?",
            arguments: [id.description, CubeLink.supersedes])
        try db.execute(
            sql: "DELETE FROM link WHERE source = ? OR target = ?",
            arguments: [id.description, id.description])
        try db.execute(sql: "DELETE FROM access_grant WHERE cube = ?", arguments: [id.description])
        try db.execute(sql: "DELETE FROM cube WHERE id = ?", arguments: [id.description])
        change.claims.forget(id, claiming: keys)
        for target in ended {
            if let former = try Self.current(CubeID(stored: target), change.ownerID, db) {
                _ = try save(
                    LifecycleRules.validity(
                        of: former, until: nil, as: .reinstate, at: change.caller.time), change, db)
            }
        }
        try settle(keys, change, db)
    }

    /// Makes a cube's next version.
    private func replace(
        _ chosen: MemCube, _ analysis: [UInt8], _ contentHash: [UInt8],
        _ operation: JournalEntry.Operation,
        _ change: Change, _ db: Database
    ) throws -> MemCube {
        var chosen = chosen
        let old = try requireChangeable(chosen.id, change, db)
        try confine(&chosen, change, isNew: false)
        let cube = try LifecycleRules.replace(
            old, by: chosen, as: operation, owner: change.owner, at: change.caller.time
        ).cube
        let json = CubeJSON(cube)
        let position = try Self.append(
            operation, cube.id, version: cube.version, payload: json.payload, change, db)
        try db.execute(
            sql: """
                UPDATE cube SET agent = ?, type = ?, state = ?, version = ?, text = ?, speaker = ?, event_time = ?,
                    updated_time = ?, expires = ?, priority = ?, header = ?, content_hash = ?, position = ?,
                    analysis = ?, analyzer = ?, sensitivity = ?, valid_until = ? WHERE id = ?
                """,
            arguments: [
                cube.scope.agent, cube.type.rawValue, cube.state.rawValue, cube.version, cube.text,
                cube.speaker,
                cube.eventTime.timeIntervalSince1970, cube.updatedTime.timeIntervalSince1970,
                cube.expires?.timeIntervalSince1970, cube.priority, json.header, Data(contentHash),
                position,
                Data(analysis), analyzer, cube.sensitivity.rawValue,
                cube.validUntil?.timeIntervalSince1970,
                cube.id.description,
            ])
        // Embedding is the costly part: only another text, or another speaker, needs it again.
        if LifecycleRules.keepsVector(old, cube) {
            try Self.keepVector(of: cube, db)
        } else {
            try db.execute(
                sql: "INSERT OR IGNORE INTO pending (cube) SELECT seq FROM cube WHERE id = ?",
                arguments: [cube.id.description])
        }
        let keys = try Self.saveClaims(cube, change.ownerID, db)
        guard !keys.isEmpty else { return cube }
        change.claims.forget(cube.id, claiming: keys)
        return try settle(keys, change, db)[cube.id] ?? cube
    }

    /// Lets a quarantined cube into recall.
    private func release(_ id: CubeID, _ change: Change, _ db: Database) throws -> MemCube {
        _ = try require(id, for: .share, change, db)
        let cube = try require(id, for: .write, change, db)
        let released = try save(LifecycleRules.release(cube, by: change.caller), change, db)
        try settle(Self.claimedKeys(id, db), change, db)
        return try Self.current(id, change.ownerID, db) ?? released
    }

    /// Changes a cube's state, and what follows from its claims. A cube that is in the state
    /// already is returned as it is.
    private func transition(
        _ id: CubeID, to state: LifecycleState, _ operation: JournalEntry.Operation,
        _ change: Change, _ db: Database
    ) throws -> MemCube {
        let cube = try require(id, for: .write, change, db)
        guard
            let next = try LifecycleRules.transition(
                cube, to: state, as: operation, at: change.caller.time)
        else {
            return cube
        }
        let changed = try save(next, change, db)
        guard !cube.claims.isEmpty else { return changed }
        // What it had ended holds again, or does not any more.
        try settle(Self.claimedKeys(id, db), change, db)
        return try Self.current(id, change.ownerID, db) ?? changed
    }
}
