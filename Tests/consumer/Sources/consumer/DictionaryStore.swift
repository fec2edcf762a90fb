import Foundation
import Mneme

/// What a store of one's own has to write of a commit: rows, here in dictionaries, of one owner.
/// Everything else, from access to which memory ends which, ``CommitPlanner`` decides.
final class DictionaryRows: CommitRows {
    let owner: Owner, caller: Caller
    /// All rows: a value, so that a refused request is taken back by putting the old one in place.
    var state: State

    /// Rows, and what was written down of them.
    struct State {
        var cubes: [CubeID: CubeRow] = [:]
        /// Cubes in the order in which they came.
        var order: [CubeID] = []
        var links: [CubeLink] = []
        var grants: [Grant] = []
        var journal: [JournalRow] = []
        var audit: [AuditEntry] = []
        var answers: [String: (request: Data, cubes: [CubeID])] = [:]
    }

    /// The rows for one request.
    init(of request: WriteRequest, _ state: State) {
        (owner, caller, self.state) = (request.owner, request.caller, state)
    }

    // MARK: Read

    func visibility(for permission: Permission) throws -> Visibility {
        let principal = caller.principal
        return try noting {
            try AccessRules.visibility(
                of: owner, for: permission, principal,
                grants: { state.grants },
                cleared: { ids in
                    ids.filter { (state.cubes[$0]?.cube.sensitivity ?? .restricted) <= principal.clearance }
                })
        }
    }
    func cube(_ id: CubeID) -> MemCube? { state.cubes[id]?.cube }
    func cube(withContent hash: [UInt8], session: String?) -> CubeID? {
        state.cubes.values.first {
            $0.contentHash == hash && ![.archived, .merged].contains($0.cube.state)
        }?.cube.id
    }
    func count(limit: Int) -> Int { min(limit, state.cubes.count) }
    func availability(of id: CubeID) -> IDAvailability {
        state.cubes[id] != nil ? .here : state.journal.contains { $0.cube == id } ? .erased : .free
    }
    func claimedKeys(of id: CubeID) -> Set<String> { Set(cube(id)?.claims.map(\.key) ?? []) }
    func claimants(of key: String) -> [Claimant] {
        state.order.compactMap { cube($0) }.filter(\.state.isRecallable)
            .sorted { $0.eventTime < $1.eventTime }
            .compactMap { cube in
                guard let claim = cube.claims.last(where: { $0.key == key }) else { return nil }
                let ends = state.links.filter {
                    $0.target == cube.id && $0.kind == CubeLink.supersedes
                }
                let holder = ClaimHolder(
                    id: cube.id, seconds: cube.eventTime.timeIntervalSince1970,
                    validUntil: cube.validUntil, sensitivity: cube.sensitivity,
                    agent: cube.scope.agent, isFrozen: cube.state == .frozen, claims: cube.claims,
                    formers: Set(ends.map(\.source)))
                return Claimant(holder, claim)
            }.suffix(ClaimRules.compared)
    }
    func targets(of id: CubeID, kind: String) -> [CubeID] {
        state.links.filter { $0.source == id && $0.kind == kind }.map(\.target)
    }
    func answer(to key: String) -> (request: Data, cubes: [CubeID])? { state.answers[key] }

    // MARK: Write

