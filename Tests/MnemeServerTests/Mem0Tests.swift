import Foundation
import Mneme
import MnemeServer
import MnemeStore
import Testing

/// mem0's routes over HTTP.
@Suite(.serialized) struct Mem0Tests {
    private func add(
        _ base: URL, _ text: String, _ more: [String: JSONValue], path: String = "/v3/memories/add/",
        key: String? = nil
    ) async throws -> JSONValue {
        let messages: JSONValue = [["role": "user", "content": .string(text)]]
        let body = more.merging(["messages": messages]) { $1 }
        return try await post(base, path, .object(body), key: key).json
    }

    @Test func `what is added is found, listed, changed and erased`() async throws {
        try await withServer(embedder: ToyEmbedder()) { base, _, _ in
            let made = try await add(
                base, "Tom moved to Porto.",
                [
                    "user_id": "tom", "run_id": "s1", "app_id": "travel",
                    "metadata": ["topic": "home", "weight": 3],
                ])
            let id = try #require(made["results"]?[0]?["id"]?.string)
            #expect(made["results"]?[0]?["event"] == "ADD")
            _ = try await add(base, "Ana likes tea.", ["user_id": "ana"])
            let search: JSONValue = [
                "query": "Where is Tom?", "filters": ["AND": [["user_id": "tom"]]],
            ]
            let found = try await post(base, "/v3/memories/search/", search).json["results"]
            #expect(found?.array?.count == 1 && found?[0]?["id"]?.string == id)
            #expect(found?[0]?["metadata"] == ["topic": "home", "weight": 3])
            #expect(found?[0]?["app_id"] == "travel" && found?[0]?["run_id"] == "s1")
            let none: JSONValue = ["filters": ["user_id": "tom", "metadata": ["topic": "work"]]]
            #expect(try await post(base, "/v3/memories/", none).json["count"] == 0)
            // By its id alone, whoever's it is.
            #expect(try await get(base, "/v1/memories/\(id)/").json["memory"] == "Tom moved to Porto.")
            let changed = try await post(
                base, "/v1/memories/\(id)/", ["text": "Tom moved to Faro."], method: "PUT")
            #expect(changed.json["memory"] == "Tom moved to Faro.")
            #expect(changed.json["metadata"]?["weight"] == 3)
            let history = try await get(base, "/v1/memories/\(id)/history/").json
            #expect(history[1]?["old_memory"] == "Tom moved to Porto.")
            let users = try await get(base, "/v1/entities/").json["results"]?.array
            #expect(users?.compactMap { $0["name"]?.string } == ["tom", "ana"])
            #expect(try await get(base, "/v1/memories/", method: "DELETE").status == 400)
            #expect(
                try await get(base, "/v1/memories/?filters=%7B%27user_id%27", method: "DELETE")
                    .status == 400)
            let gone = try await get(base, "/v1/memories/?user_id=tom", method: "DELETE")
            #expect(gone.status == 200)
            #expect(try await get(base, "/v1/memories/\(id)/").status == 404)
            let left = try await post(base, "/v3/memories/", ["filters": ["user_id": "ana"]])
            #expect(left.json["count"] == 1)
            let entity = try await get(base, "/v2/entities/user/ana/", method: "DELETE")
            #expect(entity.status == 200)
        }
    }

    @Test func `a slash at the end tells mem0's paths from Mneme's own`() async throws {
        try await withServer(embedder: ToyEmbedder()) { base, _, _ in
            let made = try await post(base, "/v1/memories", ["text": "The key is in the shed."])
            let id = try #require(made.json["memories"]?[0]?["id"]?.string)
            #expect(
                try await get(base, "/v1/memories/\(id)").json["memory"]?["text"]?.string != nil)
            #expect(try await get(base, "/v1/memories/\(id)/").json["memory"]?.string != nil)
            #expect(try await get(base, "/v1/memories").json["memories"] != nil)
            #expect(try await get(base, "/v1/memories/").json.array?.count == 1)
            #expect(try await get(base, "/memories").json["results"]?.array?.count == 1)
            // Neither has the other's methods.
            #expect(try await get(base, "/v1/memories?user_id=x", method: "DELETE").status == 405)
            #expect(try await post(base, "/v1/memories/\(id)", [:], method: "PUT").status == 405)
            let found = try await post(base, "/search", ["query": "Where is the key?"])
            #expect(found.json["results"]?[0]?["id"]?.string == id)
        }
    }

    @Test func `a key is shown as a token, and reaches its own user's memories alone`()
        async throws
    {
        let keys: [(String, Set<Permission>, String?)] = [
            ("tom", [.read, .write], "tom"), ("ana", [.read], "ana"),
        ]
        try await withServer(keys: keys, embedder: ToyEmbedder()) { base, secrets, _ in
            let ping = try #require(URL(string: "\(base)/v1/ping/"))
            let known = try await send(
                "GET", ping, nil, headers: ["Authorization": "Token " + secrets[0]])
            #expect(known.status == 200 && known.json["user_email"] == "key:tom")
            #expect(known.json["org_id"] == "default" && known.json["project_id"] == "default")
            let unknown = try await send("GET", ping, nil, headers: ["Authorization": "Token x"])
            #expect(unknown.status == 401 && unknown.json["detail"]?.string != nil)
            let made = try await add(base, "Tom sails.", [:], key: secrets[0])
            let id = made["results"]?[0]?["id"]?.string ?? ""
            #expect(try await get(base, "/v1/memories/\(id)/", key: secrets[0]).status == 200)
            #expect(try await get(base, "/v1/memories/\(id)/", key: secrets[1]).status == 404)
            let refused = try await get(
                base, "/v1/memories/\(id)/", key: secrets[0], method: "DELETE")
            #expect(refused.status == 403 && refused.json["detail"]?.string != nil)
            let foreign = try await post(
                base, "/v3/memories/search/", ["query": "x", "filters": ["user_id": "tom"]],
                key: secrets[1])
            #expect(foreign.status == 403)
            let users = try await get(base, "/v1/entities/", key: secrets[1]).json["results"]
            #expect(users?.array?.isEmpty == true)
        }
    }
}
