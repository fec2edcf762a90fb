import Foundation
public import Mneme
public import MnemeBase
import MnemeCube
public import MnemePipeline
import MnemeRecipes
import MnemeStore

/// Measures how much of LoCoMo's evidence recipes find, and their cost: each stores the
/// conversations session by session as they were held, does its maintenance once behind the last,
/// and is asked every question of categories 1 to 4.
///
/// A question is answered at k if any (or all) of its evidence turns are among the first k
/// memories. What a recipe derives counts for the turn that it was made of if there is one, or for those
/// that it quotes, and for none if it sums several up. No language model answers.
public struct RecipeEvaluation: Sendable {
    /// The recall and cost of one recipe.
    public struct Row: Sendable, Codable, Equatable {
        /// The recipe's name.
        public var recipe: String
        /// Questions asked.
        public var questions: Int
        /// Share with any evidence among the first 1, 5 and 10, and with all among the first 10.
        public var any1: Double, any5: Double, any10: Double, all10: Double
        /// Share of the questions of LoCoMo's category 2, which ask for times, with any evidence among the first 10.
        public var temporal10: Double
        /// Mean tokens of the texts of an answer of ten memories.
        public var tokens: Double
        /// Calls of a language model for everything.
        public var modelCalls: Int
        /// Mean time to store a turn, without embedding, and of the maintenance for each turn.
        public var writeMilliseconds: Double, maintainMilliseconds: Double
        /// Median time of a recall, without embedding the question.
        public var recallMilliseconds: Double
        /// Mean time until a turn is memory: its write, and its share of the maintenance.
        public var buildMilliseconds: Double { writeMilliseconds + maintainMilliseconds }
        /// Bytes of the store.
        public var bytes: Int
        /// Memories in use after maintenance.
        public var memories: Int
        /// Mean number of memories' vectors that a question is compared with.
        public var compared = 0.0
    }

    /// The conversations that are played.
    public let conversations: [LocomoConversation]
    /// Makes each vector once, for all recipes.
    private let embedder: (any TextEmbedder)?
    private let oracle: (any Oracle)?

    /// An evaluation of conversations.
    ///
    /// - Parameters:
    ///   - embedder: nil has every recipe go by words.
    ///   - oracle: asked by recipes that can ask one.
    public init(
        _ conversations: [LocomoConversation], embedder: (any TextEmbedder)?,
        oracle: (any Oracle)? = nil
    ) {
        self.conversations = conversations
        self.embedder = embedder.map { RememberedEmbedder($0) }
        self.oracle = oracle
    }

    /// Turns of all conversations.
    public var turns: Int { conversations.reduce(0) { $0 + $1.turns.count } }

    /// Questions that are asked, with the turns that answer each.
    static func questions(of conversation: LocomoConversation)
        -> [(text: String, evidence: Set<String>, isTemporal: Bool)]
    {
        let known = Set(conversation.turns.map(\.id))
        return conversation.questions.compactMap { question in
            let evidence = Set(question.evidence).intersection(known)
            return (1...4).contains(question.category) && !evidence.isEmpty
                ? (question.text, evidence, question.category == 2) : nil
        }
    }

