import Foundation
import Mneme
import MnemeEngine
import MnemeModels
import MnemeServer
import Testing

/// Tools in `/v1/chat/completions`, with a tiny model: shapes, streams, histories and refusals.
@Suite(.serialized) struct ToolTests {
    private static let unit: JSONValue = [
        "type": "function",
        "function": [
            "name": "set_unit", "description": "Sets the unit of temperatures.",
            "parameters": [
                "type": "object", "required": ["unit"], "additionalProperties": false,
                "properties": ["unit": ["type": "string", "enum": ["celsius", "kelvin"]]],
            ],
        ],
    ]
    private static let stop: JSONValue = ["type": "function", "function": ["name": "stop_all"]]

    private func ask(_ base: URL, _ more: [String: JSONValue]) async throws -> (
        status: Int, json: JSONValue, data: Data
    ) {
        let messages: JSONValue = [["role": "user", "content": "Use kelvin."]]
        let body: [String: JSONValue] = [
            "messages": messages, "temperature": 0, "max_tokens": 200, "tools": [Self.unit, Self.stop],
        ]
        let answer = try await send(
            "POST", base.appendingPathComponent("v1/chat/completions"),
            json(.object(body.merging(more) { $1 })))
        return (answer.status, answer.json, answer.data)
    }

    private func withChat(_ body: (_ base: URL) async throws -> Void) async throws {
        try await TinyModel.with { model, engine in
            try await withServer(language: (model, engine)) { base, _, _ in try await body(base) }
        }
    }

