import Hummingbird
import Mneme
import NIOCore

extension Response {
    /// An answer whose body is one JSON value.
    static func json(_ value: JSONValue) throws -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(string: try OperationTable.encode(value))))
    }

    /// Server-sent events, as OpenAI's clients read streams. An error that comes up late is the
    /// last event.
    ///
    /// - Parameters:
    ///   - failed: told of such an error.
    ///   - body: sends the events.
    static func events(
        failed: @escaping @Sendable (any Error) -> ClientError,
        _ body: @escaping @Sendable (_ send: (JSONValue) async throws -> Void) async throws -> Void
    ) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-cache"],
            body: ResponseBody { writer in
                nonisolated(unsafe) var output = writer
                func send(_ data: String) async throws {
                    try await output.write(ByteBuffer(string: "data: \(data)\n\n"))
                }
                do {
                    try await body { try await send(OperationTable.encode($0)) }
                    try await send("[DONE]")
                } catch { try await send(OperationTable.encode(failed(error).json)) }
                try await output.finish(nil)
            })
    }
}
