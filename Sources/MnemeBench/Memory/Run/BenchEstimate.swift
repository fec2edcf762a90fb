import Foundation
import MnemeBase

/// What a run will take, before it begins: counted over the whole file, which is checked on the way.
public struct BenchEstimate: Sendable, Codable {
    /// Histories, turns and questions that will be played.
    public var episodes = 0, turns = 0, questions = 0
    /// Tokens of the turns, at four bytes each.
    public var tokens = 0
    /// Calls of a language model, and tokens of their prompts, about: more if recalled memories are long.
    public var modelCalls = 0, modelTokens = 0
    /// Seconds to embed and store, by the speed of the first turns; nil where nothing was timed.
    public var seconds: Double?

    /// Turns that are embedded to learn how fast that is.
    private static let probe = 24

    /// Reads all that will be played, and embeds a few turns to see how fast that is.
    ///
    /// - Throws: `InputError` for a file that is not of the format, `ModelError`.
    public init(_ runner: BenchRunner) async throws {
        var first: [String] = []
        var estimate = self
        try await runner.eachEpisode { episode in
            estimate.episodes += 1
            estimate.turns += episode.turns.count
            estimate.questions += episode.questions.count
            estimate.tokens += episode.turns.reduce(0) { $0 + $1.text.utf8.count } / 4
            if first.count < Self.probe { first += episode.turns.prefix(Self.probe).map(\.text) }
        }
        self = estimate
        let setup = runner.setup
        let judging = runner.format.judged != nil && setup.judge != nil ? 1 : 0
        let each = setup.answerer?.tokens(of: setup.limit * runner.format.calls) ?? 0
        modelCalls = questions * ((each > 0 ? 1 : 0) + judging)
        modelTokens = questions * (each + judging * 200)
        guard let embedder = setup.embedder, !first.isEmpty else { return }
        let start = ContinuousClock.now
        _ = try embedder.embed(first.prefix(Self.probe).map { $0.isEmpty ? "…" : $0 })
        let bytes = first.prefix(Self.probe).reduce(1) { $0 + $1.utf8.count }
        seconds = (ContinuousClock.now - start) / .seconds(1) * Double(tokens * 4) / Double(bytes)
    }

    /// The estimate in a line.
    public var text: String {
        var text = "\(episodes) histories, \(turns) turns of about \(tokens) tokens, \(questions) questions"
        if let seconds { text += String(format: "; about %.0f s to embed", seconds.rounded(.up)) }
        if modelCalls > 0 {
            text +=
                "; \(modelCalls) model calls of about \(modelTokens / max(1, modelCalls)) tokens, \(modelTokens) in all"
        }
        return text
    }
}
