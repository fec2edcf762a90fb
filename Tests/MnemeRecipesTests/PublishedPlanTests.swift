import Foundation
import Mneme
import MnemeCube
import MnemePipeline
import MnemeRecipes
import Testing

/// The stages that published recipes exchange, by their values alone.
@Suite struct PublishedPlanTests {
    /// Stages that are changed; the extractor makes one draft of an input.
    static let base = Recipe(
        name: "base", extractor: Whole(), reconciler: DuplicateLinker(),
        retrieval: HybridRetrieval(), ranker: FusionRanker())

    /// Keeps texts as they are; its keywords are its longer words.
    struct Whole: MemoryExtractor {
        func drafts(of input: MemoryInput, in context: ExtractionContext) -> [Draft] {
            var cube = context.cube(input.text, type: input.type ?? .episodic, of: input)
            enrich(&cube, words: input.text.lowercased().split(separator: " ").map(String.init))
            return [Draft(cube, words: nil)]
        }
        func enrich(_ cube: inout MemCube, words: [String]) {
            cube.keywords = words.filter { $0.count > 4 }
            if cube.text.hasPrefix("Ana works at ") {
                cube.claims = [
                    Claim(
                        subject: "ana", attribute: "employer",
                        value: String(cube.text.dropFirst(13)).lowercased())
                ]
            }
        }
    }

    private func plan(_ name: String) throws -> any RetrievalPlan {
        try #require(RecipeCatalog.recipe(name, over: Self.base)).retrieval
    }

    private func query(_ words: [String] = ["kiln", "noon"], round: Int = 1, limit: Int = 10)
        -> RetrievalQuery
    {
        var query = RetrievalQuery(
            request: RecallRequest("When does the kiln fire?", limit: limit), memories: 100,
            round: round)
        query.words = words
        query.weights = words.map { _ in 1 / Float(words.count) }
        query.hasVector = true
        return query
    }

    private func hit(
        _ number: Int, _ score: Float, _ features: [RecallFeature: Float] = [:],
        type: MemoryType = .episodic, session: String? = nil, matches: UInt64 = 0,
        probed: Float = 0, tags: [String] = []
    ) -> RetrievalHit {
        var hit = RetrievalHit(number: number, score: score, features: RecallFeatures(features))
        (hit.type, hit.session, hit.matches) = (type, session, matches)
        (hit.probed, hit.tags) = (probed, tags)
        return hit
    }

    /// The numbers of the answer, best first.
    private func order(_ step: RetrievalStep) -> [Int]? {
        guard case .ranked(let hits) = step else { return nil }
        return hits.sorted { $0.score > $1.score }.map(\.number)
    }

    /// The probe of a step that makes one.
    private func only(_ step: RetrievalStep) -> Probe? {
        guard case .probe(let probes) = step, probes.count == 1 else { return nil }
        return probes[0]
    }

