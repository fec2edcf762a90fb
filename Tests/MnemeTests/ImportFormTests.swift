import Foundation
import Mneme
import MnemeStore
import Testing

/// Exports of other programs as they are.
@Suite struct ImportFormTests {
    private func run(
        _ memory: MemoryOS, _ path: String, _ extra: [String: JSONValue] = [:],
        as principal: Principal = .local
    ) async throws -> ImportReport {
        let context = OperationContext(memory: memory, principal: principal)
        let output = try await ImportOperation.call(
            extra.merging(["path": .string(path)]) { $1 }, context, surface: .commandLine)
        guard case .value(let value) = output, let report = value as? ImportReport else {
            throw InputError("no report")
        }
        return report
    }

    private func post(_ memory: MemoryOS, _ data: String, _ extra: [String: JSONValue] = [:])
        async throws
        -> ImportReport
    {
        let context = OperationContext(memory: memory, principal: .local)
        let output = try await ImportOperation.call(
            extra.merging(["data": .string(data)]) { $1 }, context, surface: .http)
        guard case .value(let value) = output, let report = value as? ImportReport else {
            throw InputError("no report")
        }
        return report
    }

    private func all(_ memory: MemoryOS, _ user: String = "default") throws -> [MemCube] {
        try memory.store.list(CubeFilter(owner: Owner(user: user), limit: 1000), by: .local)
    }

    private static let chat = """
        {"title":"Garden \\ud83d","id":"c1","create_time":1690000000.0,"current_node":"n6","mapping":{
        "r":{"parent":null,"children":["n0"],"message":null},
        "n0":{"parent":"r","children":["n1","x"],"message":{"id":"m0","author":{"role":"user"},"create_time":null,
          "content":{"content_type":"multimodal_text","parts":[{"content_type":"image_asset_pointer"},"My tomato bed"]}}},
        "x":{"parent":"n0","children":[],"message":{"id":"mx","author":{"role":"assistant"},"content":{"parts":["Cacti"]}}},
        "n1":{"parent":"n0","children":["n2"],"message":{"id":"m1","author":{"role":"user"},
          "content":{"content_type":"user_editable_context","user_profile":"Rex"},"metadata":{"is_visually_hidden_from_conversation":true}}},
        "n2":{"parent":"n1","children":["n3"],"message":{"id":"m2","author":{"role":"assistant"},
          "content":{"content_type":"thoughts","thoughts":[{"content":"private"}]}}},
        "n3":{"parent":"n2","children":["n4"],"message":{"id":"m3","author":{"role":"assistant"},"recipient":"python",
          "content":{"content_type":"code","text":"print(1)"}}},
        "n4":{"parent":"n3","children":["n5"],"message":{"id":"m4","author":{"role":"tool"},
          "content":{"content_type":"execution_output","text":"1"}}},
        "n5":{"parent":"n4","children":["n6"],"message":{"id":"m5","author":{"role":"assistant"},"create_time":1e999,
          "content":{"content_type":"text","parts":["Water it \\udc00 daily"]}}},
        "n6":{"parent":"n5","children":[],"message":{"id":"m6","author":{"role":"user"},"create_time":1690000020.5,
          "content":{"content_type":"text","parts":["Thanks"]}}}}}
        """

