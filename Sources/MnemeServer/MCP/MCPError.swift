import Mneme
import MnemeBase

/// An error of the protocol itself, for the client's program. What a tool could not do is a result
/// instead, for the model to read.
struct MCPError: MnemeError {
    /// Codes of JSON-RPC 2.0, and those that MCP adds.
    enum Code: Int {
        /// The text is no JSON.
        case parse = -32700
        /// JSON, but no request.
        case invalidRequest = -32600
        /// No method has this name.
        case methodNotFound = -32601
        /// The method cannot be called with these parameters.
        case invalidParams = -32602
        /// The server failed; JSON-RPC calls it an internal error.
        case failed = -32603
        /// A resource is not there, as revisions before 2026-07-28 tell it.
        case resourceNotFound = -32002
        /// A header of HTTP says something else than the message.
        case headerMismatch = -32020
        /// The request names a revision that is not spoken here.
        case unsupportedVersion = -32022
    }

    /// The code that a program branches on.
    let code: Code
    /// A sentence for people: what is wrong, and what to do.
    let message: String
    /// Facts for a program to do better, such as the versions that are spoken.
    var data: JSONValue?

    init(_ code: Code, _ message: String, data: JSONValue? = nil) {
        (self.code, self.message, self.data) = (code, message, data)
    }

    /// Caller's faults are bad input, whatever their code.
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
