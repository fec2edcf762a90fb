import Foundation
public import MnemeKV
public import MnemeModels
import NIOConcurrencyHelpers

/// Runs a language model for many requests at once.
///
/// One thread of its own makes the steps that ``StepScheduler`` plans; callers read streams.
/// Cancelling the task that reads a stream ends its request before the next step.
public final class Engine: Sendable {
    /// The model.
    public let decoder: TransformerDecoder
    /// Its tokenizer.
    public let tokenizer: any Tokenizer
    private let limits: Limits
    let cache: KVCache
    let folder: KVFolder?
    private let reuse: TextReuse?
    private let shared: NIOLockedValueBox<Shared>
    private let sorted = NIOLockedValueBox<SchemaVocabulary?>(nil)
    /// Wakes the thread: there is work, or it shall end.
    private let wake = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    /// Bounds of an engine.
    public struct Limits: Sendable {
        /// Sequences that run at once.
        public var sequences = 16
        /// Requests that wait; more are refused.
        public var waiting = 256
        /// Bytes of keys and values, in use and kept for later: 4 GiB, but a quarter of the
        /// machine's memory at most.
        public var kvBytes = min(4 << 30, Int(ProcessInfo.processInfo.physicalMemory / 4))
        /// Tokens of a prompt and its answer; nil takes the model's context.
        public var context: Int?
        /// Of the tokens of ``GenerationRequest/texts`` that are known from other places, how many
        /// are computed again: those that the question attends to most (CacheBlend, Yao et al.
        /// 2025, chosen by attention). nil computes all anew, and answers are exact.
        public var reuseShare: Double?

        /// The defaults.
        public init() {}
    }

    private struct Shared {
        var arrived: [Sequence] = []
        var cancelled: Set<Int> = []
        var nextID = 0
        var closed = false
        var statistics = EngineStatistics()
    }

    /// A request and where it stands; used by the engine's thread alone once it has started.
    private struct Sequence {
        let id: Int
        let request: GenerationRequest
        let maxTokens: Int
        let arrival: ContinuousClock.Instant
        let deadline: ContinuousClock.Instant?
        let continuation: AsyncThrowingStream<GenerationEvent, any Error>.Continuation
        var sampler: Sampler
        var constraint: SchemaConstraint?
        var session: KVCache.Session?
        /// Whether its blocks come from disk just now.
        var isLoading = false
        /// Texts that are looked for, are moved, and were moved here.
        var parts: [TextReuse.Part] = []
        var moving: TextReuse.Moving?
        var moved: Set<Range<Int>> = []
        /// Whether it waits for what the scheduler does not plan.
        var isFilling: Bool { isLoading || moving != nil }
        /// Tokens computed.
        var position = 0
        /// Tokens of the answer drawn.
        var answer: [Int32] = []
        var text = StreamingDecoder()
        var held = ""
        var lastToken: ContinuousClock.Instant?
        var usage = GenerationUsage()

        var tokens: Int { request.prompt.count + answer.count }
        func token(_ index: Int) -> Int32 {
            index < request.prompt.count
                ? request.prompt[index] : answer[index - request.prompt.count]
        }
        var positions: Int { request.prompt.count + maxTokens }

        mutating func closeParts() {
            for part in parts { part.close() }
            parts = []
        }

        /// Keeps what was computed and gives the memory up.
        func release() {
            for part in parts { part.close() }
            session?.close(token, computed: position)
        }

        /// Goes on behind what was found, once it is there.
        mutating func takeRestored() {
            guard let session, !session.isLoading, !parts.contains(where: \.isLoading) else {
                return
            }
            isLoading = false
            position = session.restored
            if answer.isEmpty { usage.cachedTokens = position }
        }
    }

