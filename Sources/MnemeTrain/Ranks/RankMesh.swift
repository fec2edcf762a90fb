import Foundation
import MnemeBase

/// Processes, or threads, of one machine that train together: each is connected with each by a socket in
/// a folder that is theirs alone.
package final class RankMesh {
    /// This one's number, from 0.
    package let rank: Int
    /// All of them.
    package let count: Int
    /// Bytes that were sent to others.
    package private(set) var sentBytes = 0
    private var sockets: [Int32]

    /// Waits for those of lower numbers, then for those of higher ones.
    ///
    /// - Parameters:
    ///   - folder: where the sockets are.
    ///   - waits: asked again and again while one has not come; false gives up.
    /// - Throws: ``TrainingError`` if one does not come; ``FileError`` if no socket can be made.
    package init(in folder: String, rank: Int, of count: Int, waits: () -> Bool) throws {
        (self.rank, self.count) = (rank, count)
        sockets = Array(repeating: -1, count: count)
        let own = try Self.listen(folder + "/\(rank)")
        defer { close(own) }
        do {
            for other in 0..<rank {
                sockets[other] = try Self.connect(folder + "/\(other)", waits: waits)
                var number = UInt32(rank).littleEndian
                try withUnsafeBytes(of: &number) { try put($0, to: other) }
            }
            for _ in rank + 1..<max(count, rank + 1) {
                let socket = try Self.accept(own, waits: waits)
                var number = UInt32(0)
                let found = withUnsafeMutableBytes(of: &number) { recv(socket, $0.baseAddress!, 4, Int32(MSG_WAITALL)) }
                let other = Int(UInt32(littleEndian: number))
                guard found == 4, (rank + 1..<count).contains(other), sockets[other] < 0 else {
                    close(socket)
                    throw Self.lost(other)
                }
                sockets[other] = socket
            }
        } catch {
            leave()
            throw error
        }
    }

    deinit { leave() }

    /// Closes all connections: others that wait for this one are told.
    package func leave() {
        for socket in sockets where socket >= 0 { close(socket) }
        sockets = sockets.map { _ in -1 }
    }

    /// Sends each other one a run of bytes, and receives one from each, in the order of their numbers.
    ///
    /// - Parameters:
    ///   - out: what is sent to a rank; it may be empty.
    ///   - received: takes what came from a rank, of as many bytes as `bytes` says.
    /// - Throws: ``TrainingError`` if one is gone.
    package func exchange(
        _ out: (Int) -> UnsafeRawBufferPointer, bytes: (Int) -> Int,
        received: (Int, UnsafeRawBufferPointer) -> Void
    ) throws {
        let others = (0..<count).filter { $0 != rank }
        var sends = others.map { out($0)[...] }
        let buffers = others.map {
            UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes($0)), alignment: 64)
        }
        defer { for buffer in buffers { buffer.deallocate() } }
        var receives = others.indices.map { buffers[$0][..<bytes(others[$0])] }
        sentBytes += sends.reduce(0) { $0 + $1.count }
        var delivered = 0
        while true {
            // In order, as soon as those before are there.
            while delivered < others.count, receives[delivered].isEmpty {
                let all = UnsafeRawBufferPointer(rebasing: buffers[delivered][..<bytes(others[delivered])])
                if !all.isEmpty { received(others[delivered], all) }
                delivered += 1
            }
            var waits = others.indices.map { i in
                pollfd(
                    fd: sends[i].isEmpty && receives[i].isEmpty ? -1 : sockets[others[i]],
                    events: Int16((sends[i].isEmpty ? 0 : POLLOUT) | (receives[i].isEmpty ? 0 : POLLIN)), revents: 0)
            }
            guard waits.contains(where: { $0.fd >= 0 }) else { break }
            guard poll(&waits, nfds_t(waits.count), -1) > 0 else { continue }
            for (i, wait) in waits.enumerated() where wait.revents != 0 {
                if !sends[i].isEmpty {
                    let done = send(
                        wait.fd, UnsafeRawBufferPointer(rebasing: sends[i]).baseAddress!, sends[i].count,
                        Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                    sends[i] = sends[i].dropFirst(try moved(done, others[i]))
                }
                if !receives[i].isEmpty {
                    let done = recv(
                        wait.fd, UnsafeMutableRawBufferPointer(rebasing: receives[i]).baseAddress!,
                        receives[i].count, Int32(MSG_DONTWAIT))
                    guard done != 0 else { throw Self.lost(others[i]) }
                    receives[i] = receives[i].dropFirst(try moved(done, others[i]))
                }
            }
        }
    }

    /// Bytes that a call moved; 0 where it would have had to wait.
    private func moved(_ done: Int, _ other: Int) throws -> Int {
        if done < 0, errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR { return 0 }
        guard done >= 0 else { throw Self.lost(other) }
        return done
    }

    /// Adds up numbers of all ranks, in the order of the ranks: the same bits on each.
    ///
    /// - Throws: ``TrainingError`` if one is gone.
    package func total(_ mine: [Double]) throws -> [Double] {
        var all = Array(repeating: mine, count: count)
        try mine.withUnsafeBytes { own in
            try exchange({ _ in own }, bytes: { _ in own.count }) { other, found in
                all[other] = Array(found.bindMemory(to: Double.self))
            }
        }
        return mine.indices.map { i in all.reduce(0) { $0 + $1[i] } }
    }

    /// What the first rank tells the others.
    ///
    /// - Throws: ``TrainingError`` if one is gone.
    package func tell(_ word: UInt8) throws {
        let words = [word]
        try words.withUnsafeBytes { own in
            try exchange({ _ in own }, bytes: { _ in 0 }, received: { _, _ in })
        }
    }

    /// What the first rank told.
    ///
    /// - Throws: ``TrainingError`` if it is gone.
    package func listen() throws -> UInt8 {
        var word: UInt8 = 0
        try withUnsafeMutableBytes(of: &word) { try get($0, from: 0) }
        return word
    }

    private func put(_ bytes: UnsafeRawBufferPointer, to other: Int) throws {
        var done = 0
        while done < bytes.count {
            let count = send(sockets[other], bytes.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.lost(other) }
            done += count
        }
    }

    private func get(_ bytes: UnsafeMutableRawBufferPointer, from other: Int) throws {
        var done = 0
        while done < bytes.count {
            let count = recv(sockets[other], bytes.baseAddress! + done, bytes.count - done, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.lost(other) }
            done += count
        }
    }

    private static func lost(_ other: Int) -> TrainingError {
        TrainingError(
            .lostRank, "Rank \(other) of the training is gone. Train again with --resume: the last checkpoint is there."
        )
    }
}

