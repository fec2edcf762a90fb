import Foundation
import MnemeCube
import MnemePipeline

/// Think-in-Memory [125]: conclusions are kept beside what was said, in buckets by hash, so that a look-up
/// touches one bucket; later thoughts are merged with former ones or end them.
enum ThinkInMemory: PublishedRecipe {
    static let card = RecipeCard(
        name: "think-in-memory",
        paper: "Think-in-Memory: Recalling and Post-thinking Enable LLMs with Long-Term Memory [125]",
        idea: "thoughts in hash buckets by subject; post-thinking merges what repeats and forgets what is contradicted",
        simplified: "thoughts are the claims that rules find; buckets go by a hash of the subject's name instead of "
            + "locality-sensitive hashing of vectors, and a question without such a subject is searched as usual",
        claim: "better recall and answers than its baselines on three dialogue sets; no one figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.extractor = Thoughts(base: standard.extractor)
        recipe.retrieval = OneBucket(otherwise: standard.retrieval)
        recipe.maintainer = PostThinking()
        return recipe
    }

    /// The tag of a thought.
    static let tag = "tim/thought"

    /// The bucket of a word, of 64 (64-bit FNV-1a).
    static func bucket(_ word: String) -> String {
        let hash = word.lowercased().utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return "tim/\(hash % 64)"
    }

    /// Adds a thought for each claim of a draft, with the bucket of its subject.
    struct Thoughts: MemoryExtractor {
        /// Finds the claims.
        var base: any MemoryExtractor

        func drafts(of input: MemoryInput, in context: ExtractionContext) -> [Draft] {
            TripletExtractor(base: base).drafts(of: input, in: context).map { draft in
                var draft = draft
                guard draft.source != nil else { return draft }
                let subject = draft.cube.text.prefix { $0 != "," }
                draft.cube.tags += [tag, bucket(String(subject))]
                return draft
            }
        }

        func enrich(_ cube: inout MemCube, words: [String]) { base.enrich(&cube, words: words) }
    }

    /// Looks into the bucket of a subject that the question names, and goes on as usual.
    struct OneBucket: RetrievalPlan {
        /// The search beside thoughts.
        var otherwise: any RetrievalPlan

        var roundLimit: Int { otherwise.roundLimit }
        var hitLimit: Int { otherwise.hitLimit }

        func first(_ query: RetrievalQuery) -> [Probe] {
            let subject = query.speaker ?? zip(query.words, query.weights).max { $0.1 < $1.1 }?.0
            let thoughts = subject.map { [query.nearest(20, among: ProbeFilter(tag: bucket($0)))] } ?? []
            return thoughts + otherwise.first(query)
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            otherwise.next(query, after: hits)
        }
    }

    /// Merges a thought into a later one that says the same, and archives what a later one contradicts.
    struct PostThinking: MemoryMaintainer {
        let summary = "merge thoughts that repeat, and forget those that later ones contradict"

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            var last: [String: MemCube] = [:]
            var operations: [MemoryOperation] = []
            for cube in memories where cube.tags.contains(tag) {
                let parts = cube.text.split(separator: ":", maxSplits: 1)
                guard parts.count == 2 else { continue }
                let key = parts[0].lowercased()
                if let former = last[key] {
                    operations.append(
                        former.text.lowercased() == cube.text.lowercased()
                            ? .merge(former.id, into: cube.id) : .archive(former.id))
                }
                last[key] = cube
            }
            return operations
        }
    }
}
