import MnemeNumerics

extension AdapterTrainer {
    /// What the first rank tells the others to do.
    private enum Word: UInt8 {
        case step, save, end
    }

    /// Shares the training with other ranks, each of which has the same examples, settings and checkpoint.
    /// From here on the first rank's steps and saves are all ranks'; the others ``follow()``.
    ///
    /// - Throws: ``TrainingError`` if the settings say nothing of so many ranks.
    package func share(_ mesh: RankMesh) throws {
        guard let settings = settings.strategies?.ranks, settings.count == mesh.count else {
            throw TrainingError(
                .invalidSetting,
                "The training's settings are not those of \(mesh.count) ranks. Train anew with --ranks.")
        }
        let groups = ParameterGroups(model.parameters.learned, count: mesh.count)
        optimizer.keep(only: mesh.rank)
        shared = SharedParameters(mesh, settings, model.parameters, groups)
        model.share(shared)
    }

    /// Hands the state to keepers in memory after each `interval` steps, so that the training goes on from there
    /// though ranks, and as many keepers as the settings say, are lost. All ranks do so, behind ``share(_:)``;
    /// nothing where the settings say nothing of keepers.
    ///
    /// - Parameters:
    ///   - folder: where keepers listen, see ``KeptSnapshots/path(_:_:)``.
    ///   - interval: steps from one snapshot to the next.
    package func keepSnapshots(in folder: String, interval: Int = 1) {
        guard let shared, let parity = settings.strategies?.ranks?.parity else { return }
        let sizes = zip(shared.parts, stateSizes).map { 4 * $0.count + $1 }
        keepers = KeptSnapshots(
            in: folder, rank: shared.mesh.rank, ShardedSnapshot(sizes: sizes, parity: parity), interval: interval)
    }

    /// Behind a step: this rank's part of the state goes to its keeper, if it is time.
    func keepSnapshot() throws {
        guard let shared, let keepers, progress.step % keepers.interval == 0 else { return }
        let own = UnsafeRawBufferPointer(
            start: model.parameters.values.pointer + shared.own.lowerBound, count: 4 * shared.own.count)
        try keepers.keep(Array(own) + optimizer.snapshot(), head, shared.mesh)
    }

    /// Writes the checkpoint that keepers have in memory, if it is a later one than that in the file.
    ///
    /// - Parameter folder: where keepers listen.
    /// - Returns: the step of the checkpoint that was written; nil if there is no later one.
    /// - Throws: `FileError` if it cannot be written.
    package func restoreKept(in folder: String) throws -> Int? {
        guard let ranks = settings.strategies?.ranks, ranks.parity != nil else { return nil }
        let groups = ParameterGroups(model.parameters.learned, count: ranks.count)
        let parts = SharedParameters.parts(groups, ranks.count, of: model.parameters.count)
        guard let found = KeptSnapshots.checkpoint(in: folder, ranks: ranks.count, parts: parts),
            found.head.step > progress.step, found.head.examples == head.examples, found.head.base == head.base,
            found.head.settings == settings
        else { return nil }
        try restore(found)
        try save()
        return found.head.step
    }

    /// Does what the first rank does, until that ends the training.
    ///
    /// - Throws: ``TrainingError`` if another rank is gone; what steps throw.
    package func follow() throws {
        while let shared {
            switch Word(rawValue: try shared.mesh.listen()) {
            case .step: try step()
            case .save: _ = try collected(shared)
            case .end:
                try shared.end()
                leave()
            case nil: throw TrainingError(.invalidFile, "The first rank is another program than this one.")
            }
        }
    }

    /// Ends the other ranks; this one has all parameters then. Nothing where the training is not shared.
    ///
    /// - Throws: ``TrainingError`` if another rank is gone.
    package func endSharing() throws {
        guard let shared, shared.mesh.rank == 0 else { return }
        defer { leave() }
        try shared.mesh.tell(Word.end.rawValue)
        try shared.end()
    }

    private func leave() {
        keepers?.finish()
        keepers = nil
        shared?.mesh.leave()
        shared = nil
        model.share(nil)
    }

    /// The first rank tells that a step begins.
    func announceStep() throws {
        if let shared, shared.mesh.rank == 0 { try shared.mesh.tell(Word.step.rawValue) }
    }

    /// All parameters and all states, on the first rank.
    func collected(_ shared: SharedParameters) throws -> (values: AlignedBuffer<Float>, state: [UInt8]) {
        if shared.mesh.rank == 0 { try shared.mesh.tell(Word.save.rawValue) }
        return try shared.collect(try optimizer.snapshot(), sizes: stateSizes)
    }
}
