import Foundation
import GRDB
import MnemeStore
import Testing

/// The forms in which cubes lie in files: they were the same before cubes had parts.
@Suite struct CubeTests {
    private func full() throws -> MemCube {
        var cube = MemCube(
            id: try #require(CubeID("01900000-0000-7000-8000-000000000001")),
            scope: Scope(tenant: "t", user: "u", agent: "a", session: "s"), type: .core,
            text: "Ana lives in Porto",
            speaker: "ana", eventTime: Date(timeIntervalSince1970: 1),
            recordedTime: Date(timeIntervalSince1970: 2),
            provenance: Provenance(source: "message", reference: "m", part: 0, parts: 2))
        cube.state = .frozen
        cube.version = 3
        cube.sensitivity = .confidential
        cube.utcOffset = 3_600
        cube.updatedTime = Date(timeIntervalSince1970: 4)
        cube.validUntil = Date(timeIntervalSince1970: 5)
        cube.expires = Date(timeIntervalSince1970: 6)
        cube.priority = 0.5
        cube.tags = ["tag"]
        cube.metadata = ["k": "v"]
        cube.entities = ["Ana"]
        cube.keywords = ["porto"]
        cube.dates = [
            DateMention(
                text: "1970", start: Date(timeIntervalSince1970: 0),
                end: Date(timeIntervalSince1970: 9))
        ]
        cube.claims = [Claim(subject: "ana", attribute: "home", value: "porto")]
        cube.confirmations = 1
        cube.tier = .longTerm
        cube.topic = cube.id
        cube.caution = ["sign"]
        cube.vouchedBy = "somebody"
        cube.usage = Usage(count: 2, last: Date(timeIntervalSince1970: 7))
        return cube
    }

    private let reference = ActivationReference(
        block: "b", model: "m", modelHash: "h", tokens: 1, bytes: 2, sources: ["x"])

    private let json =
        #"{"caution":["sign"],"claims":[{"attribute":"home","isDenied":false,"subject":"ana","value":"porto"}],"#
        + #""confirmations":1,"dates":[{"end":9,"start":0,"text":"1970"}],"entities":["Ana"],"eventTime":1,"#
        + #""expires":6,"id":"01900000-0000-7000-8000-000000000001","keywords":["porto"],"metadata":{"k":"v"},"#
        + #""priority":0.5,"provenance":{"part":0,"parts":2,"reference":"m","source":"message"},"recordedTime":2,"#
        + #""scope":{"agent":"a","session":"s","tenant":"t","user":"u"},"sensitivity":"confidential","#
        + #""speaker":"ana","state":"frozen","tags":["tag"],"text":"Ana lives in Porto","tier":"long-term","#
        + #""topic":"01900000-0000-7000-8000-000000000001","type":"core","updatedTime":4,"#
        + #""usage":{"count":2,"last":7},"utcOffset":3600,"validUntil":5,"version":3,"vouchedBy":"somebody"}"#

    private func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .secondsSince1970
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    private func decode(_ json: String) throws -> MemCube {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .secondsSince1970
        return try decoder.decode(MemCube.self, from: Data(json.utf8))
    }

    @Test func `JSON has the properties of all parts side by side`() throws {
        let cube = try full()
        #expect(try encode(cube) == json)
        #expect(try decode(json) == cube)
    }

    @Test func `JSON of an activation has its reference beside the text`() throws {
        var cube = try full()
        cube.payload = .activation(reference, of: cube.text)
        let kept =
            #"{"activation":{"block":"b","bytes":2,"model":"m","modelHash":"h","sources":["x"],"tokens":1},"#
        #expect(try encode(cube) == kept + json.dropFirst())
        #expect(try decode(kept + json.dropFirst()) == cube)
        #expect(cube.activation == reference && !cube.isPlaintext)
    }

    @Test func `JSON from before there were labels and claims is read`() throws {
        let old =
            #"{"id":"01900000-0000-7000-8000-000000000001","scope":{"tenant":"t","user":"u"},"type":"core","#
            + #""state":"activated","version":1,"text":"x","eventTime":1,"recordedTime":2,"updatedTime":2,"#
            + #""priority":0,"tags":[],"metadata":{},"entities":[],"keywords":[],"dates":[],"#
            + #""provenance":{"source":"text"}}"#
        let cube = try decode(old)
        #expect(
            cube.claims.isEmpty && cube.sensitivity == .internal && cube.isPlaintext
                && cube.text == "x")
    }

    @Test func `JSON without a text, a state or an id is refused`() {
        for field in [
            "text", "state", "id", "scope", "version", "recordedTime", "provenance", "dates",
        ] {
            #expect(throws: DecodingError.self, "\(field)") {
                try decode(json.replacingOccurrences(of: "\"\(field)\":", with: "\"x\(field)\":"))
            }
        }
    }

    @Test func `a new text leaves the kind of the payload`() throws {
        var payload = Payload.activation(reference, of: "old")
        payload.text = "new"
        #expect(payload == .activation(reference, of: "new"))
        payload = .plaintext("old")
        payload.text = "new"
        #expect(payload == .plaintext("new"))
    }

    @Test func `journal and columns hold the bytes that they always held`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        let store = try SQLiteMemoryStore(path: path, analyzer: "test")
        var cube = try full()
        cube.state = .activated
        cube.payload = .activation(reference, of: cube.text)
        cube.claims = []
        try store.commit(
            [.add(cube, analysis: [], contentHash: [1])], owner: cube.scope.owner, by: .local)
        try store.close()
        let header =
            #"{"tags":["tag"],"metadata":{"k":"v"},"entities":["Ana"],"keywords":["porto"],"#
            + #""dates":[{"text":"1970","start":0.0,"end":9.0}],"confirmations":1,"tier":"long-term","#
            + #""topic":"01900000-0000-7000-8000-000000000001","caution":["sign"],"vouchedBy":"somebody","#
            + #""utcOffset":3600,"provenance":{"source":"message","reference":"m","part":0,"parts":2},"#
            + #""activation":{"block":"b","model":"m","modelHash":"h","tokens":1,"bytes":2,"sources":["x"]}}"#
        let payload =
            String(header.dropLast()) + #","id":"01900000-0000-7000-8000-000000000001","#
            + #""scope":{"tenant":"t","user":"u","agent":"a","session":"s"},"type":"core","state":"activated","#
            + #""version":3,"text":"Ana lives in Porto","sensitivity":"confidential","speaker":"ana","#
            + #""eventTime":1.0,"recordedTime":2.0,"updatedTime":4.0,"validUntil":5.0,"expires":6.0,"priority":0.5}"#
        let columns = try DatabaseQueue(path: path).read { db in
            try String.fetchAll(
                db, sql: "SELECT header FROM cube UNION ALL SELECT payload FROM journal")
        }
        #expect(columns == [header, payload])
    }
}
