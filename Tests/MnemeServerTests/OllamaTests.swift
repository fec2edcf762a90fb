import Foundation
import Mneme
import MnemeServer
import MnemeStore
import Testing

/// Ollama's routes over HTTP, with the tiny model.
@Suite(.serialized) struct OllamaTests {
    private func question(_ text: String, _ more: [String: JSONValue] = [:]) -> JSONValue {
        let messages: JSONValue = [["role": "user", "content": .string(text)]]
        let body: [String: JSONValue] = [
            "model": "small", "messages": messages,
            "options": ["temperature": 0, "num_predict": 12],
        ]
        return .object(body.merging(more) { $1 })
    }

    @Test func `a chat streams lines unless it is told not to`() async throws {
        try await withTinyServer { base, _, _ in
            let whole = try await post(base, "/api/chat", question("Count.", ["stream": false])).json
            let text = try #require(whole["message"]?["content"]?.string)
            #expect(!text.isEmpty && whole["done"] == true && whole["done_reason"] == "length")
            #expect(whole["eval_count"] == 12 && whole["total_duration"]?.double ?? 0 > 0)
            let parts = try lines(try await post(base, "/api/chat", question("Count.")).data)
            #expect(parts.compactMap { $0["message"]?["content"]?.string }.joined() == text)
            #expect(parts.last?["done"] == true && parts.dropLast().allSatisfy { $0["done"] == false })
            let tagged = question("Count.", ["stream": false, "model": "small:latest"])
            #expect(try await post(base, "/api/chat", tagged).json["message"] == whole["message"])
        }
    }

    @Test func `a prompt is answered by the template, or continued as it is`() async throws {
        try await withTinyServer { base, _, _ in
            func generate(_ more: [String: JSONValue]) async throws -> JSONValue {
                let body: [String: JSONValue] = [
                    "model": "small", "stream": false,
                    "options": ["temperature": 0, "num_predict": 8],
                ]
                return try await post(base, "/api/generate", .object(body.merging(more) { $1 })).json
            }
            let answer = try await generate(["prompt": "Count."])
            let chat = try await post(
                base, "/api/chat",
                question(
                    "Count.",
                    ["stream": false, "options": ["temperature": 0, "num_predict": 8]]))
            #expect(answer["response"] == chat.json["message"]?["content"])
            let raw = try await generate(["prompt": "Count.", "raw": true])
            let prompt = raw["prompt_eval_count"]?.int ?? 0
            #expect(prompt == 6, "no template around it")
            #expect(raw["response"] != answer["response"])
            #expect(try await generate([:])["done_reason"] == "load")
            let json = try await generate(["prompt": "Count.", "format": "json"])
            #expect(json["response"]?.string?.hasPrefix("{") == true)
        }
    }

    @Test func `models are listed and shown, and texts embedded`() async throws {
        try await withTinyServer { base, _, _ in
            let names = try await get(base, "/api/tags").json["models"]?.array?.compactMap {
                $0["name"]?.string
            }
            #expect(names == ["small", "toy"])
            #expect(try await get(base, "/api/ps").json["models"]?[0]?["name"] == "small")
            #expect(try await get(base, "/api/version").json["version"]?.string != nil)
            let shown = try await post(base, "/api/show", ["model": "small"]).json
            #expect(shown["details"]?["family"] == "llama")
            #expect(shown["capabilities"]?.array?.contains("completion") == true)
            let vectors = try await post(base, "/api/embed", ["model": "toy", "input": ["a", "b"]])
            #expect(vectors.json["embeddings"]?.array?.count == 2)
            let one = try await post(base, "/api/embeddings", ["model": "toy", "prompt": "a"])
            #expect(one.json["embedding"] == vectors.json["embeddings"]?[0])
        }
    }

    @Test func `errors have Ollama's form`() async throws {
        try await withTinyServer { base, _, _ in
            let wrong: [(String, JSONValue, Int)] = [
                ("/api/chat", question("x", ["model": "another"]), 404),
                ("/api/chat", question("x", ["format": "xml"]), 400),
                ("/api/chat", question("x", ["options": ["temperature": "hot"]]), 400),
                ("/api/chat", question("x", ["messages": [["role": "robot"]]]), 400),
                ("/api/generate", ["model": "small", "prompt": "x", "suffix": "y"], 400),
                ("/api/embed", ["model": "toy", "input": [1]], 400),
                ("/api/show", ["model": "another"], 404),
            ]
            for (path, body, status) in wrong {
                let answer = try await post(base, path, body)
                #expect(answer.status == status, "\(path): \(answer.json)")
                #expect(answer.json["error"]?.string?.isEmpty == false)
            }
        }
    }
}
