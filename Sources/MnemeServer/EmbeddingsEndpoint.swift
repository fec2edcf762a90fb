import Foundation
import Hummingbird
import Mneme
import MnemeBase

/// `/v1/embeddings` as OpenAI clients call it.
enum EmbeddingsEndpoint {
    private static let maximumInputs = 2048

    static func answer(_ request: JSONFields, memory: MemoryOS) async throws -> Response {
        guard let embedder = memory.embedder else { throw UnknownModel.embedder }
        let texts: [String]
        switch request["input"] {
        case .string(let text): texts = [text]
        case .array(let list):
            texts = list.compactMap(\.string)
            guard texts.count == list.count else {
                throw InputError("'input' must be a text or a list of texts; token ids are not taken.")
            }
        default: throw InputError("'input' is missing: a text or a list of texts.")
        }
        guard (1...maximumInputs).contains(texts.count) else {
            throw InputError("'input' must hold 1 to \(maximumInputs) texts.")
        }
        guard texts.allSatisfy({ !$0.isEmpty }) else { throw InputError("'input' must not hold an empty text.") }
        if let wanted = try request.int("dimensions"), wanted != embedder.dimension {
            throw InputError(
                "The model \(embedder.identifier) has \(embedder.dimension) dimensions; another number cannot be had.")
        }
        let format = try request.text("encoding_format") ?? "float"
        guard format == "float" || format == "base64" else {
            throw InputError("'encoding_format' must be float or base64.")
        }
        let (vectors, tokens) = try await memory.embed(texts)
        let data: [JSONValue] = texts.indices.map { i in
            let vector = vectors[i]
            let value: JSONValue =
                format == "base64"
                ? .string(vector.withUnsafeBytes { Data($0) }.base64EncodedString())
                : .array(vector.map { .number(Double($0)) })
            return ["object": "embedding", "index": .number(Double(i)), "embedding": value]
        }
        let answer: JSONValue = [
            "object": "list", "data": .array(data), "model": .string(embedder.identifier),
            "usage": ["prompt_tokens": .number(Double(tokens)), "total_tokens": .number(Double(tokens))],
        ]
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(string: try OperationTable.encode(answer))))
    }
}
