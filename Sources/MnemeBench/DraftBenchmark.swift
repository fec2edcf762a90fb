import Foundation
public import MnemeEngine

/// Rate of answers with and without drafts from the prompt (prompt lookup decoding), on chats that
/// quote memories and on chats that quote nothing.
///
/// Both engines answer the same chats in turn, so that what else the machine does meets both.
public struct DraftBenchmark: Sendable {
    /// One kind of chats.
    public struct Row: Sendable, Codable {
        /// The kind of chats: `quoting` or `free`.
        public var chats: String
        /// Tokens a second of the answers, from the first token on, without and with drafts.
        public var plain: Double, drafted: Double
        /// Tokens drafted for each token of an answer, and the share of them that were accepted.
        public var drafts: Double, held: Double
        /// True if all answers were the same, token by token.
        public var same: Bool
    }

    /// Runs it.
    ///
    /// - Parameters:
    ///   - answer: the most tokens of an answer.
    ///   - temperature: of the answers; seeds are fixed.
    ///   - progress: called with a line for each kind and round.
    /// - Throws: ``MnemeEngine/EngineError`` if a chat cannot be answered.
    public static func run(
        _ model: LanguageModel, answer: Int, rounds: Int, temperature: Double,
        progress: @Sendable (String) -> Void
    ) async throws -> [Row] {
        var rows: [Row] = []
        for (kind, chats) in [("quoting", DraftPrompts.quoting), ("free", DraftPrompts.free)] {
            var limits = Engine.Limits()
            limits.draftTokens = 0
            let plain = try Engine(model, limits: limits)
            let drafting = try Engine(model)
            defer {
                plain.close()
                drafting.close()
            }
            // The shortest time of each chat: what else ran makes it longer, nothing shorter.
            var best = [[Double]](repeating: [.infinity, .infinity], count: chats.count)
            var tokens = 0
            var same = true
            for round in 0..<rounds {
                tokens = 0
                for (i, chat) in chats.enumerated() {
                    var request = GenerationRequest(
                        prompt: try model.tokens(
                            of: chat.map { ChatMessage(role: $0.role, content: $0.text) }))
                    request.maxTokens = answer
                    request.sampling.temperature = temperature
                    request.sampling.seed = UInt64(i)
                    var answers: [[Int32]] = []
                    for (side, engine) in [plain, drafting].enumerated() {
                        let (ids, seconds) = try await time(engine, request)
                        best[i][side] = min(best[i][side], seconds)
                        answers.append(ids)
                    }
                    same = same && answers[0] == answers[1]
                    // The first token belongs to the prompt.
                    tokens += max(0, answers[0].count - 1)
                }
                progress("\(kind): round \(round + 1) of \(rounds)")
            }
            let figures = drafting.statistics
            rows.append(
                Row(
                    chats: kind, plain: Double(tokens) / best.reduce(0) { $0 + $1[0] },
                    drafted: Double(tokens) / best.reduce(0) { $0 + $1[1] },
                    drafts: Double(figures.draftedTokens) / Double(max(1, figures.completionTokens)),
                    held: Double(figures.acceptedTokens) / Double(max(1, figures.draftedTokens)),
                    same: same))
        }
        return rows
    }

    /// An answer's tokens, and the seconds from the first to the last.
    private static func time(_ engine: Engine, _ request: GenerationRequest) async throws -> (
        [Int32], Double
    ) {
        var ids: [Int32] = []
        var seconds = 0.0
        for try await event in try engine.generate(request) {
            switch event {
            case .token(_, let id, _, _): ids.append(id)
            case .finished(_, let usage): seconds = usage.total - usage.firstToken
            }
        }
        return (ids, seconds)
    }
}
