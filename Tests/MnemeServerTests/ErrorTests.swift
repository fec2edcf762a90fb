import Foundation
import Logging
import Mneme
import MnemeBase
import MnemeEngine
import MnemeIndex
import MnemeKV
import MnemeSeal
import MnemeServer
import MnemeStore
import MnemeText
import NIOConcurrencyHelpers
import Testing

/// Consequences of an error's class: HTTP status, code, log, exit code.
@Suite(.serialized) struct ErrorTests {
    struct Expectation: Sendable, CustomTestStringConvertible {
        let error: any MnemeError, errorClass: ErrorClass, code: String, status: Int
        var testDescription: String { "\(type(of: error)) \(code)" }

        init(_ error: any MnemeError, _ errorClass: ErrorClass, _ code: String, _ status: Int) {
            (self.error, self.errorClass, self.code, self.status) = (
                error, errorClass, code, status
            )
        }
    }

    static let table: [Expectation] = [
        Expectation(InputError("x"), .input, "invalid_request", 400),
        Expectation(AccessError("x"), .forbidden, "forbidden", 403),
        Expectation(OracleError("x"), .unavailable, "unavailable", 503),
        Expectation(ModelError(.missingFile, "x"), .unavailable, "model_unavailable", 503),
        Expectation(ModelError(.invalidFile, "x"), .unavailable, "model_unavailable", 503),
        Expectation(ModelError(.unsupported, "x"), .unavailable, "model_unavailable", 503),
        Expectation(ModelError(.cannotWrite, "x"), .unavailable, "model_unavailable", 503),
        Expectation(ModelError(.cannotFetch, "x"), .unavailable, "model_unavailable", 503),
        Expectation(StoreError(.notFound, "x"), .notFound, "not_found", 404),
        Expectation(StoreError(.conflict, "x"), .conflict, "conflict", 409),
        Expectation(StoreError(.invalidText, "x"), .input, "invalid_text", 400),
        Expectation(StoreError(.quotaReached, "x"), .forbidden, "quota_reached", 403),
        Expectation(StoreError(.diskFull, "x"), .full, "disk_full", 507),
        Expectation(StoreError(.readOnly, "x"), .unavailable, "read_only", 503),
        Expectation(StoreError(.busy, "x"), .unavailable, "busy", 503),
        Expectation(StoreError(.corrupt, "x"), .corrupt, "corrupt", 500),
        Expectation(StoreError(.newerVersion, "x"), .unsupported, "newer_version", 500),
        Expectation(StoreError(.unavailable, "x"), .unavailable, "unavailable", 503),
        Expectation(EngineError(.tooLong, "x"), .input, "context_length_exceeded", 400),
        Expectation(EngineError(.invalidRequest, "x"), .input, "invalid_request", 400),
        Expectation(EngineError(.overloaded, "x"), .busy, "overloaded", 429),
        Expectation(EngineError(.timeout, "x"), .timeout, "timeout", 504),
        Expectation(EngineError(.closed, "x"), .unavailable, "closed", 503),
        Expectation(KVError(.outOfMemory, "x"), .unavailable, "out_of_memory", 503),
        Expectation(KVError(.damaged, "x"), .corrupt, "damaged", 500),
        Expectation(KVError(.foreign, "x"), .unsupported, "foreign", 500),
        Expectation(KVError(.inputOutput, "x"), .unavailable, "input_output", 503),
        Expectation(KVError(.notFound, "x"), .notFound, "not_found", 404),
        Expectation(KVError(.unsupported, "x"), .unsupported, "unsupported", 500),
        Expectation(SealError(.keyMissing, "x"), .unavailable, "key_missing", 503),
        Expectation(SealError(.notEncrypted, "x"), .unavailable, "not_encrypted", 503),
        Expectation(SealError(.wrongKey, "x"), .unavailable, "wrong_key", 503),
        Expectation(SealError(.malformedKey, "x"), .input, "malformed_key", 400),
        Expectation(SealError(.damaged, "x"), .corrupt, "damaged", 500),
        Expectation(IndexError(.invalid, "x"), .input, "invalid_request", 400),
        Expectation(IndexError(.corrupt, "x"), .corrupt, "corrupt", 500),
        Expectation(IndexError(.newerVersion, "x"), .unsupported, "newer_version", 500),
        Expectation(IndexError(.unavailable, "x"), .unavailable, "unavailable", 503),
        Expectation(IndexError(.full, "x"), .full, "disk_full", 507),
        Expectation(FileError("/x", code: ENOSPC), .full, "disk_full", 507),
        Expectation(FileError("/x", code: EDQUOT), .full, "disk_full", 507),
        Expectation(FileError("/x", code: EACCES), .unavailable, "unavailable", 503),
        Expectation(FileError("/x", code: ENOSPC).adding("Free some."), .full, "disk_full", 507),
        Expectation(FileError.damaged("/x", "is no list."), .corrupt, "corrupt", 500),
    ]

