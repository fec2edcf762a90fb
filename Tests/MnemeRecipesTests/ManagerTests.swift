import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeCube
import MnemePipeline
import MnemeRecipes
import MnemeTesting
import Testing

/// The managers of recipes that learn, by values alone.
@Suite struct ManagerTests {
    private static let start = Date(timeIntervalSince1970: 1_700_000_000)

    private func cube(_ text: String, _ place: Int = 0, type: MemoryType = .episodic) -> MemCube {
        let time = Self.start.addingTimeInterval(Double(place))
        var cube = MemCube(
            scope: Scope(user: "ana"), type: type, text: text, speaker: "Ana", eventTime: time, recordedTime: time,
            provenance: Provenance(source: "message", reference: "D1:\(place)"))
        cube.keywords = text.lowercased().split(separator: " ").map(String.init)
        return cube
    }

    /// A policy with a weight here and there.
    private func policy(_ name: String, _ weights: [String: Double]) throws -> ManagerPolicy {
        let json = try JSONSerialization.data(withJSONObject: ["manager": name, "weights": weights])
        return try ManagedRecipes.policy(json: json)
    }

    @Test(arguments: ManagedRecipes.names, RecipeConformance.all)
    func `a trained recipe conforms, whatever its weights`(name: String, check: RecipeConformance) async throws {
        var random = SplitMix64(seed: 3)
        var policy = try ManagedRecipes.untrained(name)
        try await check.run(ManagedRecipes.recipe(policy, over: .standard))
        policy.weights = policy.weights.map { _ in 4 * random.unit() - 2 }
        try await check.run(ManagedRecipes.recipe(policy, over: .standard))
    }

    @Test func `budgetmem's weights choose the tier`() throws {
        var query = RetrievalQuery(request: RecallRequest("When?"), memories: 100, round: 0)
        (query.words, query.weights, query.hasVector) = (["kiln", "noon"], [0.5, 0.5], true)
        func first(_ weights: [String: Double], words: Int) throws -> [Probe] {
            var query = query
            query.words = [String](repeating: "kiln", count: words)
            return try ManagedRecipes.recipe(policy("budgetmem", weights), over: .standard).retrieval.first(query)
        }
        // Long questions are dear, short ones cheap, those between neither.
        let weights = ["low": 2.0, "low.words": -5, "high": -4, "high.words": 5]
        #expect(try first(weights, words: 1) == [.words(limit: 20), .dense(limit: 5)])
        #expect(try first(weights, words: 3) == [.words(limit: 50), .dense(limit: 50)])
        #expect(try first(weights, words: 6) == [.everything])
    }

    @Test func `budgetmem's weights choose how much is handed on, by what was found`() throws {
        let hits = (0..<20).map { place in
            // One far before the rest.
            RetrievalHit(number: place, score: place == 0 ? 9 : 1, features: RecallFeatures())
        }
        let query = RetrievalQuery(request: RecallRequest("When?", limit: 10), memories: 100, round: 1)
        func handedOn(_ weights: [String: Double], _ hits: [RetrievalHit]) throws -> Int {
            let weights = weights.merging(["low": 9]) { first, _ in first }
            let plan = try ManagedRecipes.recipe(policy("budgetmem", weights), over: .standard).retrieval
            guard case .ranked(let kept) = plan.next(query, after: hits) else { return -1 }
            return kept.count
        }
        let weights = ["small": -1.0, "small.lead": 1]
        #expect(try handedOn(weights, hits) == 3 && handedOn(weights, Array(hits.dropFirst())) == 6)
        #expect(try handedOn(["large": 1], hits) == 10)
    }

    @Test func `memory-r1's weights choose which of the five best comes first`() throws {
        let start = Self.start
        let hits = (0..<8).map { place in
            var hit = RetrievalHit(number: place, score: 1 - Float(place) / 100, features: RecallFeatures())
            hit.eventTime = start.addingTimeInterval(place == 3 ? 60 : 0)
            return hit
        }
        let query = RetrievalQuery(request: RecallRequest("What?", limit: 10), memories: 8, round: 2)
        func order(_ weights: [String: Double]) throws -> [Int] {
            let plan = try ManagedRecipes.recipe(policy("memory-r1", weights), over: .standard).retrieval
            guard case .ranked(let ranked) = plan.next(query, after: hits) else { return [] }
            return ranked.sorted { $0.score > $1.score }.map(\.number)
        }
        #expect(try order([:]) == Array(0..<8))
        #expect(try order(["first.late": 1]) == [3, 0, 1, 2, 4, 5, 6, 7])
        #expect(try order(["first.late": 1, "first.score": 500]) == Array(0..<8))
    }

