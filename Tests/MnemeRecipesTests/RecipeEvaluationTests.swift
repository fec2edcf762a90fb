import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeCube
import MnemePipeline
import MnemeRecipes
import Testing

@Suite struct RecipeEvaluationTests {
    /// Vectors of words: texts that share words are near.
    private struct WordVectors: TextEmbedder {
        let identifier = "words"
        let dimension = 64
        let maximumTokens = 256
        func tokenCount(_ text: String) -> Int { text.split(separator: " ").count }
        func embed(_ texts: [String]) throws -> Embeddings {
            Embeddings(
                dimension: dimension,
                values: texts.flatMap { text -> [Float] in
                    var vector = [Float](repeating: 0.01, count: dimension)
                    for word in text.lowercased().split(whereSeparator: { !$0.isLetter }) {
                        let sum = word.utf8.reduce(7) { ($0 &* 31 &+ Int($1)) & 0xffff }
                        vector[sum % dimension] += 1
                    }
                    let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
                    return vector.map { $0 / norm }
                })
        }
    }

    /// Two sessions of a conversation with a question about each.
    private static func conversation() throws -> LocomoConversation {
        func turns(_ session: Int, _ texts: [String]) -> [[String: String]] {
            texts.enumerated().map { i, text in
                [
                    "speaker": i.isMultiple(of: 2) ? "Ana" : "Tom", "text": text,
                    "dia_id": "D\(session):\(i + 1)",
                ]
            }
        }
        let file: [[String: Any]] = [
            [
                "sample_id": "one",
                "conversation": [
                    "session_1_date_time": "1:56 pm on 8 May, 2023",
                    "session_1": turns(
                        1,
                        [
                            "The pottery kiln in our yard fires every Sunday at noon",
                            "Sounds wonderful, my garden only grows tomatoes and basil",
                            "Yesterday the sailing lesson in the harbour was cancelled by a storm",
                            "Then let us visit the museum of modern painting instead",
                        ]),
                    "session_2_date_time": "3:10 pm on 20 May, 2023",
                    "session_2": turns(
                        2,
                        [
                            "My brother Bruno opened a small bakery near the station",
                            "Congratulations, fresh bread every morning for the family",
                            "He employs seven people and bakes dark rye with walnuts",
                            "We should bring him a plant for the counter next week",
                        ]),
                ],
                "qa": [
                    ["question": "When does the pottery kiln fire?", "category": 4, "evidence": ["D1:1"]],
                    [
                        "question": "What bread does Bruno bake in his bakery?", "category": 1,
                        "evidence": ["D2:1", "D2:3"],
                    ],
                    ["question": "Nobody asked this", "category": 5, "evidence": ["D1:2"]],
                ],
            ]
        ]
        let data = try JSONSerialization.data(withJSONObject: file)
        return try #require(try LocomoConversation.read(data).first)
    }

    @Test(arguments: RecipeCatalog.names)
    func `every recipe stores, looks after and finds a conversation`(_ name: String) async throws {
        let recipe = try #require(RecipeCatalog.recipe(name, over: .standard))
        for embedder in [WordVectors(), nil] as [WordVectors?] {
            let evaluation = RecipeEvaluation([try Self.conversation()], embedder: embedder)
            let row = try await evaluation.run(recipe) { done, total in
                #expect(done <= total && total == 10)
            }
            #expect(row.recipe == name && row.questions == 2 && row.modelCalls == 0)
            #expect(row.any5 >= 0.5, "\(name) finds nothing: \(row)")
            #expect(row.any1 <= row.any5 && row.any5 <= row.any10 && row.all10 <= row.any10)
            #expect(row.tokens > 0 && row.bytes > 0 && row.memories > 0)
        }
    }

