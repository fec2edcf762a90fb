import Foundation
import Mneme
import MnemeServer
import MnemeStore
import Testing

@Suite struct MCPResourceTests {
    @Test func `memories are resources, page by page, and can be read`() async throws {
        let fixture = try MCPFixture()
        for i in 1...60 { _ = try await fixture.remember("Note number \(i) of sixty") }
        var cursor: JSONValue = .null
        var uris: [String] = []
        var titles: [String] = []
        repeat {
            let page = try await fixture.ask("resources/list", ["cursor": cursor])["result"]
            let resources = page?["resources"]?.array ?? []
            #expect((1...50).contains(resources.count))
            uris += resources.compactMap { $0["uri"]?.string }
            titles += resources.compactMap { $0["title"]?.string }
            cursor = page?["nextCursor"] ?? .null
        } while cursor != .null
        #expect(Set(uris).count == 60 && titles.first == "Note number 60 of sixty")
        let read = try await fixture.ask("resources/read", ["uri": .string(uris[59])])["result"]
        #expect(read?["contents"]?[0]?["text"] == "Note number 1 of sixty")
        #expect(read?["contents"]?[0]?["uri"] == .string(uris[59]))
        let template = try await fixture.ask("resources/templates/list")["result"]
        #expect(
            template?["resourceTemplates"]?[0]?["uriTemplate"] == "mneme://memories/{user}/{id}")
        #expect(uris.allSatisfy { $0.hasPrefix("mneme://memories/default/") })
    }

    @Test func `a user's resources are the user's own`() async throws {
        let fixture = try MCPFixture()
        let id = try await fixture.remember("Ana's secret", ["user": "ana b"])
        #expect(
            try await fixture.ask("resources/list")["result"]?["resources"]?.array?.isEmpty == true)
        let read = try await fixture.ask(
            "resources/read", ["uri": .string("mneme://memories/ana%20b/\(id.suffix(8))")])
        #expect(read["result"]?["contents"]?[0]?["text"] == "Ana's secret")
        let bob = MCPSession(
            memory: fixture.memory,
            principal: Principal(name: "bob", permissions: [.read], user: "bob"), version: "test")
        let request = try MCPFixture.request(
            "resources/read", ["uri": .string("mneme://memories/ana%20b/\(id)")])
        let refused = try JSONValue(
            parsing: Array(try #require(await bob.answer(Array(request.utf8))).utf8))
        #expect(refused["error"]?["code"] == -32602 && refused["result"] == nil)
    }

    @Test(arguments: [
        (#"{"uri":"mneme://memories/default/01890000-0000-7000-8000-000000000000"}"#, -32002),
        (#"{"uri":"mneme://memories/default"}"#, -32602), (#"{"uri":"file:///etc/passwd"}"#, -32602),
        (#"{"uri":"mneme://memories/default/x/y"}"#, -32602), (#"{"uri":7}"#, -32602), ("{}", -32602),
    ])
    func `what is no resource is an error with its code`(parameters: String, code: Int) async throws {
        let fixture = try MCPFixture()
        let answer = try await fixture.ask(
            "resources/read", JSONValue(parsing: Array(parameters.utf8)))
        #expect(answer["error"]?["code"] == .number(Double(code)), "\(answer)")
    }

    @Test func `cursors that no page ended with are refused`() async throws {
        let fixture = try MCPFixture()
        for method in ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] {
            let answer = try await fixture.ask(method, ["cursor": "x"])
            #expect(answer["error"]?["code"] == -32602, "\(method)")
        }
    }

    @Test func `prompts carry the memories that they are about`() async throws {
        let fixture = try MCPFixture()
        _ = try await fixture.remember("The heron stands by the pond")
        let list = try await fixture.ask("prompts/list")["result"]?["prompts"]?.array ?? []
        #expect(list.compactMap { $0["name"]?.string } == ["answer", "brief", "save"])
        for prompt in list {
            let argument = try #require(prompt["arguments"]?[0]?["name"]?.string)
            let made = try await fixture.ask(
                "prompts/get",
                ["name": prompt["name"] ?? "", "arguments": .object([argument: "heron"])])
            let text = made["result"]?["messages"]?[0]?["content"]?["text"]?.string ?? ""
            #expect(text.contains("heron") && !text.contains("{}"))
            #expect(text.contains("by the pond") == (prompt["name"] != "save"))
        }
        for wrong: JSONValue in [["name": "x"], [:], ["name": "answer"], ["name": "answer", "arguments": [:]]] {
            #expect(try await fixture.ask("prompts/get", wrong)["error"]?["code"] == -32602)
        }
        let writer = try await MCPFixture(permissions: [.write]).ask("prompts/list")
        #expect(writer["result"]?["prompts"]?.array?.compactMap { $0["name"]?.string } == ["save"])
    }
}
