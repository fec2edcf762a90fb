import Foundation
public import MnemeStore
import NIOConcurrencyHelpers

/// Commits: requests in one transaction, each whole or not at all. `CommitPlanner` decides what is
/// written, ``PGCommitRows`` writes it.
extension PostgresMemoryStore {
    /// As `CubeStore` has it: one transaction, and in it a savepoint for each request where there are
    /// several. A rule that refuses a request takes back that one and its audit entries; any other error
    /// takes back all.
    public func commit(_ requests: [WriteRequest]) throws -> [Result<[MemCube], any Error>] {
        guard requests.count == 1, let request = requests.first else { return try commitTogether(requests) }
        do {
            return try lookingAhead(for: requests) { [.success(try commit(request, in: $0))] }
        } catch let refusal as Refusal {
            // The transaction is taken back. What has waited for the audit log goes on waiting.
            return [.failure(refusal.error)]
        }
    }

    /// A rule's refusal of a request that is alone in its transaction.
    private struct Refusal: Error {
        var error: any Error
    }

    /// Writes one request, which is alone in its transaction.
    ///
    /// - Throws: ``Refusal`` where a rule refuses it.
    private func commit(_ request: WriteRequest, in transaction: PGTransaction) throws -> [MemCube] {
        do {
            let rows = try PGCommitRows(of: request, in: self, transaction)
            return try CommitPlanner(request, rows: rows).commit()
        } catch  where error is StoreError || error is AccessError { throw Refusal(error: error) }
    }

    private func commitTogether(_ requests: [WriteRequest]) throws -> [Result<[MemCube], any Error>] {
        try lookingAhead(for: requests) { transaction in
            try requests.map { request -> Result<[MemCube], any Error> in
                let (chain, end) = (transaction.chain, transaction.journalEnd)
                try transaction.db.run("SAVEPOINT request")
                do {
                    let rows = try PGCommitRows(of: request, in: self, transaction)
                    let cubes = try CommitPlanner(request, rows: rows).commit()
                    try transaction.db.run("RELEASE SAVEPOINT request")
                    return .success(cubes)
                } catch  where error is StoreError || error is AccessError {
                    try transaction.db.run("ROLLBACK TO SAVEPOINT request")
                    try transaction.db.run("RELEASE SAVEPOINT request")
                    (transaction.chain, transaction.journalEnd) = (chain, end)
                    transaction.contents.forgetAll()
                    return .failure(error)
                }
            }
        }
    }

    /// Owners in one transaction whose contents are looked up ahead.
    private static let ownersAhead = 16

    /// A transaction in which it is known whether what is added is there already: that is asked for
    /// along with the lock, so that most additions ask nothing more.
    private func lookingAhead<T>(
        for requests: [WriteRequest], _ body: (PGTransaction) throws -> T
    ) throws -> T {
        var added: [Owner: [Data]] = [:]
        for request in requests {
            for case .add(_, _, let hash, _) in request.mutations {
                added[request.owner, default: []].append(Data(hash))
            }
        }
        // Owners that are known at this attempt, in the order of their statements.
        var asked: [(id: Int64, hashes: [Data])] = []
        return try audited {
            asked = []
            var statements: [(sql: String, arguments: PGArguments)] = []
            let known = ownerIDs.withLockedValue(\.self)
            for (owner, hashes) in added.prefix(Self.ownersAhead) {
                guard let id = known[owner] else { continue }
                statements += [Self.scope(of: owner, id), PGContents.query(hashes, of: id)]
                asked.append((id, hashes))
            }
            return statements
        } _: { transaction in
            for (number, (id, hashes)) in asked.enumerated() {
                try transaction.contents.note(hashes, of: id, found: transaction.ahead[2 * number + 1])
            }
            transaction.shown = asked.last?.id
            return try body(transaction)
        }
    }

    /// Makes a place for an owner's memories and returns its row.
    static func createOwner(_ owner: Owner, _ db: PGConnection) throws -> Int64 {
        guard
            let id = try db.number(
                "INSERT INTO owner (tenant, \"user\") VALUES (?, ?) RETURNING id",
                [owner.tenant, owner.user])
        else { throw PGFailure.connectionLost("an answer is missing") }
        return id
    }

    /// Columns of a cube with its owner and session names.
    static let cubeQuery = """
        SELECT cube.*, owner.tenant, owner."user", session.name AS session_name FROM cube
        JOIN owner ON owner.id = cube.owner LEFT JOIN session ON session.id = cube.session
        """

    /// An owner's cube as it is now; nil if it is another's or gone.
    static func current(_ id: CubeID, _ ownerID: Int64, _ db: PGConnection) throws -> MemCube? {
        try db.first(cubeQuery + " WHERE cube.id = ? AND cube.owner = ?", [id.description, ownerID])
            .map { try $0.cube() }
    }

    /// Erased ids stay taken: their journal entries are left, without texts. That somebody else has
    /// an id is told, as it is a random number that nobody guesses; other owners are in sight for
    /// this alone.
    static func availability(of id: CubeID, _ ownerID: Int64?, _ db: PGConnection) throws -> IDAvailability {
        try showAll(db)
        let row = try db.first(
            """
            SELECT (SELECT owner FROM cube WHERE id = ?) AS present,
                (SELECT owner FROM journal WHERE cube = ? LIMIT 1) AS past
            """, [id.description, id.description])
        try show(ownerID, db)
        if let owner = try row?.integer("present") { return owner == ownerID ? .here : .elsewhere }
        guard let past = try row?.integer("past") else { return .free }
        return past == ownerID ? .erased : .elsewhere
    }

    /// Needs the permission to write there: it is asked before an import.
    public func availability(of ids: [CubeID], owner: Owner, by caller: Caller) throws
        -> [IDAvailability]
    {
        try read { db in
            let ownerID = try ownerID(owner, db)
            _ = try visible(.write, of: owner, ownerID, caller, db)
            return try ids.map { try Self.availability(of: $0, ownerID, db) }
        }
    }

    /// A row that later requests find; it is noted like other changes.
    public func create(_ owner: Owner, by caller: Caller) throws -> Bool {
        try audited { transaction in
            let known = try ownerID(owner, transaction.db, isCommitted: false)
            _ = try visible(.write, of: owner, known, caller, transaction.db)
            guard known == nil else { return false }
            _ = try Self.createOwner(owner, transaction.db)
            try transaction.append(AuditEntry(caller, owner, default: "create"))
            return true
        }
    }
}
