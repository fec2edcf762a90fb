import Foundation
import MnemeStore

/// Requirements of every ``StoreMaintenance``: counts that are true, files that shrink, and proofs
/// of erasure that look for the right bytes.
extension MemoryStoreConformance {
    /// Checks of counts, files and traces.
    static let maintenance: [MemoryStoreConformance] = [
        // Holds `check(repair:by:)` to no false alarm. Finds a check whose invariant does not hold
        // for what a plain commit writes.
        check("the checks find a sound store sound") { store in
            _ = try store.commit([add(sample("x"))], owner: alice, by: at(1))
            try expect(store.check(repair: false, by: .local).allSatisfy(\.sound))
        },
        // Erasure is proved by looking for these bytes in all files: a trace that is left out makes
        // a proof that proves nothing.
        // Holds `traces(of:owner:)` to old versions and vectors, and to the owner. Finds a store
        // that lists the present text only.
        check("traces are all that is kept of a memory, and none once it is erased") { store in
            var cube = sample("first words")
            _ = try store.commit([add(cube)], owner: alice, by: at(1))
            try store.saveVectors([(cube.id, 1, [0.5, -0.5])], embedder: "e")
            let vector = [Float](arrayLiteral: 0.5, -0.5).withUnsafeBytes { Data($0) }
            try expect(
                Set(store.traces(of: [cube.id], owner: alice)) == [Data("first words".utf8), vector])
            cube.text = "second words"
            _ = try store.commit([update(cube)], owner: alice, by: at(2))
            let traces = try store.traces(of: [cube.id, CubeID()], owner: alice)
            try expect(
                Set(traces).isSuperset(of: [Data("first words".utf8), Data("second words".utf8)]))
            try expect(store.traces(of: [cube.id], owner: bob).isEmpty)
            _ = try store.commit([.erase(cube.id)], owner: alice, by: at(3))
            try expect(store.traces(of: [cube.id], owner: alice).isEmpty)
        },
        // Holds `compact()` to reads, journal and audit log that stay as they were. Finds a store
        // that gives no room back, or that renumbers the journal on the way.
        check("compacting changes nothing that can be read, and gives room back") { store in
            let kept = sample("kept")
            let large = (0..<50).map { sample(String(repeating: "large \($0) ", count: 500)) }
            _ = try store.commit(([kept] + large).map(add), owner: alice, by: at(1))
            _ = try store.commit(large.map { .erase($0.id) }, owner: alice, by: at(2))
            let before = try store.statistics(owner: nil, by: .local)
            try store.compact()
            let after = try store.statistics(owner: nil, by: .local)
            try expect(after.bytesOnDisk < before.bytesOnDisk)
            try expect(
                after.memories == 1 && after.journalEntries == before.journalEntries
                    && store.cube(kept.id, owner: alice, asOf: nil, by: .local)?.text == "kept")
            try expect(store.check(repair: false, by: .local).allSatisfy(\.sound))
            try expect(store.verifyAudit(keys: nil, head: nil, by: at(3)).findings.isEmpty)
        },
        // Holds `statistics(owner:by:)` to the owner and to the caller's rights. Finds a store that
        // counts other owners' cubes in, or that tells a plain user how much all have.
        check("counts are of one owner, or of all for who reaches all") { store in
            _ = try store.commit(
                [add(sample("a", session: "s")), add(sample("b"))], owner: alice, by: at(1))
            _ = try store.commit([add(sample("c"))], owner: bob, by: at(1))
            let own = try store.statistics(owner: alice, by: .local)
            try expect(
                own.memories == 2 && own.owners == 1 && own.sessions == 1
                    && own.journalEntries == 2 && own.pendingEmbeddings == 2 && own.vectors == 0
                    && own.byType == ["episodic": 2] && own.byState == ["activated": 2])
            try expect(store.statistics(owner: nil, by: .local).memories == 3)
            let plain = Caller(Principal(name: "plain", permissions: [.read], user: "alice"))
            try expectRefusal { _ = try store.statistics(owner: nil, by: plain) }
        },
        // Holds the counts to what commits, vectors and erasures make of the rows. Finds a store
        // whose kept counts go on counting a row that a cascade, a replacement or a change of state
        // has taken.
        check("counts follow every change") { store in
            let cubes = (0..<4).map { sample("text \($0)", session: "s\($0 % 2)") }
            _ = try store.commit(cubes.map(add), owner: alice, by: at(1))
            let link = CubeLink(
                source: cubes[0].id, target: cubes[1].id, kind: "related",
                time: Date(timeIntervalSince1970: 5))
            for _ in 0..<2 { _ = try store.commit([.link(link)], owner: alice, by: at(2)) }
            let vectors = cubes.prefix(3).map { ($0.id, 1, [Float(1), 0]) }
            for _ in 0..<2 { try store.saveVectors(Array(vectors), embedder: "e") }
            var changed = cubes[1]
            changed.text = "another text"
            changed.type = .core
            _ = try store.commit([update(changed), .archive(changed.id)], owner: alice, by: at(3))
            var counts = try store.statistics(owner: alice, by: .local)
            try expect(counts.byState == ["activated": 3, "archived": 1])
            try expect(counts.byType == ["episodic": 3, "core": 1])
            try expect(counts.links == 1)
            try expect(counts.vectors == 3)
            try expect(counts.pendingEmbeddings == 2)
            try expect(counts.sessions == 2)
            _ = try store.commit([.erase(cubes[0].id)], owner: alice, by: at(4))
            counts = try store.statistics(owner: alice, by: .local)
            try expect(
                counts.memories == 3 && counts.links == 0 && counts.vectors == 2
                    && counts.pendingEmbeddings == 2
                    && counts.byState == ["activated": 2, "archived": 1])
            try expect(store.check(repair: false, by: .local).allSatisfy(\.sound))
        },
    ]
}
