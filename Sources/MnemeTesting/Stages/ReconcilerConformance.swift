import Foundation
import MnemeCube
public import MnemePipeline

/// Requirements of every `Reconciler` of MnemePipeline, as checks that a test runs on a value.
public typealias ReconcilerConformance = Conformance<any Reconciler>

extension Conformance where Subject == any Reconciler {
    /// Neighbours of each similarity that a draft may have, the oldest first.
    private static var neighbourhoods: [[Neighbour]] {
        let ids = StageSamples.memories.map(\.id)
        return [
            [], [Neighbour(ids[0], similarity: 1)], [Neighbour(ids[0], similarity: 0)],
            zip(ids, [0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 1, 1]).map { Neighbour($0, similarity: $1) },
            zip(ids, [1, 1, 0.9, 0.9, 0.9]).map { Neighbour($0, similarity: $1) },
        ]
    }

    private static func draft(_ text: String = "Ana moved to Lisbon, by the river.") -> MemCube {
        MemCube(
            scope: StageSamples.scope, type: .episodic, text: text, speaker: "Ana",
            eventTime: StageSamples.now, recordedTime: StageSamples.now,
            provenance: Provenance(source: "message"))
    }

    /// Every check. They may run at the same time.
    public static var all: [Self] {
        [
            // What nothing is like must not get lost.
            Self("a draft without neighbours is added as it is") { reconciler in
                let draft = draft()
                let operations = reconciler.operations(for: draft, among: [], at: StageSamples.now)
                try expect(operations.count { $0.added == draft } == 1)
            },
            // The core refuses the whole write where a memory is named that the caller may not see.
            Self("only the draft and its neighbours are named") { reconciler in
                for neighbours in neighbourhoods {
                    let draft = draft()
                    let operations = reconciler.operations(
                        for: draft, among: neighbours, at: StageSamples.now)
                    try requireKnown(operations, neighbours.map(\.id))
                    for cube in operations.compactMap(\.added) {
                        try expect(cube.scope == draft.scope && cube.sensitivity >= draft.sensitivity)
                        try expect(cube.id != neighbours.first?.id, "a stored memory is added again")
                    }
                }
            },
            Self("the same draft among the same neighbours has the same operations") { reconciler in
                for neighbours in neighbourhoods {
                    let draft = draft()
                    let ids = neighbours.map(\.id) + [draft.id]
                    let found = (0..<2).map { _ in
                        outline(
                            reconciler.operations(for: draft, among: neighbours, at: StageSamples.now),
                            ids)
                    }
                    try expect(found[0] == found[1])
                }
            },
            Self("a draft of any text is taken") { reconciler in
                for text in StageSamples.texts {
                    for neighbours in neighbourhoods {
                        _ = reconciler.operations(
                            for: draft(text), among: neighbours, at: StageSamples.now)
                    }
                }
            },
        ]
    }
}
