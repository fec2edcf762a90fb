import Foundation
import MnemePostgres
import MnemeStore
import NIOConcurrencyHelpers
import Testing

/// Servers that share a database: what they tell each other, who is there, and what they may do
/// together.
@Suite(.enabled(if: TestServer.isThere, Comment(rawValue: TestServer.missing)))
struct PostgresServersTests {
    let server: TestServer

    init() throws { server = try TestServer.shared.get() }

    /// Notices that a store has heard.
    private final class Heard: Sendable {
        private let box = NIOLockedValueBox<[StoreNotice]>([])
        var all: [StoreNotice] { box.withLockedValue { $0 } }
        func hear(_ notice: StoreNotice) { box.withLockedValue { $0.append(notice) } }
        func forget() { box.withLockedValue { $0 = [] } }
    }

    /// True as soon as a condition holds; false if it does not within some seconds.
    private func eventually(_ condition: @Sendable () throws -> Bool) async throws -> Bool {
        for _ in 0..<400 {
            if try condition() { return true }
            try await Task.sleep(for: .milliseconds(50))
        }
        return false
    }

    // MARK: Notices

    @Test func `a server hears of others' commits, of jobs, and not of its own words`() async throws {
        let schema = TestServer.schema()
        let (one, other) = (try server.store(schema), try server.store(schema))
        let foreign = try server.store()
        let heard = Heard()
        one.follow(heard.hear)
        #expect(try await eventually { one.isFollowing && heard.all.contains(.everything) })
        heard.forget()
        let (ana, bob) = (sample("tea", user: "ana"), sample("coffee", user: "bob"))
        try one.commit([add(ana)], owner: ana.scope.owner, by: admin)
        try foreign.commit([add(sample("x", user: "eve"))], owner: Owner(user: "eve"), by: admin)
        try other.commit([add(bob)], owner: bob.scope.owner, by: admin)
        #expect(try await eventually { heard.all.contains(.changed(bob.scope.owner)) })
        // In the order of commits: what came before it would have been heard by now.
        #expect(heard.all == [.changed(bob.scope.owner)])
        heard.forget()
        // Erasing, embedding and jobs are told; a request that is refused is not.
        #expect(throws: StoreError.self) {
            try other.commit([.archive(CubeID())], owner: bob.scope.owner, by: admin)
        }
        try other.commit([.erase(ana.id)], owner: ana.scope.owner, by: admin)
        try other.saveVectors([(bob.id, 1, [1, 2])], embedder: "e")
        _ = try other.enqueue(Job("expire"), by: admin)
        #expect(try await eventually { heard.all.contains(.jobs) })
        #expect(heard.all == [.changed(ana.scope.owner), .changed(bob.scope.owner), .jobs])
        one.unfollow()
        #expect(!one.isFollowing)
        for store in [one, other, foreign] { try store.close() }
    }

    @Test func `words that are no notice are passed over`() async throws {
        let schema = TestServer.schema()
        let (one, other) = (try server.store(schema), try server.store(schema))
        let heard = Heard()
        one.follow(heard.hear)
        #expect(try await eventually { heard.all.contains(.everything) })
        heard.forget()
        let connection = try PGConnection(server.settings(schema))
        let channels = try connection.texts(
            "SELECT 'mneme_' || to_hex(hashtextextended('mneme ' || current_schema(), 0))")
        let texts = [
            "", " ", "x", "x owner", "x owner z", "x owner 99999999999999999999", "x owner 77", "x owner -1 2",
            "owner 1", "x jobs y", "\u{1F600} owner \u{1F600}", String(repeating: "x ", count: 3_000),
        ]
        for text in texts {
            try connection.run("SELECT pg_notify(?, ?)", [channels[0], text])
        }
        try connection.sync()
        let cube = sample("tea")
        try other.commit([add(cube)], owner: cube.scope.owner, by: admin)
        #expect(try await eventually { heard.all.contains(.changed(cube.scope.owner)) })
        #expect(heard.all == [.changed(cube.scope.owner)])
        for store in [one, other] { try store.close() }
    }

    @Test func `a listening connection that is cut is made anew, and what it missed is made good`() async throws {
        let broken = try TestServer(isOwn: true)
        let schema = TestServer.schema()
        let (one, other) = (try broken.store(schema), try broken.store(schema))
        let heard = Heard()
        one.follow(heard.hear)
        try one.join(ServerIdentity(id: "one", url: nil, version: "1"))
        #expect(try await eventually { one.isFollowing })
        for isCrash in [false, true] {
            heard.forget()
            if isCrash {
                try broken.crash()
            } else {
                let connection = try PGConnection(broken.settings(schema))
                _ = try connection.texts(
                    """
                    SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()
                    """)
            }
            #expect(try await eventually { heard.all.contains(.everything) && one.isFollowing })
            heard.forget()
            let cube = sample("after \(isCrash)")
            try other.commit([add(cube)], owner: cube.scope.owner, by: admin)
            #expect(try await eventually { heard.all.contains(.changed(cube.scope.owner)) })
            #expect(try other.servers().map(\.server.id) == ["one"])
        }
        for store in [one, other] { try store.close() }
    }

    @Test func `each server embeds what it has written, and what another has left for long`() throws {
        let schema = TestServer.schema()
        let (one, other) = (try server.store(schema), try server.store(schema))
        var (fresh, old) = (sample("fresh"), sample("old"))
        (fresh.recordedTime, fresh.updatedTime) = (Date(), Date())
        old.updatedTime = Date(timeIntervalSinceNow: -60)
        try one.commit([add(fresh), add(old)], owner: fresh.scope.owner, by: admin)
        #expect(try Set(one.ownPendingEmbeddings(limit: 9).map(\.id)) == [fresh.id, old.id])
        #expect(try other.ownPendingEmbeddings(limit: 9).map(\.id) == [old.id])
        #expect(try other.pendingEmbeddings(replacing: nil, limit: 9).count == 2)
        try one.saveVectors([(fresh.id, 1, [1, 0]), (old.id, 1, [0, 1])], embedder: "e")
        #expect(try one.ownPendingEmbeddings(limit: 9).isEmpty && other.ownPendingEmbeddings(limit: 9).isEmpty)
        for store in [one, other] { try store.close() }
    }

    @Test func `an index that asks right after another server's erasure learns of it`() throws {
        let schema = TestServer.schema()
        let (one, other) = (try server.store(schema), try server.store(schema))
        one.follow { _ in }
        let owner = Owner(user: "alice")
        var position = FeedPosition.start
        func changes() throws -> IndexChanges {
            let changes = try one.changes(owner: owner, since: position, embedder: "e")
            position = changes.reached
            return changes
        }
        for i in 0..<30 {
            let cube = sample("secret \(i)")
            try other.commit([add(cube)], owner: owner, by: admin)
            #expect(try changes().rows.map(\.id) == [cube.id])
            #expect(try changes().isEmpty)
            try other.saveVectors([(cube.id, 1, [1, Float(i)])], embedder: "e")
            #expect(try changes().rows.first?.vector == [1, Float(i)])
            // Another owner's work is none of this one's.
            try other.commit([add(sample("x", user: "bob \(i)"))], owner: Owner(user: "bob \(i)"), by: admin)
            #expect(try changes().isEmpty)
            try other.commit([.erase(cube.id)], owner: owner, by: admin)
            #expect(try changes().erased == [cube.id])
            #expect(try changes().isEmpty)
        }
        for store in [one, other] { try store.close() }
    }

    // MARK: Leases

    @Test func `servers see each other while their leases last, by the database's clock`() async throws {
        let schema = TestServer.schema()
        let (one, other) = (try server.store(schema), try server.store(schema))
        let first = ServerIdentity(id: "1", url: "http://10.0.0.1:8420", version: "1.0")
        let second = ServerIdentity(id: "2", url: nil, version: "1.1")
        for (store, identity) in [(one, first), (other, second)] {
            store.follow { _ in }
            try store.join(identity)
        }
        let found = try one.servers()
        #expect(found.map(\.server) == [first, second])
        #expect(found.allSatisfy { (20...30).contains($0.secondsLeft) })
        #expect(
            try one.check(repair: false, by: admin).first { $0.check == "servers" }?.detail
                == "http://10.0.0.1:8420 (Mneme 1.0), one without an address (Mneme 1.1)")
        // A lease that has nearly ended is renewed.
        let connection = try PGConnection(server.settings(schema))
        try connection.run("UPDATE server SET expires = clock_timestamp() + interval '6 seconds'")
        try connection.sync()
        #expect(try await eventually { try one.servers().map(\.secondsLeft).min() ?? 0 > 20 })
        // One whose holder is gone ends; one that leaves is gone at once.
        try connection.run(
            """
            INSERT INTO server VALUES ('dead', 'http://x', '1', 2, clock_timestamp() - interval '2 minutes',
                clock_timestamp() - interval '1 second')
            """)
        try connection.sync()
        #expect(try one.servers().map(\.server) == [first, second])
        other.unfollow()
        #expect(try one.servers().map(\.server) == [first])
        for store in [one, other] { try store.close() }
        #expect(try connection.texts("SELECT id FROM server") == ["dead"])
    }

    // MARK: Limits

    @Test func `a caller's requests are counted on all servers together`() async throws {
        let schema = TestServer.schema()
        let stores = [try server.store(schema), try server.store(schema)]
        let rate = RequestRate(perMinute: 600)
        let granted = NIOLockedValueBox([String: Int]())
        let waits = NIOLockedValueBox<[Double]>([])
        // From when the first one asks: threads may be long in coming.
        let began = NIOLockedValueBox<ContinuousClock.Instant?>(nil)
        try await onThreads(8) { worker in
            let start = ContinuousClock.now
            began.withLockedValue { $0 = min($0 ?? start, start) }
            let caller = "caller \(worker / 4)"
            while ContinuousClock.now - start < .seconds(2) {
                let grant = try stores[worker % 2].takeRequests(of: caller, rate)
                granted.withLockedValue { $0[caller, default: 0] += grant.requests }
                waits.withLockedValue { $0.append(grant.requests == 0 ? grant.wait : 0) }
            }
        }
        let seconds = try (ContinuousClock.now - #require(began.withLockedValue { $0 })) / .seconds(1)
        for (_, count) in granted.withLockedValue({ $0 }) {
            #expect(Double(count) <= rate.burst + seconds * rate.perSecond + 0.001)
            // The bucket was full, and filled for two seconds.
            #expect(Double(count) >= rate.burst + rate.perSecond)
        }
        #expect(granted.withLockedValue { $0.count } == 2)
        #expect(waits.withLockedValue { $0.allSatisfy { $0 >= 0 && $0 <= 1 / rate.perSecond + 0.001 } })
        // The smallest rate: one now, the next in a minute.
        let slow = RequestRate(perMinute: 1)
        #expect(try stores[0].takeRequests(of: "slow", slow) == RequestGrant(requests: 1, wait: 0))
        let refused = try stores[1].takeRequests(of: "slow", slow)
        #expect(refused.requests == 0 && (50...60).contains(refused.wait))
        for store in stores { try store.close() }
    }

    @Test func `a quota holds on all servers together`() async throws {
        let schema = TestServer.schema()
        let stores = [try server.store(schema), try server.store(schema)]
        let small = Caller(Principal(name: "small", permissions: Set(Permission.allCases), quota: 5))
        let kept = NIOLockedValueBox(0)
        try await onThreads(4) { worker in
            for i in 0..<5 {
                let cube = sample("\(worker) \(i)")
                do {
                    try stores[worker % 2].commit([add(cube)], owner: cube.scope.owner, by: small)
                    kept.withLockedValue { $0 += 1 }
                } catch let error as StoreError where error.code == .quotaReached {}
            }
        }
        #expect(kept.withLockedValue { $0 } == 5)
        for store in stores { try store.close() }
    }

    // MARK: Two versions side by side

    /// The steps of this program and one more.
    private func newer(_ number: Int, leastKnown: Int?) -> [PostgresMigration] {
        PostgresMemoryStore.migrations
            + [PostgresMigration(number, ["CREATE TABLE further (id BIGINT)"], leastKnown: leastKnown)]
    }

    private func open(_ schema: String, _ migrations: [PostgresMigration]) throws -> PostgresMemoryStore {
        try PostgresMemoryStore(
            server.settings(schema), analyzer: "test", auditKey: nil, migrations: migrations)
    }

    @Test func `a step that only adds is done beside older servers, which go on and may come again`() throws {
        let schema = TestServer.schema()
        let known = PostgresMemoryStore.migrations.count
        let old = try server.store(schema)
        old.follow { _ in }
        try old.join(ServerIdentity(id: "old", url: "http://10.0.0.1:8420", version: "1.0"))
        let new = try open(schema, newer(known + 1, leastKnown: known))
        let cube = sample("tea")
        try new.commit([add(cube)], owner: cube.scope.owner, by: admin)
        try old.commit([add(sample("coffee"))], owner: cube.scope.owner, by: admin)
        #expect(try old.cube(cube.id, owner: cube.scope.owner, by: admin) != nil)
        let again = try server.store(schema)
        #expect(try again.position(of: cube.scope.owner) == 2)
        for store in [old, new, again] { try store.close() }
    }

    @Test func `a step that older servers cannot work with waits for their leases, and ends their writes`() throws {
        let schema = TestServer.schema()
        let known = PostgresMemoryStore.migrations.count
        let old = try server.store(schema)
        let connection = try PGConnection(server.settings(schema))
        try connection.run(
            """
            INSERT INTO server VALUES ('old', 'http://10.0.0.1:8420', '1.0', ?, now(), now() + interval '1 hour')
            """, [known])
        try connection.sync()
        let breaking = newer(known + 1, leastKnown: nil)
        let refusal = #expect(throws: StoreError.self) { try open(schema, breaking) }
        #expect(refusal?.code == .conflict && refusal?.message.contains("http://10.0.0.1:8420 (1.0)") == true)
        // Nothing of it was done.
        #expect(try connection.texts("SELECT to_regclass('further')::text").isEmpty)
        let cube = sample("tea")
        try old.commit([add(cube)], owner: cube.scope.owner, by: admin)
        try connection.run("UPDATE server SET expires = now() - interval '1 second'")
        try connection.sync()
        let new = try open(schema, breaking)
        #expect(try new.cube(cube.id, owner: cube.scope.owner, by: admin) != nil)
        // One that was away while it was done writes no more, and does not open it again.
        let late = #expect(throws: StoreError.self) {
            try old.commit([add(sample("coffee"))], owner: cube.scope.owner, by: admin)
        }
        #expect(late?.code == .newerVersion)
        #expect(throws: StoreError.self) { try server.store(schema) }.map { #expect($0.code == .newerVersion) }
        #expect(try new.position(of: cube.scope.owner) == 1)
        try new.close()
    }

    @Test func `a store of the first version is brought up to date`() throws {
        let schema = TestServer.schema()
        let first = try open(schema, Array(PostgresMemoryStore.migrations.prefix(2)))
        let cube = sample("tea")
        try first.commit([add(cube)], owner: cube.scope.owner, by: admin)
        try first.close()
        // As the first version left it: one step, and a table of steps without a column for others.
        let connection = try PGConnection(server.settings(schema))
        for sql in [
            "DROP TABLE server", "DROP TABLE request_bucket", "DELETE FROM mneme_migration WHERE name <> '1'",
            "ALTER TABLE mneme_migration DROP COLUMN least_known",
        ] { try connection.run(sql) }
        try connection.sync()
        let store = try server.store(schema)
        #expect(try store.cube(cube.id, owner: cube.scope.owner, by: admin) != nil)
        #expect(try store.servers().isEmpty)
        try store.commit([.erase(cube.id)], owner: cube.scope.owner, by: admin)
        try store.close()
    }
}
