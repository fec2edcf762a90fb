import Foundation
import Mneme
import MnemeCube
import MnemePipeline
import MnemeRecipes
import MnemeTesting
import Testing

/// What every recipe and forgetting curve must do, on each that there is.
@Suite struct RecipeConformanceTests {
    @Test(arguments: RecipeCatalog.names, RecipeConformance.all)
    func `every recipe conforms`(name: String, check: RecipeConformance) async throws {
        try await check.run(#require(RecipeCatalog.recipe(name, over: .standard)))
    }

    @Test(arguments: ForgettingCurves.all.indices, ForgettingCurveConformance.all)
    func `every forgetting curve conforms`(number: Int, check: ForgettingCurveConformance) async throws {
        try await check.run(ForgettingCurves.all[number])
    }

    /// Sums up whatever is there, its own summaries too, and says nothing of where they come from.
    private struct Restless: MemoryMaintainer {
        let summary = "sum up"
        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            guard var cube = memories.last else { return [] }
            cube.id = CubeID()
            return [.add(cube, links: [])]
        }
    }

    @Test func `a maintainer that never ends and names no source is found`() async throws {
        var recipe = Recipe.standard
        recipe.name = "restless"
        recipe.maintainer = Restless()
        var failed: [String] = []
        for check in RecipeConformance.all {
            do { try await check.run(recipe) } catch is ConformanceFailure {
                failed.append(check.description)
            }
        }
        #expect(
            failed == [
                "maintainer: what it adds says what it was made of, and belongs to the same owner",
                "maintainer: once all is done it asks for nothing more",
            ])
    }
}
