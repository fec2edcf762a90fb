import Foundation
import Mneme
import MnemeServer
import MnemeStore
import Testing

/// A server with the tiny language model and the toy embedder, called `small`.
func withTinyServer(
    keys: [(String, Set<Permission>, String?)] = [],
    _ body: (_ base: URL, _ secrets: [String], _ memory: MemoryOS) async throws -> Void
) async throws {
    try await TinyModel.with { model, engine in
        try await withServer(
            keys: keys, embedder: ToyEmbedder(), language: (model, engine),
            change: { $0.modelAlias = "small" }, body)
    }
}

/// Sends JSON to a path of a server.
func post(
    _ base: URL, _ path: String, _ body: JSONValue, key: String? = nil, method: String = "POST",
    headers: [String: String] = [:]
) async throws -> (status: Int, json: JSONValue, data: Data) {
    let url = try #require(URL(string: "\(base)\(path)"))
    let answer = try await send(method, url, try json(body), key: key, headers: headers)
    return (answer.status, answer.json, answer.data)
}

/// Asks for a path of a server.
func get(
    _ base: URL, _ path: String, key: String? = nil, method: String = "GET"
) async throws -> (status: Int, json: JSONValue) {
    let url = try #require(URL(string: "\(base)\(path)"))
    let answer = try await send(method, url, nil, key: key)
    return (answer.status, answer.json)
}

/// Server-sent events with names: each name is its data's `type`.
func namedEvents(_ data: Data) throws -> [JSONValue] {
    let frames = String(decoding: data, as: UTF8.self).components(separatedBy: "\n\n")
    #expect(frames.last == "", "the last event ends like the others")
    return try frames.dropLast().map { frame in
        let lines = frame.components(separatedBy: "\n")
        try #require(lines.count == 2 && lines[1].hasPrefix("data: "), "\(frame)")
        let event = try JSONValue(parsing: Array(lines[1].dropFirst(6).utf8))
        #expect(lines[0] == "event: \(event["type"]?.string ?? "")")
        return event
    }
}

/// Values of a stream that has one a line.
func lines(_ data: Data) throws -> [JSONValue] {
    try String(decoding: data, as: UTF8.self).split(separator: "\n").map {
        try JSONValue(parsing: Array($0.utf8))
    }
}
