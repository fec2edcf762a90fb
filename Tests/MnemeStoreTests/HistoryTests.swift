import Foundation
import GRDB
import MnemeStore
import Testing

/// Time in the store, against a model that keeps every state there ever was.
@Suite struct HistoryTests {
    private struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    /// One owner's memories as they should be, and as they were after each change.
    private struct Model {
        var present: [CubeID: MemCube] = [:]
        var versions: [CubeID: [Int: MemCube]] = [:]
        var erased: Set<CubeID> = []
        var states: [(time: Double, cubes: [CubeID: MemCube])] = []

        mutating func set(_ cube: MemCube) {
            present[cube.id] = cube
            versions[cube.id, default: [:]][cube.version] = cube
        }

        /// The cubes recorded at a time, without what was erased since.
        func asOf(_ time: Double) -> [MemCube] {
            let state = states.last { $0.time <= time }?.cubes ?? [:]
            return state.values.filter { !erased.contains($0.id) }.sorted { $0.id < $1.id }
        }
    }

    private static func encode(_ cubes: [MemCube]) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: try encoder.encode(cubes), as: UTF8.self)
    }

    /// A change that is legal now, applied to the model; nil where none is.
    private static func change(
        _ model: inout Model, _ owner: Owner, _ time: Double, _ random: inout Random
    )
        -> Mutation?
    {
        let date = Date(timeIntervalSince1970: time)
        let living = model.present.values.sorted { $0.id < $1.id }
        guard living.count > 1, Int.random(in: 0..<10, using: &random) > 1,
            var cube = living.randomElement(using: &random)
        else {
            var cube = MemCube(
                scope: Scope(
                    tenant: owner.tenant, user: owner.user,
                    session: Bool.random(using: &random) ? "s" : nil),
                type: .semantic,
                text: "text \(random.next() % 1_000_000)",
                eventTime: Date(timeIntervalSince1970: Double(random.next() % 1_000)),
                recordedTime: date,
                provenance: Provenance(source: "test"))
            cube.tags = Bool.random(using: &random) ? ["t\(random.next() % 3)"] : []
            cube.sensitivity = Sensitivity.allCases.randomElement(using: &random)!
            model.set(cube)
            return .add(cube, analysis: [], contentHash: Array(cube.id.description.utf8))
        }
        let id = cube.id
        let hash = Array("\(id)".utf8)
        func next() {
            cube.version += 1
            cube.updatedTime = date
            model.set(cube)
        }
        switch Int.random(in: 0..<10, using: &random) {
        case 0...1 where cube.state != .frozen:
            let read = cube
            cube.text = "text \(random.next() % 1_000_000)"
            cube.priority = Double(random.next() % 5)
            var written = read
            (written.text, written.priority) = (cube.text, cube.priority)
            next()
            return .update(written, analysis: [], contentHash: hash)
        case 2 where cube.state == .activated:
            cube.state = .archived
            next()
            return .archive(id)
        case 3 where cube.state == .archived || cube.state == .frozen || cube.state == .merged:
            cube.state = .activated
            next()
            return .restore(id)
        case 4 where cube.state == .activated:
            cube.state = .frozen
            next()
            return .freeze(id)
        case 5 where cube.state != .frozen:
            cube.confirmations = (cube.confirmations ?? 0) + 1
            next()
            return .confirm(id)
        case 6 where cube.state != .frozen:
            cube.validUntil = date
            next()
            return .invalidate(id, at: date)
        case 7 where cube.state != .frozen:
            var former = model.versions[id]!.values.sorted { $0.version < $1.version }
                .randomElement(using: &random)!
            let wanted = former.state
            former.version = cube.version
            let written = former
            let state = wanted == cube.state || cube.state.canBecome(wanted) ? wanted : cube.state
            let version = cube.version
            cube = former
            (cube.state, cube.version) = (state, version)
            next()
            return .rollback(written, analysis: [], contentHash: hash)
        case 9 where cube.state != .frozen:
            (cube.tier, cube.topic) = (MemoryTier.allCases.randomElement(using: &random)!, id)
            next()
            return .move(id, to: cube.tier!, topic: id)
        case 8 where random.next() % 3 == 0:
            model.present[id] = nil
            model.versions[id] = nil
            model.erased.insert(id)
            return .erase(id)
        default: return nil
        }
    }

    @Test
    func
        `ten thousand random histories: every instant, every version and the journal give what was`()
        throws
    {
        let folder = try TemporaryFolder()
        let store = try SQLiteMemoryStore(path: folder.path + "/store.db", analyzer: "test")
        var random = Random(state: 7)
        var checks = 0
        var rollbacks = 0
        var erasures = 0
        // Many histories share a transaction, so that the disk is waited for a few hundred times
        // only.
        for block in 0..<20 {
            var models = [Model](repeating: Model(), count: 500)
            let owners = (0..<500).map { Owner(tenant: "t\(block)", user: "u\($0)") }
            for step in 1...14 {
                let time = Double(step * 10)
                let caller = Caller(.local, time: Date(timeIntervalSince1970: time))
                var requests: [WriteRequest] = []
                for i in models.indices {
                    var mutations: [Mutation] = []
                    for _ in 0..<Int.random(in: 0...2, using: &random) {
                        guard let mutation = Self.change(&models[i], owners[i], time, &random)
                        else { continue }
                        mutations.append(mutation)
                        if case .rollback = mutation { rollbacks += 1 }
                        if case .erase = mutation { erasures += 1 }
                    }
                    models[i].states.append((time, models[i].present))
                    if !mutations.isEmpty {
                        requests.append(WriteRequest(mutations, owner: owners[i], by: caller))
                    }
                }
                for result in try store.commit(requests) { _ = try result.get() }
            }
            for (model, owner) in zip(models, owners) {
                // At any instant, between changes, too.
                let instant = Double.random(in: 0...150, using: &random)
                let date = Date(timeIntervalSince1970: instant)
                #expect(
                    try Self.encode(store.snapshot(owner: owner, asOf: date, by: .local))
                        == Self.encode(model.asOf(instant)))
                var filter = CubeFilter(owner: owner, limit: 1_000)
                filter.asOf = date
                #expect(
                    try Self.encode(store.list(filter, by: .local))
                        == Self.encode(model.asOf(instant)))
                let present = model.present.values.sorted { $0.id < $1.id }
                filter.asOf = nil
                let stored = try store.list(filter, by: .local).sorted { $0.id < $1.id }
                #expect(try Self.encode(stored) == Self.encode(present))
                if let cube = present.randomElement(using: &random) {
                    let history = try store.history(cube.id, owner: owner, by: .local)
                    #expect(
                        history.count == model.versions[cube.id]!.count
                            && history.allSatisfy {
                                $0.snapshot == model.versions[cube.id]![$0.version]
                            })
                    #expect(
                        try store.cube(cube.id, owner: owner, asOf: date, by: .local)
                            == model.asOf(instant).first { $0.id == cube.id })
                }
                for id in model.erased {
                    #expect(try store.cube(id, owner: owner, asOf: date, by: .local) == nil)
                    #expect(
                        try store.history(id, owner: owner, by: .local).allSatisfy {
                            $0.snapshot == nil
                        })
                }
                checks += 1
            }
        }
        #expect(
            checks == 10_000 && rollbacks > 3_000 && erasures > 1_000,
            "\(checks) \(rollbacks) \(erasures)")
        // The state is what the journal leads to, byte for byte.
        try store.close()
        let database = try DatabaseQueue(path: folder.path + "/store.db")
        try database.read { db in
            let state = try String.fetchAll(db, sql: "SELECT id FROM cube ORDER BY id")
            let last = try Row.fetchAll(
                db,
                sql: """
                    SELECT cube, payload FROM journal WHERE position IN (SELECT max(position) FROM journal WHERE operation NOT IN ('link', 'unlink') GROUP BY cube)
                        AND payload IS NOT NULL ORDER BY cube
                    """)
            #expect(last.map { $0[0] as String } == state && state.count > 10_000)
        }
        try database.close()
        let again = try SQLiteMemoryStore(path: folder.path + "/store.db", analyzer: "test")
        #expect(try again.check(repair: false, by: .local).allSatisfy(\.sound))
        #expect(try again.verifyAudit(keys: nil, head: nil, by: .local).findings.isEmpty)
        try again.close()
    }

    @Test func `a memory's past is found by the memory, not among all that its owner wrote`() throws {
        let path = NSTemporaryDirectory() + "mneme-plan-\(UUID().uuidString).db"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try SQLiteMemoryStore(path: path, analyzer: "test").close()
        let database = try DatabaseQueue(path: path)
        defer { try? database.close() }
        try database.read { db in
            for query in [JournalQuery.entries, JournalQuery.snapshot, JournalQuery.texts] {
                let arguments: StatementArguments = query == JournalQuery.snapshot ? ["x", 1, 2] : ["x", 1]
                let plan = try Row.fetchAll(
                    db, sql: "EXPLAIN QUERY PLAN " + query, arguments: arguments)
                #expect(
                    plan.map { $0["detail"] as String } == ["SEARCH journal USING INDEX journal_cube (cube=?)"])
            }
        }
    }

    @Test func `an owner's memories are listed in their order without being sorted`() throws {
        let path = NSTemporaryDirectory() + "mneme-plan-\(UUID().uuidString).db"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try SQLiteMemoryStore(path: path, analyzer: "test").close()
        let database = try DatabaseQueue(path: path)
        defer { try? database.close() }
        try database.read { db in
            for order in ["ASC", "DESC"] {
                let plan = try Row.fetchAll(
                    db,
                    sql: """
                        EXPLAIN QUERY PLAN SELECT * FROM cube WHERE cube.owner = 1 AND cube.state = 'active'
                        ORDER BY cube.seq \(order) LIMIT 50
                        """)
                #expect(
                    plan.map { $0["detail"] as String } == ["SEARCH cube USING INDEX cube_owner (owner=?)"])
            }
            let plan = try Row.fetchAll(
                db,
                sql: """
                    EXPLAIN QUERY PLAN SELECT * FROM cube WHERE cube.owner = 1 AND cube.state = 'quarantined'
                    ORDER BY cube.seq LIMIT 50
                    """)
            #expect(
                plan.map { $0["detail"] as String } == ["SEARCH cube USING INDEX cube_quarantined (owner=?)"])
        }
    }

    @Test func `memories of a session stand in their order, in requests of many and of one`() throws {
        let path = NSTemporaryDirectory() + "mneme-places-\(UUID().uuidString).db"
        defer { for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + end) } }
        let store = try SQLiteMemoryStore(path: path, analyzer: "test")
        let owner = Owner(tenant: "t", user: "u")
        var sessions: [String] = []
        func add(_ names: [String]) throws {
            let mutations = names.map { name in
                let number = sessions.count
                sessions.append(name)
                return Mutation.add(
                    MemCube(
                        scope: Scope(tenant: "t", user: "u", session: name), type: .semantic,
                        text: "text \(number)", eventTime: Date(timeIntervalSince1970: 0),
                        recordedTime: Date(timeIntervalSince1970: 0),
                        provenance: Provenance(source: "test")),
                    analysis: [], contentHash: Array("\(number)".utf8))
            }
            _ = try store.commit(mutations, owner: owner, by: .local)
        }
        try add(["a", "b", "a", "a", "c", "b"])
        for name in ["b", "a", "d"] { try add([name]) }
        try add(["d", "a", "a"])
        try store.close()
        let database = try DatabaseQueue(path: path)
        defer { try? database.close() }
        var next: [String: Int] = [:]
        let wanted = sessions.map { name in
            defer { next[name, default: 0] += 1 }
            return next[name] ?? 0
        }
        try database.read { db in
            #expect(try Int.fetchAll(db, sql: "SELECT place FROM cube ORDER BY seq") == wanted)
            let kept = try Row.fetchAll(db, sql: "SELECT name, next_place FROM session")
            #expect(
                Dictionary(uniqueKeysWithValues: kept.map { ($0["name"] as String, $0["next_place"] as Int) })
                    == next)
        }
    }

    @Test func `claims are found by their key, however many memories there are`() throws {
        let path = NSTemporaryDirectory() + "mneme-plan-\(UUID().uuidString).db"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try SQLiteMemoryStore(path: path, analyzer: "test").close()
        let database = try DatabaseQueue(path: path)
        defer { try? database.close() }
        try database.read { db in
            let plan = try Row.fetchAll(
                db, sql: "EXPLAIN QUERY PLAN " + ClaimQuery.claimants, arguments: [1, "x"]
            ).map { $0["detail"] as String }
            #expect(
                plan.prefix(2) == [
                    "SEARCH claim USING PRIMARY KEY (owner=? AND key=?)",
                    "SEARCH cube USING INTEGER PRIMARY KEY (rowid=?)",
                ])
        }
    }
}