    @Test func `every recipe has a card, a name of its own, and keeps its name`() {
        #expect(Set(RecipeCatalog.names).count == RecipeCatalog.names.count)
        #expect(RecipeCatalog.names.count == 30)
        for card in RecipeCatalog.cards.dropFirst() {
            #expect(
                !card.idea.isEmpty && !card.simplified.isEmpty && !card.claim.isEmpty, "\(card.name)")
            #expect(card.paper.hasSuffix("]"), "\(card.name) names no number in CITATIONS.bib")
            #expect(RecipeCatalog.recipe(card.name, over: Self.base)?.name == card.name)
        }
        #expect(RecipeCatalog.recipe("standard", over: Self.base)?.name == "base")
        #expect(RecipeCatalog.recipe("nobody", over: Self.base) == nil)
    }

    @Test func `without an embedder every plan searches by words instead`() throws {
        for name in RecipeCatalog.names {
            var asked = query(round: 0)
            asked.hasVector = false
            asked.memories = 10_000
            let probes = try plan(name).first(asked)
            #expect(
                probes.contains {
                    switch $0 {
                    case .words, .wordsNearby, .text, .everything: true
                    default: false
                    }
                }, "\(name) finds nothing without vectors")
        }
    }

    @Test func `engram gives each type places, however many of another type are nearer`() throws {
        let many = (0..<20).map { hit($0, 0.9 - Float($0) * 0.01) }
        let hits = many + [hit(50, 0.2, type: .procedural), hit(60, 0.3, type: .semantic)]
        let first = try #require(order(plan("engram").next(query(limit: 3), after: hits)))
        #expect(Set(first.prefix(3)) == [0, 50, 60])
        #expect(try plan("engram").first(query(round: 0)).count == 3)
    }

    @Test func `memgas trusts the granularity whose matches stand out`() throws {
        // Messages all match alike; one window stands out, which decides.
        let hits = (0..<10).map {
            hit(
                $0, 0,
                [
                    .meaning: $0 == 9 ? 0.31 : 0.3, .meaningNearby: $0 == 4 ? 0.9 : 0.1,
                    .meaningAround: 0.2,
                ])
        }
        #expect(try order(plan("memgas").next(query(round: 2), after: hits))?.first == 4)
        let turned = (0..<10).map {
            hit(
                $0, 0,
                [
                    .meaning: $0 == 9 ? 0.9 : 0.1, .meaningNearby: $0 == 4 ? 0.31 : 0.3,
                    .meaningAround: 0.2,
                ])
        }
        #expect(try order(plan("memgas").next(query(round: 2), after: turned))?.first == 9)
    }

    @Test func `memgas follows links from what it found, and they count`() throws {
        let plan = try plan("memgas")
        let hits = [
            hit(1, 0, [.meaning: 0.5]), hit(2, 0, [.meaning: 0.4]), hit(3, 0, [.meaning: 0.4], probed: 1),
        ]
        guard case .linked(let numbers, _)? = only(plan.next(query(), after: hits)) else {
            Issue.record("no link was followed")
            return
        }
        #expect(numbers.first == 1 && Set(numbers) == [1, 2, 3])
        #expect(order(plan.next(query(round: 2), after: hits)) == [1, 3, 2])
    }

    @Test func `a-mem follows links from what it found, and they count`() throws {
        let plan = try plan("a-mem")
        let hits = [hit(1, 0.6), hit(2, 0.5)]
        guard case .linked(let numbers, _)? = only(plan.next(query(), after: hits)) else {
            Issue.record("no link was followed")
            return
        }
        #expect(numbers == [1, 2])
        let found = [hit(1, 0.6), hit(2, 0.5), hit(3, 0.55, probed: 1)]
        #expect(order(plan.next(query(round: 2), after: found)) == [3, 1, 2])
    }

    @Test func `tradinggpt lets events fade before facts, and recent ones come first`() throws {
        let now = Date(timeIntervalSince1970: 1_700_000_000)
        var asked = query()
        asked.request.now = now
        func aged(_ number: Int, _ type: MemoryType, days: Double) -> RetrievalHit {
            var hit = hit(number, 0.5, type: type)
            hit.eventTime = now.addingTimeInterval(-86_400 * days)
            return hit
        }
        let hits = [aged(1, .episodic, days: 60), aged(2, .core, days: 60), aged(3, .episodic, days: 1)]
        #expect(try order(plan("tradinggpt").next(asked, after: hits)) == [3, 2, 1])
    }

    @Test func `h-mem goes from summaries down to traces, and from these to what they point to`() throws {
        let plan = try plan("h-mem")
        let summaries = [
            hit(1, 0.5, session: "two", tags: ["h-mem/session"]),
            hit(2, 0.4, session: "five", tags: ["h-mem/session"]),
        ]
        guard case .dense(_, let filter)? = only(plan.next(query(), after: summaries)) else {
            Issue.record("the lower layer was not searched")
            return
        }
        #expect(filter?.sessions == ["two", "five"] && filter?.tag == "h-mem/trace")
        func at(_ time: Double, _ hit: RetrievalHit) -> RetrievalHit {
            var hit = hit
            hit.eventTime = Date(timeIntervalSince1970: time)
            return hit
        }
        let traces = [
            at(20, hit(3, 0.9, session: "two", tags: ["h-mem/trace"])),
            at(40, hit(4, 0.1, session: "two", tags: ["h-mem/trace"])),
        ]
        guard case .linked(let numbers, _)? = only(plan.next(query(round: 2), after: summaries + traces)) else {
            Issue.record("no pointer was followed")
            return
        }
        #expect(numbers == [3, 4])
        // A message inherits of the trace that it stands in, and the layers above are no answers.
        let messages = [at(30, hit(5, 0.5, session: "two")), at(10, hit(6, 0.3, session: "two"))]
        #expect(order(plan.next(query(round: 3), after: summaries + traces + messages)) == [6, 5])
        // Before there are summaries, everything is searched.
        guard case .dense(_, let whole)? = only(plan.next(query(), after: [])) else {
            Issue.record("nothing was searched")
            return
        }
        #expect(whole?.sessions == nil && whole?.tag == nil)
        #expect(order(plan.next(query(round: 2), after: messages)) == [5, 6])
    }

    @Test func `licomemory puts a message of a conversation that matches before a lonely one`() throws {
        let hits = [
            hit(1, 0, [.meaning: 0.5], session: "a"), hit(2, 0, [.meaning: 0.45], session: "b"),
            hit(3, 0, [.meaning: 0.44], session: "b"), hit(4, 0, [.meaning: 0.44], session: "b"),
        ]
        #expect(try order(plan("licomemory").next(query(), after: hits))?.first == 2)
    }

    @Test(arguments: ["licomemory", "ret-llm"])
    func `what a message tells is of its time, and has the tags that it was given`(_ name: String) throws {
        let recipe = try #require(RecipeCatalog.recipe(name, over: .standard))
        let context = ExtractionContext(scope: Scope(user: "ana"), time: Date(timeIntervalSince1970: 1_700_000_000))
        var input = MemoryInput("I bought a canoe in Porto. I work at Kiln.", speaker: "Ana")
        (input.tags, input.eventTime) = (["boats"], Date(timeIntervalSince1970: 1_600_000_000))
        let drafts = recipe.extractor.drafts(of: input, in: context)
        #expect(drafts.count > 1)
        #expect(drafts.allSatisfy { $0.cube.tags.contains("boats") && $0.cube.eventTime == input.eventTime })
    }

    @Test func `licomemory lets a relation lead to its message, and answers with messages alone`() throws {
        let plan = try plan("licomemory")
        func at(_ time: Double, _ hit: RetrievalHit) -> RetrievalHit {
            var hit = hit
            hit.eventTime = Date(timeIntervalSince1970: time)
            return hit
        }
        let hits = [
            at(5, hit(1, 0, [.meaning: 0.9], session: "a", tags: ["licomemory/relation"])),
            at(5, hit(2, 0, [.meaning: 0.4], session: "a")), at(9, hit(3, 0, [.meaning: 0.5], session: "a")),
        ]
        guard case .linked([1], _)? = only(plan.next(query(), after: hits)) else {
            Issue.record("the relation was not followed")
            return
        }
        #expect(order(plan.next(query(round: 2), after: hits)) == [2, 3])
    }

    @Test func `o-mem keeps places for what is known of a person`() throws {
        let hits = (0..<20).map { hit($0, 1 - Float($0) / 100, tags: $0 > 16 ? ["o-mem/persona"] : []) }
        let first = try #require(order(plan("o-mem").next(query(), after: hits)))
        #expect(first.prefix(10) == [0, 1, 17, 2, 3, 18, 4, 5, 19, 6] && first.count == 20)
        // Where they stand before, nothing moves.
        let known = (0..<12).map { hit($0, 1 - Float($0) / 100, tags: $0 < 4 ? ["o-mem/persona"] : []) }
        #expect(try order(plan("o-mem").next(query(), after: known)) == Array(0..<12))
    }

    @Test(
        arguments: [
            ("I am allergic to walnuts.", true), ("I’m vegetarian", true), ("My knee can't bend since March.", true),
            ("Well, I never fly.", true), ("I was born in Graz.", true), ("I have two sisters!", true),
            ("I'm so happy for you!", false), ("I ran six miles.", false), ("Am I late?", false),
            ("I think that is a good plan.", false), ("I'm going to the shop.", false), ("You are kind.", false),
            ("I have to go.", false), ("My tea went cold.", false), ("", false),
        ])
    func `o-mem tells what lasts from what passes`(text: String, lasts: Bool) throws {
        let recipe = try #require(RecipeCatalog.recipe("o-mem", over: Self.base))
        let context = ExtractionContext(scope: Scope(user: "ana"), time: Date(timeIntervalSince1970: 0))
        let drafts = recipe.extractor.drafts(of: MemoryInput(text), in: context)
        #expect(drafts.map { $0.cube.tags.contains("o-mem/persona") } == [lasts], "\(text)")
    }

    @Test func `o-mem goes by the rarest word and the right person besides meaning`() throws {
        var asked = query(["fire", "kiln"], round: 0)
        asked.weights = [0.1, 0.9]
        #expect(try plan("o-mem").first(asked).contains(.text("kiln", limit: 50)))
        asked.round = 1
        asked.speaker = "ana"
        var said = hit(2, 0.5)
        said.speaker = "Ana"
        let hits = [hit(1, 0.55), said, hit(3, 0.4, probed: 0.9)]
        #expect(try order(plan("o-mem").next(asked, after: hits)) == [2, 3, 1])
    }

    @Test func `structural-memory searches again with what it found`() throws {
        let plan = try plan("structural-memory")
        let hits = [hit(1, 0.6), hit(2, 0.5), hit(3, 0.4)]
        guard case .like(let numbers, _)? = only(plan.next(query(), after: hits)) else {
            Issue.record("it searched once")
            return
        }
        #expect(numbers == [1, 2])
        let last = query(round: plan.roundLimit - 1)
        #expect(order(plan.next(last, after: [hit(1, 0.6), hit(2, 0.5, probed: 1)])) == [2, 1])
    }

    @Test func `hymem wakes its deep search only for what the light one leaves open`() throws {
        let plan = try plan("hymem")
        guard case .answer = plan.next(query(), after: [hit(1, 1, matches: 0b11)]) else {
            Issue.record("a question that was answered woke the deep search")
            return
        }
        guard case .probe(let probes) = plan.next(query(), after: [hit(1, 1, matches: 0b01)]) else {
            Issue.record("an open question did not wake the deep search")
            return
        }
        #expect(probes == [.everything])
    }

    @Test func `gam searches for the words that nothing found holds, until all are`() throws {
        let plan = try plan("gam")
        let step = plan.next(query(["kiln", "noon", "sunday"]), after: [hit(1, 1, matches: 0b001)])
        guard case .probe(let probes) = step else {
            Issue.record("it gave up")
            return
        }
        #expect(probes.contains(.text("noon sunday", limit: 30)))
        let covered = plan.next(query(), after: [hit(1, 1, matches: 0b11), hit(2, 0.9, probed: 1)])
        #expect(order(covered) == [2, 1])
    }

    @Test func `comorag probes for what is open at an impasse, then for all, and ends where nothing is`() throws {
        let plan = try plan("comorag")
        let hits = (0..<9).map { hit($0, 1 - Float($0) / 10, matches: 0b001) }
        let words = ["kiln", "noon", "sunday"]
        let probes = (1...2).map { only(plan.next(query(words, round: $0), after: hits)) }
        #expect(probes == [.text("noon sunday", limit: 20), .text("kiln noon sunday", limit: 20)])
        // The cycles are bounded, and what a probe found counts.
        let found = hits + [hit(20, 0.9, matches: 0b110, probed: 1)]
        #expect(order(plan.next(query(words, round: 3), after: found))?.first == 20)
        #expect(order(plan.next(query(), after: [hit(1, 1, matches: 0b11)])) == [1])
    }

    @Test func `budgetmem spends little on a simple question and everything on a hard one`() throws {
        let plan = try plan("budgetmem")
        var simple = query(["kiln"], round: 0)
        simple.speaker = "ana"
        #expect(plan.first(simple) == [.words(limit: 20), .dense(limit: 5)])
        var hard = query(["kiln", "noon", "storm", "sail", "harbour"], round: 0)
        hard.namesTime = true
        #expect(plan.first(hard) == [.everything])
    }

    @Test func `memsifter hands on the conversations that matter, and no other`() throws {
        let hits = (0..<6).flatMap { session in
            (0..<3).map { hit(session * 3 + $0, 1 - Float(session) / 10, session: "s\(session)") }
        }
        let kept = try #require(order(plan("memsifter").next(query(), after: hits)))
        #expect(kept.count == 12 && kept.allSatisfy { $0 < 12 })
    }

    // MARK: Writing

    private func drafts(_ name: String, _ text: String, _ change: (inout MemoryInput) -> Void = { _ in })
        throws -> [Draft]
    {
        var input = MemoryInput(text)
        change(&input)
        let context = ExtractionContext(scope: Scope(user: "ana"), time: Date())
        return try #require(RecipeCatalog.recipe(name, over: Self.base)).extractor.drafts(
            of: input, in: context)
    }

    @Test(arguments: ["ret-llm", "structural-memory"])
    func `a claim becomes a triplet of its own, made of the text`(_ name: String) throws {
        let made = try drafts(name, "Ana works at Porto City Archive")
        #expect(
            made.map(\.cube.text) == [
                "Ana works at Porto City Archive", "ana, employer: porto city archive",
            ])
        #expect(made.map(\.source) == [nil, 0])
        #expect(try drafts(name, "Hello there").count == 1)
    }

    @Test func `lightmem does not store what says nothing, unless somebody labelled it`() throws {
        #expect(try drafts("lightmem", "Haha yes").isEmpty)
        #expect(try drafts("lightmem", "Haha yes") { $0.tags = ["kept"] }.count == 1)
        #expect(try drafts("lightmem", "Tomorrow morning Bertha paints harbour windows").count == 1)
    }

    @Test func `memory-r1 confirms what it knows, replaces what is said anew, and adds the rest`()
        throws
    {
        let manager = try #require(RecipeCatalog.recipe("memory-r1", over: Self.base)).reconciler
        let draft = try drafts("memory-r1", "The kiln fires at noon")[0].cube
        let other = CubeID()
        func done(_ similarity: Double) -> String {
            manager.operations(
                for: draft, among: [Neighbour(other, similarity: similarity)], at: Date()
            ).map {
                switch $0 {
                case .add: "add"
                case .merge(let id, let kept): id == other && kept == draft.id ? "merge" : "?"
                case .confirm: "confirm"
                default: "?"
                }
            }.joined(separator: " ")
        }
        #expect(done(1) == "confirm" && done(0.8) == "add merge" && done(0.3) == "add")
    }
}
