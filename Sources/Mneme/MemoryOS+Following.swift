package import Foundation
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

    /// The time, by the clock that all servers of the store share.
    package var now: Date { store.now }

    /// True while other servers' notices are heard.
    var isFollowing: Bool { shared?.isFollowing ?? false }

    /// Times that an index which is held caught up with other servers' work before anybody asked;
    /// nil where no server shares the store.
    package var followedCount: Int? {
        shared == nil ? nil : followed.load(ordering: .relaxed)
    }

    /// Begins to hear other servers, and removes from index files what they have erased meanwhile.
    func follow() {
        guard let shared else { return }
        shared.follow { [weak self] in self?.take($0) }
        following.async { [weak self] in
            self?.sweepIndexFolder(isWhole: true)
            self?.scheduleSweep()
        }
    }

    /// Looks once a minute through index files that came since, and where notices may have been missed
    /// through all.
    private func scheduleSweep() {
        following.asyncAfter(deadline: .now() + 60) { [weak self] in
            guard let self, !closed.load(ordering: .sequentiallyConsistent) else { return }
            let isWhole = noticed.withLockedValue { noticed in
                defer { noticed.areUnknown = false }
                return noticed.areUnknown
            }
            sweepIndexFolder(isWhole: isWhole)
            scheduleSweep()
        }
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

    /// The time for which notices are collected. Who asks meanwhile catches up by itself.
    private static let noticeInterval = DispatchTimeInterval.milliseconds(250)

    /// The time since its last use up to which an index is worth it, and the time for which notices are
    /// collected where it is not: the first question then has little to catch up with.
    private static let inUse = Duration.seconds(60)
    private static let idleInterval = DispatchTimeInterval.seconds(10)

    /// Notes what has changed, and catches up soon: what comes within a moment goes together, so that
    /// a memory and its vector are one look at the store.
    private func take(_ notice: StoreNotice) {
        var owners: Set<Owner> = []
        switch notice {
        case .jobs: return jobSignal.send()
        case .changed(let owner): owners = [owner]
        case .everything:
            jobSignal.send()
            owners = Set(cachedIndexes.map { $0.0.owner })
            noticed.withLockedValue { $0.areUnknown = true }
        }
        let isFirst = noticed.withLockedValue { noticed in
            defer { noticed.soon.formUnion(owners) }
            return noticed.soon.isEmpty && !owners.isEmpty
        }
        guard isFirst else { return }
        following.asyncAfter(deadline: .now() + Self.noticeInterval) { [weak self] in
            guard let self else { return }
            let owners = noticed.withLockedValue { noticed in
                defer { noticed.soon = [] }
                return noticed.soon
            }
            putOff(catchUp(owners, usedSince: .now - Self.inUse))
        }
    }

    /// Notes owners whose indexes catch up later.
    private func putOff(_ owners: Set<Owner>) {
        let isFirst = noticed.withLockedValue { noticed in
            defer { noticed.later.formUnion(owners) }
            return noticed.later.isEmpty && !owners.isEmpty
        }
        guard isFirst else { return }
        following.asyncAfter(deadline: .now() + Self.idleInterval) { [weak self] in
            guard let self else { return }
            let owners = noticed.withLockedValue { noticed in
                defer { noticed.later = [] }
                return noticed.later
            }
            _ = catchUp(owners, usedSince: nil)
        }
    }

    /// Brings the indexes of owners to the journal's end, which removes files from before an erasure. Of
    /// owners without one in memory the files are looked at in the end.
    ///
    /// - Parameter time: the last use from which on an index is worth it; nil if each is.
    /// - Returns: owners whose indexes nobody has used since, and those who have none in memory.
    private func catchUp(_ owners: Set<Owner>, usedSince time: ContinuousClock.Instant?) -> Set<Owner> {
        var (left, idle): (Set<Owner>, Set<Owner>) = (owners, [])
        for (key, index) in cachedIndexes where owners.contains(key.owner) {
            guard !closed.load(ordering: .sequentiallyConsistent) else { return [] }
            if let time, index.lastUse < time {
                idle.insert(key.owner)
                continue
            }
            do {
                try caughtUp(key, index) { _ in }
                followed.add(1, ordering: .relaxed)
                if key.visibility == .all { left.remove(key.owner) }
            } catch {
                // The next answer asks again, and says what is wrong.
                logger.debug(
                    "an index did not catch up", metadata: ["error": "\(error)"])
            }
        }
        if time == nil { for owner in left { removeErasedFiles(of: owner) } }
        return left.union(idle)
    }
}
