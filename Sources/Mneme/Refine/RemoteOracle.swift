import Foundation
import NIOConcurrencyHelpers

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// An oracle behind an OpenAI-compatible endpoint (`/chat/completions` with a JSON schema as
/// `response_format`). The texts that it is asked about leave the machine, so it is used only where
/// somebody names an address.
public struct RemoteOracle: Oracle {
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
        var request = URLRequest(url: url, timeoutInterval: 120)
        request.httpMethod = "POST"
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        if let key { request.setValue("Bearer \(key)", forHTTPHeaderField: "Authorization") }
        request.httpBody = Data(try OperationTable.encode(body).utf8)
        let (data, response) = try await Self.send(request)
        guard let status = (response as? HTTPURLResponse)?.statusCode, status == 200 else {
            throw OracleError(
                "\(url.host ?? "The endpoint") answered with status \((response as? HTTPURLResponse)?.statusCode ?? 0)."
            )
        }
        guard let answer = try? JSONValue(parsing: Array(data)),
            let text = answer["choices"]?.array?.first?["message"]?["content"]?.string
        else {
            throw OracleError(
                "\(url.host ?? "The endpoint") answered what no OpenAI-compatible endpoint does.")
        }
        return text
    }

    /// Sends a request; cancelling the task cancels it on the wire.
    /// - Throws: `OracleError` with the reason of the network.
    private static func send(_ request: URLRequest) async throws -> (Data, URLResponse?) {
        let running = NIOLockedValueBox<URLSessionDataTask?>(nil)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let task = URLSession.shared.dataTask(with: request) { data, response, error in
                    if let data, error == nil {
                        continuation.resume(returning: (data, response))
                    } else {
                        continuation.resume(
                            throwing: OracleError(
                                "\(request.url?.host ?? "The endpoint") does not answer: \(error?.localizedDescription ?? "")"
                            ))
                    }
                }
                running.withLockedValue { $0 = task }
                task.resume()
            }
        } onCancel: {
            running.withLockedValue { $0?.cancel() }
        }
    }
}