    @Test func `of a ChatGPT export what was said is taken, with a time of then`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        for (i, mark) in ["", "\u{FEFF}"].enumerated() {
            let file = try folder.write(
                "conversations\(i).json", mark + "[{\"mapping\":3},\(Self.chat),\"x\"]")
            let report = try await run(memory, file, ["user": .string("u\(i)")])
            #expect(report.stored == 3 && report.skipped == 2 && report.undated == 0)
            #expect(report.leftOut.values.sorted() == [1, 4])
            let found = try all(memory, "u\(i)")
            #expect(found.map(\.text) == ["My tomato bed", "Water it \u{FFFD} daily", "Thanks"])
            #expect(found.map(\.speaker) == ["user", "assistant", "user"])
            #expect(
                found.map { $0.eventTime.timeIntervalSince1970 } == [
                    1_690_000_000, 1_690_000_000, 1_690_000_020.5,
                ])
        }
    }

    @Test func `of a Claude export the shown branch is taken, without tools and thoughts`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let report = try await post(
            memory,
            """
            [{"uuid":"c","name":"Boat","created_at":"2025-03-01T10:00:00.5Z","current_leaf_message_uuid":"3","chat_messages":[
             {"uuid":"1","parent_message_uuid":"0","sender":"human","text":"My boat is green","created_at":null},
             {"uuid":"2","parent_message_uuid":"1","sender":"assistant","text":"abandoned","created_at":"2025-03-01T10:00:02Z"},
             {"uuid":"3","parent_message_uuid":"1","sender":"assistant","text":"block not supported","created_at":"2025-03-01T10:00:03+01:00",
              "content":[{"type":"thinking","thinking":"hm"},{"type":"tool_use","name":"x"},{"type":"text","text":"Nice boat"}]}]},
             {"uuid":"d","chat_messages":[{"sender":"human","text":"","attachments":[{"extracted_content":"A list of knots"}]}]},
             {"uuid":"e"}]
            """)
        #expect(report.stored == 3 && report.skipped == 1 && report.undated == 0)
        let found = try all(memory)
        #expect(found.map(\.text) == ["My boat is green", "Nice boat", "A list of knots"])
        #expect(found.map(\.speaker) == ["user", "assistant", "user"])
        #expect(
            found[0].eventTime == DateText.parse("2025-03-01T10:00:00.5Z")
                && found[1].eventTime == DateText.parse("2025-03-01T09:00:03Z"))
        #expect(found[2].eventTime == found[1].eventTime)
    }

    @Test func `ShareGPT and lists of messages are read, whole or by lines`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let one =
            #"{"id":"s1","conversations":[{"from":"system","value":"Be nice"},{"from":"human","value":"I keep bees"},{"from":"gpt","value":"How many hives?"},{"from":"x"}]}"#
        let two =
            #"{"messages":[{"role":"user","content":"I row on Sundays"},{"role":"tool","content":"{}"},{"role":"assistant","content":[{"type":"text","text":"Good"}]}]}"#
        var report = try await run(memory, folder.write("a.json", "[\(one)]"), ["user": "a"])
        #expect(
            report.stored == 2 && report.skipped == 1 && report.leftOut.values.reduce(0, +) == 1
                && report.undated == 2)
        report = try await run(
            memory, folder.write("b.jsonl", one + "\n" + two + "\n"), ["user": "b"])
        #expect(report.stored == 4)
        report = try await run(memory, folder.write("c.json", two), ["user": "c"])
        #expect(report.stored == 2)
        report = try await run(
            memory,
            folder.write("d.json", #"[{"role":"user","content":"hello there"},{"content":3}]"#),
            ["user": "d"])
        #expect(report.stored == 1 && report.skipped == 1)
        #expect(try all(memory, "b").map(\.speaker) == ["user", "assistant", "user", "assistant"])
    }

    @Test func `Letta's agent files give blocks and what was said`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let messages = #"""
            [{"role":"system","content":[{"type":"text","text":"You are"}]},
             {"role":"user","content":[{"type":"text","text":"{\"type\":\"user_message\",\"message\":\"I sail\",\"time\":\"x\"}"}],"created_at":"2025-01-02T03:04:05+00:00"},
             {"role":"user","content":[{"type":"text","text":"{\"type\":\"heartbeat\"}"}]},
             {"role":"assistant","content":[{"type":"text","text":"inner thought"}],"tool_calls":[{"function":{"name":"send_message","arguments":"{\"message\":\"Where to?\"}"}}]},
             {"role":"tool","content":[{"type":"text","text":"ok"}]}]
            """#
        let files = [
            #"{"agents":[{"id":"agent-0","name":"Captain","messages":\#(messages),"block_ids":["b"]}],"blocks":[{"id":"b","label":"human","value":"Name: Ada"},{"id":"e","label":"persona","value":" "}]}"#,
            #"{"agent_type":"memgpt_agent","name":"Captain","core_memory":[{"label":"human","value":"Name: Ada"}],"messages":\#(messages)}"#,
        ]
        for (i, text) in files.enumerated() {
            let report = try await run(
                memory, folder.write("agent\(i).af", text), ["user": .string("u\(i)")])
            #expect(report.stored == 3 && report.skipped == 0, "\(report)")
            let found = try all(memory, "u\(i)")
            #expect(found.map(\.text) == ["Name: Ada", "I sail", "Where to?"])
            #expect(found[0].type == .core && found.allSatisfy { $0.scope.agent == "Captain" })
            #expect(found.allSatisfy { $0.eventTime == DateText.parse("2025-01-02T03:04:05Z") })
        }
    }

    @Test func `the graph of MCP's memory server becomes memories and links`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let entities = [
            #"{"type":"entity","name":"Ada","entityType":"person","observations":["Speaks Danish","Ada rows"]}"#,
            #"{"type":"entity","name":"Harbour Club","entityType":"club","observations":[]}"#,
            #"{"type":"entity"}"#,
        ]
        let relation =
            #"{"type":"relation","from":"Ada","to":"Harbour Club","relationType":"member_of"}"#
        let file = try folder.write(
            "memory.jsonl", relation + "\n" + entities.joined(separator: "\n"))
        let report = try await run(memory, file)
        #expect(report.stored == 4 && report.skipped == 1 && report.links == 2)
        let found = try all(memory)
        #expect(
            Set(found.map(\.text)) == [
                "Ada: Speaks Danish", "Ada rows", "Harbour Club (club)",
                "Ada member of Harbour Club",
            ])
        #expect(try await run(memory, file).links == 0)
        let graph = "{\"entities\":[\(entities[0])],\"relations\":[\(relation)]}"
        #expect(try await post(memory, graph, ["user": "g"]).stored == 3)
    }

    @Test func `notes of basic-memory keep front matter, observations and links`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        try FileManager.default.createDirectory(
            atPath: folder.path + "/notes", withIntermediateDirectories: true)
        _ = try folder.write(
            "notes/Brewing.md",
            """
            ---
            title: Coffee Brewing
            type: note
            permalink: notes/coffee-brewing
            tags:
            - coffee
            - "kitchen"
            created: 2024-05-06
            ---
            # Coffee Brewing

            ## Observations
            - [method] Pour slowly #technique (for a cup)
            - [ ] buy filters

            ## Relations
            - relates_to [[Beans]]
            - [[Nowhere]]
            """)
        _ = try folder.write(
            "notes/Beans.md",
            "---\r\ntags: [coffee, origin]\r\n---\r\n# Beans\r\n\r\nFrom Jimma. See [[notes/coffee-brewing|this]]."
        )
        let report = try await run(memory, folder.path + "/notes")
        #expect(report.skipped == 0 && report.links == 2, "\(report)")
        let found = try all(memory)
        let pour = try #require(found.first { $0.text.hasPrefix("Pour slowly") })
        #expect(
            pour.tags == ["coffee", "kitchen", "technique"] && pour.metadata["category"] == "method"
        )
        #expect(
            pour.metadata["title"] == "Coffee Brewing"
                && pour.eventTime == DateText.parse("2024-05-06"))
        let beans = try #require(found.first { $0.text.contains("Jimma") })
        #expect(
            beans.tags == ["coffee", "origin"] && !found.contains { $0.text.contains("permalink") })
        #expect(found.contains { $0.text.contains("buy filters") })
        #expect(
            try memory.store.links(of: beans.id, owner: Owner(), by: .local).map(\.kind).sorted()
                == [
                    "linksTo", "relates_to",
                ])
    }

    @Test(arguments: ["\n", "\r\n"]) func `what stands between fences is no heading`(end: String)
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let text = [
            "# Boat", "", "White mast.", "", "```sh", "", "# not a heading", "rm hull", "```", "",
            "#sailing", "",
            "~~~", "# nor this", "~~~", "## Crew", "", "Tom.",
        ]
        _ = try await run(memory, folder.write("a.md", text.joined(separator: end)))
        #expect(try all(memory).map { $0.metadata["heading"] } == ["Boat", "Crew"])
    }

    @Test(arguments: [
        // A code span is no fence: what follows is read as before.
        ("```let x = 1``` is code.\n\n# Second\n\nWater.", "Second"),
        // A longer fence holds shorter ones.
        ("````md\n```\n# inside\n```\n\n# still inside\n````\n\n# Second\n\nWater.", "Second"),
        ("~~~~ text\n~~~\n# inside\n~~~~~\n\n# Second\n\nWater.", "Second"),
        // Only the same sign ends it.
        ("```\n~~~\n# inside\n```\n\n# Second\n\nWater.", "Second"),
        ("- step\n\n    ```sh\n    # inside\n    ```\n\n# Second\n\nWater.", "Second"),
        // Never closed: all that follows is code.
        ("# First\n\n```\n# inside\n\nWater.", "First"),
    ])
    func `fences are those of CommonMark`(text: String, heading: String) async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        _ = try await run(memory, try folder.write("note.md", text))
        let cubes = try memory.store.list(CubeFilter(owner: Owner(), limit: 100), by: .local)
        let water = try #require(cubes.first { $0.text.contains("Water.") })
        #expect(water.metadata["heading"] == heading)
        #expect(!cubes.contains { ($0.metadata["heading"] ?? "").contains("inside") })
    }

    @Test func `each user of a mem0 export keeps their own, and one may be chosen`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let file = try folder.write(
            "mem0.json",
            """
            {"results":[{"id":"1","memory":"Prefers tea","created_at":"2024-07-20T01:30:36.275141-07:00","user_id":"alice","score":NaN},
             {"id":"2","memory":null,"user_id":"alice"},{"id":"3","memory":"","user_id":"bob"},
             {"id":"4","memory":"Drives a red van","created_at":"2024-07-22 01:30:36.275141+00:00","user_id":"bob","metadata":{"list":[1,2],"n":1e999}},
             {"id":"5","memory":"Lives near the harbour","created_at":null,"user_id":"bob"},
             {"id":6,"memory":"Owns a kayak","created_at":1721612736000,"user_id":7}]}
            """)
        let report = try await run(memory, file)
        #expect(
            report.users.map(\.user) == ["alice", "bob", "7"]
                && report.users.map(\.stored) == [1, 2, 1])
        #expect(report.skipped == 2 && report.stored == 4 && report.undated == 0)
        #expect(try all(memory).isEmpty)
        let bob = try all(memory, "bob")
        #expect(
            bob.map(\.text) == ["Drives a red van", "Lives near the harbour"]
                && bob[0].metadata == ["list": "[1,2]"])
        #expect(bob.allSatisfy { DateText.day($0) == "2024-07-22" })
        #expect(try all(memory, "7").first.map(DateText.day) == "2024-07-22")
        // Of several, the one that is named.
        let one = try await run(memory, file, ["user": "bob"])
        #expect(one.duplicates == 2 && one.stored == 0 && one.leftOut.values.reduce(0, +) == 2)
        let error = await #expect(throws: InputError.self) {
            try await run(memory, file, ["user": "carol"])
        }
        #expect(error?.description.contains("alice") == true)
        #expect(try all(memory, "carol").isEmpty)
        // Whoever has one user's memories gets no others.
        let alice = Principal(
            name: "key", permissions: [.read, .write], tenant: "default", user: "alice")
        #expect(try await run(memory, file, as: alice).duplicates == 1)
        // A file of one user may be somebody else's here.
        let single = try folder.write("one.jsonl", #"{"content":"I knit","user_id":"x"}"#)
        #expect(try await run(memory, single, ["user": "y"]).users == [.init(user: "y", stored: 1)])
    }

    @Test func `lines say by either name whose they are`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let file = try folder.write(
            "several.jsonl",
            """
            {"content":"I knit","user":"dora"}
            {"content":"I row","user":"eli","user_id":"emil"}
            {"content":"I sing","\\u0075ser":7}
            {"content":"I paint","user":{"name":"dora"}}
            """)
        // Of several, the one that is named, and what names nobody.
        let one = try await run(memory, file, ["user": "dora"])
        #expect(one.users == [.init(user: "dora", stored: 2)] && one.leftOut.values.reduce(0, +) == 2)
        let error = await #expect(throws: InputError.self) { try await run(memory, file, ["user": "eli"]) }
        #expect(error?.description.contains("emil") == true)
        let all = try await run(memory, file)
        #expect(all.stored == 3 && all.duplicates == 1)
        #expect(try self.all(memory, "emil").map(\.text) == ["I row"])
        #expect(try self.all(memory, "7").map(\.text) == ["I sing"])
        // A file of one user may be somebody else's here.
        let single = try folder.write("one.jsonl", #"{"text":"I weave","user":"x"}"#)
        #expect(try await run(memory, single, ["user": "y"]).users == [.init(user: "y", stored: 1)])
    }

    @Test func `a message without a time gets one of its conversation`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let file = try folder.write(
            "chat.jsonl",
            """
            {"content":"first","session":"a","time":null}
            {"content":"second","session":"a","time":"2019-02-03T10:00:00Z"}
            {"content":"third","session":"b","timestamp":1549188000000}
            {"content":"fourth","session":"a"}
            {"content":"fifth"}
            """)
        #expect(try await run(memory, file).undated == 0)
        #expect(try all(memory).allSatisfy { DateText.day($0) == "2019-02-03" })
    }

    @Test(arguments: [
        #"{"a":"#, "[]", "{}", "[ ]", #"{"a":1}"#, #"[{"a":1},{"b":[2]}]"#, "[1,2]", "\"text\"", "",
        " \n",
        #"{"results":[]"#,
        #"{"manifest":{"format":"mneme-vault"}}"#,
        "{\"memories\":[{\"scope\":{},\"recordedTime\":1}]}", "[null]",
        #"[{"mapping":{},"x":"#, #"{"data":"#,
    ])
    func `JSON of no known form is refused, and nothing is kept`(text: String) async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        for name in ["cut.json", "cut.jsonl"] {
            let file = try folder.write(name, text)
            await #expect(throws: InputError.self) { try await run(memory, file) }
        }
        if text != "\"text\"" {
            await #expect(throws: InputError.self) { try await post(memory, text) }
        }
        for format in ImportFormat.allCases where format != .text && format != .markdown {
            await #expect(throws: InputError.self) {
                try await post(memory, text + "{", ["format": .string(format.rawValue)])
            }
        }
        #expect(try all(memory).isEmpty)
    }

    @Test func `text that begins with a bracket is text`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        #expect(try await run(memory, folder.write("a.txt", "[note] buy {milk}")).stored == 1)
        #expect(try await run(memory, folder.write("b.md", "{draft} of a poem")).stored == 1)
        #expect(try await post(memory, "[today] bees", [:]).stored == 1)
        #expect(try await post(memory, "{a}", ["format": "text"]).stored == 1)
    }

    @Test func `text of two bytes a character is refused with the reason`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let path = folder.path + "/wide.json"
        for encoding in [String.Encoding.utf16, .utf16LittleEndian, .utf16BigEndian, .utf32] {
            for name in ["wide.json", "wide.txt", "wide.jsonl"] {
                try #require("[{\"role\":\"user\",\"content\":\"hello\"}]".data(using: encoding))
                    .write(
                        to: URL(fileURLWithPath: folder.path + "/" + name))
                let error = await #expect(throws: InputError.self) {
                    try await run(memory, folder.path + "/" + name)
                }
                #expect(error?.description.contains("UTF-8") == true)
            }
        }
        try Data([0x48, 0xE9, 0x6C]).write(to: URL(fileURLWithPath: path + ".txt"))
        await #expect(throws: InputError.self) { try await run(memory, path + ".txt") }
    }

    @Test func `depth and size of numbers end no import but their own`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let deep = String(repeating: "[", count: 100_000)
        let objects = String(repeating: "{\"a\":", count: 100_000)
        for text in [
            deep, objects, deep + String(repeating: "]", count: 100_000), "[{\"content\":" + deep,
        ] {
            await #expect(throws: InputError.self) {
                try await run(memory, folder.write("deep.json", text))
            }
            let report = try await run(
                memory,
                folder.write(
                    "deep.jsonl",
                    text + "\n" + #"{"content":"said \#(text.utf8.count)","time":1e300}"# + "\n"
                        + #"{"content":"still \#(text.hashValue)"}"#))
            #expect(report.stored == 1 && report.skipped == 2)
        }
        let numbers = [
            "1e999", "-1e999", "1e300", "99999999999999999999999", "-0.0", "1e-999", "NaN",
            "Infinity", "-Infinity",
        ]
        for (i, number) in numbers.enumerated() {
            let texts: [ImportFormat: String] = [
                .locomo:
                    #"[{"conversation":{"session_1_date_time":"1:56 pm on 8 May, 2023","session_1":[{"speaker":"A","text":"n\#(i)"}]},"qa":[{"question":"q","category":\#(number)}]}]"#,
                .openai:
                    #"[{"id":\#(number),"create_time":\#(number),"mapping":{"a":{"message":{"id":"a\#(i)","author":{"role":"user"},"create_time":\#(number),"content":{"parts":["n\#(i)",\#(number)]}}}}}]"#,
                .claude:
                    #"[{"created_at":\#(number),"chat_messages":[{"sender":"human","text":"n\#(i)","created_at":\#(number)}]}]"#,
                .sharegpt:
                    #"[{"id":\#(number),"conversations":[{"from":"human","value":"n\#(i)","timestamp":\#(number)}]}]"#,
                .mem0:
                    #"[{"id":\#(number),"memory":"n\#(i)","created_at":\#(number),"expiration_date":\#(number),"metadata":{"x":\#(number)}}]"#,
                .memos:
                    #"[{"id":\#(number),"memory":"n\#(i)","metadata":{"confidence":\#(number),"created_at":\#(number)}}]"#,
                .letta:
                    #"{"agents":[{"id":"a\#(i)","created_at":\#(number),"messages":[{"role":"user","content":"n\#(i)","created_at":\#(number)}]}]}"#,
                .mcp:
                    #"{"entities":[{"name":"n\#(i)","observations":[\#(number)],"createdAt":\#(number)}]}"#,
            ]
            for (format, text) in texts {
                let report = try await post(
                    memory, text,
                    ["user": .string(format.rawValue), "format": .string(format.rawValue)])
                #expect(report.read == 1 && report.skipped == 0, "\(format) \(number) \(report)")
            }
        }
        #expect(try memory.store.check(repair: false, by: .local).allSatisfy(\.sound))
    }
}

extension DateText {
    fileprivate static func day(_ cube: MemCube) -> String {
        String(format(cube.eventTime).prefix(10))
    }
}
