import Foundation

/// A shared training's state in the memory of several keepers, with parity across them (in-memory fault tolerance,
/// Hu et al. 2023) [220].
///
/// A rank's state is cut into blocks. Blocks of different ranks form groups with parity on the ranks that have no
/// block in the group, which change from group to group, so that all keep alike: a rank's own state, and parity of
/// `parity / (count - parity)` of that. Whichever `parity` keepers are lost, the others' pieces give everything.
package struct ShardedSnapshot: Sendable, Equatable {
    /// Ranks, and how many keepers may be lost.
    let count, parity: Int
    /// Bytes of each rank's state.
    let sizes: [Int]

    /// - Parameter parity: at least one, and fewer than there are ranks.
    package init(sizes: [Int], parity: Int) {
        precondition((1..<max(2, sizes.count)).contains(parity) && sizes.count > 1, "Some ranks are to be left.")
        (count, self.parity, self.sizes) = (sizes.count, parity, sizes)
    }

    private var code: ErasureCode { ErasureCode(data: count - parity, parity: parity) }
    /// Bytes of a block: the largest state is cut into as many as a group has.
    var block: Int { max(1, ((sizes.max() ?? 0) + count - parity - 1) / (count - parity)) }
    /// Bytes that a rank's keeper has.
    package func bytes(of rank: Int) -> Int { sizes[rank] + parity * block }

    /// The ranks that have blocks in a group, in order.
    private func dataRanks(_ group: Int) -> [Int] { (parity..<count).map { (group + $0) % count } }
    /// The row of parity that a rank has of a group; nil if it has a block.
    private func row(_ rank: Int, _ group: Int) -> Int? {
        let row = (rank - group + count) % count
        return row < parity ? row : nil
    }
    /// The number of a rank's block in a group.
    private func place(_ rank: Int, _ group: Int) -> Int { (0..<group).count { row(rank, $0) == nil } }
    private func slice(_ state: [UInt8], _ rank: Int, _ group: Int) -> [UInt8] {
        let start = min(place(rank, group) * block, state.count)
        let part = Array(state[start..<min(start + block, state.count)])
        return part + [UInt8](repeating: 0, count: block - part.count)
    }

    /// Sends blocks to those that have parity of them, and gives what this rank's keeper gets: the state, then its
    /// rows of parity.
    ///
    /// - Throws: ``TrainingError`` if a rank is gone.
    package func piece(_ state: [UInt8], _ mesh: RankMesh) throws -> [UInt8] {
        precondition(state.count == sizes[mesh.rank] && mesh.count == count)
        let out = (0..<count).map { other in
            (0..<count).filter { row(mesh.rank, $0) == nil && row(other, $0) != nil }
                .flatMap { slice(state, mesh.rank, $0) }
        }
        var blocks: [[Int: [UInt8]]] = Array(repeating: [:], count: count)
        let buffers = out.map { bytes in
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 64)
            buffer.copyBytes(from: bytes)
            return buffer
        }
        defer { for buffer in buffers { buffer.deallocate() } }
        try mesh.exchange(
            { UnsafeRawBufferPointer(rebasing: buffers[$0][..<out[$0].count]) },
            bytes: { other in
                block * (0..<count).count { row(other, $0) == nil && row(mesh.rank, $0) != nil }
            }
        ) { other, found in
            let groups = (0..<count).filter { row(other, $0) == nil && row(mesh.rank, $0) != nil }
            for (i, group) in groups.enumerated() {
                blocks[group][other] = Array(found[(i * block)..<((i + 1) * block)])
            }
        }
        let rows = (0..<count).compactMap { group in row(mesh.rank, group).map { (group, $0) } }
        return state
            + rows.flatMap { group, row in
                code.parity(row, of: dataRanks(group).map { (blocks[group][$0] ?? [])[...] })
            }
    }

    /// All states, from what keepers have.
    ///
    /// - Parameter pieces: by rank; nil for keepers that are lost.
    /// - Returns: nil if too many are lost, or a piece is of another length.
    package func states(_ pieces: [[UInt8]?]) -> [[UInt8]]? {
        guard pieces.count == count else { return nil }
        for (rank, piece) in pieces.enumerated() where piece.map({ $0.count != bytes(of: rank) }) == true { return nil }
        var states = pieces.enumerated().map { rank, piece in piece.map { Array($0.prefix(sizes[rank])) } }
        let lost = states.indices.filter { states[$0] == nil }
        guard !lost.isEmpty else { return states.compactMap { $0 } }
        var made = lost.reduce(into: [Int: [UInt8]]()) { $0[$1] = [] }
        for group in 0..<count {
            let ranks = dataRanks(group)
            let data = ranks.map { rank in states[rank].map { slice($0, rank, group) } }
            let rows = (0..<parity).map { row -> [UInt8]? in
                let rank = (group + row) % count
                guard let piece = pieces[rank] else { return nil }
                let before = (0..<group).count { self.row(rank, $0) != nil }
                let start = sizes[rank] + before * block
                return Array(piece[start..<start + block])
            }
            guard let all = code.restored(data + rows) else { return nil }
            for rank in lost where row(rank, group) == nil {
                made[rank]? += all[ranks.firstIndex(of: rank) ?? 0]
            }
        }
        for rank in lost { states[rank] = made[rank].map { Array($0.prefix(sizes[rank])) } }
        return states.compactMap { $0 }
    }
}
