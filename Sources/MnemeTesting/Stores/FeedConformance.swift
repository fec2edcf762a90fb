import Foundation
import MnemeStore

/// Requirements of every ``IndexFeed``: an index that follows it holds what the store holds, after
/// a crash as well.
extension MemoryStoreConformance {
    /// Checks of the changes, vectors and uses that indexes are told.
    static let feed: [MemoryStoreConformance] = [
        // Holds `IndexRow.place` to the order of commits, which conversation neighbours are found
        // by. Finds a store that numbers by time or over all sessions.
        check("places in a session follow the order of commits") { store in
            for i in 0..<3 {
                _ = try store.commit(
                    [add(sample("\(i)", session: "s"))], owner: alice, by: at(Double(i)))
            }
            let rows = try store.changes(owner: alice, since: .start, embedder: "e").rows
            try expect(rows.map(\.place) == [0, 1, 2] && rows.allSatisfy { $0.session == "s" })
        },
        // Holds `changes` to its positions: each change once, erasures by id. Finds a store that
        // sends erased cubes as rows, that forgets erasures, or whose position skips what was
        // committed meanwhile.
        check("an index catches up from its position") { store in
            let first = sample("first")
            let second = sample("second")
            _ = try store.commit([add(first)], owner: alice, by: at(1))
            let start = try store.changes(owner: alice, since: .start, embedder: "e")
            try expect(
                start.rows.map(\.id) == [first.id] && start.rows[0].analysis == [1, 0, 0, 0, 1])
            _ = try store.commit([add(second), .archive(first.id)], owner: alice, by: at(2))
            let next = try store.changes(owner: alice, since: start.reached, embedder: "e")
            try expect(
                next.rows.map(\.id) == [first.id, second.id] && next.rows[0].state == .archived)
            _ = try store.commit([.erase(second.id)], owner: alice, by: at(3))
            let last = try store.changes(owner: alice, since: next.reached, embedder: "e")
            try expect(last.rows.isEmpty && last.erased == [second.id])
        },
        // Holds `forEachTerms` to what is visible, in order of recording, with the state of now.
        // Finds a store that hands over what was erased or labelled above the reader, or that goes
        // on when it was told to end.
        check("terms are handed over one after the other, as far as they are wanted") { store in
            let cubes = (0..<4).map { sample("\($0)") }
            var secret = sample("secret")
            secret.sensitivity = .restricted
            _ = try store.commit((cubes + [secret]).map { add($0) }, owner: alice, by: at(1))
            _ = try store.commit(
                [.archive(cubes[0].id), .erase(cubes[1].id)], owner: alice, by: at(2))
            func terms(_ visibility: Visibility, limit: Int = .max) throws -> [TermsRow] {
                var rows: [TermsRow] = []
                try store.forEachTerms(owner: alice, visibility: visibility) {
                    rows.append($0)
                    return rows.count < limit
                }
                return rows
            }
            let all = try terms(.all)
            try expect(all.map(\.id) == [cubes[0], cubes[2], cubes[3], secret].map(\.id))
            try expect(all[0].state == .archived && all[0].analysis == [1, 0, 0, 0, 1])
            let low = Principal(
                name: "low", permissions: [.read], user: "alice", clearance: .confidential)
            let visibility = try store.visibility(of: alice, for: .read, by: Caller(low))
            try expect(terms(visibility).map(\.id) == all.dropLast().map(\.id))
            try expect(terms(.all, limit: 2).count == 2)
            try store.forEachTerms(owner: bob, visibility: .all) { _ in
                throw StoreError(.corrupt, "Another owner's terms were handed over.")
            }
        },
        // Holds `journalMark`: what was derived at a position is told from what another journal had
        // there. Finds a store whose marks are equal, or change when a memory is erased.
        check("an entry of the journal is told from every other") { store in
            let first = sample("first")
            let second = sample("second")
            let position: () throws -> Int64 = {
                try store.changes(owner: alice, since: .start, embedder: "e").reached.journal
            }
            _ = try store.commit([add(first)], owner: alice, by: at(1))
            let one = try position()
            let mark = try store.journalMark(at: one, owner: alice)
            _ = try store.commit([add(second)], owner: alice, by: at(2))
            let two = try position()
            let later = try store.journalMark(at: two, owner: alice)
            try expect(mark != nil && later != nil && mark != later)
            _ = try store.commit([.erase(first.id)], owner: alice, by: at(3))
            try expect(store.journalMark(at: one, owner: alice) == mark)
            try expect(store.journalMark(at: two + 100, owner: alice) == nil)
            try expect(store.journalMark(at: one, owner: bob) == nil)
        },
        // Holds `changes` to the mark of a position. Finds a store whose journal went back, as after a
        // fail-over that lost commits, and that hides from an index what was written since.
        check("an index of another history begins anew") { store in
            let cubes = (0..<3).map { sample("\($0)") }
            _ = try store.commit([add(cubes[0]), add(cubes[1])], owner: alice, by: at(1))
            try store.saveVectors([(cubes[0].id, 1, [1, 0])], embedder: "e")
            let start = try store.changes(owner: alice, since: .start, embedder: "e")
            try expect(!start.isReset && start.reached.vectors > 0)
            try expect(start.reached.mark == store.journalMark(at: start.reached.journal, owner: alice))
            // Nothing new, and still the same entry.
            let same = try store.changes(owner: alice, since: start.reached, embedder: "e")
            try expect(same.isEmpty && same.reached == start.reached)
            // Another entry at the position; a position, and vectors, that were never reached here.
            var other = start.reached
            other.mark = (other.mark ?? "") + "?"
            let ahead = FeedPosition(start.reached.journal + 9, vectors: 0, mark: start.reached.mark)
            let more = FeedPosition(
                start.reached.journal, vectors: start.reached.vectors + 9, mark: start.reached.mark)
            for since in [other, ahead, more] {
                let all = try store.changes(owner: alice, since: since, embedder: "e")
                try expect(all.isReset && !all.isEmpty && all.reached == start.reached)
                try expect(all.rows.map(\.id) == cubes[..<2].map(\.id) && all.rows[0].vector == [1, 0])
            }
            // So it is for an owner of whom there is nothing left.
            let gone = try store.changes(owner: bob, since: start.reached, embedder: "e")
            try expect(gone.isReset && gone.rows.isEmpty && gone.reached.journal == 0)
            _ = try store.commit([add(cubes[2])], owner: alice, by: at(2))
            let next = try store.changes(owner: alice, since: start.reached, embedder: "e")
            try expect(!next.isReset && next.rows.map(\.id) == [cubes[2].id])
        },
        // Holds `pendingEmbeddings` and `saveVectors` to versions and embedders. Finds a store that
        // keeps the vector of a text that has changed while it was computed, or that takes the
        // vector of one embedding model for that of another.
        check("work that is left survives, and a vector of an old version is dropped") { store in
            var cube = sample("text")
            _ = try store.commit([add(cube)], owner: alice, by: at(1))
            let pending = try store.pendingEmbeddings(replacing: "e", limit: 10)
            try expect(
                pending.map(\.id) == [cube.id] && store.pendingEmbeddingCount(replacing: "e") == 1)
            cube.text = "changed"
            _ = try store.commit([update(cube)], owner: alice, by: at(2))
            try store.saveVectors([(cube.id, 1, [1, 0])], embedder: "e")
            try expect(store.pendingEmbeddings(replacing: "e", limit: 10).map(\.version) == [2])
            try store.saveVectors([(cube.id, 2, [0, 1])], embedder: "e")
            try expect(
                store.pendingEmbeddingCount(replacing: "e") == 0
                    && store.pendingEmbeddingCount(replacing: nil) == 0
                    && store.pendingEmbeddingCount(replacing: "another") == 1
            )
            try expect(
                store.embedders() == [StoredEmbedder(identifier: "e", dimension: 2)])
            // What has no vector at all comes before what has another embedder's.
            let second = sample("second")
            _ = try store.commit([add(second)], owner: alice, by: at(3))
            try expect(
                store.pendingEmbeddings(replacing: nil, limit: 9).map(\.id) == [second.id]
                    && store.pendingEmbeddings(replacing: "f", limit: 9).map(\.id)
                        == [second.id, cube.id]
                    && store.pendingEmbeddings(replacing: "f", limit: 1).map(\.id) == [second.id])
            try store.saveVectors([(second.id, 1, [1, 0, 0])], embedder: "f")
            try expect(
                store.embedders() == [
                    StoredEmbedder(identifier: "e", dimension: 2),
                    StoredEmbedder(identifier: "f", dimension: 3),
                ])
            try expect(
                store.changes(owner: alice, since: .start, embedder: "e").rows.first?
                    .vector == [0, 1])
        },
        // Work that goes over all memories is cut short by crashes and ends of leases; it goes on
        // where it was, and never goes back.
        // Holds `setProgress(_:of:owner:)` and `CubeFilter.afterProgress`. Finds a store whose
        // watermark goes back when an older job reports late, or that is shared between kinds of
        // work or owners.
        check("work on an owner's memories goes on where it was") { store in
            let cubes = (0..<4).map { sample("\($0)") }
            _ = try store.commit(cubes.map(add), owner: alice, by: at(1))
            func left(_ work: String) throws -> [String] {
                var filter = CubeFilter(owner: alice)
                filter.afterProgress = work
                return try store.list(filter, by: .local).map(\.text)
            }
            try expect(left("tidy") == ["0", "1", "2", "3"])
            try store.setProgress(cubes[2].id, of: "tidy", owner: alice)
            try expect(left("tidy") == ["3"] && left("other").count == 4)
            try store.setProgress(cubes[0].id, of: "tidy", owner: alice)
            try expect(left("tidy") == ["3"])
            // Of no memory, and of another's, there is nothing to note.
            try store.setProgress(CubeID(), of: "tidy", owner: alice)
            try store.setProgress(cubes[3].id, of: "tidy", owner: bob)
            try expect(left("tidy") == ["3"])
            _ = try store.commit([add(sample("4"))], owner: alice, by: at(2))
            try expect(left("tidy") == ["3", "4"])
        },
        // Holds `recordUse(_:owner:)`: counts add up, the latest time stays, and the journal does
        // not grow. Finds a store that writes a version for each recall, so that all indexes read
        // it again.
        check("uses add up and are no change") { store in
            let cube = sample("used")
            _ = try store.commit([add(cube)], owner: alice, by: at(1))
            let position = try store.changes(owner: alice, since: .start, embedder: "e")
                .reached.journal
            try store.recordUse(
                [
                    cube.id: Usage(count: 2, last: at(9).time),
                    CubeID(): Usage(count: 1, last: at(9).time),
                ], owner: alice)
            try store.recordUse([cube.id: Usage(count: 1, last: at(5).time)], owner: alice)
            try store.recordUse([cube.id: Usage(count: 1, last: at(5).time)], owner: bob)
            try expect(
                store.cube(cube.id, owner: alice, asOf: nil, by: .local)?.usage
                    == Usage(count: 3, last: at(9).time))
            try expect(
                store.changes(owner: alice, since: .start, embedder: "e").reached.journal
                    == position)
        },
    ]
}
