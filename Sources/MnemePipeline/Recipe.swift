/// A memory pipeline as a value: which stages turn inputs into memories, reconcile them with what
/// is there, find and rank them, and look after them.
///
/// Stages are small values that see neither storage nor vectors nor permissions: the core fetches
/// what they need, and applies what they return. Redaction, screening and access are the core's as
/// well, so that no recipe can leave them out. A new recipe changes the stages in which it differs:
///
/// ```swift
/// var recipe = Recipe.standard
/// recipe.name = "notes"
/// recipe.extractor = NoteExtractor()
/// ```
public struct Recipe: Sendable {
    /// The recipe's name.
    public var name: String
    /// Makes memories of inputs.
    public var extractor: any MemoryExtractor
    /// Decides what becomes of a memory, given those that are like it.
    public var reconciler: any Reconciler
    /// Says where candidates for an answer are looked for.
    public var retrieval: any RetrievalPlan
    /// Weighs the features of a candidate.
    public var ranker: any RecallRanker
    /// Says what becomes of memories as time goes by; nil leaves them to the standard jobs.
    public var maintainer: (any MemoryMaintainer)?
    /// Learns from how tasks ended.
    public var outcomes: any OutcomeLearner = CaseLearning()

    /// A recipe of these stages.
    public init(
        name: String, extractor: any MemoryExtractor, reconciler: any Reconciler,
        retrieval: any RetrievalPlan,
        ranker: any RecallRanker, maintainer: (any MemoryMaintainer)? = nil
    ) {
        self.name = name
        self.extractor = extractor
        self.reconciler = reconciler
        self.retrieval = retrieval
        self.ranker = ranker
        self.maintainer = maintainer
    }
}
