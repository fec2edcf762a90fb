import Crypto
package import Foundation

/// Rules for requests that are sent again under the same key.
///
/// A key belongs to an owner. It is kept with the hash of its request and the ids that it led to,
/// in the transaction of the request itself: there is no moment at which one is known without the
/// other.
package enum IdempotencyRules {
    /// Identifies a request by what its caller chose, not by ids, times and links made for it.
    package static func hash(of mutations: [Mutation]) -> Data {
        var hash = SHA256()
        for mutation in mutations {
            switch mutation {
            case .add(_, _, let content, _): hash.update(data: Data("add".utf8) + content)
            case .adopt(let cube, _, _, let content):
                hash.update(data: Data("adopt\(cube.id)".utf8) + content)
            case .update(let cube, _, let content):
                hash.update(data: Data("update\(cube.id)".utf8) + content)
            case .archive(let id): hash.update(data: Data("archive\(id)".utf8))
            case .restore(let id): hash.update(data: Data("restore\(id)".utf8))
            case .rollback(let cube, _, let content):
                hash.update(data: Data("rollback\(cube.id)".utf8) + content)
            case .merge(let id, let other): hash.update(data: Data("merge\(id)\(other)".utf8))
            case .freeze(let id): hash.update(data: Data("freeze\(id)".utf8))
            case .quarantine(let id): hash.update(data: Data("quarantine\(id)".utf8))
            case .release(let id): hash.update(data: Data("release\(id)".utf8))
            case .invalidate(let id, _): hash.update(data: Data("invalidate\(id)".utf8))
            case .confirm(let id): hash.update(data: Data("confirm\(id)".utf8))
            case .move(let id, let tier, let topic):
                hash.update(data: Data("move\(id)\(tier.rawValue)\(topic?.description ?? "")".utf8))
            case .erase(let id): hash.update(data: Data("erase\(id)".utf8))
            case .link(let link):
                hash.update(data: Data("link\(link.source)\(link.target)\(link.kind)".utf8))
            case .unlink(let link):
                hash.update(data: Data("unlink\(link.source)\(link.target)\(link.kind)".utf8))
            }
        }
        return Data(hash.finalize())
    }

    /// - Throws: ``StoreError`` if the key was used for another request.
    package static func requireSame(_ hash: Data, as known: Data, key: String) throws {
        guard known == hash else {
            throw StoreError(
                .conflict,
                "The idempotency key '\(key.prefix(80))' was used for another request. Use a new key."
            )
        }
    }
}
