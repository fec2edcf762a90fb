import Dispatch
import Foundation
import MnemeBase

/// Hands a shared training's state to keepers whenever some steps are done, and gives the checkpoint back that
/// enough of them have.
///
/// A piece is what ``ShardedSnapshot`` makes of a rank's state, behind its step and the checkpoint's head. Blocks
/// are exchanged between two steps; the piece goes to its keeper beside the next ones.
package final class KeptSnapshots: @unchecked Sendable {
    // Sendable: the queue has `failure` until `sending` is left, for which the caller waits.
    private let folder: String
    private let rank: Int
    private let layout: ShardedSnapshot
    /// Steps from one snapshot to the next.
    let interval: Int
    private let queue = DispatchQueue(label: "mneme.train.keepers", qos: .utility)
    private let sending = DispatchGroup()
    private var failure: (any Error)?
    /// Seconds that steps waited for snapshots, and how many there were.
    package private(set) var stallSeconds = 0.0, count = 0

    /// - Parameters:
    ///   - folder: where keepers listen, each under its rank's number.
    ///   - layout: of all ranks' states.
    ///   - interval: steps from one snapshot to the next.
    init(in folder: String, rank: Int, _ layout: ShardedSnapshot, interval: Int) {
        (self.folder, self.rank, self.layout, self.interval) = (folder, rank, layout, interval)
    }

    /// Where a rank's keeper listens.
    package static func path(_ folder: String, _ rank: Int) -> String { "\(folder)/keeper\(rank)" }

    /// Keeps this rank's state of a step; all ranks do so between the same two steps.
    ///
    /// - Throws: ``TrainingError`` if a rank is gone, or this rank's keeper.
    func keep(_ state: [UInt8], _ head: TrainingCheckpoint.Head, _ mesh: RankMesh) throws {
        let start = ContinuousClock.now
        defer { stallSeconds += (ContinuousClock.now - start) / .seconds(1) }
        sending.wait()
        if let failure { throw failure }
        let json = try JSONEncoder().encode(head)
        let piece = Piece(
            step: head.step, sizes: layout.sizes, parity: layout.parity, head: json, own: try layout.piece(state, mesh))
        count += 1
        sending.enter()
        queue.async { [self] in
            do { try SnapshotKeeper.put(piece.bytes, to: Self.path(folder, rank)) } catch { failure = error }
            sending.leave()
        }
    }

    /// Returns when the last piece is with its keeper.
    func finish() { sending.wait() }

    /// The latest checkpoint that enough keepers have; nil if too many are lost, or there was none.
    ///
    /// - Parameter parts: each rank's place among the parameters.
    static func checkpoint(in folder: String, ranks: Int, parts: [Range<Int>]) -> TrainingCheckpoint? {
        let found = (0..<ranks).map { rank in
            (SnapshotKeeper.pieces(at: path(folder, rank)) ?? []).compactMap { Piece($0) }
        }
        for step in Set(found.joined().map(\.step)).sorted(by: >) {
            let pieces = found.map { $0.last { $0.step == step } }
            guard let one = pieces.lazy.compactMap({ $0 }).first, one.sizes.count == ranks,
                pieces.allSatisfy({ $0.map { $0.sizes == one.sizes && $0.parity == one.parity } ?? true }),
                let head = try? JSONDecoder().decode(TrainingCheckpoint.Head.self, from: one.head),
                let states = ShardedSnapshot(sizes: one.sizes, parity: one.parity).states(pieces.map { $0?.own }),
                parts.count == ranks, zip(states, parts).allSatisfy({ $0.count >= 4 * $1.count })
            else { continue }
            var checkpoint = TrainingCheckpoint(
                head: head, parameters: Array(repeating: 0, count: head.parameters), state: [])
            for (state, part) in zip(states, parts) {
                guard part.upperBound <= head.parameters else { return nil }
                checkpoint.parameters.replaceSubrange(
                    part, with: numbers(Float.self, count: part.count, from: state[..<(4 * part.count)]))
                checkpoint.state += state[(4 * part.count)...]
            }
            checkpoint.head.stateBytes = checkpoint.state.count
            return checkpoint
        }
        return nil
    }

    /// What a keeper has: step, parity, sizes, head, and the sharded bytes.
    fileprivate struct Piece {
        var step: Int, sizes: [Int], parity: Int
        var head: Data, own: [UInt8]

        var bytes: [UInt8] {
            let numbers = [step, parity, sizes.count] + sizes + [head.count]
            return numbers.flatMap { withUnsafeBytes(of: Int64($0).littleEndian) { Array($0) } } + [UInt8](head) + own
        }
    }
}

extension KeptSnapshots.Piece {
    /// Reads what ``bytes`` wrote; nil for anything else.
    init?(_ bytes: [UInt8]) {
        var at = 0
        func number() -> Int? {
            guard at + 8 <= bytes.count else { return nil }
            defer { at += 8 }
            return Int(bytes[at..<at + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) } & (1 << 62 - 1))
        }
        guard let step = number(), let parity = number(), let count = number(), (2...16).contains(count),
            (1..<count).contains(parity)
        else { return nil }
        var sizes: [Int] = []
        for _ in 0..<count {
            guard let size = number(), size <= bytes.count * count else { return nil }
            sizes.append(size)
        }
        guard let length = number(), length <= bytes.count - at else { return nil }
        self.init(
            step: step, sizes: sizes, parity: parity, head: Data(bytes[at..<at + length]),
            own: Array(bytes[(at + length)...]))
    }
}
