import Foundation
import MnemeCube
import MnemePipeline

/// SEDM [127]: a memory is admitted for good only if the store answers better with it than without it.
enum SEDM: PublishedRecipe {
    static let card = RecipeCard(
        name: "sedm",
        paper: "SEDM: Scalable Self-Evolving Distributed Memory for Agents [127]",
        idea:
            "cases are replayed with and without each memory, and what makes them worse is archived",
        simplified:
            "a replay foretells what a past case took from the cases most like it, instead of running the task again; what "
            + "is no case is archived after a time on trial if it was never used and another memory is as near; no "
            + "ranking by utility, and no knowledge is passed between domains",
        claim: "better reasoning than its baselines with fewer tokens; no one figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.maintainer = Admission()
        return recipe
    }

    /// Ends the trial of each memory.
    struct Admission: MemoryMaintainer {
        let summary = "archive cases that replays are worse with, and what another memory stands in for"
        /// Days on trial, and the similarity from which another memory answers as well.
        var days = 14.0, standsIn = 0.9
        /// Utilities nearer to 0 than this are taken for it: what replays are neither better nor worse with stays.
        private static let noise = 1e-9

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            let byID = Dictionary(uniqueKeysWithValues: memories.map { ($0.id, $0) })
            var denied: Set<CubeID> = []
            var operations: [MemoryOperation] = []
            for cube in memories where isOnTrial(cube, context) {
                for other in try await context.neighbours(of: cube.id, limit: 3)
                where other.similarity >= standsIn && !denied.contains(other.id) {
                    // The one that was used stays; of two that were not, the later one does.
                    guard let kept = byID[other.id], kept.speaker == cube.speaker,
                        kept.usage != nil || (kept.eventTime, kept.id) > (cube.eventTime, cube.id)
                    else { continue }
                    denied.insert(cube.id)
                    operations.append(.merge(cube.id, into: kept.id))
                    break
                }
            }
            return operations + refused(memories, except: denied)
        }

        /// Archives cases with which replays of the others are worse than without; pinned and confirmed ones stay.
        private func refused(_ memories: [MemCube], except gone: Set<CubeID>) -> [MemoryOperation] {
            let traces = Trace.good(in: memories).filter { !gone.contains($0.cube.id) }
            let utilities = TraceReplay.utilities(of: traces)
            return traces.filter { trace in
                trace.cube.priority <= 0 && (trace.cube.confirmations ?? 0) == 0
                    && utilities[trace.cube.id].map { $0 < -Self.noise } ?? false
            }.map { .archive($0.cube.id) }
        }

        private func isOnTrial(_ cube: MemCube, _ context: MaintenanceContext) -> Bool {
            cube.usage == nil && cube.priority <= 0 && (cube.confirmations ?? 0) == 0
                && context.now.timeIntervalSince(cube.eventTime) >= days * 86_400
        }
    }
}
