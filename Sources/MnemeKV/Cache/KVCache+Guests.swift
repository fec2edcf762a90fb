import NIOConcurrencyHelpers

/// Guests of the cache: what else lies in its memory, see ``KVGuest``.
extension KVCache {
    /// Guests in memory, and their bytes.
    package var guests: (count: Int, bytes: Int) { state.withLockedValue { ($0.guests.count, $0.guests.bytes) } }

    /// A guest by its name, which is used now.
    package func guest(_ name: String) -> KVGuest? {
        state.withLockedValue { state in
            guard let guest = state.guests.find(name) else { return nil }
            guest.uses += 1
            guest.lastUse = now
            return guest
        }
    }

    /// Lets nobody find a guest any more; who uses it keeps it.
    package func dismiss(_ name: String) {
        state.withLockedValue { state in
            for guest in state.guests.all where guest.name == name { guest.isDetached = true }
        }
    }

    /// Takes a guest in. Idle ones go first where guests take more than they may, then whatever keeping is worth least.
    ///
    /// - Parameters:
    ///   - name: what it is found by; another of this name is found no more.
    ///   - contents: the thing, whose memory the caller has taken already.
    ///   - bytes: that it takes.
    ///   - most: bytes that guests may take together.
    /// - Returns: the guest; nil if what is in use leaves no room for it now.
    package func admit(_ name: String, _ contents: some Sendable, bytes: Int, most: Int) -> KVGuest? {
        dismiss(name)
        return state.withLockedValue { state in
            let wanted = guestBlocks(of: bytes)
            while state.guests.bytes + bytes > most || state.guests.blocks + wanted > guestCapacity {
                guard evictGuest(&state, below: .infinity) else { return nil }
            }
            let blocks = allocate(&state, wanted, after: nil)
            guard blocks.count == wanted else {
                for block in blocks { arena.free(block) }
                return nil
            }
            // They are counted; the memory itself is elsewhere.
            for block in blocks { arena.giveBack(block) }
            let guest = KVGuest(name, contents, (bytes, blocks), now: now)
            state.guests.all.append(guest)
            return guest
        }
    }

    /// Blocks that are counted for so many bytes.
    package func guestBlocks(of bytes: Int) -> Int { max(1, (bytes + shape.blockBytes - 1) / shape.blockBytes) }
}
