import Crypto
import Foundation
import GRDB

extension SQLiteMemoryStore {
    public func commit(_ requests: [WriteRequest]) throws -> [Result<[MemCube], any Error>] {
        let results = try audited { db, chain in
            try requests.map { request -> Result<[MemCube], any Error> in
                var cubes: [MemCube] = []
                let before = chain
                do {
                    try db.inSavepoint {
                        cubes = try apply(request, &chain, db)
                        return .commit
                    }
                } catch  where error is StoreError || error is AccessError {
                    chain = before
                    return .failure(error)
                }
                return .success(cubes)
            }
        }
        if requests.contains(where: { $0.mutations.contains { if case .erase = $0 { true } else { false } } }) {
            try dropOldPages()
        }
        return results
    }

    private func apply(_ request: WriteRequest, _ chain: inout AuditLog.Chain, _ db: Database) throws -> [MemCube] {
        let caller = request.caller, owner = request.owner
        try Self.requireWhole(request.texts)
        var known = try Self.ownerID(owner, db), sights: [Permission: Visibility] = [:]
        for permission in request.mutations.reduce(into: Set(), { $0.formUnion($1.permissions) }) {
            sights[permission] = try visible(permission, of: owner, known, caller, db)
        }
        if known == nil { known = try Self.createOwner(owner, db) }
        let change = Change(owner: owner, ownerID: known!, caller: caller, sights: sights), ownerID = change.ownerID
        try checkQuota(request.mutations.count { $0.isAddition }, change, db)
        guard let key = request.idempotencyKey else { return try apply(request.mutations, change, &chain, db) }
        let hash = Self.requestHash(request.mutations)
        if let known = try Row.fetchOne(
            db, sql: "SELECT request, cubes FROM idempotency WHERE owner = ? AND key = ?", arguments: [ownerID, key])
        {
            guard known["request"] as Data == hash else {
                throw StoreError(
                    .conflict, "The idempotency key '\(key.prefix(80))' was used for another request. Use a new key.")
            }
            let cubes = try StoreCoding.decode([CubeID].self, known["cubes"]).compactMap {
                try Self.current($0, ownerID, db)
            }
            let seen = cubes.filter(change.reaches)
            // Nothing is changed, but handed out.
            try chain.append(AuditEntry(caller, owner, default: "commit", cubes: seen.map(\.id)), db)
            return seen
        }
        let cubes = try apply(request.mutations, change, &chain, db)
        try db.execute(
            sql: "INSERT INTO idempotency (owner, key, request, cubes, time) VALUES (?, ?, ?, ?, ?)",
            arguments: [ownerID, key, hash, try StoreCoding.encode(cubes.map(\.id)), caller.time.timeIntervalSince1970])
        return cubes
    }

    /// One request's way through the store.
    final class Change {
        let owner: Owner, ownerID: Int64, caller: Caller
        /// What the caller reaches, for each permission that the request needs.
        private let sights: [Permission: Visibility]
        /// Journal entries so far, and what they are called by together.
        private(set) var journal: ClosedRange<Int64>?
        private var digests = SHA256()

        init(owner: Owner, ownerID: Int64, caller: Caller, sights: [Permission: Visibility]) {
            self.owner = owner
            self.ownerID = ownerID
            self.caller = caller
            self.sights = sights
        }

        /// Notes a journal entry.
        func note(_ position: Int64, _ digest: Data) {
            journal = (journal?.lowerBound ?? position)...position
            AuditLog.add(position, digest, to: &digests)
        }

        /// Of all entries in order, as ``AuditLog/digest(_:_:_:)`` has it.
        var digest: Data { Data(digests.finalize()) }

        func sight(_ permission: Permission) -> Visibility { sights[permission]! }

        /// Whether what follows from the request may change a cube.
        func reaches(_ cube: MemCube) -> Bool { sights.values.contains { $0.contains(cube) } }
    }

