import Mneme
import MnemeBase
import MnemeEngine
import MnemeModels
import Testing

/// Likelihoods of prompts, and the choice of a tool by them, with a tiny model.
@Suite(.serialized) struct ToolChoiceTests {
    private static let tools = Result {
        try ["get_weather", "send_email", "play_music", "set_alarm", "read_file"].map {
            try ToolDefinition(name: $0, description: "This does what \($0) says.")
        }
    }
    private let messages = [ChatMessage(role: "user", content: "Wake me at six, please.")]

    private func scored(_ engine: Engine, _ prompt: [Int32], from: Int) async throws -> Double {
        let scored = try await engine.probabilities(of: prompt, from: from, alternatives: 0)
        #expect(scored.map(\.id) == Array(prompt[from...]))
        return scored.reduce(0) { $0 + ($1.logProbability ?? .nan) }
    }

    @Test func `a prompt is as likely as the answer that it was`() async throws {
        try await TinyModel.with { model, engine in
            let prompt = model.tokens(of: "Once upon a time there was a")
            var request = GenerationRequest(prompt: prompt)
            var answer: [Int32] = []
            var sum = 0.0
            (request.maxTokens, request.alternatives) = (150, 0)
            (request.sampling.temperature, request.sampling.seed) = (1, 7)
            request.ignoresEnd = true
            for try await event in try engine.generate(request) {
                if case .token(_, let id, let probability, _) = event {
                    answer.append(id)
                    sum += probability ?? .nan
                }
            }
            // Longer than a step, so that it is scored in parts.
            let score = try await scored(engine, prompt + answer, from: prompt.count)
            #expect(answer.count == 150 && abs(score - sum) < 1e-9)
            let again = try await scored(engine, prompt + answer, from: prompt.count)
            #expect(again == score)
        }
    }

    @Test func `likelihoods are the same whatever runs beside`() async throws {
        try await TinyModel.with { model, engine in
            let prompts = (0..<12).map { i in
                model.tokens(of: String(repeating: "The boat was \(i). ", count: 2 + i))
            }
            var alone: [Double] = []
            for prompt in prompts { alone.append(try await scored(engine, prompt, from: 3)) }
            let together = try await withThrowingTaskGroup(of: (Int, Double).self) { group in
                for (i, prompt) in prompts.enumerated() {
                    group.addTask { (i, try await scored(engine, prompt, from: 3)) }
                }
                return try await group.reduce(into: [Int: Double]()) { $0[$1.0] = $1.1 }
            }
            for (i, score) in alone.enumerated() { #expect(together[i] == score && score < 0) }
        }
    }

    @Test func `what is scored must stand in the prompt`() async throws {
        try await TinyModel.with { model, engine in
            for from in [-1, 100] {
                await #expect(throws: EngineError.self) {
                    try await engine.probabilities(
                        of: model.tokens(of: "Hello"), from: from, alternatives: 0)
                }
            }
        }
    }

    @Test func `the chosen tool depends on the words, not on the order of the tools`() async throws {
        try await TinyModel.with { model, engine in
            let tools = try Self.tools.get()
            var chosen: Set<String> = []
            for shift in tools.indices {
                let turned = Array(tools[shift...] + tools[..<shift])
                chosen.insert(
                    try #require(
                        try await engine.tool(model, among: turned, for: messages)
                    ).name)
            }
            #expect(chosen.count == 1)
            let silent = [ChatMessage(role: "assistant", content: "Hello!")]
            let none = try await engine.tool(model, among: tools, for: silent)
            #expect(none == nil)
        }
    }

    @Test func `the chosen tool is the one under which the words are likeliest`() async throws {
        try await TinyModel.with { model, engine in
            let tools = try Self.tools.get()
            var best = (name: "", score: -Double.infinity)
            for tool in tools {
                let said = messages + [ChatMessage(role: "user", content: "")]
                let system = ChatMessage(
                    role: "system",
                    content: "You can call this function: \(tool.name). \(tool.description)")
                let (tokens, places) = try model.tokens(
                    of: [system, said[1]], at: 1, before: "", texts: [messages[0].content], after: "")
                let score = try await scored(
                    engine, Array(tokens[..<places[0].upperBound]), from: places[0].lowerBound)
                if score > best.score { best = (tool.name, score) }
            }
            let chosen = try await engine.tool(
                model, among: tools, for: messages)
            #expect(chosen?.name == best.name)
        }
    }

    @Test func `an embedding model chooses the tool that is closest to the words`() async throws {
        try await TinyModel.with { model, engine in
            let embedder = ToyEmbedder()
            let tools = try Self.tools.get()
            try await withServer(embedder: embedder, language: (model, engine)) { base, _, _ in
                var chosen: Set<String> = []
                for words in ["Wake me at six.", "aaaaaaa", "eeeemmmmm", "gggccc ooo", "bbb ff jj"] {
                    let asked = try embedder.embed([words])[0]
                    let scores = try tools.map { tool in
                        let name = tool.name.replacing("_", with: " ")
                        let vector = try embedder.embed(["\(name). \(tool.description)"])[0]
                        return zip(asked, vector).reduce(Float(0)) { $0 + $1.0 * $1.1 }
                    }
                    let best = try #require(scores.indices.max { scores[$0] < scores[$1] })
                    let offered = tools.map { tool -> JSONValue in
                        [
                            "type": "function",
                            "function": [
                                "name": .string(tool.name),
                                "description": .string(tool.description),
                            ],
                        ]
                    }
                    let answer = try await post(
                        base, "/v1/chat/completions",
                        [
                            "messages": [["role": "user", "content": .string(words)]],
                            "tools": .array(offered), "tool_choice": "required", "max_tokens": 60,
                        ])
                    let call = answer.json["choices"]?[0]?["message"]?["tool_calls"]?[0]
                    #expect(call?["function"]?["name"]?.string == tools[best].name, "\(words)")
                    chosen.insert(tools[best].name)
                }
                #expect(chosen.count > 1)
            }
        }
    }
}