    /// Starts the engine's thread. ``close()`` ends it.
    ///
    /// - Parameters:
    ///   - folder: where keys and values are kept beyond the process; nil keeps them in memory
    ///     only.
    ///   - remote: where other machines find them, too: a ``MnemeKV/RedisTier``.
    ///   - codec: how they are kept there; all but f16 change answers a little after a restart.
    /// - Throws: ``MnemeKV/KVError`` if there is no memory for keys and values, or the model's
    ///   files cannot be read.
    public init(
        _ model: LanguageModel, limits: Limits = Limits(), folder: KVFolder? = nil,
        remote: (any KVTier)? = nil,
        codec: KVCodec = .f16
    ) throws {
        decoder = model.decoder
        tokenizer = model.tokenizer
        self.limits = limits
        self.folder = folder
        let isKept = folder != nil || remote != nil
        let weights =
            isKept
            ? try ModelIdentity.hash(model.path, cache: folder.map { $0.path + "/models" }) : ""
        cache = try KVCache(
            shape: KVShape(decoder.configuration),
            model: .model(weights, decoder.configuration, codec: codec),
            modelName: model.name, bytes: limits.kvBytes,
            near: folder, far: remote, codec: codec)
        reuse = limits.reuseShare.map { [cache] in TextReuse(cache, model.decoder, share: $0) }
        shared = NIOLockedValueBox(Shared())
        let thread = Thread { [self] in loop() }
        thread.name = "mneme.engine"
        thread.stackSize = 4 << 20
        thread.start()
    }

    /// Ends all requests with an error and waits for the thread. Later requests are refused.
    public func close() {
        let first = shared.withLockedValue { shared in
            defer { shared.closed = true }
            return !shared.closed
        }
        guard first else { return }
        wake.signal()
        ended.wait()
        cache.flush()
    }

    /// Forgets, in memory and on disk, all keys and values that were made with these memories in
    /// the text.
    ///
    /// - Parameter texts: what these alone have goes, too: hashes of last blocks, as
    ///   ``MnemeKV/KVFolder`` names them.
    /// - Throws: ``MnemeKV/KVError`` if something may be left.
    public func erase(sources: Set<String>, texts: [KVHash] = []) throws {
        try cache.erase(
            sources: sources,
            blocks: Set(texts.flatMap { cache.own($0) + ((try? folder?.own($0)) ?? []) }))
    }

    /// Tokens that a prompt and its answer may have together.
    public var context: Int { min(limits.context ?? .max, decoder.configuration.contextLength) }

    /// Whether ``GenerationRequest/texts`` are reused at other places.
    var reusesTexts: Bool { reuse != nil }

    /// What the engine does.
    public var statistics: EngineStatistics {
        var statistics = shared.withLockedValue { $0.statistics }
        statistics.kv = cache.statistics
        return statistics
    }

