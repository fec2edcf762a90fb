import Foundation
import MnemeBase
import MnemeKV
import MnemeModels
import MnemeSeal
import MnemeTesting
import NIOConcurrencyHelpers
import Testing

@Suite struct KVCacheTests {
    private func cache(
        blocks: Int, folder: (any KVTier)? = nil, remoteTier: (any KVTier)? = nil, model: String = "m",
        evictor: any Evictor = CostAware(),
        fails: (@Sendable (KVArena.Refusal) -> Bool)? = nil
    ) throws -> KVCache {
        try KVCache(
            shape: Reference.shape, model: hash(model), modelName: model,
            bytes: blocks * Reference.shape.blockBytes,
            localTier: folder, remoteTier: remoteTier,
            evictor: evictor, fails: fails)
    }

    /// Runs one sequence to its end; what was restored must be right.
    @discardableResult
    private func run(
        _ cache: KVCache, _ tokens: [Int32], scope: String = "", sources: Set<String> = []
    ) throws -> Int {
        let session = try cache.open(
            tokens, positions: tokens.count, scope: scope, sources: sources)
        while session.isLoading { usleep(100) }
        let restored = session.restored
        #expect(restored < tokens.count && Reference.holds(session, tokens, 0..<restored))
        #expect(try session.prepare(positions: tokens.count))
        Reference.compute(session, tokens, restored..<tokens.count)
        try session.publish({ tokens[$0] }, computed: tokens.count)
        session.close({ tokens[$0] }, computed: tokens.count)
        return restored
    }

