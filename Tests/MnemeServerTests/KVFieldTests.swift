import Foundation
import Mneme
import MnemeEngine
import MnemeServer
import Testing

/// The member `kv` in requests of every API, with the tiny model.
@Suite(.serialized) struct KVFieldTests {
    private static let text = String(repeating: "One day the cat sat on the mat and sang. ", count: 12)

    /// A request of each route, and where its answer tells what was kept.
    private static let routes: [(path: String, body: JSONValue, usage: [String])] = [
        (
            "/v1/chat/completions",
            [
                "messages": [["role": "user", "content": .string(text)]], "max_tokens": 8,
                "temperature": 0,
            ], ["usage", "kv"]
        ),
        (
            "/v1/messages",
            [
                "model": "small", "messages": [["role": "user", "content": .string(text)]],
                "max_tokens": 8, "temperature": 0,
            ], ["usage", "kv"]
        ),
        (
            "/v1/responses",
            ["model": "small", "input": .string(text), "max_output_tokens": 8, "temperature": 0],
            ["usage", "kv"]
        ),
        (
            "/api/chat",
            [
                "model": "small", "messages": [["role": "user", "content": .string(text)]],
                "stream": false, "options": ["num_predict": 8, "temperature": 0],
            ], ["kv"]
        ),
        (
            "/api/generate",
            [
                "model": "small", "prompt": .string(text), "stream": false,
                "options": ["num_predict": 8, "temperature": 0],
            ], ["kv"]
        ),
    ]

    private func with(_ kv: JSONValue?, _ body: JSONValue) -> JSONValue {
        guard let kv, case .object(var members) = body else { return body }
        members["kv"] = kv
        return .object(members)
    }

    @Test func `every API answers from a part of the KV cache, and says what was kept`() async throws {
        try await withTinyServer { base, _, _ in
            for route in Self.routes {
                func kept(_ kv: JSONValue?) async throws -> JSONValue? {
                    let (status, json, _) = try await post(base, route.path, with(kv, route.body))
                    #expect(status == 200, "\(route.path): \(json)")
                    return route.usage.reduce(json) { $0?[$1] }
                }
                #expect(try await kept(nil) == nil, "\(route.path)")
                let part = try await kept(["policy": "snapkv", "budget": 96, "type": "int8"])
                #expect(part?["policy"] == "snapkv" && part?["type"] == "int8", "\(route.path)")
                let rows = try #require(part?["kept_tokens"]?.double, "\(route.path)")
                #expect(rows >= 96 && rows <= 104, "\(route.path)")
                let all = try await kept(["type": "int8"])
                #expect(all?["policy"] == "full" && all?["kept_tokens"]?.double ?? 0 > 400)
                // The model's heads are too short for 4 bits.
                for wrong: JSONValue in [
                    ["policy": "best"], ["budget": 0], ["type": "int2"], ["type": "int4"], "snapkv",
                ] {
                    let status = try await post(base, route.path, with(wrong, route.body)).status
                    #expect(status == 400, "\(route.path): \(wrong)")
                }
            }
        }
    }

    @Test func `the OpenAPI document has it wherever answers are given`() async throws {
        try await withTinyServer { base, _, _ in
            let document = try await get(base, "/openapi.json").json
            let policies = KVCompression.policies.map { JSONValue.string($0) }
            for route in Self.routes {
                let schema = document["paths"]?[route.path]?["post"]?["requestBody"]?["content"]?[
                    "application/json"]?["schema"]
                let field = schema?["properties"]?["kv"]
                #expect(field?["properties"]?["policy"]?["enum"] == .array(policies), "\(route.path)")
            }
        }
    }
}
