public import Foundation

/// A store that several servers open at once, and what they tell each other through it: what
/// changed, who is there, and how many requests a caller may still make.
///
/// A role beside `MemoryStore`: a store in a file has none of it, and nobody misses it there.
public protocol SharedStore: Sendable {
    /// Calls `handler`, on a thread of the store's own, with what other servers commit, and with jobs
    /// that anybody adds. Returns at once; the connection is made, and made anew when it is lost, in
    /// the background.
    ///
    /// A notice comes after its commit, and may come late or, where a connection is lost, as
    /// ``StoreNotice/everything``. So it is a hint to catch up early, never a reason not to ask before
    /// an answer.
    func follow(_ handler: @escaping @Sendable (StoreNotice) -> Void)
    /// Puts a server into the table of those that are alive, where its lease is renewed until
    /// ``unfollow()``; called again, it changes the address. ``follow(_:)`` comes first.
    ///
    /// - Throws: `StoreError` if it is not there yet; renewing makes that good.
    func join(_ server: ServerIdentity) throws
    /// Ends ``follow(_:)``, and takes the server out of the table. Waits for the store's thread, a
    /// moment.
    func unfollow()
    /// True while notices come: the listening connection stands.
    var isFollowing: Bool { get }
    /// The time by the store's clock, which all servers go by to a second: what one writes is never in
    /// another's future, however wrong a machine's own clock is.
    var time: Date { get }
    /// Servers whose leases have not ended by the store's clock, in order of their ids.
    ///
    /// - Throws: `StoreError`.
    func servers() throws -> [LeasedServer]
    /// Takes requests out of a caller's bucket, which all servers share: a part of it at a time, so
    /// that few requests cost a transaction.
    ///
    /// - Throws: `StoreError`.
    func takeRequests(of caller: String, _ rate: RequestRate) throws -> RequestGrant
    /// As ``IndexFeed/pendingEmbeddings(replacing:limit:)``, of what this server has written: each
    /// embeds its own. What another has written comes, too, once it has waited half a minute.
    ///
    /// - Throws: `StoreError`.
    func ownPendingEmbeddings(limit: Int) throws -> [PendingEmbedding]
}

extension MemoryStore {
    /// The time by the clock that all who use the store share.
    package var now: Date { (self as? any SharedStore)?.time ?? Date() }
}

/// What a server is told of the others' work.
public enum StoreNotice: Sendable, Hashable {
    /// Something of an owner's memories was written, erased or embedded by another server.
    case changed(Owner)
    /// Jobs were added, or may be taken up again.
    case jobs
    /// Anything may have changed: notices could not be heard for a while.
    case everything
}

/// A server, as it puts itself into the table.
public struct ServerIdentity: Sendable, Hashable {
    /// Tells it from every other, also from an earlier one at the same address.
    public var id: String
    /// Where clients and load balancers reach it; nil for one that is not to be named to them.
    public var url: String?
    /// The program's version.
    public var version: String

    /// A server with an address.
    public init(id: String, url: String?, version: String) {
        self.id = id
        self.url = url
        self.version = version
    }
}

/// A server of the table.
public struct LeasedServer: Sendable, Hashable {
    /// Which.
    public var server: ServerIdentity
    /// When it came, by the store's clock.
    public var started: Date
    /// Seconds until its lease ends if it is not renewed, by the store's clock.
    public var secondsLeft: Double

    /// A server with its lease.
    public init(_ server: ServerIdentity, started: Date, secondsLeft: Double) {
        self.server = server
        self.started = started
        self.secondsLeft = secondsLeft
    }
}

/// How many requests a caller may make, on all servers together: a token bucket, handed out in
/// slices.
///
/// In any time of `t` seconds all servers together let at most `burst + t · perSecond + servers · slice`
/// requests pass: what was handed out in that time, and what each still held from before.
public struct RequestRate: Sendable, Equatable {
    /// Requests a second that the bucket fills with.
    public var perSecond: Double
    /// The most that the bucket holds: at least 1.
    public var burst: Double
    /// The most that a server is given at once: at least 1.
    public var slice: Double

    /// A rate by requests a minute: a sixth of them may come at once, and a slice is a twentieth of
    /// that, which lasts half a second at the full rate.
    ///
    /// - Parameter perMinute: 1 at least.
    public init(perMinute: Int) {
        perSecond = Double(perMinute) / 60
        burst = max(1, Double(perMinute) / 6)
        slice = max(1, (burst / 20).rounded(.down))
    }
}

/// What a caller's bucket gave.
public struct RequestGrant: Sendable, Equatable {
    /// Requests that the server may let pass.
    public var requests: Int
    /// Seconds until there is another, where there is none now.
    public var wait: Double

    /// So many requests, or the time to wait.
    public init(requests: Int, wait: Double) {
        self.requests = requests
        self.wait = wait
    }
}
