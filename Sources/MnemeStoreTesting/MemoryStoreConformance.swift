import Foundation
public import MnemeStore

/// What every ``MemoryStore`` must do, as checks that a test runs on an empty store.
///
/// ```swift
/// @Test(arguments: MemoryStoreConformance.all)
/// func `conforms`(check: MemoryStoreConformance) throws { try check.run(makeEmptyStore()) }
/// ```
public struct MemoryStoreConformance: Sendable, CustomStringConvertible {
    /// What is checked.
    public let description: String
    private let body: @Sendable (any MemoryStore) throws -> Void

    /// Runs the check on an empty store.
    ///
    /// - Throws: ``Failure``, or what the store throws.
    public func run(_ store: any MemoryStore) throws { try body(store) }

    /// A broken promise.
    public struct Failure: Error, CustomStringConvertible {
        /// What is checked.
        public let description: String
    }

    /// Every check.
    public static let all: [MemoryStoreConformance] = [
        check("what is committed can be read, with both times") { store in
            let cube = sample("tea"), saved = try store.commit([add(cube)], owner: alice, by: at(1))
            try expect(saved.map(\.id) == [cube.id])
            let read = try require(store.cube(cube.id, owner: alice, asOf: nil, by: .local))
            try expect(
                read.text == "tea" && read.eventTime == cube.eventTime && read.recordedTime == cube.recordedTime
                    && read.version == 1)
            try expect(store.list(CubeFilter(owner: alice), by: .local).map(\.id) == [cube.id])
        },
        check("an owner never sees another's cube, and cannot change it") { store in
            let cube = sample("secret")
            _ = try store.commit([add(cube)], owner: alice, by: at(1))
            try expect(store.cube(cube.id, owner: bob, asOf: nil, by: .local) == nil)
            try expect(
                store.cubes([cube.id], owner: bob, by: .local).isEmpty
                    && store.list(CubeFilter(owner: bob), by: .local).isEmpty)
            try expect(
                store.history(cube.id, owner: bob, by: .local).isEmpty
                    && store.snapshot(owner: bob, asOf: .distantFuture, by: .local).isEmpty)
            for mutation in [Mutation.archive(cube.id), .erase(cube.id)] {
                try expectError(.notFound) { _ = try store.commit([mutation], owner: bob, by: at(2)) }
            }
            try expect(store.changes(owner: bob, since: 0, vectorsSince: 0, embedder: "e").rows.isEmpty)
        },
        check("a batch is applied whole or not at all") { store in
            let cube = sample("half")
            try expectError(.notFound) {
                _ = try store.commit([add(cube), .archive(CubeID())], owner: alice, by: at(1))
            }
            try expect(store.cube(cube.id, owner: alice, asOf: nil, by: .local) == nil)
        },
        check("a repeated idempotency key changes nothing; with another request it is refused") { store in
            let first = sample("once")
            _ = try store.commit([add(first)], owner: alice, by: at(1), idempotencyKey: "k")
            let again = try store.commit([add(sample("once"))], owner: alice, by: at(2), idempotencyKey: "k")
            try expect(again.map(\.id) == [first.id] && store.list(CubeFilter(owner: alice), by: .local).count == 1)
            try expect(
                store.auditEntries(after: 0, limit: 9, by: .local).prefix(2).allSatisfy { $0.cubes == [first.id] })
            try expectError(.conflict) {
                _ = try store.commit([add(sample("other"))], owner: alice, by: at(3), idempotencyKey: "k")
            }
        },
        check("each version can be read as of its time") { store in
            var cube = sample("one")
            _ = try store.commit([add(cube)], owner: alice, by: at(10))
            cube.text = "two"
            _ = try store.commit([update(cube)], owner: alice, by: at(20))
            _ = try store.commit([.archive(cube.id)], owner: alice, by: at(30))
            try expect(store.cube(cube.id, owner: alice, asOf: Date(timeIntervalSince1970: 5), by: .local) == nil)
            try expect(
                store.cube(cube.id, owner: alice, asOf: Date(timeIntervalSince1970: 15), by: .local)?.text == "one")
            try expect(
                store.cube(cube.id, owner: alice, asOf: Date(timeIntervalSince1970: 25), by: .local)?.text == "two")
            try expect(store.cube(cube.id, owner: alice, asOf: nil, by: .local)?.state == .archived)
            try expect(
                store.snapshot(owner: alice, asOf: Date(timeIntervalSince1970: 25), by: .local).map(\.text) == ["two"])
            try expect(store.history(cube.id, owner: alice, by: .local).map(\.operation) == [.add, .update, .archive])
            try expect(store.history(cube.id, owner: alice, by: .local).map(\.version) == [1, 2, 3])
            let restored = try store.commit([.restore(cube.id)], owner: alice, by: at(40))
            try expect(restored.first?.state == .activated && restored.first?.version == 4)
        },
        check("erase leaves no text behind, not even in the history") { store in
            let cube = sample("gone"), other = sample("stays")
            _ = try store.commit([add(cube), add(other)], owner: alice, by: at(1))
            _ = try store.commit(
                [.link(CubeLink(source: cube.id, target: other.id, kind: "related", time: Date()))], owner: alice,
                by: at(2))
            _ = try store.commit([.erase(cube.id)], owner: alice, by: at(3))
            try expect(
                store.cube(cube.id, owner: alice, asOf: nil, by: .local) == nil
                    && store.cube(cube.id, owner: alice, asOf: .distantFuture, by: .local) == nil)
            let history = try store.history(cube.id, owner: alice, by: .local)
            try expect(history.last?.operation == .erase && history.allSatisfy { $0.snapshot == nil && $0.link == nil })
            try expect(store.links(of: other.id, owner: alice, by: .local).isEmpty)
            try expectError(.notFound) { _ = try store.commit([.restore(cube.id)], owner: alice, by: at(4)) }
        },
        check("places in a session follow the order of commits") { store in
            for i in 0..<3 {
                _ = try store.commit([add(sample("\(i)", session: "s"))], owner: alice, by: at(Double(i)))
            }
            let rows = try store.changes(owner: alice, since: 0, vectorsSince: 0, embedder: "e").rows
            try expect(rows.map(\.place) == [0, 1, 2] && rows.allSatisfy { $0.session == "s" })
        },
        check("an index catches up from its position") { store in
            let first = sample("first"), second = sample("second")
            _ = try store.commit([add(first)], owner: alice, by: at(1))
            let start = try store.changes(owner: alice, since: 0, vectorsSince: 0, embedder: "e")
            try expect(start.rows.map(\.id) == [first.id] && start.rows[0].analysis == [1, 0, 0, 0, 1])
            _ = try store.commit([add(second), .archive(first.id)], owner: alice, by: at(2))
            let next = try store.changes(
                owner: alice, since: start.position, vectorsSince: start.vectorPosition, embedder: "e")
            try expect(next.rows.map(\.id) == [first.id, second.id] && next.rows[0].state == .archived)
            _ = try store.commit([.erase(second.id)], owner: alice, by: at(3))
            let last = try store.changes(
                owner: alice, since: next.position, vectorsSince: next.vectorPosition, embedder: "e")
            try expect(last.rows.isEmpty && last.erased == [second.id])
        },
        check("work that is left survives, and a vector of an old version is dropped") { store in
            var cube = sample("text")
            _ = try store.commit([add(cube)], owner: alice, by: at(1))
            let pending = try store.pendingEmbeddings(embedder: "e", limit: 10)
            try expect(pending.map(\.id) == [cube.id] && store.pendingEmbeddingCount(embedder: "e") == 1)
            cube.text = "changed"
            _ = try store.commit([update(cube)], owner: alice, by: at(2))
            try store.saveVectors([(cube.id, 1, [1, 0])], embedder: "e")
            try expect(store.pendingEmbeddings(embedder: "e", limit: 10).map(\.version) == [2])
            try store.saveVectors([(cube.id, 2, [0, 1])], embedder: "e")
            try expect(
                store.pendingEmbeddingCount(embedder: "e") == 0 && store.pendingEmbeddingCount(embedder: "another") == 1
            )
            try expect(
                store.changes(owner: alice, since: 0, vectorsSince: 0, embedder: "e").rows.first?.vector == [0, 1])
        },
        check("of two changes to one version, the second is refused") { store in
            var cube = sample("start")
            _ = try store.commit([add(cube)], owner: alice, by: at(1))
            cube.text = "first"
            _ = try store.commit([update(cube)], owner: alice, by: at(2))
            cube.text = "second"
            try expectError(.conflict) { _ = try store.commit([update(cube)], owner: alice, by: at(3)) }
            try expect(store.cube(cube.id, owner: alice, asOf: nil, by: .local)?.text == "first")
        },
        check("the same content is recorded once, until it is archived") { store in
            let cube = sample("same")
            let first = try store.commit([add(cube), add(sample("same"))], owner: alice, by: at(1))
            try expect(first.map(\.id) == [cube.id, cube.id])
            try expect(store.commit([add(sample("same"))], owner: bob, by: at(1))[0].id != cube.id)
            _ = try store.commit([.archive(cube.id)], owner: alice, by: at(2))
            try expect(store.commit([add(sample("same"))], owner: alice, by: at(3))[0].id != cube.id)
        },
        check("links of a new cube are kept where their target is there") { store in
            let old = sample("old"), new = sample("new")
            _ = try store.commit([add(old)], owner: alice, by: at(1))
            let links = [old.id, CubeID()].map {
                CubeLink(source: new.id, target: $0, kind: "related", time: at(2).time)
            }
            _ = try store.commit([.add(new, analysis: [], contentHash: [1], links: links)], owner: alice, by: at(2))
            try expect(store.links(of: new.id, owner: alice, by: .local) == [links[0]])
        },
        check("requests in one transaction stand or fall one by one") { store in
            let first = sample("first"), third = sample("third")
            let results = try store.commit([
                WriteRequest([add(first)], owner: alice, by: at(1)),
                WriteRequest([add(sample("second")), .archive(CubeID())], owner: alice, by: at(1)),
                WriteRequest([add(third)], owner: bob, by: at(1)),
            ])
            try expect(results[0].get().map(\.id) == [first.id] && results[2].get().map(\.id) == [third.id])
            try expectError(.notFound) { _ = try results[1].get() }
            try expect(
                store.list(CubeFilter(owner: alice), by: .local).map(\.text) == ["first"]
                    && store.list(CubeFilter(owner: bob), by: .local).map(\.text) == ["third"])
        },
        check("no string is cut off") { store in
            let owner = Owner(user: "alice\0")
            _ = try store.commit([add(sample("secret"))], owner: alice, by: at(1))
            try expectError(.invalidText) { _ = try store.list(CubeFilter(owner: owner), by: .local) }
            try expectError(.invalidText) { _ = try store.commit([add(sample("x"))], owner: owner, by: at(1)) }
            try expectError(.invalidText) { _ = try store.commit([add(sample("a\0b"))], owner: alice, by: at(1)) }
            try expectError(.invalidText) {
                _ = try store.commit([add(sample("a", session: "s\0"))], owner: alice, by: at(1))
            }
        },
        check("cubes are counted to a limit") { store in
            for i in 0..<4 { _ = try store.commit([add(sample("\(i)"))], owner: alice, by: at(1)) }
            try expect(
                store.count(owner: alice, limit: 3) == 3 && store.count(owner: alice, limit: 9) == 4
                    && store.count(owner: bob, limit: 9) == 0)
        },
        check("uses add up and are no change") { store in
            let cube = sample("used")
            _ = try store.commit([add(cube)], owner: alice, by: at(1))
            let position = try store.changes(owner: alice, since: 0, vectorsSince: 0, embedder: "e").position
            try store.recordUse(
                [cube.id: Usage(count: 2, last: at(9).time), CubeID(): Usage(count: 1, last: at(9).time)], owner: alice)
            try store.recordUse([cube.id: Usage(count: 1, last: at(5).time)], owner: alice)
            try store.recordUse([cube.id: Usage(count: 1, last: at(5).time)], owner: bob)
            try expect(
                store.cube(cube.id, owner: alice, asOf: nil, by: .local)?.usage == Usage(count: 3, last: at(9).time))
            try expect(store.changes(owner: alice, since: 0, vectorsSince: 0, embedder: "e").position == position)
        },
        check("whoever calls reaches their own, up to their clearance, and what was shared") { store in
            var secret = sample("secret")
            secret.sensitivity = .confidential
            let plain = sample("plain")
            _ = try store.commit([add(secret), add(plain)], owner: alice, by: at(1))
            func sees(_ principal: Principal) throws -> [String] {
                try store.list(CubeFilter(owner: alice), by: Caller(principal)).map(\.text)
            }
            let low = Principal(name: "low", permissions: [.read], user: "alice", clearance: .internal)
            try expect(sees(low) == ["plain"] && store.cube(secret.id, owner: alice, asOf: nil, by: Caller(low)) == nil)
            let sight = try store.visibility(of: alice, for: .read, by: Caller(low))
            try expect(
                store.changes(owner: alice, since: 0, vectorsSince: 0, embedder: "e", visibility: sight).rows.map(\.id)
                    == [plain.id])
            let guest = Principal(name: "guest", permissions: [.read, .write], user: "guest")
            try expectRefusal { _ = try sees(guest) }
            let grant = try store.share(Grant(owner: alice, cube: secret.id, grantee: .user("guest")), by: at(2))
            try expect(sees(guest) == ["secret"] && store.grants(to: Caller(guest)) == [grant])
            try expectRefusal { _ = try store.commit([.archive(secret.id)], owner: alice, by: Caller(guest)) }
            try store.unshare(grant.id, owner: alice, by: at(3))
            try expectRefusal { _ = try sees(guest) }
            try expectRefusal {
                _ = try sees(Principal(name: "far", permissions: [.read], tenant: "elsewhere", user: "alice"))
            }
            try expectRefusal { _ = try store.statistics(owner: nil, by: Caller(low)) }
        },
        check("reads, writes and refusals are in the audit log, which is whole") { store in
            let cube = sample("x")
            _ = try store.commit([add(cube)], owner: alice, by: at(1))
            _ = try store.cube(cube.id, owner: alice, asOf: nil, by: at(2))
            try expectRefusal {
                _ = try store.list(
                    CubeFilter(owner: alice), by: Caller(Principal(name: "bob", permissions: [.read], user: "bob")))
            }
            let entries = try store.auditEntries(after: 0, limit: 10, by: at(3))
            try expect(
                entries.map(\.outcome) == [.done, .done, .refused] && entries[0].cubes == [cube.id]
                    && entries[1].cubes == [cube.id])
            try expect(entries.map(\.principal) == ["test", "test", "bob"])
            try expect(store.verifyAudit(keys: nil, head: nil, by: at(4)).findings.isEmpty)
        },
        check("the checks find a sound store sound") { store in
            _ = try store.commit([add(sample("x"))], owner: alice, by: at(1))
            try expect(store.check(repair: false, by: .local).allSatisfy(\.sound))
        },
    ]

