import Foundation
import Mneme
import MnemeBench
import MnemeCube
import MnemePipeline
import MnemeRecipes
import MnemeTesting
import Testing

/// The grid of structures and searches.
@Suite struct StructureGridTests {
    private func drafts(_ name: String, _ text: String, speaker: String? = "Ana") throws -> [String] {
        let recipe = try #require(StructureGrid.recipe(name, over: .standard))
        let context = ExtractionContext(scope: Scope(user: "ana"), time: Date(timeIntervalSince1970: 1_700_000_000))
        return recipe.extractor.drafts(of: MemoryInput(text, speaker: speaker), in: context).map(\.cube.text)
    }

    @Test(arguments: StructureGrid.names + StructureGrid.granularities, RecipeConformance.all)
    func `every cell conforms`(name: String, check: RecipeConformance) async throws {
        try await check.run(#require(StructureGrid.recipe(name, over: .standard)))
    }

    @Test func `there are five structures with three searches each, and no other`() {
        #expect(Set(StructureGrid.names).count == 15 && StructureGrid.names.contains(StructureGrid.flat))
        #expect(StructureGrid.recipe("chunks", over: .standard) == nil)
        #expect(StructureGrid.recipe("chunks-twice", over: .standard) == nil)
        #expect(Set(StructureGrid.names).isDisjoint(with: RecipeCatalog.names))
    }

    @Test func `each structure keeps what it is made of`() throws {
        let text = "I bought a canoe in Porto. Was it dear? My brother paints boats."
        #expect(try drafts("chunks-single", text) == [text])
        let facts = try drafts("facts-single", text)
        #expect(facts == ["Ana bought a canoe in Porto.", "Ana's brother paints boats."])
        let triples = try drafts("triples-single", text)
        #expect(!triples.isEmpty && triples.allSatisfy { $0.contains(": ") && $0 != text })
        #expect(triples.contains { $0.hasPrefix("ana, ") && $0.contains("canoe") }, "\(triples)")
        let mixed = try drafts("mixed-single", text)
        #expect(Set(mixed) == Set([text] + facts + triples) && mixed.first == text)
        #expect(try drafts("facts-single", "Haha yes").isEmpty)
    }

    @Test func `a summary of six messages quotes the two that say most, and says which`() async throws {
        let start = Date(timeIntervalSince1970: 1_700_000_000)
        let words = [["sea"], ["kiln", "clay"], ["rain"], ["kiln", "clay", "glaze"], ["bus"], ["tea"]]
        var cubes = words.enumerated().map { place, words in
            var cube = MemCube(
                scope: Scope(user: "ana", session: "one"), type: .episodic, text: "Of \(words.joined(separator: " "))",
                speaker: "Ana", eventTime: start.addingTimeInterval(Double(place)), recordedTime: start,
                provenance: Provenance(source: "message", reference: "D1:\(place + 1)"))
            cube.keywords = words
            return cube
        }
        let maintainer = try #require(StructureGrid.recipe("summaries-single", over: .standard)?.maintainer)
        let context = MaintenanceContext(now: start, oracle: nil, nearest: { _, _ in [] })
        let made = try await maintainer.operations(on: cubes, in: context)
        guard case .add(let summary, let links)? = made.first, made.count == 1 else {
            Issue.record("\(made)")
            return
        }
        #expect(summary.text == "Ana: Of kiln clay Ana: Of kiln clay glaze" && links.count == 6)
        #expect(summary.metadata.values.contains("D1:2 D1:4"))
        #expect(try await maintainer.operations(on: cubes + [summary], in: context).isEmpty)
        // What becomes of a window that others say more in.
        cubes[0].keywords = ["kiln", "clay", "glaze", "sea"]
        let again = try await maintainer.operations(on: cubes + [summary], in: context)
        #expect(again.contains { if case .archive(summary.id) = $0 { true } else { false } } && again.count == 2)
    }

    @Test func `summaries are searched alone, and a cell that is iterative searches from what it found`() throws {
        let query = RetrievalQuery(request: RecallRequest("When?"), memories: 9, round: 1)
        var dense = query
        dense.hasVector = true
        func hit(_ number: Int, tags: [String]) -> RetrievalHit {
            var hit = RetrievalHit(number: number, score: 1 / Float(number), features: RecallFeatures())
            hit.tags = tags
            return hit
        }
        let hits = [hit(1, tags: []), hit(2, tags: ["grid/summary"])]
        let summaries = try #require(StructureGrid.recipe("summaries-single", over: .standard)).retrieval
        guard case .ranked(let found) = summaries.next(dense, after: hits) else {
            Issue.record("it goes on")
            return
        }
        #expect(found.map(\.number) == [2])
        let iterative = try #require(StructureGrid.recipe("chunks-iterative", over: .standard)).retrieval
        guard case .probe(let probes) = iterative.next(dense, after: hits) else {
            Issue.record("it searched once")
            return
        }
        #expect(probes == [.like([1, 2], limit: 30)])
        let single = try #require(StructureGrid.recipe("chunks-single", over: .standard)).retrieval
        guard case .ranked = single.next(dense, after: hits) else {
            Issue.record("it searched again")
            return
        }
    }

    @Test func `a table shows times as multiples of flat memory where that is in it`() throws {
        let json = """
            {"recipe": "chunks-single", "questions": 2, "any1": 0.5, "any5": 1, "any10": 1, "all10": 1, "temporal10": 0.25,
             "tokens": 9, "modelCalls": 0, "writeMilliseconds": 0.5, "maintainMilliseconds": 0, "recallMilliseconds": 2,
             "bytes": 1, "memories": 8, "compared": 8}
            """
        var flat = try JSONDecoder().decode(RecipeEvaluation.Row.self, from: Data(json.utf8))
        let alone = RecipeTable([flat]).lines
        flat.recipe = "licomemory"
        (flat.maintainMilliseconds, flat.recallMilliseconds) = (1, 1)
        #expect(!RecipeTable([flat]).lines[0].contains("build×"))
        #expect(alone[1].hasSuffix("1.00     1.00"))
        var other = flat
        other.recipe = StructureGrid.flat
        (other.maintainMilliseconds, other.recallMilliseconds) = (0, 2)
        let both = RecipeTable([flat, other]).lines
        #expect(both[0].hasSuffix("build×  recall×") && both[1].hasSuffix("3.00     0.50"), "\(both)")
    }
}
