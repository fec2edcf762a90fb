import MnemeStore
import NIOConcurrencyHelpers

/// The servers of a shared store as this one last read them: some seconds old, so that no request
/// waits for them.
final class PeerTable: Sendable {
    /// Seconds after which the table is read anew, in the background.
    private static let age = Duration.seconds(5)

    private struct State {
        var urls: [String] = []
        var read: ContinuousClock.Instant?
        var isReading = false
    }

    private let state = NIOLockedValueBox(State())
    private let load: @Sendable () async throws -> [LeasedServer]

    /// - Parameter load: reads the table of the store, off Swift's cooperative threads.
    init(_ load: @escaping @Sendable () async throws -> [LeasedServer]) { self.load = load }

    /// Reads the table now.
    func read() async throws -> [LeasedServer] {
        let servers = try await load()
        state.withLockedValue {
            $0.urls = Array(Set(servers.compactMap(\.server.url)))
            $0.read = .now
        }
        return servers
    }

    /// The address that an owner belongs to; nil where no server has one, and at first.
    func url(of owner: Owner) -> String? {
        let (urls, isOld) = state.withLockedValue { state in
            let isOld = !state.isReading && state.read.map { .now - $0 > Self.age } ?? true
            if isOld { state.isReading = true }
            return (state.urls, isOld)
        }
        if isOld {
            Task {
                // What fails is tried again with a later request; the answer goes without.
                _ = try? await read()
                state.withLockedValue { $0.isReading = false }
            }
        }
        return RendezvousHash.url(of: owner, among: urls)
    }
}
