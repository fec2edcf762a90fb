import Foundation
public import Mneme
import MnemeBase
import MnemeStore

/// ConvoMem's question: up to which number of conversations is it better to read all of them than to recall?
///
/// Each question's conversations are mixed with those of other questions of the file until there are as many
/// as a size asks for. At each size the same answerer answers twice, from the whole history and from what is
/// recalled. An answer is worth 1 if it is right, less a price for its tokens. A router is fitted on every
/// second question, and judged on the others.
public struct CrossoverBenchmark: Sendable {
    /// One size of histories.
    public struct Row: Sendable, Codable {
        /// Conversations of a history, and its mean tokens.
        public var conversations: Int, historyTokens: Double
        /// Share of right answers from the whole history and from recall.
        public var fullContext: MeanInterval, recall: MeanInterval
        /// Mean tokens of recalled texts.
        public var recallTokens: Double
        /// Mean milliseconds: to answer from the whole history; to recall and answer.
        public var fullMilliseconds: Double, recallMilliseconds: Double
        /// What the router chose here, and the worth of its answers to the questions it was not fitted on, beside
        /// those of either route alone.
        public var route: ContextRouter.Route, routedWorth: Double, fullWorth: Double, recallWorth: Double
    }

    /// The measurements.
    public struct Report: Sendable, Codable {
        /// Data, recipe, and what answered.
        public var header: BenchHeader
        /// Points that an answer loses for each 1,000 tokens.
        public var price: Double
        /// A row for each size.
        public var rows: [Row]
        /// Conversations from which on recall is worth as much; nil if it is nowhere.
        public var crossover: Int?
        /// The fitted router.
        public var router: ContextRouter
    }

    /// The file's histories, and what they are measured with.
    private let runner: BenchRunner
    /// Numbers of conversations, and points that 1,000 tokens cost.
    private let sizes: [Int], price: Double

    /// - Parameters:
    ///   - runner: of the format ``BenchFormat/convoMem``, with an answerer.
    ///   - sizes: numbers of conversations, ascending; those that the file cannot fill are left out.
    ///   - price: points of an answer that 1,000 tokens cost.
    public init(_ runner: BenchRunner, sizes: [Int], price: Double) {
        (self.runner, self.sizes, self.price) = (runner, sizes, price)
    }

    /// What one question brought at one size.
    private struct Outcome {
        var size: Int, question: Int
        var tokens: Int, recallTokens: Int
        var full: Double, recall: Double
        var fullMilliseconds: Double, recallMilliseconds: Double

        func worth(_ route: ContextRouter.Route, _ price: Double) -> Double {
            route == .fullContext ? full - price * Double(tokens) / 1000 : recall - price * Double(recallTokens) / 1000
        }
    }

    /// Measures all sizes.
    ///
    /// - Parameter progress: questions done, and of how many.
    /// - Throws: `InputError` for a file without conversations to mix, `StoreError`, and what a model throws.
    public func run(progress: @escaping @Sendable (Int, Int) -> Void) async throws -> Report {
        var episodes: [BenchEpisode] = []
        try await runner.eachEpisode { episodes.append($0) }
        let conversations = episodes.map(Self.conversations)
        let total = conversations.reduce(0) { $0 + $1.count }
        let sizes = sizes.filter { $0 <= total }
        guard !sizes.isEmpty else {
            throw InputError("The file has \(total) conversations, fewer than the smallest size of --sizes.")
        }
        var outcomes: [Outcome] = []
        for size in sizes {
            for (i, episode) in episodes.enumerated() {
                // A size that does not hold the question's own conversations is none for it.
                guard conversations[i].count <= size else { continue }
                let others = Array(conversations[(i + 1)...].joined()) + Array(conversations[..<i].joined())
                let mixed = Self.mixed(conversations[i], others.prefix(size - conversations[i].count))
                outcomes.append(try await ask(episode, mixed, i, size))
                progress(outcomes.count, sizes.count * episodes.count)
            }
        }
        return report(outcomes, sizes.filter { size in outcomes.contains { $0.size == size } })
    }

    /// The turns of each conversation of a history.
    private static func conversations(_ episode: BenchEpisode) -> [[BenchTurn]] {
        let turns = Dictionary(grouping: episode.turns, by: \.session)
        return RankScore.distinct(episode.turns.map(\.session)).compactMap { turns[$0] }
    }

    /// The question's own conversations spread evenly among the others, in their order.
    static func mixed(_ own: [[BenchTurn]], _ others: ArraySlice<[BenchTurn]>) -> [BenchTurn] {
        var result: [BenchTurn] = []
        var left = others
        var number = 0
        func add(_ conversation: [BenchTurn], isOwn: Bool) {
            number += 1
            result += conversation.enumerated().map { i, turn in
                var turn = turn
                turn.session = "conversation-\(number)"
                turn.id = (isOwn ? "own-" : "other-") + "\(number).\(i + 1)"
                return turn
            }
        }
        for (i, conversation) in own.enumerated() {
            let share = left.count / (own.count + 1 - i)
            for other in left.prefix(share) { add(other, isOwn: false) }
            left = left.dropFirst(share)
            add(conversation, isOwn: true)
        }
        for other in left { add(other, isOwn: false) }
        return result
    }

