import Foundation
import MnemeStore

/// Requirements of a `CandidateStore`: what it finds is what an index of all would look at, and nothing
/// that the caller may not see. For stores that play this role, beside ``MemoryStoreConformance/all``.
extension MemoryStoreConformance {
    /// The role, of a store that is said to play it.
    private static func role(_ store: any MemoryStore) throws -> any CandidateStore {
        guard let role = store as? any CandidateStore else {
            throw Failure(description: "The store finds no candidates: it is no CandidateStore.")
        }
        return role
    }

    private static func scope(
        _ visibility: Visibility = .all, _ narrow: (inout CubeFilter) -> Void = { _ in }
    ) -> CandidateScope {
        var filter = CubeFilter(owner: alice)
        narrow(&filter)
        return CandidateScope(filter, visibility, now: Date(timeIntervalSince1970: 100))
    }

    /// Checks of candidates.
    public static let candidates: [MemoryStoreConformance] = [
        // Holds `forEachMatch` to what is visible, and to what fits. Finds a store that counts what was
        // erased or is labelled above the reader, that leaves out what a filter leaves out, or that
        // says that what is archived fits.
        check("terms are found in all that is visible, and counted") { store in
            let role = try role(store)
            var (first, second, secret) = (sample("first", session: "s"), sample("second"), sample("secret"))
            first.scope.agent = "scribe"
            second.speaker = "Ana"
            secret.sensitivity = .restricted
            let gone = sample("gone")
            _ = try store.commit([first, second, secret, gone].map { add($0) }, owner: alice, by: at(1))
            _ = try store.commit([.archive(second.id), .erase(gone.id)], owner: alice, by: at(2))
            _ = try store.commit([add(sample("other"))], owner: bob, by: at(3))
            func matches(_ scope: CandidateScope) throws -> ([Bool], CorpusCounts?) {
                var fits: [Bool] = []
                let counts = try role.forEachMatch(scope, terms: [Data([1, 0, 0, 0])]) { fits.append($0.fits) }
                return (fits, counts)
            }
            let all = try matches(scope { $0.agent = "scribe" })
            try expect(all.0 == [true, false, false])
            try expect(all.1?.memories == 3 && all.1?.sessions == 3 && all.1?.analysisBytes == 15)
            try expect(all.1?.speakers == ["Ana": 1])
            let some = try matches(scope(Visibility(ceiling: .internal)))
            try expect(some.0 == [true, false] && some.1?.memories == 2)
            let none = try role.forEachMatch(scope(), terms: [Data([9, 9, 9, 9])]) { _ in
                throw Failure(description: "A memory was handed over that holds none of the terms.")
            }
            try expect(none?.memories == 3)
        },
        // Holds `dated` to its spans and order, `candidates` to neighbours and to what links lead to.
        // Finds a store that takes a far message for a neighbour, forgets where a chain of
        // superseding ends, or hands over another owner's rows.
        check("candidates come with what stands beside them, and with what supersedes them") { store in
            let role = try role(store)
            var cubes = (0..<9).map { sample("\($0)", session: "s") }
            for i in cubes.indices { cubes[i].eventTime = Date(timeIntervalSince1970: 1_000 * Double(i)) }
            let (later, last) = (sample("later"), sample("last"))
            let foreign = sample("foreign")
            _ = try store.commit((cubes + [later, last]).map { add($0) }, owner: alice, by: at(1))
            _ = try store.commit([add(foreign)], owner: bob, by: at(1))
            for (new, old) in [(later, cubes[0]), (last, later)] {
                let link = CubeLink(
                    source: new.id, target: old.id, kind: CubeLink.supersedes, time: Date(timeIntervalSince1970: 2))
                _ = try store.commit([.link(link)], owner: alice, by: at(2))
            }
            let span = DateInterval(
                start: Date(timeIntervalSince1970: 0), end: Date(timeIntervalSince1970: 1_000))
            let found = try role.dated(scope(), within: [span], limit: 5)
            let rows = try role.candidates(scope(), found, embedder: "e")
            try expect(found.count == 1 && rows.changes.links.count == 2)
            try expect(rows.changes.rows.map(\.id) == cubes.prefix(4).map(\.id) + [later.id, last.id])
            let answers = rows.changes.rows.filter { rows.answers.contains($0.sequence) }.map(\.id)
            try expect(answers == [cubes[0].id, cubes[1].id, later.id, last.id])
            try expect(rows.sessions.mapValues(\.analysisBytes) == ["s": 45])
            _ = try store.commit([.erase(cubes[0].id)], owner: alice, by: at(3))
            let rest = try role.candidates(scope(), found, embedder: "e")
            try expect(rest.changes.rows.isEmpty && rest.changes.links.isEmpty)
            try expect(role.dated(scope(), within: [span], limit: 5).isEmpty)
        },
        // Holds `nearest` to cosine, embedder and visibility, in a store that compares vectors. Finds
        // one that compares lengths, another model's vectors, or those of another owner.
        check("the nearest vectors are those of the owner, the embedder and the filter") { store in
            let role = try role(store)
            let cubes = (0..<4).map { sample("\($0)") }
            let foreign = sample("foreign")
            _ = try store.commit(cubes.map { add($0) }, owner: alice, by: at(1))
            _ = try store.commit([add(foreign)], owner: bob, by: at(1))
            try store.saveVectors(
                [
                    (cubes[0].id, 1, [3, 0.1]), (cubes[1].id, 1, [0.1, 0.1]), (cubes[2].id, 1, [0, 9]),
                    (foreign.id, 1, [1, 0]),
                ], embedder: "e")
            try store.saveVectors([(cubes[3].id, 1, [1, 0])], embedder: "other")
            guard try role.comparesVectors(of: alice, embedder: "e") else { return }
            let near = try role.nearest(scope(), to: [1, 0], embedder: "e", limit: 2)
            let rows = try role.candidates(scope(), near, embedder: "e").changes.rows
            try expect(near.count == 2 && rows.map(\.id) == [cubes[0].id, cubes[1].id])
            try expect(near.first == rows.first?.sequence && rows.first?.vector == [3, 0.1])
            _ = try store.commit([.archive(cubes[0].id)], owner: alice, by: at(2))
            try expect(role.nearest(scope(), to: [1, 0], embedder: "e", limit: 1) == [near[1]])
            try expect(role.nearest(scope { $0.agent = "x" }, to: [1, 0], embedder: "e", limit: 9).isEmpty)
            try expect(role.nearest(scope(), to: [1, 0, 0], embedder: "e", limit: 9).isEmpty)
        },
    ]
}
