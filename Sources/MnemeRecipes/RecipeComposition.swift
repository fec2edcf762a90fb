public import Foundation
import MnemeBase
public import MnemePipeline

/// A recipe put together of stages of others: what a file says, or a search finds.
///
/// Declarative and closed, as a safe form of ALMA's memory designs [253], which are programs: a composition
/// names stages that are there, and at most weighs the ranker's features itself. Nothing of it is run as code.
///
/// A stage may name several recipes with `+` between. Extractors, reconcilers, retrievals and rankers stand one around the
/// other, the first outermost, where a recipe's stage is made around another; where it is not, it takes the place of those
/// behind it. Maintainers work one after the other.
///
/// ```json
/// {"name": "mine", "extractor": "lightmem", "retrieval": "arcmemo+hymem", "maintainer": "memorybank",
///  "weights": {"words": 1.8, "meaning": 3.3, "detail": 3.9}}
/// ```
public struct RecipeComposition: Sendable, Codable, Equatable {
    /// Its own name.
    public var name: String
    /// The recipe that each stage is taken from; nil takes the standard one's.
    public var extractor, reconciler, retrieval, ranker, maintainer: String?
    /// Weights of the ranker's features by their names, in place of a recipe's ranker.
    public var weights: [String: Double]?

    /// A composition of the standard stages.
    public init(name: String) { self.name = name }

    /// Members of a file.
    private static let members = ["name", "extractor", "reconciler", "retrieval", "ranker", "maintainer", "weights"]
    /// Bytes of a file at most, and recipes that a stage names.
    private static let longest = 65_536
    package static let mostParts = 4

    /// Reads a composition.
    ///
    /// - Parameter json: an object with a name and stages.
    /// - Throws: `InputError` that says what is wrong and what there is.
    public init(json: Data) throws {
        guard json.count <= Self.longest,
            let object = try? JSONSerialization.jsonObject(with: json) as? [String: Any]
        else { throw InputError("A composition is a JSON object of at most \(Self.longest) bytes.") }
        if let unknown = object.keys.sorted().first(where: { !Self.members.contains($0) }) {
            throw InputError("A composition has no '\(unknown)': \(Self.members.joined(separator: ", ")).")
        }
        do { self = try JSONDecoder().decode(Self.self, from: json) } catch {
            throw InputError("A composition names a recipe for each stage, as text, and weights as numbers by feature.")
        }
        guard !name.isEmpty, name.utf8.count <= 64,
            name.allSatisfy({ $0.isLetter || $0.isNumber || "-_.".contains($0) })
        else { throw InputError("A composition's name has 1 to 64 letters, digits, hyphens, points and underscores.") }
        guard !RecipeCatalog.names.contains(name) else {
            throw InputError("'\(name)' is a recipe already; a composition needs a name of its own.")
        }
        for stage in [extractor, reconciler, retrieval, ranker, maintainer].compactMap(\.self) {
            _ = try Self.parts(of: stage)
        }
        _ = try features()
    }

    /// The recipe.
    ///
    /// - Parameter standard: stages of what is not named.
    /// - Throws: `InputError` for a recipe or feature that there is not, and for weights beside a ranker.
    public func recipe(over standard: Recipe) throws -> Recipe {
        var recipe = standard
        recipe.name = name
        if let extractor { recipe.extractor = try Self.nested(extractor, standard, \.extractor) }
        if let reconciler { recipe.reconciler = try Self.nested(reconciler, standard, \.reconciler) }
        if let retrieval { recipe.retrieval = try Self.nested(retrieval, standard, \.retrieval) }
        if let ranker { recipe.ranker = try Self.nested(ranker, standard, \.ranker) }
        if let maintainer {
            let chain = try Self.parts(of: maintainer).compactMap { try Self.part($0, standard).maintainer }
            recipe.maintainer = chain.count > 1 ? MaintainerChain(parts: chain) : chain.first
        }
        if let features = try features() { recipe.ranker = FusionRanker(weights: features) }
        return recipe
    }

    /// The weights of features; nil if there are none.
    private func features() throws -> RecallFeatures? {
        guard let weights else { return nil }
        guard ranker == nil else { throw InputError("A composition has a ranker or weights, not both.") }
        var features = RecallFeatures()
        for (name, weight) in weights {
            guard let feature = RecallFeature.allCases.first(where: { $0.name == name }), abs(weight) <= 1e6
            else {
                throw InputError(
                    "'\(name)' is no feature with a weight: \(RecallFeature.allCases.map(\.name).joined(separator: ", "))."
                )
            }
            features[feature] = Float(weight)
        }
        return features
    }

    /// A stage made of several recipes', the last one innermost.
    private static func nested<Stage>(
        _ names: String, _ standard: Recipe, _ stage: WritableKeyPath<Recipe, Stage>
    ) throws -> Stage {
        var inner = standard
        for name in try parts(of: names).reversed() { inner[keyPath: stage] = try part(name, inner)[keyPath: stage] }
        return inner[keyPath: stage]
    }

    /// The recipes that a stage names.
    static func parts(of stage: String) throws -> [String] {
        let names = stage.split(separator: "+", omittingEmptySubsequences: false).map(String.init)
        guard names.count <= mostParts, Set(names).count == names.count else {
            throw InputError(
                "'\(stage.prefix(100))': a stage names at most \(mostParts) recipes, each once, with + between.")
        }
        for name in names where !RecipeCatalog.names.contains(name) { throw unknown(name) }
        return names
    }

    /// The recipe that a stage is taken from.
    private static func part(_ name: String, _ standard: Recipe) throws -> Recipe {
        guard let recipe = RecipeCatalog.recipe(name, over: standard) else { throw unknown(name) }
        return recipe
    }

    private static func unknown(_ name: String) -> InputError {
        InputError("There is no recipe '\(name.prefix(100))': \(RecipeCatalog.names.joined(separator: ", ")).")
    }
}