    @Test func `a cached prefix is not computed again`() throws {
        let cache = try cache(blocks: 100)
        let text = (0..<200).map { Int32($0) }
        #expect(try run(cache, text) == 0)
        #expect(try run(cache, text) == 199, "one token is left, for its logits")
        #expect(try run(cache, text + [1, 2, 3]) == 200)
        #expect(
            try run(cache, Array(text[..<100]) + [9, 9]) == 100, "texts may part inside of a block")
        #expect(try run(cache, [7] + text) == 0, "what stands before matters")
        #expect(cache.statistics.bytes == cache.statistics.idleBytes)
    }

    @Test func `nobody finds what belongs to another scope`() throws {
        let path = temporaryFolder()
        let text = (0..<100).map { Int32($0) }
        defer { try? FileManager.default.removeItem(atPath: path) }
        let cache = try cache(blocks: 100, folder: KVFolder(path: path))
        try run(cache, text, scope: "ana")
        #expect(
            try run(cache, text, scope: "ben") == 0 && run(cache, text) == 0
                && run(cache, text, scope: "ana") == 99)
        cache.flush()
        let other = try self.cache(blocks: 100, folder: KVFolder(path: path))
        #expect(try run(other, text, scope: "cleo") == 0 && run(other, text, scope: "ana") == 99)
    }

    @Test func `sequences share memory and cannot change each other`() throws {
        let cache = try cache(blocks: 200)
        let prefix = (0..<2000).map { Int32($0 % 321) }
        try run(cache, prefix)
        let before = cache.statistics.bytes
        var sessions: [(KVCache.Session, [Int32])] = []
        for i in 0..<16 {
            let tokens = prefix + (0..<40).map { Int32($0 * i + 1000) }
            let session = try cache.open(tokens, positions: tokens.count)
            #expect(session.restored == 2000)
            #expect(try session.prepare(positions: tokens.count))
            sessions.append((session, tokens))
        }
        #expect(
            cache.statistics.bytes - before <= 16 * 2 * cache.shape.blockBytes,
            "the shared blocks are there once")
        for (session, tokens) in sessions {
            Reference.compute(session, tokens, 2000..<tokens.count)
        }
        for (session, tokens) in sessions {
            #expect(Reference.holds(session, tokens, 0..<tokens.count))
            session.close({ tokens[$0] }, computed: tokens.count)
        }
    }

    @Test func `equal texts computed side by side end in the same blocks`() throws {
        let cache = try cache(blocks: 50)
        let tokens = (0..<320).map { Int32($0) }
        let sessions = try (0..<4).map { _ in try cache.open(tokens, positions: 400) }
        for session in sessions {
            #expect(try session.prepare(positions: 320))
            Reference.compute(session, tokens, 0..<320)
            try session.publish({ tokens[$0] }, computed: 320)
        }
        #expect(cache.statistics.bytes == 10 * cache.shape.blockBytes)
        for session in sessions {
            #expect(Reference.holds(session, tokens, 0..<320))
            session.close({ tokens[$0] }, computed: 320)
        }
    }

    @Test func `memory is never exceeded, and what runs is told when it ends`() throws {
        let cache = try cache(blocks: 10)
        let first = (0..<256).map { Int32($0) }
        let second = (0..<256).map { Int32($0 + 500) }
        let one = try cache.open(first, positions: 256)
        let other = try cache.open(second, positions: 256)
        #expect(try one.prepare(positions: 256))
        #expect(try !other.prepare(positions: 256))
        #expect(other.blocks == 2 && cache.available == 0)
        Reference.compute(one, first, 0..<256)
        one.close({ first[$0] }, computed: 256)
        #expect(try other.prepare(positions: 256), "what nobody reads makes room")
        other.close({ second[$0] }, computed: 0)
        #expect(cache.statistics.evicted > 0 && cache.statistics.bytes <= cache.statistics.limit)
    }

    @Test func `memory that goes from one text to another is empty, and is not asked for anew`()
        throws
    {
        let refuses = NIOLockedValueBox(false)
        let cache = try cache(blocks: 10, fails: { _ in refuses.withLockedValue { $0 } })
        let first = (0..<320).map { Int32($0) }
        try run(cache, first)
        let resident = cache.statistics.residentBytes
        #expect(cache.available == 10 && resident == cache.statistics.limit)
        let session = try cache.open((0..<321).map { Int32($0 + 500) }, positions: 256)
        #expect(try session.prepare(positions: 256))
        #expect(cache.statistics.evicted == 8 && cache.statistics.residentBytes == resident)
        let view = session.view
        for layer in 0..<Reference.shape.layers {
            for position in 0..<256 {
                let key = view.keys[layer * view.layerStride + view.keyOffset(position)]
                let value = view.values[
                    layer * view.layerStride
                        + view.valueOffset(position, dimension: Reference.shape.dimension)]
                #expect(key == 0 && value == 0)
            }
        }
        session.close({ _ in 0 }, computed: 0)
        // What is freed, not handed over, goes back to the system.
        #expect(cache.statistics.residentBytes == 2 * Reference.shape.blockBytes)
    }

    @Test func `a folder outlives the process, for the same model only`() throws {
        let path = temporaryFolder()
        let text = (0..<150).map { Int32($0 * 3) }
        defer { try? FileManager.default.removeItem(atPath: path) }
        let first = try cache(blocks: 20, folder: KVFolder(path: path))
        try run(first, text)
        first.flush()
        #expect(first.statistics.written == 5 && first.statistics.unwritten == 0)
        let second = try cache(blocks: 20, folder: KVFolder(path: path))
        #expect(try run(second, text + [1]) == 150)
        #expect(second.statistics.tokensFromDisk == 150)
        // The same again takes nothing away.
        second.flush()
        for _ in 0..<3 {
            let again = try cache(blocks: 20, folder: KVFolder(path: path))
            #expect(try run(again, text + [1]) == 150 && run(again, text + [1]) == 150)
            again.flush()
        }
        let other = try cache(blocks: 20, folder: KVFolder(path: path), model: "another")
        #expect(try run(other, text) == 0)
        // A file of another model under this one's name is refused.
        other.flush()
        let entries = try KVFolder(path: path).entries()
        let mine = entries.filter { $0.model == "m" }
        let foreign = entries.filter { $0.model == "another" }
        #expect(mine.count == 5 && foreign.count == 5)
        func file(_ entry: KVFolder.Entry) -> String {
            "\(path)/\(entry.hash.description.prefix(2))/\(entry.hash).kv"
        }
        try FileManager.default.removeItem(atPath: file(mine[1]))
        try FileManager.default.copyItem(atPath: file(foreign[1]), toPath: file(mine[1]))
        let third = try cache(blocks: 20, folder: KVFolder(path: path))
        #expect(try run(third, text) == 32)
        #expect(third.statistics.refused == 1)
    }

    @Test(arguments: [0, 3, 9, 30, 60, 120, 200, 1000, 4000], [false, true])
    func `a damaged file is refused, removed and made anew`(offset: Int, isEncrypted: Bool) throws {
        let path = temporaryFolder()
        let text = (0..<130).map { Int32($0 * 3) }
        let key = isEncrypted ? EncryptionKey() : nil
        defer { try? FileManager.default.removeItem(atPath: path) }
        let first = try cache(blocks: 20, folder: KVFolder(path: path, key: key))
        try run(first, text)
        first.flush()
        let folder = try KVFolder(path: path, key: key)
        let second = folder.entries()[1]
        let file = "\(path)/\(second.hash.description.prefix(2))/\(second.hash).kv"
        var data = try Data(contentsOf: URL(fileURLWithPath: file))
        for change in 0..<2 {
            if change == 0 {
                data[min(offset, data.count - 1)] ^= 0x10
            } else {
                data = data.prefix(offset)
            }
            try data.write(to: URL(fileURLWithPath: file))
            #expect(folder.verify().damaged.count == 1)
            let again = try cache(blocks: 20, folder: folder)
            #expect(try run(again, text) == 32)
            again.flush()
            #expect(again.statistics.refused == 1 && folder.verify().damaged.isEmpty)
            data = try Data(contentsOf: URL(fileURLWithPath: file))
        }
    }

    @Test func `an encrypted folder tells nothing, and gives back what was computed`() throws {
        let path = temporaryFolder()
        let other = temporaryFolder()
        let key = EncryptionKey()
        let next = EncryptionKey()
        let text = (0..<200).map { Int32($0 * 7) }
        defer {
            for folder in [path, other, path + ".blocks"] {
                try? FileManager.default.removeItem(atPath: folder)
            }
        }
        let first = try cache(blocks: 100, folder: KVFolder(path: path, key: key))
        try run(first, text, sources: ["memory-of-a-secret"])
        first.flush()
        /// Tokens that a new cache over the folder finds.
        func found(_ folder: KVFolder) throws -> Int {
            let cache = try cache(blocks: 100, folder: folder)
            defer { cache.flush() }
            return try run(cache, text)
        }
        func files() throws -> [Data] {
            try FileManager.default.subpathsOfDirectory(atPath: path).filter { $0.hasSuffix(".kv") }
                .map {
                    try Data(contentsOf: URL(fileURLWithPath: path + "/" + $0))
                }
        }
        let tokens = text[0..<32].withUnsafeBytes { Data($0) }
        #expect(
            try files().count == 7
                && files().allSatisfy {
                    $0.range(of: tokens) == nil && $0.range(of: Data("memory-of".utf8)) == nil
                })
        #expect(
            try #require(throws: SealError.self) { try KVFolder(path: path) }.code == .keyMissing)
        #expect(
            try #require(throws: SealError.self) { try KVFolder(path: path, key: next) }.code
                == .wrongKey)
        #expect(try found(KVFolder(path: path, key: key)) == 199)
        // An export can be read where the key is not.
        let folder = try KVFolder(path: path, key: key)
        let last = try #require(folder.entries().last)
        try folder.export(last.hash, to: path + ".blocks")
        #expect(try KVFolder(path: other).import(path + ".blocks") == 7)
        #expect(try found(KVFolder(path: other)) == 199)
        #expect(
            try #require(throws: SealError.self) { try KVFolder(path: other, key: key) }.code
                == .notEncrypted)
        // Another key, then none, then a key again.
        try KVFolder.exchangeKey(path, from: key, to: next)
        #expect(throws: SealError.self) { try KVFolder(path: path, key: key) }
        #expect(try found(KVFolder(path: path, key: next)) == 199)
        #expect(try KVFolder.rewrite(path, from: next, to: nil) == 7)
        #expect(try files().contains { $0.range(of: tokens) != nil })
        #expect(try found(KVFolder(path: path)) == 199)
        #expect(try KVFolder.rewrite(path, from: nil, to: key) == 7)
        let again = try KVFolder(path: path, key: key)
        #expect(try found(again) == 199 && files().allSatisfy { $0.range(of: tokens) == nil })
        // One file in the place of another is not taken for it, and a changed one is refused.
        let entries = again.entries()
        let names = entries.map { "\(path)/\($0.hash.description.prefix(2))/\($0.hash).kv" }
        try Data(contentsOf: URL(fileURLWithPath: names[3])).write(
            to: URL(fileURLWithPath: names[2]))
        #expect(try found(again) == 64)
    }

    @Test func `a folder keeps its bound, what is pinned, and the prefixes of what it keeps`()
        throws
    {
        let path = temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let folder = try KVFolder(path: path, limit: 100_000)
        let cache = try cache(blocks: 200, folder: folder)
        let pinned = (0..<128).map { Int32($0 + 9000) }
        try run(cache, pinned)
        cache.flush()
        try folder.setPinned(try #require(folder.entries().last).hash, true)
        for i in 0..<40 { try run(cache, (0..<96).map { Int32($0 + i * 100) }) }
        cache.flush()
        let entries = folder.entries()
        let known = Set(entries.map(\.hash))
        #expect(entries.reduce(0) { $0 + $1.bytes } <= 110_000)
        #expect(entries.filter(\.isPinned).count == 4)
        #expect(entries.allSatisfy { $0.position == 0 || known.contains($0.parent) })
    }

    @Test func `erasing a memory erases what was made from it and after it`() throws {
        let path = temporaryFolder()
        let system = (0..<64).map { Int32($0) }
        let secret = system + (0..<64).map { Int32($0 + 700) }
        defer { try? FileManager.default.removeItem(atPath: path) }
        let cache = try cache(blocks: 40, folder: KVFolder(path: path))
        try run(cache, system)
        try run(cache, secret, sources: ["memory-1"])
        try run(cache, secret + (0..<64).map { Int32($0 + 900) })
        let reader = try cache.open(secret, positions: 200)
        let other = system + (0..<64).map { Int32($0 + 2000) }
        // This one has computed nothing of its own yet.
        let late = try cache.open(other, positions: 200, sources: ["memory-1"])
        try cache.erase(sources: ["memory-1"])
        #expect(try late.prepare(positions: other.count))
        Reference.compute(late, other, late.restored..<other.count)
        try late.publish({ other[$0] }, computed: other.count)
        late.close({ other[$0] }, computed: other.count)
        #expect(
            Reference.holds(reader, secret, 0..<reader.restored), "who reads it ends undisturbed")
        reader.close({ secret[$0] }, computed: reader.restored)
        cache.flush()
        #expect(
            try KVFolder(path: path).entries().allSatisfy { $0.position < 64 && $0.sources.isEmpty }
        )
        #expect(try run(cache, secret) == 64 && run(cache, other) == 64)
        // Blocks that are being written are held.
        cache.flush()
        expectNothingHeld(cache)
    }

    @Test func `chains are exported, imported and found by their names`() throws {
        let path = temporaryFolder()
        let other = temporaryFolder()
        let package = temporaryFolder() + ".kvs"
        let text = (0..<100).map { Int32($0 * 5) }
        defer {
            for path in [path, other, package] { try? FileManager.default.removeItem(atPath: path) }
        }
        let first = try cache(blocks: 20, folder: KVFolder(path: path))
        try run(first, text)
        first.flush()
        let folder = try KVFolder(path: path)
        let last = try #require(folder.entries().last)
        #expect(try folder.find(String(last.hash.description.prefix(10))) == last.hash)
        #expect(throws: KVError.self) { try folder.find("nothing") }
        try folder.export(last.hash, to: package)
        let target = try KVFolder(path: other)
        #expect(try target.import(package) == 4)
        #expect(try run(cache(blocks: 20, folder: target), text) == 99)
        var data = try Data(contentsOf: URL(fileURLWithPath: package))
        for end in stride(from: 1, to: data.count, by: 997) {
            try data.prefix(end).write(to: URL(fileURLWithPath: package))
            if end != 8 {
                #expect(throws: KVError.self) {
                    try KVFolder(path: temporaryFolder()).import(package)
                }
            }
        }
        data[data.count / 2] ^= 1
        try data.write(to: URL(fileURLWithPath: package))
        #expect(throws: KVError.self) { try KVFolder(path: temporaryFolder()).import(package) }
    }

    /// All that memory holds is kept for later. A sequence that was closed while it loaded gives its
    /// blocks back a little later.
    private func expectNothingHeld(_ cache: KVCache) {
        for _ in 0..<60_000 where cache.statistics.bytes != cache.statistics.idleBytes {
            usleep(1000)
        }
        #expect(cache.statistics.bytes == cache.statistics.idleBytes, "nothing is held by nobody")
    }

    /// Many sequences that begin, grow, share, end and are put back at random, over little memory
    /// and a folder whose files are changed, cut off and removed meanwhile: everything that is
    /// handed out is right, and the bound holds.
    @Test(arguments: [1, 2, 3, 4]) func `random operations with faults never serve a wrong block`(
        seed: UInt64
    ) throws {
        let path = temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: path) }
        var random = SplitMix64(seed: seed)
        // The system refuses memory and mappings now and then, and for a while everything.
        let pressure = NIOLockedValueBox(SplitMix64(seed: seed ^ 77))
        let isTight = NIOLockedValueBox(false)
        let fails: @Sendable (KVArena.Refusal) -> Bool = { _ in
            pressure.withLockedValue { $0.below(40) == 0 }
                || isTight.withLockedValue { $0 } && pressure.withLockedValue { $0.below(2) == 0 }
        }
        let trouble: @Sendable () -> Bool = { pressure.withLockedValue { $0.below(12) == 0 } }
        // Both tiers fail now and then; a second folder stands for the far one.
        let far = FaultyTier(
            folder: try KVFolder(path: path + "/far", limit: 900_000), fails: trouble)
        let files = try KVFolder(
            path: path, limit: 600_000,
            evictor: seed % 2 == 0 ? LeastRecentlyUsed() : CostAware() as any Evictor)
        let folder = FaultyTier(folder: files, fails: trouble)
        let evictors: [any Evictor] = [
            LeastFrequentlyUsed(), CostAware(), MarkAndPredict(seed: seed), LeastRecentlyUsed(),
        ]
        var cache = try cache(
            blocks: 48, folder: folder, remoteTier: far, evictor: evictors[Int(seed % 4)], fails: fails)
        var refused = 0
        struct Running {
            var session: KVCache.Session
            var tokens: [Int32]
            var computed: Int
            var isChecked = false
        }
        var running: [Running] = []
        var known: [[Int32]] = [[1]]
        var found = 0
        for step in 0..<2500 {
            switch random.below(10) {
            case 0..<3 where running.count < 6:
                // A text that goes on from another one, or parts from it.
                let base = known[random.below(known.count)]
                let tokens =
                    Array(base.prefix(random.below(base.count + 1)))
                    + (0..<1 + random.below(90)).map { _ in Int32(random.below(3)) }
                let sources: Set<String> = random.below(8) == 0 ? ["s\(random.below(4))"] : []
                guard
                    let session = try? cache.open(
                        tokens, positions: tokens.count + 64, sources: sources)
                else {
                    refused += 1
                    continue
                }
                running.append(Running(session: session, tokens: tokens, computed: 0))
            case 3..<7 where !running.isEmpty:
                let i = random.below(running.count)
                guard !running[i].session.isLoading else { continue }
                if !running[i].isChecked {
                    running[i].isChecked = true
                    running[i].computed = running[i].session.restored
                    found += running[i].computed
                }
                let goal = min(running[i].tokens.count, running[i].computed + 1 + random.below(70))
                if running[i].computed == goal, goal % 32 != 0 || random.below(2) == 0 {
                    running[i].tokens.append(Int32(random.below(3)))
                }
                let end = min(goal, running[i].tokens.count, running[i].session.view.capacity)
                if running[i].session.failure != nil {
                    refused += 1
                    let ended = running.remove(at: i)
                    ended.session.close({ ended.tokens[$0] }, computed: 0)
                    continue
                }
                if (try? running[i].session.prepare(positions: end)) == true {
                    Reference.compute(
                        running[i].session, running[i].tokens, running[i].computed..<end)
                    running[i].computed = end
                }
                let tokens = running[i].tokens
                do {
                    try running[i].session.publish({ tokens[$0] }, computed: running[i].computed)
                } catch {
                    // As the engine does: what cannot be used any more is given up.
                    refused += 1
                    running.remove(at: i).session.close({ tokens[$0] }, computed: 0)
                    continue
                }
                if running[i].tokens.count >= 300 + 64
                    || running[i].computed == running[i].session.view.capacity
                {
                    fallthrough
                }
            case 7 where !running.isEmpty:
                let ended = running.remove(at: random.below(running.count))
                let tokens = ended.tokens
                if ended.isChecked {
                    #expect(
                        Reference.holds(ended.session, tokens, 0..<ended.computed), "step \(step)")
                }
                ended.session.close({ tokens[$0] }, computed: ended.isChecked ? ended.computed : 0)
                known.append(tokens)
                if known.count > 30 { known.removeFirst() }
            case 8:
                // Somebody damages, cuts off or removes a file.
                let files =
                    (FileManager.default.enumerator(atPath: path)?.allObjects as? [String] ?? [])
                    .filter {
                        $0.hasSuffix(".kv")
                    }
                guard !files.isEmpty else { continue }
                let file = path + "/" + files[random.below(files.count)]
                switch random.below(3) {
                case 0: unlink(file)
                case 1: truncate(file, off_t(random.below(4000)))
                default:
                    guard let handle = FileHandle(forUpdatingAtPath: file),
                        let size = try? handle.seekToEnd(), size > 0
                    else { continue }
                    try? handle.seek(toOffset: UInt64(random.below(Int(size))))
                    try? handle.write(contentsOf: Data([UInt8(random.below(256))]))
                    try? handle.close()
                }
            case 9:
                if random.below(10) == 0 { isTight.withLockedValue { $0.toggle() } }
                if random.below(20) == 0 { try cache.erase(sources: ["s\(random.below(4))"]) }
                if random.below(60) == 0 {
                    for ended in running {
                        while ended.session.isLoading { usleep(100) }
                        if ended.isChecked {
                            #expect(
                                Reference.holds(ended.session, ended.tokens, 0..<ended.computed))
                        }
                        ended.session.close(
                            { ended.tokens[$0] }, computed: ended.isChecked ? ended.computed : 0)
                    }
                    running = []
                    cache.flush()
                    expectNothingHeld(cache)
                    cache = try self.cache(
                        blocks: 48, folder: folder, remoteTier: far, evictor: evictors[Int(seed + 1) % 4],
                        fails: fails)
                }
            default: break
            }
            let statistics = cache.statistics
            #expect(statistics.bytes <= statistics.limit && cache.available >= 0)
        }
        for ended in running {
            while ended.session.isLoading { usleep(100) }
            ended.session.close(
                { ended.tokens[$0] }, computed: ended.isChecked ? ended.computed : 0)
        }
        cache.flush()
        expectNothingHeld(cache)
        #expect(found > 1000, "what was kept is used")
        #expect(refused > 10, "the system did refuse")
    }
}

