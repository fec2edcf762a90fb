import NIOConcurrencyHelpers

/// Wakes a task that pauses before its time is over. A signal that is sent while nobody waits ends the
/// next pause at once.
final class WakeSignal: Sendable {
    private struct State {
        var wasSent = false
        /// The pause that is on, and its number.
        var waiting: CheckedContinuation<Void, Never>?
        var number = 0
        /// The last pause that was ended by its time or its task.
        var ended = 0
    }

    private let state = NIOLockedValueBox(State())

    /// Ends the pause that is on, or the next.
    func send() {
        let waiting = state.withLockedValue { state in
            state.wasSent = state.waiting == nil
            return state.waiting.take()
        }
        waiting?.resume()
    }

    /// Waits until the signal is sent, the time is over, or the task is cancelled. One task waits at a
    /// time; a second one does not wait.
    func wait(atMost time: Duration) async {
        let number = state.withLockedValue { state in
            state.number += 1
            return state.number
        }
        let timer = Task {
            try? await Task.sleep(for: time)
            end(number)
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { call in
                let waits = state.withLockedValue { state in
                    defer { state.wasSent = false }
                    guard !state.wasSent, state.waiting == nil, state.ended < number, !Task.isCancelled
                    else { return false }
                    state.waiting = call
                    return true
                }
                if !waits { call.resume() }
            }
        } onCancel: {
            end(number)
        }
        timer.cancel()
    }

    /// Ends one pause, if it is still on.
    private func end(_ number: Int) {
        let waiting = state.withLockedValue { state -> CheckedContinuation<Void, Never>? in
            state.ended = max(state.ended, number)
            guard state.number == number else { return nil }
            return state.waiting.take()
        }
        waiting?.resume()
    }
}
