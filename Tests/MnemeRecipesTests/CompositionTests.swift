import Foundation
import MnemeBase
import MnemeBench
import MnemeCube
import MnemePipeline
import MnemeRecipes
import Testing

/// Compositions of stages: what a file may say, and the search for a good one.
@Suite struct CompositionTests {
    private func read(_ text: String) throws -> RecipeComposition { try RecipeComposition(json: Data(text.utf8)) }

    @Test func `a composition takes each stage from the recipe that it names`() throws {
        let text = #"{"name": "mine", "extractor": "lightmem", "retrieval": "hymem", "maintainer": "hema"}"#
        let recipe = try read(text).recipe(over: PublishedPlanTests.base)
        func type(_ stage: Any?) -> String { "\(stage.map { Swift.type(of: $0) } as Any)" }
        let hymem = try #require(RecipeCatalog.recipe("hymem", over: PublishedPlanTests.base))
        let hema = try #require(RecipeCatalog.recipe("hema", over: PublishedPlanTests.base))
        #expect(recipe.name == "mine" && type(recipe.retrieval) == type(hymem.retrieval))
        #expect(type(recipe.maintainer) == type(hema.maintainer))
        #expect(type(recipe.reconciler) == type(PublishedPlanTests.base.reconciler))
        // Nothing named is the standard.
        let same = try read(#"{"name": "same"}"#).recipe(over: PublishedPlanTests.base)
        #expect(type(same.retrieval) == type(PublishedPlanTests.base.retrieval) && same.maintainer == nil)
    }

    @Test func `weights of a file are the ranker's`() throws {
        let ranker = try read(#"{"name": "w", "weights": {"meaning": 2, "detail": 0.5}}"#)
            .recipe(over: PublishedPlanTests.base).ranker
        let sum = ranker.contributions(of: RecallFeatures([.meaning: 1, .detail: 1, .words: 9]))
        #expect(sum[.meaning] == 2 && sum[.detail] == 0.5 && sum[.words] == 0)
    }

    @Test(
        arguments: [
            "", "[]", "{}", #"{"name": ""}"#, #"{"name": "a b"}"#, #"{"name": "a-mem"}"#,
            #"{"name": "x", "code": "y"}"#,
            #"{"name": "x", "retrieval": "nobody"}"#, #"{"name": "x", "retrieval": 3}"#,
            #"{"name": "x", "weights": {"luck": 1}}"#, #"{"name": "x", "weights": {"meaning": 1e30}}"#,
            #"{"name": "x", "ranker": "gam", "weights": {"meaning": 1}}"#,
            #"{"name": "x", "retrieval": "gam+gam"}"#, #"{"name": "x", "retrieval": "gam+"}"#,
            #"{"name": "x", "maintainer": "hema+sedm+a-mem+mem1+h-mem"}"#,
            #"{"name": "x", "weights": {"meaning": "1"}}"#,
            "{\"name\": \"" + String(repeating: "x", count: 70_000) + "\"}",
        ])
    func `what is no composition is refused with a reason`(text: String) {
        let error = #expect(throws: InputError.self) { try read(text) }
        #expect(error?.message.isEmpty == false)
    }

    @Test func `a search never measures the same twice, and goes on from the best`() {
        var random = SplitMix64(seed: 7)
        var measured = [RecipeSearch.Candidate(composition: RecipeComposition(name: "s"), score: 0.5)]
        // A stage that helps wherever it is: it has to be in the best compositions soon.
        for _ in 0..<400 {
            // Once all around the best are known, the search ends.
            guard let child = RecipeSearch.child(of: measured, &random) else { break }
            #expect(!measured.contains { $0.composition == child })
            let score =
                0.5 + (child.retrieval?.hasPrefix("m") == true ? 0.2 : 0)
                + (child.extractor?.hasPrefix("l") == true ? 0.1 : 0)
                - (child.maintainer == nil ? 0 : 0.05)
            measured.append(RecipeSearch.Candidate(composition: child, score: score))
            measured.sort { $0.score > $1.score }
        }
        #expect(measured[0].composition.retrieval?.hasPrefix("m") == true)
        #expect(measured[0].composition.extractor?.hasPrefix("l") == true)
        #expect(measured[0].composition.maintainer == nil)
    }

    @Test func `stages with + stand one around the other, and maintainers work one behind the other`() async throws {
        let recipe = try read(#"{"name": "n", "retrieval": "arcmemo+vilomem", "maintainer": "mem1+h-mem"}"#)
            .recipe(over: PublishedPlanTests.base)
        var query = RetrievalQuery(request: RecallRequest("What?"), memories: 10, round: 0)
        query.hasVector = true
        // The outer one begins with concepts; the inner one's streams of mistakes come behind them.
        #expect(recipe.retrieval.first(query).count == 2)
        query.round = 1
        guard case .probe(let probes) = recipe.retrieval.next(query, after: []) else {
            Issue.record("the inner plan is not asked")
            return
        }
        #expect(
            probes.contains {
                if case .dense(_, let filter) = $0 { filter?.tag == "vilomem/logic" } else { false }
            })
        // Summaries are of what the bounded state has left.
        let start = Date(timeIntervalSince1970: 1_700_000_000)
        let memories = (0..<230).map { place in
            var cube = MemCube(
                scope: Scope(user: "ana", session: "s\(place / 50)"), type: .episodic, text: "Fact \(place) of kiln",
                speaker: "Ana", eventTime: start.addingTimeInterval(Double(place)), recordedTime: start,
                provenance: Provenance(source: "message", reference: "D\(place)"))
            cube.keywords = ["fact", "kiln", "\(place)"]
            return cube
        }
        let done = try await #require(recipe.maintainer).operations(
            on: memories, in: MaintenanceContext(now: start, nearest: { _, _ in [] }))
        var (gone, sources): (Set<CubeID>, Set<CubeID>) = ([], [])
        for operation in done {
            if case .archive(let id) = operation { gone.insert(id) }
            if case .add(_, let links) = operation { sources.formUnion(links.map(\.target)) }
        }
        #expect(gone.count == 30 && !sources.isEmpty && sources.isDisjoint(with: gone))
    }

    @Test func `a plan around another one keeps the other's order`() throws {
        var query = RetrievalQuery(request: RecallRequest("opened mail. read invoice."), memories: 10, round: 1)
        (query.words, query.weights, query.hasVector) = (["open", "mail"], [0.5, 0.5], true)
        let start = Date(timeIntervalSince1970: 0)
        // A log: what was told, and what came next, which is the inner plan's answer.
        let hits = (0..<4).map { place -> RetrievalHit in
            var hit = RetrievalHit(number: place, score: place == 0 ? 0.9 : 0.1, features: RecallFeatures())
            (hit.session, hit.matches) = ("day", place == 1 ? 0b11 : 0)
            hit.eventTime = start.addingTimeInterval(Double(place))
            return hit
        }
        func first(_ retrieval: String) throws -> Int? {
            let recipe = try read(#"{"name": "n", "retrieval": "\#(retrieval)"}"#).recipe(over: PublishedPlanTests.base)
            var query = query
            for round in 1..<recipe.retrieval.roundLimit {
                query.round = round
                guard case .ranked(let ranked) = recipe.retrieval.next(query, after: hits) else { continue }
                return ranked.max { $0.score < $1.score }?.number
            }
            return nil
        }
        #expect(try first("longnap") == 2)
        for names in ["arcmemo+longnap", "vilomem+longnap", "arcmemo+vilomem+longnap"] {
            #expect(try first(names) == 2, "\(names)")
        }
    }

    @Test func `a search grafts what a recipe changes, and so finds stages that need each other`() throws {
        var random = SplitMix64(seed: 3)
        var measured = [RecipeSearch.Candidate(composition: RecipeComposition(name: "s"), score: 0)]
        for _ in 0..<300 {
            guard let child = RecipeSearch.grafted(on: measured, over: PublishedPlanTests.base, &random) else { break }
            #expect(!measured.contains { $0.composition == child })
            func holds(_ stage: String?, _ name: String) -> Bool {
                stage?.split(separator: "+").contains(Substring(name)) == true
            }
            // Either stage alone is worth nothing.
            let arc = holds(child.retrieval, "arcmemo") && holds(child.maintainer, "arcmemo")
            let mistakes = holds(child.retrieval, "vilomem") && holds(child.extractor, "vilomem")
            let score = (arc ? 0.5 : 0) + (mistakes ? 0.4 : 0)
            measured.append(RecipeSearch.Candidate(composition: child, score: score))
            measured.sort { $0.score > $1.score }
            _ = try child.recipe(over: PublishedPlanTests.base)
        }
        #expect(measured[0].score == 0.9)
    }

    @Test func `a search takes what is best at one thing, however low its mean`() throws {
        // Each recipe is good at one measure alone; the standard has the best mean.
        let names = ["arcmemo", "vilomem", "longnap", "hema"]
        func measures(_ composition: RecipeComposition) -> [Double] {
            let held = Set(
                [composition.extractor, composition.retrieval, composition.maintainer].compactMap(\.self)
                    .flatMap { $0.split(separator: "+").map(String.init) })
            return names.map { held.contains($0) ? 1 : held.isEmpty ? 0.3 : 0 }
        }
        var random = SplitMix64(seed: 5)
        var measured = [RecipeComposition(name: "searched")].map {
            RecipeSearch.Candidate(composition: $0, measures: measures($0))
        }
        #expect(measured[0].score == 0.3)
        for name in names {
            let whole = try RecipeSearch.whole(name, over: PublishedPlanTests.base)
            measured.append(RecipeSearch.Candidate(composition: whole, measures: measures(whole)))
        }
        for _ in 0..<60 {
            guard let child = RecipeSearch.grafted(on: measured, over: PublishedPlanTests.base, &random) else { break }
            measured.append(RecipeSearch.Candidate(composition: child, measures: measures(child)))
            measured.sort { $0.score > $1.score }
        }
        #expect(measured[0].score == 1)
    }

    @Test func `a whole recipe as a composition names the stages that it changes`() throws {
        let arcmemo = try RecipeSearch.whole("arcmemo", over: PublishedPlanTests.base)
        #expect(arcmemo.retrieval == "arcmemo" && arcmemo.maintainer == "arcmemo" && arcmemo.extractor == nil)
        #expect(throws: InputError.self) { try RecipeSearch.whole("nobody", over: PublishedPlanTests.base) }
    }
}