/// A cache of some pages under a trace of requests.
private struct Paging {
    var trace: [Int], room: Int

    /// Faults under an evictor that is told one bit with each request.
    func faults(_ evictor: any Evictor, bits: [Bool]) -> Int {
        var pages: [Int: (used: Int, isExpected: Bool)] = [:]
        var faults = 0
        for (now, page) in trace.enumerated() {
            if pages[page] == nil {
                faults += 1
                if pages.count == room {
                    let choices = pages.sorted { $0.key < $1.key }.map { page, known in
                        let candidate = EvictionCandidate(
                            bytes: 1, position: 0, tokens: 32, idle: Double(now - known.used),
                            uses: 0,
                            time: Double(now), isExpected: known.isExpected)
                        return (page, evictor.value(candidate), candidate)
                    }
                    let victim = choices.min { $0.1 < $1.1 }!
                    evictor.didEvict(victim.2)
                    pages[victim.0] = nil
                }
            }
            pages[page] = (now, bits[now])
        }
        return faults
    }

    /// The least that is possible: what is used last again goes (Belady).
    var least: Int {
        var pages: Set<Int> = []
        var faults = 0
        for (now, page) in trace.enumerated() where !pages.contains(page) {
            faults += 1
            if pages.count == room { pages.remove(pages.max { next($0, now) < next($1, now) }!) }
            pages.insert(page)
        }
        return faults
    }

