import Foundation
import NIOConcurrencyHelpers

/// Runs blocking work on threads of its own, a bounded number at a time.
///
/// A call beyond that number waits as a suspended task: it holds no thread, neither of Swift's pool
/// nor of the queue. First come, first served. A task that is cancelled while it waits leaves the
/// queue, and its work is never begun; work that has begun is finished.
package final class WorkQueue: Sendable {
    /// Work that has not begun.
    private struct Waiting {
        var id: Int
        /// Does the work and answers the call.
        var work: @Sendable () -> Void
        /// Answers the call with a `CancellationError`.
        var cancel: @Sendable () -> Void
    }

    private struct State {
        var waiting: [Waiting] = []
        var lastID = 0
        /// Threads that are at work.
        var running = 0
    }

    private let state = NIOLockedValueBox(State())
    private let threads: DispatchQueue
    /// The most threads.
    private let width: Int

    /// - Parameters:
    ///   - label: of its threads.
    ///   - width: pieces of work at a time, one at least.
    package init(label: String, width: Int) {
        threads = DispatchQueue(label: label, attributes: .concurrent)
        self.width = max(1, width)
    }

    /// Runs `body` on a thread of the queue, once one is free.
    ///
    /// - Throws: what `body` throws, or `CancellationError` if the task is cancelled before `body`
    ///   has begun.
    package func run<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try Task.checkCancellation()
        let id = state.withLockedValue { state in
            state.lastID += 1
            return state.lastID
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { call in
                add(
                    Waiting(
                        id: id, work: { call.resume(with: Result(catching: body)) },
                        cancel: { call.resume(throwing: CancellationError()) }))
                // Cancelled before it stood in the queue, where the handler did not find it.
                if Task.isCancelled { cancel(id) }
            }
        } onCancel: {
            cancel(id)
        }
    }

    private func add(_ item: Waiting) {
        let hasThread = state.withLockedValue { state in
            state.waiting.append(item)
            guard state.running < width else { return false }
            state.running += 1
            return true
        }
        if hasThread { threads.async { self.work() } }
    }

    /// Does what waits, until nothing does.
    private func work() {
        while let item = next() { item.work() }
    }

    /// The work that has waited for longest; nil ends the thread.
    private func next() -> Waiting? {
        state.withLockedValue { state in
            guard !state.waiting.isEmpty else {
                state.running -= 1
                return nil
            }
            return state.waiting.removeFirst()
        }
    }

    private func cancel(_ id: Int) {
        let item = state.withLockedValue { state in
            state.waiting.firstIndex { $0.id == id }.map { state.waiting.remove(at: $0) }
        }
        item?.cancel()
    }
}
