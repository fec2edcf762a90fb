import Crypto
import Foundation
import MnemeBase
public import MnemeSeal

/// Backups of a store to one place: a whole copy, then what has changed, point by point.
///
/// Any store that can be copied can be backed up and restored to, whatever its backend. A point is
/// there when the manifest names it, which is written last: a backup that is killed leaves the
/// points before it, and files that the next one removes. What was erased is taken out of all
/// points by the next backup.
///
/// ```swift
/// let series = BackupSeries(folder: "/backups/memory", key: nil)
/// try series.add(store)
/// try series.restore(series.points().last!, to: empty)
/// ```
public struct BackupSeries: Sendable {
    /// How a point is made.
    public struct Options: Sendable {
        /// Begins with a whole copy again, also where the store went back to an earlier state.
        public var isWhole = false
        /// Which points stay; the others are merged, see ``prune(_:)``. The first point goes on when
        /// the changes after it that it would take in are as large as it.
        public var keep = BackupRetention.month
        /// False to make no entry in the audit log, for those who look again and again; no point is
        /// made then where nothing has changed.
        public var isNoted = true

        /// Called with the rows that were written so far.
        public var progress: @Sendable (_ rows: Int) -> Void = { _ in }

        /// A point of what has changed.
        public init() {}
    }

    /// Bytes of changes from which a whole copy is begun again, if the last whole one is no larger.
    static let fewBytes = 16 << 20
    /// Points to be merged for which somebody who adds points again and again waits.
    private static let fewPoints = 60
    /// What its files' names begin with.
    private static let prefix = "rows-"

    /// Where it lies.
    let place: any ObjectPlace
    /// Encrypts all of it; nil if it is not encrypted.
    let key: EncryptionKey?
    /// Finds the terms of a text that a memory had between two points, where neither has it. Without
    /// it they are found when an index reads the memory, and the same said again is another memory.
    public var terms: @Sendable (MemCube) throws -> BackupTextTerms = { _ in
        BackupTextTerms(analysis: [], analyzer: "", contentHash: [])
    }

    /// Backups in a place.
    ///
    /// - Parameter key: encrypts what a new series holds, and opens one that is encrypted.
    package init(_ place: any ObjectPlace, key: EncryptionKey?) {
        (self.place, self.key) = (place, key)
    }

    /// Backups in a folder, which is made with the first.
    ///
    /// - Parameters:
    ///   - folder: its path.
    ///   - key: encrypts what a new series holds, and opens one that is encrypted.
    public init(folder: String, key: EncryptionKey?) { self.init(FolderPlace(folder), key: key) }

    /// What messages call the place.
    public var name: String { place.name }

    /// All points, the oldest first; none where no backup was made.
    ///
    /// - Throws: ``StoreError`` for a damaged manifest, `SealError` for a key that is missing or wrong.
    public func points() throws -> [BackupPoint] { try manifest()?.manifest.points ?? [] }

