import CLibPQ
import Foundation

/// Notices of other connections (`LISTEN`).
extension PGConnection {
    /// Notices that have come, or the first that come within some seconds; none if none does. They
    /// come between transactions alone (libpq documentation, "Asynchronous Notification").
    ///
    /// - Throws: ``PGFailure`` if the connection is lost.
    func notices(within seconds: Double) throws -> [String] {
        let end = ContinuousClock.now + .seconds(seconds)
        while true {
            guard PQconsumeInput(handle) == 1 else { throw lost() }
            var found: [String] = []
            while let notice = PQnotifies(handle) {
                found.append(String(cString: notice.pointee.extra))
                PQfreemem(notice)
            }
            let left = (end - .now) / .seconds(1)
            guard found.isEmpty, left > 0 else { return found }
            var look = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
            let ready = poll(&look, 1, Int32(left * 1_000) + 1)
            guard ready >= 0 || errno == EINTR else {
                throw PGFailure.connectionLost(String(cString: strerror(errno)))
            }
        }
    }
}
