import Foundation
import MnemeBase
import MnemeStore
import Testing

@Suite struct LongReadTests {
    private static let owner = Owner(tenant: "t", user: "u")

    private func remember(_ text: String, in store: SQLiteMemoryStore) throws -> CubeID {
        let cube = MemCube(
            scope: Scope(tenant: "t", user: "u"), type: .episodic, text: text, eventTime: Date(),
            recordedTime: Date(), provenance: Provenance(source: "test"))
        try store.commit(
            [.add(cube, analysis: [1], contentHash: Array(text.utf8))], owner: Self.owner, by: .local)
        return cube.id
    }

    @Test func `an erasure beside a long read is told soon, keeps nobody from writing, and is finished by the reader`()
        throws
    {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let store = try SQLiteMemoryStore(path: path, analyzer: "test")
        let reader = try SQLiteMemoryStore(path: path, analyzer: "test")
        let secret = try remember("the code of the door is 4711", in: store)
        func log() throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path + "-wal")) }
        try reader.readTables { rows in
            #expect(try rows.count(.cube) == 1)
            let began = ContinuousClock.now
            let error = #expect(throws: StoreError.self) {
                try store.commit([.erase(secret)], owner: Self.owner, by: .local)
            }
            #expect(error?.code == .busy && error?.message.contains("mneme doctor --repair") == true)
            // Forty waits of ten seconds each, it was once.
            #expect(began.duration(to: .now) < .seconds(30))
            #expect(try store.cube(secret, owner: Self.owner, asOf: nil, by: .local) == nil)
            _ = try remember("others write on", in: store)
            #expect(try rows.count(.cube) == 1)
            #expect(try log().range(of: Data("4711".utf8)) != nil)
        }
        reader.endLongRead()
        #expect(try log().range(of: Data("4711".utf8)) == nil)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)).range(of: Data("4711".utf8)) == nil)
        try reader.close()
        try store.close()
    }
}
