import Foundation
import Mneme
import MnemeEngine
import MnemeServer
import Testing

@Suite(.serialized) struct ConnectionTests {
    private static let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

    @Test func `half a header is not waited for, nor half a body, nor a next request`() async throws {
        try await withServer(change: {
            $0.connections.header = .milliseconds(400)
            $0.connections.body = .milliseconds(400)
            $0.connections.idle = .milliseconds(700)
        }) { base, _, _ in
            let port = UInt16(try #require(base.port))
            let head =
                "POST /v1/memories HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
            for beginning in [
                "", "G", "GET /healthz HTTP/1.1\r\nHost: loc", head, head + "{\"text\":",
                Self.request,
            ] {
                let connection = try RawConnection(port: port)
                connection.put(beginning)
                #expect(await connection.closes(within: 60), "'\(beginning)'")
            }
            // Whoever sends a byte now and then is not waited for either.
            for beginning in ["GET /healthz HTTP/1.1\r\nX: ", head] {
                let connection = try RawConnection(port: port)
                connection.put(beginning)
                var isClosed = false
                for _ in 0..<40 where !isClosed {
                    connection.put("a")
                    isClosed = await connection.closes(within: 0.1)
                }
                #expect(isClosed, "'\(beginning)' byte by byte")
            }
            #expect(try await send("GET", base.appendingPathComponent("healthz")).status == 200)
        }
    }

    @Test func `an address has so many connections and no more, until it closes some`() async throws {
        try await withServer(change: { $0.connections.perAddress = 8 }) { base, _, _ in
            let port = UInt16(try #require(base.port))
            func isServed(_ connection: RawConnection, within seconds: Double = 20) async -> Bool {
                connection.put(Self.request)
                let answer = "HTTP/1.1 200"
                return await connection.received(within: seconds, until: answer).hasPrefix(answer)
            }
            var held = try (0..<8).map { _ in try RawConnection(port: port) }
            for connection in held { #expect(await isServed(connection)) }
            let oneTooMany = try RawConnection(port: port)
            #expect(await !isServed(oneTooMany, within: 1))
            held.removeAll()
            var isServedAgain = false
            for _ in 0..<20 where !isServedAgain {
                isServedAgain = await isServed(try RawConnection(port: port), within: 2)
            }
            #expect(isServedAgain)
        }
    }

    /// Requests that would be computed for long, by path: the likeliest tokens never end an answer of
    /// the tiny model, sampled ones do.
    private static let long: [(path: String, body: JSONValue)] = [
        (
            "/v1/chat/completions",
            [
                "messages": [["role": "user", "content": "a"]], "max_tokens": 60000, "n": 4,
                "temperature": 0,
            ]
        ),
        (
            "/v1/chat/completions",
            [
                "messages": [["role": "user", "content": "a"]], "max_tokens": 60000, "n": 4,
                "stream": true, "temperature": 0,
            ]
        ),
        ("/v1/completions", ["prompt": ["a", "b"], "max_tokens": 60000, "n": 4, "temperature": 0]),
        ("/v1/responses", ["input": "a", "max_output_tokens": 60000, "temperature": 0]),
        (
            "/v1/messages",
            [
                "model": "small", "messages": [["role": "user", "content": "a"]],
                "max_tokens": 60000, "temperature": 0,
            ]
        ),
        (
            "/api/chat",
            [
                "model": "small", "messages": [["role": "user", "content": "a"]], "stream": false,
                "options": ["num_predict": 60000, "temperature": 0, "repeat_penalty": 1],
            ]
        ),
        (
            "/api/generate",
            [
                "model": "small", "prompt": "a", "stream": false,
                "options": ["num_predict": 60000, "temperature": 0, "repeat_penalty": 1],
            ]
        ),
    ]

    @Test func `what is computed for a client ends when the client leaves`() async throws {
        try await TinyModel.with(sequences: 1, context: 1 << 16) { model, engine in
            try await withServer(
                embedder: ToyEmbedder(), language: (model, engine),
                change: { $0.modelAlias = "small" }
            ) { base, _, _ in
                let port = UInt16(try #require(base.port))
                for (path, body) in Self.long {
                    let text = try OperationTable.encode(body)
                    let before = engine.statistics
                    func work() -> Int { engine.statistics.running + engine.statistics.waiting }
                    do {
                        let connection = try RawConnection(port: port)
                        // It is closed with its last use otherwise, before the work begins.
                        defer { withExtendedLifetime(connection) {} }
                        connection.put(
                            "POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)"
                        )
                        for _ in 0..<6000 where engine.statistics.running == 0 {
                            try await Task.sleep(for: .milliseconds(5))
                        }
                        guard engine.statistics.running > 0 else {
                            let answer = await connection.received(within: 1)
                            Issue.record("\(path) did not begin: \(answer.prefix(400))")
                            continue
                        }
                    }
                    for _ in 0..<6000 where work() > 0 { try await Task.sleep(for: .milliseconds(5)) }
                    #expect(work() == 0, "\(path) goes on")
                    let computed = engine.statistics.completionTokens - before.completionTokens
                    #expect(computed < 60000, "\(path) computed \(computed) tokens for nobody")
                }
                #expect(try await send("GET", base.appendingPathComponent("healthz")).status == 200)
            }
        }
    }
}
