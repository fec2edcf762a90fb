import Foundation
import MnemeStore

/// The connections of a store: so many at most, lent to one call at a time.
///
/// Where one is lost, those that wait are closed: they are made anew.
///
/// A call that finds all of them in use waits, on a thread of the store's callers. Connections that
/// waited unused for long are looked at before they are lent, and closed after ten minutes.
final class PGPool: Sendable {
    let settings: PostgresSettings
    private let state = State()

    /// What is lent, and what waits. Guarded by the condition.
    private final class State: @unchecked Sendable {
        let condition = NSCondition()
        var idle: [PGConnection] = []
        var count = 0
        var isClosed = false
    }

    /// Times that a call is tried where connections are lost.
    static let attempts = 5
    /// Seconds after which a connection that nobody used is closed.
    private static let age = Duration.seconds(600)

    init(_ settings: PostgresSettings) { self.settings = settings }

    /// Lends a connection to `body`. One that is left in the middle of something is closed.
    ///
    /// - Throws: what `body` throws, and ``PGFailure`` or ``StoreError`` if there is no connection.
    func lend<T>(_ body: (PGConnection) throws -> T) throws -> T {
        let connection = try take()
        defer { giveBack(connection) }
        do { return try body(connection) } catch let failure as PGFailure where failure.isLoss {
            // What became of one has become of those that rest, most likely; they would tell it one by
            // one, each after a while.
            dropIdle()
            throw failure
        }
    }

    /// Closes the connections that wait.
    private func dropIdle() {
        state.condition.lock()
        let dropped = state.idle
        state.count -= dropped.count
        state.idle = []
        state.condition.broadcast()
        state.condition.unlock()
        // They are closed here, outside of the lock.
        withExtendedLifetime(dropped) {}
    }

    private func take() throws -> PGConnection {
        let end = Date() + settings.connectTimeout
        state.condition.lock()
        while true {
            guard !state.isClosed else {
                state.condition.unlock()
                throw StoreError(.unavailable, "The store was closed.")
            }
            if let connection = state.idle.popLast() {
                if connection.isSound {
                    state.condition.unlock()
                    return connection
                }
                state.count -= 1
                continue
            }
            if state.count < settings.connections { break }
            guard state.condition.wait(until: end) else {
                state.condition.unlock()
                throw StoreError(
                    .busy,
                    "All \(settings.connections) connections to \(settings.name) are in use. Try again, or raise mneme_connections in the store's URL."
                )
            }
        }
        state.count += 1
        state.condition.unlock()
        do { return try PGConnection(settings) } catch {
            forget()
            throw error
        }
    }

    /// Makes room for another connection.
    private func forget() {
        state.condition.lock()
        state.count -= 1
        state.condition.signal()
        state.condition.unlock()
    }

    private func giveBack(_ connection: PGConnection) {
        guard connection.isSound else { return forget() }
        connection.lastUse = .now
        state.condition.lock()
        if state.isClosed { state.count -= 1 } else { state.idle.append(connection) }
        // The longest unused stand first.
        while let oldest = state.idle.first, .now - oldest.lastUse > Self.age {
            state.idle.removeFirst()
            state.count -= 1
        }
        state.condition.signal()
        state.condition.unlock()
    }

    /// Closes what is not lent; what is lent is closed when it comes back.
    func close() {
        state.condition.lock()
        state.isClosed = true
        state.count -= state.idle.count
        state.idle = []
        state.condition.broadcast()
        state.condition.unlock()
    }
}
