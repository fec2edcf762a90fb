import Foundation
import MnemeKV
import MnemeModels
import NIOConcurrencyHelpers

/// One step of the model for the sequences of a plan, and the tokens sampled behind it.
extension Engine {
    /// Takes texts of the prompt from where they stood before, if enough of them are cached.
    func beginRebase(_ sequence: inout EngineSequence) {
        let prompt = sequence.request.prompt
        if let reuse, let session = sequence.session,
            (try? session.prepare(positions: prompt.count)) == true
        {
            sequence.rebasing = reuse.move(
                prompt, cachedTokens: sequence.position, parts: sequence.parts, view: session.view)
        }
        if sequence.rebasing == nil {
            sequence.closeParts()
        } else {
            sequence.session?.makePrivate()
        }
    }

    /// Computes a step of what is missing beside the texts that were moved.
    func recomputeStep(
        _ sequence: inout EngineSequence, _ shares: inout FairShare, _ logits: UnsafeMutablePointer<Float>
    ) {
        guard sequence.rebasing?.filling.step(logits) == false, let rebasing = sequence.rebasing else {
            return
        }
        let prompt = sequence.request.prompt
        let computed = rebasing.filling.computed
        sequence.rebasing = nil
        sequence.closeParts()
        shares.serve(sequence.request.key, tokens: computed)
        shared.withLockedValue { $0.statistics.promptTokens += computed }
        sequence.moved = rebasing.texts
        sequence.usage.reusedTokens = rebasing.texts.reduce(0) { $0 + $1.count }
        sequence.usage.cachedTokens = sequence.position + sequence.usage.reusedTokens
        // The last token is computed by a step, which samples behind it.
        sequence.position = prompt.count - 1
    }