    private func next(_ page: Int, _ now: Int) -> Int {
        trace[(now + 1)...].firstIndex(of: page) ?? .max
    }

    /// For each request, whether the page is requested in the phase after its own.
    var bits: [Bool] {
        var phases: [[Int]] = [[]]
        var phase: [Int] = []
        var seen: Set<Int> = []
        for page in trace {
            if !seen.contains(page), seen.count == room {
                seen = []
                phases.append([])
            }
            seen.insert(page)
            phases[phases.count - 1].append(page)
            phase.append(phases.count - 1)
        }
        let sets = phases.map { Set($0) }
        return trace.indices.map {
            phase[$0] + 1 < sets.count && sets[phase[$0] + 1].contains(trace[$0])
        }
    }
}

@Suite struct ArenaTests {
    /// Blocks of 4 MiB, as a model of 8 billion parameters has them.
    @Test func `large blocks are shared, grow and go back like small ones`() throws {
        let shape = KVShape(layers: 32, heads: 8, dimension: 128)
        #expect(shape.blockBytes == 4 << 20)
        let arena = try KVArena(shape, bytes: 6 * shape.blockBytes)
        let one = try arena.reserve(positions: 96)
        let other = try arena.reserve(positions: 96)
        let blocks = (0..<3).compactMap { _ in arena.allocate() }
        try one.map(blocks, at: 0, writable: true)
        try other.map(blocks.prefix(2), at: 0, writable: false)
        let own = try #require(arena.allocate())
        try other.map([own], at: 2, writable: true)
        for position in 0..<96 {
            for layer in [0, 31] {
                one.view.keys[layer * one.view.layerStride + one.view.keyOffset(position)] = UInt16(
                    position * 7 + layer)
            }
        }
        other.view.keys[other.view.keyOffset(64)] = 9999
        for position in 0..<64 {
            #expect(
                other.view.keys[31 * other.view.layerStride + other.view.keyOffset(position)]
                    == UInt16(position * 7 + 31))
        }
        #expect(
            one.view.keys[one.view.keyOffset(64)] == 448
                && other.view.keys[other.view.keyOffset(64)] == 9999)
        #expect(arena.residentBytes > 0 && arena.hasMemory(own))
        withExtendedLifetime((one, other)) {}
        for block in blocks + [own] { arena.free(block) }
        #expect(arena.residentBytes == 0 && arena.used == 0 && !arena.hasMemory(own))
    }
}

