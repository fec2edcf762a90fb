public import MnemeModels

/// What a policy is made for beside the model.
public struct PolicySample: Sendable, ExpressibleByArrayLiteral {
    /// Tokens of a text.
    public var tokens: [Int32]
    /// The model's tokenizer, by which sentences are told; without it, there is none.
    public var tokenizer: (any Tokenizer)?

    /// A text, and the tokenizer that it comes from.
    public init(_ tokens: [Int32] = [], tokenizer: (any Tokenizer)? = nil) {
        (self.tokens, self.tokenizer) = (tokens, tokenizer)
    }

    /// Tokens alone.
    public init(arrayLiteral tokens: Int32...) { self.init(tokens) }

    /// Tokens that stand for no text.
    var specialTokens: Set<Int32> {
        guard let tokenizer else { return [] }
        return Set(tokenizer.specialNames.compactMap(tokenizer.special))
    }

    /// Tokens that end a message.
    package var ends: Set<Int32> { specialTokens }

    /// Tokens whose text ends a sentence or a line.
    ///
    /// - Complexity: O(vocabulary).
    var sentenceEnds: Set<Int32> {
        guard let tokenizer else { return [] }
        let ends = Set(".!?\n".utf8)
        let wide = ["。", "！", "？"].map { Array($0.utf8) }
        return Set(
            (0..<Int32(tokenizer.vocabularySize)).filter { token in
                let bytes = tokenizer.bytes(token)
                return bytes.last.map(ends.contains) ?? false || wide.contains { bytes.suffix(3).elementsEqual($0) }
            })
    }
}

/// Policies by name.
public enum PolicyCatalog {
    /// All names: `full` keeps all, `window` and `random` are what others must beat.
    public static let names =
        [
            "full", "window", "random", "streamingllm", "h2o", "snapkv", "pagedeviction", "kvmerger",
            "duoattention",
            "razor",
            "epicache", "cake", "d2o", "fastgen", "taskkv", "compactor", "elastic", "compresskv", "spatten",
            "windowkv", "scissorhands", "ems", "think", "hashevict", "mikv", "subgen", "attendre", "tim", "citrus",
            "minicache", "onebit", "blockfloat", "aqua", "locret",
        ] + selectors

    /// Those that keep all rows, in fewer bytes.
    public static let codings = ["mikv", "minicache", "onebit", "blockfloat", "aqua"]

    /// Those that are fitted to a sample of text first; answers have none.
    public static let fitted = ["epicache", "blockfloat", "aqua", "locret"]

    /// Those that keep all rows and have each token read some (``KVSelector``); their budget is what
    /// it reads.
    public static let selectors = [
        "quest", "shadowkv", "retroinfer", "roundattention", "sentencekv", "specache", "a2ats", "retrievalattention",
    ]

