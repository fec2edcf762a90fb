public import Foundation
import MnemeBase
public import MnemePipeline

/// The recipes whose managers can be trained, and files of what they have learned.
public enum ManagedRecipes {
    private static let all: [any ManagedRecipe.Type] = [
        BudgetMem.self, Mem1.self, MemAlpha.self, MemoryR1.self, MemSifter.self,
    ]

    /// Their names, as in ``RecipeCatalog``.
    public static let names = all.map { $0.card.name }

    /// A policy that has learned nothing: every option is as likely as any other.
    ///
    /// - Throws: `InputError` for a recipe that learns nothing.
    public static func untrained(_ name: String) throws -> ManagerPolicy {
        ManagerPolicy(manager: name, features: try features(of: name))
    }

    /// Reads what `mneme recipes train --save` wrote.
    ///
    /// - Throws: `InputError` that says what is wrong.
    public static func policy(json: Data) throws -> ManagerPolicy {
        try ManagerPolicy(json: json, known: features)
    }

    /// A recipe whose manager chooses by a policy, named after both.
    ///
    /// - Throws: `InputError` for a policy of a recipe that learns nothing.
    public static func recipe(_ policy: ManagerPolicy, over standard: Recipe) throws -> Recipe {
        var recipe = try type(policy.manager).recipe(over: standard, by: policy)
        recipe.name = policy.name
        return recipe
    }

    private static func features(of name: String) throws -> [String] { try type(name).features }

    private static func type(_ name: String) throws -> any ManagedRecipe.Type {
        guard let type = all.first(where: { $0.card.name == name }) else {
            throw InputError("'\(name)' learns nothing; these do: \(names.joined(separator: ", ")).")
        }
        return type
    }
}
