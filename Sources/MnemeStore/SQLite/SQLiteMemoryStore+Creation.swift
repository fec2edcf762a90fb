import Foundation
import GRDB
import MnemeBase
import MnemeSeal

/// How a store's file comes to be: whole, and for its owner alone.
extension SQLiteMemoryStore {
    /// Runs `body` while no other process or thread makes, opens or rewrites a store in a folder.
    static func alone<T>(in folder: String, _ body: () throws -> T) throws -> T {
        do { return try FileLock.holding(folder: folder, body) } catch let error as FileError {
            throw StoreError(error)
        }
    }

    /// Makes an empty store, unless something is there: under another name first, so that
    /// whoever looks finds none or a whole one.
    ///
    /// - Parameter key: encrypts it.
    static func createIfAbsent(_ path: String, key: EncryptionKey?) throws {
        // A symbolic link may lead to where nothing is yet.
        let place = SealedVFS.fullName(path) ?? path
        var information = stat()
        let isThere = stat(place, &information) == 0
        if isThere {
            // A file without a byte is none, unless a log says what is to be in it.
            let isEmpty = information.st_mode & S_IFMT == S_IFREG && information.st_size == 0
            guard isEmpty, access(place + "-wal", F_OK) != 0 else { return }
        }
        let plain = "\(place).\(UUID().uuidString).new", sealed = plain + ".sealed"
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
                try Schema.migrator.migrate(queue)
                try queue.writeWithoutTransaction {
                    try $0.execute(sql: "PRAGMA journal_mode = WAL")
                }
                try queue.close()
            }
            if let key { try write(plain, nil, to: sealed, key) { _, _ in } }
            _ = try AtomicFile.place(
                key == nil ? plain : sealed, at: place, isThere ? .replacing : .ifAbsent)
        } catch let error as FileError { throw StoreError(error) }
    }

    /// Opens the file and brings its tables up to date.
    static func openPool(_ path: String) throws -> DatabasePool {
        for suffix in suffixes { Privacy.tighten(path + suffix) }
        var configuration = Configuration()
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(10)
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
                guard tables == 0 || id == Schema.applicationID else {
                    throw StoreError(
                        .corrupt,
                        "\(path) is an SQLite file of another program. Choose another store with --store or MNEME_HOME."
                    )
                }
                guard try !Schema.migrator.hasBeenSuperseded(db) else {
                    throw StoreError(
                        .newerVersion, "\(path) was written by a newer Mneme. Update this one.")
                }
            }
            try Schema.migrator.migrate(pool)
            return pool
        }
    }

    /// What SQLite puts behind the file's name for the files that belong to it.
    static let suffixes = ["", "-wal", "-shm"]

    /// Whether only their owner reads the store's files and can put others in their place.
    func checkPrivacy() -> StoreFinding {
        let readable = Self.suffixes.map { path + $0 }.filter { !Privacy.tighten($0) }
        var problems: [String] = []
        if !readable.isEmpty {
            problems.append(
                "others may read \(readable.joined(separator: ", ")): chmod 600 as its owner")
        }
        if Privacy.isOpenToAll(parent(of: path)) {
            problems.append(
                "everybody may replace files in \(parent(of: path)): chmod 700 as its owner")
        }
        return StoreFinding(
            check: "privacy", sound: problems.isEmpty,
            detail: problems.isEmpty
                ? "only their owner reads the store's files" : problems.joined(separator: "; "))
    }
}

extension StoreError {
    /// What a file's error means for a store.
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
