import Foundation
import Mneme
public import MnemeBase
import MnemeHub

/// An embedding model behind an OpenAI-compatible endpoint (`/embeddings`). Texts leave the machine,
/// so it is used only where somebody names an address.
///
/// Calls block. What a server says is busy or failing is asked again a few times; a batch that it
/// refuses is sent in halves, and a text that is too long for its model is cut, so that one text
/// does not keep the others from their vectors.
public final class RemoteEmbedder: TextEmbedder {
    /// Address and model, `http://localhost:11434/v1#nomic-embed-text`: vectors of another address
    /// or model are never compared with these.
    public let identifier: String
    /// Elements of a vector: asked for when this was opened, or known from vectors in the store.
    public let dimension: Int
    /// Tokens that OpenAI's models take; what is too long for another model is cut when it refuses.
    public let maximumTokens = 8_192
    private let endpoint: Endpoint

    /// Texts of a request at most.
    private static let batch = 64
    /// Seconds until an answer has to be there whole.
    private static let seconds: Int64 = 60
    /// The least bytes that a text is cut to before it is taken for refused.
    private static let leastBytes = 128

    /// The endpoint that a text names, `http://localhost:11434/v1#nomic-embed-text`.
    ///
    /// - Parameters:
    ///   - address: base address with its version path, and the model after `#`.
    ///   - key: sent as a bearer token.
    ///   - dimension: of its vectors, if known; else one text is embedded to learn it.
    /// - Throws: `InputError` if that is no such address, `ModelError` if the endpoint does not
    ///   answer as one does.
    public init(_ address: String, key: String?, dimension: Int? = nil) throws {
        endpoint = try Endpoint(address, key: key)
        identifier = endpoint.name
        self.dimension = try dimension ?? endpoint.vectors(["dimension"], tries: 2)[0].count
    }

    /// True for a text that is meant as an address of an endpoint.
    public static func isAddress(_ text: String) -> Bool {
        text.hasPrefix("http://") || text.hasPrefix("https://")
    }

    /// Vectors of `texts` as documents.
    public func embed(_ texts: [String]) throws -> Embeddings { try embed(texts, as: .document) }

    /// Vectors of `texts`, in order, at length 1. The role only decides how patient it is: somebody
    /// waits for a question.
    ///
    /// - Throws: `ModelError` of code `cannotFetch` that names the endpoint.
    public func embed(_ texts: [String], as role: TextRole) throws -> Embeddings {
        var values: [Float] = []
        values.reserveCapacity(texts.count * dimension)
        for start in stride(from: 0, to: texts.count, by: Self.batch) {
            let part = texts[start..<min(texts.count, start + Self.batch)]
            for vector in try vectors(Array(part), tries: role == .query ? 2 : 4) {
                guard vector.count == dimension else {
                    throw endpoint.error(
                        "gives vectors of \(vector.count) elements now, no longer \(dimension)")
                }
                values += vector
            }
        }
        return Embeddings(dimension: dimension, values: values)
    }

    /// Four bytes a token, a rough estimate: the endpoint's tokenizer is not known.
    public func tokenCount(_ text: String) -> Int { text.utf8.count / 4 + 1 }

    /// Vectors of a batch; of its halves, or of a shorter text, if the endpoint refuses it.
    private func vectors(_ texts: [String], tries: Int) throws -> [[Float]] {
        do { return try endpoint.vectors(texts, tries: tries) } catch let refusal as Refusal {
            if texts.count > 1 {
                let middle = texts.count / 2
                return try vectors(Array(texts[..<middle]), tries: tries)
                    + vectors(Array(texts[middle...]), tries: tries)
            }
            guard let text = texts.first, text.utf8.count / 2 >= Self.leastBytes else {
                throw refusal.error
            }
            return try vectors([String(text.prefix(text.count / 2))], tries: tries)
        }
    }

    // MARK: The wire

    /// The endpoint does not take what was sent, and would not take it again.
    private struct Refusal: Error {
        var error: ModelError
    }

    /// Where and as whom is asked.
    private struct Endpoint: Sendable {
        /// Base address and model, as an embedder's identifier has it.
        let name: String
        private let url: URL, model: String, headers: [String: String]