/// A folder whose disk is full now and then, and whose files cannot be read now and then.
private struct FaultyTier: KVTier {
    let folder: KVFolder
    let fails: @Sendable () -> Bool

    private func check() throws { if fails() { throw KVError.absent("room") } }
    func count(of hashes: [KVHash]) -> Int { folder.count(of: hashes) }
    func read(_ request: KVBlockRequest, into block: UnsafeMutableRawPointer) throws {
        try check()
        try folder.read(request, into: block)
    }
    func write(_ block: KVBlockFile, from rows: UnsafeRawPointer, shape: KVShape) throws {
        try check()
        try folder.write(block, from: rows, shape: shape)
    }
    func remove(_ hash: KVHash) throws { try folder.remove(hash) }
    func erase(sources: Set<String>) throws { try folder.erase(sources: sources) }
}

extension SplitMix64 {
    fileprivate mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}

@Suite struct CodecTests {
    @Test(arguments: KVCodec.allCases, KVCodecConformance.all)
    func `every codec conforms`(codec: KVCodec, check: KVCodecConformance) async throws {
        try await check.run(codec)
    }

    @Test func `blocks have the bytes that the guide names`() {
        #expect(KVCodec.allCases.map { $0.bytes(dimension: 64) } == [8192, 4608, 2560, 1672])
    }

