import Foundation
import MnemeCube
import MnemePipeline
import MnemeRecipes
import Testing

/// Recipes of experience, trees and learned managers: the mechanism of each, by values alone.
@Suite struct ExperienceRecipeTests {
    private static let start = Date(timeIntervalSince1970: 1_700_000_000)

    private func recipe(_ name: String) throws -> Recipe {
        try #require(RecipeCatalog.recipe(name, over: PublishedPlanTests.base))
    }

    private func cube(
        _ text: String, day: Double = 0, session: String = "one", keywords: [String] = [], tags: [String] = []
    ) -> MemCube {
        let time = Self.start.addingTimeInterval(day * 86_400)
        var cube = MemCube(
            scope: Scope(user: "ana", session: session), type: .episodic, text: text, speaker: "Ana",
            eventTime: time, recordedTime: time, provenance: Provenance(source: "message"))
        (cube.keywords, cube.tags) = (keywords, tags)
        return cube
    }

    private func maintain(
        _ name: String, _ memories: [MemCube], day: Double = 100, near: [CubeID: [Neighbour]] = [:]
    ) async throws -> [MemoryOperation] {
        try await #require(try recipe(name).maintainer).operations(
            on: memories,
            in: MaintenanceContext(
                now: Self.start.addingTimeInterval(day * 86_400), nearest: { id, _ in near[id] ?? [] }))
    }

    private func added(_ operations: [MemoryOperation]) -> [(cube: MemCube, sources: Set<CubeID>)] {
        operations.compactMap {
            if case .add(let cube, let links) = $0 { (cube, Set(links.map(\.target))) } else { nil }
        }
    }

    private func merged(_ operations: [MemoryOperation]) -> [CubeID: CubeID] {
        operations.reduce(into: [:]) { if case .merge(let id, let other) = $1 { $0[id] = other } }
    }

    private func query(_ words: [String] = ["kiln", "noon"], round: Int = 1) -> RetrievalQuery {
        var query = RetrievalQuery(request: RecallRequest("What comes next?", limit: 10), memories: 100, round: round)
        (query.words, query.hasVector) = (words, true)
        query.weights = words.map { _ in 1 / Float(words.count) }
        return query
    }

    private func hit(
        _ number: Int, _ score: Float, session: String? = nil, day: Double = 0, tags: [String] = [],
        matches: UInt64 = 0, probed: Float = 0
    ) -> RetrievalHit {
        var hit = RetrievalHit(number: number, score: score, features: RecallFeatures())
        (hit.session, hit.tags, hit.matches, hit.probed) = (session, tags, matches, probed)
        hit.eventTime = Self.start.addingTimeInterval(day * 86_400)
        return hit
    }

    private func order(_ step: RetrievalStep) -> [Int]? {
        guard case .ranked(let hits) = step else { return nil }
        return hits.sorted { $0.score > $1.score }.map(\.number)
    }

    /// Memories as operations leave them, for the next run.
    private func applying(_ operations: [MemoryOperation], to memories: [MemCube]) -> [MemCube] {
        var memories = memories
        for operation in operations {
            switch operation {
            case .add(let cube, _): memories.append(cube)
            case .archive(let id): memories.removeAll { $0.id == id }
            case .update(let cube): memories[memories.firstIndex { $0.id == cube.id }!] = cube
            default: break
            }
        }
        return memories
    }

    @Test func `memtree needs more likeness the deeper it goes, and a new memory touches one path`() async throws {
        // What the last two of a row share makes their summary another one.
        func row(_ name: String, _ count: Int) -> [MemCube] {
            (0..<count).map {
                let keywords = $0 < 5 ? [name] : [name, "new"]
                return cube("\(name) \($0)", day: Double($0), session: "\(name) \($0)", keywords: keywords)
            }
        }
        let (kilns, sails) = (row("Kiln", 7), row("Sail", 3))
        // Each is as like the one before it as 0.5: enough for a root (0.4) and one level below it (0.46), and no more
        // (0.53): from there on it goes below the deepest that asks for no more.
        let near = Dictionary(
            uniqueKeysWithValues: [kilns, sails].flatMap { row in
                zip(row.dropFirst(), row).map { ($0.id, [Neighbour($1.id, similarity: 0.5)]) }
            })
        let before = Array(kilns.dropLast()) + sails
        let first = try await maintain("memtree", before, near: near)
        let branches = added(first)
        func ids(_ cubes: ArraySlice<MemCube>) -> Set<CubeID> { Set(cubes.map { $0.id }) }
        let wanted: Set<Set<CubeID>> = [ids(kilns[..<6]), ids(kilns[1..<6]), ids(sails[...])]
        let made: Set<Set<CubeID>> = Set(branches.map { $0.sources })
        #expect(made == wanted)
        #expect(branches.allSatisfy { $0.cube.tags.contains("memtree/branch") && $0.cube.tags.count == 2 })
        // What is in its place is left there.
        let grown = applying(first, to: before)
        #expect(try await maintain("memtree", grown, near: near).isEmpty)
        let second = try await maintain("memtree", grown + [kilns[6]], near: near)
        let changed: Set<Set<CubeID>> = Set(added(second).map { $0.sources })
        #expect(changed == [ids(kilns[...]), ids(kilns[1...])])
        let gone = second.compactMap { if case .archive(let id) = $0 { id } else { nil } }
        let former: Set<CubeID> = Set(branches.filter { $0.sources.contains(kilns[1].id) }.map { $0.cube.id })
        #expect(Set(gone) == former)
        let placed = second.compactMap { if case .update(let cube) = $0 { cube.id } else { nil } }
        #expect(placed == [kilns[6].id])
    }

    @Test func `memtree counts an answer to a memory as like it, and a branch lifts what lies in it`() async throws {
        let asked = cube("Where is the kiln?", session: "one")
        let answer = cube("Behind the barn.", day: 1, session: "one")
        let other = cube("Behind the house.", day: 2, session: "two")
        let near = [
            answer.id: [Neighbour(asked.id, similarity: 0.3)], other.id: [Neighbour(asked.id, similarity: 0.3)],
        ]
        let done = try await maintain("memtree", [asked, answer, other], near: near)
        let tags = applying(done, to: [asked, answer, other]).map(\.tags)
        #expect(tags == [["memtree/in:\(asked.id)"], ["memtree/in:\(asked.id)"], ["memtree/in:\(other.id)"]])
        // Branches are no answers themselves: of two alike the one that lies in the nearer branch comes first.
        let plan = try recipe("memtree").retrieval
        let hits = [
            hit(1, 0.5), hit(2, 0.48, tags: ["memtree/in:b"]), hit(3, 0.6, tags: ["memtree/branch", "memtree/in:b"]),
            hit(4, 0.3, tags: ["memtree/branch", "memtree/in:c"]),
        ]
        guard case .probe(let probes) = plan.next(query(), after: hits), case .linked(with: [3, 4], _)? = probes.first
        else {
            Issue.record("the branch leads nowhere")
            return
        }
        #expect(order(plan.next(query(round: 2), after: hits)) == [2, 1])
    }

    @Test(arguments: [60, 240, 960])
    func `mem1 answers many objectives from a state whose tokens do not grow with the turns`(turns: Int) async throws {
        let things = ["gate", "choir", "ferry", "mural", "dentist", "parking", "flour", "alarm"]
        let talk = ["rain", "lunch", "tea", "stairs", "market", "lift", "planes", "bakery", "traffic", "pigeon"]
        var (state, all): ([MemCube], [MemCube]) = ([], [])
        var peak = 0
        func tokens(_ cubes: [MemCube]) -> Int { cubes.reduce(0) { $0 + $1.text.utf8.count / 4 } }
        for turn in 0..<turns {
            // Objectives come in the first third, one after the other; the rest is talk.
            let place = turn * 24 / turns
            let isFirst = turn == 0 || (turn - 1) * 24 / turns != place
            let made =
                isFirst && place < things.count
                ? cube(
                    "The \(things[place]) is number \(place) now.", day: Double(turn),
                    keywords: [things[place], "number", "\(place)"])
                : cube(
                    "Something about the \(talk[turn % talk.count]).", day: Double(turn),
                    keywords: [talk[turn % talk.count]])
            state.append(made)
            all.append(made)
            state = applying(try await maintain("mem1:15", state, day: Double(turn)), to: state)
            peak = max(peak, tokens(state))
        }
        #expect(state.count == 15 && peak <= 15 * 8)
        #expect(things.allSatisfy { thing in state.contains { $0.keywords.first == thing } })
        #expect(tokens(all) > 3 * peak)
    }

    @Test func `g-memory writes insights across conversations, and follows links up and down`() async throws {
        let memories =
            ["a", "b", "c"].map { cube("Kiln in \($0)", session: $0, keywords: ["kiln", $0]) }
            + (0..<3).map { cube("Sail \($0)", session: "a", keywords: ["sail"]) }
        let insights = added(try await maintain("g-memory", memories))
        #expect(insights.map(\.sources) == [Set(memories[..<3].map(\.id))])
        let plan = try recipe("g-memory").retrieval
        guard case .probe(let up) = plan.next(query(), after: [hit(1, 0.5)]),
            case .linked(with: [1], _)? = up.first,
            case .probe(let down) = plan.next(
                query(round: 2), after: [hit(1, 0.5), hit(7, 0.4, tags: ["g-memory/insight"])]),
            case .linked(with: [7], _)? = down.first
        else {
            Issue.record("links were not followed")
            return
        }
    }

    @Test func `ama searches again where the judge misses words, and ends what was contradicted`() async throws {
        let plan = try recipe("ama").retrieval
        guard case .answer = plan.next(query(), after: [hit(1, 1, matches: 0b11)]),
            case .probe = plan.next(query(), after: [hit(1, 1, matches: 0b01)]),
            case .probe(let last) = plan.next(query(round: 2), after: [hit(1, 1, matches: 0b01)])
        else {
            Issue.record("the judge does not decide")
            return
        }
        #expect(last == [.text("noon", limit: 60)])
        var old = cube("Ana works at Kiln")
        var same = cube("Ana works at Kiln", day: 1)
        var new = cube("Ana works at Sail", day: 2)
        for (value, path) in [("kiln", 0), ("kiln", 1), ("sail", 2)] {
            let claims = [Claim(subject: "ana", attribute: "employer", value: value)]
            switch path {
            case 0: old.claims = claims
            case 1: same.claims = claims
            default: new.claims = claims
            }
        }
        let ended = try await maintain("ama", [old, same, new]).compactMap {
            if case .invalidate(let id, let time) = $0, time == new.eventTime { id } else { nil }
        }
        #expect(ended == [same.id])
    }

    @Test func `think-in-memory keeps thoughts in one bucket each, and later ones count`() async throws {
        let recipe = try recipe("think-in-memory")
        let drafts = recipe.extractor.drafts(
            of: MemoryInput("Ana works at Kiln"), in: ExtractionContext(scope: Scope(user: "ana"), time: Self.start))
        let thought = try #require(drafts.last?.cube)
        #expect(drafts.count == 2 && thought.tags.count == 2 && thought.tags[0] == "tim/thought")
        var asked = query(["kiln"], round: 0)
        asked.speaker = "ana"
        guard case .dense(_, let filter)? = recipe.retrieval.first(asked).first else {
            Issue.record("no bucket was looked into")
            return
        }
        #expect(filter?.tag == thought.tags[1])
        func made(_ text: String, _ day: Double) -> MemCube { cube(text, day: day, tags: ["tim/thought"]) }
        let (a, b, c) = (
            made("ana, employer: kiln", 0), made("ana, employer: kiln", 1), made("ana, employer: sail", 2)
        )
        let done = try await maintain("think-in-memory", [a, b, c])
        #expect(merged(done) == [a.id: b.id])
        guard case .archive(b.id)? = done.last else {
            Issue.record("\(done)")
            return
        }
    }

    @Test func `longnap answers with what followed a like situation`() throws {
        let plan = try recipe("longnap").retrieval
        let situations = [hit(1, 0.9, session: "a", day: 0), hit(5, 0.2, session: "b", day: 5)]
        guard case .probe(let probes) = plan.next(query(), after: situations),
            case .dense(_, let filter)? = probes.first
        else {
            Issue.record("the log was not read")
            return
        }
        #expect(filter?.sessions == ["a", "b"])
        let log =
            situations + [
                hit(2, 0.01, session: "a", day: 1), hit(3, 0.3, session: "a", day: 2),
                hit(4, 0.1, session: "b", day: 0.5),
            ]
        #expect(order(plan.next(query(round: 2), after: log))?.prefix(2) == [1, 2])
    }

    @Test func `sedm admits what nothing stands in for, and what was used`() async throws {
        let useless = cube("Kiln at noon")
        let kept = cube("The kiln at noon", day: 1)
        let lonely = cube("Sail")
        let young = cube("Kiln, noon", day: 99)
        var used = cube("At noon the kiln")
        used.usage = Usage(count: 1, last: Self.start)
        let like = [Neighbour(kept.id, similarity: 0.95)]
        let done = try await maintain(
            "sedm", [useless, used, lonely, kept, young], near: [useless.id: like, used.id: like, young.id: like])
        #expect(merged(done) == [useless.id: kept.id] && done.count == 1)
    }

    @Test func `vilomem keeps two streams of mistakes, and refines each by itself`() async throws {
        let recipe = try recipe("vilomem")
        func tags(_ text: String) -> [String] {
            recipe.extractor.drafts(
                of: MemoryInput(text), in: ExtractionContext(scope: Scope(user: "ana"), time: Self.start)
            ).flatMap(\.cube.tags)
        }
        #expect(tags("I misread the label, my mistake") == ["vilomem/perception"])
        #expect(tags("It was wrong to divide by the sum") == ["vilomem/logic"])
        #expect(tags("The kiln fires at noon").isEmpty)
        let filters = recipe.retrieval.first(query(round: 0)).compactMap { probe -> String? in
            if case .dense(_, let filter) = probe { filter?.tag } else { nil }
        }
        #expect(filters == ["vilomem/perception", "vilomem/logic"])
        let a = cube("misread", tags: ["vilomem/perception"])
        let b = cube("misread again", day: 1, tags: ["vilomem/perception"])
        let c = cube("wrong sum", day: 2, tags: ["vilomem/logic"])
        let near = [Neighbour(a.id, similarity: 0.9)]
        let done = try await maintain("vilomem", [a, b, c], near: [b.id: near, c.id: near])
        #expect(merged(done) == [a.id: b.id])
    }

    @Test func `arcmemo makes concepts of what three memories share, and they lead to the memories`() async throws {
        let cases = (0..<3).map { cube("Case \($0)", keywords: ["glaze", "kiln", "part\($0)"]) }
        let concepts = added(try await maintain("arcmemo", cases + [cube("Other", keywords: ["kiln", "sail"])]))
        #expect(concepts.map(\.cube.text) == ["Concept: glaze, kiln"])
        #expect(concepts.first?.sources == Set(cases.map(\.id)))
        #expect(try await maintain("arcmemo", cases + concepts.map(\.cube)).isEmpty)
        // One case less, and the concept is given up.
        let left = try await maintain("arcmemo", Array(cases.dropLast()) + concepts.map(\.cube))
        guard left.count == 1, case .archive(concepts[0].cube.id) = left[0] else {
            Issue.record("\(left)")
            return
        }
        let plan = try recipe("arcmemo").retrieval
        guard case .probe(let probes) = plan.next(query(), after: [hit(4, 1, tags: ["arcmemo/concept"])]) else {
            Issue.record("the concept leads nowhere")
            return
        }
        #expect(probes.first == .linked(with: [4], limit: 60))
        let found = [hit(4, 9, tags: ["arcmemo/concept"]), hit(1, 0.5), hit(2, 0.4, probed: 1)]
        #expect(order(plan.next(query(round: 4), after: found)) == [2, 1])
    }

    @Test func `mem-alpha adds events, replaces facts, and keeps the core small`() async throws {
        let manager = try recipe("mem-alpha").reconciler
        let near = [Neighbour(CubeID(), similarity: 0.8)]
        func operations(_ type: MemoryType) -> [MemoryOperation] {
            var draft = cube("The kiln is red")
            draft.type = type
            return manager.operations(for: draft, among: near, at: Self.start)
        }
        #expect(operations(.episodic).count == 1 && merged(operations(.semantic)).keys.first == near[0].id)
        let core = (0..<30).map {
            var cube = cube("Core \($0)", day: Double($0))
            cube.type = .core
            return cube
        }
        let demoted = try await maintain("mem-alpha", core).compactMap {
            if case .update(let cube) = $0, cube.type == .semantic { cube.id } else { nil }
        }
        #expect(demoted == core[..<26].map(\.id))
    }

    @Test func `memlora has an expert for each operation`() throws {
        let recipe = try recipe("memlora")
        let context = ExtractionContext(scope: Scope(user: "ana"), time: Self.start)
        #expect(recipe.extractor.drafts(of: MemoryInput("ok"), in: context).isEmpty)
        #expect(recipe.extractor.drafts(of: MemoryInput("glaze cracked yesterday"), in: context).count == 1)
        let draft = cube("The kiln is red")
        for (similarity, count) in [(0.99, 1), (0.85, 2), (0.5, 1)] {
            let done = recipe.reconciler.operations(
                for: draft, among: [Neighbour(CubeID(), similarity: similarity)], at: Self.start)
            #expect(done.count == count)
        }
        let few = recipe.ranker.contributions(of: RecallFeatures([.meaning: 1, .speaker: 1]))
        #expect(few[.meaning] > 0 && few[.speaker] == 0)
    }
}
