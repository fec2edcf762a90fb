import Foundation
import MnemeBase
import MnemeBench
import MnemeModels
import MnemeNumerics
import MnemeTrain
import Testing

/// A shared training's state in memory, with parity.
@Suite struct KeeperTests {
    private func random(_ count: Int, _ seed: UInt64) -> [UInt8] {
        var generator = SplitMix64(seed: seed)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }

    @Test(arguments: [(1, 1), (2, 1), (3, 2), (4, 4), (1, 3)])
    func `whichever pieces are lost, as many as there is data give it back`(data: Int, parity: Int) throws {
        let code = ErasureCode(data: data, parity: parity)
        let pieces = (0..<data).map { random(37, UInt64($0)) }
        let all = pieces + (0..<parity).map { code.parity($0, of: pieces.map { $0[...] }) }
        for mask in 0..<(1 << all.count) {
            let left = all.indices.map { mask >> $0 & 1 == 1 ? all[$0] : nil }
            let found = code.restored(left)
            #expect(found == (mask.nonzeroBitCount >= data ? pieces : nil), "\(mask)")
        }
    }

    @Test func `parity is what the field's definition gives`() throws {
        // Products by the definition: polynomials modulo x⁸+x⁴+x³+x²+1, bit by bit.
        func product(_ a: Int, _ b: Int) -> Int {
            var (sum, a) = (0, a)
            for bit in 0..<8 {
                if b >> bit & 1 == 1 { sum ^= a }
                a <<= 1
                if a > 255 { a ^= 0x11d }
            }
            return sum
        }
        let code = ErasureCode(data: 3, parity: 2)
        let pieces = (0..<3).map { random(64, UInt64($0)) }
        for row in 0..<2 {
            let found = code.parity(row, of: pieces.map { $0[...] })
            for i in found.indices {
                let wanted = (0..<3).reduce(0) { sum, piece in
                    let weight = (1...255).first { product($0, (3 + row) ^ piece) == 1 } ?? 0
                    return sum ^ product(weight, Int(pieces[piece][i]))
                }
                #expect(Int(found[i]) == wanted)
            }
        }
    }

    /// What ranks of a training came to, with keepers on threads.
    private struct Outcome {
        var values: [Float] = []
        var error: TrainingError?
        var snapshots = 0, stall = 0.0
    }

    /// Trains to step `stop` without writing a checkpoint, then all ranks go, as if they were killed.
    private static func run(
        _ folder: String, _ sockets: String, _ ranks: RankSettings, stop: Int, restores: Bool = false
    ) throws -> [Outcome] {
        if !restores { try RankFixture.trainer(folder, ranks).save() }
        let restored = try restores ? RankFixture.trainer(folder, ranks, resume: true).restoreKept(in: sockets) : nil
        #expect((restored != nil) == restores)
        let mesh = sockets + "/mesh\(restores)"
        try FileManager.default.createDirectory(atPath: mesh, withIntermediateDirectories: true)
        return RankFixture.run(ranks.count, in: mesh, Outcome()) { rank, mesh, outcome in
            do {
                let trainer = try RankFixture.trainer(folder, ranks, resume: true)
                try trainer.share(mesh())
                trainer.keepSnapshots(in: sockets)
                if rank == 0 {
                    while trainer.progress.step < stop { try trainer.step() }
                    if stop == 6 { try trainer.endSharing() }
                } else {
                    do { try trainer.follow() } catch  where stop < 6 {}
                }
                outcome.snapshots = trainer.keepers?.count ?? 0
                outcome.stall = trainer.keepers?.stallSeconds ?? 0
                outcome.values = TrainingFixture.values(trainer.model)
            } catch { outcome.error = error as? TrainingError ?? TrainingError(.invalidFile, "\(error)") }
        }
    }

    private static func startKeeper(_ path: String) throws {
        // It serves on its own thread alone.
        nonisolated(unsafe) let keeper = try SnapshotKeeper(path: path)
        Thread { keeper.serve(idleSeconds: 600) }.start()
    }

