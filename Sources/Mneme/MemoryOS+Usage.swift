import Foundation
import Logging
import MnemeStore
import NIOConcurrencyHelpers

extension MemoryOS {
    /// The time for which uses are collected before they are written: longer where each costs the
    /// database that servers share.
    private var usageInterval: DispatchTimeInterval { .seconds(shared == nil ? 2 : 10) }

    /// Notes that memories were answers. They are counted in memory and written together, so that
    /// reading costs no write; a crash can lose the last seconds of counts, never a memory.
    func recordUse(of ids: [CubeID], owner: Owner, time: Date) {
        guard !ids.isEmpty else { return }
        let isFirst = uses.withLockedValue { uses in
            defer {
                for id in ids {
                    let count = uses[owner]?[id]?.count ?? 0
                    uses[owner, default: [:]][id] = Usage(count: count + 1, last: time)
                }
            }
            return uses.isEmpty
        }
        guard isFirst else { return }
        embedding.asyncAfter(deadline: .now() + usageInterval) { [weak self] in
            self?.flushUses()
        }
    }

    /// Writes the counts. Those of a store that cannot be written are dropped: they must not make
    /// recall fail.
    package func flushUses() {
        let counted = uses.withLockedValue { uses in
            defer { uses = [:] }
            return uses
        }
        for (owner, uses) in counted {
            do { try store.recordUse(uses, owner: owner) } catch {
                logger.debug("uses are not recorded", metadata: ["error": "\(error)"])
            }
        }
    }
}
