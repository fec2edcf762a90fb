import NIOConcurrencyHelpers
import NIOCore
import NIOHTTPTypes

/// Limits of a connection, so that slow or greedy clients take nothing from the others.
public struct ConnectionLimits: Sendable {
    /// Connections from one address at a time.
    public var perAddress = 512
    /// From the connection's beginning to the end of its first request's header.
    public var header = Duration.seconds(15)
    /// Between two requests, the next one's header included.
    public var idle = Duration.seconds(60)
    /// For a request's body, besides a second for each 32 KiB of it.
    public var body = Duration.seconds(30)
    /// Without taking anything of an answer.
    public var stalled = Duration.seconds(60)
    /// From the server's end to that of answers that a model still computes: within the ten seconds
    /// that containers have.
    public var grace = Duration.seconds(7)

    /// The defaults.
    public init() {}
}

/// The number of connections of each address.
final class ConnectionCounts: Sendable {
    /// Open connections by address; an address without any has no entry.
    private let counts = NIOLockedValueBox<[String: Int]>([:])

    /// True if one more fits; then it is counted.
    func take(_ address: String, most: Int) -> Bool {
        counts.withLockedValue { counts in
            guard counts[address, default: 0] < most else { return false }
            counts[address, default: 0] += 1
            return true
        }
    }

    /// Stops counting a connection.
    func release(_ address: String) {
        counts.withLockedValue { counts in
            let left = counts[address, default: 0] - 1
            counts[address] = left > 0 ? left : nil
        }
    }
}

/// Closes a connection that is one too many, or that lets the server wait: for a header, for a
/// body, or for an answer to be taken. Waiting between requests is Hummingbird's `idleTimeout`.
final class ConnectionLimiter: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    /// The server's limits, and the counts that all its connections share.
    private let limits: ConnectionLimits, counts: ConnectionCounts
    /// The address that this connection is counted for.
    private var counted: String?
    /// Closes the connection if the client has not sent in time what is waited for.
    private var reading: Scheduled<Void>?
    /// Closes the connection if the client has not taken anything in time.
    private var writing: Scheduled<Void>?
    /// The time at which the current request's body began, and bytes of it so far.
    private var bodyStart = NIODeadline.now(), bodyBytes = 0

    init(limits: ConnectionLimits, counts: ConnectionCounts) {
        (self.limits, self.counts) = (limits, counts)
    }

    /// Begins at once on a channel that is active already.
    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    /// Begins when the channel becomes active.
    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    /// Stops the timers with the handler.
    func handlerRemoved(context: ChannelHandlerContext) { end() }

    /// Stops the timers with the connection.
    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    /// A head ends the wait for it and begins that for the body; the end of a request ends both.
    /// Between requests Hummingbird waits.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            reading?.cancel()
            (bodyStart, bodyBytes) = (.now(), 0)
            waitForBody(context)
        case .body(let buffer): bodyBytes += buffer.readableBytes
        case .end: reading?.cancel()
        }
        context.fireChannelRead(data)
    }

    /// A client that takes nothing fills the buffers: then it has a time to take some.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        writing?.cancel()
        if !context.channel.isWritable { writing = close(context, in: TimeAmount(limits.stalled)) }
        context.fireChannelWritabilityChanged()
    }

    /// Counts the connection, or closes it if its address has too many; then the header is waited
    /// for.
    private func begin(_ context: ChannelHandlerContext) {
        guard counted == nil else { return }
        let address = context.channel.remoteAddress?.ipAddress ?? ""
        guard counts.take(address, most: limits.perAddress) else {
            context.close(promise: nil)
            return
        }
        counted = address
        reading = close(context, in: TimeAmount(limits.header))
    }

    /// Ends all waiting and gives the connection's place back, once.
    private func end() {
        reading?.cancel()
        writing?.cancel()
        if let counted { counts.release(counted) }
        counted = nil
    }

    /// Looks again when the time for what has come of a body is over.
    private func waitForBody(_ context: ChannelHandlerContext) {
        let deadline = bodyStart + TimeAmount(limits.body) + .seconds(Int64(bodyBytes >> 15))
        guard deadline > .now() else {
            context.close(promise: nil)
            return
        }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        reading = context.eventLoop.scheduleTask(deadline: deadline) {
            let (handler, context) = bound.value
            handler.waitForBody(context)
        }
    }

    /// Closes the connection after a time, unless what is returned is cancelled before.
    private func close(_ context: ChannelHandlerContext, in time: TimeAmount) -> Scheduled<Void> {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        return context.eventLoop.scheduleTask(in: time) { bound.value.close(promise: nil) }
    }
}

@available(*, unavailable)
extension ConnectionLimiter: Sendable {}
