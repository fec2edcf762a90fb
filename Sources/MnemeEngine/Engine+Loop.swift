import Foundation
import MnemeKV
import MnemeModels
import NIOConcurrencyHelpers

/// The loop of the engine's thread: takes in what arrived, drops what ended, starts what the plan
/// admits, makes a step.
extension Engine {
    /// Runs until ``close()``. Waiting and running sequences belong to this thread alone.
    func loop() {
        var waiting: [EngineSequence] = []
        var running: [EngineSequence] = []
        var shares = FairShare()
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
            // The lock is held for the exchange alone, never during a step.
            let (arrived, cancelled, closed) = shared.withLockedValue { shared in
                defer {
                    shared.arrived = []
                    shared.cancelled = []
                }
                return (shared.arrived, shared.cancelled, shared.closed)
            }
            waiting += arrived
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
            drop(&waiting)
            drop(&running)
            // Who hears of it finds the place free.
            if !dropped.isEmpty { report(waiting.count, running.count) }
            for (sequence, error) in dropped { finish(sequence, throwing: error) }
            // All streams have ended by now.
            if closed { return }
            // Keys without requests lose no turn, and gain none.
            shares.update(active: Set((waiting + running).map(\.request.key)))
            // What was to be read from disk and cannot be ends its request alone.
            running.removeAll { sequence in
                guard let failure = sequence.isLoading ? sequence.session?.failure : nil else {
                    return false
                }
                finish(sequence, throwing: failure)
                return true
            }
            // What was read from a tier is there: the sequence goes on behind it.
            for i in running.indices where running[i].isLoading {
                running[i].takeRestored()
                if !running[i].isLoading, !running[i].parts.isEmpty { beginRebase(&running[i]) }
            }
            // From here on only the plan decides who computes what.
            let plan = StepScheduler.plan(view(waiting, running, shares))
            // Put back: it waits at the head of the line with its answer so far; what it computed
            // stays cached as long as there is room.
            if let id = plan.preempted, let i = running.firstIndex(where: { $0.id == id }) {
                var sequence = running.remove(at: i)
                sequence.release()
                sequence.position = 0
                (sequence.parts, sequence.rebasing, sequence.moved) = ([], nil, [])
                (sequence.session, sequence.compressed, sequence.taken) = (nil, nil, nil)
                waiting.insert(sequence, at: 0)
                shared.withLockedValue { $0.statistics.preempted += 1 }
            }
            // A request starts: its prefix is looked up, and blocks on disk begin to be read.
            for id in plan.admitted {
                guard let i = waiting.firstIndex(where: { $0.id == id }) else { continue }
                var sequence = waiting.remove(at: i)
                do {
                    let compression = sequence.compression
                    sequence.compressed = try compression.map { try compressed($0) }
                    let tokens = (0..<(compression?.exactTokens ?? sequence.tokens)).map {
                        sequence.token($0)
                    }
                    sequence.session = try cache.open(
                        tokens, positions: compression?.exactTokens ?? sequence.positions,
                        scope: sequence.scope, sources: sequence.request.sources,
                        computing: compression?.computing ?? 1
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
                    running.append(sequence)
                } catch { finish(sequence, throwing: error) }
            }
            report(waiting.count, running.count)
            // Texts are moved in steps of their own, the oldest sequence's first; in between, all
            // others go on.
            let rebasing = running.firstIndex { $0.rebasing != nil }
            if let rebasing { recomputeStep(&running[rebasing], &shares, logits.baseAddress!) }
            // So are rows that are kept of a prompt.
            let compressing = running.firstIndex { $0.taken != nil }
            if let compressing, !compressStep(&running[compressing]) {
                finish(
                    running.remove(at: compressing),
                    throwing: EngineError(
                        .overloaded, "There is no memory for keys and values. Try again later."))
            }
            let wentOn =
                !plan.work.isEmpty && step(plan, &running, &shares, &meter, tokens, segments, logits)
            if wentOn || rebasing != nil || compressing != nil { continue }
            if plan.preempted != nil || !plan.admitted.isEmpty { continue }
            // Deadlines, and memory that comes free elsewhere, are looked at now and then.
            _ =
                waiting.isEmpty && running.isEmpty
                ? wake.wait(timeout: .distantFuture)
                : wake.wait(timeout: .now() + .milliseconds(running.isEmpty ? 100 : 5))
        }
    }

    /// The state as the scheduler sees it. Only the first waiting request of each key is looked up
    /// in the cache, and only if there is a place: a look-up costs a hash of the prompt.
    func view(_ waiting: [EngineSequence], _ running: [EngineSequence], _ shares: FairShare)
        -> EngineView
    {
        var keys: Set<String> = []
        return EngineView(
            running: running.map(view),
            waiting: waiting.map { sequence in
                // Only the first of each key may start soon.
                let isNext =
                    running.count < limits.sequences && keys.insert(sequence.request.key).inserted
                let count = sequence.compression?.exactTokens ?? sequence.tokens
                let cached =
                    isNext
                    ? cache.cachedTokens(
                        (0..<count).map { sequence.token($0) }, scope: sequence.scope)
                    : (count: 0, blocksInUse: 0)
                return EngineView.Waiting(
                    id: sequence.id, key: sequence.request.key,
                    prompt: sequence.tokens - cached.count,
                    blocks: KVShape.blocks(count + 1) - cached.blocksInUse
                        + (sequence.compression?.blocks ?? 0))
            }, served: shares.served, freeBlocks: cache.available, blockTokens: KVShape.blockTokens,
            stepTokens: decoder.stepTokens,
            sequences: min(limits.sequences, decoder.stepLogits))
    }

    /// A sequence as the scheduler sees it. One that is compressed counts blocks of pages: its
    /// position is where the next tokens take as many new ones as they need.
    private func view(_ sequence: EngineSequence) -> EngineView.Running {
        let pending = sequence.isFilling ? 0 : sequence.reach - sequence.position
        guard sequence.isCompressed, let compressed = sequence.compressed else {
            return EngineView.Running(
                id: sequence.id, position: sequence.position, pending: pending,
                blocks: sequence.session?.blocks ?? 0)
        }
        let tokens = min(pending, compressed.stepTokens)
        let pages = compressed.pages
        let new = compressed.newPages(tokens)
        let blocks = pages.blocks
        let needed = pages.blocksNeeded(new.halves, .halves) + pages.blocksNeeded(new.codes, .codes)
        return EngineView.Running(
            id: sequence.id, position: (blocks + needed) * KVShape.blockTokens - tokens,
            pending: tokens, blocks: blocks)
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
        if let last { sequence.continuation.yield(last) }
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
