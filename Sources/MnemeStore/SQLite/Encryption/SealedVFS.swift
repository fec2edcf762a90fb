import Foundation
import GRDBSQLite
import MnemeSeal
import NIOConcurrencyHelpers

/// The layer between SQLite and the file system ("VFS", sqlite.org/vfs.html) that encrypts the
/// files of the databases it was told of.
///
/// It is put in front of the system's own, which does all the work, and leaves other databases
/// of the process alone. Locks and shared memory go through
/// unchanged; the latter holds page numbers and checksums only. Databases are in WAL mode from
/// the start, so that there are no rollback journals.
enum SealedVFS {
    /// Keys of open databases by the names that SQLite has for them, and how often each is open.
    private static let keys = NIOLockedValueBox<[String: (key: DataKey, users: Int)]>([:])

    /// Codes that Swift does not see, since they are computed.
    static let shortRead = SQLITE_IOERR | 2 << 8, writeFailure = SQLITE_IOERR | 3 << 8

    /// The system's own layer.
    nonisolated(unsafe) static let base: UnsafeMutablePointer<sqlite3_vfs>? = sqlite3_vfs_find(nil)

    /// Ours; lives as long as the process. Nil if SQLite has no layer that could be used.
    private nonisolated(unsafe) static let registered: UnsafeMutablePointer<sqlite3_vfs>? = {
        guard let base, base.pointee.iVersion >= 1 else { return nil }
        let vfs = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        vfs.initialize(to: base.pointee)
        vfs.pointee.pNext = nil
        vfs.pointee.zName = UnsafePointer(strdup("mneme"))
        vfs.pointee.szOsFile = max(
            base.pointee.szOsFile, Int32(MemoryLayout<SealedFile.Handle>.stride))
        vfs.pointee.xOpen = { _, name, file, flags, outFlags in
            SealedVFS.open(name, file!, flags, outFlags)
        }
        // The system's functions find their own settings in the value that they are handed.
        vfs.pointee.xDelete = { _, name, sync in
            SealedVFS.base!.pointee.xDelete(SealedVFS.base, name, sync)
        }
        vfs.pointee.xAccess = { _, name, flags, result in
            SealedVFS.base!.pointee.xAccess(SealedVFS.base, name, flags, result)
        }
        vfs.pointee.xFullPathname = { _, name, count, out in
            SealedVFS.base!.pointee.xFullPathname(SealedVFS.base, name, count, out)
        }
        return sqlite3_vfs_register(vfs, 1) == SQLITE_OK ? vfs : nil
    }()

    /// The layer that decrypts; the system's own while no encrypted database is open.
    static var present: UnsafeMutablePointer<sqlite3_vfs>? {
        keys.withLockedValue(\.isEmpty) ? base : registered
    }