    /// Applies a request's mutations and writes down that it was done.
    private func apply(_ mutations: [Mutation], _ change: Change, _ chain: inout AuditLog.Chain, _ db: Database) throws
        -> [MemCube]
    {
        let cubes = try mutations.compactMap { try apply($0, change, db) }
        let erased = mutations.compactMap { mutation -> CubeID? in if case .erase(let id) = mutation { id } else { nil }
        }
        var entry = AuditEntry(change.caller, change.owner, default: "commit", cubes: cubes.map(\.id) + erased)
        if let journal = change.journal {
            (entry.journalFirst, entry.journalLast, entry.digest) = (
                journal.lowerBound, journal.upperBound, change.digest
            )
        }
        try chain.append(entry, db)
        return cubes
    }

    private func checkQuota(_ added: Int, _ change: Change, _ db: Database) throws {
        guard added > 0, let quota = change.caller.principal.quota else { return }
        let count = try Int.fetchOne(
            db.cachedStatement(sql: "SELECT count(*) FROM (SELECT 1 FROM cube WHERE owner = ? LIMIT ?)"),
            arguments: [change.ownerID, quota + 1])
        guard (count ?? 0) + added <= quota else {
            throw StoreError(
                .quotaReached,
                "'\(change.caller.principal.name)' may keep \(quota) memories of user '\(change.owner.user)'. Erase some, or ask for a higher quota."
            )
        }
    }

    /// Empties the write-ahead log: it holds pages as they were before an erasure.
    ///
    /// - Throws: ``StoreError`` if another process keeps reading an old state for two seconds.
    func dropOldPages() throws {
        for attempt in 1...40 {
            let busy = try writeWithoutTransaction {
                try Bool.fetchOne($0, sql: "PRAGMA wal_checkpoint(TRUNCATE)") ?? true
            }
            if !busy { return }
            if attempt < 40 { Thread.sleep(forTimeInterval: 0.05) }
        }
        throw StoreError(
            .busy,
            "The memory is erased, but another process still reads an older state of the file, so that old pages remain in its log. Repeat `mneme doctor --repair` when it has ended."
        )
    }

    /// Identifies a request by what its caller chose, not by ids, times and links made for it.
    private static func requestHash(_ mutations: [Mutation]) -> Data {
        var hash = SHA256()
        for mutation in mutations {
            switch mutation {
            case .add(_, _, let content, _): hash.update(data: Data("add".utf8) + content)
            case .adopt(let cube, _, _, let content): hash.update(data: Data("adopt\(cube.id)".utf8) + content)
            case .update(let cube, _, let content): hash.update(data: Data("update\(cube.id)".utf8) + content)
            case .archive(let id): hash.update(data: Data("archive\(id)".utf8))
            case .restore(let id): hash.update(data: Data("restore\(id)".utf8))
            case .rollback(let cube, _, let content): hash.update(data: Data("rollback\(cube.id)".utf8) + content)
            case .merge(let id, let other): hash.update(data: Data("merge\(id)\(other)".utf8))
            case .freeze(let id): hash.update(data: Data("freeze\(id)".utf8))
            case .quarantine(let id): hash.update(data: Data("quarantine\(id)".utf8))
            case .release(let id): hash.update(data: Data("release\(id)".utf8))
            case .invalidate(let id, _): hash.update(data: Data("invalidate\(id)".utf8))
            case .confirm(let id): hash.update(data: Data("confirm\(id)".utf8))
            case .move(let id, let tier, let topic):
                hash.update(data: Data("move\(id)\(tier.rawValue)\(topic?.description ?? "")".utf8))
            case .erase(let id): hash.update(data: Data("erase\(id)".utf8))
            case .link(let link): hash.update(data: Data("link\(link.source)\(link.target)\(link.kind)".utf8))
            case .unlink(let link): hash.update(data: Data("unlink\(link.source)\(link.target)\(link.kind)".utf8))
            }
        }
        return Data(hash.finalize())
    }

    static func createOwner(_ owner: Owner, _ db: Database) throws -> Int64 {
        try db.execute(sql: "INSERT INTO owner (tenant, user) VALUES (?, ?)", arguments: [owner.tenant, owner.user])
        return db.lastInsertedRowID
    }

