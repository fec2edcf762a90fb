public import MnemePipeline

/// A published memory system as a recipe: one file, named as its authors named it.
public protocol PublishedRecipe: Sendable {
    /// Its name, paper and what was left out of it.
    static var card: RecipeCard { get }
    /// The recipe: the standard one with the stages in which the paper differs.
    static func recipe(over standard: Recipe) -> Recipe
}

/// What a recipe is, for whoever chooses one.
public struct RecipeCard: Sendable, Codable, Equatable {
    /// The name by which `--recipe` takes it, in lower case.
    public var name: String
    /// The paper's title, and its number in CITATIONS.bib.
    public var paper: String
    /// The idea, in one line.
    public var idea: String
    /// What is simpler here than in the paper, or done by rule instead of a model.
    public var simplified: String
    /// What the paper claims, in its own measure.
    public var claim: String

    /// A card with all five texts.
    public init(name: String, paper: String, idea: String, simplified: String, claim: String) {
        (self.name, self.paper, self.idea) = (name, paper, idea)
        (self.simplified, self.claim) = (simplified, claim)
    }
}

/// The recipes by name. A new one is a file in `Published/` and a line here.
public enum RecipeCatalog {
    /// Published systems, in the order of the lists.
    public static let published: [any PublishedRecipe.Type] = [
        AMem.self, BudgetMem.self, ComoRAG.self, Engram.self, GAM.self, HEMA.self, HMem.self,
        HyMem.self, LiCoMemory.self, LightMem.self, Mem1.self, MemGAS.self, MemoryBank.self,
        MemoryR1.self, MemSifter.self, OMem.self, RetLLM.self, StructuralMemory.self,
        TradingGPT.self,
    ]

    /// What the default is, beside the others.
    public static let standardCard = RecipeCard(
        name: "standard", paper: "none: Mneme's own",
        idea: "BM25, dense similarity, dates and a walk of the graph, fused by fitted weights",
        simplified: "", claim: "")

    /// The cards of all recipes, the standard one first.
    public static let cards = [standardCard] + published.map { $0.card }

    /// The names of all recipes, the standard one first.
    public static let names = cards.map(\.name)

    /// A recipe by its name; nil if there is none.
    ///
    /// - Parameter standard: what the recipe changes stages of.
    public static func recipe(_ name: String, over standard: Recipe) -> Recipe? {
        if name == standardCard.name { return standard }
        guard let type = published.first(where: { $0.card.name == name }) else { return nil }
        var recipe = type.recipe(over: standard)
        recipe.name = name
        return recipe
    }
}
