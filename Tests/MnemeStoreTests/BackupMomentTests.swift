import Crypto
import Foundation
import MnemeBase
import MnemeStore
import Testing

@Suite struct BackupMomentTests {
    private func open(_ path: String) throws -> SQLiteMemoryStore {
        try SQLiteMemoryStore(path: path, analyzer: "test", auditKey: .init())
    }

    private func series(_ folder: String) -> BackupSeries {
        var series = BackupSeries(folder: folder, key: nil)
        series.terms = ChangingStore.terms
        return series
    }

    /// What a store held when the journal stood at a position first.
    private struct State {
        var position: Int64, audit: Int64
        var rows: [String: [[StoredValue]]]

        init(_ store: any MemoryStore) throws {
            rows = try ChangingStore.rows(store)
            position = try rows["journal"]?.last?.number("position", of: .journal) ?? 0
            audit = try rows["audit"]?.last?.number("position", of: .audit) ?? 0
        }
    }

    /// Each of the moments, restored and compared with what was there then, but for what was erased since.
    private func compare(
        _ states: [State], _ series: BackupSeries, _ changing: ChangingStore, _ folder: String, _ about: String
    ) throws {
        let erased = changing.erased
        let last = try ChangingStore.rows(changing.store)["access_grant"] ?? []
        for state in states {
            let moment = try series.moment(position: state.position)
            #expect(moment.position == state.position, "\(about)")
            let path = "\(folder)/restored-\(UUID().uuidString).db"
            let target = try open(path)
            let restored = try series.restore(moment, to: target)
            let found = ChangingStore.logged(try ChangingStore.rows(target, upTo: moment.audit), without: erased)
            // A point may lie behind the request that wrote the position.
            var expected = ChangingStore.logged(state.rows, without: erased)
            if moment.after == nil {
                for table in ["audit", "access_grant", "policy"] { expected[table] = found[table] }
            } else {
                #expect(moment.audit == state.audit, "\(about)")
            }
            // A grant that was taken back before the next point is not there; others are.
            let grants = Set(found["access_grant"] ?? [])
            let lasting = Set(expected["access_grant"] ?? []).intersection(last)
            #expect(grants.isSubset(of: expected["access_grant"] ?? []) && lasting.isSubset(of: grants), "\(about)")
            for table in ChangingStore.logged where table != "access_grant" {
                var (found, expected) = (Set(found[table] ?? []), Set(expected[table] ?? []))
                // Nothing tells of a session whose memories were all erased.
                if table == "session", !erased.isEmpty { (found, expected) = (found.subtracting(expected), []) }
                #expect(found == expected, "\(table) at \(state.position), \(about)")
            }
            let there = Set((state.rows["cube"] ?? []).compactMap { $0.text("id", of: .cube) })
            #expect(Set(restored.erasedLater.map(\.id.description)) == there.intersection(erased), "\(about)")
            for (owner, id) in restored.erasedLater {
                try target.commit([.erase(id)], owner: owner, by: .local)
            }
            try StoreCopy.verify(target, by: .local)
            try target.close()
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `every position of the journal is restored as the store was then`(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        let changing = ChangingStore(try open(folder.path + "/store.db"), seed: seed)
        let series = series(folder.path + "/backup")
        var states: [State] = []
        var chance = SplitMix64(seed: seed &+ 100)
        for i in 0..<70 {
            if i > 40, chance.next() % 8 == 0 { try changing.erase() } else { try changing.change() }
            let state = try State(changing.store)
            if state.position > states.last?.position ?? 0 { states.append(state) }
            var options = BackupSeries.Options()
            options.isWhole = chance.next() % 4 == 0
            if i % 9 == 8 { _ = try series.add(changing.store, options) }
        }
        _ = try series.add(changing.store)
        try compare(states, series, changing, folder.path, "seed \(seed)")
        // Merged points tell of the same moments.
        let keep = try #require(BackupRetention("1h"))
        #expect(try series.prune(keep).points == 1)
        let some = states.enumerated().filter { $0.offset % 4 == 0 }.map(\.element)
        try compare(some, series, changing, folder.path, "merged, seed \(seed)")
        try changing.store.close()
    }

    @Test func `a moment inside a request is the end of the request before, and one too early is refused`() throws {
        let folder = try TemporaryFolder()
        let store = try open(folder.path + "/store.db")
        let series = series(folder.path + "/backup")
        func add(_ texts: String...) throws {
            try store.commit(
                texts.map {
                    let cube = MemCube(
                        scope: Scope(tenant: "t", user: "u"), type: .episodic, text: $0, eventTime: Date(),
                        recordedTime: Date(), provenance: Provenance(source: "test"))
                    return .add(cube, analysis: [1], contentHash: Array($0.utf8))
                }, owner: ChangingStore.owner, by: .local)
        }
        #expect(throws: StoreError.self) { try series.moment(position: 1) }
        try add("one", "two")
        _ = try series.add(store)
        try add("three", "four", "five")
        _ = try series.add(store)
        #expect(try [2, 3, 4, 5, 9].map { try series.moment(position: $0).position } == [2, 2, 2, 5, 5])
        #expect(throws: StoreError.self) { try series.moment(position: 1) }
        #expect(throws: StoreError.self) { try series.moment(position: 0) }
        #expect(throws: StoreError.self) { try series.moment(at: Date(timeIntervalSince1970: 0)) }
        #expect(try series.moment(at: .distantFuture).before == series.points().last)
        // A point that was merged away is told, not restored from elsewhere.
        let moment = try BackupMoment(series.points()[0])
        #expect(try series.prune(#require(BackupRetention("1h"))).points == 1)
        let target = try open(folder.path + "/target.db")
        let error = #expect(throws: StoreError.self) { try series.restore(moment, to: target) }
        #expect(error?.code == .conflict)
    }

    @Test func `times before the first point are found in the log, and what went back has its newest history`() throws {
        let folder = try TemporaryFolder()
        let store = try open(folder.path + "/store.db")
        let series = series(folder.path + "/backup")
        func add(_ text: String, at seconds: Double, to store: SQLiteMemoryStore) throws {
            var caller = Caller.local
            caller.time = Date(timeIntervalSince1970: seconds)
            let cube = MemCube(
                scope: Scope(tenant: "t", user: "u"), type: .episodic, text: text, eventTime: Date(),
                recordedTime: Date(), provenance: Provenance(source: "test"))
            try store.commit(
                [.add(cube, analysis: [1], contentHash: Array(text.utf8))], owner: ChangingStore.owner, by: caller)
        }
        func texts(_ moment: BackupMoment) throws -> [String?] {
            let target = try open("\(folder.path)/\(UUID().uuidString).db")
            _ = try series.restore(moment, to: target)
            return try (ChangingStore.rows(target)["cube"] ?? []).map { $0.text("text", of: .cube) }
        }
        for (i, text) in ["a", "b", "c"].enumerated() { try add(text, at: 1_000 + 10 * Double(i), to: store) }
        let first = try #require(try series.add(store))
        #expect(try texts(series.moment(at: Date(timeIntervalSince1970: 1_010.5))) == ["a", "b"])
        #expect(try series.moment(at: Date(timeIntervalSince1970: 1_019)).position == 2)
        #expect(try texts(series.moment(position: 1)) == ["a"])
        #expect(throws: StoreError.self) { try series.moment(at: Date(timeIntervalSince1970: 999)) }
        try add("d", at: 1_030, to: store)
        try add("e", at: 1_040, to: store)
        _ = try series.add(store)
        // The store goes back to the first point and on from there.
        let back = try open(folder.path + "/back.db")
        _ = try series.restore(first, to: back)
        for text in ["x", "y", "z"] { try add(text, at: Date().timeIntervalSince1970, to: back) }
        var options = BackupSeries.Options()
        options.isWhole = true
        _ = try series.add(back, options)
        #expect(try series.points().map(\.position) == [3, 5, 6])
        #expect(try texts(series.moment(position: 4)) == ["a", "b", "c", "x"])
        #expect(try texts(series.moment(position: 5)) == ["a", "b", "c", "d", "e"])
        #expect(try texts(series.moment(at: .distantFuture)) == ["a", "b", "c", "x", "y", "z"])
    }
}