    @Test(
        arguments: [
            "required", ["type": "function", "function": ["name": "set_unit"]],
            [
                "type": "allowed_tools",
                "allowed_tools": [
                    "mode": "required",
                    "tools": [["type": "function", "function": ["name": "set_unit"]]],
                ],
            ],
        ] as [JSONValue])
    func `a required call names a tool, and its arguments fit the schema`(choice: JSONValue)
        async throws
    {
        try await withChat { base in
            let answer = try await ask(base, ["tool_choice": choice])
            #expect(answer.status == 200)
            let first = answer.json["choices"]?[0]
            let message = first?["message"]
            #expect(first?["finish_reason"] == "tool_calls" && message?["content"] == .null)
            let calls = try #require(message?["tool_calls"]?.array)
            #expect(calls.count == 1 && calls[0]["type"] == "function")
            #expect(calls[0]["id"]?.string?.isEmpty == false)
            let function = calls[0]["function"]
            let name = function?["name"]?.string
            let arguments = try JSONValue(
                parsing: Array(try #require(function?["arguments"]?.string).utf8))
            if choice != "required" { #expect(name == "set_unit") }
            if name == "set_unit" {
                #expect(["celsius", "kelvin"].contains(arguments["unit"]?.string))
            } else {
                #expect(name == "stop_all" && arguments.object != nil)
            }
        }
    }

    @Test(arguments: [70, 90, 200], [0.0, 1.5])
    func `a call is whole before its most tokens are reached`(most: Int, temperature: Double)
        async throws
    {
        let note: JSONValue = [
            "type": "function",
            "function": [
                "name": "note",
                "parameters": [
                    "type": "object", "required": ["text"], "additionalProperties": false,
                    "properties": ["text": ["type": "string"], "tag": ["type": "string"]],
                ],
            ],
        ]
        try await withChat { base in
            let answer = try await ask(
                base,
                [
                    "tools": [note, Self.unit], "tool_choice": "required", "seed": 5,
                    "max_tokens": .number(Double(most)), "temperature": .number(temperature),
                ])
            let choice = answer.json["choices"]?[0]
            #expect(choice?["finish_reason"] == "tool_calls")
            let function = choice?["message"]?["tool_calls"]?[0]?["function"]
            _ = try JSONValue(parsing: Array(try #require(function?["arguments"]?.string).utf8))
            #expect((answer.json["usage"]?["completion_tokens"]?.int ?? .max) <= most)
        }
    }

    @Test func `a stream brings the name once and the arguments in pieces`() async throws {
        try await withChat { base in
            let choice: JSONValue = ["type": "function", "function": ["name": "set_unit"]]
            let whole = try await ask(base, ["tool_choice": choice]).json
            let data = try await ask(base, ["tool_choice": choice, "stream": true]).data
            let chunks = try String(decoding: data, as: UTF8.self).components(separatedBy: "\n\n")
                .filter { $0.hasPrefix("data: {") }.map {
                    try JSONValue(parsing: Array($0.dropFirst(6).utf8))
                }
            let deltas = chunks.compactMap {
                $0["choices"]?[0]?["delta"]?["tool_calls"]?[0]
            }
            #expect(deltas.compactMap { $0["id"]?.string }.count == 1)
            #expect(deltas.allSatisfy { $0["index"] == 0 } && deltas.count > 3)
            #expect(deltas.compactMap { $0["function"]?["name"]?.string } == ["set_unit"])
            let arguments = deltas.compactMap { $0["function"]?["arguments"]?.string }.joined()
            #expect(
                .string(arguments)
                    == whole["choices"]?[0]?["message"]?["tool_calls"]?[0]?["function"]?["arguments"])
            #expect(chunks.last?["choices"]?[0]?["finish_reason"] == "tool_calls")
        }
    }

    @Test func `calls and results of a history stand in the prompt, and tool_choice none answers in text`()
        async throws
    {
        try await withChat { base in
            let call: JSONValue = [
                "id": "call_1", "type": "function",
                "function": ["name": "set_unit", "arguments": "{\"unit\": \"kelvin\"}"],
            ]
            let asked: [JSONValue] = [["role": "user", "content": "Use kelvin."]]
            let history: [JSONValue] =
                asked + [
                    ["role": "assistant", "content": .null, "tool_calls": [call]],
                    ["role": "tool", "tool_call_id": "call_1", "content": "The unit is set."],
                ]
            let plain = try await ask(
                base, ["messages": .array(asked), "tool_choice": "none", "max_tokens": 4])
            let longer = try await ask(
                base, ["messages": .array(history), "tool_choice": "none", "max_tokens": 4])
            #expect(plain.status == 200 && longer.status == 200)
            #expect(longer.json["choices"]?[0]?["message"]?["tool_calls"] == nil)
            #expect(longer.json["choices"]?[0]?["finish_reason"] == "length")
            let tokens = [plain, longer].map { $0.json["usage"]?["prompt_tokens"]?.int ?? 0 }
            #expect(tokens[1] > tokens[0] + 60)
        }
    }

    @Test func `tools that cannot be called are refused in OpenAI's form`() async throws {
        try await withChat { base in
            let many = (0...128).map { JSONValue.string("t\($0)") }.map {
                JSONValue.object(["type": "function", "function": .object(["name": $0])])
            }
            func tool(_ function: JSONValue) -> [String: JSONValue] {
                ["tools": [["type": "function", "function": function]]]
            }
            let bad: [[String: JSONValue]] = [
                ["tools": [Self.unit, Self.unit]], ["tools": .array(many)], ["tools": [[:]]],
                ["tools": "x"], tool(["name": "a b"]), tool(["name": ""]), tool([:]),
                tool(["name": "a", "parameters": ["type": "string"]]),
                tool(["name": "a", "parameters": ["type": "objekt"]]),
                tool(["name": "a", "parameters": [1]]), ["tool_choice": "perhaps"],
                ["tool_choice": ["type": "function", "function": ["name": "other"]]],
                ["tools": [], "tool_choice": "required"], ["parallel_tool_calls": "yes"],
                ["messages": [["role": "tool", "content": "x"]]],
                ["messages": [["role": "user", "content": "x", "tool_calls": [[:]]]]],
                ["messages": [["role": "assistant", "tool_calls": [["id": "1"]]]]],
            ]
            for body in bad {
                let answer = try await ask(base, body)
                #expect(answer.status == 400, "\(body)")
                #expect(answer.json["error"]?["message"]?.string?.isEmpty == false)
            }
        }
    }
}
