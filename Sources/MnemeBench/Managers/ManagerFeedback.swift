import Foundation
import Mneme
import MnemeBase
import MnemeCube
import MnemePipeline
import MnemeRecipes
import MnemeStore
import NIOConcurrencyHelpers

/// Tasks for a manager from one conversation, with outcomes that real recalls had: it is stored once, and what the manager
/// would change is played on what recall found.
struct ManagerFeedback {
    let conversation: LocomoConversation
    let embedder: (any TextEmbedder)?
    let standard: Recipe
    /// Memories of MEM1's state; nil takes a third of each window.
    var bound: Int?

    /// The tasks of a manager.
    ///
    /// - Parameter name: one of `ManagedRecipes.names`.
    /// - Throws: `StoreError`, `ModelError`.
    func tasks(of name: String) async throws -> [ManagerTask] {
        switch name {
        case "budgetmem": try await tiers()
        case "memsifter": try await sessions()
        case "mem1": try await states()
        case "mem-alpha": try await alphaStores()
        default: try await operations()
        }
    }

    // MARK: Questions

    /// A question in three tiers of search, with three sizes of an answer: what each finds, and its price: the mean of the
    /// share of the memories that it looks at and the share of ten that it hands on.
    private func tiers() async throws -> [ManagerTask] {
        var answers: [[Answer]] = []
        for tier in BudgetMem.Tier.allCases {
            let budget = FixedTier(router: BudgetMem.TierRouter(high: standard.retrieval), tier: tier)
            answers.append(try await recall(through: RecordingPlan(budget), limit: 10))
        }
        return answers[0].indices.map { question in
            let tiers = answers.map { $0[question] }
            let rows = BudgetMem.options(for: tiers[0].query)
            let sizes = tiers.map { BudgetMem.options(for: $0.query, after: $0.hits) }
            return ManagerTask { choose in
                let tier = choose(rows)
                let answer = tiers[tier]
                let size = BudgetMem.size(choose(sizes[tier]), of: 10)
                let looked = Double(answer.looked) / Double(max(1, answer.query.memories))
                return ManagerTask.Outcome(
                    found: answer.ranked.found { $0 < size }, price: (min(1, looked) + Double(size) / 10) / 2)
            }
        }
    }

    /// A question whose conversations are sifted.
    private func sessions() async throws -> [ManagerTask] {
        try await recall(through: RecordingPlan(EverythingPlan()), limit: 1_000).map { answer in
            let options = MemSifter.options(for: answer.query, answer.hits)
            return ManagerTask { choose in
                let kept = MemSifter.kept(options, choose)
                let found = answer.ranked.found { kept.contains(answer.sessions[$0]) }
                return ManagerTask.Outcome(found: found, price: 0)
            }
        }
    }

    // MARK: Memories

    /// Memories of a window at most; its state holds a third of it.
    private static let window = 120

    /// Windows of the conversation, each with a state for a third of it: the outcome is the share of the questions about it
    /// whose evidence is in the state at its end.
    private func states() async throws -> [ManagerTask] {
        let (memories, _, _) = try await seen()
        let questions = RecipeEvaluation.questions(of: conversation)
        let width = min(Self.window, memories.count)
        return stride(from: 0, through: memories.count - width, by: max(1, width / 2)).compactMap { start in
            let part = Array(memories[start...].prefix(width))
            let turns = Set(part.compactMap(\.provenance.reference))
            let asked = questions.filter { $0.evidence.isSubset(of: turns) }
            guard !asked.isEmpty else { return nil }
            return ManagerTask { choose in
                let gone = Set(Mem1.leaving(part, bound: bound ?? part.count / 3, choose))
                let left = Set(part.lazy.filter { !gone.contains($0.id) }.compactMap(\.provenance.reference))
                let found = asked.reduce(0.0) { sum, question in
                    sum + (question.evidence.isDisjoint(with: left) ? 0 : 0.5)
                        + (question.evidence.isSubset(of: left) ? 0.5 : 0)
                }
                return ManagerTask.Outcome(found: found / Double(asked.count), price: 0)
            }
        }
    }

    /// The whole conversation: what its questions find in what the stores leave.
    private func alphaStores() async throws -> [ManagerTask] {
        let (memories, near, answers) = try await seen()
        let places = Dictionary(uniqueKeysWithValues: memories.enumerated().map { ($1.id, $0) })
        return [
            ManagerTask { choose in
                let operations = MemAlpha.stores(of: memories, near: near, choose)
                var isCore = memories.map { _ in false }
                for case .update(let cube) in operations { isCore[places[cube.id] ?? 0] = cube.type == .core }
                let isKept = Self.kept(memories.count, by: operations, places)
                return outcome(of: answers, isKept) { $0.turns(withCore: isCore, kept: isKept, places) }
            }
        ]
    }

