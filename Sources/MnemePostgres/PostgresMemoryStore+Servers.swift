public import Foundation
public import MnemeStore
import NIOConcurrencyHelpers

/// What servers of one store share: notices, leases, callers' requests. All times are the database's,
/// so that servers' clocks may differ.
extension PostgresMemoryStore: SharedStore {
    /// One connection more, beside those of the pool.
    public func follow(_ handler: @escaping @Sendable (StoreNotice) -> Void) {
        let listener = PGListener(pool.settings, notices, handler)
        let former = self.listener.withLockedValue { present in
            defer { present = listener }
            return present
        }
        former?.stop()
        listener.start()
    }

    /// Ends the listener's thread.
    public func unfollow() {
        let listener = listener.withLockedValue { present in
            defer { present = nil }
            return present
        }
        listener?.stop()
    }

    /// As the listener last knew.
    public var isFollowing: Bool { listener.withLockedValue(\.self)?.isListening ?? false }

    /// Measured with each connection, and whenever the lease is renewed.
    public var time: Date { pool.settings.clock.now }

    /// A row with a lease, which the listener renews.
    public func join(_ server: ServerIdentity) throws {
        try TextRules.requireStorable([server.id, server.url, server.version])
        listener.withLockedValue(\.self)?.keep(server, known: known)
        try repeating(true) {
            _ = try pool.lend { try $0.together([PGListener.renewal(of: server, known: known)]) }
        }
    }

    /// Reads the table, without a lock.
    public func servers() throws -> [LeasedServer] {
        try repeating(true) {
            try pool.lend { db in
                try db.together([
                    (
                        """
                        SELECT id, url, version, extract(epoch FROM started)::double precision AS started,
                            extract(epoch FROM expires - clock_timestamp())::double precision AS left_over
                        FROM server WHERE expires > clock_timestamp() ORDER BY id
                        """, []
                    )
                ]).map { row in
                    LeasedServer(
                        ServerIdentity(
                            id: try row.value("id"), url: try row.text("url"), version: try row.value("version")),
                        started: try row.date("started"), secondsLeft: try row.value("left_over"))
                }
            }
        }
    }

    /// One statement: whoever comes second waits for the row, and counts from what the first has left
    /// (PostgreSQL documentation, 13.2.1 "Read Committed").
    ///
    /// The time of a bucket never goes back, though the database's clock may: what was filled is not
    /// filled again.
    public func takeRequests(of caller: String, _ rate: RequestRate) throws -> RequestGrant {
        try TextRules.requireStorable([caller])
        // What the bucket holds by now, in terms of its row.
        let filled = """
            least(?::double precision, bucket.tokens
                + greatest(0, extract(epoch FROM now() - bucket.time))::double precision * ?::double precision)
            """
        let slice = "least(?::double precision, floor(greatest(0, \(filled))))"
        let each: PGArguments = [rate.burst, rate.perSecond]
        let sql = """
            INSERT INTO request_bucket AS bucket (caller, tokens, granted, time)
            VALUES (?, ?::double precision, ?::double precision, now())
            ON CONFLICT (caller) DO UPDATE SET granted = \(slice), tokens = \(filled) - \(slice),
                time = greatest(bucket.time, now())
            RETURNING granted, tokens
            """
        let first = min(rate.slice, rate.burst.rounded(.down))
        let arguments: PGArguments =
            [caller, rate.burst - first, first, rate.slice] + each + each + [rate.slice] + each
        let row = try repeating(true) { try pool.lend { try $0.together([(sql, arguments)]).first } }
        guard let row else { throw StoreError(.unavailable, "\(name) gave no answer. Repeat it.") }
        let granted: Double = try row.value("granted")
        let left: Double = try row.value("tokens")
        return RequestGrant(
            requests: Int(granted), wait: granted >= 1 ? 0 : max(0.001, (1 - left) / rate.perSecond))
    }
}
