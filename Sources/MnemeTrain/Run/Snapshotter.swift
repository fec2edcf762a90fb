import Dispatch
import MnemeBase
import MnemeNumerics

/// Writes checkpoints while the training goes on (lazy asynchronous checkpointing, DataStates-LLM,
/// Maurya et al. 2024) [179].
///
/// Parameters and the optimizer's state do not change from one update to the next. So they are
/// copied beside the next step's passes, which read them, and the update waits for the copy's end,
/// not for the disk. A checkpoint's bytes are those that a save at the same step writes.
final class Snapshotter: @unchecked Sendable {
    // Sendable: the queue has `job` from begin() to the end of the copy, `failure` to the end of
    // the write; the caller waits for either before it touches what it is about.
    private let path: String
    private let queue = DispatchQueue(label: "mneme.train.snapshots", qos: .utility)
    private let copying = DispatchGroup()
    private let writing = DispatchGroup()
    private var job: Job?
    private var failure: (any Error)?
    /// Seconds that the training waited for copies and for earlier checkpoints.
    private(set) var stallSeconds = 0.0

    /// What a checkpoint is made of.
    struct Job {
        var head: TrainingCheckpoint.Head
        let parameters: AlignedBuffer<Float>
        /// Gives the optimizer's state.
        let optimizer: @Sendable () throws -> [UInt8]

        /// The checkpoint: a copy of all of it.
        ///
        /// - Throws: `FileError` if the state is in a file that cannot be read.
        func copy() throws -> TrainingCheckpoint {
            let state = try optimizer()
            var head = head
            head.stateBytes = state.count
            let values = UnsafeBufferPointer(start: parameters.pointer, count: parameters.count)
            return TrainingCheckpoint(head: head, parameters: Array(values), state: state)
        }
    }

    init(path: String) { self.path = path }

    /// Begins to copy, then to write.
    ///
    /// - Throws: what the write of the checkpoint before failed with.
    func begin(_ job: Job) throws {
        try finish()
        self.job = job
        copying.enter()
        writing.enter()
        queue.async {
            let checkpoint = Result { try self.job?.copy() }
            // Dropped here, so that the update changes the state in its place.
            self.job = nil
            self.copying.leave()
            do { try checkpoint.get()?.write(to: self.path) } catch { self.failure = error }
            self.writing.leave()
        }
    }

    /// Returns when parameters and state may change.
    func waitForCopy() { stalled { copying.wait() } }

    /// Returns when the last checkpoint is written.
    ///
    /// - Throws: what it failed with, once.
    func finish() throws {
        stalled { writing.wait() }
        defer { failure = nil }
        if let failure { throw failure }
    }

    private func stalled(_ wait: () -> Void) {
        let start = ContinuousClock.now
        wait()
        stallSeconds += (ContinuousClock.now - start) / .seconds(1)
    }
}