    /// SQLite's name of a file.
    static func fullName(_ path: String) -> String? {
        guard let base else { return nil }
        var name = [CChar](repeating: 0, count: Int(base.pointee.mxPathname) + 1)
        guard base.pointee.xFullPathname(base, path, Int32(name.count), &name) & 0xff == SQLITE_OK
        else { return nil }
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// As long as it lives, the database at a path is encrypted with a key.
    final class Use: Sendable {
        let key: DataKey
        /// SQLite's name of the database.
        private let name: String

        /// Opens the database to this process until the value is gone.
        ///
        /// - Throws: ``StoreError`` if SQLite has no layer to put this one before.
        init(_ key: DataKey, path: String) throws {
            guard registered != nil, let name = fullName(path) else {
                throw StoreError(
                    .unavailable,
                    "This SQLite cannot be given encrypted files, or \(path) is no path.")
            }
            (self.key, self.name) = (key, name)
            keys.withLockedValue { $0[name] = (key, ($0[name]?.users ?? 0) + 1) }
        }

        deinit {
            keys.withLockedValue { keys in
                guard let entry = keys[name] else { return }
                keys[name] = entry.users > 1 ? (entry.key, entry.users - 1) : nil
            }
        }
    }

    /// `xOpen`: a file of a database whose key is known goes through ``SealedFile``; all others go
    /// to the system's layer as they are.
    private static func open(
        _ name: UnsafePointer<CChar>?, _ file: UnsafeMutablePointer<sqlite3_file>, _ flags: Int32,
        _ outFlags: UnsafeMutablePointer<Int32>?
    ) -> Int32 {
        guard let base else { return SQLITE_ERROR }
        let path = name.map { String(cString: $0) }
        func key(_ suffix: String) throws -> DataKey? {
            guard let path, path.hasSuffix(suffix) else { return nil }
            let database = String(path.dropLast(suffix.count))
            guard let key = keys.withLockedValue({ $0[database]?.key }) else { return nil }
            // What was decrypted while somebody still held its key is as it is.
            return try WrappedKey.isStart(SQLiteMemoryStore.firstPage(of: database)) ? key : nil
        }
        let found: (key: DataKey, kind: SealedLayout.Kind)?
        do {
            if flags & SQLITE_OPEN_MAIN_DB != 0 {
                found = try key("").map { ($0, .pages) }
            } else if flags & SQLITE_OPEN_WAL != 0 {
                found = try key("-wal").map { ($0, .log) }
            } else {
                // What would be written there would be readable.
                if flags & SQLITE_OPEN_MAIN_JOURNAL != 0, try key("-journal") != nil {
                    return SQLITE_CANTOPEN
                }
                found = nil
            }
        } catch {
            // Where it cannot be told whether a file is to be encrypted, nothing is written that
            // could be read.
            return SQLITE_CANTOPEN
        }
        guard let found else { return base.pointee.xOpen(base, name, file, flags, outFlags) }
        return SealedFile.open(
            file, key: found.key, kind: found.kind, size: Int(base.pointee.szOsFile)
        ) {
            base.pointee.xOpen(base, name, $0, flags, outFlags)
        }
    }
}

/// One file of an encrypted database, opened by one connection: what SQLite reads and writes,
/// put through ``SealedLayout`` and ``DataKey``.
private final class SealedFile {
    /// SQLite's handle of an open file: its own part first.
    struct Handle {
        var methods: UnsafePointer<sqlite3_io_methods>?
        var file: UnsafeMutableRawPointer?
    }

    private let base: UnsafeMutablePointer<sqlite3_file>
    private let key: DataKey, layout: SealedLayout
    /// A unit as it lies in the file.
    private let scratch = UnsafeMutableRawBufferPointer.allocate(
        byteCount: SealedLayout.page + DataKey.overhead, alignment: 16)

    /// A file that is not open yet.
    private init(
        _ base: UnsafeMutablePointer<sqlite3_file>, _ key: DataKey, _ kind: SealedLayout.Kind
    ) {
        self.base = base
        self.key = key
        layout = SealedLayout(
            kind: kind, head: kind == .pages ? WrappedKey.pageBytes : 0, overhead: DataKey.overhead)
    }

    deinit {
        UnsafeMutableRawPointer(base).deallocate()
        scratch.deallocate()
    }

    static func open(
        _ file: UnsafeMutablePointer<sqlite3_file>, key: DataKey, kind: SealedLayout.Kind,
        size: Int,
        by open: (UnsafeMutablePointer<sqlite3_file>) -> Int32
    ) -> Int32 {
        let handle = UnsafeMutableRawPointer(file).assumingMemoryBound(to: Handle.self)
        handle.pointee.methods = nil
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        let base = memory.assumingMemoryBound(to: sqlite3_file.self)
        let sealed = SealedFile(base, key, kind)
        let code = open(base)
        guard let methods = base.pointee.pMethods else {
            return code == SQLITE_OK ? SQLITE_CANTOPEN : code
        }
        guard code == SQLITE_OK, methods.pointee.iVersion >= 2 else {
            _ = methods.pointee.xClose(base)
            return code == SQLITE_OK ? SQLITE_CANTOPEN : code
        }
        handle.pointee.file = Unmanaged.passRetained(sealed).toOpaque()
        handle.pointee.methods = UnsafePointer(Self.methods)
        return SQLITE_OK
    }

    /// The Swift object behind SQLite's handle. It is retained from `open` to `close`.
    private static func of(_ file: UnsafeMutablePointer<sqlite3_file>?) -> SealedFile {
        Unmanaged.fromOpaque(
            UnsafeMutableRawPointer(file!).assumingMemoryBound(to: Handle.self).pointee.file!
        )
        .takeUnretainedValue()
    }

    /// The functions of the system's layer for the file.
    private var system: sqlite3_io_methods { base.pointee.pMethods.pointee }