    /// Backs a store up: all of it the first time, then what has changed since the last point.
    ///
    /// The store may be used meanwhile: one snapshot is read. For a place on another machine its rows
    /// wait in the folder for temporary files, encrypted with a key that nobody keeps: an erasure
    /// waits for snapshots, and shall not wait for a network.
    ///
    /// - Parameters:
    ///   - store: the store of which all points here are.
    ///   - options: how the point is made.
    ///   - caller: must administer the store as a whole.
    /// - Returns: the new point; nil if nothing has changed and `options` ask for no note.
    /// - Throws: ``StoreError`` if another backup is made there, the store is another one, or went
    ///   back to an earlier state; `FileError` of the place, as for a full disk. No point is added then.
    /// - Complexity: a whole copy is one pass over all rows. After that, the rows that changed, and
    ///   one pass over what changes beside the journal (uses, pending work, sessions, jobs).
    public func add(
        _ store: any MemoryStore, _ options: Options = Options(), by caller: Caller = .local
    ) throws -> BackupPoint? {
        guard let source = store as? any CopyableStore else {
            throw StoreError(.unavailable, "This kind of store cannot be backed up.")
        }
        return try place.alone {
            let former = try manifest()
            try requireKey(former?.isSealed)
            try store.flush()
            if options.isNoted { try store.note("backed up to \(name)", by: caller) }
            var next = former?.manifest ?? BackupManifest()
            var claim: StoredObject?
            var erased: Set<String> = []
            let spool = place.isNear ? nil : Self.spool()
            defer { if let spool { try? FileManager.default.removeItem(atPath: spool.name) } }
            do {
                let began = ContinuousClock.now
                try source.readTables { reader in
                    let marks = try BackupMarks(reader)
                    let isSame = try requireSame(reader, marks, &next, options)
                    guard options.isNoted || next.points.last?.marks != marks else { return }
                    claim = try begin(former?.manifest, former?.object)
                    next.run += 1
                    erased = try read(reader, (marks, isSame, spool ?? self), options, into: &next)
                }
                // An erasure that did not wait for it has left old pages behind.
                if began.duration(to: .now) > .seconds(1) { source.endLongRead() }
                for file in spool == nil ? [] : next.points.last?.files ?? [] {
                    if let data = try spool?.unwrapped(file.name) { try place.write(data, as: file.name) }
                }
                try erase(erased, from: &next)
            } catch {
                if claim != nil { try? removeOrphans(former?.manifest, upTo: next.run) }
                throw error
            }
            guard let claim else { return nil }
            // Where this fails nobody may know whether it is written: the next run removes what is in vain.
            try replace(claim, by: next)
            try removeOrphans(next, upTo: next.run)
            _ = try thin(options.keep, surplus: options.isNoted ? 1 : Self.fewPoints, isEager: false)
            return next.points.last
        }
    }

    /// Reads every file of every point.
    ///
    /// - Returns: the points.
    /// - Throws: ``StoreError`` and `SealError` for the first file that is missing or not as it was
    ///   written, by its name.
    public func verify() throws -> [BackupPoint] {
        _ = try requirePoints()
        return try place.alone {
            let points = try points()
            for point in points {
                var rows = 0
                for file in point.files {
                    try segment(file).read(section: { head, _ in rows += head.rows }, row: { _, _ in })
                }
                guard rows == point.rows else {
                    throw StoreError(.corrupt, "\(name) lacks rows of the point of \(point.time).")
                }
            }
            return points
        }
    }

    // MARK: Parts

    /// A series stays encrypted, or not.
    ///
    /// - Throws: `SealError` if it is not encrypted, and there is a key.
    func requireKey(_ isSealed: Bool?) throws {
        guard isSealed == nil || isSealed == (key != nil) else {
            throw SealError(
                .notEncrypted,
                "\(name) is not encrypted, and a key is given. Name another place for encrypted backups.")
        }
    }

    /// Begins a run: the manifest has its number, and what earlier runs left goes.
    ///
    /// - Returns: the manifest's object, for ``replace(_:by:)``.
    func begin(_ manifest: BackupManifest?, _ object: StoredObject?) throws -> StoredObject {
        var manifest = manifest ?? BackupManifest()
        manifest.run += 1
        let claim = try replace(object, by: manifest)
        try removeOrphans(manifest, upTo: manifest.run)
        return claim
    }

    /// Writes the manifest in place of what was read.
    ///
    /// - Throws: ``StoreError`` if another backup has begun since.
    @discardableResult
    package func replace(_ object: StoredObject?, by manifest: BackupManifest) throws -> StoredObject {
        let data = try sealed(manifest.encoded())
        guard let object = try place.replace(BackupManifest.name, with: data, former: object) else {
            throw StoreError(.conflict, "Another backup to \(name) has begun since; this one was not kept.")
        }
        return object
    }

