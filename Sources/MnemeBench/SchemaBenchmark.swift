import Foundation
public import MnemeEngine

/// Rate of answers that are held to a schema, against free ones: the same prompts in turn in one
/// engine, so that what else the machine does meets both.
public struct SchemaBenchmark: Sendable {
    /// One kind of schema.
    public struct Row: Sendable, Codable {
        /// The schema in a word or two, for people.
        public var schema: String
        /// Tokens a second from the first token on: free, and held to the schema.
        public var free: Double, held: Double
        /// How many times longer a token takes.
        public var times: Double
        /// How many times longer a token takes in the first answer, when nothing is known of the
        /// schema.
        public var first: Double
        /// Tokens of the answers that were held to it.
        public var tokens: Int
    }

    private static let prompts = [
        "Describe a person who lives in a small town.", "List some things for a long journey.",
        "Invent an order that somebody made in a shop.",
    ]

    /// Schemas of the kinds that people use, each so that an answer can be long.
    static let schemas: [(name: String, text: String)] = [
        (
            "strings",
            #"{"type":"object","properties":{"name":{"type":"string"},"town":{"type":"string"},"about":{"type":"string"},"work":{"type":"string"},"notes":{"type":"array","items":{"type":"string"},"minItems":3}},"required":["name","town","about","work","notes"],"additionalProperties":false}"#
        ),
        (
            "lengths",
            #"{"type":"array","minItems":6,"items":{"type":"string","minLength":5,"maxLength":80}}"#
        ),
        (
            "enums",
            #"{"type":"array","minItems":30,"items":{"enum":["passport","toothbrush","sun cream","map","charger","water bottle"]}}"#
        ),
        (
            "numbers",
            #"{"type":"array","minItems":30,"items":{"anyOf":[{"type":"integer","minimum":0,"maximum":5000},{"type":"number"}]}}"#
        ),
        (
            "patterns",
            #"{"type":"array","minItems":12,"items":{"type":"object","properties":{"code":{"type":"string","pattern":"^[A-Z]{2}-[0-9]{4}$"},"date":{"type":"string","format":"date"}},"required":["code","date"],"additionalProperties":false}}"#
        ),
        (
            "nested",
            #"{"type":"array","minItems":3,"items":{"type":"object","properties":{"box":{"type":"array","minItems":2,"items":{"type":"array","minItems":2,"items":{"type":"object","properties":{"what":{"type":"string"},"count":{"type":"integer"}},"required":["what","count"]}}}},"required":["box"]}}"#
        ),
        ("any", #"{"type":"object","minProperties":8}"#),
    ]

    /// Runs it.
    ///
    /// - Parameters:
    ///   - answer: the most tokens of an answer.
    ///   - temperature: of the answers; seeds are fixed.
    ///   - progress: called with a line for each schema.
    /// - Throws: ``MnemeEngine/EngineError`` if a prompt cannot be answered.
    public static func run(
        _ model: LanguageModel, answer: Int, rounds: Int, temperature: Double,
        progress: @Sendable (String) -> Void
    ) async throws -> [Row] {
        var rows: [Row] = []
        var limits = Engine.Limits()
        limits.draftTokens = 0
        let engine = try Engine(model, limits: limits)
        defer { engine.close() }
        for (name, text) in schemas {
            let schema = try JSONSchema(text)
            // The shortest time of each prompt: what else ran makes it longer, nothing shorter.
            var best = [[Time]](repeating: [Time(), Time()], count: prompts.count)
            var first: Time?
            for _ in 0..<rounds {
                for (i, prompt) in prompts.enumerated() {
                    var request = GenerationRequest(prompt: model.tokens(of: prompt + "\n"))
                    request.maxTokens = answer
                    request.sampling.temperature = temperature
                    request.sampling.seed = UInt64(i)
                    for side in 0...1 {
                        request.schema = side == 0 ? nil : schema
                        request.ignoresEnd = side == 0
                        let time = try await time(engine, request)
                        if side == 1, first == nil { first = time }
                        if time.each < best[i][side].each { best[i][side] = time }
                    }
                }
            }
            let free = Time.sum(best.map { $0[0] })
            let held = Time.sum(best.map { $0[1] })
            let row = Row(
                schema: name, free: 1 / free.each, held: 1 / held.each, times: held.each / free.each,
                first: (first?.each ?? 0) / free.each, tokens: held.tokens)
            rows.append(row)
            progress("\(name): \(String(format: "%.2f", row.times)) times")
        }
        return rows
    }

    /// Tokens behind the first one of answers, and the seconds that they took.
    private struct Time {
        var tokens = 0, seconds = Double.infinity
        /// Seconds of a token.
        var each: Double { tokens == 0 ? .infinity : seconds / Double(tokens) }

        static func sum(_ times: [Time]) -> Time {
            times.reduce(Time(tokens: 0, seconds: 0)) {
                Time(tokens: $0.tokens + $1.tokens, seconds: $0.seconds + $1.seconds)
            }
        }
    }

    private static func time(_ engine: Engine, _ request: GenerationRequest) async throws -> Time {
        for try await event in try engine.generate(request) {
            if case .finished(_, let usage) = event {
                return Time(
                    tokens: usage.completionTokens - 1, seconds: usage.total - usage.firstToken)
            }
        }
        return Time()
    }
}