    static func current(_ id: CubeID, _ ownerID: Int64, _ db: Database) throws -> MemCube? {
        try Row.fetchOne(
            db.cachedStatement(sql: cubeQuery + " WHERE cube.id = ? AND cube.owner = ?"),
            arguments: [id.description, ownerID]
        ).map(cube)
    }

    /// A cube in sight.
    func require(_ id: CubeID, _ ownerID: Int64, _ sight: Visibility, _ db: Database) throws -> MemCube {
        guard let cube = try Self.current(id, ownerID, db), sight.contains(cube) else {
            throw StoreError(
                .notFound, "There is no memory \(id) in this scope\(sight.isWhole ? "" : ", or it may not be changed")."
            )
        }
        return cube
    }

    private func require(_ id: CubeID, for permission: Permission, _ change: Change, _ db: Database) throws -> MemCube {
        if permission == .write { _ = try require(id, change.ownerID, change.sight(.read), db) }
        return try require(id, change.ownerID, change.sight(permission), db)
    }

    /// A cube that is not kept as it is.
    private func requireChangeable(_ id: CubeID, _ change: Change, _ db: Database) throws -> MemCube {
        let cube = try require(id, for: .write, change, db)
        guard cube.state != .erased, cube.state != .frozen else {
            throw StoreError(
                .conflict, "Memory \(id) is \(cube.state.rawValue) and cannot be changed. Restore it first.")
        }
        guard cube.state != .quarantined else {
            throw StoreError(.conflict, "Memory \(id) is held, as it reads like an instruction. Release or erase it.")
        }
        return cube
    }

    /// A memory goes only as far as its writer sees, and an agent writes its own.
    func confine(_ cube: inout MemCube, _ change: Change, isNew: Bool) throws {
        let sight = change.sight(.write), name = change.caller.principal.name
        // What was taken out of a text goes up, out of its writer's sight.
        if isNew, cube.state == .archived, cube.provenance.source == Provenance.redaction { return }
        // One of several that were shared one by one may be changed, but nothing added beside it.
        if !isNew, sight.also.contains(cube.id) { return }
        guard let ceiling = [sight.ceiling, sight.agentCeiling].compactMap(\.self).max() else {
            throw refusal("'\(name)' may change single memories here, not add any.", change.owner, change.caller)
        }
        guard cube.sensitivity <= ceiling else {
            throw refusal(
                "'\(name)' sees memories up to '\(ceiling.name)' here and cannot write a '\(cube.sensitivity.name)' one.",
                change.owner, change.caller)
        }
        guard let agent = sight.agent, sight.agentCeiling != nil else { return }
        if isNew { cube.scope.agent = cube.scope.agent ?? agent }
        guard sight.contains(cube) else {
            throw refusal("'\(name)' writes memories of the agent '\(agent)' only.", change.owner, change.caller)
        }
    }

