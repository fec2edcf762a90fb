import MnemeKV
import MnemeModels
import NIOConcurrencyHelpers

/// How a request's keys and values are compressed: the policy for this model, and sizes. Made when
/// the request comes.
struct SequenceCompression {
    let policy: KVPolicy
    let codec: KVCodec
    /// Rows that a head keeps on average.
    let budget: Int
    /// Tokens that are computed with all rows before the policy chooses: the prompt's, or of a
    /// stream those that fit the context.
    let exactTokens: Int
    /// The most rows that a head has at any time.
    let rows: Int
    /// Blocks that it takes beside those of the exact tokens.
    let blocks: Int

    /// Last tokens of the exact ones that must be computed, for the attention that they pay and for
    /// their queries.
    var computing: Int {
        max(1, policy.attention.countsAll ? exactTokens : window, policy.needsQueries ? KVObservation.queryTokens : 1)
    }
    /// The last tokens whose attention counts by itself.
    private var window: Int { policy.attention.window ?? 0 }

    /// Tokens of a step at exact position `position` whose attention counts: of all that do, and of the
    /// last ones.
    func observed(_ position: Int, _ tokens: Int) -> (all: Int, recent: Int) {
        let recent = min(tokens, max(0, position + tokens - (exactTokens - window)))
        return (policy.attention.countsAll ? tokens : recent, recent)
    }

    /// Tokens of a step behind the exact ones whose attention counts, likewise.
    func observedBehind(_ tokens: Int) -> (all: Int, recent: Int) {
        guard case .every = policy.trigger else { return (0, 0) }
        let recent = min(window, tokens)
        return (policy.attention.countsAll ? tokens : recent, recent)
    }
}

extension Engine {
    /// The compression of a request, if it asks for one.
    ///
    /// - Parameter most: tokens of the answer; nil if nothing was said.
    /// - Throws: ``EngineError``, ``MnemeKV/KVError`` for what does not go together.
    func compression(_ request: GenerationRequest, most: Int?) throws -> SequenceCompression? {
        guard let wanted = request.kv ?? limits.kv, !wanted.isExact else { return nil }
        try wanted.check()
        let c = decoder.configuration
        let policy = try policy(wanted.policy)
        let prompt = request.prompt.count
        do {
            try CompressedSequence.check(c, policy, wanted.type)
        } catch let error as KVError where error.code == .unsupported {
            // Asked of a model that does not allow it: the request is wrong, not the server.
            throw EngineError(.invalidRequest, error.message)
        }
        var slack = 0
        var tokens = prompt
        if case .every(let count) = policy.trigger {
            slack = count
            tokens = min(context, prompt + min(most ?? context, context))
        }
        var budget =
            wanted.budget <= 1
            ? max(KVCompression.leastRows, Int(wanted.budget * Double(tokens))) : Int(wanted.budget)
        budget = min(budget, max(1, context - slack - 1))
        let exact = policy.movesTogether ? min(prompt, context - 1) : prompt
        // What moves together never has more rows than its budget and the next to go.
        let rows =
            policy.movesTogether
            ? max(exact, budget) + slack + 2 * KVShape.blockTokens
            : prompt + min(most ?? context, context) + KVShape.blockTokens
        return SequenceCompression(
            policy: policy, codec: wanted.type, budget: budget, exactTokens: exact, rows: rows,
            blocks: try CompressedSequence.blocks(
                c, policy, budget: budget, codec: wanted.type, rows: exact))
    }

    /// A policy for this model; some are measured on it when they are first asked for.
    private func policy(_ name: String) throws -> KVPolicy {
        try policies.withLockedValue { policies in
            if let policy = policies[name] { return policy }
            let policy = try PolicyCatalog.policy(
                name, for: decoder, sample: PolicySample(tokenizer: tokenizer), budget: 0)
            policies[name] = policy
            return policy
        }
    }

    /// The sequence that a request's rows are copied to at the end of its exact tokens.
    func compressed(_ compression: SequenceCompression) throws -> CompressedSequence {
        try cache.compressed(
            decoder.configuration, compression.policy, budget: compression.budget,
            codec: compression.codec, rows: compression.rows, taking: compression.exactTokens)
    }

    /// Copies some heads' rows, so that others need not wait long; behind the last, the sequence
    /// goes on with these alone.
    ///
    /// - Returns: false if there is no memory.
    func compressStep(_ sequence: inout EngineSequence) -> Bool {
        guard let taken = sequence.taken, let session = sequence.session,
            let compressed = sequence.compressed, let compression = sequence.compression
        else { return true }
        let c = decoder.configuration
        let heads = c.layers * c.kvHeads
        let rows = compression.exactTokens
        compressed.note(upTo: rows, sequence.token)
        let end = min(heads, taken + (compressed.takesLong ? 1 : max(1, (1 << 16) / rows)))
        guard compressed.take(taken..<end, from: session.view, rows: rows) else { return false }
        sequence.taken = end
        guard end == heads else { return true }
        sequence.taken = nil
        compressed.pages.holdsBlocks = false
        if sequence.adapter == nil {
            reuse?.keep(sequence.request, of: session, except: sequence.moved)
        }
        session.close(sequence.token, computed: rows)
        sequence.session = nil
        shared.withLockedValue { $0.statistics.compressed += 1 }
        return true
    }
}
