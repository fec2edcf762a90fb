import Foundation
import MnemeBase
import MnemeStore
import Testing

/// Settling of claims: what is read for it, and that it does not matter how changes come.
@Suite struct ClaimTests {
    private static let owner = Owner(tenant: "t", user: "u")

    private static func cube(
        _ claims: [(attribute: String, value: String)], at time: Double,
        _ random: inout SplitMix64
    ) -> MemCube {
        var cube = MemCube(
            scope: Scope(tenant: "t", user: "u"), type: .semantic, text: "\(random.next())",
            eventTime: Date(timeIntervalSince1970: time), recordedTime: Date(timeIntervalSince1970: 2),
            provenance: Provenance(source: "test"))
        cube.claims = claims.map { Claim(subject: "ana", attribute: $0, value: $1) }
        cube.sensitivity = Int.random(in: 0..<5, using: &random) == 0 ? .public : .internal
        cube.scope.agent = Int.random(in: 0..<5, using: &random) == 0 ? "coder" : nil
        return cube
    }

    private static func cubes(_ count: Int, times: Int, _ random: inout SplitMix64) -> [MemCube] {
        (0..<count).map { _ in
            let attributes = ["home", "employer", "email", "car"].shuffled(using: &random)
                .prefix(Int.random(in: 1...4, using: &random))
            return cube(
                attributes.map { ($0, "v\(Int.random(in: 0..<4, using: &random))") },
                at: Double(Int.random(in: 0..<times, using: &random)), &random)
        }
    }

    // MARK: The cache alone

    /// Rows of a store as far as claims need them.
    private final class Table {
        struct Row {
            var cube: MemCube
            var former: CubeID?
        }
        var rows: [Row] = []
        private(set) var reads = 0

        func read(_ key: String) -> [Claimant] {
            reads += 1
            let claiming = rows.enumerated().filter { _, row in
                row.cube.state.isRecallable && row.cube.claims.contains { $0.key == key }
            }
            let sorted = claiming.sorted {
                ($0.element.cube.eventTime, $0.offset) < ($1.element.cube.eventTime, $1.offset)
            }
            return sorted.suffix(ClaimRules.compared).map { _, row in
                let cube = row.cube
                return Claimant(
                    ClaimHolder(
                        id: cube.id, seconds: cube.eventTime.timeIntervalSince1970,
                        validUntil: cube.validUntil, sensitivity: cube.sensitivity,
                        agent: cube.scope.agent, isFrozen: cube.state == .frozen,
                        claims: cube.claims, formers: Set([row.former].compactMap(\.self))),
                    cube.claims.last { $0.key == key }!)
            }
        }

        /// Writes what a settlement says, and returns it as text.
        func write(_ found: [ClaimCache.StaleValidity]) -> [String] {
            found.map { found in
                let place = rows.firstIndex { $0.cube.id == found.holder.id }!
                rows[place].cube.validUntil = found.successor?.eventTime
                rows[place].former = found.successor?.id
                return "\(found.holder.id) ends by \(found.successor?.id.description ?? "none")"
            }
        }
    }

    /// Adds cubes one by one, as one request does.
    ///
    /// - Returns: what was written, and how often the table was read.
    private static func updateValidity(_ cubes: [MemCube], isCached: Bool) throws
        -> (written: [String], reads: Int)
    {
        let table = Table()
        var cache = ClaimCache()
        var written: [String] = []
        for (number, cube) in cubes.enumerated() {
            if !isCached { cache = ClaimCache() }
            // Now and then one that is there goes out of use.
            if number % 7 == 6 {
                let place = number / 2
                let other = table.rows[place].cube
                table.rows[place].cube.state = .archived
                cache.forget(other.id, claiming: other.claims.map(\.key))
            }
            table.rows.append(.init(cube: cube))
            cache.insert(cube)
            let found = try cache.staleValidities(
                Set(cube.claims.map(\.key)), reaches: { _ in true }, read: table.read)
            written += table.write(found)
            for found in found {
                found.holder.recordEnd(by: found.successor)
            }
        }
        return (written, table.reads)
    }

    @Test func `validity from the cache is validity from reading everything anew`() throws {
        for seed in 0..<20 {
            var random = SplitMix64(seed: UInt64(seed))
            // Times in order, all the same, and anyhow.
            let cubes = Self.cubes(200, times: [1, 3, 1_000][seed % 3], &random)
            let cached = try Self.updateValidity(cubes, isCached: true)
            let plain = try Self.updateValidity(cubes, isCached: false)
            #expect(cached.written == plain.written && !cached.written.isEmpty)
            #expect(cached.reads < plain.reads)
        }
    }

    @Test func `a request reads each thing once, whether it adds a hundred cubes or four hundred`()
        throws
    {
        for count in [100, 400] {
            var random = SplitMix64(seed: 3)
            var cache = ClaimCache()
            let table = Table()
            for cube in Self.cubes(count, times: 1, &random) {
                table.rows.append(.init(cube: cube))
                cache.insert(cube)
                let found = try cache.staleValidities(
                    Set(cube.claims.map(\.key)), reaches: { _ in true }, read: table.read)
                for found in found { found.holder.recordEnd(by: found.successor) }
            }
            #expect(table.reads == 4)
        }
    }