    @Test func `memsifter's weights choose the conversations`() throws {
        let hits = (0..<24).map { place -> RetrievalHit in
            let session = place / 4
            var hit = RetrievalHit(
                number: place, score: 1 - Float(place) / 100, features: RecallFeatures([.date: session == 5 ? 1 : 0]))
            hit.session = "s\(session)"
            return hit
        }
        let query = RetrievalQuery(request: RecallRequest("When?"), memories: 24, round: 1)
        func kept(_ weights: [String: Double]) throws -> Set<String> {
            let plan = try ManagedRecipes.recipe(policy("memsifter", weights), over: .standard).retrieval
            guard case .ranked(let hits) = plan.next(query, after: hits) else { return [] }
            return Set(hits.compactMap(\.session))
        }
        #expect(try kept(["best": 1]) == ["s0", "s1", "s2", "s3"])
        #expect(try kept(["best": 1, "date": 5]) == ["s0", "s1", "s2", "s5"])
        #expect(try kept(["best": -1]) == ["s2", "s3", "s4", "s5"])
    }

    @Test func `mem1's state is never over its bound, and weights say what leaves`() async throws {
        let memories = (0..<30).map { cube($0 % 3 == 0 ? "Is it \($0)?" : "Fact \($0) of kiln", $0) }
        var most = 0
        let gone = Mem1.leaving(memories, bound: 10) { rows in
            most = max(most, rows.count)
            return rows.indices.max { (rows[$0][5], $1) < (rows[$1][5], $0) } ?? 0
        }
        // Eleven are looked at for a moment, ten are kept: each turn's prompt is as long as the one before.
        #expect(most == 11 && gone.count == 20)
        #expect(Set(memories.filter { $0.text.hasSuffix("?") }.map(\.id)).isSubset(of: gone))
        // What the whole state says already leaves before what is new.
        let said = cube("kiln clay", 0)
        let again = cube("kiln clay", 1)
        let new = cube("harbour storm", 2)
        let policy = try policy("mem1", ["new": -5])
        #expect(Mem1.leaving([said, again, new], bound: 2) { policy.best(of: $0) } == [said.id])
        // Through the recipe: 250 memories become 200.
        let many = (0..<250).map { cube("Fact \($0)", $0) }
        let maintainer = try #require(ManagedRecipes.recipe(policy, over: .standard).maintainer)
        let context = MaintenanceContext(now: Self.start, oracle: nil, nearest: { _, _ in [] })
        let done = try await maintainer.operations(on: many, in: context)
        #expect(done.count == 50)
    }

    /// The claim at toy size: several things are asked at the end, however long it goes on.
    @Test func `mem1's peak of tokens is flat while a conversation grows`() throws {
        let made = try ManagerSample.conversations(12, seed: 9)
        let all = made.enumerated().flatMap { number, conversation in
            conversation.turns.enumerated().map { cube($1.text, number * 1_000 + $0) }
        }
        let untrained = try ManagedRecipes.untrained("mem1")
        func peak(_ count: Int) -> Int {
            stride(from: 20, through: count, by: 10).map { turn in
                let gone = Set(Mem1.leaving(Array(all.prefix(turn)), bound: 20) { untrained.best(of: $0) })
                return all.prefix(turn).reduce(0) { $0 + (gone.contains($1.id) ? 0 : $1.text.utf8.count / 4 + 1) }
            }.max() ?? 0
        }
        let peaks = (peak(60), peak(480))
        #expect(Double(peaks.1) < 1.35 * Double(peaks.0), "\(peaks)")
        let whole = all.prefix(480).reduce(0) { $0 + $1.text.utf8.count / 4 + 1 }
        #expect(whole > 10 * peaks.1, "\(whole) for \(peaks)")
    }

