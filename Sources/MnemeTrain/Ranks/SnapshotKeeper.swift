import Foundation
import MnemeBase

/// Keeps a rank's pieces of snapshots in memory, in a process of its own: it outlives the rank (in-memory fault
/// tolerance, Hu et al. 2023) [220].
///
/// The two latest pieces are kept: where ranks die while they hand one over, all keepers still have the one before.
package final class SnapshotKeeper {
    /// What is asked over the socket.
    private enum Word: UInt8 {
        case put = 1
        case get, end
    }

    /// Pieces, each beginning with its step: the latest last.
    private var pieces: [[UInt8]] = []
    private let socket: Int32
    private let path: String

    /// - Parameter path: where it listens; a socket that is there from before is replaced.
    /// - Throws: `FileError` if none can be made.
    package init(path: String) throws {
        self.path = path
        socket = try RankMesh.listen(path)
    }

    deinit {
        close(socket)
        unlink(path)
    }

    /// Serves one request after another until it is told to end, nobody has asked for a while, or its socket's name
    /// is gone: then the training was erased, and what is kept of it goes with the process.
    package func serve(idleSeconds: Double) {
        var last = ContinuousClock.now
        while ContinuousClock.now - last < .seconds(idleSeconds), access(path, F_OK) == 0 {
            var wait = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            guard poll(&wait, 1, 100) > 0, case let other = Foundation.accept(socket, nil, nil), other >= 0 else {
                continue
            }
            defer { close(other) }
            last = .now
            do {
                switch Word(rawValue: try Self.receive(1, other)[0]) {
                case .put:
                    let piece = try Self.receiveRun(other)
                    pieces = pieces.suffix(1) + [piece]
                    try Self.send([1], other)
                case .get:
                    try Self.send([UInt8(pieces.count)], other)
                    for piece in pieces { try Self.sendRun(piece, other) }
                case .end: return
                case nil: continue
                }
            } catch {
                // Whoever asked is gone; what it had begun to hand over is dropped.
                continue
            }
        }
    }

    // MARK: What others ask

    /// Hands a piece over; returns when it is kept.
    ///
    /// - Throws: `TrainingError` if there is no keeper.
    package static func put(_ piece: [UInt8], to path: String) throws {
        try ask(path, .put) { socket in
            try sendRun(piece, socket)
            _ = try receive(1, socket)
        }
    }

    /// The pieces that a keeper has, the latest last; nil if there is none any more.
    package static func pieces(at path: String) -> [[UInt8]]? {
        try? ask(path, .get) { socket in
            try (0..<receive(1, socket)[0]).map { _ in try receiveRun(socket) }
        }
    }

    /// Ends a keeper; nothing if there is none.
    package static func end(_ path: String) { try? ask(path, .end) { _ in } }

    private static func ask<Result>(_ path: String, _ word: Word, _ body: (Int32) throws -> Result) throws -> Result {
        let socket = try RankMesh.connect(path) { false }
        defer { close(socket) }
        try send([word.rawValue], socket)
        return try body(socket)
    }

    private static func sendRun(_ bytes: [UInt8], _ socket: Int32) throws {
        try send(withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { Array($0) }, socket)
        try send(bytes, socket)
    }

    private static func receiveRun(_ socket: Int32) throws -> [UInt8] {
        let length = try receive(8, socket).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length < 1 << 40 else { throw lost }
        return try receive(Int(length), socket)
    }

    private static func send(_ bytes: [UInt8], _ socket: Int32) throws {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes {
                Foundation.send(socket, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw lost }
            done += count
        }
    }

    private static func receive(_ length: Int, _ socket: Int32) throws -> [UInt8] {
        var (bytes, done) = ([UInt8](repeating: 0, count: length), 0)
        while done < length {
            let count = bytes.withUnsafeMutableBytes { recv(socket, $0.baseAddress! + done, length - done, 0) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw lost }
            done += count
        }
        return bytes
    }

    private static var lost: TrainingError {
        TrainingError(.lostRank, "A keeper of the training's snapshots is gone. Train again with --resume.")
    }
}
