import Foundation
import NIOConcurrencyHelpers

/// Batches calls: those that arrive while a batch is worked on go into the next one together.
/// Nobody's thread waits.
///
/// As group commit: a call that is alone waits for nobody; a hundred that arrive together cost one
/// wait for the disk. As a batch of questions: each pass over an embedder's weights serves all that
/// wait. Each call stands or falls for itself. A task that is cancelled while it waits leaves the
/// queue, and nothing is done of its item; a batch that has begun is finished.
package final class BatchQueue<Item: Sendable, Answer: Sendable>: Sendable {
    /// Works on a batch; the results are in its order. Blocks.
    package typealias Work = @Sendable ([Item]) -> [Result<Answer, any Error>]
    /// An item, and the call that waits for its answer.
    private struct Waiting {
        var id: Int
        var item: Item
        var call: CheckedContinuation<Answer, any Error>
    }

    private struct State {
        /// Calls that have come since the batch that runs now began.
        var waiting: [Waiting] = []
        var lastID = 0
    }

    private let state = NIOLockedValueBox(State())
    /// Serial: one batch at a time.
    private let queue: DispatchQueue

    /// - Parameter label: of its thread.
    package init(label: String) { queue = DispatchQueue(label: label) }

    /// Returns when the item's batch is done.
    ///
    /// - Parameter work: the same for all that wait.
    /// - Throws: what the work says of the item, or `CancellationError` if the task is cancelled
    ///   before its batch has begun.
    package func run(_ item: Item, by work: @escaping Work) async throws -> Answer {
        try Task.checkCancellation()
        let id = state.withLockedValue { state in
            state.lastID += 1
            return state.lastID
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { call in
                let isFirst = state.withLockedValue { state in
                    state.waiting.append(Waiting(id: id, item: item, call: call))
                    return state.waiting.count == 1
                }
                if isFirst { queue.async { self.drain(work) } }
                // Cancelled before it stood in the queue, where the handler did not find it.
                if Task.isCancelled { cancel(id) }
            }
        } onCancel: {
            cancel(id)
        }
    }

    private func cancel(_ id: Int) {
        let call = state.withLockedValue { state in
            state.waiting.firstIndex { $0.id == id }.map { state.waiting.remove(at: $0).call }
        }
        call?.resume(throwing: CancellationError())
    }

    /// Works on all that waits. A batch that fails as a whole is done again one by one, so that the
    /// item at fault alone fails.
    private func drain(_ work: Work) {
        let batch = state.withLockedValue { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        guard !batch.isEmpty else { return }
        var results = work(batch.map(\.item))
        // One that is too large must not take its neighbours with it.
        if batch.count > 1, results.allSatisfy(\.isFailure) {
            results = batch.flatMap { work([$0.item]) }
        }
        for (waiting, result) in zip(batch, results) { waiting.call.resume(with: result) }
    }
}

extension Result {
    /// A failed result, whatever its error.
    fileprivate var isFailure: Bool { if case .failure = self { true } else { false } }
}