    /// Makes one step.
    ///
    /// - Parameters:
    ///   - plan: sequences and their tokens, in the order of the step.
    ///   - tokens: room for ``TransformerDecoder/stepTokens`` ids.
    ///   - segments: room for one for each sequence.
    ///   - logits: room for vocabularySize floats for each sequence that samples.
    /// - Returns: false if nothing could be computed.
    func step(
        _ plan: StepPlan, _ queue: inout StepQueue<EngineSequence>,
        _ meter: inout DraftMeter,
        _ tokens: UnsafeMutableBufferPointer<Int32>,
        _ segments: UnsafeMutableBufferPointer<DecoderSegment>,
        _ logits: UnsafeMutableBufferPointer<Float>
    ) -> Bool {
        let scores = procedureScores(queue.running)
        defer { scores?.deallocate() }
        var count = 0
        var parts = 0
        var samples: [SampledSequence] = []
        var prompt = 0
        var done: Set<Int> = []
        var computed: Set<Int> = []
        var failed: [(Int, any Error)] = []
        // Drafts take what is left of a step: rows, logits, and places of the plan's own tokens.
        var rows = plan.work.reduce(0) { $0 + $1.tokens }
        var expectedTokens = Double(plan.work.count)
        var spare = min(decoder.stepTokens - rows, decoder.stepLogits - plan.work.count)
        // Tokens of all sequences side by side; a sequence whose last token is among them gets
        // logits.
        for work in plan.work {
            guard let i = queue.running.firstIndex(where: { $0.id == work.id }) else { continue }
            let sequence = queue.running[i]
            let ends = work.tokens == sequence.tokens - sequence.position
            var draft: ArraySlice<Int32> = []
            do {
                guard try sequence.prepare(work.tokens) else { continue }
                if ends, work.tokens == 1, !sequence.answer.isEmpty {
                    let most = min(
                        limits.draftTokens, spare, sequence.maxTokens - sequence.answer.count - 1)
                    let next = queue.running[i].drafts?.next(
                        most, rows: rows, expectedTokens: expectedTokens, meter)
                    if let next, !next.tokens.isEmpty,
                        try sequence.prepare(1 + next.tokens.count)
                    {
                        draft = next.tokens
                        rows += draft.count
                        expectedTokens += next.expected
                        spare -= draft.count
                    }
                }
            } catch {
                failed.append((i, error))
                continue
            }
            for j in 0..<work.tokens { tokens[count + j] = sequence.token(sequence.position + j) }
            for (j, token) in draft.enumerated() { tokens[count + work.tokens + j] = token }
            guard
                let segment = sequence.segment(
                    count..<count + work.tokens + draft.count, logits: ends ? 1 + draft.count : 0)
            else { continue }
            segments[parts] = segment
            segments[parts].adapter = sequence.adapter?.weights
            computed.insert(work.id)
            count += work.tokens + draft.count
            parts += 1
            queue.shares.serve(sequence.request.key, tokens: work.tokens)
            if sequence.answer.isEmpty { prompt += work.tokens }
            queue.running[i].position += work.tokens
            if ends { samples.append(SampledSequence(sequence: i, draft: draft)) }
        }
        // Without addresses for its blocks a sequence ends; the others go on.
        for (i, error) in failed {
            finish(queue.running[i], throwing: error)
            done.insert(queue.running[i].id)
        }
        // Nobody found memory, or all that did have ended.
        guard count > 0 else {
            queue.running.removeAll { done.contains($0.id) }
            return !done.isEmpty
        }
        let clock = ContinuousClock()
        let start = clock.now
        decoder.step(
            tokens: UnsafeBufferPointer(rebasing: tokens[..<count]),
            segments: UnsafeBufferPointer(rebasing: segments[..<parts]), logits: logits.baseAddress!,
            scores: scores?.scores
        )
        let size = decoder.configuration.vocabularySize
        let now = clock.now
        meter.note(rows: count, seconds: (now - start) / .seconds(1))
        // Steps of few tokens read the weights for hardly more than one.
        if prompt >= 64 { cache.noteComputed(tokens: count, seconds: (now - start) / .seconds(1)) }
        shared.withLockedValue { $0.statistics.promptTokens += prompt }
        for work in plan.work {
            guard let i = queue.running.firstIndex(where: { $0.id == work.id }), !done.contains(work.id)
            else { continue }
            if computed.contains(work.id) { queue.running[i].didCompute(work.tokens) }
            do {
                let sequence = queue.running[i]
                try sequence.session?.publish(sequence.token, computed: sequence.shareable)
            } catch {
                finish(queue.running[i], throwing: error)
                done.insert(work.id)
            }
        }
        // Logits come in the order of the sequences that sample.
        var row = 0
        for sample in samples {
            let i = sample.sequence
            let first = row
            row += 1 + sample.draft.count
            guard !done.contains(queue.running[i].id) else { continue }
            let own = UnsafeMutableBufferPointer(rebasing: logits[first * size..<(first + 1) * size])
            guard !beginProcedure(&queue.running[i], scores?.scores, row: first, own) else { continue }
            do {
                guard let reason = try self.sample(sample, logits, size, first, &queue.running[i], now)
                else {
                    continue
                }
                queue.running[i].usage.total = (now - queue.running[i].arrival) / .seconds(1)
                queue.running[i].usage.promptTokens = queue.running[i].request.prompt.count
                queue.running[i].usage.completionTokens = queue.running[i].answer.count
                queue.running[i].usage.kept = queue.running[i].kept
                queue.admission.didFinish(completionTokens: queue.running[i].answer.count)
                finish(queue.running[i], throwing: nil, last: .finished(reason, queue.running[i].usage))
            } catch { finish(queue.running[i], throwing: error) }
            done.insert(queue.running[i].id)
        }
        queue.running.removeAll { done.contains($0.id) }
        return true
    }

    /// A sequence that samples behind a step, and what was drafted for it.
    struct SampledSequence {
        /// Its index among those that run.
        var sequence: Int
        /// Tokens that the step computed behind its last one.
        var draft: ArraySlice<Int32>
    }

    /// Samples tokens as long as each is the one that was drafted: the logits behind it are there.
    ///
    /// Each is sampled as if there were no draft, from equal logits, with the same random numbers.
    ///
    /// - Parameter row: of its first logits.
    /// - Returns: why the answer ends, if it does.
    private func sample(
        _ sampled: SampledSequence, _ logits: UnsafeMutableBufferPointer<Float>, _ size: Int,
        _ row: Int,
        _ sequence: inout EngineSequence, _ now: ContinuousClock.Instant
    ) throws -> FinishReason? {
        var accepted = 0
        defer {
            if !sampled.draft.isEmpty {
                sequence.drafts?.note(accepted: accepted, of: sampled.draft.count)
            }
            shared.withLockedValue { shared in
                shared.statistics.completionTokens += 1 + accepted
                shared.statistics.draftedTokens += sampled.draft.count
                shared.statistics.acceptedTokens += accepted
            }
        }
        while true {
            let start = (row + accepted) * size
            let slice = UnsafeMutableBufferPointer(rebasing: logits[start..<start + size])
            if let reason = try sample(slice, &sequence, now) { return reason }
            guard accepted < sampled.draft.count,
                sequence.answer.last == sampled.draft[sampled.draft.startIndex + accepted]
            else { return nil }
            accepted += 1
            // Its keys and values were computed with the draft.
            sequence.position += 1
        }
    }

