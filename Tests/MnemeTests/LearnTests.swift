import Foundation
import Mneme
import MnemeStore
import Testing

@Suite struct LearnTests {
    /// Toy tasks: of four kinds, each with words of its own; which of four approaches works for a kind changes once.
    private struct ToyTasks {
        static let approaches = ["use the red lever", "use the blue lever", "turn the wheel", "push the crate"]
        static let kinds = [
            "open the iron gate", "drain the old mill", "raise the stone bridge", "light the harbour lamp",
        ]
        static let places = ["north", "south", "east", "west", "river", "hill", "garden"]
        static let count = 200, change = 100

        /// The text of a task.
        static func text(_ number: Int) -> String {
            "\(kinds[number * 3 % 4]) \(places[number * 5 % 7]) \(number % 3)"
        }
        /// Its kind.
        static func kind(_ number: Int) -> Int { kinds.firstIndex { text(number).hasPrefix($0) } ?? 0 }
        /// Whether an approach works.
        static func works(_ approach: String, _ number: Int) -> Bool {
            let right = number < change ? kind(number) : (kind(number) + 2) % 4
            return approaches[right] == approach
        }
    }

    /// How an agent chooses among what it is offered.
    private enum Agent { case withoutMemory, bySimilarity, byValue }

    /// Successes of an agent, task by task.
    ///
    /// The agent takes what it is offered first, unless that is known to fail; then it tries what it has not tried for such
    /// tasks, or what it tried longest ago. By similarity alone it repeats what went well once for the most similar task.
    private func run(_ agent: Agent) async throws -> [Bool] {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        var results: [Bool] = []
        var wentWell: Set<CubeID> = []
        for number in 0..<ToyTasks.count {
            let task = ToyTasks.text(number)
            // Without anything to go by it takes turns.
            var choice = ToyTasks.approaches[(number * 11 / 4) % 4]
            if agent != .withoutMemory {
                let offers = try await memory.experience(.cases, for: RecallRequest(task, limit: 50)).memories
                if agent == .bySimilarity {
                    let nearest = offers.filter { wentWell.contains($0.memory.id) }.max {
                        ($0.explanation["similarity"] ?? 0) < ($1.explanation["similarity"] ?? 0)
                    }
                    choice = nearest?.memory.metadata["approach"] ?? choice
                } else if let best = offers.first, best.explanation["value"] ?? 0 >= 0.5 {
                    choice = best.memory.metadata["approach"] ?? choice
                } else {
                    let close = offers.filter { $0.explanation["similarity"] ?? 0 >= 0.5 }
                    let tried = close.reduce(into: [String: String]()) { times, offer in
                        let kept = offer.memory.metadata
                        if let approach = kept["approach"], let time = kept["tried"] {
                            times[approach] = max(times[approach] ?? "", time)
                        }
                    }
                    choice = ToyTasks.approaches.min { (tried[$0] ?? "") < (tried[$1] ?? "") } ?? choice
                }
            }
            let isDone = ToyTasks.works(choice, number)
            results.append(isDone)
            if agent != .withoutMemory {
                let time = Date(timeIntervalSince1970: 1_780_000_000 + Double(number) * 60)
                let learned = try await memory.learn(
                    TaskOutcome(task: task, approach: choice, reward: isDone ? 1 : 0), scope: Scope(),
                    by: Caller(.local, time: time))
                if isDone { wentWell.insert(learned.memory.id) }
            }
        }
        await memory.close(deadline: .zero)
        return results
    }

    private func rate(_ results: ArraySlice<Bool>) -> Double {
        Double(results.count(where: \.self)) / Double(results.count)
    }

    @Test func `success rises over no memory and over similarity alone, and comes back after a change`() async throws {
        let none = try await run(.withoutMemory)
        let similarity = try await run(.bySimilarity)
        let value = try await run(.byValue)
        let figures = "none \(rate(none[...])), similarity \(rate(similarity[...])), value \(rate(value[...]))"
        #expect(rate(value[...]) > rate(none[...]) + 0.4, "\(figures)")
        #expect(rate(value[...]) > rate(similarity[...]) + 0.2, "\(figures)")
        #expect(rate(value[50..<100]) >= 0.95, "\(figures)")
        #expect(rate(value[120..<200]) >= 0.95, "\(value[100..<125].map { $0 ? 1 : 0 })")
    }

