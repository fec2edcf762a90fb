import Foundation
import MnemeKV
import MnemeModels
import NIOConcurrencyHelpers

/// The loop of the engine's thread: takes in what arrived, drops what ended, starts what the plan
/// admits, makes a step.
extension Engine {
    /// Runs until ``close()``. Waiting and running sequences belong to this thread alone.
    func loop() {
        var queue = StepQueue<EngineSequence>(
            cache, stepTokens: decoder.stepTokens,
            sequences: min(limits.sequences, decoder.stepLogits), admission: limits.admission)
        let tokens = UnsafeMutableBufferPointer<Int32>.allocate(capacity: decoder.stepTokens)
        let segments = UnsafeMutableBufferPointer<DecoderSegment>.allocate(
            capacity: limits.sequences)
        let size = decoder.configuration.vocabularySize
        let logits = UnsafeMutableBufferPointer<Float>.allocate(
            capacity: decoder.stepLogits * size)
        var meter = DraftMeter()
        defer {
            tokens.deallocate()
            segments.deallocate()
            logits.deallocate()
            ended.signal()
        }
        // One round: everything that happens between two steps, and a step.
        while true {
            limits.rounds?.begins()
            // The lock is held for the exchange alone, never during a step.
            let (arrived, cancelled, closed) = shared.withLockedValue { shared in
                defer {
                    shared.arrived = []
                    shared.cancelled = []
                }
                return (shared.arrived, shared.cancelled, shared.closed)
            }
            queue.waiting += arrived
            let now = ContinuousClock().now
            var dropped: [(sequence: EngineSequence, error: any Error)] = []
            func drop(_ list: inout [EngineSequence]) {
                list.removeAll { sequence in
                    if closed {
                        dropped.append((sequence, EngineError(.closed, "The engine is shut down.")))
                    } else if cancelled.contains(sequence.id) {
                        dropped.append((sequence, CancellationError()))
                    } else if let deadline = sequence.deadline, now > deadline {
                        dropped.append(
                            (
                                sequence,
                                EngineError(
                                    .timeout,
                                    "The request took longer than it may. Ask for fewer tokens or more time."
                                )
                            ))
                    } else {
                        return false
                    }
                    return true
                }
            }
            drop(&queue.waiting)
            drop(&queue.running)
            // Who hears of it finds the place free.
            if !dropped.isEmpty { report(queue.waiting.count, queue.running.count) }
            for (sequence, error) in dropped { finish(sequence, throwing: error) }
            // All streams have ended by now.
            if closed { return }
            queue.updateShares()
            // What was to be read from disk and cannot be ends its request alone.
            queue.running.removeAll { sequence in
                guard let failure = sequence.isLoading ? sequence.session?.failure : nil else {
                    return false
                }
                finish(sequence, throwing: failure)
                return true
            }
            // What was read from a tier is there: the sequence goes on behind it.
            for i in queue.running.indices where queue.running[i].isLoading {
                queue.running[i].takeRestored()
                if queue.running[i].isLoading { continue }
                finishAhead(&queue.running[i], &queue.shares, tokens)
                if !queue.running[i].parts.isEmpty { beginRebase(&queue.running[i]) }
            }
            // From here on only the plan decides who computes what.
            let plan = queue.plan()
            limits.rounds?.planned(plan)
            if queue.putBack(plan) { shared.withLockedValue { $0.statistics.preempted += 1 } }
            // A request starts: its prefix is looked up, and blocks on disk begin to be read.
            for admitted in queue.takeAdmitted(plan) {
                var sequence = admitted
                do {
                    let compression = sequence.compression
                    sequence.compressed = try compression.map { try compressed($0) }
                    let tokens = (0..<(compression?.exactTokens ?? sequence.tokens)).map {
                        sequence.token($0)
                    }
                    sequence.session = try cache.open(
                        tokens, positions: compression?.exactTokens ?? sequence.positions,
                        scope: sequence.scope, sources: sequence.request.sources,
                        computing: compression?.computing ?? 1,
                        // Policies look at attention of whole steps, and texts are moved behind all.
                        byLayers: limits.loadsByLayers && compression == nil && reuse == nil
                    ) {
                        [wake] in wake.signal()
                    }
                    sequence.isLoading = true
                    // A sequence that was preempted has been answered in part from exact values, or
                    // is answered exactly now.
                    if sequence.answer.isEmpty, compression == nil, sequence.adapter == nil {
                        sequence.parts =
                            reuse?.find(sequence.request) { [wake] in wake.signal() } ?? []
                    }
                    sequence.takeRestored()
                    if !sequence.isLoading, !sequence.parts.isEmpty { beginRebase(&sequence) }
                    queue.running.append(sequence)
                } catch { finish(sequence, throwing: error) }
            }
            report(queue.waiting.count, queue.running.count)
            // Texts are moved in steps of their own, the oldest sequence's first; in between, all
            // others go on.
            let rebasing = queue.running.firstIndex { $0.rebasing != nil }
            if let rebasing {
                recomputeStep(&queue.running[rebasing], &queue.shares, logits.baseAddress!)
            }
            // So is what follows a prefix that comes, as far as its layers are there.
            let isAhead = queue.running.indices.contains { computeAhead(&queue.running[$0], tokens) }
            // So are rows that are kept of a prompt.
            let compressing = queue.running.firstIndex { $0.taken != nil }
            if let compressing, !compressStep(&queue.running[compressing]) {
                finish(
                    queue.running.remove(at: compressing),
                    throwing: EngineError(
                        .overloaded, "There is no memory for keys and values. Try again later."))
            }
            let wentOn =
                !plan.work.isEmpty && step(plan, &queue, &meter, tokens, segments, logits)
            if wentOn || isAhead || rebasing != nil || compressing != nil { continue }
            if plan.preempted != nil || !plan.admitted.isEmpty { continue }
            // Deadlines, and memory that comes free elsewhere, are looked at now and then.
            _ =
                queue.waiting.isEmpty && queue.running.isEmpty
                ? wake.wait(timeout: .distantFuture)
                : wake.wait(timeout: .now() + .milliseconds(queue.running.isEmpty ? 100 : 5))
        }
    }

    /// Ends a sequence: keeps what it computed, hands its last event out, and closes the stream.
    func finish(
        _ sequence: EngineSequence, throwing error: (any Error)?, last: GenerationEvent? = nil
    ) {
        if let reuse, let session = sequence.session, !sequence.isLoading, sequence.adapter == nil,
            sequence.position >= sequence.request.prompt.count
        {
            reuse.keep(sequence.request, of: session, except: sequence.moved)
        }
        sequence.release()
        shared.withLockedValue { $0.statistics.finished += 1 }
        if let last {
            limits.recorder?.record(
                RequestRecorder.Request(
                    prompt: sequence.request.prompt, completionTokens: sequence.answer.count,
                    maxTokens: sequence.maxTokens, key: sequence.request.key, scope: sequence.scope,
                    arrival: sequence.arrival))
            sequence.continuation.yield(last)
        }
        sequence.continuation.finish(throwing: error)
    }

    /// Counts for ``EngineStatistics``.
    func report(_ waiting: Int, _ running: Int) {
        shared.withLockedValue { shared in
            shared.statistics.waiting = waiting + shared.arrived.count
            shared.statistics.running = running
        }
    }
}
