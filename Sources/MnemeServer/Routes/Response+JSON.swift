import HTTPTypes
import Hummingbird
import Mneme
import NIOCore

extension Response {
    /// An answer whose body is one JSON value.
    ///
    /// - Throws: if the value cannot be written as JSON.
    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) throws -> Response {
        json(text: try OperationTable.encode(value), status: status)
    }

    /// An answer whose body is JSON already.
    static func json(text: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    /// An error as an answer.
    static func refusal(_ error: ClientError, _ form: WireForm) -> Response {
        json(
            text: form.body(of: error).text, status: HTTPResponse.Status(code: error.status))
    }
}
