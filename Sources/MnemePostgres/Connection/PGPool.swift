import Dispatch
import MnemeStore
import NIOConcurrencyHelpers

/// The connections of a store: so many at most, lent to one call at a time.
///
/// Where one is lost, those that wait are closed: they are made anew.
///
/// A call that finds all of them in use waits, on a thread of the store's callers, by a clock that
/// nobody sets; whoever has waited longest is told first. Connections that waited unused for long are
/// looked at before they are lent, and closed after ten minutes.
final class PGPool: Sendable {
    let settings: PostgresSettings
    private let state = NIOLockedValueBox(State())

    /// What is lent, and what waits.
    private struct State {
        /// Connections that nobody uses, the longest unused first.
        var idle: [IdleConnection] = []
        /// Connections, lent ones too.
        var count = 0
        /// Calls that wait, the first first. One that is signalled is taken out before.
        var waiting: [DispatchSemaphore] = []
        var isClosed = false

        /// Lets the first that waits look again.
        mutating func wake() {
            if !waiting.isEmpty { waiting.removeFirst().signal() }
        }
    }

    /// A connection on its way from one thread to another.
    private struct IdleConnection: @unchecked Sendable {
        let connection: PGConnection
    }

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
        let dropped = state.withLockedValue { state in
            let dropped = state.idle
            state.count -= dropped.count
            state.idle = []
            for _ in dropped { state.wake() }
            return dropped
        }
        // They are closed here, outside of the lock.
        withExtendedLifetime(dropped) {}
    }

    /// What a call that wants a connection finds.
    private enum Place {
        /// One that rested.
        case idle(PGConnection)
        /// Room for another.
        case free
        /// Nothing yet.
        case wait(DispatchSemaphore)
    }

    private func take() throws -> PGConnection {
        // Dispatch's time is one that nobody sets, unlike `Date`.
        let end = DispatchTime.now() + settings.connectTimeout
        while true {
            switch try place() {
            case .idle(let connection):
                if connection.isSound, connection.renewPlans() { return connection }
                forget()
            case .free:
                do { return try PGConnection(settings) } catch {
                    forget()
                    throw error
                }
            case .wait(let semaphore):
                if semaphore.wait(timeout: end) == .timedOut { try giveUp(semaphore) }
            }
        }
    }

    private func place() throws -> Place {
        try state.withLockedValue { state in
            guard !state.isClosed else { throw StoreError(.unavailable, "The store was closed.") }
            if let idle = state.idle.popLast() { return .idle(idle.connection) }
            guard state.count >= settings.connections else {
                state.count += 1
                return .free
            }
            let semaphore = DispatchSemaphore(value: 0)
            state.waiting.append(semaphore)
            return .wait(semaphore)
        }
    }

    /// Waits no more; returns if the turn has come just now.
    private func giveUp(_ semaphore: DispatchSemaphore) throws {
        let waited = state.withLockedValue { state in
            guard let place = state.waiting.firstIndex(where: { $0 === semaphore }) else { return false }
            state.waiting.remove(at: place)
            return true
        }
        guard waited else { return }
        throw StoreError(
            .busy,
            "All \(settings.connections) connections to \(settings.name) are in use. Try again, or raise mneme_connections in the store's URL."
        )
    }

    /// Makes room for another connection.
    private func forget() {
        state.withLockedValue { state in
            state.count -= 1
            state.wake()
        }
    }

    private func giveBack(_ connection: PGConnection) {
        guard connection.isSound else { return forget() }
        connection.lastUse = .now
        let idle = IdleConnection(connection: connection)
        let old = state.withLockedValue { state in
            if state.isClosed { state.count -= 1 } else { state.idle.append(idle) }
            let old = state.idle.prefix { .now - $0.connection.lastUse > Self.age }
            state.idle.removeFirst(old.count)
            state.count -= old.count
            for _ in 0...old.count { state.wake() }
            return old
        }
        withExtendedLifetime(old) {}
    }

    /// Closes what is not lent; what is lent is closed when it comes back.
    func close() {
        let closed = state.withLockedValue { state in
            state.isClosed = true
            let closed = state.idle
            state.count -= closed.count
            state.idle = []
            while !state.waiting.isEmpty { state.wake() }
            return closed
        }
        withExtendedLifetime(closed) {}
    }
}
