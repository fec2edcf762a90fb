import Foundation
import MnemeStore

/// Requirements of every ``CubeStore``: durable cubes, a journal of each change, and owners that
/// never meet.
///
/// SQLite's own guarantees do not make them true: most are about what a commit may do (`Rules`),
/// and about reads that must agree with each other.
extension MemoryStoreConformance {
    /// Checks of cubes and their journal, from the first commit to erasure.
    static let cubes: [MemoryStoreConformance] = [
        // Holds `commit`, `cube` and `list` to one answer. Finds a store that keeps one of the two
        // times only, that rounds them, or whose list lags behind its cubes.
        check("what is committed can be read, with both times") { store in
            let cube = sample("tea")
            let saved = try store.commit([add(cube)], owner: alice, by: at(1))
            try expect(saved.map(\.id) == [cube.id])
            let read = try require(store.cube(cube.id, owner: alice, asOf: nil, by: .local))
            try expect(
                read.text == "tea" && read.eventTime == cube.eventTime
                    && read.recordedTime == cube.recordedTime
                    && read.version == 1)
            try expect(store.list(CubeFilter(owner: alice), by: .local).map(\.id) == [cube.id])
        },
        // Holds every read of `CubeStore`, and the feed, to the owner that is named. Finds a query
        // that goes by id alone, as history and snapshot easily do; another owner's id must be "not
        // found", as any other answer would tell that it exists.
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
                try expectError(.notFound) {
                    _ = try store.commit([mutation], owner: bob, by: at(2))
                }
            }
            try expect(
                store.changes(owner: bob, since: .start, embedder: "e").rows.isEmpty)
        },
        // Holds `ids(endingWith:owner:by:)` to plain text and to the owner. Finds a store that puts
        // the ending into a pattern, where `%` matches every id.
        check("an id is found by its ending, among the owner's own") { store in
            let cube = sample("by its ending")
            let ending = String(cube.id.description.suffix(8))
            _ = try store.commit([add(cube), add(sample("other"))], owner: alice, by: at(1))
            try expect(store.ids(endingWith: ending, owner: alice, by: .local) == [cube.id])
            try expect(store.ids(endingWith: ending, owner: bob, by: .local).isEmpty)
            try expect(store.ids(endingWith: "%", owner: alice, by: .local).isEmpty)
        },
        // Holds `commit` to one transaction a request. Finds a store that writes mutation by
        // mutation and keeps those before the one that fails.
        check("a batch is applied whole or not at all") { store in
            let cube = sample("half")
            try expectError(.notFound) {
                _ = try store.commit([add(cube), .archive(CubeID())], owner: alice, by: at(1))
            }
            try expect(store.cube(cube.id, owner: alice, asOf: nil, by: .local) == nil)
        },
        // Holds `WriteRequest.idempotencyKey`: the first answer comes again, and nothing is
        // written. Finds a store that only checks for equal texts, that answers a repeated request
        // with new ids, that logs other cubes than it returned, or that takes the key for another
        // request.
        check("a repeated idempotency key changes nothing; with another request it is refused") {
            store in
            let first = sample("once")
            _ = try store.commit([add(first)], owner: alice, by: at(1), idempotencyKey: "k")
            let again = try store.commit(
                [add(sample("once"))], owner: alice, by: at(2), idempotencyKey: "k")
            try expect(
                again.map(\.id) == [first.id]
                    && store.list(CubeFilter(owner: alice), by: .local).count == 1)
            try expect(
                store.auditEntries(after: 0, limit: 9, by: .local).prefix(2).allSatisfy {
                    $0.cubes == [first.id]
                })
            try expectError(.conflict) {
                _ = try store.commit(
                    [add(sample("other"))], owner: alice, by: at(3), idempotencyKey: "k")
            }
        },
        // Holds `asOf` of `cube` and `snapshot` to the recorded time, and `history` to versions
        // without gaps. Finds a store that keeps the newest version only, that is off by one at the
        // limits, or that drops archived cubes from the past where they were in use.
        check("each version can be read as of its time") { store in
            var cube = sample("one")
            _ = try store.commit([add(cube)], owner: alice, by: at(10))
            cube.text = "two"
            _ = try store.commit([update(cube)], owner: alice, by: at(20))
            _ = try store.commit([.archive(cube.id)], owner: alice, by: at(30))
            try expect(
                store.cube(cube.id, owner: alice, asOf: Date(timeIntervalSince1970: 5), by: .local)
                    == nil)
            try expect(
                store.cube(
                    cube.id, owner: alice, asOf: Date(timeIntervalSince1970: 15), by: .local)?.text
                    == "one")
            try expect(
                store.cube(
                    cube.id, owner: alice, asOf: Date(timeIntervalSince1970: 25), by: .local)?.text
                    == "two")
            try expect(store.cube(cube.id, owner: alice, asOf: nil, by: .local)?.state == .archived)
            try expect(
                store.snapshot(owner: alice, asOf: Date(timeIntervalSince1970: 25), by: .local).map(
                    \.text) == ["two"])
            try expect(
                store.history(cube.id, owner: alice, by: .local).map(\.operation) == [
                    .add, .update, .archive,
                ])
            try expect(
                store.history(cube.id, owner: alice, by: .local).map(\.version) == [1, 2, 3])
            let restored = try store.commit([.restore(cube.id)], owner: alice, by: at(40))
            try expect(restored.first?.state == .activated && restored.first?.version == 4)
        },
        // Holds `Mutation.erase`: cube, snapshots in the journal and links are gone, and the fact
        // of the erasure stays. Finds a store that hides the cube but keeps its old versions, or
        // links that still name it on the other side.
        check("erase leaves no text behind, not even in the history") { store in
            let cube = sample("gone")
            let other = sample("stays")
            _ = try store.commit([add(cube), add(other)], owner: alice, by: at(1))
            _ = try store.commit(
                [.link(CubeLink(source: cube.id, target: other.id, kind: "related", time: Date()))],
                owner: alice,
                by: at(2))
            _ = try store.commit([.erase(cube.id)], owner: alice, by: at(3))
            try expect(
                store.cube(cube.id, owner: alice, asOf: nil, by: .local) == nil
                    && store.cube(cube.id, owner: alice, asOf: .distantFuture, by: .local) == nil)
            let history = try store.history(cube.id, owner: alice, by: .local)
            try expect(
                history.last?.operation == .erase
                    && history.allSatisfy { $0.snapshot == nil && $0.link == nil })
            try expect(store.links(of: other.id, owner: alice, by: .local).isEmpty)
            try expectError(.notFound) {
                _ = try store.commit([.restore(cube.id)], owner: alice, by: at(4))
            }
        },
        // Holds `Mutation.update` to the version that was read (optimistic locking). Finds a store
        // where the last writer wins and the first change is lost without a word.
        check("of two changes to one version, the second is refused") { store in
            var cube = sample("start")
            _ = try store.commit([add(cube)], owner: alice, by: at(1))
            cube.text = "first"
            _ = try store.commit([update(cube)], owner: alice, by: at(2))
            cube.text = "second"
            try expectError(.conflict) {
                _ = try store.commit([update(cube)], owner: alice, by: at(3))
            }
            try expect(store.cube(cube.id, owner: alice, asOf: nil, by: .local)?.text == "first")
        },
        // Holds `Mutation.add` to the content hash, within an owner and among cubes in use. Finds a
        // store that compares across owners, which would leak that somebody else said the same;
        // that misses duplicates in one batch; or that hands out an archived cube.
        check("the same content is recorded once, until it is archived") { store in
            let cube = sample("same")
            let first = try store.commit([add(cube), add(sample("same"))], owner: alice, by: at(1))
            try expect(first.map(\.id) == [cube.id, cube.id])
            try expect(store.commit([add(sample("same"))], owner: bob, by: at(1))[0].id != cube.id)
            _ = try store.commit([.archive(cube.id)], owner: alice, by: at(2))
            try expect(
                store.commit([add(sample("same"))], owner: alice, by: at(3))[0].id != cube.id)
        },
        // Holds the links of `Mutation.add`: one whose target is gone is left out, as an erasure
        // may have come between. Finds a store that fails the whole request, or that keeps a link
        // to nothing.
        check("links of a new cube are kept where their target is there") { store in
            let old = sample("old")
            let new = sample("new")
            _ = try store.commit([add(old)], owner: alice, by: at(1))
            let links = [old.id, CubeID()].map {
                CubeLink(source: new.id, target: $0, kind: "related", time: at(2).time)
            }
            _ = try store.commit(
                [.add(new, analysis: [], contentHash: [1], links: links)], owner: alice, by: at(2))
            try expect(store.links(of: new.id, owner: alice, by: .local) == [links[0]])
        },
        // Holds `commit(_:)` of several requests: they share one wait for the disk, not their fate.
        // Finds a store without savepoints, where a refused request undoes those before it or stops
        // those behind.
        check("requests in one transaction stand or fall one by one") { store in
            let first = sample("first")
            let third = sample("third")
            let results = try store.commit([
                WriteRequest([add(first)], owner: alice, by: at(1)),
                WriteRequest([add(sample("second")), .archive(CubeID())], owner: alice, by: at(1)),
                WriteRequest([add(third)], owner: bob, by: at(1)),
            ])
            try expect(
                results[0].get().map(\.id) == [first.id] && results[2].get().map(\.id) == [third.id]
            )
            try expectError(.notFound) { _ = try results[1].get() }
            try expect(
                store.list(CubeFilter(owner: alice), by: .local).map(\.text) == ["first"]
                    && store.list(CubeFilter(owner: bob), by: .local).map(\.text) == ["third"])
        },
        // Holds all texts, names of owners and sessions to being kept whole or refused. Finds a
        // store that hands strings to C as they are: cut at the zero byte, `alice\0` would reach
        // Alice's memories.
        check("no string is cut off") { store in
            let owner = Owner(user: "alice\0")
            _ = try store.commit([add(sample("secret"))], owner: alice, by: at(1))
            try expectError(.invalidText) {
                _ = try store.list(CubeFilter(owner: owner), by: .local)
            }
            try expectError(.invalidText) {
                _ = try store.commit([add(sample("x"))], owner: owner, by: at(1))
            }
            try expectError(.invalidText) {
                _ = try store.commit([add(sample("a\0b"))], owner: alice, by: at(1))
            }
            try expectError(.invalidText) {
                _ = try store.commit([add(sample("a", session: "s\0"))], owner: alice, by: at(1))
            }
        },
        // Holds `count(owner:limit:)`, which quotas ask for at each addition. Finds a store that
        // counts all owners, or that ignores the limit and so counts millions.
        check("cubes are counted to a limit") { store in
            for i in 0..<4 { _ = try store.commit([add(sample("\(i)"))], owner: alice, by: at(1)) }
            try expect(
                store.count(owner: alice, limit: 3) == 3 && store.count(owner: alice, limit: 9) == 4
                    && store.count(owner: bob, limit: 9) == 0)
        },
        // Holds `history` and `position(of:)`: versions from 1 without gaps, rising positions, who
        // and why in each entry, and a last position that is the owner's. Finds a store that orders
        // by time, where changes of the same second change places, or that counts positions over
        // all owners.
        check("a cube's journal is in order of its versions, and positions rise") { store in
            let first = sample("first")
            let second = sample("second")
            _ = try store.commit([add(first), add(second)], owner: alice, by: at(1))
            _ = try store.commit([.confirm(first.id)], owner: alice, by: at(2))
            _ = try store.commit(
                [.freeze(second.id), .restore(second.id)], owner: alice, by: at(3))
            _ = try store.commit([.archive(first.id)], owner: alice, by: at(4))
            let histories = try [first.id, second.id].map {
                try store.history($0, owner: alice, by: .local)
            }
            try expect(histories[0].map(\.operation) == [.add, .confirm, .archive])
            try expect(histories[1].map(\.operation) == [.add, .freeze, .restore])
            for history in histories {
                try expect(
                    history.map(\.version) == [1, 2, 3]
                        && history.map(\.snapshot?.version) == [1, 2, 3])
                try expect(
                    zip(history, history.dropFirst()).allSatisfy { $0.position < $1.position })
                try expect(
                    history.allSatisfy { $0.principal == "test" && $0.reason == "conformance" })
            }
            let last = histories.joined().map(\.position).max()
            try expect(last == store.position(of: alice) && store.position(of: bob) == 0)
        },
        // Holds the rule for claims: of two values for one subject and attribute the later event
        // time supersedes, whichever was committed first. Finds a store that goes by the order of
        // commits, or that does not give the earlier claim back when the later is archived or
        // erased.
        check(
            "of what two cubes claim of one thing, the later holds; without it the earlier does again"
        ) { store in
            var paris = sample("paris")
            var berlin = sample("berlin")
            paris.claims = [Claim(subject: "ana", attribute: "home", value: "paris")]
            berlin.claims = [Claim(subject: "ana", attribute: "home", value: "berlin")]
            berlin.eventTime = paris.eventTime.addingTimeInterval(60)
            // Whichever comes first.
            _ = try store.commit([add(berlin)], owner: alice, by: at(1))
            _ = try store.commit([add(paris)], owner: alice, by: at(2))
            let end: () throws -> Date? = {
                try store.cube(paris.id, owner: alice, asOf: nil, by: .local)?.validUntil
            }
            try expect(end() == berlin.eventTime)
            try expect(
                store.links(of: paris.id, owner: alice, by: .local).map(\.kind) == [
                    CubeLink.supersedes
                ])
            try expect(
                store.history(paris.id, owner: alice, by: .local).map(\.operation) == [
                    .add, .supersede,
                ])
            _ = try store.commit([.archive(berlin.id)], owner: alice, by: at(3))
            try expect(end() == nil && store.links(of: paris.id, owner: alice, by: .local).isEmpty)
            _ = try store.commit([.restore(berlin.id)], owner: alice, by: at(4))
            try expect(end() == berlin.eventTime)
            _ = try store.commit([.erase(berlin.id)], owner: alice, by: at(5))
            try expect(end() == nil)
        },
        // Holds the order of requests among servers whose clocks differ by a moment: what is claimed at
        // the time of the later request holds. Finds a store that goes by a clock behind the other's, or
        // that moves what was said to have happened at another time.
        check("of two claims made at their requests' times, that of the later request holds") { store in
            var ids: [CubeID] = []
            func claim(_ home: String, happened: Double? = nil, requested: Double) throws -> Date? {
                var cube = sample(home)
                cube.claims = [Claim(subject: "ana", attribute: "home", value: home)]
                cube.eventTime = at(happened ?? requested).time
                ids.append(cube.id)
                return try store.commit([add(cube)], owner: alice, by: at(requested)).first?.eventTime
            }
            func holding() throws -> [String] {
                try store.cubes(ids, owner: alice, by: .local).filter { $0.validUntil == nil }.map(\.text)
            }
            _ = try claim("paris", requested: 100)
            try expect(claim("berlin", requested: 99.5) == at(100).time && holding() == ["berlin"])
            try expect(claim("rome", happened: 99, requested: 101) == at(99).time && holding() == ["berlin"])
            try expect(claim("oslo", requested: 50) == at(50).time && holding() == ["berlin"])
        },
        // Holds the state `quarantined`: only release and erasure end it, and release names who
        // vouches. Finds a store where an update or a confirmation lets a text into recall that
        // nobody has looked at.
        check("a quarantined cube is changed by nothing but release and erasure") { store in
            var cube = sample("held")
            cube.state = .quarantined
            _ = try store.commit([add(cube)], owner: alice, by: at(1))
            for mutation in [
                Mutation.archive(cube.id), .freeze(cube.id), .confirm(cube.id), update(cube),
            ] {
                try expectError(.conflict) {
                    _ = try store.commit([mutation], owner: alice, by: at(2))
                }
            }
            let free = try store.commit([.release(cube.id)], owner: alice, by: at(3))
            try expect(free.first?.state == .activated && free.first?.vouchedBy == "test")
            try expectError(.conflict) {
                _ = try store.commit([.release(cube.id)], owner: alice, by: at(4))
            }
        },
        // Holds `Mutation.adopt` and `availability(of:owner:by:)`: id, times and principals of the
        // other store stay. Finds a store that writes the history anew, that takes an id which
        // another owner has, or that brings back what was erased here.
        check("a cube of another store keeps its id and history; an id is imported once") { store in
            let cube = sample("from afar")
            var entry = JournalEntry(
                position: 9, time: Date(timeIntervalSince1970: 1), operation: .add, cube: cube.id,
                version: 1, principal: "far")
            entry.snapshot = cube
            let past = entry
            func adopt(_ owner: Owner) throws -> [MemCube] {
                try store.commit(
                    [.adopt(cube, history: [past], analysis: [], contentHash: [7])], owner: owner,
                    by: at(5))
            }
            try expect(store.availability(of: [cube.id], owner: alice, by: .local) == [.free])
            try expect(adopt(alice).map(\.id) == [cube.id])
            let history = try store.history(cube.id, owner: alice, by: .local)
            try expect(
                history.map(\.operation) == [.add, .adopt]
                    && history.map(\.principal) == ["far", "test"])
            try expect(
                store.availability(of: [cube.id], owner: alice, by: .local) == [.here]
                    && store.availability(of: [cube.id], owner: bob, by: .local) == [.elsewhere])
            try expectError(.conflict) { _ = try adopt(bob) }
            _ = try store.commit([.erase(cube.id)], owner: alice, by: at(6))
            try expect(store.availability(of: [cube.id], owner: alice, by: .local) == [.erased])
            try expectError(.conflict) { _ = try adopt(alice) }
        },
        // Holds `Principal.quota` to additions of one owner. Finds a store that refuses to archive
        // or erase at the limit, that counts what was erased, or that counts other owners' cubes.
        check("a quota bounds what is added, not what is changed") { store in
            let small = Caller(
                Principal(name: "small", permissions: Set(Permission.allCases), quota: 2),
                time: at(1).time)
            let first = sample("1")
            _ = try store.commit([add(first), add(sample("2"))], owner: alice, by: small)
            try expectError(.quotaReached) {
                _ = try store.commit([add(sample("3"))], owner: alice, by: small)
            }
            _ = try store.commit([.archive(first.id)], owner: alice, by: small)
            _ = try store.commit([add(sample("3"))], owner: bob, by: small)
            _ = try store.commit([.erase(first.id)], owner: alice, by: small)
            _ = try store.commit([add(sample("3"))], owner: alice, by: small)
            try expect(store.count(owner: alice, limit: 9) == 2)
        },
    ]
}
