import Crypto
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemePostgres
import MnemeSeal
import MnemeStore
import Testing

/// Index files of servers that share a database: read by whoever starts, written by one, and without
/// anything that was erased, by whomever.
@Suite(.enabled(if: TestServer.comparesVectors, Comment(rawValue: TestServer.unvectored)))
struct IndexFolderTests {
    let server: TestServer
    private static let owner = Owner(user: "ana")
    /// As many memories as have files, and some.
    private static let count = 4_300
    /// The session of one memory, by name in the file of tables.
    private static let secret = "secret talk 8731"

    init() throws { server = try TestServer.shared.get() }

    /// A folder that goes with the test.
    private final class Folder {
        let path = NSTemporaryDirectory() + "mneme-folder-\(UUID().uuidString)"
        deinit { try? FileManager.default.removeItem(atPath: path) }

        /// Paths of files with an ending.
        func files(_ ending: String = "") -> [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter {
                $0.hasSuffix(ending) && !$0.hasSuffix(".lock")
            }.sorted().map { path + "/" + $0 }
        }

        /// Tells whether a file holds a text.
        func holds(_ text: String) -> Bool {
            files().contains { (try? Data(contentsOf: URL(fileURLWithPath: $0)))?.range(of: Data(text.utf8)) != nil }
        }
    }

    /// A server of a schema, which answers from the database until its third question where it has no
    /// files.
    private func open(_ settings: PostgresSettings, _ folder: Folder, key: DataKey? = nil) throws -> MemoryOS {
        var settings = settings
        settings.filesKey = key
        let memory = MemoryOS(
            store: try PostgresMemoryStore(settings, analyzer: MemoryOS.analyzerVersion, auditKey: .init()),
            embedder: HashedWordsEmbedder(), indexFolder: folder.path)
        memory.setCold(above: 1_000, until: 3)
        return memory
    }

    private func end(_ memory: MemoryOS) async throws {
        await memory.close()
        try memory.store.close()
    }

    /// Memories of one owner, one of them alone in its session.
    private func fill(_ memory: MemoryOS) async throws {
        let things = ["boat", "kettle", "violin", "ladder", "parrot", "anvil", "tunnel", "quilt"]
        for start in stride(from: 0, to: Self.count, by: 500) {
            var inputs: [MemoryInput] = []
            for i in start..<min(Self.count, start + 500) {
                var input = MemoryInput(
                    "Carla repaired the \(things[i % 8]) of house \(i % 97), number \(i).",
                    speaker: i % 2 == 0 ? "Ana" : "Ben",
                    eventTime: Date(timeIntervalSince1970: 1_700_000_000 + Double(i) * 600))
                input.session = i == 777 ? Self.secret : "talk \(i / 20)"
                inputs.append(input)
            }
            _ = try await memory.record(inputs, scope: Scope(user: "ana"), by: .local, isBulk: true)
        }
        try await memory.embedPending()
    }

    /// The ids of an answer, best first, and whether it came from the database.
    private func ask(_ memory: MemoryOS, _ question: String = "Who repaired the kettle of house 17?") async throws
        -> (ids: [CubeID], isFromDatabase: Bool)
    {
        var request = RecallRequest(question, owner: Self.owner, limit: 10)
        request.now = Date(timeIntervalSince1970: 1_800_000_000)
        let answer = try await memory.recall(request)
        return (answer.memories.map(\.memory.id), answer.source == .database)
    }