    /// The whole conversation: what its questions find in what the operations leave, with the choice of what comes first.
    ///
    /// It is learned from one operation at a time, while all other memories are added, and from one answer at a time: of
    /// some forty choices with one outcome hardly one could be told from the others.
    private func operations() async throws -> [ManagerTask] {
        let (memories, near, answers) = try await seen()
        let places = Dictionary(uniqueKeysWithValues: memories.enumerated().map { ($1.id, $0) })
        let times = memories.map(\.eventTime)
        func play(_ operation: PolicyTrainer.Choose, _ first: PolicyTrainer.Choose) -> ManagerTask.Outcome {
            let isKept = Self.kept(
                memories.count, by: MemoryR1.decisions(on: memories, near: near, operation), places)
            return outcome(of: answers, isKept) { $0.turns(kept: isKept, places, times: times, first) }
        }
        var options: [[[Double]]] = []
        _ = play({ rows in (options.append(rows), 0).1 }, { _ in 0 })
        var lessons = options.enumerated().map { number, rows in
            let outcomes = rows.indices.map { choice in
                var place = -1
                let outcome = play(
                    { _ in
                        place += 1
                        return place == number ? choice : 0
                    }, { _ in 0 })
                // As a number of questions: of a mean hardly anything would be left.
                let count = Double(answers.count)
                return ManagerTask.Outcome(found: outcome.found * count, price: outcome.price * count)
            }
            return ManagerTask(rows, outcomes)
        }
        let all = memories.map { _ in true }
        lessons += answers.map { answer in
            ManagerTask { choose in
                var ranked = answer.ranked
                ranked.turns = answer.turns(kept: all, places, times: times, choose)
                return ManagerTask.Outcome(found: ranked.found { _ in true }, price: 0)
            }
        }
        return [ManagerTask(lessons: lessons) { play($0, $0) }]
    }

    /// Which memories operations leave in use.
    private static func kept(_ count: Int, by operations: [MemoryOperation], _ places: [CubeID: Int]) -> [Bool] {
        var isKept = [Bool](repeating: true, count: count)
        for operation in operations {
            switch operation {
            case .archive(let id), .merge(let id, into: _): isKept[places[id] ?? 0] = false
            default: break
            }
        }
        return isKept
    }

    /// What questions find in what is kept, and its share of all.
    private func outcome(
        of answers: [Answer], _ isKept: [Bool], turns: (Answer) -> [Set<String>]
    ) -> ManagerTask.Outcome {
        let found = answers.reduce(0.0) { sum, answer in
            sum + RankedTurns(turns: turns(answer), evidence: answer.ranked.evidence).found { _ in true }
        }
        return ManagerTask.Outcome(
            found: found / Double(max(1, answers.count)),
            price: Double(isKept.count { $0 }) / Double(max(1, isKept.count)))
    }

    // MARK: What is recorded

    /// A question, what a plan saw of it, and what came back.
    private struct Answer {
        var query: RetrievalQuery
        var hits: [RetrievalHit]
        /// Memories that the first round looked at.
        var looked: Int
        var ranked: RankedTurns
        /// Of each memory that came back its conversation, and its id.
        var sessions: [String]
        var ids: [CubeID]

        /// The turns of what is kept, with the one first that a choice among the best five names.
        ///
        /// - Parameter times: of memories by place: no two of a conversation have one time.
        func turns(
            kept isKept: [Bool], _ places: [CubeID: Int], times: [Date], _ choose: PolicyTrainer.Choose
        ) -> [Set<String>] {
            let kept = ids.indices.filter { places[ids[$0]].map { isKept[$0] } ?? false }
            let byTime = Dictionary(hits.map { ($0.eventTime, $0) }) { first, _ in first }
            let best = kept.prefix(AnswerSelection.reach).compactMap { place -> (place: Int, hit: RetrievalHit)? in
                places[ids[place]].flatMap { byTime[times[$0]] }.map { (place, $0) }
            }
            var turns = kept.map { ranked.turns[$0] }
            guard best.count > 1 else { return turns }
            let first = best[choose(AnswerSelection.options(for: query, best.map(\.hit)))].place
            if let place = kept.firstIndex(of: first) { turns.insert(turns.remove(at: place), at: 0) }
            return turns
        }

        /// The turns of what is kept, with the two best of the core at the ninth and tenth place if they are not before.
        func turns(withCore isCore: [Bool], kept isKept: [Bool], _ places: [CubeID: Int]) -> [Set<String>] {
            var kept: [(turns: Set<String>, isCore: Bool)] = []
            for (id, turns) in zip(ids, ranked.turns) {
                guard let place = places[id], isKept[place] else { continue }
                kept.append((turns, isCore[place]))
            }
            let core = kept.indices.filter { kept[$0].isCore }.prefix(2)
            let missing = core.filter { $0 >= 10 }
            return (kept.prefix(10 - missing.count).map(\.turns)) + missing.map { kept[$0].turns }
        }
    }

