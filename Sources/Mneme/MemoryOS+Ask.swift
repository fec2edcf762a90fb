public import Foundation
import MnemeBase
import MnemeIndex
import MnemePipeline
public import MnemeStore

/// A question about many memories, and those that may be asked.
public struct AskRequest: Sendable {
    /// The question.
    public var question: String
    /// Whose memories are asked.
    public var owner: Owner
    /// Only memories of this agent.
    public var agent: String?
    /// Only memories of this session.
    public var session: String?
    /// Only memories with this tag.
    public var tag: String?
    /// Only what happened from then on.
    public var from: Date?
    /// Only what happened before then.
    public var before: Date?
    /// The time of the question, which "last month" in it refers to.
    public var now = Date()

    /// A question to all memories of an owner.
    public init(_ question: String, owner: Owner = Owner()) {
        self.question = question
        self.owner = owner
    }
}

extension MemoryOS {
    /// Memories that one question reads at most.
    private static let askedMemories = 50_000
    /// Memories that recall adds where nothing could be counted.
    private static let recalledForAsk = 5

    /// The answer to a question that puts many memories together: how many, how much, which most, in what order. By
    /// rule; where no rule reads the question and a model is attached, by the model, from what recall finds.
    ///
    /// - Parameters:
    ///   - request: the question, whose memories it is asked of, and filters.
    ///   - caller: only what it may read is counted.
    /// - Throws: `InputError` for a question without words or out of bounds, `AccessError`, `StoreError`.
    /// - Complexity: linear in the length of all memories that the filters let through, at most 50,000.
    public func ask(_ request: AskRequest, by caller: Caller = .local) async throws -> AskResult {
        guard request.question.utf8.count <= MemoryLimits.questionBytes,
            !TextAnalyzer.words(request.question).isEmpty
        else {
            throw InputError(
                "A question has words, and \(MemoryLimits.questionBytes) bytes at most.")
        }
        let (cubes, isWhole) = try await askable(request, by: caller)
        let times = TimeExpressions.find(in: request.question, reference: request.now).map {
            AskTime(words: $0.text, span: Self.past($0, before: request.now))
        }
        let answer = try await run {
            Aggregation.answer(request.question, times: times, memories: cubes.map(AskMemory.init))
        }
        var result = AskResult(answer, cubes)
        if !isWhole {
            result.certain = false
            result.reasons.append("only the first \(Self.askedMemories) memories were read")
        }
        if result.memories.isEmpty {
            var recall = RecallRequest(
                request.question, owner: request.owner, limit: Self.recalledForAsk)
            (recall.agent, recall.session, recall.tag) = (request.agent, request.session, request.tag)
            (recall.from, recall.before, recall.now) = (request.from, request.before, request.now)
            result.memories = try await self.recall(recall, by: caller).memories.map(\.memory)
            result.recalled = !result.memories.isEmpty
            try await answerByModel(&result, request)
        }
        return result
    }

    /// A span that names no year is the last one that had begun.
    private static func past(_ time: TimeExpression, before now: Date) -> Range<Date> {
        var (start, end) = (time.start, time.end)
        let calendar = TimeExpressions.calendar
        while !time.fixesYear, start > now,
            let earlier = calendar.date(byAdding: .year, value: -1, to: start),
            let earlierEnd = calendar.date(byAdding: .year, value: -1, to: end)
        {
            (start, end) = (earlier, earlierEnd)
        }
        return start..<max(start, end)
    }

    /// The memories that are asked, oldest first, and whether these are all: texts in use that the guard lets pass, without
    /// what was made of others.
    func askable(_ request: AskRequest, by caller: Caller) async throws -> ([MemCube], Bool) {
        var filter = CubeFilter(owner: request.owner, limit: 1000)
        (filter.agent, filter.session, filter.tag) = (request.agent, request.session, request.tag)
        (filter.from, filter.before) = (request.from, request.before)
        var found: [MemCube] = []
        while true {
            let page = try await run { [store, filter] in try store.list(filter, by: caller) }
            found += page.filter {
                $0.state.isRecallable && $0.isPlaintext && $0.expires ?? .distantFuture > request.now
                    && $0.provenance.source != Provenance.recipe
            }
            guard page.count == filter.limit else { break }
            guard found.count < Self.askedMemories else { return (found, false) }
            filter.after = page.last?.id
        }
        let policy = try await run { [store] in try store.policy(of: request.owner.tenant) }
        let items = found.map {
            RecalledMemory(memory: $0, score: 0, explanation: [:], matched: [], duplicates: [])
        }
        return (screened(items, policy).passed.map(\.memory), true)
    }
}

extension AskMemory {
    /// A memory with the times that analysis found in it.
    fileprivate init(_ cube: MemCube) {
        self.init(
            text: cube.text, speaker: cube.speaker, time: cube.localTime,
            dates: cube.dates.filter { $0.start < $0.end }.map { $0.start..<$0.end })
    }
}
