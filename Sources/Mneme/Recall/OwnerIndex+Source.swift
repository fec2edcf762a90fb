import MnemeIndex
import MnemeStore

/// Where an index has its changes from.
extension OwnerIndex {
    /// The source of changes: a store, an owner, a visibility, and the models in use.
    struct Source {
        var store: any MemoryStore, owner: Owner, visibility: Visibility, embedder: String,
            former: String?,
            analyzer: TextAnalyzer

        /// Changes since a position.
        func changes(since: FeedPosition) throws -> IndexChanges {
            try store.changes(
                owner: owner, since: since, embedder: embedder, former: former, visibility: visibility)
        }
    }

    /// Applies what has happened since ``reached``.
    ///
    /// - Returns: analyses that were made again because another analyzer had made the stored ones.
    mutating func apply(_ changes: IndexChanges, from source: Source) throws -> [(CubeID, [UInt8])] {
        var analyses = changes.rows.map {
            $0.analyzer == Analysis.version ? Analysis(encoded: $0.analysis) : nil
        }
        var remade: [(CubeID, [UInt8])] = []
        if analyses.contains(where: { $0 == nil }) {
            let stale = changes.rows.indices.filter { analyses[$0] == nil }
            let cubes = Dictionary(
                uniqueKeysWithValues: try source.store.cubes(
                    stale.map { changes.rows[$0].id }, owner: owner, by: .mneme
                ).map { ($0.id, $0) })
            for i in stale {
                let row = changes.rows[i]
                guard let cube = cubes[row.id] else { continue }  // erased between the two reads
                analyses[i] = Analysis(of: cube, analyzer: source.analyzer)
                remade.append((row.id, analyses[i]!.encoded))
            }
        }
        try apply(changes, analyses)
        return remade
    }
}