    /// What a maintainer sees of the conversation: memories and their nearest; and what all questions find, all of it.
    private func seen() async throws -> (memories: [MemCube], near: [CubeID: [Neighbour]], answers: [Answer]) {
        let recorder = RecordingMaintainer()
        var recipe = standard
        recipe.maintainer = recorder
        let answers = try await recall(through: RecordingPlan(standard.retrieval), limit: 1_000, by: recipe)
        let (memories, near) = recorder.seen.withLockedValue { $0 }
        return (memories, near, answers)
    }

    /// Stores the conversation, has it maintained, and asks its questions through a plan that records.
    private func recall(through plan: RecordingPlan, limit: Int, by recipe: Recipe? = nil) async throws -> [Answer] {
        var recipe = recipe ?? standard
        recipe.retrieval = plan
        let folder = NSTemporaryDirectory() + "mneme-train-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = try SQLiteMemoryStore(path: folder + "/store.db", analyzer: MemoryOS.analyzerVersion)
        let memory = MemoryOS(store: store, embedder: embedder, recipe: recipe)
        let evaluation = RecipeEvaluation([conversation], embedder: nil)
        _ = try await evaluation.write(conversation, to: memory)
        try await memory.embedPending()
        _ = try await evaluation.maintain(conversation, memory)
        var answers: [Answer] = []
        for question in RecipeEvaluation.questions(of: conversation) {
            var request = RecallRequest(question.text, owner: Owner(user: conversation.id), limit: limit)
            request.now = conversation.turns.last?.time ?? Date()
            let result = try await memory.recall(request)
            guard let seen = plan.seen.withLockedValue({ $0 }) else { continue }
            let cubes = result.memories.map(\.memory)
            let ranked = RankedTurns(turns: cubes.map(RecipeEvaluation.turns), evidence: question.evidence)
            answers.append(
                Answer(
                    query: seen.query, hits: seen.hits, looked: seen.looked, ranked: ranked,
                    sessions: cubes.map { $0.scope.session ?? "" },
                    ids: cubes.map(\.id)))
        }
        await memory.close()
        return answers
    }
}

/// Searches in one tier, whatever the question.
private struct FixedTier: RetrievalPlan {
    var router: BudgetMem.TierRouter
    var tier: BudgetMem.Tier
    var roundLimit: Int { router.roundLimit }
    var hitLimit: Int { router.hitLimit }
    func first(_ query: RetrievalQuery) -> [Probe] { router.first(query, in: tier) }
    func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
        tier == .high ? router.high.next(query, after: hits) : .answer
    }
}

/// Finds everything, in the ranker's order.
private struct EverythingPlan: RetrievalPlan {
    let roundLimit = 2
    let hitLimit = 10_000
    func first(_ query: RetrievalQuery) -> [Probe] { [.everything] }
    func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep { .answer }
}

/// Does what another plan does, and keeps the question, how much its first round looked at, and all that was found.
private final class RecordingPlan: RetrievalPlan {
    private let base: any RetrievalPlan
    /// The last question, and what was found for it.
    let seen = NIOLockedValueBox<(query: RetrievalQuery, looked: Int, hits: [RetrievalHit])?>(nil)

    init(_ base: any RetrievalPlan) { self.base = base }

    var roundLimit: Int { base.roundLimit + 1 }
    let hitLimit = 10_000

    func first(_ query: RetrievalQuery) -> [Probe] {
        seen.withLockedValue { $0 = (query, 0, []) }
        return base.first(query)
    }

    func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
        seen.withLockedValue { $0 = ($0?.query ?? query, query.round == 1 ? hits.count : $0?.looked ?? 0, hits) }
        return query.round < base.roundLimit ? base.next(query, after: Array(hits.prefix(base.hitLimit))) : .answer
    }
}

/// Changes nothing, and keeps what maintainers are given.
private final class RecordingMaintainer: MemoryMaintainer {
    let summary = "look at everything"
    /// Memories, the oldest first, and of each the nearest.
    let seen = NIOLockedValueBox<(memories: [MemCube], near: [CubeID: [Neighbour]])>(([], [:]))

    func operations(on memories: [MemCube], in context: MaintenanceContext) async throws -> [MemoryOperation] {
        var near: [CubeID: [Neighbour]] = [:]
        for cube in memories { near[cube.id] = try await context.neighbours(of: cube.id, limit: 8) }
        seen.withLockedValue { [near] in $0 = (memories, near) }
        return []
    }
}
