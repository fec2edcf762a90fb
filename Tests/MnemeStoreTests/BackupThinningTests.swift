import Crypto
import Foundation
import MnemeBase
import MnemeStore
import Testing

@Suite struct BackupThinningTests {
    private func open(_ path: String) throws -> SQLiteMemoryStore {
        try SQLiteMemoryStore(path: path, analyzer: "test", auditKey: .init())
    }

    /// A series of points with erasures among them, and the store's rows at each that can be compared.
    private func fill(_ folder: String, seed: UInt64) throws -> (
        series: BackupSeries, last: [String: [[StoredValue]]], audit: Int64
    ) {
        let changing = ChangingStore(try open(folder + "/store.db"), seed: seed)
        let series = BackupSeries(folder: folder + "/backup", key: nil)
        for i in 0..<7 {
            for _ in 0..<8 { try changing.change() }
            if i > 2 { try changing.erase() }
            var options = BackupSeries.Options()
            options.isWhole = i == Int(seed)
            _ = try series.add(changing.store, options)
        }
        let rows = try ChangingStore.rows(changing.store)
        return (series, rows, try #require(rows["audit"]?.last).number("position", of: .audit))
    }

    private func restored(_ point: BackupPoint, of series: BackupSeries, _ folder: String) throws
        -> [String: Set<[StoredValue]>]
    {
        let target = try open("\(folder)/\(UUID().uuidString).db")
        _ = try series.restore(point, to: target)
        let rows = try ChangingStore.rows(target, upTo: point.marks.audit)
        try target.close()
        return rows.mapValues(Set.init)
    }

    @Test(arguments: [2, 3, 9] as [UInt64])
    func `merged points restore what they did`(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        let (series, last, _) = try fill(folder.path, seed: seed)
        let points = try series.points()
        let before = try points.map { try restored($0, of: series, folder.path) }
        // The points are of one hour: only the last stays of any rule; so their times are moved apart.
        try spread(series, by: 3_600)
        for (rule, kept) in [("4h", [3, 4, 5, 6]), ("2h", [5, 6])] {
            let done = try series.prune(#require(BackupRetention(rule)))
            #expect(done.points == kept.count && done.bytes < done.bytesBefore)
            let now = try series.verify()
            #expect(now.map(\.position) == kept.map { points[$0].position })
            #expect(now.map(\.isWhole) == [true] + kept.dropFirst().map { points[$0].isWhole })
            for (point, i) in zip(now, kept) {
                let found = try restored(point, of: series, folder.path)
                for table in StoreTable.all {
                    #expect(found[table.name] == before[i][table.name], "\(table.name) of \(i), \(rule), seed \(seed)")
                }
            }
        }
        let end = try #require(try series.points().last)
        #expect(try restored(end, of: series, folder.path)["cube"] == Set(last["cube"] ?? []))
        let named = Set(try series.points().flatMap { $0.files.map(\.name) })
        #expect(try Set(FolderPlace(folder.path + "/backup").names()) == named.union(["manifest"]))
    }

    @Test func `merging that ends at any step loses nothing`() throws {
        let folder = try TemporaryFolder()
        let (_, last, audit) = try fill(folder.path, seed: 9)
        let whole = folder.path + "/backup"
        var steps = 0
        var ended = 0
        while true {
            let copy = "\(folder.path)/copy-\(steps)"
            try FileManager.default.copyItem(atPath: whole, toPath: copy)
            let dying = DyingPlace(FolderPlace(copy), after: steps)
            let keep = try #require(BackupRetention("1h"))
            let isDone = (try? BackupSeries(dying, key: nil).prune(keep)) != nil
            let series = BackupSeries(folder: copy, key: nil)
            let points = try series.verify()
            #expect(points.count == 7 || points.count == 1, "step \(steps)")
            if points.count == 7 { ended += 1 }
            let end = try #require(points.last)
            #expect(end.marks.audit == audit)
            let found = try restored(end, of: series, folder.path)
            #expect(found["cube"] == Set(last["cube"] ?? []), "step \(steps)")
            // The next run cleans up.
            if points.count == 7 {
                #expect(try series.prune(keep).points == 1)
                #expect(try FolderPlace(copy).names().count == series.points()[0].files.count + 1, "step \(steps)")
            }
            try FileManager.default.removeItem(atPath: copy)
            if isDone { break }
            steps += 1
        }
        #expect(steps >= 9 && ended >= 3)
    }

    /// Moves the points' times apart, as if they had been made in so many seconds each.
    private func spread(_ series: BackupSeries, by seconds: Double) throws {
        let (manifest, object, _) = try #require(try series.manifest())
        var next = manifest
        for i in next.points.indices {
            let ago = Double(next.points.count - 1 - i) * seconds
            next.points[i].time = next.points[i].time.addingTimeInterval(-ago)
        }
        try series.replace(object, by: next)
    }

    @Test func `the last of each period stays, and the last of all`() throws {
        let day = 86_400.0
        // Ten minutes apart for two days, up to the end of 30 November 2026 in UTC.
        let end = 1_796_083_199.0
        let times = (0..<288).map { Date(timeIntervalSince1970: end - Double(287 - $0) * 600) }
        func kept(_ rule: String) throws -> [Double] {
            let keep = try #require(BackupRetention(rule))
            return keep.kept(of: times, now: Date()).sorted().map { end - times[$0].timeIntervalSince1970 }
        }
        #expect(try kept("3h") == [7_200, 3_600, 0])
        #expect(try kept("2d") == [day, 0])
        #expect(try kept("1d,2h") == [3_600, 0])
        #expect(try kept("9m") == [0])
        #expect(try kept("1y,1w") == [0])
        // 30 November 2026 is a Monday: the Sunday before is of another week.
        #expect(try kept("2w") == [day, 0])
        for wrong in ["", "h", "3", "3h,", "0d", "-1d", "3h,4h", "3x", "3 d", "99999999999999999999h"] {
            #expect(BackupRetention(wrong) == nil, "\(wrong)")
        }
        let month = BackupRetention.month
        #expect(month.kept(of: times, now: times[287]).count == 288)
        #expect(month.kept(of: times, now: times[287].addingTimeInterval(29 * day)).count == 145)
        #expect(month.kept(of: times, now: times[287].addingTimeInterval(40 * day)) == [287])
        // Every second of the older half goes where there are too many; the last never does.
        #expect(month.kept(of: Array(times.prefix(10)), now: times[9], most: 9) == [1, 3, 5, 6, 7, 8, 9])
        #expect(month.kept(of: [], now: Date()).isEmpty)
    }
}

/// A place that takes so many steps and then none: a process that was killed.
private final class DyingPlace: ObjectPlace, @unchecked Sendable {
    struct Death: Error {}
    private let place: FolderPlace
    /// Steps that are left. One thread works with a place.
    private var left: Int

    init(_ place: FolderPlace, after steps: Int) { (self.place, left) = (place, steps) }

    var name: String { place.name }
    var isNear: Bool { true }

    /// Reading changes nothing, and is no step.
    private func step() throws {
        guard left > 0 else { throw Death() }
        left -= 1
    }

    func names() throws -> [String] { try place.names() }
    func read(_ name: String) throws -> StoredObject? { try place.read(name) }
    func write(_ data: Data, as name: String) throws {
        try step()
        try place.write(data, as: name)
    }
    func replace(_ name: String, with data: Data, former: StoredObject?) throws -> StoredObject? {
        try step()
        return try place.replace(name, with: data, former: former)
    }
    func remove(_ name: String) throws {
        try step()
        try place.remove(name)
    }
    func alone<T>(_ body: () throws -> T) throws -> T { try place.alone(body) }
}
