import Foundation
import Mneme
import MnemeServer
import MnemeStore
import Testing

/// Anthropic's Messages and memory tool over HTTP, with the tiny model.
@Suite(.serialized) struct AnthropicTests {
    private static let path = "/v1/messages"

    private func question(_ text: String, _ more: [String: JSONValue] = [:]) -> JSONValue {
        let message: JSONValue = ["role": "user", "content": .string(text)]
        let body: [String: JSONValue] = [
            "model": "small", "max_tokens": 12, "temperature": 0, "messages": [message],
        ]
        return .object(body.merging(more) { $1 })
    }

    @Test func `a message is answered, and its stream grows to the same`() async throws {
        try await withTinyServer { base, _, _ in
            let (status, answer, _) = try await post(base, Self.path, question("Count."))
            #expect(status == 200 && answer["type"] == "message" && answer["role"] == "assistant")
            let text = try #require(answer["content"]?[0]?["text"]?.string)
            #expect(!text.isEmpty && answer["content"]?[0]?["type"] == "text")
            #expect(answer["stop_reason"] == "max_tokens" && answer["stop_sequence"] == .null)
            #expect(answer["usage"]?["output_tokens"] == 12)
            let streamed = try await post(base, Self.path, question("Count.", ["stream": true]))
            let events = try namedEvents(streamed.data)
            let types = events.compactMap { $0["type"]?.string }
            #expect(types.first == "message_start" && types.last == "message_stop")
            #expect(types[1] == "content_block_start" && types.contains("content_block_stop"))
            let pieces = events.compactMap { $0["delta"]?["text"]?.string }
            #expect(pieces.joined() == text && pieces.count > 1)
            let end = try #require(events.first { $0["type"] == "message_delta" })
            #expect(end["delta"]?["stop_reason"] == "max_tokens")
            let usage = end["usage"]
            let read = usage?["cache_read_input_tokens"]?.int ?? 0
            #expect(read > 0, "the second prompt is cached")
            let prompt = answer["usage"]?["input_tokens"]?.int ?? 0
            #expect(read + (usage?["input_tokens"]?.int ?? 0) == prompt)
            let counted = try await post(base, Self.path + "/count_tokens", question("Count."))
            #expect(counted.json["input_tokens"]?.int == prompt)
        }
    }

    @Test func `a stop sequence is named, and blocks read as their text`() async throws {
        try await withTinyServer { base, _, _ in
            let plain = try await post(base, Self.path, question("Say something.")).json
            let text = try #require(plain["content"]?[0]?["text"]?.string)
            let stop = String(text.dropFirst(5).prefix(2))
            let cut = try await post(
                base, Self.path, question("Say something.", ["stop_sequences": [.string(stop)]])
            ).json
            #expect(cut["stop_reason"] == "stop_sequence")
            #expect(cut["stop_sequence"]?.string == stop)
            let end = try #require(text.range(of: stop)).lowerBound
            #expect(cut["content"]?[0]?["text"]?.string == String(text[..<end]))
            let blocks: JSONValue = [
                [
                    "role": "user",
                    "content": [
                        ["type": "text", "text": "Say "], ["type": "text", "text": "something."],
                    ],
                ]
            ]
            let same = try await post(base, Self.path, question("", ["messages": blocks])).json
            #expect(same["content"] == plain["content"])
        }
    }

    @Test func `calls of tools and their results are told to the model`() async throws {
        try await withTinyServer { base, _, _ in
            func count(_ messages: JSONValue) async throws -> Int? {
                let body: JSONValue = ["model": "small", "messages": messages]
                return try await post(base, Self.path + "/count_tokens", body).json["input_tokens"]?
                    .int
            }
            let asked: JSONValue = ["role": "user", "content": "Where is the boat?"]
            let called: JSONValue = [
                "role": "assistant",
                "content": [
                    ["type": "thinking", "thinking": "hm", "signature": "x"],
                    ["type": "text", "text": "I look."],
                    ["type": "tool_use", "id": "a", "name": "look", "input": ["what": "boat"]],
                ],
            ]
            func result(_ text: String) -> JSONValue {
                let block: JSONValue = [
                    "type": "tool_result", "tool_use_id": "a",
                    "content": [["type": "text", "text": .string(text)]],
                ]
                return ["role": "user", "content": [block]]
            }
            let short = try #require(try await count([asked, called, result("Here.")]))
            let long = try #require(try await count([asked, called, result("Far away in Bergen.")]))
            #expect(long == short + 14, "one token a character")
        }
    }

    @Test func `tools that a provider would run are left out and named`() async throws {
        try await withTinyServer { base, _, _ in
            let tools: JSONValue = [
                ["type": "web_search_20250305", "name": "web_search"],
                ["name": "look", "input_schema": ["type": "object"]],
            ]
            for (path, more) in [
                (Self.path, ["tools": tools, "stream": true]), (Self.path, ["tools": tools]),
            ] as [(String, [String: JSONValue])] {
                let url = try #require(URL(string: "\(base)\(path)"))
                let answer = try await send("POST", url, json(question("x", more)))
                #expect(answer.status == 200)
                let header = answer.headers["X-Mneme-Tools-Ignored"] as? String
                #expect(header == "web_search_20250305")
            }
        }
    }

