import Foundation
import MnemeBase

#if Server && canImport(NIOSSL)
    import NIOConcurrencyHelpers
    import NIOCore
    import NIOPosix
    import NIOSSL

    /// A connection over TLS, whose bytes are read and written in plain at one end of a pair of
    /// sockets: hiredis uses that end as it uses any socket.
    ///
    /// The server must show a certificate for its host's name (or address), signed by an authority
    /// that is believed; TLS 1.2 is the least. Ends when the plain end is closed.
    final class RedisTunnel: Sendable {
        /// The plain end. Whoever takes it closes it.
        let descriptor: Int32
        private let fault = NIOLockedValueBox<String?>(nil)

        /// What a connection needs besides its address; made once, as reading authorities takes time.
        struct Context: Sendable {
            fileprivate let context: NIOSSLContext

            /// Reads the files.
            ///
            /// - Throws: ``KVError`` that names the file that cannot be used.
            init(_ tls: RedisAddress.TLS) throws {
                var settings = TLSConfiguration.makeClientConfiguration()
                settings.minimumTLSVersion = .tlsv12
                settings.certificateVerification = .fullVerification
                if let file = tls.authorities {
                    settings.trustRoots = .certificates(
                        try Self.use(file) { try NIOSSLCertificate.fromPEMFile(file) })
                }
                if let file = tls.certificate, let key = tls.key {
                    settings.certificateChain = try Self.use(file) {
                        try NIOSSLCertificate.fromPEMFile(file).map { .certificate($0) }
                    }
                    settings.privateKey = .privateKey(
                        try Self.use(key) { try NIOSSLPrivateKey(file: key, format: .pem) })
                }
                context = try Self.use(tls.certificate ?? tls.authorities ?? "The system's list of authorities") {
                    try NIOSSLContext(configuration: settings)
                }
            }

            private static func use<T>(_ file: String, _ body: () throws -> T) throws -> T {
                do { return try body() } catch {
                    throw KVError(
                        .inputOutput,
                        "\(file) cannot be used for TLS: it must be there, readable, and in PEM form (\(error)).")
                }
            }
        }

        /// Connects. The handshake goes on behind it: whether it fails shows at the plain end, which
        /// is closed then, and in ``reason``.
        ///
        /// - Throws: ``KVError`` if there is no connection within a second.
        init(to address: RedisAddress, _ context: Context) throws {
            var pair: [Int32] = [-1, -1]
            #if os(Linux)
                let kind = Int32(SOCK_STREAM.rawValue)
            #else
                let kind = SOCK_STREAM
            #endif
            guard socketpair(AF_UNIX, kind, 0, &pair) == 0 else {
                throw KVError(.inputOutput, "there are no sockets for a connection (\(errnoText()))")
            }
            descriptor = pair[0]
            let (fault, host) = (self.fault, address.host)
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            let note: @Sendable (any Error) -> Void = { error in
                // A server that ends a connection that rested is no fault of TLS.
                if case .uncleanShutdown? = error as? NIOSSLError { return }
                fault.withLockedValue { $0 = $0 ?? Self.reason(error, host) }
            }
            let (outer, inner) = (Relay(note), Relay(note))
            // A name is sent to the server and compared with its certificate; an address is compared.
            let name = Self.isNumeric(host) ? nil : host
            var isTaken = false
            defer {
                if !isTaken { close(pair[1]) }
            }
            do {
                let remote = try ClientBootstrap(group: loop).connectTimeout(.seconds(1))
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHandlers(
                                NIOSSLClientHandler(context: context.context, serverHostname: name), outer)
                        }
                    }.connect(host: host, port: address.port).wait()
                try loop.submit { Relay.join(outer, inner) }.wait()
                isTaken = true
                let local = try ClientBootstrap(group: loop).channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(inner) }
                }.withConnectedSocket(pair[1]).wait()
                // What ended before both were joined ends both.
                if !remote.isActive { local.close(promise: nil) }
                let probe = RedisPlainProbe(host: host, port: address.port, loop: loop)
                loop.scheduleTask(in: RedisPlainProbe.patience) {
                    guard !outer.hasRead, remote.isActive else { return }
                    probe.ask {
                        guard !outer.hasRead else { return }
                        fault.withLockedValue { $0 = $0 ?? Self.plain }
                        remote.close(promise: nil)
                    }
                }
            } catch {
                close(descriptor)
                throw KVError(.inputOutput, "there is no connection (\(error))")
            }
        }

        /// Why the connection ended; nil if nothing is known.
        var reason: String? { fault.withLockedValue { $0 } }

        /// Why there is no TLS with a server that answers without.
        private static let plain = "it speaks no TLS at this port; redis:// is without TLS"

        private static func isNumeric(_ host: String) -> Bool {
            var room = [UInt8](repeating: 0, count: 16)
            return inet_pton(AF_INET, host, &room) == 1 || inet_pton(AF_INET6, host, &room) == 1
        }

        /// What went wrong, in words that say what to do.
        private static func reason(_ error: any Error, _ host: String) -> String {
            if let error = error as? NIOSSLExtraError, error == .failedToValidateHostname {
                return
                    "its certificate is for other names than \(host); use one of those, or a certificate for this one"
            }
            // BoringSSL's reasons are names in a text.
            let text = "\(error)"
            let known = [
                (
                    "CERTIFICATE_VERIFY_FAILED",
                    "its certificate is signed by no authority that is believed here, or is not valid now; name the authority's file with ?ca=FILE"
                ),
                ("WRONG_VERSION_NUMBER", plain),
                ("CERTIFICATE_REQUIRED", "it wants a certificate of this client: ?cert=FILE&key=FILE"),
                (
                    "UNKNOWN_CA",
                    "it does not believe the authority of this client's certificate; another is named with ?cert=FILE&key=FILE"
                ),
                ("BAD_CERTIFICATE", "it refuses this client's certificate; another is named with ?cert=FILE&key=FILE"),
            ]
            if let (_, sentence) = known.first(where: { text.contains($0.0) }) { return sentence }
            return "TLS failed (\(text.prefix(200)))"
        }
    }

    /// Hands what one channel reads to another, no faster than that one takes it. Both are of one
    /// event loop, and nobody else uses them.
    private final class Relay: ChannelDuplexHandler, @unchecked Sendable {
        typealias InboundIn = ByteBuffer
        typealias OutboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let note: @Sendable (any Error) -> Void
        private var partner: Relay?
        private var context: ChannelHandlerContext?
        /// A read waits until the partner can write.
        private var isWaiting = false
        /// Something was read: behind TLS, so the handshake was made.
        private(set) var hasRead = false

        init(_ note: @escaping @Sendable (any Error) -> Void) { self.note = note }

        static func join(_ one: Relay, _ other: Relay) {
            (one.partner, other.partner) = (other, one)
        }

        func handlerAdded(context: ChannelHandlerContext) { self.context = context }
        func handlerRemoved(context: ChannelHandlerContext) { (self.context, partner) = (nil, nil) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            hasRead = true
            partner?.context?.write(NIOAny(unwrapInboundIn(data)), promise: nil)
        }
        func channelReadComplete(context: ChannelHandlerContext) { partner?.context?.flush() }
        func channelInactive(context: ChannelHandlerContext) { partner?.context?.close(promise: nil) }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            note(error)
            context.close(promise: nil)
        }

        func read(context: ChannelHandlerContext) {
            if partner?.context?.channel.isWritable ?? true { context.read() } else { isWaiting = true }
        }
        func channelWritabilityChanged(context: ChannelHandlerContext) {
            guard context.channel.isWritable, let partner, partner.isWaiting else { return }
            partner.isWaiting = false
            partner.context?.read()
        }
    }
#else
    /// Stands where there is no TLS: it cannot be made.
    final class RedisTunnel: Sendable {
        /// Nobody has one.
        struct Context: Sendable {
            /// - Throws: ``KVError``, always.
            init(_ tls: RedisAddress.TLS) throws {
                throw KVError(.unsupported, "This was built without TLS (the trait Server): use redis://.")
            }
        }
        /// The plain end.
        let descriptor: Int32 = -1
        /// Nothing is known.
        let reason: String? = nil
        /// - Throws: ``KVError``, always.
        init(to address: RedisAddress, _ context: Context) throws {
            throw KVError(.unsupported, "This was built without TLS (the trait Server): use redis://.")
        }
    }
#endif