    // MARK: In the store

    @Test func `what is ended stays ended, however many later claims there are`() throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteMemoryStore(path: folder.path + "/store.db", analyzer: "test")
        var random = SplitMix64(seed: 9)
        let count = ClaimRules.compared * 2
        // Of cars a third speaks, so that more of their past is compared than of homes.
        let cubes = (0..<count).map { number in
            let car = number % 3 == 0 ? [("car", "c\(number)")] : []
            var cube = Self.cube(
                [("home", "h\(number)")] + car, at: Double(number), &random)
            (cube.sensitivity, cube.scope.agent) = (.internal, nil)
            return cube
        }
        for cube in cubes {
            try store.commit(
                [.add(cube, analysis: [], contentHash: Array(cube.text.utf8), links: [])],
                owner: Self.owner, by: .local)
        }
        for (number, cube) in cubes.enumerated() {
            let history = try store.history(cube.id, owner: Self.owner, by: .local)
            #expect(!history.contains { $0.operation == .reinstate })
            let end = try store.cube(cube.id, owner: Self.owner, asOf: nil, by: .local)?.validUntil
            let next = number + (number % 3 == 0 ? 3 : 1)
            #expect(end?.timeIntervalSince1970 == (next < count ? Double(next) : nil))
        }
        // What is told late, and happened before all that are compared, is over when it is told.
        var late = Self.cube([("home", "old"), ("car", "old")], at: -1, &random)
        (late.sensitivity, late.scope.agent) = (.internal, nil)
        let told = try store.commit(
            [.add(late, analysis: [], contentHash: [7], links: [])], owner: Self.owner, by: .local)
        #expect(told.first?.validUntil != nil)
        try store.close()
    }

    private func state(_ store: SQLiteMemoryStore) throws -> [String] {
        try store.list(CubeFilter(owner: Self.owner, limit: 10_000), by: .local).flatMap { cube in
            let ends = try store.links(of: cube.id, owner: Self.owner, by: .local).filter {
                $0.kind == CubeLink.supersedes && $0.target == cube.id
            }
            return [
                "\(cube.text) v\(cube.version) \(cube.state) until \(cube.validUntil?.timeIntervalSince1970 ?? -1)"
            ] + ends.map { "\(cube.text) ended by \($0.source)" }.sorted()
        }
    }

    @Test func `one request of many changes leaves what many requests of one leave`() throws {
        for seed in 0..<4 {
            var random = SplitMix64(seed: UInt64(seed + 50))
            let cubes = Self.cubes(220, times: [1, 1_000][seed % 2], &random)
            var mutations: [Mutation] = []
            for (number, cube) in cubes.enumerated() {
                mutations.append(
                    .add(cube, analysis: [], contentHash: Array(cube.text.utf8), links: []))
                guard number % 10 == 9 else { continue }
                let former = cubes[number - 5].id
                let other = cubes[number - 3].id
                switch number / 10 % 5 {
                case 0: mutations.append(.archive(former))
                case 1: mutations.append(.erase(former))
                case 2: mutations.append(.freeze(former))
                case 3:
                    mutations.append(.archive(former))
                    mutations.append(.restore(former))
                default:
                    mutations.append(
                        .link(
                            CubeLink(
                                source: former, target: other, kind: CubeLink.supersedes,
                                time: Date(timeIntervalSince1970: 5))))
                }
            }
            let caller = Caller(.local, time: Date(timeIntervalSince1970: 9))
            let folder = try TemporaryFolder()
            let whole = try SQLiteMemoryStore(path: folder.path + "/whole.db", analyzer: "test")
            let single = try SQLiteMemoryStore(path: folder.path + "/single.db", analyzer: "test")
            try whole.commit(mutations, owner: Self.owner, by: caller)
            let requests = mutations.map { WriteRequest([$0], owner: Self.owner, by: caller) }
            for result in try single.commit(requests) { _ = try result.get() }
            let expected = try state(single)
            #expect(try state(whole) == expected && expected.count > 220)
            try whole.close()
            try single.close()
        }
    }

    @Test func `a commit answers with the cube as it is when the validity of its claims is updated`() throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteMemoryStore(path: folder.path + "/store.db", analyzer: "test")
        var random = SplitMix64(seed: 1)
        let now = Self.cube([("home", "rome")], at: 20, &random)
        var past = Self.cube([("home", "paris")], at: 10, &random)
        past.sensitivity = .restricted
        past.scope.agent = now.scope.agent
        let caller = Caller(.local, time: Date(timeIntervalSince1970: 9))
        try store.commit(
            [.add(now, analysis: [], contentHash: [1], links: [])], owner: Self.owner, by: caller)
        let added = try store.commit(
            [.add(past, analysis: [], contentHash: [2], links: [])], owner: Self.owner, by: caller)
        #expect(added.first?.validUntil == now.eventTime && added.first?.version == 2)
        #expect(
            try store.cube(past.id, owner: Self.owner, asOf: nil, by: .local) == added.first)
        try store.close()
    }
}