    /// Adds a point to a manifest, its files to a place.
    ///
    /// - Parameter state: where the store stands, whether it has grown from what it was at the last
    ///   point, and where files are written.
    /// - Returns: what was erased since the last point.
    private func read(
        _ reader: any StoreTableReader, _ state: (marks: BackupMarks, isSame: Bool, out: BackupSeries),
        _ options: Options, into manifest: inout BackupManifest
    ) throws -> Set<String> {
        let (marks, isSame, out) = state
        // As the manifest will have it, to the bit.
        let time = Date(timeIntervalSince1970: Date().timeIntervalSince1970)
        let last = manifest.points.last
        var files: [BackupFile] = []
        let number = manifest.run
        var run = BackupRun(
            reader: reader, progress: options.progress,
            writer: BackupSegmentWriter { data, tables in
                let file = try file(data, of: tables, Self.name(number, files.count + 1))
                try out.wrap(file.data, as: file.file.name, isOwn: out.name == name)
                files.append(file.file)
            }, buckets: manifest.buckets)
        let isWhole = options.isWhole || last == nil || isLong(manifest.points)
        if let last, !isWhole {
            try run.writeChanges(since: last.marks)
        } else {
            try run.writeAll(since: isSame ? last?.marks.journal ?? 0 : 0)
        }
        manifest.buckets = run.buckets
        manifest.points.append(
            BackupPoint(
                time: time, isWhole: isWhole, position: marks.journal, memories: try reader.count(.cube),
                rows: run.writer.rows, bytes: files.reduce(0) { $0 + $1.bytes }, files: files, marks: marks,
                isBranch: isSame ? nil : true))
        return run.erased
    }

    /// - Returns: whether the store has grown from what it was at the last point.
    /// - Throws: ``StoreError`` if it has not, unless a whole copy is asked for; or is another store.
    private func requireSame(
        _ reader: any StoreTableReader, _ marks: BackupMarks, _ manifest: inout BackupManifest,
        _ options: Options
    ) throws -> Bool {
        let first = try BackupMarks.digits("digest", of: .journal, at: 1, reader) ?? ""
        guard manifest.store.isEmpty || manifest.store == first else {
            throw StoreError(
                .conflict, "\(name) has the backups of another store. Name another place for those of this one.")
        }
        manifest.store = first
        guard let last = manifest.points.last else { return true }
        if try marks.follows(last.marks, reader) { return true }
        guard options.isWhole else {
            throw StoreError(
                .conflict,
                "The store is not as it was at the last backup to \(name): it went back to an earlier state, as by a restore. "
                    + "`mneme backup make --whole` begins with a whole copy again; the points before stay.")
        }
        return false
    }

    /// Tells whether the next point is a whole copy: the changes since the last one are as large, so
    /// that restoring takes twice as long.
    private func isLong(_ points: [BackupPoint]) -> Bool {
        guard let start = points.lastIndex(where: \.isWhole) else { return true }
        let bytes = points[(start + 1)...].reduce(0) { $0 + $1.bytes }
        return bytes > max(Self.fewBytes, points[start].bytes)
    }

    /// Takes what was erased out of the files of all points.
    private func erase(_ ids: Set<String>, from manifest: inout BackupManifest) throws {
        // The last point was read after they were erased.
        let points = manifest.points.dropLast()
        guard !ids.isEmpty, var count = manifest.points.last?.files.count else { return }
        var erasure = BackupErasure(ids)
        for file in points.flatMap(\.files) where file.tables.contains("cube") {
            try erasure.find(in: segment(file))
        }
        for i in points.indices {
            for j in manifest.points[i].files.indices {
                let file = manifest.points[i].files[j]
                guard !BackupErasure.tables.isDisjoint(with: file.tables),
                    let data = try erasure.rewritten(segment(file))
                else { continue }
                count += 1
                let next = try self.file(data.data, of: file.tables, Self.name(manifest.run, count))
                try place.write(next.data, as: next.file.name)
                manifest.points[i].files[j] = next.file
                manifest.points[i].rows -= data.removed
            }
            manifest.points[i].bytes = manifest.points[i].files.reduce(0) { $0 + $1.bytes }
        }
    }

    /// A run's file, and its bytes as they will lie in the place.
    func file(_ data: Data, of tables: [String], _ name: String) throws -> (file: BackupFile, data: Data) {
        let data = try sealed(data)
        return (BackupFile(name: name, bytes: data.count, sha256: Self.checksum(data), tables: tables), data)
    }

    /// The name of a run's file by its number.
    static func name(_ run: Int, _ number: Int) -> String {
        func digits(_ number: Int, _ count: Int) -> String {
            String(repeating: "0", count: max(0, count - String(number).count)) + String(number)
        }
        return "\(prefix)\(digits(run, 8))-\(digits(number, 4))"
    }