    /// Generates an answer.
    ///
    /// - Throws: ``EngineError`` at once for requests that cannot be carried out; the stream throws
    ///   what comes up later.
    public func generate(_ request: GenerationRequest) throws -> AsyncThrowingStream<
        GenerationEvent, any Error
    > {
        try request.sampling.check(vocabulary: decoder.configuration.vocabularySize)
        guard !request.prompt.isEmpty else {
            throw EngineError(.invalidRequest, "The prompt is empty.")
        }
        guard
            request.prompt.allSatisfy({
                (0..<Int32(decoder.configuration.vocabularySize)).contains($0)
            })
        else {
            throw EngineError(
                .invalidRequest, "The prompt holds tokens that the model does not have.")
        }
        guard request.prompt.count < context else {
            throw EngineError(
                .tooLong,
                "The prompt has \(request.prompt.count) tokens; prompt and answer may have \(context) together."
            )
        }
        if let most = request.maxTokens, most < 1 {
            throw EngineError(.invalidRequest, "At least one token must be asked for.")
        }
        if let count = request.alternatives, !(0...20).contains(count) {
            throw EngineError(.invalidRequest, "0 to 20 alternatives can be reported.")
        }
        // Where nothing was said, the answer may be as long as the context and memory let it.
        let room = context - request.prompt.count,
            fits = max(1, cache.capacity * KVShape.blockTokens - request.prompt.count)
        let most = min(request.maxTokens ?? fits, room)
        guard KVShape.blocks(request.prompt.count + most) <= cache.capacity else {
            throw EngineError(
                .tooLong,
                "Keys and values of \(request.prompt.count + most) tokens do not fit the engine's memory. Ask for fewer tokens."
            )
        }
        var end = 0
        for text in request.texts {
            guard text.lowerBound >= end, text.upperBound <= request.prompt.count, !text.isEmpty
            else {
                throw EngineError(
                    .invalidRequest, "Texts of a prompt stand in it, one behind the other.")
            }
            end = text.upperBound
        }
        let constraint = request.schema.map { SchemaConstraint($0, vocabulary()) }
        let (stream, continuation) = AsyncThrowingStream<GenerationEvent, any Error>.makeStream()
        let now = ContinuousClock().now
        try shared.withLockedValue { shared in
            guard !shared.closed else { throw EngineError(.closed, "The engine is shut down.") }
            guard shared.statistics.waiting < limits.waiting else {
                throw EngineError(.overloaded, "Too many requests wait already. Try again later.")
            }
            let id = shared.nextID
            shared.nextID += 1
            shared.statistics.waiting += 1
            continuation.onTermination = { [weak self] reason in
                guard case .cancelled = reason, let self else { return }
                self.shared.withLockedValue { _ = $0.cancelled.insert(id) }
                wake.signal()
            }
            shared.arrived.append(
                Sequence(
                    id: id, request: request, maxTokens: most, arrival: now,
                    deadline: request.timeout.map { now + $0 },
                    continuation: continuation,
                    sampler: Sampler(request.sampling, prompt: request.prompt),
                    constraint: constraint))
        }
        wake.signal()
        return stream
    }

    /// The vocabulary as schemas want it; made when the first is asked for.
    private func vocabulary() -> SchemaVocabulary {
        sorted.withLockedValue { sorted in
            if let sorted { return sorted }
            let made = SchemaVocabulary(tokenizer)
            sorted = made
            return made
        }
    }

    // MARK: The engine's thread