    @Test func `memory-r1's weights choose add, update, delete and noop`() async throws {
        let earlier = cube("The gate code is 4411", 0)
        func done(_ text: String, _ weights: [String: Double], similarity: Double = 0.8) async throws -> String {
            let later = cube(text, 1)
            let recipe = try ManagedRecipes.recipe(policy("memory-r1", weights), over: .standard)
            let context = MaintenanceContext(now: Self.start, oracle: nil) { id, _ in
                [Neighbour(id == later.id ? earlier.id : later.id, similarity: similarity)]
            }
            return try await #require(recipe.maintainer).operations(on: [earlier, later], in: context).map {
                operation in
                switch operation {
                case .merge(earlier.id, into: later.id): "merge"
                case .archive(let id): id == earlier.id ? "drop old" : "drop new"
                default: "?"
                }
            }.joined(separator: ", ")
        }
        let weights = [
            "update": -3.0, "update.head": 2, "update.change": 3, "delete": -2, "delete.retracts": 5, "noop": -4.5,
            "noop.head": 3, "noop.tail": 3,
        ]
        #expect(try await done("The gate code is 7302 now", weights) == "merge")
        #expect(try await done("Forget the gate code, that is cancelled", weights) == "drop old, drop new")
        #expect(try await done("As I said, the gate code is 4411", weights) == "drop new")
        #expect(try await done("The bicycle is in the cellar", weights) == "")
        // What is not near is added, whatever the weights.
        #expect(try await done("The gate code is 7302 now", weights, similarity: 0.3) == "")
    }

    @Test func `mem-alpha's facts take each other's place, and events do not`() throws {
        let texts = ["On Monday I ran 5 km", "On Friday I ran 8 km", "The gate code is 4411", "The gate code is 7302"]
        let memories = texts.enumerated().map { cube($1, $0) }
        let near = [
            memories[1].id: [Neighbour(memories[0].id, similarity: 0.9)],
            memories[3].id: [Neighbour(memories[2].id, similarity: 0.9)],
        ]
        let policy = try policy("mem-alpha", ["core": -9, "fact": 1, "fact.own": -3])
        let done = MemAlpha.stores(of: memories, near: near) { policy.best(of: $0) }
        let merged = done.compactMap { if case .merge(let id, let other) = $0 { [id, other] } else { nil } }
        #expect(merged == [[memories[2].id, memories[3].id]])
        // The second run finds all in place.
        var left = [memories[0], memories[1], memories[3]]
        left[2].type = .semantic
        #expect(MemAlpha.stores(of: left, near: near) { policy.best(of: $0) }.isEmpty)
    }

    @Test func `what is least valuable leaves mem-alpha's core when that is full`() async throws {
        // By weights: whatever has a number leaves first.
        let texts = ["I am vegan", "Room 7", "I am deaf", "I never fly", "I am diabetic", "I was born in Porto"]
        let memories = texts.enumerated().map { cube($1, $0) }
        let policy = try policy("mem-alpha", ["core": 5, "leaves.numbers": 9, "leaves.age": 1])
        let done = MemAlpha.stores(of: memories, near: [:]) { policy.best(of: $0) }
        var types: [CubeID: MemoryType] = [:]
        for operation in done { if case .update(let cube) = operation { types[cube.id] = cube.type } }
        // Six for four places: the number at once, then the oldest.
        #expect(memories.map { types[$0.id] } == [.semantic, .semantic, .core, .core, .core, .core])
        // By the rule: the least used of six, of equals the oldest.
        var core = texts.enumerated().map { cube($1, $0, type: .core) }
        for place in [0, 3, 4, 5] { core[place].usage = Usage(count: 2, last: Self.start) }
        let ruled = try await #require(RecipeCatalog.recipe("mem-alpha", over: .standard)?.maintainer).operations(
            on: core, in: MaintenanceContext(now: Self.start, oracle: nil, nearest: { _, _ in [] }))
        let demoted = ruled.compactMap {
            if case .update(let cube) = $0, cube.type == .semantic { cube.id } else { nil }
        }
        #expect(demoted == [core[1].id, core[2].id])
        #expect(ruled.count == 2)
    }

    @Test func `two of ten places are the core's, where it does not stand there anyway`() throws {
        struct Whole: RetrievalPlan {
            let roundLimit = 1
            let hitLimit = 10
            func first(_ query: RetrievalQuery) -> [Probe] { [.everything] }
            func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep { .answer }
        }
        func order(core: Set<Int>) -> [Int] {
            let hits = (0..<30).map { place in
                var hit = RetrievalHit(number: place, score: 1 - Float(place) / 50, features: RecallFeatures())
                hit.type = core.contains(place) ? .core : .episodic
                return hit
            }
            let query = RetrievalQuery(request: RecallRequest("When?", limit: 10), memories: 30, round: 1)
            guard case .ranked(let ranked) = CoreBeside(base: Whole()).next(query, after: hits) else { return [] }
            return ranked.sorted { $0.score > $1.score }.map(\.number)
        }
        #expect(order(core: []) == Array(0..<30))
        #expect(order(core: [2, 20, 25]).prefix(11) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 20, 9])
        #expect(order(core: [15, 20, 25]).prefix(11) == [0, 1, 2, 3, 4, 5, 6, 7, 15, 20, 8])
    }

    @Test func `made conversations are the same for a seed, in two wordings, and each question has its answer`() throws
    {
        let made = try ManagerSample.conversations(4, seed: 5)
        let again = try ManagerSample.conversations(4, seed: 5)
        #expect(made.map(\.turns.count) == again.map(\.turns.count))
        #expect(zip(made, again).allSatisfy { $0.turns.map(\.text) == $1.turns.map(\.text) })
        #expect(try ManagerSample.conversations(4, seed: 6)[0].turns.map(\.text) != made[0].turns.map(\.text))
        let persons = try LocomoConversation.read(ManagerSample.file(4, seed: 5, isOfPersons: true))
        #expect(persons.allSatisfy { $0.questions.count == 4 && $0.questions.allSatisfy { $0.evidence.count == 1 } })
        let texts = made.map { Set($0.turns.map(\.text)) }
        #expect(texts[0].isDisjoint(with: texts[1]) && !texts[0].isDisjoint(with: texts[2]))
        for conversation in made {
            let ids = Set(conversation.turns.map(\.id))
            #expect(conversation.questions.count == 14)
            #expect(conversation.questions.allSatisfy { !$0.evidence.isEmpty && ids.isSuperset(of: $0.evidence) })
        }
    }
}