    /// O-Mem's claim [151] at toy size: what somebody said of themselves answers questions that share no word with it.
    @Test func `o-mem finds what holds of persons where flat memory and grouping do not, at the same tokens`()
        async throws
    {
        let made = try LocomoConversation.read(ManagerSample.file(8, isOfPersons: true))
        let evaluation = RecipeEvaluation(made, embedder: HashedWordsEmbedder())
        func row(_ name: String) async throws -> RecipeEvaluation.Row {
            let recipe = StructureGrid.recipe(name, over: .standard) ?? RecipeCatalog.recipe(name, over: .standard)
            return try await evaluation.run(#require(recipe)) { _, _ in }
        }
        let (flat, grouped, persons) = try await (row(StructureGrid.flat), row("h-mem"), row("o-mem"))
        #expect(persons.questions == 32)
        #expect(persons.any10 > flat.any10 + 0.2 && persons.any10 > grouped.any10 + 0.2, "\([flat, grouped, persons])")
        #expect(persons.tokens < 1.25 * flat.tokens, "\([flat, grouped, persons])")
    }

    /// HEMA's claim [71] at its size: a dialogue of 300 turns, of which every tenth tells a fact.
    @Test func `hema finds in 300 turns what its summary alone does not hold, within a small prompt`() async throws {
        let things = ["kiln", "canoe", "loom", "piano", "telescope", "tractor", "drone", "tent", "organ", "sledge"]
        let facts = (0..<30).map {
            "Cousin Nuri\(String(UnicodeScalar(UInt8(97 + $0 % 26))))\($0) keeps a \(things[$0 % 10])"
        }
        let turns = (0..<300).map {
            $0 % 10 == 4 ? facts[$0 / 10] : "The weather on walk \($0) was mild, and we talked a while"
        }
        var conversation: [String: Any] = [:]
        for session in 0..<15 {
            conversation["session_\(session + 1)_date_time"] = "1:56 pm on \(session + 1) May, 2023"
            conversation["session_\(session + 1)"] = (0..<20).map { place in
                ["speaker": "Ana", "text": turns[session * 20 + place], "dia_id": "D\(session + 1):\(place + 1)"]
            }
        }
        let questions = (0..<30).map { fact in
            let turn = fact * 10 + 4
            return [
                "question": "What does \(facts[fact].split(separator: " ")[1]) keep?", "category": 4,
                "evidence": ["D\(turn / 20 + 1):\(turn % 20 + 1)"],
            ] as [String: Any]
        }
        let file = [["sample_id": "long", "conversation": conversation, "qa": questions] as [String: Any]]
        let played = try LocomoConversation.read(try JSONSerialization.data(withJSONObject: file))
        let recipe = try #require(RecipeCatalog.recipe("hema", over: .standard))
        let row = try await RecipeEvaluation(played, embedder: nil).run(recipe) { _, _ in }
        #expect(row.questions == 30 && row.any10 >= 0.9 && row.tokens < 3_500, "\(row)")
        // The summary alone is a sentence: of thirty facts it can tell one or two.
        let now = Date()
        let cubes = turns.map {
            MemCube(
                scope: Scope(user: "ana"), type: .episodic, text: $0, eventTime: now, recordedTime: now,
                provenance: Provenance(source: "message"))
        }
        let made = try await recipe.maintainer?.operations(
            on: cubes, in: MaintenanceContext(now: now, oracle: nil, nearest: { _, _ in [] }))
        let summary = (made ?? []).compactMap { if case .add(let cube, _) = $0 { cube.text } else { nil } }.joined()
        #expect(!summary.isEmpty && facts.count { summary.contains($0) } <= 2, "\(summary)")
    }

    @Test func `what a recipe sums up counts for no turn, and a model's calls are counted`() async throws {
        /// Says that everything is a summary.
        struct Scripted: Oracle {
            let name = "scripted"
            func answer(_ question: OracleQuestion) async throws -> String {
                #"{"summary":"When does the pottery kiln fire and what bread does Bruno bake?"}"#
            }
        }
        let recipe = try #require(RecipeCatalog.recipe("hema", over: .standard))
        let evaluation = RecipeEvaluation(
            [try Self.conversation()], embedder: WordVectors(), oracle: Scripted())
        let row = try await evaluation.run(recipe) { _, _ in }
        #expect(row.modelCalls == 1)
        // The summary repeats the question and stands first; the evidence comes behind it.
        #expect(row.any1 == 0 && row.any10 == 1 && row.memories == 9)
    }
}