extension RankMesh {
    private static func address(_ path: String) throws -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw FileError(path, "is too long a name for a socket", code: ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return address
    }

    private static func open() -> Int32 {
        #if os(Linux)
            socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        #else
            socket(AF_UNIX, SOCK_STREAM, 0)
        #endif
    }

    private static func call(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws -> Int32 {
        var address = try address(path)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    static func listen(_ path: String) throws -> Int32 {
        let socket = open()
        guard socket >= 0 else { throw FileError(path, "cannot be made") }
        // Beside its name, so that nobody finds a socket that does not listen yet.
        let early = path + ".new"
        unlink(early)
        guard try call(early, { bind(socket, $0, $1) }) == 0, Foundation.listen(socket, 64) == 0,
            rename(early, path) == 0
        else {
            let code = errno
            close(socket)
            throw FileError(path, "cannot be made", code: code)
        }
        return socket
    }

    static func connect(_ path: String, waits: () -> Bool) throws -> Int32 {
        while true {
            let socket = open()
            guard socket >= 0 else { throw FileError(path, "cannot be connected with") }
            if try call(path, { Foundation.connect(socket, $0, $1) }) == 0 { return socket }
            let code = errno
            close(socket)
            // It has not begun to listen.
            guard code == ENOENT || code == ECONNREFUSED || code == EINTR, waits() else {
                throw FileError(path, "cannot be connected with", code: code)
            }
            usleep(10_000)
        }
    }

    private static func accept(_ own: Int32, waits: () -> Bool) throws -> Int32 {
        var wait = pollfd(fd: own, events: Int16(POLLIN), revents: 0)
        while poll(&wait, 1, 50) <= 0 {
            guard waits() else {
                throw TrainingError(.lostRank, "A process of the shared training did not come. Train again.")
            }
        }
        let socket = Foundation.accept(own, nil, nil)
        guard socket >= 0 else { throw FileError("the training's socket", "cannot be accepted on") }
        return socket
    }
}
