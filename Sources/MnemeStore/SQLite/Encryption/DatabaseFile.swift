package import Foundation
import GRDBSQLite

/// The bytes of a database's file or log, opened as SQLite opens it: as they lie there, or as
/// SQLite sees them if the database is encrypted and open here.
///
/// A process that closes any descriptor of a file loses all its locks on it (POSIX), also those
/// by which SQLite says that the database is in use. SQLite's
/// own layer knows of this and closes later: hence nothing else may open such a file.
package final class DatabaseFile {
    /// SQLite's handle; its methods are those of the layer that opened it.
    private let file: UnsafeMutablePointer<sqlite3_file>
    private let path: String
    /// SQLite keeps the name, not a copy of it; behind it it expects zeros.
    private let name: UnsafeMutableBufferPointer<CChar>

    /// - Parameter isDecrypted: hands out what an encrypted database that is open in this process
    ///   holds.
    /// - Throws: ``StoreError`` if it is not there or may not be opened.
    package init(_ path: String, isWritable: Bool = false, isDecrypted: Bool = false) throws {
        guard let base = isDecrypted ? SealedVFS.present : SealedVFS.base,
            let name = SealedVFS.fullName(path)
        else {
            throw StoreError(.unavailable, "\(path) is no path.")
        }
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: Int(base.pointee.szOsFile), alignment: 16)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: Int(base.pointee.szOsFile))
        file = memory.assumingMemoryBound(to: sqlite3_file.self)
        self.path = path
        let bytes = Array(name.utf8CString) + [0, 0, 0]
        self.name = .allocate(capacity: bytes.count)
        _ = self.name.initialize(from: bytes)
        let kind = isDecrypted && path.hasSuffix("-wal") ? SQLITE_OPEN_WAL : SQLITE_OPEN_MAIN_DB
        let flags = kind | (isWritable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY)
        guard base.pointee.xOpen(base, self.name.baseAddress, file, flags, nil) == SQLITE_OK else {
            if let methods = file.pointee.pMethods { _ = methods.pointee.xClose(file) }
            throw StoreError(
                .unavailable,
                "\(path) cannot be \(isWritable ? "written" : "read"). Does it exist, and may you?")
        }
    }

    deinit {
        if let methods = file.pointee.pMethods { _ = methods.pointee.xClose(file) }
        UnsafeMutableRawPointer(file).deallocate()
        name.deallocate()
    }

    /// The layer's functions; there are some from a successful opening on.
    private var methods: sqlite3_io_methods { file.pointee.pMethods.pointee }

    /// Bytes of the file, or of what SQLite sees of it.
    package var size: Int {
        get throws {
            var size: sqlite3_int64 = 0
            guard methods.xFileSize(file, &size) == SQLITE_OK else {
                throw StoreError(.unavailable, "\(path) cannot be read.")
            }
            return Int(size)
        }
    }

    /// Bytes from an offset on.
    ///
    /// - Throws: ``StoreError`` if the file ends before, or cannot be read.
    package func read(_ offset: Int, _ count: Int) throws -> Data {
        var data = Data(count: count)
        let code = data.withUnsafeMutableBytes {
            methods.xRead(file, $0.baseAddress, Int32(count), Int64(offset))
        }
        guard code == SQLITE_OK else {
            throw StoreError(
                code == SealedVFS.shortRead ? .corrupt : .unavailable,
                "\(path) is cut off or cannot be read.")
        }
        return data
    }

    /// Overwrites bytes; they are on the disk after ``synchronize()``.
    func write(_ data: Data, at offset: Int) throws {
        let code = data.withUnsafeBytes {
            methods.xWrite(file, $0.baseAddress, Int32($0.count), Int64(offset))
        }
        guard code == SQLITE_OK else {
            throw StoreError(
                code == SQLITE_FULL ? .diskFull : .unavailable,
                "\(path) cannot be written\(code == SQLITE_FULL ? ": its disk is full" : "").")
        }
    }

    /// Waits until what was written is on the disk.
    func synchronize() throws {
        guard methods.xSync(file, SQLITE_SYNC_FULL) == SQLITE_OK else {
            throw StoreError(.unavailable, "\(path) cannot be written.")
        }
    }

    /// Overwrites all of it with zeros.
    func clear() throws {
        let zeros = Data(count: 1 << 20)
        let size = try size
        for offset in stride(from: 0, to: size, by: zeros.count) {
            try write(zeros.prefix(size - offset), at: offset)
        }
        try synchronize()
    }
}
