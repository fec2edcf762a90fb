import MnemeServer
import MnemeStore
import NIOConcurrencyHelpers
import Testing

@Suite struct RendezvousHashTests {
    private let urls = (1...3).map { "http://10.0.0.\($0):8420" }

    @Test(
        arguments: [
            ("ana", "http://10.0.0.3:8420"), ("bob", "http://10.0.0.2:8420"), ("日本", "http://10.0.0.3:8420"),
        ])
    func `the same as everybody who knows the addresses computes`(user: String, url: String) {
        // Expected values: SHA-256 of address, tenant and user by Python's hashlib.
        #expect(RendezvousHash.url(of: Owner(user: user), among: urls) == url)
        #expect(RendezvousHash.url(of: Owner(user: user), among: urls.reversed()) == url)
    }

    @Test func `a server that goes moves its own owners alone, and each has its share`() {
        let owners = (0..<3_000).map { Owner(tenant: "t\($0 % 7)", user: "user\($0)") }
        let before = owners.map { RendezvousHash.url(of: $0, among: urls) }
        let after = owners.map { RendezvousHash.url(of: $0, among: Array(urls.dropLast())) }
        for (i, url) in before.enumerated() where url != urls[2] { #expect(after[i] == url) }
        for url in urls { #expect((850...1_150).contains(before.count { $0 == url })) }
        #expect(RendezvousHash.url(of: owners[0], among: []) == nil)
    }
}

@Suite struct SharedRateLimiterTests {
    /// A bucket that does not fill, and how often it was asked.
    private final class Bucket: Sendable {
        private let state: NIOLockedValueBox<(left: Int, asked: Int, fails: Bool)>
        init(_ count: Int) { state = NIOLockedValueBox((count, 0, false)) }
        var asked: Int { state.withLockedValue(\.asked) }
        func fail(_ fails: Bool) { state.withLockedValue { $0.fails = fails } }

        func take(_ caller: String, _ rate: RequestRate) throws -> RequestGrant {
            try state.withLockedValue { state in
                state.asked += 1
                if state.fails { throw StoreError(.unavailable, "The database does not answer.") }
                let count = min(state.left, Int(rate.slice))
                state.left -= count
                return RequestGrant(requests: count, wait: count > 0 ? 0 : 7)
            }
        }
    }

    /// How many of so many requests at once pass.
    private func passing(_ count: Int, _ limiters: [SharedRateLimiter]) async -> Int {
        await withTaskGroup(of: Bool.self) { group in
            for i in 0..<count {
                group.addTask { await limiters[i % limiters.count].wait(for: "ana") == nil }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
    }

    @Test func `two servers let pass what the bucket holds, and ask it once a slice`() async {
        let bucket = Bucket(1_000)
        // 1,000 may come at once, and a slice is 50 of them.
        let limiters = (0..<2).map { _ in SharedRateLimiter(perMinute: 6_000) { try bucket.take($0, $1) } }
        let passed = await passing(1_500, limiters)
        #expect(passed == 1_000)
        // Twenty slices, and at least one server is refused: that is believed for a second, of which a
        // slow machine may take some.
        #expect((21...60).contains(bucket.asked))
        let wait = await limiters[0].wait(for: "ana")
        #expect(wait.map { $0 > 5 && $0 <= 7 } == true)
    }

    @Test func `without an answer the server's own limit holds`() async {
        let bucket = Bucket(1_000)
        bucket.fail(true)
        let limiter = SharedRateLimiter(perMinute: 60) { try bucket.take($0, $1) }
        // Ten may come at once; some more in the time that this takes.
        let passed = await passing(100, [limiter])
        #expect((10...12).contains(passed) && bucket.asked <= 2)
    }

    @Test func `a limit of 0 is none, and a key's own goes before`() async {
        let bucket = Bucket(0)
        let limiter = SharedRateLimiter(perMinute: 0) { try bucket.take($0, $1) }
        #expect(await limiter.wait(for: "ana") == nil && bucket.asked == 0)
        #expect(await limiter.wait(for: "ana", own: 6) != nil && bucket.asked == 1)
    }
}
