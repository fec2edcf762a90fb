import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeChat
import MnemeModels
import MnemeTrain

/// The other processes of a training that several share: started with it, and gone with it.
struct RankTeam {
    private let folder: String
    private let processes: [Process]
    private let trainer: AdapterTrainer
    /// Where keepers of the state listen; nil if there are none.
    private let keepers: String?

    /// Starts them, and shares the training with them. Its plan and its checkpoint are written already.
    ///
    /// - Throws: `TrainingError` if one does not come; `FileError`.
    init(_ ranks: RankSettings, _ name: String, _ trainer: AdapterTrainer) throws {
        self.trainer = trainer
        keepers = ranks.parity == nil ? nil : Home.adapters.trainingFolder(name)
        folder = NSTemporaryDirectory() + "mneme-ranks-" + UUID().uuidString.prefix(8)
        try Privacy.makeFolder(folder)
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        var started: [Process] = []
        do {
            for rank in 0..<ranks.count where keepers != nil {
                // One that is left from before makes room: what it had is in the checkpoint.
                SnapshotKeeper.end(KeptSnapshots.path(keepers ?? "", rank))
                _ = try Self.start(program, ["train-keeper", name, "--rank", "\(rank)"])
            }
            for rank in 1..<ranks.count {
                started.append(try Self.start(program, ["train-rank", name, "--rank", "\(rank)", "--folder", folder]))
            }
            // They read the base and the checkpoint first.
            let others = started
            try trainer.share(
                RankMesh(in: folder, rank: 0, of: ranks.count) { others.allSatisfy(\.isRunning) })
            if let keepers { trainer.keepSnapshots(in: keepers) }
        } catch {
            Self.stop(started, folder)
            throw error
        }
        processes = started
    }

    /// All parameters come here, and the others end.
    ///
    /// - Throws: `TrainingError` if one is gone.
    func end() throws {
        try trainer.endSharing()
        for process in processes { process.waitUntilExit() }
        try? FileManager.default.removeItem(atPath: folder)
        if let keepers { for rank in 0...processes.count { SnapshotKeeper.end(KeptSnapshots.path(keepers, rank)) } }
    }

    /// Starts one of the command's own processes.
    private static func start(_ program: String, _ arguments: [String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["adapters"] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// The others end, whatever they do; keepers stay, so that --resume goes on from what they have.
    func stop() { Self.stop(processes, folder) }

    private static func stop(_ processes: [Process], _ folder: String) {
        for process in processes where process.isRunning { process.terminate() }
        for process in processes { process.waitUntilExit() }
        try? FileManager.default.removeItem(atPath: folder)
    }
}

extension AdaptersCommand {
    /// One of the other processes of `mneme adapters train --ranks`, which starts it.
    struct TrainRank: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "train-rank", abstract: "A process of a training that several share.", shouldDisplay: false)

        @Argument var name: String
        @Option var rank: Int
        @Option var folder: String

        func run() async throws {
            // The first process is told, and tells the others.
            signal(SIGINT, SIG_IGN)
            let plan = try TrainingPlan.read(in: Home.adapters.trainingFolder(name))
            guard let plan, let ranks = plan.settings?.strategies?.ranks else {
                throw InputError(
                    "No training of '\(name)' is shared. `mneme adapters train --ranks` starts this itself.")
            }
            var training = try AdapterTraining(name, plan, in: Home.adapters, on: TrainingRun.base(plan.model))
            training.isResumed = true
            let trainer = try training.begin(TrainingRun.memories(plan))
            // The folder goes with the first process.
            try trainer.share(
                RankMesh(in: folder, rank: rank, of: ranks.count) { [folder] in
                    FileManager.default.fileExists(atPath: folder)
                })
            trainer.keepSnapshots(in: training.folder)
            try trainer.follow()
        }
    }

    /// Keeps a rank's pieces of a shared training in memory: started by `mneme adapters train --keepers`.
    struct TrainKeeper: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "train-keeper", abstract: "Keeps a part of a training's state in memory.",
            shouldDisplay: false)

        @Argument var name: String
        @Option var rank: Int

        func run() throws {
            // It outlives the ranks: the next training takes what it has.
            signal(SIGINT, SIG_IGN)
            let keeper = try SnapshotKeeper(path: KeptSnapshots.path(Home.adapters.trainingFolder(name), rank))
            keeper.serve(idleSeconds: 600)
        }
    }
}
