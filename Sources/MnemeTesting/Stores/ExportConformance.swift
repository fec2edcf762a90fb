import Foundation
import MnemeStore

/// Requirements of every ``ExportLog``: erasing reaches copies that left only if each is known.
extension MemoryStoreConformance {
    /// Checks of copies that left the store, and of cubes that were erased since.
    static let exports: [MemoryStoreConformance] = [
        // Holds `record`, `exports`, `erased` and `forget` to one owner and to journal positions.
        // Finds a store that lists a copy twice, that shows it to another owner, or that misses an
        // erasure because it compares times.
        check("what left is written down, and what was erased since") { store in
            let cube = sample("copied")
            _ = try store.commit([add(cube)], owner: alice, by: at(1))
            let position = try store.position(of: alice)
            let export = copy(to: "/copy", at: 2, position)
            try store.record(export)
            try store.record(export)
            try expect(
                store.exports(of: alice, by: .local) == [export]
                    && store.exports(of: bob, by: .local).isEmpty)
            try expect(store.erased(of: alice, since: position).isEmpty)
            _ = try store.commit([.erase(cube.id)], owner: alice, by: at(3))
            try expect(store.erased(of: alice, since: position) == [cube.id])
            try expect(store.erased(of: bob, since: 0).isEmpty)
            try store.forget(export, by: .local)
            try expect(store.exports(of: alice, by: .local).isEmpty)
        },
        // A file that is written again holds no more of what an earlier copy held, and a follower
        // that fetches again is one copy, not many.
        // Holds `record(_:)` to replacing by kind and place, and `exports` to the order of time.
        // Finds a store that takes a file and a server of the same name for one copy.
        check("of one place the last copy counts, and places are told the oldest first") { store in
            _ = try store.create(alice, by: at(1))
            let first = copy(to: "/a", at: 5, 1)
            let other = copy(to: "/b", at: 3, 1)
            var again = first
            (again.time, again.position) = (at(9).time, 7)
            var fetched = again
            fetched.kind = .server
            for export in [first, other, fetched] { try store.record(export) }
            try expect(store.exports(of: alice, by: .local) == [other, first, fetched])
            try store.record(again)
            let kept = try store.exports(of: alice, by: .local)
            try expect(kept.first == other && Set(kept) == [other, again, fetched])
        },
        // Holds `exports` and `forget` to callers who see all of the memories. Finds a store that
        // tells a caller of low clearance where confidential memories went, or lets it take a copy
        // off the list so that an erasure no longer reaches it.
        check("who reaches a part of the memories is not told of copies, nor forgets one") {
            store in
            _ = try store.create(alice, by: at(1))
            let export = copy(to: "/copy", at: 2, 0)
            try store.record(export)
            let low = Caller(
                Principal(
                    name: "low", permissions: [.read, .erase], user: "alice", clearance: .internal))
            try expect(store.exports(of: alice, by: low).isEmpty)
            try expectRefusal { try store.forget(export, by: low) }
            try expect(store.exports(of: alice, by: .local) == [export])
        },
    ]

    /// A copy of Alice's memories in a file, written at a time and a position of the journal.
    private static func copy(to place: String, at seconds: Double, _ position: Int64)
        -> VaultExport
    {
        VaultExport(
            owner: alice, kind: .file, place: place, time: at(seconds).time, principal: "test",
            position: position)
    }
}
