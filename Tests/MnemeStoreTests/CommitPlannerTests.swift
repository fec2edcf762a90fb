import Foundation
import MnemeStore
import Testing

/// Commits over rows that are kept in memory: nothing of a commit is left for a backend to decide.
@Suite struct CommitPlannerTests {
    private let owner = Owner(tenant: "t", user: "alice")

    /// An owner's rows in dictionaries, and the calls that wrote them.
    private final class MemoryRows: CommitRows {
        var cubes: [CubeID: (row: CubeRow, number: Int)] = [:]
        var links: [CubeLink] = []
        var journal: [JournalRow] = []
        var audit: [AuditEntry] = []
        var answers: [String: (request: Data, cubes: [CubeID])] = [:]
        var waiting: Set<CubeID> = []
        var isThere = false

        func visibility(for permission: Permission) -> Visibility { .all }
        func cube(_ id: CubeID) -> MemCube? { cubes[id]?.row.cube }
        func cube(withContent hash: [UInt8], session: String?) -> CubeID? {
            cubes.values.first {
                $0.row.contentHash == hash && ![.archived, .merged].contains($0.row.cube.state)
            }?.row.cube.id
        }
        func count(limit: Int) -> Int { min(limit, cubes.count) }
        func availability(of id: CubeID) -> IDAvailability {
            cubes[id] != nil ? .here : journal.contains { $0.cube == id } ? .erased : .free
        }
        func claimedKeys(of id: CubeID) -> Set<String> {
            Set(cubes[id]?.row.cube.claims.map(\.key) ?? [])
        }
        func claimants(of key: String) -> [Claimant] {
            cubes.values.filter { $0.row.cube.state.isRecallable }.sorted {
                ($0.row.cube.eventTime, $0.number) < ($1.row.cube.eventTime, $1.number)
            }.compactMap { row in
                let cube = row.row.cube
                guard let claim = cube.claims.last(where: { $0.key == key }) else { return nil }
                let formers = links.filter {
                    $0.target == cube.id && $0.kind == CubeLink.supersedes
                }
                return Claimant(
                    ClaimHolder(
                        id: cube.id, seconds: cube.eventTime.timeIntervalSince1970,
                        validUntil: cube.validUntil, sensitivity: cube.sensitivity,
                        agent: cube.scope.agent, isFrozen: cube.state == .frozen,
                        claims: cube.claims, formers: Set(formers.map(\.source))), claim)
            }.suffix(ClaimRules.compared)
        }
        func targets(of id: CubeID, kind: String) -> [CubeID] {
            links.filter { $0.source == id && $0.kind == kind }.map(\.target)
        }
        func answer(to key: String) -> (request: Data, cubes: [CubeID])? { answers[key] }

        func createOwner() { isThere = true }
        func append(_ row: JournalRow) -> Int64 {
            journal.append(row)
            return Int64(journal.count)
        }
        func insert(_ row: CubeRow) {
            cubes[row.cube.id] = (row, journal.count)
            if row.cube.isPlaintext { waiting.insert(row.cube.id) }
        }
        func replace(by row: CubeRow, keepsVector: Bool) {
            cubes[row.cube.id]!.row = row
            if !keepsVector { waiting.insert(row.cube.id) }
        }
        func update(_ cube: MemCube, header: String, position: Int64) {
            cubes[cube.id]!.row.cube = cube
        }
        func replaceClaims(of cube: MemCube) {}
        func insert(_ link: CubeLink) {
            _ = remove(link)
            links.append(link)
        }
        func remove(_ link: CubeLink) -> Bool {
            let count = links.count
            links.removeAll {
                $0.source == link.source && $0.target == link.target && $0.kind == link.kind
            }
            return links.count < count
        }
        func erase(_ id: CubeID) {
            for i in journal.indices where journal[i].cube == id || journal[i].target == id {
                journal[i].payload = ""
                journal[i].salt = Data()
            }
            links.removeAll { $0.source == id || $0.target == id }
            cubes[id] = nil
            waiting.remove(id)
        }
        func keepAnswer(to key: String, request: Data, cubes: [CubeID], time: Date) {
            answers[key] = (request, cubes)
        }
        func append(_ entry: AuditEntry) { audit.append(entry) }
        func noting<T>(_ rule: () throws -> T) throws -> T { try rule() }
    }

    /// A cube that says in which city somebody lives.
    private func cube(_ city: String, at seconds: Double) -> MemCube {
        var cube = MemCube(
            scope: Scope(tenant: "t", user: "alice"), type: .semantic, text: "Lives in \(city)",
            eventTime: Date(timeIntervalSince1970: seconds),
            recordedTime: Date(timeIntervalSince1970: 1), provenance: Provenance(source: "test"))
        cube.claims = [
            Claim(subject: "alice", attribute: "residence", value: city, isDenied: false)
        ]
        return cube
    }

    private func request(
        _ mutations: [Mutation], at seconds: Double = 100, key: String? = nil
    ) -> WriteRequest {
        WriteRequest(
            mutations, owner: owner,
            by: Caller(.local, time: Date(timeIntervalSince1970: seconds)), idempotencyKey: key)
    }