    @Test func `several cases that end well become a procedure, which goes with a case that is erased`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        var last: Learned?
        for place in ["north", "south", "east"] {
            last = try await memory.learn(
                TaskOutcome(
                    task: "Open the iron gate \(place)", approach: "Use the red lever", reward: 1,
                    lesson: "The lever sticks"), scope: Scope())
        }
        let procedure = try #require(last?.procedure)
        #expect(
            procedure.text.contains("iron gate") && procedure.text.contains("red lever")
                && procedure.text.contains("sticks"))
        let offered = try await memory.experience(.procedures, for: RecallRequest("Open the iron gate west")).memories
        #expect(offered.map(\.memory.id) == [procedure.id])
        // Ends badly now: the values of like cases fall with it, and the procedure is given up.
        var ended: Learned?
        for place in ["west", "hill", "river"] {
            ended = try await memory.learn(
                TaskOutcome(task: "Open the iron gate \(place)", approach: "use the red lever", reward: 0),
                scope: Scope())
        }
        #expect(ended?.procedure == nil && (ended?.changed.count ?? 0) >= 3)
        #expect(try await memory.experience(.procedures, for: RecallRequest("Open the iron gate")).memories.isEmpty)
        // Erased with what it was made of.
        let case1 = try #require(last?.memory.id)
        try await memory.erase(case1, owner: Owner())
        #expect(try memory.store.cube(procedure.id, owner: Owner(), asOf: nil, by: .local)?.state ?? .erased == .erased)
        await memory.close(deadline: .zero)
    }

    @Test func `the same attempt again is a new version of its case`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let first = try await memory.learn(
            TaskOutcome(task: "Close the shop", approach: "Lock the door", reward: 1), scope: Scope())
        let second = try await memory.learn(
            TaskOutcome(task: "close the shop", approach: "lock the door.", reward: 0), scope: Scope())
        #expect(first.memory.id == second.memory.id && second.memory.version == 2)
        #expect(second.memory.metadata["value"] == "0.2" && second.memory.metadata["tries"] == "2")
        #expect(try memory.store.history(first.memory.id, owner: Owner(), by: .local).count == 2)
        await memory.close(deadline: .zero)
    }

    /// Offers the latest cases, whatever they were worth, and learns nothing else.
    private struct Latest: OutcomeLearner {
        let leastProcedureValue = 0.0
        func changes(_ outcome: TaskCase, among cases: [TaskCase]) -> OutcomeChanges {
            OutcomeChanges(made: outcome)
        }
        func offers(for task: String, among cases: [TaskCase]) -> [CaseOffer] {
            cases.indices.reversed().map { CaseOffer(place: $0, similarity: 1, value: 1) }
        }
        func offers(for task: String, among procedures: [(about: String, value: Double)]) -> [CaseOffer] { [] }
    }

    @Test func `a recipe may learn in its own way`() async throws {
        let folder = try TemporaryFolder()
        var recipe = Recipe.standard
        recipe.outcomes = Latest()
        let memory = MemoryOS(
            store: try SQLiteMemoryStore(path: folder.path + "/own.db", analyzer: MemoryOS.analyzerVersion),
            embedder: nil, recipe: recipe)
        for (approach, reward) in [("push", 1.0), ("pull", 0)] {
            let outcome = TaskOutcome(task: "open the gate", approach: approach, reward: reward)
            try await memory.learn(outcome, scope: Scope())
        }
        let offers = try await memory.experience(.cases, for: RecallRequest("mend the fence", limit: 5)).memories
        #expect(offers.map { $0.memory.metadata["approach"] } == ["pull", "push"])
        await memory.close(deadline: .zero)
    }

    @Test func `wrong outcomes are refused, and cases of others are not seen`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        for outcome in [
            TaskOutcome(task: " ", approach: "a", reward: 1), TaskOutcome(task: "a", approach: "", reward: 1),
            TaskOutcome(task: "a", approach: "b", reward: 1.5), TaskOutcome(task: "a", approach: "b", reward: .nan),
        ] {
            await #expect(throws: InputError.self) { try await memory.learn(outcome, scope: Scope()) }
        }
        try await memory.learn(
            TaskOutcome(task: "Close the shop", approach: "Lock the door", reward: 1), scope: Scope(user: "ana"))
        let request = RecallRequest("Close the shop", owner: Owner(user: "bob"))
        #expect(try await memory.experience(.cases, for: request).memories.isEmpty)
        let bob = Caller(Principal(name: "bob", permissions: [.read], tenant: "default", user: "bob"))
        await #expect(throws: AccessError.self) {
            try await memory.experience(
                .cases, for: RecallRequest("Close the shop", owner: Owner(user: "ana")), by: bob)
        }
        await memory.close(deadline: .zero)
    }
}
