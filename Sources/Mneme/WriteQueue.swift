import Foundation
import NIOConcurrencyHelpers

/// Group commit: calls that arrive while the disk is busy go into the next transaction together.
///
/// One transaction is written at a time. A call that is alone waits for nobody; a hundred that arrive
/// together cost one wait for the disk. Each stands or falls for itself.
final class WriteQueue<Write: Sendable, Answer: Sendable>: Sendable {
    /// Writes a group in one transaction; the results are in its order.
    typealias GroupCommit = @Sendable ([Write]) -> [Result<Answer, any Error>]
    private typealias Waiting = (write: Write, continuation: CheckedContinuation<Answer, any Error>)

    private let waiting = NIOLockedValueBox<[Waiting]>([])
    private let queue = DispatchQueue(label: "mneme.writes")

    /// Returns when the write is on disk.
    ///
    /// - Parameter commit: the same for all that wait.
    func commit(_ write: Write, by commit: @escaping GroupCommit) async throws -> Answer {
        try await withCheckedThrowingContinuation { continuation in
            let isFirst = waiting.withLockedValue { waiting in
                waiting.append((write, continuation))
                return waiting.count == 1
            }
            if isFirst { queue.async { self.drain(commit) } }
        }
    }

    private func drain(_ commit: GroupCommit) {
        let group = waiting.withLockedValue { waiting in
            defer { waiting = [] }
            return waiting
        }
        var results = commit(group.map(\.write))
        // A request that is too large for the disk must not take its neighbours with it.
        if group.count > 1, results.allSatisfy(\.isFailure) {
            results = group.flatMap { commit([$0.write]) }
        }
        for (item, result) in zip(group, results) { item.continuation.resume(with: result) }
    }
}

extension Result {
    fileprivate var isFailure: Bool { if case .failure = self { true } else { false } }
}
