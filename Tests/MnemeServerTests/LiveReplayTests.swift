import Foundation
import MnemeEngine
import MnemeKV
import MnemeModels
import NIOConcurrencyHelpers
import Testing

/// The replay decides as the engine does: the same requests at the same steps give the same plans.
@Suite(.serialized) struct LiveReplayTests {
    /// Submits requests from the engine's thread, at the beginning of rounds, and writes plans down.
    private final class Driver: Sendable {
        struct State {
            var engine: Engine?
            var coming: [(step: Int, request: GenerationRequest)] = []
            var streams: [AsyncThrowingStream<GenerationEvent, any Error>] = []
            var steps = 0
            var plans: [StepPlan] = []
        }
        let state = NIOLockedValueBox(State())
        /// Opened when the engine is known.
        let gate = DispatchSemaphore(value: 0)
        let submitted = DispatchSemaphore(value: 0)

        func begins() {
            gate.wait()
            gate.signal()
            state.withLockedValue { state in
                while let first = state.coming.first, first.step <= state.steps, let engine = state.engine {
                    state.coming.removeFirst()
                    if let stream = try? engine.generate(first.request) { state.streams.append(stream) }
                    if state.coming.isEmpty { submitted.signal() }
                }
            }
        }

        func planned(_ plan: StepPlan) {
            state.withLockedValue { state in
                if plan != StepPlan() { state.plans.append(plan) }
                if !plan.work.isEmpty { state.steps += 1 }
            }
        }
    }

    @Test(arguments: AdmissionCatalog.names)
    func `the engine and a replay of its requests make the same plans`(admission: String) async throws {
        try await TinyModel.with { model, _ in
            var limits = Engine.Limits()
            limits.admission = try AdmissionCatalog.policy(admission)
            limits.kvBytes = 14 * KVShape(model.decoder.configuration).blockBytes
            (limits.sequences, limits.draftTokens) = (5, 0)
            let driver = Driver()
            limits.rounds = .init(begins: { driver.begins() }, planned: { driver.planned($0) })
            let common = (0..<150).map { Int32(2 + $0 * 7 % 90) }
            let arriving = (0..<40).map { i in
                var request = GenerationRequest(
                    prompt: Array(common.prefix([0, 40, 96, 150][i % 4]))
                        + (0..<(3 + i * 13 % 70)).map { Int32(2 + ($0 * 5 + i * 11) % 90) })
                request.maxTokens = 5 + i * 17 % 90
                request.ignoresEnd = true
                request.key = "k\(i % 3)"
                return (step: i / 4 * 6, request: request)
            }
            driver.state.withLockedValue { $0.coming = arriving }
            let engine = try Engine(model, limits: limits)
            defer { engine.close() }
            driver.state.withLockedValue { $0.engine = engine }
            driver.gate.signal()
            await withCheckedContinuation { done in
                DispatchQueue.global().async {
                    driver.submitted.wait()
                    done.resume()
                }
            }
            var trace: [TraceRequest] = []
            for (arrived, stream) in zip(arriving, driver.state.withLockedValue({ $0.streams })) {
                var known = arrived.request.prompt
                for try await event in stream {
                    if case .token(_, let id, _, _) = event { known.append(id) }
                }
                var request = TraceRequest(
                    promptTokens: arrived.request.prompt.count,
                    completionTokens: known.count - arrived.request.prompt.count, text: 0)
                (request.known, request.owner) = (known, arrived.request.key)
                request.maxTokens = arrived.request.maxTokens
                // A step takes 2⁻¹⁷ s: sums are exact, and nothing has rested for long.
                request.arrival = Double(arrived.step) * 0x1p-17
                trace.append(request)
            }
            #expect(trace.count == 40)
            var settings = ReplaySettings()
            (settings.kvTokens, settings.stepTokens) = (14 * KVShape.blockTokens, model.decoder.stepTokens)
            (settings.sequences, settings.admission) = (5, limits.admission)
            settings.cost.step = 0x1p-17
            (settings.cost.token, settings.cost.promptRow) = (0, 0)
            (settings.cost.answerRow, settings.cost.sample) = (0, 0)
            let plans = NIOLockedValueBox<[StepPlan]>([])
            var replay = try Replay(trace, settings)
            replay.planned = { plan in if plan != StepPlan() { plans.withLockedValue { $0.append(plan) } } }
            let report = try replay.run()
            let live = driver.state.withLockedValue { $0.plans }
            let replayed = plans.withLockedValue { $0 }
            let parted = zip(live, replayed).enumerated().first { $0.element.0 != $0.element.1 }
            #expect(parted == nil, "plan \(parted?.offset ?? 0): \(String(describing: parted?.element))")
            #expect(live.count == replayed.count && report.answered == 40)
            let statistics = engine.statistics
            #expect(statistics.preempted == report.preempted && statistics.kv.evicted == report.evicted)
            #expect(report.evicted > 0 && (admission == "conservative") == (report.preempted == 0))
        }
    }

    @Test func `what a server wrote down of its requests is read, shares what they shared, and holds no text`()
        async throws
    {
        try await TinyModel.with { model, _ in
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("mneme-\(UUID()).jsonl").path
            defer { try? FileManager.default.removeItem(atPath: path) }
            var limits = Engine.Limits()
            limits.recorder = try RequestRecorder(path)
            let engine = try Engine(model, limits: limits)
            let common = (0..<96).map { Int32(2 + $0 % 90) }
            for (i, scope) in ["a", "a", "b"].enumerated() {
                var request = GenerationRequest(prompt: common + [Int32(5 + i)])
                (request.maxTokens, request.ignoresEnd) = (4 + i, true)
                (request.scope, request.key) = (scope, "secret name \(scope)")
                for try await _ in try engine.generate(request) {}
            }
            engine.close()
            let text = try String(contentsOfFile: path, encoding: .utf8)
            #expect(!text.contains("secret"))
            let trace = try TraceFile.read(path)
            #expect(trace.map(\.promptTokens) == [97, 97, 97] && trace.map(\.completionTokens) == [4, 5, 6])
            #expect(trace.map(\.owner) == ["0", "0", "1"] && trace.map(\.maxTokens) == [4, 5, 6])
            #expect(trace.allSatisfy { $0.parts.count == 3 })
            #expect(trace[0].parts == trace[1].parts && trace[0].parts[0] != trace[2].parts[0])
            #expect((0..<96).allSatisfy { trace[0].token($0) == trace[1].token($0) })
            #expect(trace[0].token(96) != trace[1].token(96))
            #expect(throws: (any Error).self) { try RequestRecorder(path) }
        }
    }
}
