import Foundation
import Mneme
import MnemeServer
import MnemeStore
import Testing

/// OpenAI's Responses over HTTP, with the tiny model.
@Suite(.serialized) struct ResponsesTests {
    private static let path = "/v1/responses"

    private func question(_ text: String, _ more: [String: JSONValue] = [:]) -> JSONValue {
        let body: [String: JSONValue] = [
            "model": "small", "input": .string(text), "temperature": 0, "max_output_tokens": 12,
        ]
        return .object(body.merging(more) { $1 })
    }

    private func text(_ response: JSONValue) -> String? {
        response["output"]?[0]?["content"]?[0]?["text"]?.string
    }

    @Test func `a response is whole and streamed the same, and tells how it came to be`()
        async throws
    {
        try await withTinyServer { base, _, _ in
            let (status, answer, _) = try await post(base, Self.path, question("Count."))
            #expect(status == 200 && answer["object"] == "response")
            #expect(answer["status"] == "incomplete", "twelve tokens are not enough")
            #expect(answer["incomplete_details"]?["reason"] == "max_output_tokens")
            #expect(text(answer)?.isEmpty == false && answer["usage"]?["output_tokens"] == 12)
            let streamed = try await post(base, Self.path, question("Count.", ["stream": true]))
            let events = try namedEvents(streamed.data)
            #expect(events.compactMap { $0["sequence_number"]?.int } == Array(0..<events.count))
            let types = events.compactMap { $0["type"]?.string }
            #expect(
                types.prefix(4) == [
                    "response.created", "response.in_progress", "response.output_item.added",
                    "response.content_part.added",
                ])
            #expect(
                types.suffix(4) == [
                    "response.output_text.done", "response.content_part.done",
                    "response.output_item.done", "response.incomplete",
                ])
            #expect(events.compactMap { $0["delta"]?.string }.joined() == text(answer))
            #expect(text(try #require(events.last?["response"])) == text(answer))
        }
    }

    @Test func `what is kept is found by its owner alone, followed, and erased`() async throws {
        let keys: [(String, Set<Permission>, String?)] = [
            ("ana", [.read, .write, .erase], "ana"), ("bob", [.read], "bob"),
        ]
        try await withTinyServer(keys: keys) { base, secrets, memory in
            let first = try await post(base, Self.path, question("Count."), key: secrets[0]).json
            let id = try #require(first["id"]?.string)
            #expect(first["store"] == true)
            let kept = try await get(base, "\(Self.path)/\(id)", key: secrets[0])
            #expect(kept.status == 200 && kept.json["output"] == first["output"])
            #expect(try await get(base, "\(Self.path)/\(id)", key: secrets[1]).status == 404)
            let input = try await get(base, "\(Self.path)/\(id)/input_items", key: secrets[0]).json
            #expect(input["data"]?[0]?["content"] == "Count.")
            let next = try await post(
                base, Self.path,
                question("And on.", ["previous_response_id": .string(id), "store": false]),
                key: secrets[0]
            ).json
            let more = next["usage"]?["input_tokens"]?.int ?? 0
            #expect(more > (first["usage"]?["input_tokens"]?.int ?? 0) + 12)
            #expect(next["store"] == false)
            let unkept = next["id"]?.string ?? ""
            #expect(try await get(base, "\(Self.path)/\(unkept)", key: secrets[0]).status == 404)
            // It is no memory, and erased for good.
            let recalled = try await memory.recall(
                RecallRequest("Count", owner: Owner(user: "ana")))
            #expect(recalled.memories.isEmpty)
            let erased = try await get(
                base, "\(Self.path)/\(id)", key: secrets[0], method: "DELETE")
            #expect(erased.json["deleted"] == true)
            #expect(try await get(base, "\(Self.path)/\(id)", key: secrets[0]).status == 404)
            // Who may not write keeps nothing, and is told where it is asked for.
            let unwritten = try await post(base, Self.path, question("x"), key: secrets[1])
            #expect(unwritten.status == 200 && unwritten.json["store"] == false)
            let refused = try await post(
                base, Self.path, question("x", ["store": true]), key: secrets[1])
            #expect(refused.status == 403)
        }
    }

    @Test func `a conversation holds what was said in it`() async throws {
        try await withTinyServer { base, _, _ in
            let items: JSONValue = [["role": "user", "content": "My boat is called Marigold."]]
            let made = try await post(base, "/v1/conversations", ["items": items]).json
            let id = try #require(made["id"]?.string)
            let answer = try await post(
                base, Self.path, question("What is its name?", ["conversation": .string(id)]))
            #expect(answer.status == 200 && answer.json["conversation"]?["id"]?.string == id)
            let added = try await post(
                base, "/v1/conversations/\(id)/items",
                ["items": [["role": "user", "content": "Well?"]]])
            #expect(added.status == 200)
            let said = try await get(base, "/v1/conversations/\(id)/items").json["data"]?.array
            let roles = said?.compactMap { $0["role"]?.string }
            #expect(roles == ["user", "user", "assistant", "user"])
            #expect(said?.allSatisfy { $0["id"]?.string != nil } == true)
            let gone = try await get(base, "/v1/conversations/\(id)", method: "DELETE")
            #expect(gone.json["deleted"] == true)
            #expect(try await get(base, "/v1/conversations/\(id)").status == 404)
            #expect(try await get(base, "/v1/conversations/\(id)/items").status == 404)
        }
    }

    @Test func `an expired document is not found, and the expiry job erases it`() async throws {
        try await withTinyServer { _, _, memory in
            let owner = Owner(user: "ana")
            let id = CubeID()
            let now = Date()
            func documents(at time: Date) -> Documents {
                Documents(memory, of: owner, by: Caller(.local, time: time))
            }
            try await documents(at: now - 120).add("{}", id: id, tags: [], expires: now - 60)
            #expect(try await documents(at: now - 61).find(id)?.text == "{}")
            #expect(try await documents(at: now).find(id) == nil)
            _ = try memory.store.enqueue(Job(JobKind.expire.rawValue, owner: owner), by: .local)
            _ = try await JobRunner(memory).drain()
            let cube = try memory.store.cube(id, owner: owner, asOf: nil, by: .local)
            #expect(cube == nil || cube?.state == .erased)
        }
    }

    @Test func `tools that OpenAI runs are left out and named, and some may be allowed alone`()
        async throws
    {
        try await withTinyServer { base, _, _ in
            let tools: JSONValue = [
                ["type": "web_search", "external_web_access": false], ["type": "local_shell"],
                ["type": "function", "name": "look", "parameters": ["type": "object", "properties": [:]]],
                ["type": "function", "name": "leave"],
            ]
            let url = try #require(URL(string: "\(base)\(Self.path)"))
            let answer = try await send("POST", url, json(question("x", ["tools": tools])))
            #expect(answer.status == 200)
            let header = answer.headers["X-Mneme-Tools-Ignored"] as? String
            #expect(header == "web_search, local_shell")
            var allowed: [String: JSONValue] = [
                "type": "allowed_tools", "mode": "required",
                "tools": [["type": "function", "name": "look"]],
            ]
            let more: [String: JSONValue] = ["tools": tools, "max_output_tokens": 60]
            let chosen = try await send(
                "POST", url,
                json(question("x", more.merging(["tool_choice": .object(allowed)]) { $1 })))
            let call = chosen.json["output"]?.array?.first { $0["type"] == "function_call" }
            #expect(call?["name"] == "look", "\(chosen.json)")
            allowed["tools"] = [["type": "function", "name": "fly"]]
            let unknown = try await send(
                "POST", url,
                json(question("x", more.merging(["tool_choice": .object(allowed)]) { $1 })))
            #expect(unknown.status == 400)
        }
    }

    @Test func `what cannot be read is refused`() async throws {
        try await withTinyServer { base, _, _ in
            let wrong: [(JSONValue, Int)] = [
                (question("x", ["model": "another"]), 404),
                (question("x", ["input": .null]), 400),
                (question("x", ["input": [["type": "computer_call"]]]), 400),
                (question("x", ["input": []]), 400),
                (question("x", ["background": true]), 400),
                (question("x", ["tools": [["name": "f"]]]), 400),
                (question("x", ["tools": [["type": "web_search"]], "tool_choice": "required"]), 400),
                (question("x", ["tool_choice": "required"]), 400),
                (question("x", ["text": ["format": ["type": "xml"]]]), 400),
                (question("x", ["previous_response_id": "resp_1"]), 404),
                (question("x", ["conversation": "conv_1"]), 404),
                (question("x", ["conversation": "a", "previous_response_id": "b"]), 400),
            ]
            for (body, status) in wrong {
                let answer = try await post(base, Self.path, body)
                #expect(answer.status == status, "\(answer.json)")
                #expect(answer.json["error"]?["message"]?.string?.isEmpty == false)
            }
        }
    }
}
