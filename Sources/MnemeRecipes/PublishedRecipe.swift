import MnemePipeline

/// A published memory system as a recipe: one file, named as its authors named it.
protocol PublishedRecipe: Sendable {
    /// Its name, paper and what was left out of it.
    static var card: RecipeCard { get }
    /// The recipe: the standard one with the stages in which the paper differs.
    static func recipe(over standard: Recipe) -> Recipe
    /// Names of what it can be besides, such as one of several characters alone; `NAME:VARIANT` chooses one.
    static var variants: [String] { get }
    /// A variant by its name; nil if there is none.
    static func recipe(over standard: Recipe, variant: String) -> Recipe?
}

extension PublishedRecipe {
    /// None, by default.
    static var variants: [String] { [] }
    /// None, by default.
    static func recipe(over standard: Recipe, variant: String) -> Recipe? { nil }
}

/// A description of a recipe, for whoever chooses one.
public struct RecipeCard: Sendable, Codable, Equatable {
    /// The name by which `--recipe` takes it, in lower case.
    public var name: String
    /// The paper's title, and its number in CITATIONS.bib.
    public var paper: String
    /// The idea, in one line.
    public var idea: String
    /// Parts that are simpler here than in the paper, or done by rule instead of a model.
    public var simplified: String
    /// The paper's claim, in its own measure.
    public var claim: String

    /// A card with all five texts.
    public init(name: String, paper: String, idea: String, simplified: String, claim: String) {
        (self.name, self.paper, self.idea) = (name, paper, idea)
        (self.simplified, self.claim) = (simplified, claim)
    }
}