    @Test(arguments: table) func `status, code and log of an error follow from its class`(
        _ row: Expectation
    ) {
        #expect(row.error.errorClass == row.errorClass && ErrorClass(row.error) == row.errorClass)
        #expect(row.error.errorCode == row.code && row.errorClass.status == row.status)
        #expect(
            (row.errorClass.logLevel != nil) == (row.status >= 500),
            "the server's own faults are logged")
        #expect("\(row.error)" == row.error.message && !row.error.message.isEmpty)
    }

    @Test func `errors of any kind have a class, and every class a status`() {
        #expect(ErrorClass(CancellationError()) == .cancelled)
        #expect(ErrorClass(NSError(domain: "x", code: 1)) == .internal)
        #expect(throws: JSONError.self) {
            try "[".withCString { _ = try OrderedJSON(bytes: .init(start: $0, count: 1)) }
        }
        let template = #expect(throws: TemplateError.self) { try ChatTemplate("{% if x") }
        #expect(template?.errorClass == .input)
        for errorClass in ErrorClass.allCases {
            #expect((400...599).contains(errorClass.status))
            let code = errorClass.rawValue
            #expect(code == code.lowercased() && !code.contains(" "))
        }
    }

    @Test func `a damaged file of keys is the server's fault, not the caller's`() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(
            "keys-\(UUID().uuidString).json"
        ).path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data("not JSON".utf8).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: (any Error).self) { try KeyFile(path: path) }
        #expect(error.map { ErrorClass($0) } == .corrupt)
    }

    // MARK: OpenAI's routes

    @Test func `a prompt that is too long has OpenAI's code, whole and streamed`() async throws {
        try await TinyModel.with { model, engine in
            try await withServer(language: (model, engine)) { base, _, _ in
                let text = String(repeating: "a", count: 5000)
                let long: [(String, [String: JSONValue])] = [
                    ("v1/completions", ["prompt": .string(text)]),
                    (
                        "v1/chat/completions",
                        ["messages": [["role": "user", "content": .string(text)]]]
                    ),
                ]
                for (path, body) in long {
                    for streams in [false, true] {
                        let body = body.merging(["stream": .bool(streams)]) { $1 }
                        let answer = try await send(
                            "POST", base.appendingPathComponent(path), json(.object(body)))
                        #expect(answer.status == 400)
                        #expect(
                            answer.json["error"]?["code"] == "context_length_exceeded",
                            "\(path) \(streams)")
                    }
                }
                // What the engine refuses is spelled as what the server refuses.
                for wrong: [String: JSONValue] in [
                    ["temperature": -1], ["top_k": "x"], ["max_tokens": 0],
                ] {
                    let body = wrong.merging(["prompt": "Hello"]) { $1 }
                    let answer = try await send(
                        "POST", base.appendingPathComponent("v1/completions"), json(.object(body)))
                    #expect(
                        answer.status == 400 && answer.json["error"]?["code"] == "invalid_request",
                        "\(wrong)")
                }
                let unknown = try await send(
                    "POST", base.appendingPathComponent("v1/completions"),
                    json(["model": "gpt-4", "prompt": "x"]))
                #expect(
                    unknown.status == 404 && unknown.json["error"]?["code"] == "model_not_found")
            }
        }
    }

    @Test func `an error inside a stream is logged with its cause`() async throws {
        let log = LogRecord()
        try await TinyModel.with(sequences: 1) { model, engine in
            try await withServer(language: (model, engine), logger: log.logger) { base, _, _ in
                let port = UInt16(try #require(base.port))
                let head = "HTTP/1.1 200"
                // Without its marks an answer ends at the most tokens only.
                let marks = TinyModel.marks.compactMap { model.tokenizer.encode($0, special: true).first }
                let bias = marks.map { "\"\($0)\":-1000" }.joined(separator: ",")
                let body =
                    #"{"prompt":"Hello","max_tokens":4000,"stream":true,"logit_bias":{\#(bias)}}"#
                // One runs at a time: the last one's answer has begun, but not its tokens. All are
                // sent before one is waited for, so that a busy machine does not finish them first.
                let connections = try (1...32).map { _ in try RawConnection(port: port) }
                for (number, connection) in connections.enumerated() {
                    connection.put(
                        "POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                            + "X-Request-ID: late-\(number)\r\nContent-Type: application/json\r\n"
                            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
                }
                let answer = await connections[31].received(within: 60, until: head)
                #expect(answer.hasPrefix(head))
                engine.close()
                var text = ""
                for _ in 0..<60 where !text.contains("\"error\"") {
                    text += await connections[31].received(within: 0.5)
                }
                #expect(text.contains("\"code\":\"closed\"") && !text.contains("[DONE]"), "\(text)")
            }
        }
        let line = try #require(log.lines.first { $0["request"] == "late-31" })
        #expect(
            line["code"] == "closed" && line["operation"] == "completions"
                && line["level"] == "error")
        #expect(line["cause"] == "The engine is shut down." && line["error"] == "EngineError")
    }

    @Test func `what the server fails at is logged with its cause, what callers do wrong is not`()
        async throws
    {
        let log = LogRecord()
        try await withServer(embedder: FailingEmbedder(), logger: log.logger) { base, _, memory in
            let wrong = try await send(
                "POST", base.appendingPathComponent("v1/memories"), json(["text": ""]))
            #expect(wrong.status == 400)
            #expect(log.lines.filter { $0["request"] != nil }.isEmpty)
            let url = base.appendingPathComponent("v1/embeddings")
            let failed = try await send(
                "POST", url, json(["input": "x"]), headers: ["X-Request-ID": "odd"])
            #expect(failed.status == 500 && failed.json["error"]?["code"] == "internal")
            #expect(failed.json["error"]?["message"]?.string?.contains("the cause") == false)
        }
        let line = try #require(log.lines.first { $0["request"] == "odd" })
        #expect(line["cause"]?.contains("the cause") == true && line["operation"] == "embeddings")
    }

    // MARK: The command line

    @Test func `the exit code is 2 for a wrong request and 1 for a failure`() throws {
        let home = FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-\(UUID().uuidString)"
        ).path
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: home) }
        try Data("This is no store.".utf8).write(to: URL(fileURLWithPath: home + "/broken.db"))
        try Data("{}".utf8).write(to: URL(fileURLWithPath: home + "/keys.json"))
        let plain = ["--no-embedder"]
        let id = "0198c0de-0000-7000-8000-000000000000"
        let cases: [(arguments: [String], environment: [String: String], code: Int32)] = [
            (["remember", "The boat is called Marigold"] + plain, [:], 0),
            (["remember", " "] + plain, [:], 2),
            (["import", home + "/absent.jsonl"] + plain, [:], 2),
            (["get", id] + plain, [:], 1),
            (["list", "--store", home + "/broken.db"] + plain, [:], 1),
            (["keys", "list"], [:], 1),
            (["list"] + plain, ["MNEME_KEY": "no key"], 2),
            (["erase", id, "--prove", home + "/none/report.json"] + plain, [:], 1),
        ]
        for (arguments, environment, code) in cases {
            let process = Process()
            let errors = Pipe()
            process.executableURL = URL(fileURLWithPath: try #require(Self.program))
            process.arguments = arguments
            process.environment = environment.merging(["MNEME_HOME": home]) { $1 }
            process.standardOutput = FileHandle.nullDevice
            process.standardError = errors
            process.standardInput = FileHandle.nullDevice
            try process.run()
            let text = String(
                decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == code, "\(arguments): \(text)")
            #expect(text.hasPrefix("Error: ") == (code != 0), "\(arguments): \(text)")
        }
    }

    /// The command line's program, which is built beside the tests.
    private static var program: String? {
        CommandLine.arguments.map {
            URL(fileURLWithPath: $0).deletingLastPathComponent().path + "/mneme"
        }
        .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}

/// Keeps what is logged.
private final class LogRecord: Sendable {
    private let state = NIOLockedValueBox<[[String: String]]>([])

    /// The metadata of each line, and its level.
    var lines: [[String: String]] { state.withLockedValue { $0 } }
    var logger: Logger { Logger(label: "test") { _ in Handler(record: self) } }

    private struct Handler: LogHandler {
        let record: LogRecord
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            var line = (event.metadata ?? [:]).mapValues { "\($0)" }
            line["level"] = event.level.rawValue
            record.state.withLockedValue { $0.append(line) }
        }
    }
}

/// Fails with an error that is none of the project's.
private struct FailingEmbedder: TextEmbedder {
    let identifier = "failing", dimension = 4, maximumTokens = 100
    func embed(_ texts: [String]) throws -> Embeddings {
        throw NSError(domain: "the cause", code: 7)
    }
    func tokenCount(_ text: String) -> Int { text.utf8.count }
}
