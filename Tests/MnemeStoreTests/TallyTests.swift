import Foundation
import MnemeBase
import MnemeStore
import Testing

/// Counts of rows, which a transaction of many additions keeps without triggers.
@Suite struct TallyTests {
    private static let owners = [Owner(user: "ana"), Owner(user: "ben")]

    /// Additions in sessions, some of them the same again, with claims that end each other and links to
    /// former ones.
    private static func additions(_ count: Int, to owner: Owner, _ random: inout SplitMix64) -> [Mutation] {
        var former: [CubeID] = []
        return (0..<count).map { _ in
            let text = "memory \(Int.random(in: 0..<1_000, using: &random))"
            var cube = MemCube(
                scope: Scope(user: owner.user, session: ["s", "t", nil].randomElement(using: &random)!),
                type: MemoryType.allCases.randomElement(using: &random)!, text: text,
                eventTime: Date(timeIntervalSince1970: Double(Int.random(in: 0..<50, using: &random))),
                recordedTime: Date(timeIntervalSince1970: 100), provenance: Provenance(source: "test"))
            if Int.random(in: 0..<4, using: &random) == 0 { cube.state = .quarantined }
            if Bool.random(using: &random) {
                cube.claims = [
                    Claim(
                        subject: "ana", attribute: ["home", "car"].randomElement(using: &random)!, value: text)
                ]
            }
            // Twice the same edge is one.
            let targets = former.suffix(2) + former.suffix(1)
            former.append(cube.id)
            return .add(
                cube, analysis: [], contentHash: Array(text.utf8),
                links: targets.map {
                    CubeLink(source: cube.id, target: $0, kind: "related", time: cube.eventTime)
                })
        }
    }

    /// Names of counts that are not what is counted anew.
    private static func wrong(_ store: SQLiteMemoryStore) throws -> Bool {
        try #require(store.check(repair: false, by: .local).first { $0.check == "counts" }).sound == false
    }

    @Test func `a transaction of many additions counts what it writes`() throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteMemoryStore(path: folder.path + "/store.db", analyzer: "test")
        var random = SplitMix64(seed: 25)
        for count in [1, 300, 3, 40] {
            _ = try store.commit(
                Self.additions(count, to: Self.owners[0], &random), owner: Self.owners[0], by: .local)
            #expect(try !Self.wrong(store), "\(count) in one request")
        }
        let requests = (0..<12).map { i in
            let owner = Self.owners[i % 2]
            // What cannot be kept is refused, and what came with it is counted.
            let refused = Mutation.add(
                MemCube(
                    scope: Scope(user: owner.user), type: .episodic, text: "\0", eventTime: Date(),
                    recordedTime: Date(), provenance: Provenance(source: "test")),
                analysis: [], contentHash: [])
            return WriteRequest(
                Self.additions(i + 1, to: owner, &random) + (i % 3 == 2 ? [refused] : []), owner: owner,
                by: .local)
        }
        let results = try store.commit(requests)
        #expect(results.count { if case .failure = $0 { true } else { false } } == 4)
        #expect(try !Self.wrong(store), "several requests")
        let counts = try store.statistics(owner: nil, by: .local)
        #expect(counts.memories > 300 && counts.links > 300 && counts.sessions == 4)
        try store.close()
    }

    @Test func `triggers count again behind such a transaction, whatever becomes of it`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let store = try SQLiteMemoryStore(path: path, analyzer: "test")
        var random = SplitMix64(seed: 26)
        let (owner, caller) = (Self.owners[0], Caller.local)
        let cubes = try store.commit(Self.additions(20, to: owner, &random), owner: owner, by: caller)
        // A request alone that a rule refuses takes the transaction back.
        let refused = Mutation.adopt(cubes[0], history: [], analysis: [], contentHash: [])
        #expect(throws: StoreError.self) {
            try store.commit(Self.additions(20, to: owner, &random) + [refused], owner: owner, by: caller)
        }
        _ = try store.commit([.erase(cubes[3].id)], owner: owner, by: caller)
        #expect(try !Self.wrong(store))
        let first = try #require(cubes.first { $0.state == .activated && $0.id != cubes[3].id })
        _ = try store.commit([.archive(first.id)], owner: owner, by: caller)
        #expect(try !Self.wrong(store))
        #expect(try store.statistics(owner: owner, by: caller).byState["archived"] == 1)
        try store.close()
    }
}
