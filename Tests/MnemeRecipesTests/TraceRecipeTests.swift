import Foundation
import MnemeCube
import MnemePipeline
import MnemeRecipes
import Testing

/// What recipes make of cases: memories that tell a task, the steps taken and what that was worth. By values alone.
@Suite struct TraceRecipeTests {
    private static let start = Date(timeIntervalSince1970: 1_700_000_000)

    private func recipe(_ name: String) throws -> Recipe {
        try #require(RecipeCatalog.recipe(name, over: PublishedPlanTests.base))
    }

    private static func made(
        _ task: String, _ approach: String, value: String = "1", speaker: String = "Ana", hour: Double = 0
    ) -> MemCube {
        let time = start.addingTimeInterval(hour * 3_600)
        var cube = MemCube(
            scope: Scope(user: "team", session: "task \(hour)"), type: .episodic, text: "\(task): \(approach)",
            speaker: speaker, eventTime: time, recordedTime: time, provenance: Provenance(source: "text"))
        cube.metadata = ["task": task, "approach": approach, "value": value]
        return cube
    }

    private func maintain(_ name: String, _ memories: [MemCube]) async throws -> [MemoryOperation] {
        try await #require(try recipe(name).maintainer).operations(
            on: memories, in: MaintenanceContext(now: Self.start.addingTimeInterval(864_000), nearest: { _, _ in [] }))
    }

    private func added(_ operations: [MemoryOperation]) -> [(cube: MemCube, sources: Set<CubeID>)] {
        operations.compactMap {
            if case .add(let cube, let links) = $0 { (cube, Set(links.map(\.target))) } else { nil }
        }
    }

    private func archived(_ operations: [MemoryOperation]) -> Set<CubeID> {
        Set(operations.compactMap { if case .archive(let id) = $0 { id } else { nil } })
    }

    /// Cases in which a lamp goes with mirroring and a drum with turning, among things and steps that go with anything.
    private let cases: [MemCube] = {
        let things = ["key", "leaf", "comb", "boat", "fork", "kite"]
        return (0..<6).flatMap { place in
            [
                made("lamp, \(things[place]), vase", "mirror, slide\(place)", hour: Double(2 * place)),
                made(
                    "drum, \(things[place]), rope", "turn, slide\(place)", speaker: "Bo", hour: Double(2 * place + 1)),
            ]
        }
    }()

    @Test func `arcmemo abstracts a step from what it went with, and puts it first where its word is asked about`()
        async throws
    {
        let rules = added(try await maintain("arcmemo", cases)).filter { $0.cube.tags == ["arcmemo/rule"] }
        let texts = rules.map(\.cube.text)
        #expect(texts.contains("Concept: lamp. It takes: mirror.") && texts.contains("Concept: drum. It takes: turn."))
        // Steps and things that go with anything are in none.
        #expect(!texts.contains { $0.contains("slide") || $0.contains("key") }, "\(texts)")
        let lamp = try #require(rules.first { $0.cube.text.contains("lamp") })
        #expect(lamp.sources == Set(cases.indices.filter { $0 % 2 == 0 }.map { cases[$0].id }))
        // What failed bears nothing out.
        let failed = cases.map { cube in
            var cube = cube
            cube.metadata["value"] = "0"
            return cube
        }
        #expect(try await maintain("arcmemo", failed).isEmpty)
        var query = RetrievalQuery(request: RecallRequest("lamp, boat"), memories: 100, round: 4)
        (query.words, query.weights, query.hasVector) = (["lamp", "boat"], [0.5, 0.5], true)
        func hit(_ number: Int, _ score: Float, _ tags: [String], _ matches: UInt64) -> RetrievalHit {
            var hit = RetrievalHit(number: number, score: score, features: RecallFeatures())
            (hit.tags, hit.matches) = (tags, matches)
            return hit
        }
        let step = try recipe("arcmemo").retrieval.next(
            query, after: [hit(1, 9, [], 3), hit(2, 1, ["arcmemo/rule"], 1), hit(3, 2, ["arcmemo/rule"], 0)])
        guard case .ranked(let hits) = step else {
            Issue.record("no order")
            return
        }
        #expect(hits.sorted { $0.score > $1.score }.map(\.number) == [2, 1])
    }

    @Test func `sedm archives the case that replays are worse with, and keeps those that they are better with`()
        async throws
    {
        let lie = Self.made("lamp, key, vase", "sink, fade", speaker: "Dov", hour: 20)
        let refused = archived(try await maintain("sedm", cases + [lie]))
        #expect(refused.contains(lie.id) && refused.isDisjoint(with: cases.map(\.id)), "\(refused.count)")
        #expect(try await maintain("sedm", cases).isEmpty)
        var pinned = lie
        pinned.priority = 1
        #expect(try await !archived(maintain("sedm", cases + [pinned])).contains(pinned.id))
    }

    @Test func `g-memory needs several agents for an insight, and keeps a trajectory in place of a talk`() async throws
    {
        let alone = added(try await maintain("g-memory", cases)).filter { $0.cube.tags == ["g-memory/team"] }
        #expect(alone.isEmpty, "each was one agent's own")
        let shared = cases.enumerated().map { place, cube in
            var cube = cube
            cube.speaker = place % 4 < 2 ? "Ana" : "Bo"
            return cube
        }
        let insights = added(try await maintain("g-memory", shared)).filter { $0.cube.tags == ["g-memory/team"] }
        #expect(insights.map(\.cube.text).contains("Insight: lamp. The team took: mirror."))
        var talk = Self.made("x", "y", hour: 0)
        (talk.metadata, talk.text, talk.speaker) = ([:], "Tried sink in vain.", "Cy")
        let made = added(try await maintain("g-memory", [talk] + cases)).filter {
            $0.cube.tags == ["g-memory/trajectory"]
        }
        #expect(made.count == 1 && made[0].cube.text == "lamp, key, vase: mirror, slide0 Worked on by Ana, Cy.")
        #expect(made[0].sources == [talk.id, cases[0].id])
        // It stands for the talk, once.
        let again = try await maintain("g-memory", [talk] + cases + made.map(\.cube))
        #expect(added(again).isEmpty)
        let plan = try recipe("g-memory").retrieval
        var query = RetrievalQuery(request: RecallRequest("lamp"), memories: 9, round: 2)
        query.hasVector = true
        func hit(_ number: Int, _ score: Float, _ tag: String, _ matches: UInt64) -> RetrievalHit {
            var hit = RetrievalHit(number: number, score: score, features: RecallFeatures())
            (hit.tags, hit.matches) = ([tag], matches)
            return hit
        }
        let found = [
            hit(1, 0.9, "", 1), hit(2, 0.3, "g-memory/trajectory", 1), hit(3, 0.1, "g-memory/team", 1),
            hit(4, 0.2, "g-memory/team", 0),
        ]
        query.round = 3
        guard case .ranked(let hits) = plan.next(query, after: found) else {
            Issue.record("no order")
            return
        }
        #expect(hits.sorted { $0.score > $1.score }.map(\.number) == [3, 2, 1])
    }

    @Test func `vilomem takes each mistake out of a case, and gives each stream its places`() throws {
        let recipe = try recipe("vilomem")
        var input = MemoryInput(
            "Picture of a wet patch. I misread the wet patch as bowl. For tides the step was add, and count was wrong.")
        input.metadata = ["task": "wet patch", "approach": "bowl, count", "value": "0"]
        let drafts = recipe.extractor.drafts(
            of: input, in: ExtractionContext(scope: Scope(user: "ana"), time: Self.start))
        #expect(
            drafts.map(\.cube.tags) == [
                [], ["vilomem/perception", "vilomem/schema"], ["vilomem/logic", "vilomem/schema"],
            ])
        #expect(drafts[1].cube.text == "I misread the wet patch as bowl." && drafts[1].source == 0)
        var query = RetrievalQuery(request: RecallRequest("wet patch, tides", limit: 4), memories: 9, round: 2)
        query.hasVector = true
        func hit(_ number: Int, _ score: Float, _ tags: [String]) -> RetrievalHit {
            var hit = RetrievalHit(number: number, score: score, features: RecallFeatures([.meaning: score / 10]))
            (hit.tags, hit.matches) = (tags, 1)
            return hit
        }
        let seen = ["vilomem/perception", "vilomem/schema"]
        let meant = ["vilomem/logic", "vilomem/schema"]
        let hits = [
            hit(1, 9, []), hit(2, 5, seen), hit(3, 4, seen), hit(4, 3, seen), hit(5, 2, meant), hit(6, 1, []),
        ]
        guard case .ranked(let ranked) = recipe.retrieval.next(query, after: hits) else {
            Issue.record("no order")
            return
        }
        // Two places each, though a third one of the first stream was nearer.
        #expect(ranked.sorted { $0.score > $1.score }.map(\.number) == [2, 3, 5, 1, 4, 6])
    }

    @Test func `longnap foretells by the order of what led to it, and leaves what was described as it was`() throws {
        let plan = try recipe("longnap").retrieval
        var query = RetrievalQuery(request: RecallRequest("opened mail. read invoice."), memories: 9, round: 2)
        (query.words, query.hasVector) = (["mail", "invoic"], true)
        query.weights = [0.5, 0.5]
        func hit(_ number: Int, _ session: String, _ matches: UInt64) -> RetrievalHit {
            var hit = RetrievalHit(number: number, score: 0.1, features: RecallFeatures())
            (hit.session, hit.matches) = (session, matches)
            hit.eventTime = Self.start.addingTimeInterval(Double(number))
            return hit
        }
        // Mail, invoice, 3 in one session; invoice, mail, 6 in another; invoice alone and then 8.
        let log = [
            hit(1, "a", 1), hit(2, "a", 2), hit(3, "a", 0), hit(4, "b", 2), hit(5, "b", 1), hit(6, "b", 0),
            hit(7, "c", 2), hit(8, "c", 0),
        ]
        guard case .ranked(let hits) = plan.next(query, after: log) else {
            Issue.record("no order")
            return
        }
        let order = hits.sorted { $0.score > $1.score }.map(\.number)
        #expect(order.first == 3 && order.contains(8), "\(order)")
        let place = { number in order.firstIndex(of: number) ?? .max }
        #expect(place(8) < place(6), "the right order counts: \(order)")
        #expect(!order.contains(1), "nothing comes before a first action")
    }

    @Test func `tradinggpt's layers keep what lasts, and its characters recall each their own`() throws {
        var query = RetrievalQuery(request: RecallRequest("outlook", limit: 1), memories: 9, round: 1)
        query.request.now = Self.start.addingTimeInterval(60 * 86_400)
        func hit(_ number: Int, _ type: MemoryType, age: Double) -> RetrievalHit {
            var hit = RetrievalHit(number: number, score: 0.5, features: RecallFeatures())
            hit.type = type
            hit.eventTime = query.request.now.addingTimeInterval(-age * 86_400)
            return hit
        }
        func order(_ name: String, _ hits: [RetrievalHit]) throws -> [Int] {
            guard case .ranked(let hits) = try recipe(name).retrieval.next(query, after: hits) else { return [] }
            return hits.sorted { $0.score > $1.score }.map(\.number)
        }
        // At the same age each layer has kept more than the shorter one.
        let old = [hit(1, .episodic, age: 40), hit(2, .semantic, age: 40), hit(3, .core, age: 40)]
        #expect(try order("tradinggpt", old) == [3, 2, 1])
        // A rumour of three days, and a filing of ninety: who goes by what is new, and who by what lasts.
        let mixed = [hit(1, .episodic, age: 3), hit(2, .core, age: 90)]
        #expect(try order("tradinggpt:swift", mixed).first == 1)
        #expect(try order("tradinggpt:patient", mixed).first == 2)
        #expect(RecipeCatalog.variants(of: "tradinggpt").count == 3 && RecipeCatalog.variants(of: "a-mem").isEmpty)
        for name in ["tradinggpt:none", "a-mem:swift", "tradinggpt:"] {
            #expect(RecipeCatalog.recipe(name, over: PublishedPlanTests.base) == nil)
        }
    }
}
