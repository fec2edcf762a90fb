import Foundation
import Mneme
import MnemeStore
import Testing

/// Memories that come whole from outside: lines of an export, packages, copies that left.
@Suite struct OutsideInputTests {
    private static let owner = Owner(user: "ana")

    /// A line as `export` writes it, with some values set to others.
    private func line(_ text: String, _ values: [String: Any] = [:]) async throws -> String {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        _ = try await memory.remember([MemoryInput(text)], scope: Scope(user: "ana"))
        let exported = try await exported(memory)[0]
        let read = try JSONSerialization.jsonObject(with: Data(exported.utf8))
        let object = try #require(read as? [String: Any]).merging(values) { $1 }
        return String(
            decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
    }

    private func exported(_ memory: MemoryOS) async throws -> [String] {
        let output = try await ExportOperation.call(
            ["user": "ana"], OperationContext(memory: memory, principal: .local), surface: .http)
        guard case .lines(let lines) = output else { throw InputError("no lines") }
        return try await lines.reduce(into: []) { $0.append($1) }
    }

    private func imported(
        _ lines: [String], _ memory: MemoryOS, by principal: Principal = .local,
        strict: Bool = false
    ) async throws -> ImportReport {
        let output = try await ImportOperation.call(
            [
                "data": .string(lines.joined(separator: "\n")), "strict": .bool(strict),
                "format": "mneme", "user": "ana",
            ],
            OperationContext(memory: memory, principal: principal), surface: .http)
        guard case .value(let value) = output, let report = value as? ImportReport else {
            throw InputError("no report")
        }
        return report
    }

    private func all(_ memory: MemoryOS) throws -> [MemCube] {
        try memory.store.list(CubeFilter(owner: Self.owner, limit: 1_000), by: .local)
    }

    @Test(arguments: ["message", Provenance.redaction])
    func `what is imported whole is redacted, whatever it says of its source`(source: String)
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        try memory.store.setPolicy(
            MemoryPolicy(redaction: [.personal]), tenant: nil, by: .local)
        let line = try await line(
            "Write to ben@example.org about the boat",
            [
                "metadata": ["from": "carl@example.org"], "tags": ["dora@example.org", "boat"],
                "provenance": ["source": source],
            ])
        let report = try await imported([line], memory)
        #expect(report.stored == 1)
        let kept = try all(memory)[0]
        #expect(kept.text == "Write to [EMAIL] about the boat")
        #expect(kept.metadata == ["from": "[EMAIL]"] && kept.tags == ["[EMAIL]", "boat"])
        #expect(kept.provenance.source != Provenance.redaction)
        #expect(!kept.entities.contains { $0.contains("@") })
        // Once more it is known, though its text is another than the file's.
        let again = try await imported([line], memory)
        #expect(again.duplicates == 1 && again.stored == 0 && again.leftOut.isEmpty, "\(again)")
    }

