import Foundation
import MnemePostgres
import MnemeStore
import Testing

/// What a commit looks up ahead, and what becomes of a request that is alone in its transaction.
@Suite(.enabled(if: TestServer.isThere, Comment(rawValue: TestServer.missing)))
struct CommitTests {
    let server: TestServer

    init() throws { server = try TestServer.shared.get() }

    @Test func `a request that is refused alone leaves nothing, and what waits for the audit log is kept`() throws {
        let store = try server.store(TestServer.schema())
        let cube = sample("tea")
        let owner = cube.scope.owner
        try store.commit([add(cube)], owner: owner, by: admin)
        // Notes a read, which waits for the next transaction.
        #expect(try store.cube(cube.id, owner: owner, by: admin) != nil)
        let refused = WriteRequest([add(sample("none")), .archive(CubeID())], owner: owner, by: admin)
        let results = try store.commit([refused])
        #expect(throws: StoreError.self) { try results[0].get() }.map { #expect($0.code == .notFound) }
        #expect(try store.position(of: owner) == 1)
        #expect(try store.ownPendingEmbeddings(limit: 9).map(\.id) == [cube.id])
        try store.commit([add(sample("milk"))], owner: owner, by: admin)
        let entries = try store.auditEntries(after: 0, limit: 99, by: admin)
        #expect(entries.map(\.operation) == ["commit", "get", "commit"])
        #expect(try store.verifyAudit(keys: nil, head: nil, by: admin).findings.isEmpty)
        try store.close()
    }

    @Test func `who may not write is refused alone as among others, and the refusal is noted once`() throws {
        let store = try server.store(TestServer.schema())
        let reader = Caller(Principal(name: "reader", permissions: [.read]))
        let owner = Owner(user: "alice")
        let request = WriteRequest([add(sample("tea"))], owner: owner, by: reader)
        for requests in [[request], [request, request]] {
            for result in try store.commit(requests) {
                #expect(throws: AccessError.self) { try result.get() }
            }
        }
        #expect(try store.owners().isEmpty)
        let entries = try store.auditEntries(after: 0, limit: 99, by: admin)
        #expect(entries.map(\.outcome) == [.refused, .refused, .refused])
        try store.close()
    }

    @Test(arguments: [1, 3]) func `what is said twice is there once, whenever it was written`(together: Int) throws {
        let store = try server.store(TestServer.schema())
        let owner = Owner(user: "alice")
        func request(_ mutations: [Mutation]) -> WriteRequest { WriteRequest(mutations, owner: owner, by: admin) }
        /// Commits with requests of another owner beside it, or alone.
        func commit(_ mutations: [Mutation]) throws -> [MemCube] {
            let others = (1..<together).map {
                WriteRequest([add(sample("tea", user: "bob \($0)"))], owner: Owner(user: "bob \($0)"), by: admin)
            }
            return try store.commit([request(mutations)] + others)[0].get()
        }
        let (first, second, third) = (sample("tea"), sample("tea"), sample("tea"))
        #expect(try commit([add(first)]).map(\.id) == [first.id])
        #expect(try commit([add(second)]).map(\.id) == [first.id])
        // Twice in one request.
        let (milk, again) = (sample("milk"), sample("milk"))
        #expect(try commit([add(milk), add(again)]).map(\.id) == [milk.id, milk.id])
        // What was looked up ahead is gone by then.
        #expect(try commit([.erase(first.id), add(third)]).map(\.id) == [third.id])
        #expect(try commit([.archive(third.id), add(second)]).map(\.id) == [third.id, second.id])
        #expect(try store.count(owner: owner, limit: 9) == 3)
        // And where a request before it in the same transaction was taken back.
        let (cake, kept) = (sample("cake"), sample("cake"))
        let results = try store.commit([
            request([add(cake), .archive(CubeID())]), request([add(kept)]), request([add(sample("cake"))]),
        ])
        #expect(throws: StoreError.self) { try results[0].get() }
        #expect(try results[1].get().map(\.id) == [kept.id] && results[2].get().map(\.id) == [kept.id])
        #expect(try store.verifyAudit(keys: nil, head: nil, by: admin).findings.isEmpty)
        #expect(try store.check(repair: false, by: admin).filter { !$0.sound }.isEmpty)
        try store.close()
    }

    @Test func `memories are read in their order, of their owner, up to the reader's clearance`() throws {
        let store = try server.store(TestServer.schema())
        let (one, other) = (sample("one"), sample("three", user: "bob"))
        var secret = sample("two")
        secret.sensitivity = .restricted
        for cube in [one, secret, other] { try store.commit([add(cube)], owner: cube.scope.owner, by: admin) }
        let ids = [other.id, secret.id, CubeID(), one.id]
        let owner = one.scope.owner
        var alice = Principal(name: "alice", permissions: [.read], user: "alice")
        alice.clearance = .restricted
        // The first look finds out the owner's row, the second knows it.
        for _ in 0..<2 {
            #expect(try store.cubes(ids, owner: owner, by: Caller(alice)).map(\.id) == [secret.id, one.id])
            alice.clearance = .internal
            #expect(try store.cubes(ids, owner: owner, by: Caller(alice)).map(\.id) == [one.id])
            alice.clearance = .restricted
        }
        let bob = Caller(Principal(name: "bob", permissions: [.read], user: "bob"))
        #expect(throws: AccessError.self) { try store.cubes(ids, owner: owner, by: bob) }
        let reads = try store.auditEntries(after: 3, limit: 99, by: admin)
        #expect(reads.map(\.count) == [2, 1, 2, 1, 0] && reads.last?.outcome == .refused)
        try store.close()
    }
}