    private func add(_ cube: MemCube, links: [CubeLink] = []) -> Mutation {
        .add(
            cube, analysis: [1, 0, 0, 0, 1], contentHash: Array(cube.text.utf8), links: links)
    }

    @Test func `a commit makes the same cubes, edges and journal over any rows`() throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteMemoryStore(path: folder.path + "/rows.db", analyzer: "a")
        let rows = MemoryRows()
        let cities = ["Oslo", "Rome", "Bonn", "Lima", "Cork", "Pisa"]
        let cubes = cities.enumerated().map { cube($1, at: Double(($0 * 7) % 6) * 10) }
        let note = CubeLink(
            source: cubes[0].id, target: cubes[1].id, kind: "notes",
            time: Date(timeIntervalSince1970: 5))
        var changed = cubes[2]
        changed.text = "Lives in Bonn, by the river"
        let requests: [[Mutation]] =
            cubes.map { [add($0)] } + [
                [add(cubes[0])], [.archive(cubes[4].id)], [.link(note), .confirm(cubes[1].id)],
                [.update(changed, analysis: [], contentHash: [2])],
                [.invalidate(cubes[1].id, at: Date(timeIntervalSince1970: 77))],
                [.freeze(cubes[3].id)], [.confirm(cubes[3].id)], [.unlink(note)], [.unlink(note)],
                [.restore(cubes[4].id)], [.restore(cubes[3].id)], [.quarantine(cubes[5].id)],
                [.release(cubes[5].id)], [.erase(cubes[0].id)], [.erase(cubes[0].id)],
                [.merge(cubes[4].id, into: cubes[5].id)],
                [.move(cubes[1].id, to: .longTerm, topic: cubes[5].id)],
            ]
        var refused = 0
        for (number, mutations) in requests.enumerated() {
            let request = request(mutations, at: Double(100 + number))
            let expected = try store.commit([request])[0]
            let found = Result { try CommitPlanner(request, rows: rows).commit() }
            switch (expected, found) {
            case (.success(let expected), .success(let found)):
                #expect(expected == found, "request \(number)")
            case (.failure(let expected), .failure(let found)):
                refused += 1
                #expect(
                    (expected as? StoreError)?.code == (found as? StoreError)?.code,
                    "request \(number)")
            default: Issue.record("request \(number): \(expected) here, \(found) there")
            }
        }
        #expect(refused >= 3)
        let kept = try store.list(CubeFilter(owner: owner), by: .local)
        #expect(kept.count == 5 && kept.contains { $0.validUntil != nil })
        #expect(Dictionary(uniqueKeysWithValues: kept.map { ($0.id, $0) }) == rows.cubes.mapValues(\.row.cube))
        for cube in kept {
            let ends = try store.links(of: cube.id, owner: owner, by: .local)
            let held = rows.links.filter { $0.source == cube.id || $0.target == cube.id }
            #expect(Set(ends.map(\.description)) == Set(held.map(\.description)))
            let history = try store.history(cube.id, owner: owner, by: .local)
            let entries = rows.journal.filter { $0.cube == cube.id }
            #expect(history.map(\.operation) == entries.map(\.operation))
            #expect(history.map(\.version) == entries.map(\.version))
        }
    }

    @Test func `a repeated request writes an audit entry and nothing else`() throws {
        let rows = MemoryRows()
        let first = cube("Oslo", at: 1)
        let request = request([add(first)], key: "k")
        #expect(try CommitPlanner(request, rows: rows).commit() == [first])
        let (journal, cubes) = (rows.journal.count, rows.cubes.count)
        #expect(try CommitPlanner(request, rows: rows).commit() == [first])
        #expect(rows.journal.count == journal && rows.cubes.count == cubes)
        #expect(rows.audit.count == 2)
        #expect(rows.audit[0].journalFirst == 1 && rows.audit[1].journalFirst == nil)
        let other = self.request([add(cube("Rome", at: 1))], key: "k")
        #expect(throws: StoreError.self) { try CommitPlanner(other, rows: rows).commit() }
        #expect(rows.isThere && rows.waiting == [first.id])
    }

    @Test func `an audit entry binds all journal entries of its request`() throws {
        let rows = MemoryRows()
        let cubes = [cube("Oslo", at: 1), cube("Rome", at: 2)]
        _ = try CommitPlanner(request(cubes.map { add($0) }), rows: rows).commit()
        // Rome ends Oslo: one entry of its next version, and one of the edge.
        #expect(rows.journal.map(\.operation) == [.add, .add, .supersede, .link])
        let entry = rows.audit[0]
        #expect(entry.journalFirst == 1 && entry.journalLast == 4)
        #expect(Set(rows.journal.map(\.salt)).count == 4 && entry.digest?.count == 32)
    }
}

extension CubeLink {
    /// All that tells edges apart.
    fileprivate var description: String { "\(source) \(kind) \(target) \(time)" }
}