    @Test(arguments: [KVCodec.int8, .int2])
    func `encoded blocks are found again, under their own names, also ends`(
        codec: KVCodec
    ) throws {
        let path = temporaryFolder()
        let tokens = (0..<90).map { Int32($0) }
        defer { try? FileManager.default.removeItem(atPath: path) }
        func cache(_ codec: KVCodec) throws -> KVCache {
            try KVCache(
                shape: Reference.shape, model: hash(codec.rawValue), modelName: "m",
                bytes: 20 * Reference.shape.blockBytes, localTier: KVFolder(path: path),
                codec: codec)
        }
        let first = try cache(codec)
        let session = try first.open(tokens, positions: 90)
        #expect(try session.prepare(positions: 90))
        // Values between 1 and 2.
        for p in 0..<90 {
            for layer in 0..<2 {
                for i in 0..<16 {
                    let view = session.view
                    let value = Float16(1 + Float((p * 5 + i * 3 + layer) % 64) / 64).bitPattern
                    view.keys[
                        layer * view.layerStride + view.keyOffset(p) + i * KVView.blockTokens] =
                        value
                    view.values[
                        layer * view.layerStride + view.valueOffset(p, dimension: 8) + i / 8 * 8
                            * KVView.blockTokens + i
                            % 8] = value
                }
            }
        }
        session.close({ tokens[$0] }, computed: 90)
        first.flush()
        let again = try cache(codec)
        let restored = try again.open(tokens, positions: 90)
        while restored.isLoading { usleep(100) }
        #expect(restored.restored == 89)
        let view = restored.view
        for p in 0..<89 {
            for i in 0..<16 {
                let expected = 1 + Float((p * 5 + i * 3 + 1) % 64) / 64
                let bound: Float = p < 32 ? 0.001 : codec == .int8 ? 0.01 : 0.3
                let key = Float(
                    Float16(
                        bitPattern: view.keys[
                            view.layerStride + view.keyOffset(p) + i * KVView.blockTokens]))
                let value = Float(
                    Float16(
                        bitPattern: view.values[
                            view.layerStride + view.valueOffset(p, dimension: 8) + i / 8 * 8
                                * KVView.blockTokens + i % 8
                        ]))
                #expect(abs(key - expected) < bound && abs(value - expected) < bound)
            }
        }
        restored.close({ tokens[$0] }, computed: 89)
        #expect(try KVFolder(path: path).verify().damaged.isEmpty)
    }
}