    @Test func `errors have Anthropic's form, whatever is wrong`() async throws {
        try await withTinyServer(keys: [("reader", [.read], "ana")]) { base, secrets, _ in
            func check(_ body: JSONValue, _ status: Int, _ type: String) async throws {
                let answer = try await post(
                    base, Self.path, body, headers: ["x-api-key": secrets[0]])
                #expect(answer.status == status, "\(answer.json)")
                #expect(answer.json["type"] == "error")
                #expect(answer.json["error"]?["type"]?.string == type)
                #expect(answer.json["error"]?["message"]?.string?.isEmpty == false)
            }
            try await check(question("x", ["model": "another"]), 404, "not_found_error")
            try await check(question("x", ["max_tokens": .null]), 400, "invalid_request_error")
            try await check(question("x", ["max_tokens": 0]), 400, "invalid_request_error")
            try await check(question("x", ["messages": []]), 400, "invalid_request_error")
            let prefilled: JSONValue = [
                ["role": "user", "content": "x"], ["role": "assistant", "content": "The"],
            ]
            try await check(question("x", ["messages": prefilled]), 400, "invalid_request_error")
            let tools: JSONValue = [["type": "web_search_20250305", "name": "web_search"]]
            let any: JSONValue = ["type": "any"]
            try await check(
                question("x", ["tools": tools, "tool_choice": any]), 400, "invalid_request_error")
            let unkeyed = try await post(base, Self.path, question("x"))
            #expect(unkeyed.status == 401)
            #expect(unkeyed.json["error"]?["type"] == "authentication_error")
            let wrong = try await get(base, Self.path)
            #expect(wrong.status == 405 && wrong.json["type"] == "error")
        }
    }

    @Test func `the memory tool's commands work over memories`() async throws {
        let keys: [(String, Set<Permission>, String?)] = [
            ("ana", [.read, .write], "ana"), ("eve", [.read], "ana"),
        ]
        try await withTinyServer(keys: keys) { base, secrets, memory in
            func run(_ body: JSONValue, key: Int = 0) async throws -> (Int, String, Bool) {
                let answer = try await post(base, "/v1/memory_tool", body, key: secrets[key])
                return (
                    answer.status, answer.json["content"]?.string ?? "",
                    answer.json["is_error"] == true
                )
            }
            let made = try await run([
                "command": "create", "path": "/memories/a/b.txt", "file_text": "one\ntwo\nthree",
            ])
            #expect(made.0 == 200 && made.1.contains("created"))
            let again = try await run([
                "command": "create", "path": "/memories/a/b.txt", "file_text": "x",
            ])
            #expect(again.2 && again.1.contains("already exists"))
            let replaced = try await run([
                "command": "str_replace", "path": "/memories/a/b.txt", "old_str": "two",
                "new_str": "2",
            ])
            #expect(replaced.1.contains("     2\t2"))
            let inserted = try await run([
                "command": "insert", "path": "/memories/a/b.txt", "insert_line": 3,
                "insert_text": "four\n",
            ])
            #expect(!inserted.2)
            let shown = try await run(["command": "view", "path": "/memories/a/b.txt"])
            #expect(shown.1.hasSuffix("     1\tone\n     2\t2\n     3\tthree\n     4\tfour"))
            let part = try await run([
                "command": "view", "path": "/memories/a/b.txt", "view_range": [2, 3],
            ])
            #expect(part.1.hasSuffix("numbers:\n     2\t2\n     3\tthree"))
            #expect(try await run(["command": "view", "path": "/memories"]).1.contains("/memories/a/"))
            let moved = try await run([
                "command": "rename", "old_path": "/memories/a", "new_path": "/memories/c",
            ])
            #expect(!moved.2, "\(moved)")
            #expect(try await run(["command": "view", "path": "/memories/c/b.txt"]).2 == false)
            #expect(try await run(["command": "view", "path": "/memories/a/b.txt"]).2)
            // One who may only read views, and changes nothing.
            #expect(try await run(["command": "view", "path": "/memories/c"], key: 1).0 == 200)
            #expect(
                try await run(["command": "delete", "path": "/memories/c"], key: 1).0 == 403)
            let owner = Owner(user: "ana")
            let found = try await memory.recall(RecallRequest("three four", owner: owner))
            #expect(found.memories.first?.memory.text.contains("three") == true)
            #expect(try await run(["command": "delete", "path": "/memories/c"]).2 == false)
            #expect(try await run(["command": "view", "path": "/memories/c/b.txt"]).2)
            for path in ["/etc/passwd", "/memories/../x", "memories", "/memoriesx"] {
                #expect(try await run(["command": "view", "path": .string(path)]).0 == 400, "\(path)")
            }
        }
    }
}
