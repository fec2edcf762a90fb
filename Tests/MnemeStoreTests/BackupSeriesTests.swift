import Crypto
import Foundation
import MnemeBase
import MnemeSeal
import MnemeStore
import Synchronization
import Testing

@Suite struct BackupSeriesTests {
    private static let owner = Owner(tenant: "t", user: "u")

    private func open(_ path: String, key: EncryptionKey? = nil) throws -> SQLiteMemoryStore {
        try SQLiteMemoryStore(path: path, analyzer: "test", auditKey: Curve25519.Signing.PrivateKey(), key: key)
    }

    private func cube(_ text: String, user: String = "u") -> MemCube {
        MemCube(
            scope: Scope(tenant: "t", user: user), type: .episodic, text: text, eventTime: Date(),
            recordedTime: Date(), provenance: Provenance(source: "test"))
    }

    private func add(_ cube: MemCube) -> Mutation {
        .add(cube, analysis: Array(cube.text.utf8), contentHash: Array(cube.text.utf8))
    }

    @discardableResult
    private func remember(_ text: String, in store: SQLiteMemoryStore) throws -> CubeID {
        let cube = cube(text)
        try store.commit([add(cube)], owner: Self.owner, by: .local)
        return cube.id
    }

    /// All rows up to a point: its log goes on in a restored store.
    private func rows(_ store: any MemoryStore, upTo point: BackupPoint) throws -> [String: [[StoredValue]]] {
        var all: [String: [[StoredValue]]] = [:]
        try #require(store as? any CopyableStore).readTables { reader in
            for table in StoreTable.all {
                try reader.forEachRow(table) { row in
                    let isLog = table.name == "audit" || table.name == "audit_checkpoint"
                    if try isLog && row.number("position", of: table) > point.marks.audit { return }
                    all[table.name, default: []].append(row)
                }
            }
        }
        return all
    }

    private func restored(_ point: BackupPoint, of series: BackupSeries, _ folder: String) throws
        -> (rows: [String: [[StoredValue]]], restored: BackupSeries.Restored)
    {
        let store = try open("\(folder)/restored-\(UUID().uuidString).db")
        let restored = try series.restore(point, to: store)
        let rows = try rows(store, upTo: point)
        try store.close()
        return (rows, restored)
    }

    private func point(_ series: BackupSeries, _ store: SQLiteMemoryStore) throws -> BackupPoint {
        try #require(try series.add(store))
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `each point is the store as it was then, row by row`(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        let store = try open(folder.path + "/store.db")
        let series = BackupSeries(folder: folder.path + "/backup", key: nil)
        let changing = ChangingStore(store, seed: seed)
        var expected: [(BackupPoint, [String: [[StoredValue]]])] = []
        for _ in 0..<6 {
            for _ in 0..<15 { try changing.change() }
            let point = try point(series, store)
            expected.append((point, try rows(store, upTo: point)))
        }
        #expect(try series.points() == expected.map(\.0))
        #expect(expected.map(\.0.isWhole) == [true] + Array(repeating: false, count: 5))
        for (point, rows) in expected {
            let found = try restored(point, of: series, folder.path).rows
            for table in StoreTable.all {
                #expect(found[table.name] == rows[table.name], "\(table.name), seed \(seed)")
            }
        }
        // Erasures among other changes: the last point has what the store has.
        for _ in 0..<4 {
            for _ in 0..<8 { try changing.change() }
            try changing.erase()
            let point = try point(series, store)
            let rows = try rows(store, upTo: point)
            let found = try restored(point, of: series, folder.path).rows
            for table in StoreTable.all {
                #expect(found[table.name] == rows[table.name], "\(table.name), seed \(seed)")
            }
        }
        #expect(try series.verify().count == 10)
    }

    @Test func `what was erased is in no file after the next backup, and does not come back`() throws {
        let folder = try TemporaryFolder()
        let store = try open(folder.path + "/store.db")
        let series = BackupSeries(folder: folder.path + "/backup", key: nil)
        let secret = "the code of the door is 4711"
        var cube = cube(secret)
        cube.claims = [Claim(subject: "door", attribute: "code", value: "4711")]
        try store.commit([add(cube)], owner: Self.owner, by: .local)
        try store.saveVectors([(cube.id, 1, [0.123456, 0.25])], embedder: "e")
        let other = try remember("Ana moved to Lisbon", in: store)
        let first = try point(series, store)
        try remember("later", in: store)
        _ = try point(series, store)
        func holding(_ text: String) throws -> Int {
            let place = FolderPlace(folder.path + "/backup")
            return try place.names().filter { try place.read($0)?.data.range(of: Data(text.utf8)) != nil }.count
        }
        #expect(try holding("4711") > 0)
        try store.commit([.erase(cube.id)], owner: Self.owner, by: .local)
        _ = try point(series, store)
        #expect(try holding("4711") == 0)
        #expect(try holding("Ana moved to Lisbon") > 0)
        #expect(try series.verify().count == 3)
        // The point before is there, without the text, and says what is to be erased.
        let points = try series.points()
        let target = try open(folder.path + "/first.db")
        let found = try series.restore(points[0], to: target)
        #expect(points[0].position == first.position)
        #expect(found.erasedLater.map(\.id) == [cube.id] && found.erasedLater.map(\.owner) == [Self.owner])
        #expect(try target.cube(cube.id, owner: Self.owner, asOf: nil, by: .local)?.text == "")
        #expect(try target.cube(other, owner: Self.owner, asOf: nil, by: .local)?.text == "Ana moved to Lisbon")
        try target.commit([.erase(cube.id)], owner: Self.owner, by: .local)
        try StoreCopy.verify(target, by: .local)
        // The last point knows of it.
        let last = try open(folder.path + "/last.db")
        #expect(try series.restore(points[2], to: last).erasedLater.isEmpty)
        #expect(try last.cube(cube.id, owner: Self.owner, asOf: nil, by: .local) == nil)
        try StoreCopy.verify(last, by: .local)
    }

    @Test func `a damaged file is named, whichever it is and however it is damaged`() throws {
        let folder = try TemporaryFolder()
        let store = try open(folder.path + "/store.db")
        let series = BackupSeries(folder: folder.path + "/backup", key: nil)
        for i in 0..<3 {
            try remember("memory \(i)", in: store)
            _ = try point(series, store)
        }
        let place = FolderPlace(folder.path + "/backup")
        let last = try #require(try series.points().last)
        for name in try place.names().sorted() {
            let data = try #require(try place.read(name)).data
            var flipped = data
            flipped[data.count / 2] ^= 4
            for wrong in [flipped, data.dropLast(), Data(), data + [0]] as [Data] {
                try place.write(wrong, as: name)
                let error = #expect(throws: StoreError.self) { try series.verify() }
                #expect(error?.code == .corrupt && error?.message.contains(name) == true, "\(name)")
                let target = try open("\(folder.path)/damaged-\(UUID().uuidString).db")
                #expect(throws: StoreError.self) { try series.restore(last, to: target) }
                #expect(try target.owners().isEmpty)
            }
            if name != "manifest" {
                try place.remove(name)
                #expect(throws: StoreError.self) { try series.verify() }
            }
            try place.write(data, as: name)
        }
        #expect(try series.verify().count == 3)
    }

    @Test func `a backup that was killed leaves the points before it, and the next one cleans up`() throws {
        let folder = try TemporaryFolder()
        let store = try open(folder.path + "/store.db")
        let series = BackupSeries(folder: folder.path + "/backup", key: nil)
        try remember("one", in: store)
        _ = try point(series, store)
        let place = FolderPlace(folder.path + "/backup")
        // What a kill leaves: files that no point has, and half of one. What others put there stays.
        try place.write(Data("x".utf8), as: "rows-00000002-0001")
        try place.write(Data("x".utf8), as: "rows-00000002-0002.123.45.tmp")
        // What another has begun since is not this one's to remove.
        try place.write(Data("x".utf8), as: "rows-00000009-0001")
        try place.write(Data("x".utf8), as: "manifest.123.45.tmp")
        try place.write(Data("x".utf8), as: "README")
        #expect(try series.verify().count == 1)
        try remember("two", in: store)
        _ = try point(series, store)
        #expect(
            try place.names().sorted() == [
                "README", "manifest", "rows-00000001-0001", "rows-00000002-0001", "rows-00000009-0001",
            ])
        #expect(try series.verify().count == 2)
    }

    @Test func `another store, an earlier state, and a second backup at once are refused`() throws {
        let folder = try TemporaryFolder()
        let store = try open(folder.path + "/store.db")
        let series = BackupSeries(folder: folder.path + "/backup", key: nil)
        try remember("one", in: store)
        let first = try point(series, store)
        try remember("two", in: store)
        _ = try point(series, store)

        let other = try open(folder.path + "/other.db")
        try remember("one", in: other)
        let error = #expect(throws: StoreError.self) { try series.add(other) }
        #expect(error?.code == .conflict && error?.message.contains("another store") == true)

        // A store that was restored and goes on is another branch.
        let back = try open(folder.path + "/back.db")
        _ = try series.restore(first, to: back)
        for i in 0..<3 { try remember("instead \(i)", in: back) }
        let earlier = #expect(throws: StoreError.self) { try series.add(back) }
        #expect(earlier?.message.contains("--whole") == true)
        #expect(try series.points().count == 2)
        var whole = BackupSeries.Options()
        whole.isWhole = true
        let point = try #require(try series.add(back, whole))
        #expect(point.isWhole)
        let expected = try rows(back, upTo: point)
        #expect(try restored(point, of: series, folder.path).rows == expected)
        #expect(try series.points().count == 3)

        _ = try FileLock.holding(folder: folder.path + "/backup") {
            #expect(throws: FileError.self) { try series.add(back) }
        }
        let busy = try open(folder.path + "/busy.db")
        try remember("here", in: busy)
        #expect(throws: StoreError.self) { try series.restore(point, to: busy) }
    }

    @Test func `of two backups at once, without locks, the later one stands and the earlier harms nothing`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let (store, other) = (try open(path), try open(path))
        let place = VersionedPlace()
        let series = BackupSeries(place, key: nil)
        try remember("one", in: store)
        _ = try point(series, store)
        let secret = try remember("two", in: store)
        // A whole backup between the beginning and the end of another.
        place.whenWriting {
            try other.commit([.erase(secret)], owner: Self.owner, by: .local)
            _ = try BackupSeries(place, key: nil).add(other)
        }
        let error = #expect(throws: StoreError.self) { try series.add(store) }
        #expect(error?.code == .conflict)
        #expect(try series.verify().map(\.memories) == [1, 1])
        let last = try #require(try series.points().last)
        #expect(try restored(last, of: series, folder.path).rows["cube"]?.count == 1)
        // The next one removes what the earlier one left.
        _ = try point(series, store)
        #expect(try series.verify().count == 3)
        let named = try series.points().flatMap { $0.files.map(\.name) }
        #expect(place.names() == (named + ["manifest"]).sorted())
    }

    @Test func `a restored store goes on in the same place, also where it uses a number again`() throws {
        let folder = try TemporaryFolder()
        let store = try open(folder.path + "/store.db")
        let series = BackupSeries(folder: folder.path + "/backup", key: nil)
        try remember("one", in: store)
        let last = try remember("two", in: store)
        try store.saveVectors([(last, 1, [0.5])], embedder: "e")
        _ = try point(series, store)
        try store.commit([.erase(last)], owner: Self.owner, by: .local)
        let end = try point(series, store)
        let next = try open(folder.path + "/next.db")
        _ = try series.restore(end, to: next)
        let later = try remember("three", in: next)
        try next.saveVectors([(later, 1, [0.25])], embedder: "e")
        let point = try point(series, next)
        #expect(!point.isWhole)
        let rows = try rows(next, upTo: point)
        let found = try restored(point, of: series, folder.path).rows
        for table in StoreTable.all { #expect(found[table.name] == rows[table.name], "\(table.name)") }
        #expect(rows["vector"]?.count == 1)
    }

    @Test func `nothing is added where nothing has changed, unless a run is noted`() throws {
        let folder = try TemporaryFolder()
        let store = try open(folder.path + "/store.db")
        let series = BackupSeries(folder: folder.path + "/backup", key: nil)
        try remember("one", in: store)
        _ = try point(series, store)
        var quiet = BackupSeries.Options()
        quiet.isNoted = false
        #expect(try series.add(store, quiet) == nil)
        try remember("two", in: store)
        #expect(try series.add(store, quiet)?.memories == 2)
        #expect(try series.add(store, quiet) == nil)
        #expect(try series.points().count == 2)
        let second = try #require(try series.points().last)
        #expect(try series.moment(position: 1).before?.position == 1)
        #expect(try series.moment(at: second.time).before == second)
        #expect(throws: StoreError.self) { try series.moment(position: 0) }
        #expect(throws: StoreError.self) { try series.moment(at: Date(timeIntervalSince1970: 0)) }
    }

    @Test func `a whole copy in which others end takes their place, and a run merges what shall not stay`() throws {
        let folder = try TemporaryFolder()
        let store = try open(folder.path + "/store.db")
        let series = BackupSeries(folder: folder.path + "/backup", key: nil)
        var options = BackupSeries.Options()
        options.isWhole = true
        for i in 0..<3 {
            try remember("memory \(i)", in: store)
            _ = try series.add(store, options)
        }
        #expect(try series.points().count == 3)
        options.isWhole = false
        options.keep = try #require(BackupRetention("1y"))
        let last = try #require(try series.add(store, options))
        #expect(try series.points().map(\.isWhole) == [true] && last.position == 3)
        #expect(try restored(last, of: series, folder.path).rows["cube"]?.count == 3)
        // Who follows a store merges when there is something to merge.
        options.isNoted = false
        for i in 0..<62 {
            try remember("more \(i)", in: store)
            _ = try series.add(store, options)
            #expect(try series.points().count == (i < 59 ? i + 2 : i - 58))
        }
        #expect(try series.verify().last?.memories == 65)
    }

    @Test func `an encrypted backup tells nothing without its key`() throws {
        let folder = try TemporaryFolder()
        let key = EncryptionKey()
        let store = try open(folder.path + "/store.db", key: key)
        let series = BackupSeries(folder: folder.path + "/backup", key: key)
        try remember("the code of the door is 4711", in: store)
        let point = try point(series, store)
        let place = FolderPlace(folder.path + "/backup")
        for name in try place.names() {
            let data = try #require(try place.read(name)).data
            #expect(data.range(of: Data("4711".utf8)) == nil && data.range(of: Data("cube".utf8)) == nil)
        }
        let wrong = #expect(throws: SealError.self) {
            try BackupSeries(folder: folder.path + "/backup", key: EncryptionKey()).points()
        }
        #expect(wrong?.code == .wrongKey)
        let missing = #expect(throws: SealError.self) {
            try BackupSeries(folder: folder.path + "/backup", key: nil).points()
        }
        #expect(missing?.code == .keyMissing)
        #expect(try restored(point, of: series, folder.path).rows == rows(store, upTo: point))
        // A series that is not encrypted does not become half so.
        let plain = BackupSeries(folder: folder.path + "/plain", key: nil)
        _ = try plain.add(store)
        #expect(throws: SealError.self) {
            try BackupSeries(folder: folder.path + "/plain", key: key).add(store)
        }
    }
}

