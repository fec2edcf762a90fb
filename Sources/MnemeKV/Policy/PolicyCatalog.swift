public import MnemeModels

/// Policies by name.
public enum PolicyCatalog {
    /// All names: `full` keeps all, `window` and `random` are what others must beat.
    public static let names =
        [
            "full", "window", "random", "streamingllm", "h2o", "snapkv", "pagedeviction", "kvmerger",
            "duoattention",
            "razor",
            "epicache", "cake", "d2o", "fastgen", "taskkv", "compactor", "elastic", "compresskv", "spatten",
            "windowkv",
        ] + selectors

    /// Those that keep all rows and have each token read some (``KVSelector``); their budget is what
    /// it reads.
    public static let selectors = ["quest", "shadowkv", "retroinfer", "roundattention"]

    /// Makes a policy; some are measured on the model first.
    ///
    /// - Parameters:
    ///   - name: one of ``names``.
    ///   - decoder: the model that it is for, and is measured on.
    ///   - sample: tokens of a text, for those that are measured.
    ///   - budget: rows that a head may keep.
    /// - Throws: ``KVError`` for a name that is not there.
    public static func policy(
        _ name: String, for decoder: TransformerDecoder, sample: [Int32], budget: Int
    ) throws
        -> KVPolicy
    {
        switch name {
        case "full": return KVPolicy(name, trigger: .never, scorer: StreamingLLM())
        case "window": return KVPolicy(name, trigger: .every(16), scorer: StreamingLLM(sinks: 0))
        case "random": return KVPolicy(name, trigger: .promptEnd, scorer: RandomEviction())
        case "streamingllm":
            return KVPolicy(name, trigger: .every(16), scorer: StreamingLLM(), movesTogether: true)
        case "h2o": return KVPolicy(name, trigger: .every(32), scorer: H2O())
        case "snapkv": return KVPolicy(name, trigger: .promptEnd, scorer: SnapKV())
        case "pagedeviction":
            return KVPolicy(name, trigger: .every(KVShape.blockTokens), scorer: PagedEviction())
        case "kvmerger":
            return KVPolicy(name, trigger: .promptEnd, scorer: H2O(), disposer: KVMerger())
        case "duoattention":
            return KVPolicy(
                name, trigger: .every(32), scorer: StreamingLLM(),
                allocator: RetrievalHeads(strengths: try RetrievalHeads.strengths(decoder)))
        case "razor":
            return KVPolicy(
                name, trigger: .promptEnd, scorer: StreamingLLM(),
                allocator: RetrievalHeads(strengths: try RetrievalHeads.strengths(decoder)),
                disposer: CompensationToken())
        case "epicache":
            var policy = KVPolicy(name, trigger: .every(128), scorer: SnapKV())
            policy.allocator = LayerSensitivity(
                weights: try LayerSensitivity.weights(
                    decoder, tokens: sample, policy: policy, budget: budget))
            return policy
        case "cake":
            return KVPolicy(name, trigger: .promptEnd, scorer: CAKE(), allocator: CAKE())
        case "d2o":
            return KVPolicy(
                name, trigger: .promptEnd, scorer: D2O(), allocator: D2O(), disposer: D2O())
        case "fastgen":
            return KVPolicy(name, trigger: .promptEnd, scorer: FastGen(), allocator: FastGen())
        case "taskkv":
            return KVPolicy(name, trigger: .promptEnd, scorer: TaskKV(), allocator: TaskKV())
        case "compactor": return KVPolicy(name, trigger: .promptEnd, scorer: Compactor())
        case "elastic":
            return KVPolicy(name, trigger: .promptEnd, scorer: ElasticCache(), disposer: ElasticCache())
        case "compresskv":
            return KVPolicy(
                name, trigger: .promptEnd,
                scorer: CompressKV(strengths: try RetrievalHeads.strengths(decoder)))
        case "spatten":
            return KVPolicy(name, trigger: .promptEnd, scorer: SpAtten(), allocator: SpAtten())
        case "windowkv": return KVPolicy(name, trigger: .promptEnd, scorer: WindowKV())
        case "quest": return keepsAll(name, Quest())
        case "shadowkv": return keepsAll(name, ShadowKV())
        case "retroinfer": return keepsAll(name, RetroInfer())
        case "roundattention":
            return keepsAll(name, RoundAttention(layers: decoder.configuration.layers))
        default:
            throw KVError(
                .notFound,
                "There is no policy '\(name.prefix(40))'. There are \(names.joined(separator: ", "))."
            )
        }
    }

    /// A policy that keeps all rows, of which each token reads some.
    private static func keepsAll(_ name: String, _ selector: some KVSelector) -> KVPolicy {
        KVPolicy(name, trigger: .never, scorer: StreamingLLM(), selector: selector)
    }
}
