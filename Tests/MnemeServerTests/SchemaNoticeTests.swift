import Foundation
import Mneme
import MnemeServer
import Testing

/// Notices to a client about its schema in `response_format`.
@Suite struct SchemaNoticeTests {
    private func format(_ schema: JSONValue, strict: Bool) -> JSONValue {
        [
            "type": "json_schema",
            "json_schema": ["name": "s", "schema": schema, "strict": .bool(strict)],
        ]
    }

    private func question(_ format: JSONValue, stream: Bool = false) throws -> Data {
        let messages: JSONValue = [["role": "user", "content": "x"]]
        return try json([
            "messages": messages, "max_tokens": 40, "temperature": 1, "seed": 1,
            "response_format": format, "stream": .bool(stream),
        ])
    }

    private static let header = "X-Mneme-Schema-Ignored"

    @Test
    func `what is not kept is told in a header, refused if strict, and described`() async throws {
        try await TinyModel.with { model, engine in
            try await withServer(language: (model, engine)) { base, _, _ in
                let url = base.appendingPathComponent("v1/chat/completions")
                let odd: JSONValue = [
                    "type": "string", "not": ["const": "a"], "if": [:],
                    "x\r\nSet-Cookie: a": true, "maxLength": 3,
                ]
                for stream in [false, true] {
                    let answer = try await send(
                        "POST", url, try question(format(odd, strict: false), stream: stream))
                    #expect(answer.status == 200)
                    let told = try #require(answer.headers[Self.header] as? String)
                    let names = Set(told.components(separatedBy: ", "))
                    #expect(names == ["not", "if", "xSet-Cookiea"])
                    #expect(answer.headers["Set-Cookie"] == nil)
                }
                let refused = try await send("POST", url, try question(format(odd, strict: true)))
                #expect(refused.status == 400)
                let kept = try await send(
                    "POST", url,
                    try question(format(["type": "string", "pattern": "^[a-c]{2}$"], strict: true)))
                #expect(kept.status == 200 && kept.headers[Self.header] == nil)
                let text = kept.json["choices"]?[0]?["message"]?["content"]?.string ?? ""
                // Letters may be written as escapes.
                let value = try JSONDecoder().decode(String.self, from: Data(text.utf8))
                #expect(value.wholeMatch(of: /[a-c]{2}/) != nil, "\(text)")
                let document = try await send("GET", base.appendingPathComponent("openapi.json"))
                let responses = document.json["paths"]?["/v1/chat/completions"]?["post"]?["responses"]
                #expect(responses?["200"]?["headers"]?[Self.header] != nil)
            }
        }
    }

    @Test func `every form tells what of a tool's schema is left to the model`() async throws {
        let odd: JSONValue = [
            "type": "object", "properties": ["city": ["type": "string", "not": ["const": "a"]]],
            "dependentRequired": ["city": []],
        ]
        func function(strict: Bool) -> JSONValue {
            ["name": "weather", "parameters": odd, "strict": .bool(strict)]
        }
        func body(_ tool: JSONValue) -> JSONValue {
            [
                "model": "tiny", "messages": [["role": "user", "content": "x"]], "input": "x",
                "max_tokens": 30, "max_output_tokens": 30, "options": ["num_predict": 30],
                "tools": [tool],
            ]
        }
        func wrapped(_ function: JSONValue) -> JSONValue {
            ["type": "function", "function": function]
        }
        func flat(strict: Bool) -> JSONValue {
            var members = function(strict: strict).object ?? [:]
            members["type"] = "function"
            return .object(members)
        }
        let anthropic: JSONValue = ["name": "weather", "input_schema": odd]
        let requests: [(path: String, tool: JSONValue, strict: JSONValue?)] = [
            (
                "v1/chat/completions", wrapped(function(strict: false)),
                wrapped(function(strict: true))
            ),
            ("v1/responses", flat(strict: false), flat(strict: true)),
            ("v1/messages", anthropic, nil),
            ("api/chat", wrapped(function(strict: false)), wrapped(function(strict: true))),
        ]
        try await TinyModel.with { model, engine in
            try await withServer(language: (model, engine)) { base, _, _ in
                for (path, tool, strict) in requests {
                    let url = base.appendingPathComponent(path)
                    let answer = try await send("POST", url, json(body(tool)))
                    #expect(answer.status == 200, "\(path) \(answer.json)")
                    let told = answer.headers[Self.header] as? String ?? ""
                    #expect(
                        Set(told.components(separatedBy: ", ")) == ["not", "dependentRequired"],
                        "\(path)")
                    guard let strict else { continue }
                    let refused = try await send("POST", url, json(body(strict)))
                    #expect(refused.status == 400, "\(path)")
                }
            }
        }
    }

    @Test func `every form tells what of a schema is left to the model`() async throws {
        let odd: JSONValue = ["type": "string", "not": ["const": "a"], "maxLength": 3]
        let messages: JSONValue = [["role": "user", "content": "x"]]
        func responses(strict: Bool) -> JSONValue {
            [
                "input": "x", "max_output_tokens": 40,
                "text": [
                    "format": [
                        "type": "json_schema", "name": "s", "schema": odd, "strict": .bool(strict),
                    ]
                ],
            ]
        }
        let requests: [(path: String, body: JSONValue)] = [
            ("v1/responses", responses(strict: false)),
            (
                "v1/messages",
                [
                    "model": "tiny", "max_tokens": 40, "messages": messages,
                    "output_config": ["format": ["type": "json_schema", "schema": odd]],
                ]
            ),
            (
                "api/chat",
                [
                    "model": "tiny", "messages": messages, "format": odd,
                    "options": ["num_predict": 40],
                ]
            ),
        ]
        try await TinyModel.with { model, engine in
            try await withServer(language: (model, engine)) { base, _, _ in
                for (path, body) in requests {
                    for stream in [false, true] {
                        guard case .object(var members) = body else { continue }
                        members["stream"] = .bool(stream)
                        let answer = try await send(
                            "POST", base.appendingPathComponent(path), json(.object(members)))
                        #expect(answer.status == 200, "\(path)")
                        #expect(answer.headers[Self.header] as? String == "not", "\(path) \(stream)")
                    }
                }
                let refused = try await send(
                    "POST", base.appendingPathComponent("v1/responses"), json(responses(strict: true)))
                #expect(refused.status == 400)
            }
        }
    }
}