    /// Ends a keeper, with what it has, and starts another in its place, as whoever starts ranks again does.
    private static func replaceKeeper(_ path: String) throws {
        SnapshotKeeper.end(path)
        let end = ContinuousClock.now + .seconds(20)
        while FileManager.default.fileExists(atPath: path), ContinuousClock.now < end {
            Thread.sleep(forTimeInterval: 0.01)
        }
        try startKeeper(path)
    }

    /// Calls `body` with keepers that listen in a folder; they end with it.
    private static func withKeepers(_ count: Int, _ body: (String) throws -> Void) throws {
        let sockets = NSTemporaryDirectory() + "mk-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(atPath: sockets, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: sockets) }
        for rank in 0..<count { try startKeeper(KeptSnapshots.path(sockets, rank)) }
        defer { for rank in 0..<count { SnapshotKeeper.end(KeptSnapshots.path(sockets, rank)) } }
        try body(sockets)
    }

    @Test(arguments: [(2, 1, 1), (3, 1, 2), (3, 2, 3)])
    func `ranks that are killed, and as many keepers as there is parity, go on to the same bits`(
        count: Int, parity: Int, stage: Int
    ) throws {
        let ranks = try RankSettings(count: count, stage: stage, parity: parity)
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            var whole: [Outcome] = []
            try Self.withKeepers(count) { whole = try Self.run(folder, $0, ranks, stop: 6) }
            #expect(whole.allSatisfy { $0.error == nil })
            for lost in 0..<count {
                try Self.withKeepers(count) { sockets in
                    _ = try Self.run(folder, sockets, ranks, stop: 4)
                    for i in 0..<parity { try Self.replaceKeeper(KeptSnapshots.path(sockets, (lost + i) % count)) }
                    let resumed = try Self.run(folder, sockets, ranks, stop: 6, restores: true)
                    #expect(resumed.map(\.values) == whole.map(\.values))
                }
            }
        }
    }

    @Test func `more lost keepers than parity, another training's pieces and garbage are no checkpoint`() throws {
        let ranks = try RankSettings(count: 3, stage: 1, parity: 1)
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            try Self.withKeepers(3) { sockets in
                _ = try Self.run(folder, sockets, ranks, stop: 3)
                let whole = try RankFixture.trainer(folder, ranks, resume: true)
                // The file's own step is not behind the keepers'.
                #expect(try whole.restoreKept(in: sockets) == 3 && whole.progress.step == 3)
                #expect(try whole.restoreKept(in: sockets) == nil)
                let other = try RankFixture.trainer(folder, RankSettings(count: 3, stage: 2, parity: 1))
                #expect(try other.restoreKept(in: sockets) == nil)
                let fresh = try RankFixture.trainer(folder, ranks)
                for i in 0..<2 { try SnapshotKeeper.put([1, 2, 3], to: KeptSnapshots.path(sockets, i)) }
                // The pieces before are still there, one of each.
                #expect(try fresh.restoreKept(in: sockets) == 3)
                let again = try RankFixture.trainer(folder, ranks)
                for i in 0..<2 { SnapshotKeeper.end(KeptSnapshots.path(sockets, i)) }
                #expect(try again.restoreKept(in: sockets) == nil && again.progress.step == 0)
            }
        }
        for parity in [0, 2, -1] {
            #expect(throws: TrainingError.self) { try RankSettings(count: 2, stage: 1, parity: parity) }
        }
    }

    @Test func `a keeper whose name is gone ends`() throws {
        let ended = DispatchSemaphore(value: 0)
        try TrainingFixture.withFolder { folder in
            let path = NSTemporaryDirectory() + "mk-" + UUID().uuidString.prefix(8)
            nonisolated(unsafe) let keeper = try SnapshotKeeper(path: path)
            Thread {
                keeper.serve(idleSeconds: 60)
                ended.signal()
            }.start()
            try SnapshotKeeper.put([7], to: path)
            #expect(SnapshotKeeper.pieces(at: path) == [[7]])
            unlink(path)
            #expect(ended.wait(timeout: .now() + 20) == .success)
            #expect(SnapshotKeeper.pieces(at: path) == nil)
        }
    }
}
