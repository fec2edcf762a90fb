package import MnemeCube
package import MnemePipeline

/// The stores of Mem-α [99] by a trained choice: core, fact or event for each memory, and which leaves the core when that
/// is full.
struct TrainedStores: MemoryMaintainer {
    let summary = "put each memory into the core, facts or events; a fact may take another one's place"
    /// Chooses.
    var policy: ManagerPolicy

    func operations(on memories: [MemCube], in context: MaintenanceContext) async throws -> [MemoryOperation] {
        var near: [CubeID: [Neighbour]] = [:]
        for cube in memories { near[cube.id] = try await context.neighbours(of: cube.id, limit: MemAlpha.reach) }
        return MemAlpha.stores(of: memories, near: near) { policy.best(of: $0) }
    }
}

extension MemAlpha {
    /// Nearest memories that are looked at, and the cosine from which a fact takes an earlier one's place.
    package static let reach = 8
    static let replaces = 0.7

    /// Of a memory, for facts and for the core, which are weighed against events; and of one of a full core, as reasons to
    /// leave it.
    static let features =
        ["fact", "core"].flatMap { store in
            [store]
                + ["near", "lasting", "own", "dates", "numbers", "claims", "names", "length", "asks"]
                .map { "\(store).\($0)" }
        } + ["lasting", "own", "dates", "numbers", "age"].map { "leaves.\($0)" }

    /// Sorts memories into stores, the oldest first.
    ///
    /// - Parameters:
    ///   - near: of each memory the nearest ones, the nearest first.
    ///   - choose: the store's place, event, fact or core; of a full core, the place of the one that leaves.
    /// - Returns: changes of types (core, semantic, episodic), and facts whose place others take.
    package static func stores(
        of memories: [MemCube], near: [CubeID: [Neighbour]], _ choose: (_ options: [[Double]]) -> Int
    ) -> [MemoryOperation] {
        var types: [CubeID: MemoryType] = [:]
        var core: [(id: CubeID, row: [Double], place: Int)] = []
        var merged: [MemoryOperation] = []
        for (place, cube) in memories.enumerated() {
            let earlier = (near[cube.id] ?? []).filter { types[$0.id] != nil }
            let known = known(of: cube, near: earlier.first?.similarity ?? 0)
            switch choose(options(known)) {
            case 1:
                types[cube.id] = .semantic
                if let former = earlier.first(where: { types[$0.id] == .semantic && $0.similarity >= replaces }) {
                    merged.append(.merge(former.id, into: cube.id))
                    types[former.id] = nil
                }
            case 2:
                types[cube.id] = .core
                core.append((cube.id, [known[2], known[3], known[4], known[5]], place))
                guard core.count > coreSize else { continue }
                let rows = core.map { item in
                    [Double](repeating: 0, count: 2 * known.count) + item.row
                        + [Double(place - item.place) / Double(max(1, place))]
                }
                // What leaves the core is a fact among others.
                types[core.remove(at: choose(rows)).id] = .semantic
            default: types[cube.id] = .episodic
            }
        }
        let changed = memories.compactMap { cube -> MemoryOperation? in
            guard let type = types[cube.id], type != cube.type else { return nil }
            var cube = cube
            cube.type = type
            return .update(cube)
        }
        return changed + merged
    }

    /// What is known of a memory; nothing of it changes with the store that it is put into.
    private static func known(of cube: MemCube, near: Double) -> [Double] {
        let words = TextPair.words(of: cube.text)
        func holds(_ some: Set<String>) -> Double { words.contains(where: some.contains) ? 1 : 0 }
        return [
            1, near, holds(TextPair.lasting), holds(["i", "i'm", "my", "me"]), cube.dates.isEmpty ? 0 : 1,
            cube.text.contains(where: \.isNumber) ? 1 : 0, cube.claims.isEmpty ? 0 : 1, cube.entities.isEmpty ? 0 : 1,
            Double(words.count) / 20, cube.text.hasSuffix("?") ? 1 : 0,
        ]
    }

    private static func options(_ known: [Double]) -> [[Double]] {
        let (none, leaves) = (known.map { _ in 0.0 }, [Double](repeating: 0, count: 5))
        return [none + none + leaves, known + none + leaves, none + known + leaves]
    }
}
