import Crypto
import Foundation
import MnemeStore
import MnemeTesting
import Testing

/// A folder of its own for one test, removed at the end.
struct TemporaryFolder: ~Copyable {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent(
        "mneme-\(UUID().uuidString)"
    ).path
    /// Others may not write into it, whatever another test makes of the process's file mode mask.
    init() throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite struct StoreTests {
    @Test(arguments: MemoryStoreConformance.all)
    func `the SQLite store conforms`(check: MemoryStoreConformance) throws {
        let folder = try TemporaryFolder()
        try check.run(
            SQLiteMemoryStore(
                path: folder.path + "/store.db", analyzer: "test",
                auditKey: Curve25519.Signing.PrivateKey()))
    }

    @Test func `ids sort by creation and survive text`() throws {
        let ids = (0..<5000).map { _ in CubeID() }
        #expect(ids == ids.sorted() && Set(ids).count == ids.count)
        #expect(CubeID(ids[0].description.uppercased()) == ids[0])
        #expect(CubeID("nonsense") == nil)
    }

    @Test func `journal and state give back exactly what was recorded`() throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteMemoryStore(path: folder.path + "/store.db", analyzer: "test")
        for (i, text) in [
            "plain", "\"quoted\" \\ back", "line\nbreak\ttab\u{1}\u{1f}end", "é 日本 😀 \u{2028}", "",
        ]
        .enumerated() {
            var cube = MemCube(
                scope: Scope(
                    tenant: text + "t", user: "u\(i)", agent: text, session: i == 0 ? nil : text),
                type: .core,
                text: text, speaker: text,
                eventTime: Date(timeIntervalSince1970: -1.25),
                recordedTime: Date(timeIntervalSince1970: 1e10),
                provenance: Provenance(source: text, reference: text, part: 1, parts: 3))
            cube.tags = [text, "b"]
            cube.metadata = [text: text, "k": "v"]
            cube.entities = [text]
            cube.keywords = i == 0 ? [] : [text, text]
            cube.dates = [
                DateMention(
                    text: text, start: Date(timeIntervalSince1970: 0),
                    end: Date(timeIntervalSince1970: 0.5))
            ]
            cube.expires = i == 1 ? nil : Date(timeIntervalSince1970: 2)
            cube.priority = 1e-9
            cube.sensitivity = Sensitivity.allCases[i % 4]
            let owner = cube.scope.owner
            try store.commit(
                [.add(cube, analysis: [], contentHash: [1])], owner: owner,
                by: Caller(.local, time: Date(timeIntervalSince1970: 5)))
            #expect(try store.cube(cube.id, owner: owner, asOf: nil, by: .local) == cube)
            #expect(
                try store.cube(
                    cube.id, owner: owner, asOf: Date(timeIntervalSince1970: 6), by: .local) == cube
            )
        }
    }

    @Test(arguments: LifecycleState.allCases)
    func `no state follows erasure`(state: LifecycleState) {
        #expect(!LifecycleState.erased.canBecome(state))
        #expect(state == .erased || state.canBecome(.erased))
    }

    @Test func `a foreign file, a newer file and a damaged file are refused with a reason`() throws {
        let folder = try TemporaryFolder()
        let foreign = folder.path + "/notes.db"
        try Data("this is not a database, just some text that is long enough to be read".utf8)
            .write(
                to: URL(fileURLWithPath: foreign))
        let error = #expect(throws: StoreError.self) {
            try SQLiteMemoryStore(path: foreign, analyzer: "test")
        }
        #expect(error?.code == .corrupt)
    }

    @Test func `a store that cannot be written says so and loses nothing`() throws {
        let folder = try TemporaryFolder()
        #expect(throws: StoreError.self) {
            try SQLiteMemoryStore(path: folder.path, analyzer: "test")
        }
        #expect(throws: StoreError.self) {
            try SQLiteMemoryStore(path: "/proc/mneme/store.db", analyzer: "test")
        }
    }
}
