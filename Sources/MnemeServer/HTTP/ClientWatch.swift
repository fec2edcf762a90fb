import Hummingbird
import NIOCore
import NIOHTTPTypes

/// Ends the work on a request whose answer nobody can take any more: when the client closes its
/// side of the connection, and some time after the server was told to stop.
///
/// HTTP/1.1 answers one request of a connection at a time, so that there is one piece of work.
final class ClientWatch: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart

    /// The time from the server's end to that of the work.
    private let grace: TimeAmount
    /// True once no answer is waited for any more.
    private var isOver = false
    /// Ends the work on the current request; nil while there is none.
    private var cancel: (@Sendable () -> Void)?
    /// Ends the work when the grace is over.
    private var stopping: Scheduled<Void>?

    init(grace: Duration) { self.grace = TimeAmount(grace) }

    /// The client has closed its side, or the server stops.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { end() }
        if event is ChannelShouldQuiesceEvent, stopping == nil {
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            stopping = context.eventLoop.scheduleTask(in: grace) { bound.value.end() }
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// The connection is lost.
    func channelInactive(context: ChannelHandlerContext) {
        stopping?.cancel()
        end()
        context.fireChannelInactive()
    }

    private func end() {
        isOver = true
        cancel?()
        cancel = nil
    }

    /// Sets what ends the work on the current request; nil when the work is done.
    fileprivate static func set(_ cancel: (@Sendable () -> Void)?, on channel: any Channel) {
        channel.eventLoop.execute {
            // A closed connection has no handlers any more.
            guard let watch = try? channel.pipeline.syncOperations.handler(type: ClientWatch.self),
                !watch.isOver
            else {
                cancel?()
                return
            }
            watch.cancel = cancel
        }
    }
}

@available(*, unavailable)
extension ClientWatch: Sendable {}

/// The context of a request: Hummingbird's part, and its connection.
struct ConnectionContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The request's connection.
    private let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }

    /// Runs `work` and gives its value; it is cancelled when the client closes its side of the
    /// connection.
    ///
    /// - Throws: what `work` throws.
    func whileConnected<R: Sendable>(_ work: @escaping @Sendable () async throws -> R) async throws
        -> R
    {
        let task = Task { try await work() }
        ClientWatch.set({ task.cancel() }, on: channel)
        defer { ClientWatch.set(nil, on: channel) }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// An answer as it was, except that sending it piece by piece ends when the client closes its
    /// side of the connection.
    func endingWithClient(_ response: Response) -> Response {
        guard response.body.contentLength == nil else { return response }
        var response = response
        let body = response.body
        response.body = ResponseBody { writer in
            nonisolated(unsafe) let writer = writer
            try await whileConnected { try await body.write(writer) }
        }
        return response
    }
}
