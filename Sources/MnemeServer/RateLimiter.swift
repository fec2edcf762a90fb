import NIOConcurrencyHelpers

/// A token bucket for each caller.
final class RateLimiter: Sendable {
    /// A caller's remaining requests, and when they were counted.
    private struct Bucket {
        var tokens: Double
        var last: ContinuousClock.Instant
    }
    /// Requests a minute; a sixth of it may come at once.
    private let perMinute: Int
    /// Buckets by caller. Beyond 10 000 those that are full again are dropped.
    private let buckets = NIOLockedValueBox<[String: Bucket]>([:])

    /// A limiter at which every caller begins with a full bucket.
    ///
    /// - Parameter perMinute: 0 sets no limit.
    init(perMinute: Int) {
        self.perMinute = perMinute
    }

    /// nil if the caller may go on, else the seconds to wait.
    ///
    /// - Parameter own: the caller's own requests a minute, if not everybody's.
    func wait(for caller: String, own: Int? = nil, now: ContinuousClock.Instant = .now) -> Double? {
        let perMinute = own ?? perMinute
        let perSecond = Double(perMinute) / 60
        let burst = max(1, Double(perMinute) / 6)
        guard perSecond > 0 else { return nil }
        return buckets.withLockedValue { buckets in
            if buckets.count > 10_000 {
                buckets = buckets.filter { now - $0.value.last < .seconds(120) }
            }
            var bucket = buckets[caller] ?? Bucket(tokens: burst, last: now)
            bucket.tokens = min(
                burst, bucket.tokens + (now - bucket.last) / .seconds(1) * perSecond)
            bucket.last = now
            defer { buckets[caller] = bucket }
            guard bucket.tokens >= 1 else { return (1 - bucket.tokens) / perSecond }
            bucket.tokens -= 1
            return nil
        }
    }
}
