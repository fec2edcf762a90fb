import Foundation
public import MnemePipeline

/// Requirements of every `Recipe` of MnemePipeline, as checks that a test runs on a value: those of
/// its stages, and of the whole.
public typealias RecipeConformance = Conformance<Recipe>

extension Conformance where Subject == Recipe {
    /// Every check: the name's, and each stage's under the stage's name. They may run at the same
    /// time.
    public static var all: [Self] {
        [
            // Settings and `--recipe` compare it as written.
            Self("its name is a word in lower case") { recipe in
                let name = recipe.name
                try expect(!name.isEmpty && name == name.lowercased() && !name.contains(" "))
            }
        ]
            + ExtractorConformance.all.map { check in
                Self("extractor: \(check)") { try await check.run($0.extractor) }
            }
            + ReconcilerConformance.all.map { check in
                Self("reconciler: \(check)") { try await check.run($0.reconciler) }
            }
            + RetrievalConformance.all.map { check in
                Self("retrieval: \(check)") { try await check.run($0.retrieval) }
            }
            + RankerConformance.all.map { check in
                Self("ranker: \(check)") { try await check.run($0.ranker) }
            }
            + MaintainerConformance.all.map { check in
                Self("maintainer: \(check)") { recipe in
                    if let maintainer = recipe.maintainer { try await check.run(maintainer) }
                }
            }
            + OutcomeConformance.all.map { check in
                Self("outcomes: \(check)") { try await check.run($0.outcomes) }
            }
    }
}
