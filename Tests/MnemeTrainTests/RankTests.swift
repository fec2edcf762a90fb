import Foundation
import MnemeBench
import MnemeModels
import MnemeNumerics
import MnemeTrain
import Testing

/// Several ranks of one training, each on a thread of its own, connected by sockets as processes are.
@Suite struct RankTests {
    /// What a rank came to.
    private struct Outcome: Sendable {
        var values: [Float] = []
        var losses: [Double] = []
        var heldOut: Double?
        var sent = 0
        var batches: [TrainingBatch] = []
        var bytes: [TrainingArena.Purpose: Int] = [:]
        var resident = (values: 0, gradients: 0)
        var error: TrainingError?
    }

    /// Trains with all ranks; the first saves behind step `save`, if there is one, and stops at `stop`.
    private static func run(
        _ folder: String, _ ranks: RankSettings, save: Int? = nil, stop: Int = 6, resume: Bool = false,
        keep: Double? = nil, optimizer: OptimizerKind = .adamw, dies: Int? = nil
    ) throws -> [Outcome] {
        let sockets = NSTemporaryDirectory() + "mt-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(atPath: sockets, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: sockets) }
        return RankFixture.run(ranks.count, in: sockets, Outcome()) { rank, mesh, outcome in
            do {
                let trainer = try RankFixture.trainer(
                    folder, ranks, resume: resume, keep: keep, optimizer: optimizer)
                let mesh = try mesh()
                try trainer.share(mesh)
                if rank == dies {
                    mesh.leave()
                } else if rank > 0 {
                    try trainer.follow()
                    outcome.sent = mesh.sentBytes
                } else {
                    while trainer.progress.step < stop {
                        try trainer.step()
                        outcome.losses.append(trainer.progress.loss)
                        outcome.batches.append(trainer.lastBatch)
                        if trainer.progress.step == save { try trainer.save() }
                    }
                    outcome.sent = mesh.sentBytes
                    outcome.bytes = trainer.model.arena.bytes
                    outcome.resident = (
                        SharedParameters.residentBytes(trainer.model.parameters.values),
                        SharedParameters.residentBytes(trainer.model.parameters.gradients)
                    )
                    try trainer.endSharing()
                }
                outcome.values = TrainingFixture.values(trainer.model)
                outcome.heldOut = trainer.progress.heldOutLoss
            } catch { outcome.error = error as? TrainingError ?? TrainingError(.invalidFile, "\(error)") }
        }
    }

    private static func alone(_ folder: String, keep: Double? = nil, optimizer: OptimizerKind = .adamw) throws
        -> Outcome
    {
        let trainer = try RankFixture.trainer(folder, nil, keep: keep, optimizer: optimizer)
        var outcome = Outcome()
        while !trainer.isDone {
            try trainer.step()
            outcome.losses.append(trainer.progress.loss)
        }
        outcome.values = TrainingFixture.values(trainer.model)
        outcome.bytes = trainer.model.arena.bytes
        return outcome
    }

