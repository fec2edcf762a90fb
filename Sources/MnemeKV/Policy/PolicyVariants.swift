import MnemeBase
import MnemeModels

/// Policies with a part left out or replaced, beside which `mneme kv eval` shows what that part is for. Answers do not
/// use them.
extension PolicyCatalog {
    /// Their names: that of a policy, and what is different.
    public static let variants = [
        "keynorm", "tokenkeys", "blockfloat:unordered", "onebit:ends", "onebit:drop", "razor:drop",
        "duoattention:random", "duoattention:gates", "epicache:episodes",
        "cake:uniform", "cake:pyramid", "compresskv:uniform", "taskkv:static", "ems:evict", "ems:merge",
        "fastgen:80", "fastgen:99", "compactor:safe", "compactor:keys", "minicache:25", "minicache:75", "a2ats:plain",
        "retroinfer:skip", "quest:means", "shadowkv:means", "shadowkv:lowrank", "retrievalattention:near",
    ]

    /// Makes a variant; nil for a name that is not there.
    ///
    /// - Parameter sample: a text, as in ``policy(_:for:sample:budget:)``.
    /// - Throws: ``KVError`` without memory.
    static func variant(
        _ name: String, for decoder: TransformerDecoder, sample: PolicySample
    ) throws -> KVPolicy? {
        func atEnd(
            _ scorer: some TokenScorer, _ allocator: some BudgetAllocator = UniformBudget(),
            _ disposer: some Disposer = Drop()
        ) -> KVPolicy {
            KVPolicy(name, trigger: .promptEnd, scorer: scorer, allocator: allocator, disposer: disposer)
        }
        func fastGen(_ recovery: Float) -> KVPolicy {
            var fastGen = FastGen(recovery: recovery)
            fastGen.isBounded = false
            return atEnd(fastGen, fastGen)
        }
        func miniCache(_ start: Double) -> KVPolicy {
            var policy = atEnd(StreamingLLM(), WholeBudget())
            policy.layers = MiniCache(start: start)
            return policy
        }
        func gated(_ strengths: [[Float]]) -> KVPolicy {
            KVPolicy(name, trigger: .every(32), scorer: StreamingLLM(), allocator: RetrievalHeads(strengths: strengths))
        }
        switch name {
        case "keynorm": return KVPolicy(name, trigger: .every(32), scorer: KeyNorm())
        case "tokenkeys": return codes(name, TokenKeys())
        case "blockfloat:unordered": return codes(name, BlockFloat())
        case "onebit:ends": return rest(name, OneBit(quantiles: false))
        case "onebit:drop": return atEnd(StreamingLLM(sinks: KVShape.blockTokens))
        case "razor:drop":
            return atEnd(StreamingLLM(), RetrievalHeads(strengths: try RetrievalHeads.strengths(decoder)))
        case "duoattention:random":
            var random = SplitMix64(seed: 113)
            let c = decoder.configuration
            return gated((0..<c.layers).map { _ in (0..<c.kvHeads).map { _ in Float(random.unit()) } })
        case "duoattention:gates":
            let probes = try [1, 2].map { try HeadGates(decoder, text: sample.tokens, seed: $0) }
            return gated(HeadGates.strengths(decoder, probes))
        case "cake:uniform": return atEnd(CAKE())
        case "cake:pyramid": return atEnd(CAKE(), PyramidBudget())
        case "compresskv:uniform":
            return atEnd(CompressKV(strengths: try RetrievalHeads.strengths(decoder)))
        case "taskkv:static":
            return atEnd(TaskKV(), RetrievalHeads(strengths: try RetrievalHeads.strengths(decoder)))
        case "ems:evict": return atEnd(EMS())
        case "ems:merge": return atEnd(EMS(), UniformBudget(), EMS(merged: 1e6, threshold: -1))
        case "fastgen:80": return fastGen(0.8)
        case "fastgen:99": return fastGen(0.99)
        case "compactor:keys":
            var keys = Compactor()
            keys.blend = 0
            return atEnd(keys)
        case "compactor:safe": return atEnd(Compactor(), SafeRatio())
        case "minicache:25": return miniCache(0.25)
        case "minicache:75": return miniCache(0.75)
        case "a2ats:plain": return keepsAll(name, A2ATS(rope: decoder.configuration.rope, isAware: false))
        case "retroinfer:skip": return keepsAll(name, RetroInfer(estimates: false))
        case "quest:means": return keepsAll(name, Quest(estimates: true))
        case "shadowkv:means": return keepsAll(name, ShadowKV(estimates: true))
        case "shadowkv:lowrank":
            var policy = keepsAll(name, ShadowKV())
            // Directions are those of the whole prompt.
            (policy.trigger, policy.allocator) = (.promptEnd, WholeBudget())
            policy.coder = LowRankKeys(rope: decoder.configuration.rope)
            return policy
        case "retrievalattention:near": return keepsAll(name, RetrievalAttention(isAware: false))
        default: return nil
        }
    }

    /// A policy that keeps all rows, in codes of its own.
    static func codes(_ name: String, _ coder: some KVCoder) -> KVPolicy {
        var policy = KVPolicy(name, trigger: .promptEnd, scorer: StreamingLLM(), allocator: WholeBudget())
        policy.coder = coder
        return policy
    }

    /// A policy that keeps the first page and the last rows of a budget as they are, and codes the span between.
    static func rest(_ name: String, _ coder: some KVCoder) -> KVPolicy {
        var policy = KVPolicy(name, trigger: .promptEnd, scorer: StreamingLLM())
        (policy.codesRest, policy.coder) = (true, coder)
        return policy
    }
}
