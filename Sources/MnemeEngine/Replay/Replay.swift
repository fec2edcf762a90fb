import MnemeKV

/// Runs the engine's scheduler over a trace in simulated time: no model, no thread, no waiting.
///
/// What decides is the engine's own: ``StepQueue``, ``StepScheduler`` with its admission and fair
/// shares, and the KV cache with its prefix tree and evictor, whose blocks are a page each here. What
/// is simulated is a step's length, by ``StepCost``. Equal traces and settings give equal reports.
///
/// Not simulated: drafts from prompts, compressed rows, texts at other places, and tiers beyond
/// memory other than a ``ContextSwitch`` has.
package struct Replay {
    private let settings: ReplaySettings
    private let cache: KVCache
    private let clock: SimulatedClock
    private var queue: StepQueue<ReplaySequence>
    private var split: any CoreSplit
    /// Requests that have not come, the next one last.
    private var coming: [TraceRequest]
    private var nextID = 0
    /// Steps that are not over: one of both, or one of answers and one of prompts.
    private var lanes: [Lane] = []
    private var meter = ReplayMeter()
    private var swapper: Swapper
    /// Sequences whose copies are on their way, and when they are there.
    private var copying: [(id: Int, end: Double)] = []
    /// Told of each plan, by tests.
    package var planned: ((StepPlan) -> Void)?

    /// What a step on its way computes.
    private enum Kind { case answers, prompts, both }

    /// A step on its way.
    private struct Lane {
        var kind: Kind
        var work: [StepPlan.Work]
        var load: StepLoad
        /// Seconds that it waits for copies.
        var stall = 0.0
        /// When it ends, and what it takes as a whole, with the cores that it has now.
        var end = 0.0, seconds = 0.0
    }

    /// - Parameter trace: in order of arrival.
    /// - Throws: `EngineError` for settings that make no sense, `KVError` without memory.
    package init(_ trace: [TraceRequest], _ settings: ReplaySettings) throws {
        try settings.check()
        self.settings = settings
        let clock = SimulatedClock()
        self.clock = clock
        // The smallest shape there is: contents do not matter, and a table needs no mappings.
        let shape = KVShape(layers: 1, heads: 1, dimension: 1)
        guard let model = KVHash(String(repeating: "0", count: 64)) else {
            preconditionFailure("64 digits are a hash.")
        }
        cache = try KVCache(
            shape: shape, model: model, modelName: "replay",
            bytes: settings.kvTokens / KVShape.blockTokens * shape.blockBytes, localTier: nil, addressing: .table,
            clock: { clock.tick() })
        queue = StepQueue(
            cache, stepTokens: settings.stepTokens, sequences: settings.sequences, admission: settings.admission)
        split = settings.split
        swapper = Swapper(settings)
        coming = trace.reversed()
    }

    /// Runs to the end of the last answer.
    ///
    /// - Throws: `EngineError` if the scheduler finds nothing to do while requests wait, which would
    ///   be a fault of its own; `KVError` without memory.
    /// - Complexity: O(steps·(running² + waiting) + tokens), and a pass over the cached blocks for
    ///   each eviction.
    package mutating func run() throws -> ReplayReport {
        while true {
            takeArrivals()
            try endSteps()
            if try round() { continue }
            // Time goes on to what comes next: while a step takes all, nobody looks who arrives.
            let (arrival, copy) = hasFreeLane ? (coming.last?.arrival, copying.map(\.end).min()) : (nil, nil)
            guard let next = [lanes.map(\.end).min(), arrival, copy].compactMap({ $0 }).min() else { break }
            meter.pass(from: clock.now, to: next, used: cache.capacity - cache.available)
            clock.set(next)
        }
        guard queue.waiting.isEmpty, queue.running.isEmpty else {
            throw EngineError(.overloaded, "The replay stands still while requests wait.")
        }
        var report = meter.report(settings, cache.statistics)
        (report.copies, report.copiedBlocks, report.tokensFromHost) = (swapper.calls, swapper.blocks, swapper.tokens)
        return report
    }

    /// Whether a step may begin beside those on their way.
    private var hasFreeLane: Bool { lanes.isEmpty || (lanes.count == 1 && lanes[0].kind != .both) }

    /// Requests that have come by now. As the engine does, it refuses what does not fit the memory,
    /// and all while the line is full.
    private mutating func takeArrivals() {
        while let request = coming.last, request.arrival <= clock.now {
            coming.removeLast()
            let room = cache.capacity * KVShape.blockTokens - request.promptTokens
            let asked = max(request.maxTokens ?? settings.maxTokens, request.completionTokens)
            guard room > 0, request.maxTokens ?? 0 <= room, queue.waiting.count < settings.waiting else {
                meter.refused += 1
                continue
            }
            queue.waiting.append(
                ReplaySequence(
                    id: nextID, request: request, maxTokens: min(asked, room),
                    completionTokens: min(request.completionTokens, asked, room), arrival: request.arrival))
            nextID += 1
        }
    }

    /// Plans, preempts, starts requests, and begins steps, as a round of the engine's loop does.
    ///
    /// - Returns: whether the next round is to follow at once.
    private mutating func round() throws -> Bool {
        guard hasFreeLane, !(queue.waiting.isEmpty && queue.running.isEmpty) else { return false }
        queue.updateShares()
        let plan = queue.plan()
        planned?(plan)
        if let sequence = queue.running.first(where: { $0.id == plan.preempted }) {
            swapper.release(sequence, at: clock.now)
        }
        if queue.putBack(plan) { meter.preempted += 1 }
        for var sequence in queue.takeAdmitted(plan) {
            let session = try cache.open(
                (0..<sequence.tokens).map { sequence.token($0) },
                positions: sequence.request.promptTokens + sequence.maxTokens)
            (sequence.session, sequence.position) = (session, session.restored)
            if sequence.start == nil { sequence.start = clock.now }
            if let end = try swapper.restore(&sequence, at: clock.now) {
                sequence.isInFlight = true
                copying.append((sequence.id, end))
            }
            if sequence.cachedTokens == nil { sequence.cachedTokens = sequence.position }
            queue.running.append(sequence)
        }
        if try begin(plan.work) { return false }
        // Beside a step on its way, a sequence that was put back waits for its end.
        if !lanes.isEmpty, plan.preempted != nil { return false }
        return plan.preempted != nil || !plan.admitted.isEmpty
    }

    /// Begins the steps of a plan for which there is a lane.
    private mutating func begin(_ work: [StepPlan.Work]) throws -> Bool {
        let before = lanes.count
        if split.isOneStep {
            try begin(.both, work)
        } else {
            let answering = Set(queue.running.filter(\.isAnswering).map(\.id))
            for kind in [Kind.answers, .prompts] where !lanes.contains(where: { $0.kind == kind }) {
                try begin(kind, work.filter { answering.contains($0.id) == (kind == .answers) })
            }
        }
        if lanes.count > before { balance() }
        return lanes.count > before
    }

    /// Begins a step.
    private mutating func begin(_ kind: Kind, _ work: [StepPlan.Work]) throws {
        var lane = Lane(kind: kind, work: [], load: StepLoad())
        for part in work {
            guard let i = queue.running.firstIndex(where: { $0.id == part.id }) else { continue }
            let sequence = queue.running[i]
            guard try sequence.session?.prepare(positions: sequence.position + part.tokens) == true else {
                continue
            }
            queue.shares.serve(sequence.key, tokens: part.tokens)
            lane.load.add(part.tokens, at: sequence.position, isAnswer: sequence.isAnswering)
            if part.tokens == sequence.tokens - sequence.position { lane.load.samples += 1 }
            queue.running[i].isInFlight = true
            queue.running[i].computedTokens += part.tokens
            lane.work.append(part)
        }
        guard !lane.work.isEmpty else { return }
        meter.steps += 1
        lane.stall = swapper.takeStall()
        (lane.seconds, lane.end) = (1, clock.now + 1)
        lanes.append(lane)
    }

    /// Shares the cores among the steps on their way; what is left of each takes longer or shorter.
    private mutating func balance() {
        var share = 1.0
        if lanes.count == 2, let answers = lanes.first(where: { $0.kind == .answers }),
            let prompts = lanes.first(where: { $0.kind == .prompts })
        {
            share = split.answerShare(
                SplitView(
                    answers: answers.load, prompts: prompts.load,
                    memory: 1 - Double(cache.available) / Double(cache.capacity), cost: settings.cost))
        }
        for i in lanes.indices {
            let other = lanes.count == 2 ? lanes[1 - i].load : nil
            let cores = other == nil ? 1 : lanes[i].kind == .answers ? share : 1 - share
            let seconds = lanes[i].stall + settings.cost.seconds(lanes[i].load, cores: cores, beside: other)
            let left = max(0, lanes[i].end - clock.now) / lanes[i].seconds
            (lanes[i].seconds, lanes[i].end) = (seconds, clock.now + left * seconds)
        }
    }

    /// Ends the copies and steps whose time is over: tokens are sampled, and answers that are complete end.
    private mutating func endSteps() throws {
        let now = clock.now
        for copy in copying where copy.end <= now {
            if let i = queue.running.firstIndex(where: { $0.id == copy.id }) { queue.running[i].isInFlight = false }
        }
        copying.removeAll { $0.end <= now }
        let over = lanes.filter { $0.end <= now }
        guard !over.isEmpty else { return }
        lanes.removeAll { $0.end <= now }
        let work = over.flatMap(\.work)
        for part in work {
            guard let i = queue.running.firstIndex(where: { $0.id == part.id }) else { continue }
            queue.running[i].isInFlight = false
            queue.running[i].position += part.tokens
            let sequence = queue.running[i]
            try sequence.session?.publish(sequence.token, computed: sequence.position)
        }
        // In the engine's order: all blocks are published before the first answer ends.
        for part in work {
            guard let i = queue.running.firstIndex(where: { $0.id == part.id }),
                queue.running[i].position == queue.running[i].tokens
            else { continue }
            queue.running[i].didSample(at: now, &meter)
            let sequence = queue.running[i]
            guard sequence.answered >= sequence.completionTokens else { continue }
            queue.admission.didFinish(completionTokens: sequence.answered)
            swapper.release(sequence, at: now)
            sequence.session?.close(sequence.token, computed: sequence.position)
            meter.finish(sequence, settings)
        }
        queue.running.removeAll { $0.answered >= $0.completionTokens }
        if !lanes.isEmpty { balance() }
    }
}
