import Crypto
import Foundation
package import MnemeStore

/// Which of several servers holds an owner's index warm: rendezvous hashing, also called highest
/// random weight (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM
/// Transactions on Networking 6(1), 1998).
///
/// Each server has a weight for each owner, and the greatest wins. Whoever knows the addresses gets
/// the same answer without asking anybody; a server that comes or goes moves its own owners alone, on
/// average one of N.
package enum RendezvousHash {
    /// The address that an owner belongs to; nil if there is none. The order of `urls` does not matter.
    ///
    /// - Complexity: a SHA-256 of some hundred bytes for each address.
    package static func url(of owner: Owner, among urls: [String]) -> String? {
        urls.max { (weight($0, owner), $1) < (weight($1, owner), $0) }
    }

    /// The first eight bytes of SHA-256 of address, tenant and user, with a zero byte after each of the
    /// first two; the highest byte first.
    static func weight(_ url: String, _ owner: Owner) -> UInt64 {
        SHA256.hash(data: Data("\(url)\0\(owner.tenant)\0\(owner.user)".utf8)).prefix(8).reduce(0) {
            $0 << 8 | UInt64($1)
        }
    }
}
