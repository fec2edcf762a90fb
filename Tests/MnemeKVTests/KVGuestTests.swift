import Foundation
import MnemeBase
import MnemeKV
import NIOConcurrencyHelpers
import Testing

/// Guests in the memory of keys and values: adapters, as an engine keeps them.
@Suite struct KVGuestTests {
    private static let block = Reference.shape.blockBytes

    /// Room for `blocks` of sequences, and `guests` of guests. A second passes at each look at the clock.
    private func cache(_ blocks: Int, guests: Int) throws -> KVCache {
        let time = NIOLockedValueBox(0.0)
        return try KVCache(
            shape: Reference.shape, model: hash("m"), modelName: "m", bytes: blocks * Self.block, guestBlocks: guests,
            localTier: nil, evictor: LeastRecentlyUsed(),
            clock: {
                time.withLockedValue { time in
                    time += 1
                    return time
                }
            })
    }

    /// Computes a text and leaves it idle; false if there is no room for it.
    private func compute(_ cache: KVCache, _ tokens: [Int32]) throws -> Bool {
        let session = try cache.open(tokens, positions: tokens.count)
        guard try session.prepare(positions: tokens.count) else {
            session.close({ tokens[$0] }, computed: session.restored)
            return false
        }
        Reference.compute(session, tokens, session.restored..<tokens.count)
        session.close({ tokens[$0] }, computed: tokens.count)
        return true
    }

    private func text(_ seed: Int32, blocks: Int) -> [Int32] {
        (0..<Int32(32 * blocks)).map { $0 &* 7 &+ seed &* 1000 }
    }

    @Test func `an idle guest makes room for keys and values, and one in use does not`() throws {
        let cache = try cache(4, guests: 4)
        var used = cache.admit("a", 1, bytes: 2 * Self.block, most: 4 * Self.block)
        #expect(used?.contents as? Int == 1 && used?.bytes == 2 * Self.block)
        #expect(cache.admit("b", 2, bytes: 2 * Self.block, most: 4 * Self.block) != nil)
        #expect(cache.available == 6 && cache.capacity == 4)
        // Six blocks: all but the guest in use.
        #expect(try compute(cache, text(1, blocks: 6)))
        #expect(cache.guest("b") == nil && cache.guest("a") != nil && cache.guests.count == 1)
        #expect(try !compute(cache, text(2, blocks: 7)))
        withExtendedLifetime(used) {}
        used = nil
        #expect(try compute(cache, text(3, blocks: 8)))
        #expect(cache.guests.count == 0 && cache.guests.bytes == 0)
    }

    @Test func `idle keys and values make room for a guest, and what was used least lately goes first`() throws {
        let cache = try cache(4, guests: 4)
        #expect(try compute(cache, text(1, blocks: 6)))
        #expect(cache.admit("a", 1, bytes: 4 * Self.block, most: 4 * Self.block) != nil)
        #expect(cache.cachedTokens(text(1, blocks: 6) + [0]).count == 4 * 32)
        // Now the text is used, and the guest is not: the guest goes.
        #expect(try compute(cache, text(1, blocks: 4)))
        #expect(try compute(cache, text(2, blocks: 2)))
        #expect(cache.guest("a") == nil)
        #expect(cache.cachedTokens(text(1, blocks: 4) + [0]).count == 4 * 32)
    }

    @Test func `guests keep to their bytes, and one that was replaced stays for whoever uses it`() throws {
        let cache = try cache(8, guests: 3)
        let most = 3 * Self.block
        let first = cache.admit("a", "old", bytes: 2 * Self.block, most: most)
        #expect(first != nil)
        // Two blocks are in use; two more are beyond what guests may take.
        #expect(cache.admit("b", "b", bytes: 2 * Self.block, most: most) == nil)
        #expect(cache.admit("b", "b", bytes: Self.block, most: most) != nil)
        // One byte more than a block are two blocks.
        #expect(cache.guestBlocks(of: Self.block + 1) == 2 && cache.guestBlocks(of: 0) == 1)
        let next = cache.admit("a", "new", bytes: Self.block, most: most)
        #expect(next?.contents as? String == "new" && cache.guest("a")?.contents as? String == "new")
        #expect(first?.contents as? String == "old" && cache.guest("b") == nil)
        #expect(cache.guests.bytes == most)
        cache.dismiss("a")
        #expect(cache.guest("a") == nil && cache.guests.bytes == most)
    }

    @Test func `random guests and texts never take more than there is, and nothing is lost`() throws {
        for seed in 1...20 {
            var random = SplitMix64(seed: UInt64(seed))
            let cache = try cache(6, guests: 5)
            var held: [Int: KVGuest] = [:]
            for step in 0..<60 {
                let name = Int(random.unit() * 6)
                switch Int(random.unit() * 4) {
                case 0: held[name] = nil
                case 1:
                    let bytes = 1 + Int(random.unit() * Double(3 * Self.block))
                    if let guest = cache.admit("\(name)", step, bytes: bytes, most: 5 * Self.block) {
                        held[name] = guest
                    }
                case 2: _ = cache.guest("\(name)")
                default:
                    // A text that sequences can be sure to have room for.
                    #expect(try compute(cache, text(Int32(step), blocks: 1 + Int(random.unit() * 6))), "seed \(seed)")
                }
                let inUse = held.values.reduce(0) { $0 + cache.guestBlocks(of: $1.bytes) }
                #expect(cache.guests.bytes <= 5 * Self.block && cache.available >= 6, "seed \(seed), \(step)")
                #expect(cache.available <= 11 - inUse, "seed \(seed), \(step)")
            }
            held = [:]
            #expect(cache.available == 11, "seed \(seed)")
        }
    }
}
