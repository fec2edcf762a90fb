import Foundation
import MnemeKV
import NIOConcurrencyHelpers
import Testing

/// A folder whose blocks come layer by layer, as the test lets them.
private final class GatedTier: KVTier {
    let folder: KVFolder
    /// Layers that may come.
    let allowed = NIOLockedValueBox(0)

    init(_ folder: KVFolder) { self.folder = folder }

    func read(_ blocks: [KVBlockPlace], by parts: KVLayerParts) -> Int {
        let gated = KVLayerParts(parts.layers.count, of: Reference.shape.layers) { [self] layers in
            while allowed.withLockedValue({ $0 }) < layers { usleep(100) }
            parts.arrived(layers)
        }
        return folder.read(blocks, by: gated)
    }
    func read(_ request: KVBlockRequest, into block: UnsafeMutableRawPointer) throws {
        try folder.read(request, into: block)
    }
    func count(of hashes: [KVHash]) -> Int { folder.count(of: hashes) }
    func write(_ block: KVBlockFile, from rows: UnsafeRawPointer, shape: KVShape) throws {
        try folder.write(block, from: rows, shape: shape)
    }
    func remove(_ hash: KVHash) throws { try folder.remove(hash) }
    func erase(sources: Set<String>) throws { try folder.erase(sources: sources) }
}

@Suite struct LayeredLoadTests {
    private let text = (0..<200).map { Int32($0 * 7 % 50) }
    private var longer: [Int32] { text + (0..<64).map { Int32($0 + 900) } }

    private func cache(_ tier: any KVTier, isRemote: Bool = false) throws -> KVCache {
        // A system that can refuse has the arena look for writes to what was freed.
        try KVCache(
            shape: Reference.shape, model: hash("m"), modelName: "m", bytes: 60 * Reference.shape.blockBytes,
            localTier: isRemote ? nil : tier, remoteTier: isRemote ? tier : nil, fails: { _ in false })
    }

    /// A folder with the blocks of ``text``, and a tier of them.
    private func with(_ body: (GatedTier) throws -> Void) throws {
        let path = temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let folder = try KVFolder(path: path)
        let first = try cache(folder)
        let session = try first.open(text, positions: text.count)
        #expect(try session.prepare(positions: text.count))
        Reference.compute(session, text, 0..<text.count)
        session.close({ text[$0] }, computed: text.count)
        first.flush()
        try body(GatedTier(folder))
    }

    private func wait(_ condition: () -> Bool) {
        for _ in 0..<50_000 where !condition() { usleep(100) }
        #expect(condition(), "it never came")
    }

    @Test(arguments: [false, true])
    func `what follows is computed while later layers come, and stays`(isRemote: Bool) throws {
        try with { tier in
            let cache = try cache(tier, isRemote: isRemote)
            let session = try cache.open(longer, positions: longer.count, byLayers: true)
            // Ends of texts are not sent afar.
            let found = isRemote ? 192 : 200
            wait { session.arriving != nil }
            let none = try #require(session.arriving)
            #expect(session.isLoading && none.position == found && none.layers == 0)
            tier.allowed.withLockedValue { $0 = 1 }
            wait { session.arriving?.layers == 1 }
            #expect(Reference.holds(session, longer, 0..<found, layers: 1))
            #expect(session.isLoading && session.restored == 0)
            #expect(try session.prepare(positions: longer.count))
            Reference.compute(session, longer, found..<longer.count)
            tier.allowed.withLockedValue { $0 = 2 }
            wait { !session.isLoading }
            #expect(session.takeLoaded() && session.restored == found)
            #expect(Reference.holds(session, longer, 0..<longer.count))
            try session.publish({ longer[$0] }, computed: longer.count)
            session.close({ longer[$0] }, computed: longer.count)
            cache.flush()
            #expect(cache.statistics.bytes == cache.statistics.idleBytes)
            let again = try cache.open(longer, positions: longer.count)
            #expect(again.restored == longer.count - 1)
            #expect(Reference.holds(again, longer, 0..<longer.count - 1))
            again.close({ longer[$0] }, computed: 0)
        }
    }

    /// Opens the longer text, and computes what follows as soon as first layers have come.
    private func begun(_ cache: KVCache, _ tier: GatedTier) throws -> KVCache.Session {
        let session = try cache.open(longer, positions: longer.count, byLayers: true)
        tier.allowed.withLockedValue { $0 = 1 }
        wait { session.arriving == nil || session.arriving?.layers == 1 }
        #expect(try session.prepare(positions: longer.count))
        Reference.compute(session, longer, 200..<longer.count)
        return session
    }

    @Test func `what stands on a block that is not sound is computed again`() throws {
        try with { tier in
            // The last byte belongs to the last layer, which is looked at when all has come.
            let bad = try #require(tier.folder.entries().first { $0.position == 96 }).hash
            let name = bad.description
            let file = "\(tier.folder.path)/\(name.prefix(2))/\(name).kv"
            var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
            bytes[bytes.count - 1] ^= 1
            try bytes.write(to: URL(fileURLWithPath: file))
            let cache = try cache(tier)
            let session = try begun(cache, tier)
            tier.allowed.withLockedValue { $0 = 2 }
            wait { !session.isLoading }
            #expect(!session.takeLoaded() && session.restored == 96)
            #expect(cache.statistics.refused == 1)
            #expect(try session.prepare(positions: longer.count))
            Reference.compute(session, longer, 96..<longer.count)
            #expect(Reference.holds(session, longer, 0..<longer.count))
            session.close({ longer[$0] }, computed: longer.count)
            cache.flush()
            #expect(cache.statistics.bytes == cache.statistics.idleBytes)
            // The file was deleted, and is written again.
            #expect(tier.folder.count(of: [bad]) == 1)
            #expect(tier.folder.verify().damaged.isEmpty)
        }
    }

