import ArgumentParser
import Foundation
import Mneme
import MnemeRecipes

/// `mneme recipes`: the memory systems that `--recipe` takes, and the training of those that learn.
struct RecipesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recipes",
        abstract: "The published memory systems that --recipe takes; `mneme eval` compares them.",
        subcommands: [Show.self, Train.self, Made.self], defaultSubcommand: Show.self)
}

extension RecipesCommand {
    /// `mneme recipes show`: a line for each memory system; with a name, what is simpler here than in its paper, and what
    /// the paper claims. `mneme recipes NAME` does the same.
    ///
    /// Exit code 2 for a name that there is not.
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "List the published memory systems, or tell all that is known of one.")

        @Argument(help: "A recipe, for all that is known of it.") var name: String?
        @Flag(help: "Print JSON.") var json = false

        /// Prints the list, or one card.
        func run() throws {
            let cards = RecipeCatalog.cards
            guard let name else {
                if json { return print(try OperationTable.encode(cards, pretty: true)) }
                for card in cards { print(card.name.padded(to: 18), card.idea) }
                return
            }
            guard let card = cards.first(where: { $0.name == name }) else {
                throw RecipeOption.unknown(name)
            }
            if json { return print(try OperationTable.encode(card, pretty: true)) }
            print("\(card.name): \(card.idea)")
            print("Paper: \(card.paper)")
            let variants = RecipeCatalog.variants(of: card.name)
            if !variants.isEmpty { print("Variants: \(variants.joined(separator: ", "))") }
            if !card.simplified.isEmpty { print("Simpler here: \(card.simplified)") }
            if !card.claim.isEmpty { print("The paper claims: \(card.claim)") }
        }
    }
}

/// Recipes by name, as commands take them.
enum RecipeOption {
    /// The recipe of a name, also of the grid's, or of a file with a ``RecipeComposition`` or a trained ``ManagerPolicy``: a path has a `/` or
    /// ends in `.json`.
    ///
    /// - Throws: `InputError` that names those there are, or says what is wrong with the file.
    static func recipe(_ name: String) throws -> Recipe {
        if name.contains("/") || name.hasSuffix(".json") {
            guard let json = FileManager.default.contents(atPath: name) else {
                throw InputError("\(name) cannot be read.")
            }
            if ManagerPolicy.isPolicy(json) {
                return try ManagedRecipes.recipe(ManagedRecipes.policy(json: json), over: .standard)
            }
            return try RecipeComposition(json: json).recipe(over: .standard)
        }
        let known = RecipeCatalog.recipe(name, over: .standard) ?? StructureGrid.recipe(name, over: .standard)
        guard let recipe = known else { throw unknown(name) }
        return recipe
    }

    /// The error for a name that there is not.
    static func unknown(_ name: String) -> InputError {
        InputError(
            "There is no recipe '\(name)': \(RecipeCatalog.names.joined(separator: ", ")).")
    }
}