    private func loop() {
        var waiting: [Sequence] = [], running: [Sequence] = [], shares = FairShare()
        let tokens = UnsafeMutableBufferPointer<Int32>.allocate(capacity: decoder.stepTokens)
        let segments = UnsafeMutableBufferPointer<DecoderSegment>.allocate(
            capacity: limits.sequences)
        let size = decoder.configuration.vocabularySize
        let logits = UnsafeMutableBufferPointer<Float>.allocate(
            capacity: min(limits.sequences, decoder.stepLogits) * size)
        defer {
            tokens.deallocate()
            segments.deallocate()
            logits.deallocate()
            ended.signal()
        }
        while true {
            let (arrived, cancelled, closed) = shared.withLockedValue { shared in
                defer {
                    shared.arrived = []
                    shared.cancelled = []
                }
                return (shared.arrived, shared.cancelled, shared.closed)
            }
            waiting += arrived
            let now = ContinuousClock().now
            var dropped: [(sequence: Sequence, error: any Error)] = []
            func drop(_ list: inout [Sequence]) {
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
            if closed { return }
            shares.update(active: Set((waiting + running).map(\.request.key)))
            running.removeAll { sequence in
                guard let failure = sequence.isLoading ? sequence.session?.failure : nil else {
                    return false
                }
                finish(sequence, throwing: failure)
                return true
            }
            for i in running.indices where running[i].isLoading {
                running[i].takeRestored()
                if !running[i].isLoading, !running[i].parts.isEmpty { beginMove(&running[i]) }
            }
            let plan = StepScheduler.plan(view(waiting, running, shares))
            if let id = plan.preempted, let i = running.firstIndex(where: { $0.id == id }) {
                var sequence = running.remove(at: i)
                sequence.release()
                sequence.position = 0
                (sequence.parts, sequence.moving, sequence.moved) = ([], nil, [])
                waiting.insert(sequence, at: 0)
                shared.withLockedValue { $0.statistics.preempted += 1 }
            }
            for id in plan.admitted {
                guard let i = waiting.firstIndex(where: { $0.id == id }) else { continue }
                var sequence = waiting.remove(at: i)
                do {
                    let tokens = (0..<sequence.tokens).map { sequence.token($0) }
                    sequence.session = try cache.open(
                        tokens, positions: sequence.positions, scope: sequence.request.scope,
                        sources: sequence.request.sources
                    ) {
                        [wake] in wake.signal()
                    }
                    sequence.isLoading = true
                    // A sequence that was put back has been answered in part from exact values, or
                    // is answered exactly now.
                    if sequence.answer.isEmpty {
                        sequence.parts =
                            reuse?.find(sequence.request) { [wake] in wake.signal() } ?? []
                    }
                    sequence.takeRestored()
                    if !sequence.isLoading, !sequence.parts.isEmpty { beginMove(&sequence) }
                    running.append(sequence)
                } catch { finish(sequence, throwing: error) }
            }
            report(waiting.count, running.count)
            // Texts are moved in steps of their own, the oldest sequence's first; in between, all
            // others go on.
            let moving = running.firstIndex { $0.moving != nil }
            if let moving { goOn(&running[moving], &shares, logits.baseAddress!) }
            let wentOn =
                !plan.work.isEmpty && step(plan, &running, &shares, tokens, segments, logits)
            if wentOn || moving != nil { continue }
            if plan.preempted != nil || !plan.admitted.isEmpty { continue }
            // Deadlines, and memory that comes free elsewhere, are looked at now and then.
            _ =
                waiting.isEmpty && running.isEmpty
                ? wake.wait(timeout: .distantFuture)
                : wake.wait(timeout: .now() + .milliseconds(running.isEmpty ? 100 : 5))
        }
    }

    private func view(_ waiting: [Sequence], _ running: [Sequence], _ shares: FairShare)
        -> EngineView
    {
        var keys: Set<String> = []
        return EngineView(
            running: running.map {
                EngineView.Running(
                    id: $0.id, position: $0.position,
                    pending: $0.isFilling ? 0 : $0.tokens - $0.position,
                    blocks: $0.session?.blocks ?? 0)
            },
            waiting: waiting.map { sequence in
                // Only the first of each key may start soon.
                let isNext =
                    running.count < limits.sequences && keys.insert(sequence.request.key).inserted
                let known =
                    isNext
                    ? cache.known(
                        (0..<sequence.tokens).map { sequence.token($0) },
                        scope: sequence.request.scope)
                    : (tokens: 0, heldBlocks: 0)
                return EngineView.Waiting(
                    id: sequence.id, key: sequence.request.key,
                    prompt: sequence.tokens - known.tokens,
                    blocks: KVShape.blocks(sequence.tokens + 1) - known.heldBlocks)
            }, served: shares.served, freeBlocks: cache.available, blockTokens: KVShape.blockTokens,
            stepTokens: decoder.stepTokens,
            sequences: min(limits.sequences, decoder.stepLogits))
    }

    /// Takes texts of the prompt from where they stood before, if enough of them are known.
    private func beginMove(_ sequence: inout Sequence) {
        let prompt = sequence.request.prompt
        if let reuse, let session = sequence.session,
            (try? session.prepare(positions: prompt.count)) == true
        {
            sequence.moving = reuse.move(
                prompt, known: sequence.position, parts: sequence.parts, view: session.view)
        }
        if sequence.moving == nil {
            sequence.closeParts()
        } else {
            sequence.session?.keepToItself()
        }
    }

    /// Computes a step of what is missing beside the texts that were moved.
    private func goOn(
        _ sequence: inout Sequence, _ shares: inout FairShare, _ logits: UnsafeMutablePointer<Float>
    ) {
        guard sequence.moving?.filling.step(logits) == false, let moving = sequence.moving else {
            return
        }
        let prompt = sequence.request.prompt, computed = moving.filling.computed
        sequence.moving = nil
        sequence.closeParts()
        shares.serve(sequence.request.key, tokens: computed)
        shared.withLockedValue { $0.statistics.promptTokens += computed }
        sequence.moved = moving.texts
        sequence.usage.reusedTokens = moving.texts.reduce(0) { $0 + $1.count }
        sequence.usage.cachedTokens = sequence.position + sequence.usage.reusedTokens
        // The last token is computed by a step, which draws behind it.
        sequence.position = prompt.count - 1
    }

    /// Makes one step.
    ///
    /// - Returns: false if nothing could be computed.
    private func step(
        _ plan: StepPlan, _ running: inout [Sequence], _ shares: inout FairShare,
        _ tokens: UnsafeMutableBufferPointer<Int32>,
        _ segments: UnsafeMutableBufferPointer<DecoderSegment>,
        _ logits: UnsafeMutableBufferPointer<Float>
    ) -> Bool {
        var count = 0, parts = 0, draws: [Int] = [], prompt = 0, done: Set<Int> = [],
            failed: [(Int, any Error)] = []
        for work in plan.work {
            guard let i = running.firstIndex(where: { $0.id == work.id }),
                let session = running[i].session
            else {
                continue
            }
            let sequence = running[i]
            do {
                guard try session.prepare(positions: sequence.position + work.tokens) else {
                    continue
                }
            } catch {
                failed.append((i, error))
                continue
            }
            for j in 0..<work.tokens { tokens[count + j] = sequence.token(sequence.position + j) }
            let ends = work.tokens == sequence.tokens - sequence.position
            segments[parts] = DecoderSegment(
                tokens: count..<count + work.tokens, position: sequence.position,
                view: session.view,
                logits: ends ? 1 : 0)
            count += work.tokens
            parts += 1
            shares.serve(sequence.request.key, tokens: work.tokens)
            if sequence.answer.isEmpty { prompt += work.tokens }
            running[i].position += work.tokens
            if ends { draws.append(i) }
        }
        for (i, error) in failed {
            finish(running[i], throwing: error)
            done.insert(running[i].id)
        }
        guard count > 0 else {
            running.removeAll { done.contains($0.id) }
            return !done.isEmpty
        }
        decoder.step(
            tokens: UnsafeBufferPointer(rebasing: tokens[..<count]),
            segments: UnsafeBufferPointer(rebasing: segments[..<parts]), logits: logits.baseAddress!
        )
        shared.withLockedValue { shared in
            shared.statistics.promptTokens += prompt
            shared.statistics.answerTokens += draws.count
        }
        let size = decoder.configuration.vocabularySize, now = ContinuousClock().now
        for work in plan.work {
            guard let i = running.firstIndex(where: { $0.id == work.id }), !done.contains(work.id)
            else { continue }
            do {
                try running[i].session?.publish(running[i].token, computed: running[i].position)
            } catch {
                finish(running[i], throwing: error)
                done.insert(work.id)
            }
        }
        for (row, i) in draws.enumerated() where !done.contains(running[i].id) {
            let slice = UnsafeMutableBufferPointer(rebasing: logits[row * size..<(row + 1) * size])
            do {
                guard let reason = try draw(slice, &running[i], now) else { continue }
                running[i].usage.total = (now - running[i].arrival) / .seconds(1)
                running[i].usage.promptTokens = running[i].request.prompt.count
                running[i].usage.answerTokens = running[i].answer.count
                finish(running[i], throwing: nil, last: .finished(reason, running[i].usage))
            } catch { finish(running[i], throwing: error) }
            done.insert(running[i].id)
        }
        running.removeAll { done.contains($0.id) }
        return true
    }

    /// Draws one token and hands its text out; returns why the answer ends, if it does.
    private func draw(
        _ logits: UnsafeMutableBufferPointer<Float>, _ sequence: inout Sequence,
        _ now: ContinuousClock.Instant
    ) throws -> FinishReason? {
        // Probabilities are those of the model, before penalties change the logits.
        let original =
            sequence.request.alternatives == nil
            ? nil : UnsafeMutableBufferPointer<Float>.allocate(capacity: logits.count)
        defer { original?.deallocate() }
        if let original { _ = original.update(from: logits) }
        let token: Int32
        if let allowed = sequence.constraint?.allowed() {
            guard allowed.contains(where: { $0 != 0 }) else {
                throw EngineError(
                    .invalidRequest,
                    "The model has no tokens for what the schema wants next. Use plain ASCII in names and values."
                )
            }
            token = sequence.sampler.next(logits, allowed: allowed)
            sequence.constraint!.advance(token)
        } else {
            token = sequence.sampler.next(logits)
        }
        let seconds = sequence.lastToken.map { (now - $0) / .seconds(1) }
        if sequence.lastToken == nil {
            sequence.usage.firstToken = (now - sequence.arrival) / .seconds(1)
        }
        let first = sequence.usage.firstToken
        shared.withLockedValue { shared in
            if let seconds {
                shared.statistics.betweenTokensSeconds += seconds
                shared.statistics.furtherTokens += 1
            } else {
                shared.statistics.firstTokenSeconds += first
                shared.statistics.firstTokens += 1
            }
        }
        sequence.lastToken = now
        sequence.answer.append(token)
        let ends = !sequence.request.ignoresEnd && tokenizer.endTokens.contains(token)
        if !ends { sequence.held += sequence.text.append(tokenizer.bytes(token)) }
        let isLast = ends || sequence.answer.count >= sequence.maxTokens
        if isLast { sequence.held += sequence.text.finish() }
        let (text, stopped) = Self.release(&sequence.held, stop: sequence.request.stop, all: isLast)
        var probability: Double?, alternatives: [TokenProbability] = []
        if let original, let count = sequence.request.alternatives {
            (probability, alternatives) = Sampler.logProbabilities(
                original, token: token, count: count)
        }
        sequence.continuation.yield(
            .token(text: text, id: token, probability: probability, alternatives: alternatives))
        if ends || stopped { return .stop }
        return isLast ? .length : nil
    }

    /// Takes out the text that can be shown: up to a stop string, and without an end that one could
    /// begin with.
    package static func release(_ held: inout String, stop: [String], all: Bool) -> (
        text: String, stopped: Bool
    ) {
        guard !stop.isEmpty else {
            defer { held = "" }
            return (held, false)
        }
        if let found = stop.filter({ !$0.isEmpty }).compactMap({ held.range(of: $0) }).min(by: {
            $0.lowerBound < $1.lowerBound
        }) {
            defer { held = "" }
            return (String(held[..<found.lowerBound]), true)
        }
        var keep = 0
        if !all {
            for word in stop {
                for length in stride(from: min(word.count, held.count), to: keep, by: -1)
                where word.hasPrefix(held.suffix(length)) { keep = max(keep, length) }
            }
        }
        let text = String(held.dropLast(keep))
        held = String(held.suffix(keep))
        return (text, false)
    }

    private func finish(
        _ sequence: Sequence, throwing error: (any Error)?, last: GenerationEvent? = nil
    ) {
        if let reuse, let session = sequence.session, !sequence.isLoading,
            sequence.position >= sequence.request.prompt.count
        {
            reuse.keep(sequence.request, of: session, except: sequence.moved)
        }
        sequence.release()
        shared.withLockedValue { $0.statistics.finished += 1 }
        if let last { sequence.continuation.yield(last) }
        sequence.continuation.finish(throwing: error)
    }

    private func report(_ waiting: Int, _ running: Int) {
        shared.withLockedValue { shared in
            shared.statistics.waiting = waiting + shared.arrived.count
            shared.statistics.running = running
        }
    }
}