    @Test func `nobody writes above their clearance by calling it an original`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let line = try await line(
            "The vault opens at noon",
            [
                "sensitivity": "restricted", "state": "archived",
                "provenance": ["source": Provenance.redaction],
            ])
        let clerk = Principal(
            name: "clerk", permissions: [.read, .write], user: "ana", clearance: .internal)
        await #expect(throws: AccessError.self) { try await imported([line], memory, by: clerk) }
        #expect(try all(memory).isEmpty)
        var input = MemoryInput("The vault opens at noon")
        input.source = Provenance.redaction
        await #expect(throws: InputError.self) {
            try await memory.remember([input], scope: Scope(user: "ana"))
        }
        // Whoever may, takes it in, and rules make no exception for it here.
        #expect(try await imported([line], memory).stored == 1)
        #expect(try all(memory)[0].provenance.source == Provenance.importedOriginal)
    }

    @Test func `an imported original goes when its redacted memory is erased`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        try memory.store.setPolicy(
            MemoryPolicy(redaction: [.personal], keepsOriginals: true), tenant: nil, by: .local)
        let made = try await memory.remember(
            [MemoryInput("Write to ben@example.org")], scope: Scope(user: "ana"))
        let there = try TemporaryFolder()
        let other = try there.open()
        #expect(try await imported(exported(memory), other).stored == 2)
        #expect(try all(other).contains { $0.text.contains("ben@example.org") })
        try await other.erase(made[0].id, owner: Self.owner)
        #expect(try all(other).isEmpty)
    }

    @Test(arguments: [
        #""confirmations":9223372036854775807"#, #""confirmations":-1"#, #""utcOffset":1000000"#,
        #""priority":1e300"#, #""usage":{"count":9223372036854775807,"last":"2026-01-01T00:00:00Z"}"#,
        #""provenance":{"source":"text","part":-1,"parts":2}"#,
        #""speaker":"\#(String(repeating: "s", count: 5_000))""#,
        #""metadata":{"note":"\#(String(repeating: "n", count: 70_000))"}"#,
        #""tags":[\#((0...1_000).map { "\"t\($0)\"" }.joined(separator: ","))]"#,
    ])
    func `values out of bounds are refused with their line`(values: String) async throws {
        let read = try JSONSerialization.jsonObject(with: Data("{\(values)}".utf8))
        let values = try #require(read as? [String: Any])
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let bad = try await line("The boat is red", values)
        let good = try await line("The boat is new")
        let report = try await imported([good, bad], memory)
        #expect(report.stored == 1 && report.problems.map(\.line) == [2], "\(report)")
        await #expect(throws: InputError.self) {
            try await imported([good, bad], memory, strict: true)
        }
    }

    @Test func `tags and metadata have one limit, remembered, updated, corrected or imported`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let long = String(repeating: "t", count: MemoryOS.maximumMetadataBytes + 1)
        let made = try await memory.remember(
            [MemoryInput("The boat is red")], scope: Scope(user: "ana"))
        var input = MemoryInput("The boat is blue")
        input.tags = [long]
        await #expect(throws: InputError.self) {
            try await memory.remember([input], scope: Scope(user: "ana"))
        }
        await #expect(throws: InputError.self) {
            _ = try await UpdateOperation.call(
                ["id": .string("\(made[0].id)"), "tag": .array([.string(long)]), "user": "ana"],
                OperationContext(memory: memory, principal: .local), surface: .http)
        }
        let line = try await line("The boat is green", ["tags": [long]])
        await #expect(throws: InputError.self) { try await imported([line], memory) }
        #expect(try all(memory).map(\.text) == ["The boat is red"])
    }

    @Test func `a strict import tells of a memory that was refused`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let line = try await line("The safe is behind the door")
        #expect(try await imported([line], memory).stored == 1)
        var secret = try all(memory)[0]
        secret.sensitivity = .restricted
        try memory.store.commit(
            [.update(secret, analysis: [], contentHash: [])], owner: Self.owner, by: .local)
        let clerk = Principal(
            name: "clerk", permissions: [.read, .write], user: "ana", clearance: .internal)
        let report = try await imported([line], memory, by: clerk)
        #expect(report.skipped == 1 && report.stored == 0)
        let error = await #expect(throws: InputError.self) {
            try await imported([line], memory, by: clerk, strict: true)
        }
        #expect(error?.message.contains("not visible to you") == true)
    }

    @Test func `a line that is too long costs a copy none of its lines`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let made = try await memory.remember(
            [MemoryInput("One boat"), MemoryInput("Two boats")], scope: Scope(user: "ana"))
        let output = try await ExportOperation.call(
            ["user": "ana"], OperationContext(memory: memory, principal: .local), surface: .http)
        guard case .lines(let lines) = output else { throw InputError("no lines") }
        let path = folder.path + "/copy.jsonl"
        #expect(try await memory.write(lines, of: Self.owner, to: path) == 2)
        // Somebody wrote on in the file.
        var written = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
            .map(String.init)
        let first = written[0].contains("\(made[0].id)") ? 0 : 1
        if first == 1 { written.swapAt(0, 1) }
        written.insert(String(repeating: "x", count: 17 << 20), at: 1)
        let before = Data((written.joined(separator: "\n") + "\n").utf8)
        try before.write(to: URL(fileURLWithPath: path))
        let copies = try await memory.erase(made[0].id, owner: Self.owner)
        #expect(copies.map(\.outcome) == [.unreadable])
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    }
}