    /// Samples one token and hands its text out.
    ///
    /// - Parameters:
    ///   - logits: of this sequence; penalties and constraints change them.
    ///   - now: the time of the step, the same for all of its sequences.
    /// - Returns: why the answer ends, if it does.
    /// - Throws: ``EngineError`` if no token of the vocabulary fits the constraint.
    func sample(
        _ logits: UnsafeMutableBufferPointer<Float>, _ sequence: inout EngineSequence,
        _ now: ContinuousClock.Instant
    ) throws -> FinishReason? {
        // Probabilities are those of the model, before penalties change the logits.
        let original =
            sequence.request.alternatives == nil
            ? nil : UnsafeMutableBufferPointer<Float>.allocate(capacity: logits.count)
        defer { original?.deallocate() }
        if let original { _ = original.update(from: logits) }
        var allowed: [UInt64]?
        if sequence.constraint?.isFree == false {
            allowed = sequence.constraint?.allowed()
            guard allowed?.contains(where: { $0 != 0 }) == true else {
                throw EngineError(
                    .invalidRequest,
                    "The model has no tokens for what the schema wants next. Use plain ASCII in names and values."
                )
            }
        }
        let token = sequence.next(logits, allowed: allowed, vocabulary)
        let seconds = sequence.lastToken.map { (now - $0) / .seconds(1) }
        if sequence.lastToken == nil {
            sequence.usage.firstToken = (now - sequence.arrival) / .seconds(1)
        }
        let first = sequence.usage.firstToken
        shared.withLockedValue { shared in
            if let seconds {
                shared.statistics.betweenTokensTimes.record(seconds)
            } else {
                shared.statistics.firstTokenTimes.record(first)
            }
        }
        sequence.lastToken = now
        sequence.answer.append(token)
        sequence.drafts?.append(token)
        let ends = !sequence.request.ignoresEnd && tokenizer.endTokens.contains(token)
        if !ends {
            sequence.pendingText += sequence.text.append(
                sequence.constraint?.bytes(token) ?? tokenizer.bytes(token))
        }
        let isLast = ends || sequence.answer.count >= sequence.maxTokens
        if isLast { sequence.pendingText += sequence.text.finish() }
        let (text, stop) = Self.release(&sequence.pendingText, stop: sequence.request.stop, all: isLast)
        sequence.usage.stopString = stop
        var probability: Double?
        var alternatives: [TokenProbability] = []
        if let original, let count = sequence.request.alternatives {
            (probability, alternatives) = Sampler.logProbabilities(
                original, token: token, count: count)
        }
        sequence.continuation.yield(
            .token(text: text, id: token, probability: probability, alternatives: alternatives))
        if ends || stop != nil { return .stop }
        return isLast ? .length : nil
    }

    /// Takes out the text that can be shown: up to a stop string, and without an end that one could
    /// begin with. Says which stop string was met, if one was.
    package static func release(_ pending: inout String, stop: [String], all: Bool) -> (
        text: String, stop: String?
    ) {
        guard !stop.isEmpty else {
            defer { pending = "" }
            return (pending, nil)
        }
        let met = stop.filter { !$0.isEmpty }.compactMap { word in
            pending.range(of: word).map { (word: word, offset: $0.lowerBound) }
        }
        if let first = met.min(by: { $0.offset < $1.offset }) {
            defer { pending = "" }
            return (String(pending[..<first.offset]), first.word)
        }
        var keep = 0
        if !all {
            for word in stop {
                for length in stride(from: min(word.count, pending.count), to: keep, by: -1)
                where word.hasPrefix(pending.suffix(length)) { keep = max(keep, length) }
            }
        }
        let text = String(pending.dropLast(keep))
        pending = String(pending.suffix(keep))
        return (text, nil)
    }
}