    private func apply(_ mutation: Mutation, _ change: Change, _ db: Database) throws -> MemCube? {
        let owner = change.owner, ownerID = change.ownerID
        switch mutation {
        case .add(var cube, let analysis, let contentHash, let links):
            try confine(&cube, change, isNew: true)
            if let known = try String.fetchOne(
                db.cachedStatement(
                    sql:
                        "SELECT id FROM cube WHERE owner = ? AND content_hash = ? AND state NOT IN ('archived', 'merged') LIMIT 1"
                ),
                arguments: [ownerID, Data(contentHash)])
            {
                // That there is one out of sight must not show.
                let cube = try Self.current(CubeID(stored: known), ownerID, db)
                if let cube, change.sight(.write).contains(cube) { return cube }
            }
            cube.scope.tenant = owner.tenant
            cube.scope.user = owner.user
            let json = CubeJSON(cube)
            let position = try Self.append(.add, cube.id, version: cube.version, payload: json.payload, change, db)
            try insert(cube, json, analysis, contentHash, position, change, db)
            // To what is in sight; and to what was taken out of it, which is not.
            for link in links
            where try Self.current(link.target, ownerID, db).map({
                change.sight(.write).contains($0)
                    || (link.kind == CubeLink.derivedFrom && $0.provenance.source == Provenance.redaction)
            }) ?? false {
                try Self.add(link, change, db)
            }
            guard !cube.claims.isEmpty else { return cube }
            try settle(Self.saveClaims(cube, ownerID, db), change, db)
            return try Self.current(cube.id, ownerID, db)

        case .adopt(let cube, let history, let analysis, let contentHash):
            return try adopt(cube, history, analysis, contentHash, change, db)
        case .update(let cube, let analysis, let contentHash):
            return try replace(cube, analysis, contentHash, .update, change, db)
        case .rollback(let cube, let analysis, let contentHash):
            return try replace(cube, analysis, contentHash, .rollback, change, db)
        case .archive(let id): return try transition(id, to: .archived, .archive, change, db)
        case .restore(let id): return try transition(id, to: .activated, .restore, change, db)
        case .quarantine(let id): return try transition(id, to: .quarantined, .quarantine, change, db)
        case .release(let id): return try release(id, change, db)
        case .freeze(let id): return try transition(id, to: .frozen, .freeze, change, db)
        case .merge(let id, let other):
            _ = try require(other, for: .write, change, db)
            guard id != other else { throw StoreError(.conflict, "A memory cannot take its own place.") }
            return try transition(id, to: .merged, .merge, change, db)
        case .invalidate(let id, let date):
            return try setValidity(of: requireChangeable(id, change, db), until: date, .invalidate, change, db)
        case .confirm(let id):
            return try amend(id, .confirm, change, db) { $0.confirmations = min($0.confirmations ?? 0, .max - 1) + 1 }
        case .move(let id, let tier, let topic):
            return try amend(id, .move, change, db) { ($0.tier, $0.topic) = (tier, topic) }

        case .erase(let id):
            var cube = try require(id, for: .erase, change, db)
            cube.version += 1
            _ = try Self.record(.erase, cube, change, db)
            // The journal keeps that it happened, never what was said.
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
                sql: "DELETE FROM link WHERE source = ? OR target = ?", arguments: [id.description, id.description])
            try db.execute(sql: "DELETE FROM access_grant WHERE cube = ?", arguments: [id.description])
            try db.execute(sql: "DELETE FROM cube WHERE id = ?", arguments: [id.description])
            for target in ended {
                if let former = try Self.current(CubeID(stored: target), ownerID, db) {
                    _ = try setValidity(of: former, until: nil, .reinstate, change, db)
                }
            }
            try settle(keys, change, db)
            return nil

        case .link(let link):
            _ = try require(link.source, for: .write, change, db)
            _ = try require(link.target, for: .write, change, db)
            guard link.source != link.target else {
                throw StoreError(.conflict, "A memory cannot be linked to itself.")
            }
            try Self.add(link, change, db)
            return nil

        case .unlink(let link):
            _ = try require(link.source, for: .write, change, db)
            try db.execute(
                sql: "DELETE FROM link WHERE owner = ? AND source = ? AND target = ? AND kind = ?",
                arguments: [ownerID, link.source.description, link.target.description, link.kind])
            guard db.changesCount > 0 else {
                throw StoreError(.notFound, "There is no '\(link.kind)' link from \(link.source) to \(link.target).")
            }
            try Self.record(.unlink, link, change, db)
            return nil
        }
    }

    /// Puts a new cube into the state.
    func insert(
        _ cube: MemCube, _ json: CubeJSON, _ analysis: [UInt8], _ contentHash: [UInt8], _ position: Int64,
        _ change: Change, _ db: Database
    ) throws {
        let ownerID = change.ownerID
        var session: Int64?, place: Int64 = 0
        if let name = cube.scope.session {
            let row = try Row.fetchOne(
                db.cachedStatement(
                    sql: """
                        INSERT INTO session (owner, name, next_place) VALUES (?, ?, 1)
                        ON CONFLICT (owner, name) DO UPDATE SET next_place = next_place + 1 RETURNING id, next_place - 1
                        """), arguments: [ownerID, name])!
            (session, place) = (try row.read(0), try row.read(1))
        }
        try db.cachedStatement(
            sql: """
                INSERT INTO cube (id, owner, session, place, agent, type, state, version, text, speaker, event_time, recorded_time,
                    updated_time, expires, priority, header, content_hash, position, analysis, analyzer, activation,
                    sensitivity, valid_until)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            cube.id.description, ownerID, session, place, cube.scope.agent, cube.type.rawValue, cube.state.rawValue,
            cube.version,
            cube.text, cube.speaker, cube.eventTime.timeIntervalSince1970, cube.recordedTime.timeIntervalSince1970,
            cube.updatedTime.timeIntervalSince1970, cube.expires?.timeIntervalSince1970, cube.priority,
            json.header, Data(contentHash), position, Data(analysis), analyzer, cube.activation?.block,
            cube.sensitivity.rawValue,
            cube.validUntil?.timeIntervalSince1970,
        ])
        if cube.isPlaintext {
            try db.cachedStatement(sql: "INSERT INTO pending (cube) VALUES (?)").execute(arguments: [
                db.lastInsertedRowID
            ])
        }
    }

    /// Makes a cube's next version.
    private func replace(
        _ cube: MemCube, _ analysis: [UInt8], _ contentHash: [UInt8], _ operation: JournalEntry.Operation,
        _ change: Change, _ db: Database
    ) throws -> MemCube {
        var cube = cube
        let owner = change.owner, caller = change.caller
        let old = try requireChangeable(cube.id, change, db)
        try confine(&cube, change, isNew: false)
        guard old.isPlaintext && cube.isPlaintext || old.payload == cube.payload else {
            throw StoreError(
                .conflict,
                "Memory \(cube.id) stands for computed keys and values; its text cannot be changed. Compute and keep others."
            )
        }
        guard cube.version == old.version else {
            throw StoreError(
                .conflict,
                "Memory \(cube.id) was changed meanwhile, to version \(old.version). Read it again and repeat the change."
            )
        }
        cube.version = old.version + 1
        cube.recordedTime = old.recordedTime
        cube.updatedTime = caller.time
        cube.scope.tenant = owner.tenant
        cube.scope.user = owner.user
        cube.scope.session = old.scope.session
        if operation == .rollback {
            // The way there is another's matter: what may not be, stays as it is.
            if cube.state != old.state, !old.state.canBecome(cube.state) { cube.state = old.state }
        } else {
            let isHeld = cube.state == .quarantined && old.state.canBecome(.quarantined)
            (cube.state, cube.validUntil, cube.confirmations) = (
                isHeld ? .quarantined : old.state, old.validUntil, old.confirmations
            )
        }
        // A word for one text is none for another.
        cube.vouchedBy = old.text == cube.text ? old.vouchedBy : nil
        let json = CubeJSON(cube)
        let position = try Self.append(operation, cube.id, version: cube.version, payload: json.payload, change, db)
        try db.execute(
            sql: """
                UPDATE cube SET agent = ?, type = ?, state = ?, version = ?, text = ?, speaker = ?, event_time = ?, updated_time = ?,
                    expires = ?, priority = ?, header = ?, content_hash = ?, position = ?, analysis = ?, analyzer = ?, sensitivity = ?,
                    valid_until = ? WHERE id = ?
                """,
            arguments: [
                cube.scope.agent, cube.type.rawValue, cube.state.rawValue, cube.version, cube.text, cube.speaker,
                cube.eventTime.timeIntervalSince1970, cube.updatedTime.timeIntervalSince1970,
                cube.expires?.timeIntervalSince1970,
                cube.priority, json.header, Data(contentHash), position, Data(analysis), analyzer,
                cube.sensitivity.rawValue,
                cube.validUntil?.timeIntervalSince1970, cube.id.description,
            ])
        if old.text != cube.text || old.speaker != cube.speaker {
            try db.execute(
                sql: "INSERT OR IGNORE INTO pending (cube) SELECT seq FROM cube WHERE id = ?",
                arguments: [cube.id.description])
        } else {
            try Self.keepVector(of: cube, db)
        }
        let keys = try Self.saveClaims(cube, change.ownerID, db)
        guard !keys.isEmpty else { return cube }
        try settle(keys, change, db)
        return try require(cube.id, for: .write, change, db)
    }

    /// The vector of a cube whose text is the same serves its new version.
    static func keepVector(of cube: MemCube, _ db: Database) throws {
        try db.cachedStatement(sql: "UPDATE vector SET version = ? WHERE cube = (SELECT seq FROM cube WHERE id = ?)")
            .execute(arguments: [
                cube.version, cube.id.description,
            ])
    }

    /// Changes what is in a cube's header and is none of its content.
    private func amend(
        _ id: CubeID, _ operation: JournalEntry.Operation, _ change: Change, _ db: Database,
        _ body: (inout MemCube) -> Void
    ) throws -> MemCube {
        var cube = try requireChangeable(id, change, db)
        body(&cube)
        cube.version += 1
        cube.updatedTime = change.caller.time
        let json = CubeJSON(cube),
            position = try Self.append(operation, id, version: cube.version, payload: json.payload, change, db)
        try db.execute(
            sql: "UPDATE cube SET header = ?, version = ?, updated_time = ?, position = ? WHERE id = ?",
            arguments: [json.header, cube.version, cube.updatedTime.timeIntervalSince1970, position, id.description])
        try Self.keepVector(of: cube, db)
        return cube
    }

    /// Lets a quarantined cube into recall.
    private func release(_ id: CubeID, _ change: Change, _ db: Database) throws -> MemCube {
        _ = try require(id, for: .share, change, db)
        var cube = try require(id, for: .write, change, db)
        guard cube.state == .quarantined else {
            throw StoreError(.conflict, "Memory \(id) is \(cube.state.rawValue), not held.")
        }
        cube.state = .activated
        cube.vouchedBy = change.caller.principal.name
        cube.version += 1
        cube.updatedTime = change.caller.time
        let json = CubeJSON(cube),
            position = try Self.append(.release, id, version: cube.version, payload: json.payload, change, db)
        try db.execute(
            sql: "UPDATE cube SET state = ?, header = ?, version = ?, updated_time = ?, position = ? WHERE id = ?",
            arguments: [
                cube.state.rawValue, json.header, cube.version, cube.updatedTime.timeIntervalSince1970, position,
                id.description,
            ])
        try Self.keepVector(of: cube, db)
        try settle(Self.claimedKeys(id, db), change, db)
        return try Self.current(id, change.ownerID, db) ?? cube
    }

    private func transition(
        _ id: CubeID, to state: LifecycleState, _ operation: JournalEntry.Operation, _ change: Change, _ db: Database
    ) throws -> MemCube {
        var cube = try require(id, for: .write, change, db)
        guard cube.state != state else { return cube }
        guard cube.state != .quarantined else {
            throw StoreError(.conflict, "Memory \(id) is held, as it reads like an instruction. Release or erase it.")
        }
        guard cube.state.canBecome(state) else {
            throw StoreError(.conflict, "Memory \(id) is \(cube.state.rawValue) and cannot become \(state.rawValue).")
        }
        cube.state = state
        cube.version += 1
        cube.updatedTime = change.caller.time
        let position = try Self.record(operation, cube, change, db)
        try db.execute(
            sql: "UPDATE cube SET state = ?, version = ?, updated_time = ?, position = ? WHERE id = ?",
            arguments: [state.rawValue, cube.version, cube.updatedTime.timeIntervalSince1970, position, id.description])
        try Self.keepVector(of: cube, db)
        guard !cube.claims.isEmpty else { return cube }
        // What it had ended holds again, or does not any more.
        try settle(Self.claimedKeys(id, db), change, db)
        return try Self.current(id, change.ownerID, db) ?? cube
    }

    static func add(_ link: CubeLink, _ change: Change, _ db: Database) throws {
        try db.execute(
            sql: "INSERT OR REPLACE INTO link (owner, source, target, kind, time) VALUES (?, ?, ?, ?, ?)",
            arguments: [
                change.ownerID, link.source.description, link.target.description, link.kind,
                link.time.timeIntervalSince1970,
            ])
        try record(.link, link, change, db)
    }

    /// Appends to the journal and returns the position.
    static func record(
        _ operation: JournalEntry.Operation, _ cube: MemCube, _ change: Change, _ db: Database
    ) throws -> Int64 {
        try append(operation, cube.id, version: cube.version, payload: CubeJSON(cube).payload, change, db)
    }

    static func record(
        _ operation: JournalEntry.Operation, _ link: CubeLink, _ change: Change, _ db: Database
    ) throws {
        _ = try append(
            operation, link.source, version: 0, payload: try StoreCoding.encode(link), target: link.target, change, db)
    }

    static func append(
        _ operation: JournalEntry.Operation, _ cube: CubeID, version: Int, payload: String, target: CubeID? = nil,
        time past: Date? = nil,
        principal: String? = nil, reason: String? = nil, _ change: Change, _ db: Database
    ) throws -> Int64 {
        let caller = change.caller, salt = SymmetricKey(size: .bits128).withUnsafeBytes { Data($0) }
        let time = (past ?? caller.time).timeIntervalSince1970, principal = principal ?? caller.principal.name,
            reason = past == nil ? caller.reason : reason
        let digest = AuditLog.journalDigest(
            salt: salt, time: time, operation: operation.rawValue, cube: cube.description, version: version,
            principal: principal, reason: reason,
            payload: payload)
        try db.cachedStatement(
            sql: """
                INSERT INTO journal (owner, time, operation, cube, version, principal, reason, payload, salt, digest, target)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            change.ownerID, time, operation.rawValue, cube.description, version, principal, reason, payload, salt,
            digest,
            target?.description,
        ])
        change.note(db.lastInsertedRowID, digest)
        return db.lastInsertedRowID
    }

    // MARK: Derived data

    public func recordUse(_ uses: [CubeID: Usage], owner: Owner) throws {
        try write { db in
            guard let ownerID = try Self.ownerID(owner, db) else { return }
            for (id, use) in uses {
                try db.cachedStatement(
                    sql:
                        "UPDATE cube SET uses = uses + ?, last_used = max(coalesce(last_used, 0), ?) WHERE id = ? AND owner = ?"
                )
                .execute(arguments: [use.count, use.last.timeIntervalSince1970, id.description, ownerID])
            }
        }
    }

    public func saveAnalyses(_ analyses: [(CubeID, [UInt8])], owner: Owner) throws {
        try write { db in
            guard let ownerID = try Self.ownerID(owner, db) else { return }
            for (id, analysis) in analyses {
                try db.cachedStatement(sql: "UPDATE cube SET analysis = ?, analyzer = ? WHERE id = ? AND owner = ?")
                    .execute(arguments: [Data(analysis), analyzer, id.description, ownerID])
            }
        }
    }

    public func saveVectors(_ vectors: [(id: CubeID, version: Int, vector: [Float])], embedder: String) throws {
        try write { db in
            for (id, version, vector) in vectors {
                guard
                    let seq = try Int64.fetchOne(
                        db.cachedStatement(sql: "SELECT seq FROM cube WHERE id = ? AND version = ?"),
                        arguments: [id.description, version])
                else { continue }
                try db.cachedStatement(sql: "UPDATE counter SET value = value + 1 WHERE name = 'vector'").execute()
                try db.cachedStatement(
                    sql: """
                        INSERT OR REPLACE INTO vector (cube, embedder, version, position, data)
                        VALUES (?, ?, ?, (SELECT value FROM counter WHERE name = 'vector'), ?)
                        """
                ).execute(arguments: [seq, embedder, version, vector.withUnsafeBytes { Data($0) }])
                try db.cachedStatement(sql: "DELETE FROM pending WHERE cube = ?").execute(arguments: [seq])
            }
        }
    }
}
