import Mneme
import MnemeBase

/// An error of the protocol itself, for the client's program. What a tool could not do is a result
/// instead, for the model to read.
struct MCPError: MnemeError {
    /// Codes of JSON-RPC 2.0, and those that MCP adds.
    enum Code: Int {
        case parse = -32700
        case invalidRequest = -32600
        case methodNotFound = -32601
        case invalidParams = -32602
        case failed = -32603
        /// What revisions before 2026-07-28 say for a resource that is not there.
        case resourceNotFound = -32002
        /// A header of HTTP says something else than the message.
        case headerMismatch = -32020
        case unsupportedVersion = -32022
    }

    let code: Code
    let message: String
    /// What a program needs to do better, such as the versions that are spoken.
    var data: JSONValue?

    init(_ code: Code, _ message: String, data: JSONValue? = nil) {
        (self.code, self.message, self.data) = (code, message, data)
    }

    var errorClass: ErrorClass { code == .failed ? .internal : .input }

    /// The HTTP status that revision 2026-07-28 asks for. Earlier ones answer requests with 200
    /// whatever became of them.
    var status: Int {
        switch code {
        case .methodNotFound: 404
        case .failed: 200
        default: 400
        }
    }
}