        init(_ address: String, key: String?) throws {
            let parts = address.split(
                separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[1].isEmpty, let base = URL(string: String(parts[0])),
                ["http", "https"].contains(base.scheme), base.host?.isEmpty == false
            else {
                throw InputError(
                    "'\(address.prefix(200))' is no address of embeddings: it needs base address and model, such as http://localhost:11434/v1#nomic-embed-text."
                )
            }
            guard base.user == nil, base.password == nil, base.query == nil else {
                throw InputError(
                    "The address of embeddings holds no key or password: put the key into MNEME_EMBEDDER_KEY."
                )
            }
            model = String(parts[1])
            url = base.appendingPathComponent("embeddings")
            name =
                (base.absoluteString.hasSuffix("/")
                    ? String(base.absoluteString.dropLast()) : base.absoluteString) + "#" + model
            headers = key.map { ["Authorization": "Bearer \($0)"] } ?? [:]
        }

        /// The error for what the endpoint does.
        func error(_ what: String) -> ModelError {
            ModelError(.cannotFetch, "The embedding endpoint \(name) \(what).")
        }

        /// One vector a text, in order, at length 1.
        ///
        /// - Parameter tries: requests at most, where the server is busy or does not answer.
        /// - Throws: ``Refusal``, `ModelError`.
        func vectors(_ texts: [String], tries: Int) throws -> [[Float]] {
            let body: JSONValue = [
                "model": .string(model), "input": .array(texts.map { .string($0) }),
            ]
            let text = try OperationTable.encode(body)
            var wait = 0.25
            for attempt in 1... {
                var problem: String
                do {
                    let answer = try OutgoingHTTP.postAndWait(
                        text, to: url, headers: headers, seconds: RemoteEmbedder.seconds)
                    switch answer.status {
                    case 200: return try read(answer.body, count: texts.count)
                    case 400, 413, 422:
                        throw Refusal(
                            error: error("refuses a text: status \(answer.status)\(said(answer.body))"))
                    case 401, 403:
                        throw error(
                            "does not accept the key (status \(answer.status)): MNEME_EMBEDDER_KEY holds it"
                        )
                    case 408, 429, 500...: break
                    default:
                        throw error("answered with status \(answer.status)\(said(answer.body))")
                    }
                    problem = "answered with status \(answer.status)\(said(answer.body))"
                    if let seconds = answer.retryAfter, seconds > 0 { wait = min(seconds, 10) }
                } catch let failure as OutgoingHTTP.Failure {
                    problem = "does not answer: \(failure.reason)"
                    // Whoever is not there now will hardly be in a second.
                    if attempt == 2 { throw error(problem) }
                }
                guard attempt < tries else { throw error(problem) }
                Thread.sleep(forTimeInterval: wait)
                wait *= 2
            }
            throw error("was not asked")
        }

        /// The text of an error's body, for the message.
        private func said(_ body: Data) -> String {
            let value = try? JSONValue(parsing: Array(body.prefix(65_536)))
            let text =
                value?["error"]?["message"]?.string ?? value?["error"]?.string
                ?? value?["message"]?.string
            return text.map { ", \"\($0.prefix(200))\"" } ?? ""
        }

        /// The vectors of an answer, by their index.
        private func read(_ body: Data, count: Int) throws -> [[Float]] {
            guard let answer = try? JSONValue(parsing: Array(body)),
                let data = answer["data"]?.array, data.count == count
            else { throw error("answered what no OpenAI-compatible endpoint does") }
            var vectors = [[Float]](repeating: [], count: count)
            for (place, item) in data.enumerated() {
                let index = item["index"]?.double.flatMap { Int(exactly: $0) } ?? place
                guard vectors.indices.contains(index), vectors[index].isEmpty,
                    let vector = Self.unit(item["embedding"]?.array ?? [])
                else { throw error("answered with an embedding that is no vector") }
                vectors[index] = vector
            }
            guard vectors.allSatisfy({ $0.count == vectors[0].count }) else {
                throw error("answered with vectors of different lengths")
            }
            return vectors
        }

        /// The numbers as a vector at length 1; nil if there are none, one is not finite, or all
        /// are 0.
        private static func unit(_ numbers: [JSONValue]) -> [Float]? {
            let values = numbers.compactMap(\.double)
            let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
            guard values.count == numbers.count, (1...8_192).contains(values.count), norm > 0,
                norm.isFinite
            else { return nil }
            return values.map { Float($0 / norm) }
        }
    }
}
