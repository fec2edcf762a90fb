import Foundation
import NIOConcurrencyHelpers

/// Batches calls: those that arrive while a batch is worked on go into the next one together.
/// Nobody's thread waits.
///
/// As group commit: a call that is alone waits for nobody; a hundred that arrive together cost one
/// wait for the disk. As a batch of questions: each pass over an embedder's weights serves all that
/// wait. Each call stands or falls for itself.
final class BatchQueue<Item: Sendable, Answer: Sendable>: Sendable {
    /// Works on a batch; the results are in its order. Blocks.
    typealias Work = @Sendable ([Item]) -> [Result<Answer, any Error>]
    /// An item, and the call that waits for its answer.
    private typealias Waiting = (item: Item, continuation: CheckedContinuation<Answer, any Error>)

    /// Calls that have come since the batch that runs now began.
    private let waiting = NIOLockedValueBox<[Waiting]>([])
    /// Serial: one batch at a time.
    private let queue: DispatchQueue

    /// - Parameter label: of its thread.
    init(label: String) { queue = DispatchQueue(label: label) }

    /// Returns when the item's batch is done.
    ///
    /// - Parameter work: the same for all that wait.
    func run(_ item: Item, by work: @escaping Work) async throws -> Answer {
        try await withCheckedThrowingContinuation { continuation in
            let isFirst = waiting.withLockedValue { waiting in
                waiting.append((item, continuation))
                return waiting.count == 1
            }
            if isFirst { queue.async { self.drain(work) } }
        }
    }

    /// Works on all that waits. A batch that fails as a whole is done again one by one, so that the
    /// item at fault alone fails.
    private func drain(_ work: Work) {
        let batch = waiting.withLockedValue { waiting in
            defer { waiting = [] }
            return waiting
        }
        var results = work(batch.map(\.item))
        // One that is too large must not take its neighbours with it.
        if batch.count > 1, results.allSatisfy(\.isFailure) {
            results = batch.flatMap { work([$0.item]) }
        }
        for (waiting, result) in zip(batch, results) { waiting.continuation.resume(with: result) }
    }
}

extension Result {
    /// A failed result, whatever its error.
    fileprivate var isFailure: Bool { if case .failure = self { true } else { false } }
}
