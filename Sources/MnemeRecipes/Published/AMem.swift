import MnemeCube
import MnemePipeline

/// A-MEM [62]: memories are notes of a Zettelkasten. A new note is linked with those like it, and
/// these evolve: what notes have in common becomes their tags. Recall follows the links.
enum AMem: PublishedRecipe {
    static let card = RecipeCard(
        name: "a-mem", paper: "A-MEM: Agentic Memory for LLM Agents [62]",
        idea: "notes linked with their nearest, whose tags evolve; recall follows the links",
        simplified: "links by similarity and tags by shared keywords, instead of a model's judgement; "
            + "linked when the job `maintain` runs, as vectors come after the write",
        claim: "better than its baselines on LoCoMo with six models; no one figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = LinkedRetrieval()
        recipe.ranker = RelevanceRanker()
        recipe.maintainer = NoteKeeper()
        return recipe
    }

    /// Links each note with the nearest ones before it, and lets both evolve.
    struct NoteKeeper: MemoryMaintainer {
        let summary = "link notes with those like them, and give them shared tags"
        /// Links of a new note at most, and the least cosine.
        var links = 3, least = 0.5
        /// Tags that a note gets at most.
        var tags = 5

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            var notes = Dictionary(uniqueKeysWithValues: memories.map { ($0.id, $0) })
            var operations: [MemoryOperation] = []
            var changed: [CubeID] = []
            // A note that has tags of its own was linked in an earlier run.
            for note in memories where !isMarked(note) {
                let near = try await context.neighbours(of: note.id, limit: 4 * links)
                let earlier = near.filter { $0.similarity >= least && $0.id < note.id }
                for neighbour in earlier.prefix(links) {
                    operations.append(
                        .link(
                            CubeLink(
                                source: note.id, target: neighbour.id, kind: "related",
                                time: context.now)))
                    for id in evolve(&notes, note.id, neighbour.id) where !changed.contains(id) {
                        changed.append(id)
                    }
                }
                // Linked, but alike in meaning alone: without a mark each run would link it again.
                if !earlier.isEmpty, !isMarked(notes[note.id]!) {
                    notes[note.id]!.tags.append(Self.prefix + "linked")
                    changed.append(note.id)
                }
            }
            return operations + changed.compactMap { notes[$0].map(MemoryOperation.update) }
        }

        static let prefix = "a-mem/"

        private func isMarked(_ note: MemCube) -> Bool {
            note.tags.contains { $0.hasPrefix(Self.prefix) }
        }

        /// Gives two notes the keywords that they share as tags: each stands in both texts.
        ///
        /// - Returns: those that got a tag.
        func evolve(_ notes: inout [CubeID: MemCube], _ a: CubeID, _ b: CubeID) -> [CubeID] {
            guard let first = notes[a], let second = notes[b] else { return [] }
            let shared = first.keywords.filter(second.keywords.contains).map { Self.prefix + $0 }
            return [a, b].filter { id in
                let own = notes[id]!.tags
                let room = tags - own.count { $0.hasPrefix(Self.prefix) }
                let new = shared.filter { !own.contains($0) }.prefix(max(0, room))
                notes[id]!.tags += new
                return !new.isEmpty
            }
        }
    }

    /// The nearest notes, and those that they are linked with.
    struct LinkedRetrieval: RetrievalPlan {
        let roundLimit = 3
        let hitLimit = 300
        /// The weight of a link beside the cosine.
        var linkWeight: Float = 0.1

        func first(_ query: RetrievalQuery) -> [Probe] { [query.nearest(50, among: nil)] }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            if query.round == 1 {
                let seeds = hits.prefix(query.request.limit).map(\.number)
                return seeds.isEmpty ? .answer : .probe([.linked(with: seeds, limit: 50)])
            }
            return .ranked(hits.map { $0.scored($0.score + linkWeight * $0.probed) })
        }
    }
}
