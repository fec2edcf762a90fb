import Foundation
public import Mneme
import MnemeBase
import MnemeHub

/// An oracle behind an OpenAI-compatible endpoint (`/chat/completions` with a JSON schema as
/// `response_format`). The texts that it is asked about leave the machine, so it is used only where
/// somebody names an address.
public struct RemoteOracle: Oracle {
    /// The model's name, as the endpoint is asked for it.
    public let name: String
    /// The address of chat completions, and the bearer token.
    private let url: URL, key: String?

    /// - Parameters:
    ///   - base: such as `http://localhost:11434/v1`.
    ///   - model: as the endpoint calls it.
    ///   - key: sent as a bearer token.
    /// - Throws: `InputError` if that is no address.
    public init(base: String, model: String, key: String?) throws {
        guard let url = URL(string: base), ["http", "https"].contains(url.scheme), url.host != nil
        else {
            throw InputError(
                "'\(base.prefix(200))' is no address such as http://localhost:11434/v1.")
        }
        (self.url, name, self.key) = (url.appendingPathComponent("chat/completions"), model, key)
    }

    /// Asks at temperature 0, with a timeout of 120 seconds.
    ///
    /// - Throws: `OracleError` if the endpoint does not answer, or answers with a status other than
    ///   200 or in another form.
    public func answer(_ question: OracleQuestion) async throws -> String {
        let schema = try JSONValue(parsing: Array(question.schema.utf8))
        let body: JSONValue = [
            "model": .string(name), "temperature": 0,
            "max_tokens": .number(Double(question.maxTokens)),
            "messages": [
                ["role": "system", "content": .string(question.instructions)],
                ["role": "user", "content": .string(question.text)],
            ],
            "response_format": [
                "type": "json_schema",
                "json_schema": [
                    "name": .string(question.schemaName), "strict": true, "schema": schema,
                ],
            ],
        ]
        var headers = ["Content-Type": "application/json"]
        if let key { headers["Authorization"] = "Bearer \(key)" }
        let host = url.host ?? "The endpoint"
        let reply: OutgoingHTTP.Answer
        do {
            reply = try await OutgoingHTTP.send(
                "POST", url, headers: headers,
                body: Data(try OperationTable.encode(body).utf8), seconds: 120)
        } catch let failure as OutgoingHTTP.Failure {
            throw OracleError("\(host) does not answer: \(failure.reason).")
        }
        guard reply.status == 200 else {
            throw OracleError("\(host) answered with status \(reply.status).")
        }
        guard let answer = try? JSONValue(parsing: Array(reply.body)),
            let text = answer["choices"]?.array?.first?["message"]?["content"]?.string
        else { throw OracleError("\(host) answered what no OpenAI-compatible endpoint does.") }
        return text
    }
}