    // MARK: Units

    /// The result of reading a unit: its bytes, nothing as the file ends before, or that they were
    /// not written with this key at this place.
    private enum Content {
        case plain(Data)
        case absent, damaged
        case failure(Int32)
    }

    /// Reads and decrypts a unit.
    private func load(_ unit: SealedLayout.Unit) -> Content {
        let count = unit.length + DataKey.overhead
        let code = system.xRead(base, scratch.baseAddress, Int32(count), Int64(unit.offset))
        if code == SealedVFS.shortRead { return .absent }
        guard code == SQLITE_OK else { return .failure(code) }
        return key.open(
            UnsafeRawBufferPointer(rebasing: scratch.prefix(count)),
            context: unit.context(layout.kind)
        ).map { .plain($0) } ?? .damaged
    }

    /// Reads a unit when nobody is writing it. SQLite reads a database's header before it has any
    /// lock: it does not mind a page that is half written, but such a page cannot be decrypted.
    ///
    /// Whoever writes it may have been put to sleep by the system meanwhile: the first page is
    /// waited for as long as that takes on a machine with much to do, a third of a second. Others
    /// are read under a lock.
    private func readStable(_ unit: SealedLayout.Unit) -> Content {
        let tries = layout.kind == .pages ? (unit.number == 0 ? 66 : 1) : 0
        for _ in 0..<tries {
            let content = load(unit)
            guard case .damaged = content else { return content }
            usleep(5_000)
        }
        return load(unit)
    }

    /// Encrypts a unit with a nonce of its own and writes it.
    private func store(_ unit: SealedLayout.Unit, _ plain: UnsafeRawBufferPointer) -> Int32 {
        guard let sealed = try? key.seal(plain, context: unit.context(layout.kind)) else {
            return SealedVFS.writeFailure
        }
        return sealed.withUnsafeBytes {
            system.xWrite(base, $0.baseAddress, Int32($0.count), Int64(unit.offset))
        }
    }