    @Test(arguments: ["while it comes", "when it has come", "when it was taken"])
    func `a sequence that ends before gives all blocks back`(when: String) throws {
        try with { tier in
            let cache = try cache(tier)
            let session = try begun(cache, tier)
            if when == "while it comes" { session.close({ longer[$0] }, computed: 0) }
            tier.allowed.withLockedValue { $0 = 2 }
            wait { !session.isLoading }
            if when == "when it was taken" {
                #expect(session.takeLoaded())
            }
            if when != "while it comes" { session.close({ longer[$0] }, computed: 0) }
            cache.flush()
            wait { cache.statistics.bytes == cache.statistics.idleBytes }
            #expect(when == "when it was taken" || cache.statistics.bytes == 0)
        }
    }

    @Test func `a memory that is erased meanwhile takes all that was made with it`() throws {
        try with { tier in
            let cache = try cache(tier)
            let session = try cache.open(longer, positions: longer.count, sources: ["m"], byLayers: true)
            tier.allowed.withLockedValue { $0 = 1 }
            wait { session.arriving?.layers == 1 }
            try cache.erase(sources: ["m"])
            #expect(session.arriving == nil)
            tier.allowed.withLockedValue { $0 = 2 }
            wait { !session.isLoading }
            #expect(!session.takeLoaded() && session.restored == 0)
            session.close({ longer[$0] }, computed: 0)
            #expect(cache.statistics.bytes == 0)
        }
    }

    @Test func `too few tokens behind, or nobody who asks, and blocks come whole`() throws {
        try with { tier in
            tier.allowed.withLockedValue { $0 = 2 }
            for (tokens, byLayers) in [(text + [1, 2, 3], true), (longer, false)] {
                let cache = try cache(tier)
                let session = try cache.open(tokens, positions: tokens.count, byLayers: byLayers)
                #expect(session.arriving == nil)
                wait { !session.isLoading }
                #expect(session.restored == 200 && Reference.holds(session, tokens, 0..<200))
                session.close({ tokens[$0] }, computed: 0)
            }
        }
    }

    @Test func `blocks come whole where they are read much sooner than what follows is computed`() throws {
        try with { tier in
            tier.allowed.withLockedValue { $0 = 2 }
            for isKnown in [false, true] {
                let cache = try cache(tier)
                // A minute for each token.
                if isKnown { cache.noteComputed(tokens: 512, seconds: 512 * 60) }
                let start = Array(text.prefix(65))
                let first = try cache.open(start, positions: 65)
                wait { !first.isLoading }
                first.close({ start[$0] }, computed: 0)
                let session = try cache.open(longer, positions: longer.count, byLayers: true)
                #expect((session.arriving == nil) == isKnown)
                wait { !session.isLoading }
                #expect(session.takeLoaded() != isKnown && session.restored == 200)
                session.close({ longer[$0] }, computed: 0)
            }
        }
    }

    /// A server that takes its time by a clock of the test's own.
    private final class FarTier: KVTier {
        let folder: KVFolder
        let state = NIOLockedValueBox((now: 0.0, seconds: 0.0, reads: 0))
        init(_ folder: KVFolder) { self.folder = folder }

        func read(_ request: KVBlockRequest, into block: UnsafeMutableRawPointer) throws {
            state.withLockedValue { $0 = ($0.now + $0.seconds, $0.seconds, $0.reads + 1) }
            try folder.read(request, into: block)
        }
        func count(of hashes: [KVHash]) -> Int { folder.count(of: hashes) }
        func write(_ block: KVBlockFile, from rows: UnsafeRawPointer, shape: KVShape) throws {}
        // What is forgotten in memory stays here.
        func remove(_ hash: KVHash) throws {}
        func erase(sources: Set<String>) throws {}
    }

    @Test func `a server that is slower than computing is left aside, and asked now and then`() throws {
        try with { gated in
            let tier = FarTier(gated.folder)
            let cache = try KVCache(
                shape: Reference.shape, model: hash("m"), modelName: "m", bytes: 60 * Reference.shape.blockBytes,
                localTier: nil, remoteTier: tier, clock: { tier.state.withLockedValue { $0.now } })
            /// Opens the text where nothing of it is in memory; how many blocks were read.
            func reads() throws -> Int {
                let before = tier.state.withLockedValue { $0.reads }
                let session = try cache.open(text, positions: text.count)
                wait { !session.isLoading }
                session.close({ text[$0] }, computed: 0)
                try cache.erase(sources: [], blocks: Set(cache.blocks(of: text, scope: "")))
                return tier.state.withLockedValue { $0.reads } - before
            }
            func set(_ seconds: Double) { tier.state.withLockedValue { $0.seconds = seconds } }
            // Fast enough: a block takes as long as eight tokens.
            set(0.008)
            cache.noteComputed(tokens: 512, seconds: 0.512)
            for _ in 0..<3 { #expect(try reads() == 6) }
            // Slower by and by, until it does not pay; then one of sixteen looks whether that is so.
            set(10)
            for _ in 0..<3 { _ = try reads() }
            #expect(try (0..<32).map { _ in try reads() }.filter { $0 > 0 }.count == 2)
            // Fast again: it is found out, and used.
            set(0)
            for _ in 0..<10 * 16 { _ = try reads() }
            #expect(try reads() == 6)
        }
    }
}
