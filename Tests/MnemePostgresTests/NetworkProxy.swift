import Foundation
import MnemeStore
import NIOConcurrencyHelpers

/// A network between a store and its database that goes wrong when a test says so: connections go
/// through this process, which hands bytes on, or holds them back without closing anything.
final class NetworkProxy: Sendable {
    /// What is held back.
    enum Fault: Sendable, Equatable {
        /// Nothing.
        case none
        /// Bytes of connections that are there now, either way.
        case present
        /// Answers on connections that are there now; what is asked arrives.
        case answers
        /// All bytes, and those of new connections.
        case all
        /// New connections, which end at once.
        case new
    }

    /// The port that stores connect to.
    let port: Int
    private let target: Int
    private let listener: Int32
    private let state = NIOLockedValueBox((fault: Fault.none, count: 0, affected: 0, isClosed: false))
    /// Pieces that still pass before one is lost; nil if none is to be.
    private let passing = NIOLockedValueBox<Int?>(nil)
    /// What happens instead of handing that piece on.
    private let loss = NIOLockedValueBox<(@Sendable () -> Void)?>(nil)

    /// Listens on loopback.
    init(to target: Int) throws {
        self.target = target
        // An end that is gone is an error of the write.
        signal(SIGPIPE, SIG_IGN)
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (descriptor, size) = (listener, length)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        guard isBound else { throw StoreError(.unavailable, "The proxy cannot listen.") }
        Thread { [self] in accept() }.start()
    }

    private static func address(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return address
    }

    /// From now on this goes wrong, until another call.
    func fail(_ fault: Fault) { state.withLockedValue { ($0.fault, $0.affected) = (fault, $0.count) } }

    /// Loses a piece of what is said from now on, either way: its connection ends there.
    ///
    /// - Parameters:
    ///   - number: from 1 on.
    ///   - body: is called before.
    func lose(_ number: Int, _ body: @escaping @Sendable () -> Void = {}) {
        loss.withLockedValue { $0 = body }
        passing.withLockedValue { $0 = number }
    }

    /// Loses nothing any more.
    ///
    /// - Returns: true if the piece has been lost.
    func stopLosing() -> Bool {
        passing.withLockedValue { passing in
            defer { passing = nil }
            return passing == nil
        }
    }

    /// Counts a piece; true if it is the one to be lost.
    private func isLost() -> Bool {
        let isLost = passing.withLockedValue { passing -> Bool in
            guard let left = passing else { return false }
            passing = left > 1 ? left - 1 : nil
            return left == 1
        }
        if isLost { loss.withLockedValue(\.self)?() }
        return isLost
    }

    /// Ends all connections.
    func close() {
        state.withLockedValue { $0.isClosed = true }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func accept() {
        while true {
            let client = Foundation.accept(listener, nil, nil)
            guard client >= 0 else { break }
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = Self.address(target)
            let isConnected = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            let number = state.withLockedValue { state in
                state.count += 1
                return state.count
            }
            guard isConnected, state.withLockedValue(\.fault) != .new else {
                _ = (Foundation.close(client), Foundation.close(server))
                continue
            }
            let open = NIOLockedValueBox(2)
            for (source, sink, isAnswer) in [(client, server, false), (server, client, true)] {
                Thread { [self] in
                    pump(source, sink, number, isAnswer)
                    shutdown(sink, Int32(SHUT_RDWR))
                    shutdown(source, Int32(SHUT_RDWR))
                    let isLast = open.withLockedValue { open in
                        open -= 1
                        return open == 0
                    }
                    if isLast { _ = (Foundation.close(client), Foundation.close(server)) }
                }.start()
            }
        }
        Foundation.close(listener)
    }

    /// True if bytes of a connection are held back.
    private func isHeld(_ number: Int, _ isAnswer: Bool) -> Bool {
        state.withLockedValue { state in
            switch state.fault {
            case .none, .new: false
            case .present: number <= state.affected
            case .answers: number <= state.affected && isAnswer
            case .all: true
            }
        }
    }

    private func pump(_ source: Int32, _ sink: Int32, _ number: Int, _ isAnswer: Bool) {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while !state.withLockedValue(\.isClosed) {
            var look = pollfd(fd: source, events: Int16(POLLIN), revents: 0)
            // While bytes are held back, an end is not handed on either.
            guard !isHeld(number, isAnswer) else {
                usleep(20_000)
                continue
            }
            guard poll(&look, 1, 100) > 0 else { continue }
            let count = read(source, &buffer, buffer.count)
            // What was read before the fault began is held, too.
            while isHeld(number, isAnswer), !state.withLockedValue(\.isClosed) { usleep(20_000) }
            guard count > 0, !isLost() else { return }
            var done = 0
            while done < count {
                let sent = buffer[done..<count].withUnsafeBytes { write(sink, $0.baseAddress, $0.count) }
                guard sent > 0 else { return }
                done += sent
            }
        }
    }
}
