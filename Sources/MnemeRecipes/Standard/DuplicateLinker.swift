public import Foundation
public import MnemeCube
public import MnemePipeline

/// Reconciliation that keeps everything: adds each draft, and links it to the memory that says
/// nearly the same.
///
/// Nothing is merged or replaced while somebody waits: the job `consolidate` does that later, and
/// can be undone.
public struct DuplicateLinker: Reconciler {
    /// The least similarity of near duplicates: nine in ten words are shared.
    public var leastSimilarity = 0.9

    /// A linker with the standard bound.
    public init() {}

    /// One operation: the draft is added, with a link `nearDuplicateOf` to the most similar
    /// neighbour at or above the bound, the first of equals.
    public func operations(for draft: MemCube, among neighbours: [Neighbour], at time: Date)
        -> [MemoryOperation]
    {
        var nearest: Neighbour?
        for neighbour in neighbours
        where neighbour.similarity >= leastSimilarity
            && neighbour.similarity > nearest?.similarity ?? 0
        {
            nearest = neighbour
        }
        let link = nearest.map {
            CubeLink(source: draft.id, target: $0.id, kind: CubeLink.nearDuplicateOf, time: time)
        }
        return [.add(draft, links: link.map { [$0] } ?? [])]
    }
}