    /// Plays the conversations to one recipe and asks it.
    ///
    /// - Parameter progress: done, total and what; the total is the same for all recipes.
    /// - Throws: `StoreError`, `ModelError`, and what the oracle throws.
    public func run(
        _ recipe: Recipe, progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
    ) async throws -> Row {
        let folder = NSTemporaryDirectory() + "mneme-eval-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = try SQLiteMemoryStore(
            path: folder + "/store.db", analyzer: MemoryOS.analyzerVersion)
        let comparisons = ComparisonCounter(recipe.retrieval)
        var counted = recipe
        counted.retrieval = comparisons
        let memory = MemoryOS(store: store, embedder: embedder, recipe: counted)
        let counting = oracle.map { MeteredOracle($0) }
        if let counting { memory.attach(oracle: counting) }
        var row = Row(
            recipe: recipe.name, questions: 0, any1: 0, any5: 0, any10: 0, all10: 0, temporal10: 0, tokens: 0,
            modelCalls: 0, writeMilliseconds: 0, maintainMilliseconds: 0, recallMilliseconds: 0,
            bytes: 0, memories: 0)
        let asked = conversations.map(Self.questions)
        let total = turns + asked.reduce(0) { $0 + $1.count }
        var done = 0
        var times: [Double] = []
        for (conversation, questions) in zip(conversations, asked) {
            row.writeMilliseconds += try await write(conversation, to: memory)
            try await memory.embedPending()
            row.maintainMilliseconds += try await maintain(conversation, memory)
            try await memory.embedPending()
            comparisons.begin(with: try store.inUse(of: Owner(user: conversation.id)))
            done += conversation.turns.count
            progress(done, total)
            for question in questions {
                var request = RecallRequest(
                    question.text, owner: Owner(user: conversation.id), limit: 10)
                request.now = conversation.turns.last?.time ?? Date()
                _ = try embedder?.embed([question.text], as: .query)
                let result = try await memory.recall(request)
                times.append(result.milliseconds)
                row.tokens += Double(result.tokens)
                let found = result.memories.map { Self.turns(of: $0.memory) }
                count(found, question.evidence, &row)
                if question.isTemporal, found.prefix(10).contains(where: { !question.evidence.isDisjoint(with: $0) }) {
                    row.temporal10 += 1
                }
                done += 1
                if done % 32 == 0 { progress(done, total) }
            }
            row.memories += try store.inUse(of: Owner(user: conversation.id)).count
        }
        await memory.close()
        let n = Double(max(1, row.questions))
        row.temporal10 /= Double(max(1, asked.joined().count { $0.isTemporal }))
        row.compared = Double(comparisons.count)
        for path in [\Row.any1, \.any5, \.any10, \.all10, \.tokens, \.compared] { row[keyPath: path] /= n }
        row.writeMilliseconds /= Double(max(1, turns))
        row.maintainMilliseconds /= Double(max(1, turns))
        row.recallMilliseconds = times.sorted().percentile(50)
        row.modelCalls = counting?.calls ?? 0
        row.bytes = store.files.reduce(0) { sum, file in
            let size = try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int
            return sum + (size ?? 0)
        }
        return row
    }

    /// Counts one question's answer. Memories of one turn share its place.
    private func count(_ references: [Set<String>], _ evidence: Set<String>, _ row: inout Row) {
        func any(_ k: Int) -> Double {
            references.prefix(k).contains { !evidence.isDisjoint(with: $0) } ? 1 : 0
        }
        row.questions += 1
        row.any1 += any(1)
        row.any5 += any(5)
        row.any10 += any(10)
        row.all10 += evidence.isSubset(of: references.prefix(10).joined()) ? 1 : 0
    }

    /// The turns that a memory counts for: the one that it was made of, and those that it quotes.
    static func turns(of cube: MemCube) -> Set<String> {
        let quoted = cube.metadata[WindowSummaries.quotes]?.split(separator: " ").map(String.init) ?? []
        return Set(quoted + [cube.provenance.reference].compactMap(\.self))
    }

    /// Stores a conversation, a session a call at the time when it was held.
    ///
    /// - Returns: the milliseconds that it took.
    func write(_ conversation: LocomoConversation, to memory: MemoryOS) async throws
        -> Double
    {
        let clock = ContinuousClock()
        let start = clock.now
        var first = 0
        while first < conversation.turns.count {
            let session = conversation.turns[first].session
            let turns = conversation.turns[first...].prefix { $0.session == session }
            let inputs = turns.map { turn in
                var input = MemoryInput(
                    turn.text.isEmpty ? "…" : turn.text, speaker: turn.speaker,
                    eventTime: turn.time, session: turn.session)
                input.reference = turn.id
                return input
            }
            var caller = Caller.local
            caller.time = turns.last?.time ?? Date()
            _ = try await memory.record(
                inputs, scope: Scope(user: conversation.id), by: caller)
            first += turns.count
        }
        return (clock.now - start) / .milliseconds(1)
    }

    /// Has the recipe look after a conversation once.
    ///
    /// - Returns: the milliseconds that it took.
    func maintain(_ conversation: LocomoConversation, _ memory: MemoryOS) async throws
        -> Double
    {
        guard memory.recipe.maintainer != nil else { return 0 }
        let clock = ContinuousClock()
        let start = clock.now
        _ = try await memory.maintain(
            Owner(user: conversation.id), isDry: false,
            now: conversation.turns.last?.time ?? Date())
        return (clock.now - start) / .milliseconds(1)
    }
}

extension CubeStore {
    /// The memories of an owner that recall may show.
    fileprivate func inUse(of owner: Owner) throws -> [MemCube] {
        var filter = CubeFilter(owner: owner, limit: 1_000_000)
        filter.state = .activated
        return try list(filter, by: .local)
    }
}