    func createOwner() {}
    func append(_ row: JournalRow) -> Int64 {
        state.journal.append(row)
        return Int64(state.journal.count)
    }
    func insert(_ row: CubeRow) {
        state.cubes[row.cube.id] = row
        state.order.append(row.cube.id)
    }
    func replace(by row: CubeRow, keepsVector: Bool) { state.cubes[row.cube.id] = row }
    func update(_ cube: MemCube, header: String, position: Int64) {
        state.cubes[cube.id]?.cube = cube
        state.cubes[cube.id]?.position = position
    }
    // Claims are read from the cubes.
    func replaceClaims(of cube: MemCube) {}
    func insert(_ link: CubeLink) {
        _ = remove(link)
        state.links.append(link)
    }
    func remove(_ link: CubeLink) -> Bool {
        let before = state.links.count
        state.links.removeAll {
            ($0.source, $0.target, $0.kind) == (link.source, link.target, link.kind)
        }
        return state.links.count < before
    }
    func erase(_ id: CubeID) {
        for i in state.journal.indices where state.journal[i].cube == id || state.journal[i].target == id {
            state.journal[i].payload = ""
            state.journal[i].salt = Data()
        }
        state.links.removeAll { $0.source == id || $0.target == id }
        state.grants.removeAll { $0.cube == id }
        state.cubes[id] = nil
        state.order.removeAll { $0 == id }
    }
    func keepAnswer(to key: String, request: Data, cubes: [CubeID], time: Date) {
        state.answers[key] = (request, cubes)
    }
    func append(_ entry: AuditEntry) throws {
        var end = AuditChain(
            position: state.audit.last?.position ?? 0, hash: state.audit.last?.hash ?? Data())
        state.audit.append(try end.append(entry))
    }
    func noting<T>(_ rule: () throws -> T) throws -> T { try rule() }
}

/// A store in memory that takes commits.
struct DictionaryStore {
    private(set) var state = DictionaryRows.State()

    /// Applies a request whole or not at all; what is refused is in the audit log.
    mutating func commit(_ request: WriteRequest) throws -> [MemCube] {
        let rows = DictionaryRows(of: request, state)
        do {
            let cubes = try CommitPlanner(request, rows: rows).commit()
            state = rows.state
            return cubes
        } catch let error as AccessError {
            let refused = DictionaryRows(of: request, state)
            var entry = AuditEntry(request.caller, request.owner, default: "commit", outcome: .refused)
            entry.detail = error.message
            try refused.append(entry)
            state = refused.state
            throw error
        }
    }

    /// Writes where somebody lives, twice, and has a stranger refused.
    ///
    /// - Returns: what became of it, in a line.
    static func trial() throws -> String {
        var store = DictionaryStore()
        let owner = Owner(user: "ana")
        func lives(in city: String, at seconds: Double) -> WriteRequest {
            var cube = MemCube(
                scope: Scope(user: "ana"), type: .semantic, text: "Lives in \(city)",
                eventTime: Date(timeIntervalSince1970: seconds),
                recordedTime: Date(timeIntervalSince1970: 100), provenance: Provenance(source: "message"))
            cube.claims = [Claim(subject: "ana", attribute: "residence", value: city)]
            return WriteRequest(
                [.add(cube, analysis: [], contentHash: Array(cube.text.utf8))], owner: owner,
                by: .local, idempotencyKey: city)
        }
        let porto = try store.commit(lives(in: "Porto", at: 1))
        let lisbon = try store.commit(lives(in: "Lisbon", at: 2))
        _ = try store.commit(lives(in: "Lisbon", at: 2))
        let ended = store.state.cubes[porto[0].id]?.cube.validUntil == lisbon[0].eventTime
        let stranger = Caller(Principal(name: "tom", permissions: [.write], user: "tom"))
        var refused = false
        do {
            _ = try store.commit(WriteRequest([.archive(lisbon[0].id)], owner: owner, by: stranger))
        } catch is AccessError { refused = true }
        _ = try store.commit(WriteRequest([.erase(lisbon[0].id)], owner: owner, by: .local))
        let holds = store.state.cubes[porto[0].id]?.cube.validUntil == nil
        let chained = zip(store.state.audit.dropFirst(), store.state.audit).allSatisfy {
            $0.chained(to: $1.hash) == $0.hash
        }
        return "cubes \(store.state.cubes.count), ended \(ended), refused \(refused), holds again \(holds), "
            + "audit \(store.state.audit.count) chained \(chained)"
    }
}
