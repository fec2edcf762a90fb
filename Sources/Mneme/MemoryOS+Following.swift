import Foundation
import Logging
package import MnemeStore
import NIOConcurrencyHelpers
import Synchronization

/// Where servers share a store: indexes that are held catch up with what the others write when they
/// hear of it, so that the next answer finds little to do. It asks the store all the same, as notices
/// come after commits.
extension MemoryOS {
    /// The store, as servers share it; nil for one in a file.
    package var shared: (any SharedStore)? { store as? any SharedStore }

    /// True while other servers' notices are heard.
    var isFollowing: Bool { shared?.isFollowing ?? false }

    /// Times that an index which is held caught up with other servers' work before anybody asked;
    /// nil where no server shares the store.
    package var followedCount: Int? {
        shared == nil ? nil : followed.load(ordering: .relaxed)
    }

    /// Begins to hear other servers.
    func follow() {
        shared?.follow { [weak self] in self?.take($0) }
    }

    /// Hears no more.
    func stopFollowing() async {
        guard let shared else { return }
        await withCheckedContinuation { done in
            // It waits for the store's thread, and catching up for it: behind that.
            following.async {
                shared.unfollow()
                done.resume()
            }
        }
    }

    /// Notes what has changed, and catches up soon: what comes within a moment goes together.
    private func take(_ notice: StoreNotice) {
        var owners: Set<Owner> = []
        switch notice {
        case .jobs: return jobSignal.send()
        case .changed(let owner): owners = [owner]
        case .everything:
            jobSignal.send()
            owners = Set(cachedIndexes.map { $0.0.owner })
        }
        let isFirst = noticed.withLockedValue { noticed in
            defer { noticed.formUnion(owners) }
            return noticed.isEmpty && !owners.isEmpty
        }
        guard isFirst else { return }
        following.asyncAfter(deadline: .now() + .milliseconds(20)) { [weak self] in self?.catchUp() }
    }

    /// Brings the indexes of owners who were noticed to the journal's end. Owners without one cost
    /// nothing.
    private func catchUp() {
        let owners = noticed.withLockedValue { noticed in
            defer { noticed = [] }
            return noticed
        }
        for (key, index) in cachedIndexes where owners.contains(key.owner) {
            guard !closed.load(ordering: .sequentiallyConsistent) else { return }
            do {
                try caughtUp(key, index) { _ in }
                followed.add(1, ordering: .relaxed)
            } catch {
                // The next answer asks again, and says what is wrong.
                logger.debug(
                    "an index did not catch up", metadata: ["error": "\(error)"])
            }
        }
    }
}