    /// A folder of its own, for files that wait.
    static func spool() -> BackupSeries {
        let path = FileManager.default.temporaryDirectory.path + "/mneme-\(UUID().uuidString)"
        return BackupSeries(folder: path, key: EncryptionKey())
    }

    /// Writes a file of a point.
    ///
    /// - Parameter isOwn: false for one that waits here, and is encrypted once more.
    private func wrap(_ data: Data, as name: String, isOwn: Bool) throws {
        if !isOwn { try Privacy.makeFolder(self.name) }
        try place.write(isOwn ? data : sealed(data), as: name)
    }

    /// A file that has waited.
    private func unwrapped(_ name: String) throws -> Data? {
        try place.read(name).map { try opened($0.data, "\(self.name)/\(name)") }
    }

    /// Removes files that a backup left which was killed, or that no point has any more. What
    /// others put into the place stays, and so do files of a run that has begun since.
    func removeOrphans(_ manifest: BackupManifest?, upTo run: Int) throws {
        let known = Set((manifest?.points ?? []).flatMap(\.files).map(\.name))
        for name in try place.names() where !known.contains(name) {
            let isHalf = name.hasSuffix(".tmp") && name.hasPrefix(BackupManifest.name + ".")
            let isOld =
                name.hasPrefix(Self.prefix)
                && Int(name.dropFirst(Self.prefix.count).prefix(8)).map { $0 <= run } == true
            if isOld || isHalf { try place.remove(name) }
        }
    }

    // MARK: Bytes

    /// The rows that a point has of a table.
    func read(
        _ table: StoreTable, of point: BackupPoint, section: (BackupSegment.Section) -> Void = { _ in },
        row: ([StoredValue]) throws -> Void
    ) throws {
        for file in point.files where file.tables.contains(table.key) {
            try segment(file).read(
                [table.key], section: { head, _ in section(head) }, row: { values, _ in try row(values) })
        }
    }

    /// A file of a point as it was before it was encrypted.
    private func segment(_ file: BackupFile) throws -> BackupSegment {
        let path = "\(name)/\(file.name)"
        guard let data = try place.read(file.name)?.data else {
            throw StoreError(.corrupt, "\(path) is missing. The points that need it are lost.")
        }
        guard data.count == file.bytes, Self.checksum(data) == file.sha256 else {
            throw StoreError(
                .corrupt,
                "\(path) is damaged: its checksum is not the one that was noted. Put it back from a copy of the backup, or "
                    + "make a whole copy with `mneme backup make --whole`.")
        }
        return BackupSegment(data: try opened(data, path), name: path)
    }

    /// The manifest, and the object that it was read from.
    package func manifest() throws -> (manifest: BackupManifest, object: StoredObject, isSealed: Bool)? {
        guard let object = try place.read(BackupManifest.name) else { return nil }
        let isSealed = SealedBytes.isStart(object.data)
        let data = try isSealed ? opened(object.data, "\(name)/\(BackupManifest.name)") : object.data
        return (try BackupManifest.decoded(data, of: name), object, isSealed)
    }

    private func sealed(_ data: Data) throws -> Data {
        guard let key else { return data }
        return try data.withUnsafeBytes { try SealedBytes.seal([$0], with: key.derived("backup")) }
    }

    private func opened(_ data: Data, _ path: String) throws -> Data {
        guard SealedBytes.isStart(data) else { return data }
        guard let key else { throw SealError.keyMissing(path) }
        let sealed = try SealedBytes(name: path, size: data.count, key: key.derived("backup")) { buffer, offset in
            guard offset >= 0, offset + buffer.count <= data.count else { return false }
            data.withUnsafeBytes {
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + buffer.count]))
            }
            return true
        }
        var plain = Data(count: sealed.count)
        guard plain.withUnsafeMutableBytes({ sealed.read($0, at: 0) }) else {
            throw SealError.damaged(path)
        }
        return plain
    }

    /// SHA-256 in hexadecimal.
    static func checksum(_ data: some DataProtocol) -> String { Hexadecimal.string(SHA256.hash(data: data)) }
}
