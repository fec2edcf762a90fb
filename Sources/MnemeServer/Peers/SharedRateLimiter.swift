package import MnemeStore

/// A rate limit that holds on all servers of a store together: each takes requests out of the caller's
/// bucket in the database by the slice (``MnemeStore/RequestRate``), and lets them pass without asking
/// again.
///
/// Where the database does not answer, the server's own limit holds, for a second; then it is asked
/// again.
package actor SharedRateLimiter {
    /// What this server holds of a caller's bucket.
    private struct Slice {
        /// Requests that may pass without asking.
        var requests = 0
        /// When the bucket has another, as it said.
        var ready = ContinuousClock.now
        /// When it said so, and until when that is believed; nil where it gave some at last.
        var refused = ContinuousClock.now
        var refusedUntil: ContinuousClock.Instant?
        /// Until when the server's own limit holds.
        var aloneUntil: ContinuousClock.Instant?
        var used = ContinuousClock.now
        /// A question that is under way: all requests wait for the one.
        var asking: Task<Void, Never>?
    }

    private let perMinute: Int
    private let own: RateLimiter
    private let take: @Sendable (String, RequestRate) async throws -> RequestGrant
    private var slices: [String: Slice] = [:]

    /// - Parameters:
    ///   - perMinute: requests a minute of callers without a limit of their own; 0 sets none.
    ///   - take: asks the shared bucket.
    package init(
        perMinute: Int, take: @escaping @Sendable (String, RequestRate) async throws -> RequestGrant
    ) {
        self.perMinute = perMinute
        own = RateLimiter(perMinute: perMinute)
        self.take = take
    }

    /// nil if the caller may go on, else the seconds to wait.
    ///
    /// - Parameter limit: the caller's own requests a minute, if not everybody's.
    package func wait(for caller: String, own limit: Int? = nil) async -> Double? {
        let perMinute = limit ?? perMinute
        guard perMinute > 0 else { return nil }
        let began = ContinuousClock.now
        while true {
            let now = ContinuousClock.now
            var slice = slices[caller] ?? Slice()
            slice.used = now
            if let end = slice.aloneUntil, now < end {
                slices[caller] = slice
                return own.wait(for: caller, own: limit)
            }
            if slice.requests > 0 {
                slice.requests -= 1
                slices[caller] = slice
                return nil
            }
            // What the bucket said since this request began holds for it, however late it is read.
            if let end = slice.refusedUntil, now < end || slice.refused >= began {
                return max(0.001, (slice.ready - now) / .seconds(1))
            }
            if let asking = slice.asking {
                await asking.value
                continue
            }
            let asking = Task { await fill(caller, RequestRate(perMinute: perMinute)) }
            slice.asking = asking
            slices[caller] = slice
            forgetIdle()
            await asking.value
        }
    }

    /// Asks the bucket, and notes what it says.
    private func fill(_ caller: String, _ rate: RequestRate) async {
        let grant: RequestGrant?
        do { grant = try await take(caller, rate) } catch { grant = nil }
        var slice = slices[caller] ?? Slice()
        slice.asking = nil
        slice.refusedUntil = nil
        let now = ContinuousClock.now
        if let grant {
            slice.requests += grant.requests
            if grant.requests == 0 {
                slice.refused = now
                slice.ready = now + .seconds(grant.wait)
                // Another server's caller may be given a higher limit meanwhile.
                slice.refusedUntil = now + .seconds(min(grant.wait, 1))
            }
        } else {
            slice.aloneUntil = now + .seconds(1)
        }
        slices[caller] = slice
    }

    /// Drops what was not used for two minutes, once there are many: what it held of a bucket is
    /// lost, and the bucket fills again.
    private func forgetIdle() {
        guard slices.count > 10_000 else { return }
        let now = ContinuousClock.now
        slices = slices.filter { $0.value.asking != nil || now - $0.value.used < .seconds(120) }
    }
}
