import Foundation
import MnemeEngine
import MnemeKV
import MnemeModels
import Testing

/// The engine on the tiny model: what needs no words that mean anything is shown without a download.
@Suite struct TinyEngineTests {
    private func answer(_ engine: Engine, _ request: GenerationRequest) async throws -> (
        text: String, tokens: [Int32], reason: FinishReason?
    ) {
        var text = ""
        var tokens: [Int32] = []
        var reason: FinishReason?
        for try await event in try engine.generate(request) {
            switch event {
            case .token(let piece, let id, _, _):
                text += piece
                tokens.append(id)
            case .finished(let why, _): reason = why
            }
        }
        return (text, tokens, reason)
    }

    @Test func `a seed gives the same words, whatever runs beside`() async throws {
        try await TinyModel.with { model, engine in
            var requests: [GenerationRequest] = []
            for i in 0..<9 {
                var request = GenerationRequest(
                    prompt: model.tokens(
                        of: String(repeating: "The boat was \(i). ", count: 1 + i * 12)))
                request.maxTokens = 12 + i
                request.sampling.temperature = i % 3 == 0 ? 0 : 1
                request.sampling.topP = 0.95
                request.sampling.frequencyPenalty = i % 2 == 0 ? 0.5 : 0
                request.sampling.seed = UInt64(i)
                request.ignoresEnd = true
                requests.append(request)
            }
            var alone: [[Int32]] = []
            for request in requests { alone.append(try await answer(engine, request).tokens) }
            let together = try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
                for (i, request) in requests.enumerated() {
                    group.addTask { (i, try await answer(engine, request).tokens) }
                }
                return try await group.reduce(into: [Int: [Int32]]()) { $0[$1.0] = $1.1 }
            }
            for (i, tokens) in alone.enumerated() {
                #expect(together[i] == tokens && tokens.count == 12 + i)
            }
            #expect(Set(alone).count > 5, "answers differ")
        }
    }

    @Test func `stop strings end the answer and are not shown`() async throws {
        try await TinyModel.with { model, engine in
            var request = GenerationRequest(prompt: model.tokens(of: "The capital of France is"))
            request.maxTokens = 40
            request.sampling.temperature = 1
            request.sampling.seed = 3
            let whole = try await answer(engine, request).text
            let stop = String(whole.dropFirst(10).prefix(3))
            #expect(stop.count == 3)
            request.stop = ["nowhere to be found", stop]
            let cut = try await answer(engine, request)
            #expect(cut.reason == .stop && whole.hasPrefix(cut.text) && !cut.text.contains(stop))
        }
    }

    @Test func `requests that cannot be carried out are refused with a reason`() async throws {
        try await TinyModel.with { model, _ in
            var limits = Engine.Limits()
            limits.context = 64
            // Less than the context: a block of 32 positions.
            limits.kvBytes = KVShape(model.decoder.configuration).blockBytes
            let engine = try Engine(model, limits: limits)
            func code(_ change: (inout GenerationRequest) -> Void) -> EngineError.Code? {
                var request = GenerationRequest(prompt: [1, 2, 3])
                request.maxTokens = 4
                change(&request)
                do { _ = try engine.generate(request) } catch { return (error as? EngineError)?.code }
                return nil
            }
            #expect(code { $0.prompt = [] } == .invalidRequest)
            #expect(code { $0.prompt = [-1] } == .invalidRequest)
            #expect(code { $0.prompt = [999_999] } == .invalidRequest)
            #expect(code { $0.prompt = Array(repeating: 5, count: 64) } == .tooLong)
            #expect(code { $0.maxTokens = 60 } == .tooLong)
            #expect(code { $0.maxTokens = 0 } == .invalidRequest)
            #expect(code { $0.sampling.temperature = .nan } == .invalidRequest)
            #expect(code { $0.sampling.logitBias = [999_999: 1] } == .invalidRequest)
            #expect(code { $0.alternatives = 50 } == .invalidRequest)
            #expect(code { _ in } == nil)
            engine.close()
            #expect(code { _ in } == .closed)
        }
    }

    @Test func `time limits, back-pressure and cancelling end requests`() async throws {
        // Long enough that the first request never ends by itself while the others wait.
        try await TinyModel.with(context: 1 << 17) { model, _ in
            var limits = Engine.Limits()
            limits.sequences = 1
            limits.waiting = 2
            limits.kvBytes = 64 << 20
            let engine = try Engine(model, limits: limits)
            defer { engine.close() }
            var long = GenerationRequest(prompt: model.tokens(of: "Once upon a time"))
            long.maxTokens = 100_000
            long.ignoresEnd = true
            let first = try engine.generate(long)
            // Nothing is awaited up to the refusal: a busy machine could finish the first meanwhile.
            #expect(isRunning(engine))
            var late = long
            late.timeout = .milliseconds(150)
            let waiting = try engine.generate(late)
            // Who lets go of the stream would give the request up.
            let second = try engine.generate(late)
            let refusal = #expect(throws: EngineError.self) { _ = try engine.generate(late) }
            #expect(refusal?.code == .overloaded)
            let reader = Task { for try await _ in first {} }
            for stream in [waiting, second] {
                let error = await #expect(throws: EngineError.self) { for try await _ in stream {} }
                #expect(error?.code == .timeout)
            }
            // Whoever has heard of it finds the places free.
            #expect(engine.statistics.waiting == 0)
            reader.cancel()
            _ = await reader.result
            var short = long
            short.maxTokens = 3
            #expect(try await answer(engine, short).tokens.count == 3)
            #expect(engine.statistics.running <= 1)
        }
    }

    /// Waits, without giving up the thread, until a request runs; false if none does in a minute.
    private func isRunning(_ engine: Engine) -> Bool {
        for _ in 0..<60_000 where engine.statistics.running == 0 { usleep(1000) }
        return engine.statistics.running > 0
    }
}
