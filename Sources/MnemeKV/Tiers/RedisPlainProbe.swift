#if Server && canImport(NIOSSL)
    import NIOCore
    import NIOPosix

    /// Asks whether a server speaks Redis without TLS.
    ///
    /// A Redis without TLS takes the first message of TLS for the beginning of a command, and waits
    /// for its end: the client would learn nothing until its own time-out. So whoever hears nothing
    /// for a while asks in plain, on a connection of its own.
    struct RedisPlainProbe {
        /// Time without an answer over TLS after which it is asked: many times what a handshake takes.
        static let patience = TimeAmount.milliseconds(300)

        let host: String, port: Int
        let loop: any EventLoop

        /// Calls `found` on the loop if the server answers in plain as Redis does. One that does not,
        /// or not within a second, is left to the time-out of the connection over TLS.
        func ask(_ found: @escaping @Sendable () -> Void) {
            ClientBootstrap(group: loop).connectTimeout(.seconds(1)).channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answer(found))
                }
            }.connect(host: host, port: port).whenSuccess { channel in
                channel.writeAndFlush(ByteBuffer(string: "PING\r\n"), promise: nil)
                channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
            }
        }

        /// Looks at the first byte: `+` begins PONG, `-` a refusal (no password was given). An alert of
        /// TLS begins with another.
        private final class Answer: ChannelInboundHandler {
            typealias InboundIn = ByteBuffer
            private let found: @Sendable () -> Void

            init(_ found: @escaping @Sendable () -> Void) { self.found = found }

            func channelRead(context: ChannelHandlerContext, data: NIOAny) {
                let bytes = unwrapInboundIn(data).readableBytesView
                if let first = bytes.first, "+-".utf8.contains(first) { found() }
                context.close(promise: nil)
            }
        }
    }
#endif