    /// `xRead`: bytes behind the end are zeros, which SQLite expects with the code of a short read.
    private func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int32 {
        var done = 0
        // After a crash SQLite reads the log frame by frame until its own checksums tell
        // it where to stop. What was being written then is no error.
        let isRecovery = layout.kind == .log && (offset == 0 || layout.isFrame(at: offset))
        while done < buffer.count {
            let unit = layout.unit(at: offset + done)
            let from = offset + done - unit.start
            let taken = min(unit.length - from, buffer.count - done)
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + taken])
            switch readStable(unit) {
            case .plain(let data):
                data.withUnsafeBytes {
                    target.copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: $0[from..<from + taken]))
                }
            case .damaged where isRecovery:
                target.initializeMemory(as: UInt8.self, repeating: 0)
            case .damaged: return SQLITE_CORRUPT
            case .absent:
                UnsafeMutableRawBufferPointer(rebasing: buffer[done...]).initializeMemory(
                    as: UInt8.self, repeating: 0)
                return SealedVFS.shortRead
            case .failure(let code): return code
            }
            done += taken
        }
        return SQLITE_OK
    }

    /// `xWrite`: a unit that is written in part is read first, as only whole ones can be encrypted.
    private func write(_ buffer: UnsafeRawBufferPointer, at offset: Int) -> Int32 {
        var done = 0
        while done < buffer.count {
            let unit = layout.unit(at: offset + done)
            let from = offset + done - unit.start
            let taken = min(unit.length - from, buffer.count - done)
            let source = UnsafeRawBufferPointer(rebasing: buffer[done..<done + taken])
            let code: Int32
            if taken == unit.length {
                code = store(unit, source)
            } else {
                // A part: the rest stays as it is.
                var whole = [UInt8](repeating: 0, count: unit.length)
                switch load(unit) {
                case .plain(let data): whole = Array(data)
                case .absent: break
                case .damaged where layout.kind == .log: break
                case .damaged: return SQLITE_CORRUPT
                case .failure(let code): return code
                }
                whole.replaceSubrange(from..<from + taken, with: source)
                code = whole.withUnsafeBytes { store(unit, $0) }
            }
            guard code == SQLITE_OK else { return code }
            done += taken
        }
        return SQLITE_OK
    }

    /// `xFileSize`, in bytes that SQLite knows.
    private func size(_ out: UnsafeMutablePointer<sqlite3_int64>) -> Int32 {
        let code = system.xFileSize(base, out)
        if code == SQLITE_OK { out.pointee = Int64(layout.size(of: Int(out.pointee))) }
        return code
    }

    /// `xFileControl`: what concerns sizes of the file itself, or maps it, is answered here; mapped
    /// pages would be read as they lie there.
    private func control(_ operation: Int32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
        switch operation {
        // Hints of sizes that mean other places here, and reading through mapped memory.
        case SQLITE_FCNTL_SIZE_HINT, SQLITE_FCNTL_CHUNK_SIZE: SQLITE_OK
        case SQLITE_FCNTL_MMAP_SIZE: SQLITE_NOTFOUND
        default: system.xFileControl(base, operation, argument)
        }
    }

    /// The properties of the device: what the system promises of a write holds of a longer one too,
    /// except that it would be atomic.
    private static let kept =
        SQLITE_IOCAP_SAFE_APPEND | SQLITE_IOCAP_SEQUENTIAL | SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN
        | SQLITE_IOCAP_POWERSAFE_OVERWRITE

    // MARK: What SQLite calls

    private nonisolated(unsafe) static let methods: UnsafeMutablePointer<sqlite3_io_methods> = {
        let methods = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
        methods.initialize(to: sqlite3_io_methods())
        methods.pointee.iVersion = 2
        methods.pointee.xClose = { file in
            let handle = UnsafeMutableRawPointer(file!).assumingMemoryBound(to: Handle.self)
            let sealed = Unmanaged<SealedFile>.fromOpaque(handle.pointee.file!).takeRetainedValue()
            handle.pointee = Handle()
            return sealed.system.xClose(sealed.base)
        }
        methods.pointee.xRead = { file, buffer, count, offset in
            SealedFile.of(file).read(
                UnsafeMutableRawBufferPointer(start: buffer, count: Int(count)), at: Int(offset))
        }
        methods.pointee.xWrite = { file, buffer, count, offset in
            SealedFile.of(file).write(
                UnsafeRawBufferPointer(start: buffer, count: Int(count)), at: Int(offset))
        }
        methods.pointee.xTruncate = { file, size in
            let sealed = SealedFile.of(file)
            return sealed.system.xTruncate(
                sealed.base, Int64(sealed.layout.fileSize(of: Int(size))))
        }
        methods.pointee.xSync = { file, flags in
            let sealed = SealedFile.of(file)
            return sealed.system.xSync(sealed.base, flags)
        }
        methods.pointee.xFileSize = { file, out in SealedFile.of(file).size(out!) }
        methods.pointee.xLock = { file, level in
            let sealed = SealedFile.of(file)
            return sealed.system.xLock(sealed.base, level)
        }
        methods.pointee.xUnlock = { file, level in
            let sealed = SealedFile.of(file)
            return sealed.system.xUnlock(sealed.base, level)
        }
        methods.pointee.xCheckReservedLock = { file, out in
            let sealed = SealedFile.of(file)
            return sealed.system.xCheckReservedLock(sealed.base, out)
        }
        methods.pointee.xFileControl = { file, operation, argument in
            SealedFile.of(file).control(operation, argument)
        }
        methods.pointee.xSectorSize = { file in
            let sealed = SealedFile.of(file)
            return sealed.system.xSectorSize(sealed.base)
        }
        methods.pointee.xDeviceCharacteristics = { file in
            let sealed = SealedFile.of(file)
            return sealed.system.xDeviceCharacteristics(sealed.base) & SealedFile.kept
        }
        methods.pointee.xShmMap = { file, page, size, extend, out in
            let sealed = SealedFile.of(file)
            return sealed.system.xShmMap(sealed.base, page, size, extend, out)
        }
        methods.pointee.xShmLock = { file, offset, count, flags in
            let sealed = SealedFile.of(file)
            return sealed.system.xShmLock(sealed.base, offset, count, flags)
        }
        methods.pointee.xShmBarrier = { file in
            let sealed = SealedFile.of(file)
            sealed.system.xShmBarrier(sealed.base)
        }
        methods.pointee.xShmUnmap = { file, delete in
            let sealed = SealedFile.of(file)
            return sealed.system.xShmUnmap(sealed.base, delete)
        }
        return methods
    }()
}
