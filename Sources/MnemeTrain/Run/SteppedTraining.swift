/// A training that goes step by step and keeps where it stands in a checkpoint.
public protocol SteppedTraining: AnyObject {
    /// Where it stands.
    var progress: TrainingProgress { get }
    /// True when all steps are done.
    var isDone: Bool { get }
    /// One step.
    ///
    /// - Throws: ``TrainingError`` if the loss is no number any more; the checkpoint is from before.
    func step() throws
    /// Writes the checkpoint.
    ///
    /// - Throws: `MnemeError` of class `full` for a full disk; the one before stays.
    func save() throws
    /// Writes the checkpoint beside the next steps.
    ///
    /// - Throws: what the write of the one before failed with, see ``save()``.
    func saveInBackground() throws
}

extension AdapterTrainer: SteppedTraining {}
extension EmbedderTrainer: SteppedTraining {}

extension SteppedTraining {
    /// Steps until all are done or it shall not go on, and leaves a checkpoint of where it stopped.
    ///
    /// - Parameters:
    ///   - checkpointSeconds: a checkpoint is written beside the steps whenever so long has passed since the
    ///     last; after each step if 0.
    ///   - goesOn: asked before each step.
    ///   - didStep: told after each step where the training stood before it.
    /// - Returns: true if all steps are done.
    /// - Throws: ``TrainingError``, `ModelError`, `FileError`, and what `didStep` throws.
    public func run(
        checkpointSeconds: Double, while goesOn: () -> Bool,
        didStep: (TrainingProgress) throws -> Void = { _ in }
    ) throws -> Bool {
        var saved = ContinuousClock.now
        while !isDone, goesOn() {
            let before = progress
            try step()
            try didStep(before)
            guard ContinuousClock.now - saved >= .seconds(checkpointSeconds) else { continue }
            try saveInBackground()
            saved = .now
        }
        try save()
        return isDone
    }
}
