import MnemeCube
import MnemePipeline

/// RET-LLM [83]: facts of a text are kept as triplets of subject, relation and object, each a
/// memory of its own.
enum RetLLM: PublishedRecipe {
    static let card = RecipeCard(
        name: "ret-llm",
        paper: "RET-LLM: Towards a General Read-Write Memory for Large Language Models [83]",
        idea: "triplets of subject, relation and object beside the text",
        simplified: "triplets are the claims that rules find, instead of a tuned model's; the text "
            + "stays, too",
        claim: "examples only; no figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.extractor = TripletExtractor(base: standard.extractor)
        return recipe
    }
}

/// Adds a memory for each claim of a draft.
struct TripletExtractor: MemoryExtractor {
    /// Finds the claims.
    var base: any MemoryExtractor

    func drafts(of input: MemoryInput, in context: ExtractionContext) -> [Draft] {
        context.adding(to: base.drafts(of: input, in: context), of: input) { $0.claims.map(Self.text) }
    }

    func enrich(_ cube: inout MemCube, words: [String]) { base.enrich(&cube, words: words) }

    /// "ana, employer: porto city archive".
    static func text(of claim: Claim) -> String {
        "\(claim.subject), \(claim.attribute): \(claim.isDenied ? "not " : "")\(claim.value)"
    }
}