    @Test(arguments: [2, 3])
    func `ranks learn what one process learns, in all stages to the same bits`(count: Int) throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            let alone = try Self.alone(folder)
            let stages = try (1...3).map { try Self.run(folder, RankSettings(count: count, stage: $0)) }
            for ranks in stages {
                #expect(ranks.allSatisfy { $0.error == nil && $0.values == stages[0][0].values })
                #expect(ranks[0].losses == stages[0][0].losses)
                for (mine, whole) in zip(ranks[0].losses, alone.losses) { #expect(abs(mine - whole) < 1e-5 * whole) }
            }
            // Gradients are added up in another order, which Adam's first steps make larger where they are small.
            #expect(TrainingFixture.distance(stages[0][0].values, alone.values) < 2e-3)
        }
    }

    @Test(arguments: [2, 3])
    func `ranks that each have a part of every sequence learn what one process learns`(count: Int) throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            for keep in [nil, 1.0] {
                let alone = try Self.alone(folder, keep: keep)
                let stages = try [1, 3].map {
                    try Self.run(folder, RankSettings(count: count, stage: $0, splits: .tokens), keep: keep)
                }
                for ranks in stages {
                    #expect(ranks.allSatisfy { $0.error == nil && $0.values == stages[0][0].values })
                    #expect(ranks[0].losses.count == 6)
                    for (mine, whole) in zip(ranks[0].losses, alone.losses) {
                        #expect(abs(mine - whole) < 1e-4 * whole)
                    }
                }
                #expect(TrainingFixture.distance(stages[0][0].values, alone.values) < 5e-3)
            }
        }
    }

    @Test func `what attention sends between ranks is the plan's`() throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            let c = try RankFixture.trainer(folder, nil).model.configuration
            let count = 3
            let whole = try Self.run(folder, RankSettings(count: count, stage: 1), stop: 2)
            let split = try Self.run(folder, RankSettings(count: count, stage: 1, splits: .tokens), stop: 2)
            // All else is the same, however a batch is divided.
            let sent = zip(split, whole).reduce(0) { $0 + $1.0.sent - $1.1.sent }
            let (queries, keys) = (c.heads * c.headDimension, c.kvSize)
            var (exact, plan) = (0, RingTraffic())
            (plan.ranks, plan.heads, plan.keyHeads) = (Double(count), Double(c.heads), Double(c.kvHeads))
            (plan.dimension, plan.tokens) = (Double(c.headDimension), 0)
            for batch in split[0].batches {
                let parts = SequenceParts(batch.sequences, ranks: count)
                plan.tokens += Double(batch.tokens.count)
                for rank in 0..<count {
                    let rows = 4 * parts.rows(rank)
                    // Layers but the last are computed twice.
                    exact += (2 * c.layers - 1) * rows * 2 * keys * (count - 1 - rank)
                    exact += c.layers * rows * (3 * queries + 2 * c.heads) * rank
                }
            }
            #expect(sent == exact && sent > 0)
            let planned =
                Double(2 * c.layers - 1) * plan.forwardBytes + Double(c.layers) * plan.backwardBytes
            #expect(abs(planned / Double(exact) - 1) < 0.1)
            // As many heads of keys as of queries: less goes back than in plain ring attention.
            let report = try RingTraffic().report()
            #expect(report.chosen == 2 && RingTraffic().backwardBytes < 0.8 * RingTraffic().ringBackwardBytes)
        }
    }

    @Test func `bytes of a rank and what it sends are the formula's`() throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            let whole = try RankFixture.trainer(folder, nil)
            let (all, layers) = (whole.model.parameterCount, whole.model.configuration.layers)
            let layer = all / layers
            // Matrices are not cut: a part is off by one of them at most.
            let matrix = 8 * 160
            for stage in 1...3 {
                let settings = try RankSettings(count: 3, stage: stage)
                let rank = try Self.run(folder, settings, stop: 2)[0]
                let (parameters, gradients, state) = settings.bytes(parameters: all, layer: layer, state: 8)
                #expect(abs((rank.bytes[.parameters] ?? 0) - parameters) <= 4 * matrix)
                #expect(abs((rank.bytes[.gradients] ?? 0) - gradients) <= 4 * matrix)
                #expect(abs((rank.bytes[.optimizer] ?? 0) - state) <= 8 * matrix)
                // What is counted is what has memory, in whole pages.
                #expect(rank.resident.values <= (rank.bytes[.parameters] ?? 0) + 6 * 4096)
                #expect(rank.resident.gradients <= (rank.bytes[.gradients] ?? 0) + 6 * 4096)
                // A step: others' parts of the gradient, and the own part of the values to each, in stage 3 with
                // each pass, where the last layer of one is the first of the next; and two times sums to each.
                let part = ((rank.bytes[.optimizer] ?? 0) / 8)
                let sums = 2 * (2 * 8 + 8) + 2
                let words = (all - part) + (stage < 3 ? 2 * part : 0)
                if stage < 3 {
                    #expect(rank.sent == 2 * (4 * words + sums))
                } else {
                    #expect(rank.sent > 2 * (4 * (all - part) + sums))
                }
            }
        }
    }

    @Test(arguments: [1, 3])
    func `a shared training goes on to the same bits, and holds to the base's texts`(stage: Int) throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            let settings = try RankSettings(count: 2, stage: stage)
            let whole = try Self.run(folder, settings, keep: 1)
            #expect(whole.allSatisfy { $0.error == nil })
            _ = try Self.run(folder, settings, save: 3, stop: 4, keep: 1)
            let resumed = try Self.run(folder, settings, resume: true, keep: 1)
            #expect(resumed.map(\.values) == whole.map(\.values))
            let alone = try Self.alone(folder, keep: 1)
            for (mine, one) in zip(whole[0].losses, alone.losses) { #expect(abs(mine - one) < 1e-4 * one) }
        }
    }

    @Test(arguments: [OptimizerKind.apollo, .frugal, .galore])
    func `draws and projections of a part are those of the whole`(optimizer: OptimizerKind) throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            let shared = try Self.run(folder, RankSettings(count: 2, stage: 2), optimizer: optimizer)
            let alone = try Self.alone(folder, optimizer: optimizer)
            for (mine, one) in zip(shared[0].losses, alone.losses) { #expect(abs(mine - one) < 1e-3 * one) }
        }
    }

    @Test func `a rank that goes ends the training of all with an error that says so`() throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            let outcomes = try Self.run(folder, RankSettings(count: 3, stage: 2), dies: 2)
            #expect(outcomes[0].error?.code == .lostRank && outcomes[1].error?.code == .lostRank)
            #expect(outcomes[0].error?.message.contains("--resume") == true)
        }
    }

    @Test func `wrong numbers are refused`() throws {
        for (count, stage) in [(1, 1), (17, 1), (2, 0), (2, 4)] {
            #expect(throws: TrainingError.self) { try RankSettings(count: count, stage: stage) }
        }
        var settings = TrainingSettings()
        settings.strategies = try TrainingFixture.strategies("checkpoint", route: "man:2")
        settings.strategies?.ranks = try RankSettings(count: 2, stage: 1)
        #expect(throws: TrainingError.self) { try settings.check() }
        try TrainingFixture.withFolder { folder in
            let error = #expect(throws: TrainingError.self) {
                _ = try RankMesh(in: folder, rank: 0, of: 2) { false }
            }
            #expect(error?.code == .lostRank)
        }
    }
}