    private static let alice = Owner(user: "alice"), bob = Owner(user: "bob")

    private static func check(_ name: String, _ body: @escaping @Sendable (any MemoryStore) throws -> Void)
        -> MemoryStoreConformance
    {
        MemoryStoreConformance(description: name, body: body)
    }

    private static func at(_ seconds: Double) -> Caller {
        Caller(
            Principal(name: "test", permissions: Set(Permission.allCases)), reason: "conformance",
            time: Date(timeIntervalSince1970: seconds))
    }

    private static func sample(_ text: String, session: String? = nil) -> MemCube {
        MemCube(
            scope: Scope(user: "alice", session: session), type: .episodic, text: text,
            eventTime: Date(timeIntervalSince1970: 1_700_000_000),
            recordedTime: Date(timeIntervalSince1970: 1_700_000_100), provenance: Provenance(source: "test"))
    }

    private static func add(_ cube: MemCube) -> Mutation {
        .add(cube, analysis: [1, 0, 0, 0, 1], contentHash: Array(cube.text.utf8))
    }
    private static func update(_ cube: MemCube) -> Mutation {
        .update(cube, analysis: [2, 0, 0, 0, 1], contentHash: Array(cube.text.utf8))
    }

    private static func expect(_ condition: @autoclosure () throws -> Bool, line: Int = #line) throws {
        guard try condition() else {
            throw Failure(description: "The expectation at line \(line) of the conformance suite does not hold.")
        }
    }

    private static func require<T>(_ value: @autoclosure () throws -> T?, line: Int = #line) throws -> T {
        guard let value = try value() else {
            throw Failure(description: "The value at line \(line) of the conformance suite is missing.")
        }
        return value
    }

    private static func expectRefusal(line: Int = #line, _ body: () throws -> Void) throws {
        do { try body() } catch is AccessError { return }
        throw Failure(description: "Line \(line) of the conformance suite: a refusal was expected.")
    }

    private static func expectError(_ code: StoreError.Code, line: Int = #line, _ body: () throws -> Void) throws {
        do { try body() } catch let error as StoreError where error.code == code { return }
        throw Failure(description: "Line \(line) of the conformance suite: '\(code.rawValue)' was expected.")
    }
}