    /// Answers one question by both routes.
    private func ask(_ episode: BenchEpisode, _ turns: [BenchTurn], _ number: Int, _ size: Int) async throws -> Outcome
    {
        let setup = runner.setup
        guard let question = episode.questions.first, let answerer = setup.answerer else {
            throw InputError("This measurement needs answers.")
        }
        let memory = try BenchMemory(recipe: setup.recipe, embedder: setup.embedder, oracle: setup.oracle)
        do {
            let owner = Owner(user: "bench")
            try await memory.feed(turns, owner: owner)
            let all = try memory.all(of: owner)
            let now = all.last?.eventTime ?? Date()
            var request = RecallRequest(question.text, owner: owner, limit: setup.limit)
            request.now = now
            _ = try setup.embedder?.embed([question.text], as: .query)
            let found = try await memory.memory.recall(request)
            func timed(_ memories: [MemCube]) async throws -> (right: Double, milliseconds: Double) {
                let start = ContinuousClock.now
                let answer = try await answerer.answer(
                    BenchContext(question: question, memories: memories, memory: memory.memory, owner: owner, now: now))
                let time = (ContinuousClock.now - start) / .milliseconds(1)
                if let judge = setup.judge { return (try await judge.verdict(on: answer, to: question), time) }
                if question.isUnanswerable { return (BenchAnswer.declines(answer) ? 1 : 0, time) }
                return (TextScore.best(question.answers) { TextScore.contains(answer, $0) }, time)
            }
            let full = try await timed(all)
            let recalled = try await timed(found.memories.map(\.memory))
            await memory.close()
            return Outcome(
                size: size, question: number, tokens: all.reduce(0) { $0 + $1.text.utf8.count / 4 + 1 },
                recallTokens: found.memories.reduce(0) { $0 + $1.memory.text.utf8.count / 4 + 1 }, full: full.right,
                recall: recalled.right, fullMilliseconds: full.milliseconds,
                recallMilliseconds: found.milliseconds + recalled.milliseconds)
        } catch {
            await memory.close()
            throw error
        }
    }

    /// Fits the router on every second question, and sums up.
    private func report(_ outcomes: [Outcome], _ sizes: [Int]) -> Report {
        func mean(_ group: [Outcome], _ value: (Outcome) -> Double) -> Double {
            group.reduce(0) { $0 + value($1) } / Double(max(1, group.count))
        }
        func group(_ size: Int, _ isFitted: Bool? = nil) -> [Outcome] {
            let all = outcomes.filter { $0.size == size }
            let part = all.filter { isFitted == nil || $0.question.isMultiple(of: 2) == isFitted }
            // Of a single question there is no other half.
            return part.isEmpty ? all : part
        }
        let points = sizes.map { size in
            ContextRouter.Point(
                tokens: Int(mean(group(size)) { Double($0.tokens) }),
                fullContext: mean(group(size, true)) { $0.worth(.fullContext, price) },
                recall: mean(group(size, true)) { $0.worth(.recall, price) })
        }
        let router = ContextRouter(fitting: points)
        let rows = sizes.map { size in
            let (all, held) = (group(size), group(size, false))
            let history = mean(all) { Double($0.tokens) }
            return Row(
                conversations: size, historyTokens: history,
                fullContext: MeanInterval([all.map(\.full)], seed: runner.setup.seed),
                recall: MeanInterval([all.map(\.recall)], seed: runner.setup.seed),
                recallTokens: mean(all) { Double($0.recallTokens) }, fullMilliseconds: mean(all, \.fullMilliseconds),
                recallMilliseconds: mean(all, \.recallMilliseconds), route: router.route(historyTokens: Int(history)),
                routedWorth: mean(held) { $0.worth(router.route(historyTokens: $0.tokens), price) },
                fullWorth: mean(held) { $0.worth(.fullContext, price) },
                recallWorth: mean(held) { $0.worth(.recall, price) })
        }
        // From there on recall is worth as much at every larger size.
        let worse = rows.lastIndex { row in
            let all = group(row.conversations)
            return mean(all) { $0.worth(.recall, price) } < mean(all) { $0.worth(.fullContext, price) }
        }
        let next = worse.map { $0 + 1 } ?? 0
        return Report(
            header: runner.header, price: price, rows: rows,
            crossover: next < rows.count ? rows[next].conversations : nil, router: router)
    }
}

extension CrossoverBenchmark.Report {
    /// The measurements as Markdown, which reads as plain text, too.
    public var markdown: String {
        var lines = [
            "ConvoMem: \(header.data) (sha256 \(header.digest)), recipe \(header.recipe), embedder \(header.embedder), "
                + "\(header.limit) memories; answers: \(header.answerer)", "",
            "| conversations | tokens | right, all read | right, recalled | tokens recalled | ms, all read | ms, recalled "
                + "| route | worth routed | all read | recalled |",
            "|---:|---:|---:|---:|---:|---:|---:|---|---:|---:|---:|",
        ]
        lines += rows.map { row in
            String(
                format: "| %d | %.0f | %.3f [%.3f–%.3f] | %.3f [%.3f–%.3f] | %.0f | %.1f | %.1f | %@ | %.3f "
                    + "| %.3f | %.3f |",
                row.conversations, row.historyTokens, row.fullContext.mean, row.fullContext.low, row.fullContext.high,
                row.recall.mean, row.recall.low, row.recall.high, row.recallTokens, row.fullMilliseconds,
                row.recallMilliseconds, row.route == .fullContext ? "all" : "recall", row.routedWorth, row.fullWorth,
                row.recallWorth)
        }
        lines += [
            "",
            "Recall is worth as much as reading all from \(crossover.map { "\($0) conversations on" } ?? "no measured size on") "
                + "(\(price) points for each 1,000 tokens); the router switches behind \(router.fullTokens) tokens.",
            "Worth is of questions that the router was not fitted on.",
        ]
        return lines.joined(separator: "\n")
    }
}