/// A place that knows versions and no locks, as a bucket is.
private final class VersionedPlace: ObjectPlace {
    private struct State {
        var objects: [String: StoredObject] = [:]
        var count = 0
        var meanwhile: (@Sendable () throws -> Void)?
    }
    private let state = Mutex(State())
    let name = "place", isNear = false

    /// Runs something once, before the next file is written.
    func whenWriting(_ body: @escaping @Sendable () throws -> Void) { state.withLock { $0.meanwhile = body } }

    func names() -> [String] { state.withLock { $0.objects.keys.sorted() } }
    func read(_ name: String) -> StoredObject? { state.withLock { $0.objects[name] } }
    func remove(_ name: String) { state.withLock { $0.objects[name] = nil } }
    func alone<T>(_ body: () throws -> T) throws -> T { try body() }

    func write(_ data: Data, as name: String) throws {
        let meanwhile = state.withLock { state in
            defer { state.meanwhile = nil }
            return state.meanwhile
        }
        try meanwhile?()
        state.withLock { $0.objects[name] = StoredObject(data, version: "0") }
    }

    func replace(_ name: String, with data: Data, former: StoredObject?) -> StoredObject? {
        state.withLock { state in
            guard state.objects[name]?.version == former?.version else { return nil }
            state.count += 1
            let object = StoredObject(data, version: "\(state.count)")
            state.objects[name] = object
            return object
        }
    }
}
