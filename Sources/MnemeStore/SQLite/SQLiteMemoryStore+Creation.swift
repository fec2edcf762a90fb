import Foundation
import GRDB
import MnemeBase
import MnemeSeal

/// Creation of a store's file: whole, and for its owner alone.
extension SQLiteMemoryStore {
    /// A store's path with symbolic links followed, as SQLite names its files. What is not there
    /// yet is named as it will be.
    static func resolved(_ path: String) throws -> String {
        guard let name = SealedVFS.fullName(path) else {
            throw StoreError(
                .unavailable,
                "\(path) is no path of a file: it is too long, or its links lead in a circle.")
        }
        return name
    }

    /// Runs `body` while no other process or thread makes, opens or rewrites a store in the folder
    /// of a resolved path.
    static func withExclusiveAccess<T>(to path: String, _ body: () throws -> T) throws -> T {
        do { return try FileLock.holding(folder: parent(of: path), body) } catch let error
            as FileError
        { throw StoreError(error) }
    }

    /// Makes an empty store, unless something is there: under another name first, so that
    /// whoever looks finds none or a whole one.
    ///
    /// - Parameters:
    ///   - path: a resolved one: a symbolic link may lead to where nothing is yet.
    ///   - key: encrypts it.
    ///   - tables: what the file holds.
    static func createIfAbsent(_ path: String, key: EncryptionKey?, tables: FileTables = .store) throws {
        var information = stat()
        let isThere = stat(path, &information) == 0
        if isThere {
            // A file without a byte is none, unless a log says what is to be in it.
            let isEmpty = information.st_mode & S_IFMT == S_IFREG && information.st_size == 0
            guard isEmpty, access(path + "-wal", F_OK) != 0 else { return }
        }
        let plain = "\(path).\(UUID().uuidString).new"
        let sealed = plain + ".sealed"
        defer { for file in [plain, plain + "-wal", plain + "-shm", sealed] { unlink(file) } }
        do {
            try AtomicFile.write(Data(), to: plain, durability: .cache)
            try translating(path) {
                var configuration = Configuration()
                // Nobody knows of it until it is whole and on the disk.
                configuration.prepareDatabase { db in
                    try db.execute(sql: "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF")
                }
                let queue = try DatabaseQueue(path: plain, configuration: configuration)
                try tables.migrator.migrate(queue)
                try queue.writeWithoutTransaction {
                    try $0.execute(sql: "PRAGMA journal_mode = WAL")
                }
                try queue.close()
            }
            if let key { try write(plain, nil, to: sealed, key) { _, _ in } }
            try AtomicFile.place(
                key == nil ? plain : sealed, at: path, isThere ? .replacing : .ifAbsent)
        } catch let error as FileError { throw StoreError(error) }
    }

    /// Seconds for which another process's write is waited for; longer waits are errors that say so.
    static let busySeconds = 10.0

    /// Opens the file and brings its tables up to date.
    static func openPool(_ path: String, tables holds: FileTables = .store) throws -> DatabasePool {
        for suffix in suffixes { Privacy.tighten(path + suffix) }
        var configuration = Configuration()
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(busySeconds)
        configuration.maximumReaderCount = 4
        configuration.prepareDatabase { db in
            try db.execute(
                sql:
                    "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384"
            )
        }
        return try translating(path) {
            let pool = try DatabasePool(path: path, configuration: configuration)
            try pool.read { db in
                // What an interrupted first use of an earlier version left has the table of
                // migrations alone.
                let tables =
                    try Int.fetchOne(
                        db,
                        sql:
                            "SELECT count(*) FROM sqlite_master WHERE tbl_name <> 'grdb_migrations'"
                    )
                    ?? 0
                let id = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
                guard tables == 0 || id == holds.applicationID else {
                    throw StoreError(
                        .corrupt,
                        "\(path) is an SQLite file of another program. Choose another store with --store or MNEME_HOME."
                    )
                }
                guard try !holds.migrator.hasBeenSuperseded(db) else {
                    throw StoreError(
                        .newerVersion, "\(path) was written by a newer Mneme. Update this one.")
                }
            }
            try holds.migrator.migrate(pool)
            return pool
        }
    }

    /// Endings of the files that belong to a database, behind its name.
    static let suffixes = ["", "-wal", "-shm"]

    /// Looks whether only their owner reads the store's files and can put others in their place.
    ///
    /// - Parameter repair: takes from others what they may do with the files. The folder stays as
    ///   it is: others' files may be in it.
    func checkPrivacy(repair: Bool) -> StoreFinding {
        let open = Self.suffixes.map { path + $0 }.filter { !Privacy.isPrivate($0) }
        let left = repair ? open.filter { !Privacy.tighten($0) } : open
        var problems: [String] = []
        if !open.isEmpty {
            let names = (left.isEmpty ? open : left).joined(separator: ", ")
            problems.append(
                left.isEmpty
                    ? "others could read \(names), and cannot any more"
                    : "others may read \(names): chmod 600 as its owner"
                        + (repair ? "" : ", or `mneme doctor --repair`"))
        }
        if Privacy.isOpenToAll(parent(of: path)) {
            problems.append(
                "everybody may replace files in \(parent(of: path)): chmod 700 as its owner")
        }
        return StoreFinding(
            check: "privacy", sound: problems.isEmpty,
            detail: problems.isEmpty
                ? "only their owner reads the store's files" : problems.joined(separator: "; "),
            repaired: !open.isEmpty && left.isEmpty && problems.count == 1)
    }
}

extension StoreError {
    /// A file's error as one of the store's.
    init(_ error: FileError) {
        switch error.code {
        case _ where error.isFull:
            self.init(
                .diskFull, "\(error) Nothing of this request was written; free space and repeat it."
            )
        case EROFS, EACCES, EPERM:
            self.init(
                .readOnly, "\(error) Check the permissions of its folder and the file system.")
        case EWOULDBLOCK: self.init(.busy, "\(error) Try again, or end that process.")
        default: self.init(.unavailable, error.description)
        }
    }
}
