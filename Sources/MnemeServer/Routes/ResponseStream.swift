import HTTPTypes
import Hummingbird
import Mneme
import MnemeBase
import NIOCore

extension Response {
    /// An answer that is sent piece by piece. An error that comes up late is its last piece.
    ///
    /// - Parameters:
    ///   - type: the content type.
    ///   - failure: notes an error, and words it as a piece.
    ///   - body: sends the pieces.
    static func pieces(
        _ type: String, failure: @escaping @Sendable (any Error) -> String,
        _ body: @escaping @Sendable (_ send: (String) async throws -> Void) async throws -> Void
    ) -> Response {
        Response(
            status: .ok, headers: [.contentType: type, .cacheControl: "no-cache"],
            body: ResponseBody { writer in
                nonisolated(unsafe) var output = writer
                func write(_ piece: String) async throws {
                    try await output.write(ByteBuffer(string: piece))
                }
                do {
                    try await body { piece in
                        // What was cut off must not look whole.
                        try Task.checkCancellation()
                        try await write(piece)
                    }
                } catch { try await write(failure(error)) }
                try await output.finish(nil)
            })
    }

    /// Server-sent events without names, as the clients of OpenAI's chat and completions read them,
    /// with `[DONE]` at the end.
    ///
    /// - Parameters:
    ///   - failed: told of an error that comes up late.
    ///   - body: sends the events.
    static func events(
        failed: @escaping @Sendable (any Error) -> ClientError,
        _ body: @escaping @Sendable (_ send: (JSONValue) async throws -> Void) async throws -> Void
    ) -> Response {
        pieces(
            "text/event-stream",
            failure: { "data: \(WireForm.openAI.body(of: failed($0)).text)\n\n" }
        ) { send in
            try await body { try await send("data: \(try OperationTable.encode($0))\n\n") }
            try await send("data: [DONE]\n\n")
        }
    }

    /// Server-sent events that have the name of their member `type`, as Anthropic's clients and
    /// those of OpenAI's Responses read them.
    ///
    /// - Parameters:
    ///   - failed: an event that tells of an error that comes up late.
    ///   - body: sends the events.
    static func namedEvents(
        failed: @escaping @Sendable (any Error) -> OrderedJSON,
        _ body: @escaping @Sendable (_ send: (JSONValue) async throws -> Void) async throws -> Void
    ) -> Response {
        pieces(
            "text/event-stream",
            failure: { error in
                let event = failed(error)
                return "event: \(event["type"]?.string ?? "error")\ndata: \(event.text)\n\n"
            }
        ) { send in
            try await body { event in
                let data = try OperationTable.encode(event)
                try await send("event: \(event["type"]?.string ?? "message")\ndata: \(data)\n\n")
            }
        }
    }

    /// JSON values, one a line, as Ollama's clients read streams.
    ///
    /// - Parameters:
    ///   - failed: told of an error that comes up late.
    ///   - body: sends the values.
    static func lines(
        failed: @escaping @Sendable (any Error) -> ClientError,
        _ body: @escaping @Sendable (_ send: (JSONValue) async throws -> Void) async throws -> Void
    ) -> Response {
        pieces(
            "application/x-ndjson",
            failure: { WireForm.ollama.body(of: failed($0)).text + "\n" }
        ) { send in
            try await body { try await send(try OperationTable.encode($0) + "\n") }
        }
    }
}