    /// Makes a policy; some are measured on the model first.
    ///
    /// - Parameters:
    ///   - name: one of ``names`` or ``variants``.
    ///   - decoder: the model that it is for, and is measured on.
    ///   - sample: a text, for those that are measured, and its tokenizer, for those that look at what tokens
    ///     mean.
    ///   - budget: rows that a head may keep.
    /// - Throws: ``KVError`` for a name that is not there.
    public static func policy(
        _ name: String, for decoder: TransformerDecoder, sample: PolicySample, budget: Int
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
        case "epicache", "epicache:episodes":
            var policy = KVPolicy(name, trigger: .every(128), scorer: SnapKV())
            policy.allocator = LayerSensitivity(
                weights: try LayerSensitivity.weights(
                    decoder, tokens: sample.tokens, policy: policy, budget: budget))
            if name != "epicache" { (policy.asks, policy.episodes, policy.scorer) = (true, 4, CItruS()) }
            return policy
        case "cake":
            return KVPolicy(name, trigger: .promptEnd, scorer: CAKE(), allocator: CAKE())
        case "d2o":
            return KVPolicy(
                name, trigger: .promptEnd, scorer: D2O(), allocator: D2O(), disposer: D2O())
        case "fastgen":
            var fastGen = FastGen()
            fastGen.names = sample.specialTokens
            fastGen.punctuation = sample.sentenceEnds
            return KVPolicy(name, trigger: .promptEnd, scorer: fastGen, allocator: fastGen)
        case "taskkv":
            return KVPolicy(name, trigger: .promptEnd, scorer: TaskKV(), allocator: TaskKV())
        case "compactor": return KVPolicy(name, trigger: .promptEnd, scorer: Compactor())
        case "elastic":
            return KVPolicy(name, trigger: .every(32), scorer: ElasticCache(), disposer: ElasticCache())
        case "compresskv":
            let scorer = CompressKV(strengths: try RetrievalHeads.strengths(decoder))
            return KVPolicy(name, trigger: .promptEnd, scorer: scorer, allocator: scorer)
        case "spatten":
            return KVPolicy(name, trigger: .promptEnd, scorer: SpAtten(), allocator: SpAtten())
        case "windowkv":
            return KVPolicy(name, trigger: .promptEnd, scorer: WindowKV(), allocator: WindowKV())
        case "scissorhands": return KVPolicy(name, trigger: .every(32), scorer: Scissorhands())
        case "ems": return KVPolicy(name, trigger: .promptEnd, scorer: EMS(), disposer: EMS())
        case "think": return KVPolicy(name, trigger: .promptEnd, scorer: SnapKV(), disposer: ThinK())
        case "hashevict": return KVPolicy(name, trigger: .every(32), scorer: HashEvict())
        case "mikv": return MiKV().policy(name)
        case "subgen": return KVPolicy(name, trigger: .every(32), scorer: SubGen(), disposer: SubGen())
        case "attendre": return KVPolicy(name, trigger: .every(16), scorer: Attendre())
        case "tim":
            let tasks = SubtaskPruning(tokenizer: sample.tokenizer)
            return KVPolicy(name, trigger: .every(16), scorer: tasks, allocator: tasks, movesTogether: true)
        case "citrus": return CItruS().policy(name)
        case "minicache":
            var policy = KVPolicy(name, trigger: .promptEnd, scorer: StreamingLLM(), allocator: WholeBudget())
            policy.layers = MiniCache()
            return policy
        case "onebit": return rest(name, OneBit())
        case "blockfloat":
            return codes(name, BlockFloat(orders: try BlockFloat.orders(decoder, tokens: sample.tokens)))
        case "aqua": return codes(name, try AQUAKV(decoder, tokens: sample.tokens))
        case "locret":
            return KVPolicy(name, trigger: .every(64), scorer: try Locret(decoder, tokens: sample.tokens))
        case "quest": return keepsAll(name, Quest())
        case "shadowkv": return keepsAll(name, ShadowKV())
        case "retroinfer": return keepsAll(name, RetroInfer())
        case "roundattention":
            return keepsAll(name, RoundAttention(layers: decoder.configuration.layers, ends: sample.specialTokens))
        case "sentencekv": return keepsAll(name, SentenceKV(ends: sample.sentenceEnds))
        case "specache": return keepsAll(name, SpeCache())
        case "retrievalattention": return keepsAll(name, RetrievalAttention())
        case "a2ats": return keepsAll(name, A2ATS(rope: decoder.configuration.rope))
        default:
            if let variant = try variant(name, for: decoder, sample: sample) { return variant }
            throw KVError(
                .notFound,
                "There is no policy '\(name.prefix(40))'. There are \(names.joined(separator: ", "))."
            )
        }
    }

    /// A policy that keeps all rows, of which each token reads some.
    static func keepsAll(_ name: String, _ selector: some KVSelector) -> KVPolicy {
        KVPolicy(name, trigger: .never, scorer: StreamingLLM(), selector: selector)
    }
}
