extension Recipe {
    /// Extraction by rules, near duplicates linked, hybrid retrieval with fitted fusion.
    public static let standard = Recipe(
        name: "standard", extractor: RuleExtractor(), reconciler: DuplicateLinker(),
        retrieval: HybridRetrieval(), ranker: FusionRanker())
}
