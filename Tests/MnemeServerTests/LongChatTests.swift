import MnemeBench
import MnemeChat
import MnemeEngine
import MnemeKV
import MnemeModels
import Testing

/// What is longer than the model's context, and goes on even so.
@Suite struct LongChatTests {
    private func chat(turns: Int) -> [ChatMessage] {
        [ChatMessage(role: "system", content: "Be brief.")]
            + (0..<turns).flatMap {
                [
                    ChatMessage(role: "user", content: "Question \($0)?"),
                    ChatMessage(role: "assistant", content: "Answer \($0)."),
                ]
            } + [ChatMessage(role: "user", content: "And now?")]
    }

    @Test func `the oldest turns go where all do not fit, if asked for, and usage tells how many`()
        async throws
    {
        try await TinyModel.with(context: 1024) { model, engine in
            let conversation = try await Conversation(model, engine)
            func answer(_ messages: [ChatMessage], drops: Bool) async throws -> GenerationUsage {
                var turn = ChatTurn(messages)
                turn.generation.maxTokens = 20
                turn.generation.ignoresEnd = true
                turn.dropsOldest = drops
                return try await conversation.answer(turn).whole().usage
            }
            // What fits is answered whole either way.
            let short = chat(turns: 4)
            for drops in [false, true] {
                let usage = try await answer(short, drops: drops)
                #expect(usage.droppedMessages == 0)
                #expect(usage.promptTokens == (try model.tokens(of: short).count))
            }
            let long = chat(turns: 60)
            await #expect(throws: EngineError.self) { _ = try await answer(long, drops: false) }
            let usage = try await answer(long, drops: true)
            // Whole turns went, in fours; the system message and the last words are there.
            #expect(usage.droppedMessages > 0 && usage.droppedMessages % 8 == 0)
            let left = [long[0]] + long[(1 + usage.droppedMessages)...]
            #expect(usage.promptTokens == (try model.tokens(of: left).count))
            #expect(usage.promptTokens + 20 <= 1024 && usage.promptTokens > 1024 / 2)
            // The next turn's prompt begins alike, so that what is cached of it is found.
            let next = try await answer(
                long + [
                    ChatMessage(role: "assistant", content: "So."),
                    ChatMessage(role: "user", content: "Really?"),
                ], drops: true)
            #expect(next.droppedMessages >= usage.droppedMessages)
            #expect(next.droppedMessages > usage.droppedMessages || next.cachedTokens > usage.promptTokens / 2)
            // A last message that alone is too long is refused.
            let endless = short + [ChatMessage(role: "user", content: String(repeating: "x", count: 3000))]
            await #expect(throws: EngineError.self) { _ = try await answer(endless, drops: true) }
        }
    }

    @Test func `a stream of many times the context stays within its bytes`() async throws {
        try await TinyModel.with(context: 128) { model, _ in
            var settings = KVStreamBenchmark.Settings()
            (settings.budget, settings.tokens, settings.window) = (64, 30_000, 5000)
            var windows: [KVStreamBenchmark.Window] = []
            let text = (0..<777).map { (i: Int) -> Int32 in Int32((i * i * 7 + i * 31) % 90) }
            try KVStreamBenchmark.run(model, text: text, settings: settings) { windows.append($0) }
            #expect(windows.map(\.tokens) == [5000, 10_000, 15_000, 20_000, 25_000, 30_000])
            let row = KVShape(model.decoder.configuration).tokenBytes
            for window in windows {
                #expect(window.rows <= 64 + 16 && window.peakBytes <= (64 + 16 + 8) * row)
                #expect(window.perplexity.isFinite && window.perplexity > 1)
            }
            // Without any trend: the last window is as hard as the second.
            #expect(abs(windows[5].perplexity / windows[1].perplexity - 1) < 0.2)
            settings.policy = "snapkv"
            #expect(throws: EngineError.self) {
                try KVStreamBenchmark.run(model, text: text, settings: settings) { _ in }
            }
            settings.policy = "window"
            #expect(throws: EngineError.self) {
                try KVStreamBenchmark.run(model, text: text, settings: settings) { _ in }
            }
        }
    }
}