    /// True as soon as a condition holds; false if it does not within some seconds.
    private func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
        for _ in 0..<600 {
            if try await condition() { return true }
            try await Task.sleep(for: .milliseconds(50))
        }
        return false
    }

    /// Rows of memories that the database has handed to anybody so far. Connections that ended have told
    /// their counts.
    private func rowsRead(_ settings: PostgresSettings) async throws -> Int {
        try await Task.sleep(for: .milliseconds(1_500))
        let connection = try PGConnection(settings)
        let counts = try connection.texts(
            """
            SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::text FROM pg_stat_user_tables
            WHERE schemaname = current_schema() AND relname = 'cube'
            """)
        return try #require(counts.first.flatMap { Int($0) })
    }

    @Test func `a server that starts again answers from its files, and reads few rows`() async throws {
        let settings = try server.settings()
        let (folder, empty) = (Folder(), Folder())
        let first = try open(settings, folder)
        try await fill(first)
        try await first.prepareIndex(of: Self.owner)
        let expected = try await ask(first)
        #expect(!expected.isFromDatabase && expected.ids.count == 10)
        try await end(first)
        #expect(folder.files(".tables").count == 1 && folder.files(".vectors").count == 1)

        // Autovacuum does so within a minute: until then PostgreSQL takes the tables for small, and reads them whole.
        let connection = try PGConnection(settings)
        for table in ["cube", "journal", "vector"] { try connection.run("ANALYZE \(table)", isKept: false) }
        try connection.sync()
        let before = try await rowsRead(settings)
        let second = try open(settings, folder)
        let answer = try await ask(second)
        #expect(answer.ids == expected.ids && !answer.isFromDatabase)
        try await end(second)
        let fromFiles = try await rowsRead(settings) - before
        #expect(fromFiles < Self.count / 10)
        // Without files they are all read.
        let third = try open(settings, empty)
        third.setCold(above: .max, until: .max)
        #expect(try await ask(third).ids == expected.ids)
        try await end(third)
        #expect(try await rowsRead(settings) - before - fromFiles >= Self.count)

        // What comes later is read from the journal.
        let writer = try open(settings, Folder())
        _ = try await writer.remember(
            [MemoryInput("Dora sank the zeppelin of house 17.")], scope: Scope(user: "ana"))
        try await writer.embedPending()
        try await end(writer)
        let fourth = try open(settings, folder)
        let found = try await fourth.recall(RecallRequest("Who sank the zeppelin?", owner: Self.owner))
        #expect(found.source == nil && found.memories.first?.text.contains("zeppelin") == true)
        try await end(fourth)
    }

    @Test func `of servers with one folder one builds, and the others read what it wrote`() async throws {
        let settings = try server.settings()
        let folder = Folder()
        let (one, other) = (try open(settings, folder), try open(settings, folder))
        try await fill(one)
        try await one.prepareIndex(of: Self.owner)
        let expected = try await ask(one)
        let lock = try #require(folder.files(".tables").first).replacing(/-[^-]*$/, with: "-writer.lock")
        for file in folder.files() { try FileManager.default.removeItem(atPath: file) }

        // Somebody is at it: the other answers from the database, and builds nothing.
        var held: FileLock? = try FileLock.take(lock)
        #expect(held != nil)
        for _ in 0..<5 { #expect(try await ask(other).isFromDatabase) }
        try await Task.sleep(for: .milliseconds(300))
        #expect(try await ask(other).isFromDatabase && folder.files().isEmpty)
        held = nil

        // Both at once: the files are those of one, and both answer as ever.
        async let first: Void = one.prepareIndex(of: Self.owner)
        async let second: Void = other.prepareIndex(of: Self.owner)
        _ = try await (first, second)
        let files = folder.files(".vectors") + folder.files(".tables")
        #expect(files.count == 2)
        let written = try files.map { try FileManager.default.attributesOfItem(atPath: $0)[.systemFileNumber] as? Int }
        for memory in [one, other] {
            let answer = try await ask(memory)
            #expect(answer.ids == expected.ids && !answer.isFromDatabase)
            try await memory.prepareIndex(of: Self.owner)
        }
        #expect(
            try files.map { try FileManager.default.attributesOfItem(atPath: $0)[.systemFileNumber] as? Int } == written
        )
        #expect(folder.files(".tmp").isEmpty)

        // A file that was cut off, and one with other bytes in it, are made again.
        for memory in [one, other] { try await end(memory) }
        for (file, isCut) in [(files[0], true), (files[1], false)] {
            var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
            if isCut { bytes.removeLast(bytes.count / 2) } else { bytes[65_540] ^= 1 }
            try bytes.write(to: URL(fileURLWithPath: file))
            let memory = try open(settings, folder)
            #expect(try await ask(memory).ids == expected.ids)
            try await memory.prepareIndex(of: Self.owner)
            #expect(try Data(contentsOf: URL(fileURLWithPath: file)) != bytes)
            try await end(memory)
            let again = try open(settings, folder)
            let answer = try await ask(again)
            #expect(answer.ids == expected.ids && !answer.isFromDatabase)
            try await end(again)
        }
    }

    @Test func `what another server erases is in no file of this one, and the files come back`() async throws {
        let settings = try server.settings()
        let (near, far) = (Folder(), Folder())
        let one = try open(settings, near)
        try await fill(one)
        try await one.prepareIndex(of: Self.owner)
        // Another machine's: one that runs, and one that will be stopped when it is erased.
        let running = try open(settings, far)
        running.setSavingPause(0.2)
        running.resume()
        try await running.prepareIndex(of: Self.owner)
        let stopped = Folder()
        let sleeping = try open(settings, stopped)
        try await sleeping.prepareIndex(of: Self.owner)
        try await end(sleeping)
        // What a writer that was killed has left.
        let left = stopped.path + "/" + (stopped.files(".tables")[0] as NSString).lastPathComponent + ".7.4194305.tmp"
        try Data(Self.secret.utf8).write(to: URL(fileURLWithPath: left))
        for folder in [near, far, stopped] { #expect(folder.holds(Self.secret)) }

        var filter = CubeFilter(owner: Self.owner, limit: 2)
        filter.session = Self.secret
        let id = try #require(try one.store.list(filter, by: .local).first?.id)
        let proof = try await one.eraseWithProof(id, owner: Self.owner)
        #expect(!near.holds(Self.secret))
        #expect(proof.findings.allSatisfy { $0.offsets.isEmpty })
        #expect(proof.unsearched?.contains("other machines") == true)
        #expect(stopped.holds(Self.secret))
        // The one that runs hears of it, or learns it before its next answer.
        #expect(try await !ask(running, "house \(777 % 97), number 777").ids.contains(id))
        #expect(!far.holds(Self.secret))
        #expect(try await eventually { far.files(".tables").count == 1 && far.files(".vectors").count == 1 })
        #expect(!far.holds(Self.secret))
        // The one that did not run removes them when it starts, before anybody asks.
        let woken = try open(settings, stopped)
        woken.resume()
        #expect(try await eventually { !stopped.holds(Self.secret) })
        #expect(!FileManager.default.fileExists(atPath: left))
        #expect(try await !ask(woken, "house \(777 % 97), number 777").ids.contains(id))

        // One that hears of it, without the index in memory, removes its files as well.
        try await woken.prepareIndex(of: Self.owner)
        #expect(stopped.files(".tables").count == 1)
        try await end(woken)
        let cold = try open(settings, stopped)
        cold.resume()
        #expect(try await eventually { cold.followedCount != nil && cold.shared?.isFollowing == true })
        try await Task.sleep(for: .milliseconds(500))
        #expect(stopped.files(".tables").count == 1)
        filter.session = "talk 7"
        let next = try #require(try one.store.list(filter, by: .local).first?.id)
        try await one.erase(next, owner: Self.owner)
        #expect(try await eventually { stopped.files(".tables").isEmpty && stopped.files(".vectors").isEmpty })
        for memory in [one, running, cold] { try await end(memory) }
    }

    @Test func `with a key nothing stands open, and files of another key are made again`() async throws {
        let settings = try server.settings()
        let folder = Folder()
        let (key, other) = (DataKey(), DataKey())
        let first = try open(settings, folder, key: key)
        try await fill(first)
        try await first.prepareIndex(of: Self.owner)
        let expected = try await ask(first)
        try await end(first)
        #expect(folder.files(".tables").count == 1 && !folder.holds("talk 7"))
        let second = try open(settings, folder, key: key)
        let answer = try await ask(second)
        #expect(answer.ids == expected.ids && !answer.isFromDatabase)
        try await end(second)
        let before = try Data(contentsOf: URL(fileURLWithPath: folder.files(".tables")[0]))
        let third = try open(settings, folder, key: other)
        #expect(try await ask(third).ids == expected.ids)
        try await third.prepareIndex(of: Self.owner)
        try await end(third)
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.files(".tables")[0])) != before)
    }
}