@Suite struct EvictorTests {
    private func candidate(position: Int = 0, idle: Double = 0, uses: Int = 0) -> EvictionCandidate {
        EvictionCandidate(bytes: 1000, position: position, tokens: 32, idle: idle, uses: uses)
    }

    @Test func `each strategy evicts what it should`() {
        #expect(
            LeastRecentlyUsed().value(candidate(idle: 10, uses: 9))
                < LeastRecentlyUsed().value(candidate(idle: 1)))
        #expect(
            LeastFrequentlyUsed().value(candidate(idle: 1))
                < LeastFrequentlyUsed().value(candidate(idle: 1000, uses: 1)))
        #expect(MarkAndPredict().value(candidate()) >= 2)
        let cost = CostAware()
        #expect(
            cost.value(candidate(idle: 100)) < cost.value(candidate(position: 8000, idle: 100)),
            "what stands late costs more")
        #expect(cost.value(candidate(idle: 100_000, uses: 1)) < cost.value(candidate(idle: 1)))
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `one right bit is nearly the best, a wrong one no disaster`(
        seed: UInt64
    ) {
        var random = SplitMix64(seed: seed)
        // A loop that is one too long for the cache, the worst for LRU, with some pages that come
        // once.
        let loop = Paging(
            trace: (0..<900).map { $0 % 9 == 8 ? 100 + $0 : $0 * 8 / 9 % 11 }, room: 10)
        let skewed = Paging(
            trace: (0..<900).map { _ in min(random.below(40), random.below(40)) }, room: 10)
        for paging in [loop, skewed] {
            let bits = paging.bits
            let least = paging.least
            let recent = paging.faults(LeastRecentlyUsed(), bits: bits)
            let right = paging.faults(MarkAndPredict(seed: seed), bits: bits)
            let wrong = paging.faults(MarkAndPredict(seed: seed), bits: bits.map { !$0 })
            let half = paging.faults(
                MarkAndPredict(seed: seed), bits: bits.map { random.below(2) == 0 ? $0 : !$0 })
            #expect(
                right < recent && Double(right) <= 2 * Double(least),
                "right \(right) of \(least), LRU \(recent)")
            #expect(right <= half && half <= wrong + wrong / 10, "\(right) \(half) \(wrong)")
            // 2·H(10) of the best, the bound of marking at random.
            #expect(Double(wrong) <= 2 * 2.93 * Double(least), "wrong \(wrong) of \(least)")
        }
    }
}
