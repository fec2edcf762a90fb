import MnemeBase
import MnemeEngine
import Testing

/// How calls of tools are read in each published format, and what stays text.
@Suite struct ToolFormatTests {
    private static let weather = #"""
        {"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"},
        "unit":{"type":"string","enum":["celsius","fahrenheit"]},"tags":{"type":"array","items":{"type":"string"}},
        "area":{"type":"object","properties":{"name":{"type":"string"},"near":{"type":"boolean"}},"additionalProperties":false}},
        "required":["city"],"additionalProperties":false}
        """#

    private func set(_ choice: ToolChoice = .auto, parallel: Bool = true) throws -> ToolSet {
        try ToolSet(
            [
                ToolDefinition(name: "get_weather", parameters: try OrderedJSON(Self.weather)),
                ToolDefinition(name: "get_time"), ToolDefinition(name: "get"),
            ], choice: choice, allowsParallel: parallel)
    }

    /// The parts of a text: text, and calls with their arguments.
    private func read(_ text: String, _ format: ToolFormat, _ set: ToolSet? = nil) throws -> (
        text: String, calls: [(name: String, arguments: String)], isComplete: Bool
    ) { try read(Array(text.utf8), format, set) }

    private func read(_ text: [UInt8], _ format: ToolFormat, _ set: ToolSet? = nil) throws -> (
        text: String, calls: [(name: String, arguments: String)], isComplete: Bool
    ) {
        let grammar = ToolGrammar(try set ?? self.set(), format: format)
        var scanner = ToolCallScanner(grammar)
        var plain: [UInt8] = []
        var calls: [(name: String, arguments: [UInt8])] = []
        func take(_ event: ToolCallScanner.Event) {
            switch event {
            case .text(let byte): plain.append(byte)
            case .call(.began(let tool)): calls.append((grammar.tools[tool].name, []))
            case .call(.argument(let byte)): calls[calls.count - 1].arguments.append(byte)
            }
        }
        for byte in text { scanner.take(byte, take) }
        let isComplete = scanner.isComplete
        scanner.finish(take)
        return (
            String(decoding: plain, as: UTF8.self),
            calls.map { ($0.name, String(decoding: $0.arguments, as: UTF8.self)) }, isComplete
        )
    }

    static let formats: [(ToolFormat, String)] = [
        (
            .hermes,
            "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 3}}\n</tool_call>"
        ),
        (.hermes, "<tool_call>{\"name\":\"get_weather\",\"arguments\":{\"city\":\"Oslo\",\"days\":3}}</tool_call>"),
        (.llama, "{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Oslo\", \"days\": 3}}"),
        (.llama, "<|python_tag|>{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Oslo\", \"days\": 3}}"),
        (.mistral, "[TOOL_CALLS] [{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 3}}]"),
        (.mistral, "[TOOL_CALLS][{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 3}}]"),
        (.mistralArguments, "[TOOL_CALLS]get_weather[ARGS]{\"city\": \"Oslo\", \"days\": 3}"),
        (.gemma, "<|tool_call>call:get_weather{city:<|\"|>Oslo<|\"|>,days:3}<tool_call|>"),
        (.functionGemma, "<start_function_call>call:get_weather{city:<escape>Oslo<escape>,days:3}<end_function_call>"),
        (
            .phi,
            "<|tool_call|>[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 3}}]<|/tool_call|>"
        ),
        (.granite, "<|tool_call|>[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 3}}]"),
        (.functools, "functools[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 3}}]"),
        (
            .xml,
            "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>"
        ),
        (
            .seed,
            "<seed:tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</seed:tool_call>"
        ),
        (
            .glm,
            "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>"
        ),
        (
            .hunyuan,
            "<tool_calls:opensource>\n<tool_call:opensource>get_weather<tool_sep:opensource>\n<arg_key:opensource>city</arg_key:opensource>\n<arg_value:opensource>Oslo</arg_value:opensource>\n<arg_key:opensource>days</arg_key:opensource>\n<arg_value:opensource>3</arg_value:opensource>\n</tool_call:opensource>\n</tool_calls:opensource>"
        ),
        (
            .deepSeek,
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{\"city\": \"Oslo\", \"days\": 3}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
        ),
        (
            .deepSeekBare,
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{\"city\": \"Oslo\", \"days\": 3}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
        ),
        (
            .deepSeekXML,
            "<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"get_weather\">\n<｜DSML｜parameter name=\"city\" string=\"true\">Oslo</｜DSML｜parameter>\n<｜DSML｜parameter name=\"days\" string=\"false\">3</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>"
        ),
        (
            .deepSeekXML4,
            "<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"get_weather\">\n<｜DSML｜parameter name=\"city\" string=\"true\">Oslo</｜DSML｜parameter>\n<｜DSML｜parameter name=\"days\" string=\"false\">3</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>"
        ),
        (
            .kimi,
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{\"city\": \"Oslo\", \"days\": 3}<|tool_call_end|><|tool_calls_section_end|>"
        ),
        (
            .kimi,
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:17<|tool_call_argument_begin|>{\"city\": \"Oslo\", \"days\": 3}<|tool_call_end|><|tool_calls_section_end|>"
        ),
        (
            .kimi3,
            "<|open|>tools<|sep|><|open|>call tool=\"get_weather\" index=\"1\"<|sep|><|open|>argument key=\"city\" type=\"string\"<|sep|>Oslo<|close|>argument<|sep|><|open|>argument key=\"days\" type=\"number\"<|sep|>3<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>"
        ),
        (
            .miniMax,
            "<minimax:tool_call>\n<invoke name=\"get_weather\">\n<parameter name=\"city\">Oslo</parameter>\n<parameter name=\"days\">3</parameter>\n</invoke>\n</minimax:tool_call>"
        ),
        (
            .miniMaxLines,
            "<tool_calls>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 3}}\n</tool_calls>"
        ),
        (
            .command,
            "<|START_ACTION|>[\n    {\"tool_call_id\": \"0\", \"tool_name\": \"get_weather\", \"parameters\": {\"city\": \"Oslo\", \"days\": 3}}\n]<|END_ACTION|>"
        ),
        (
            .commandR,
            "Action: ```json\n[\n    {\n        \"tool_name\": \"get_weather\",\n        \"parameters\": {\"city\": \"Oslo\", \"days\": 3}\n    }\n]```"
        ),
        (
            .functionary,
            "<function=get_weather>{\"city\": \"Oslo\", \"days\": 3}</function>"
        ),
        (
            .apertus,
            "<|tools_prefix|>[{\"get_weather\": {\"city\": \"Oslo\", \"days\": 3}}]<|tools_suffix|>"
        ),
        (
            .gigaChat,
            "<|function_call|>{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 3}}"
        ),
        (
            .nemotron,
            "<TOOLCALL>[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 3}}]</TOOLCALL>"
        ),
        (
            .apriel,
            "<tool_calls>[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 3}}]</tool_calls>"
        ),
        (
            .miniCPM,
            "<function name=\"get_weather\"><param name=\"city\">Oslo</param><param name=\"days\">3</param></function>"
        ),
        (
            .solar,
            "<|tool_calls|><|tool_call:begin|>a1B2c3<|tool_call:name|>get_weather<|tool_call:args|>{\"city\": \"Oslo\", \"days\": 3}<|tool_call:end|><|calls|>"
        ),
    ]

    @Test(arguments: formats.indices)
    func `a call is read in each published format`(index: Int) throws {
        let (format, text) = Self.formats[index]
        let result = try read(text, format)
        #expect(result.text == "" && result.calls.map(\.name) == ["get_weather"], "\(format.name)")
        let arguments = try OrderedJSON(try #require(result.calls.first?.arguments))
        #expect(arguments["city"]?.string == "Oslo" && arguments["days"]?.integer == 3)
        #expect(result.isComplete)
    }

    @Test(arguments: formats.indices)
    func `a call that is cut anywhere is never taken for whole, and never lost as text`(index: Int)
        throws
    {
        let (format, text) = Self.formats[index]
        for count in 0..<text.utf8.count {
            let cut = Array(text.utf8.prefix(count))
            let result = try read(cut, format)
            if result.calls.isEmpty {
                #expect(result.text == String(decoding: cut, as: UTF8.self), "\(format.name) \(count)")
            } else {
                #expect(result.text == "" && !result.isComplete, "\(format.name) \(count)")
            }
        }
    }

    @Test(arguments: formats.indices)
    func `a call that is cut anywhere can be completed`(index: Int) throws {
        let (format, text) = Self.formats[index]
        var scanner = ToolCallScanner(ToolGrammar(try set(.required), format: format))
        for (i, byte) in text.utf8.enumerated() where !scanner.isComplete {
            let rest = scanner.shortestEnd
            #expect(rest != nil, "\(format.name) \(i)")
            let whole = Array(text.utf8.prefix(i)) + (rest ?? [])
            let result = try read(whole, format, set(.required))
            #expect(result.isComplete && result.calls.count == 1 && result.text == "", "\(format.name) \(i)")
            scanner.take(byte) { _ in }
        }
    }

    @Test(arguments: [
        ToolFormat.hermes, .xml, .glm, .gemma, .deepSeek, .deepSeekXML, .kimi, .kimi3, .miniMax,
        .command, .miniCPM, .solar,
    ])
    func `the shortest call writes what its schema demands`(format: ToolFormat) throws {
        let schema = #"""
            {"type":"object","properties":{"quoted":{"type":"string","pattern":"^\"[a-z]{2}\\$"},
            "either":{"type":["string","integer"]},"list":{"type":"array","minItems":2,"items":{"enum":["a,}"]}},
            "inner":{"type":"object","properties":{"x":{"type":"boolean"}},"required":["x"],"additionalProperties":false}},
            "required":["quoted","either","list","inner"],"additionalProperties":false}
            """#
        let set = try ToolSet(
            [ToolDefinition(name: "odd", parameters: try OrderedJSON(schema))], choice: .required)
        let scanner = ToolCallScanner(ToolGrammar(set, format: format))
        let text = String(decoding: try #require(scanner.shortestEnd), as: UTF8.self)
        let arguments = try OrderedJSON(
            try #require(try read(text, format, set).calls.first?.arguments))
        #expect(arguments["quoted"]?.string?.count == 4 && arguments["either"] != nil)
        #expect(arguments["list"]?.elements == [.string("a,}"), .string("a,}")])
        #expect(arguments["inner"]?["x"] != nil)
    }

    @Test(arguments: formats.indices.filter { formats[$0].0 != .llama })
    func `text before a call stays text`(index: Int) throws {
        let (format, text) = Self.formats[index]
        let result = try read("Let me look: <tool [TOOL func\n" + text, format)
        #expect(result.text == "Let me look: <tool [TOOL func\n" && result.calls.count == 1)
    }

    @Test(arguments: [
        "<tool_call>\n{\"name\": \"no_such_tool\", \"arguments\": {}}\n</tool_call>",
        "<tool_call>\n{\"name\": get_time}\n</tool_call>", "<tool_call> nothing",
        "<tool_call><tool_call><tool_call>", "{\"name\": \"get_time\", \"arguments\": {}}",
        "a < b <tool", "\u{0}\u{1}<tool_call>\u{0}", "<tool_call>\n{\"name\": \"get_weather2\"",
    ])
    func `what does not parse stays text`(text: String) throws {
        let result = try read(text, .hermes)
        #expect(result.text == text && result.calls.isEmpty)
    }

    @Test(arguments: formats.indices)
    func `a template is known by the call that it writes`(index: Int) throws {
        let (format, text) = Self.formats[index]
        let found = ToolFormat.find(
            history: "<s>user: Hi\nassistant: \(text)<eot>\ntool: 3 degrees", name: "get_weather",
            template: format == .phi ? "<|tool_call|><|/tool_call|>" : "")
        #expect(found == format, "\(found?.name ?? "none") instead of \(format.name)")
    }

    @Test func `bare JSON is a call of Llama only where an answer begins with it`() throws {
        let call = "{\"name\": \"get_time\", \"parameters\": {}}"
        #expect(try read("\n" + call, .llama).calls.count == 1)
        #expect(try read("Take " + call, .llama).text == "Take " + call)
        #expect(try read("{\"name\": \"Ana\"}", .llama).text == "{\"name\": \"Ana\"}")
    }

    @Test func `several calls are read one by one, and one where only one may come`() throws {
        let one = "\n{\"name\": \"get\", \"arguments\": {}}\n</tool_call>"
        let text = "<tool_call>" + one + "\n<tool_call>" + one
        #expect(try read(text, .hermes).calls.map(\.name) == ["get", "get"])
        #expect(try read(text, .hermes, set(parallel: false)).calls.count == 1)
        let list = "[TOOL_CALLS] [{\"name\": \"get\", \"arguments\": {}}, {\"name\": \"get_time\", \"arguments\": {}}]"
        #expect(try read(list, .mistral).calls.map(\.name) == ["get", "get_time"])
        let args = "[TOOL_CALLS]get[ARGS]{}[TOOL_CALLS]get_time[ARGS]{}"
        #expect(try read(args, .mistralArguments).calls.map(\.name) == ["get", "get_time"])
        let more: [(ToolFormat, String)] = [
            (
                .deepSeek,
                "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get\n```json\n{}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_time\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
            ),
            (
                .deepSeekBare,
                "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁call▁begin｜>get_time<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
            ),
            (
                .kimi,
                "<|tool_calls_section_begin|><|tool_call_begin|>functions.get:0<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_call_begin|>functions.get_time:1<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>"
            ),
            (
                .miniMax,
                "<minimax:tool_call>\n<invoke name=\"get\">\n</invoke>\n<invoke name=\"get_time\">\n</invoke>\n</minimax:tool_call>"
            ),
            (
                .command,
                "<|START_ACTION|>[\n    {\"tool_call_id\": \"0\", \"tool_name\": \"get\", \"parameters\": {}},\n    {\"tool_call_id\": \"1\", \"tool_name\": \"get_time\", \"parameters\": {}}\n]<|END_ACTION|>"
            ),
            (.apertus, "<|tools_prefix|>[{\"get\": {}}, {\"get_time\": {}}]<|tools_suffix|>"),
            (.functionary, "<function=get>{}</function><function=get_time>{}</function>"),
        ]
        for (format, text) in more {
            let result = try read(text, format)
            #expect(result.calls.map(\.name) == ["get", "get_time"], "\(format.name)")
            #expect(result.text == "" && result.isComplete, "\(format.name)")
        }
        let llama = "{\"name\": \"get\", \"parameters\": {}}; {\"name\": \"get_time\", \"parameters\": {}}"
        #expect(try read(llama, .llama).calls.map(\.name) == ["get", "get_time"])
    }

    @Test func `texts in tags and between marks become JSON strings`() throws {
        let odd = "a \"quote\" \\ back\nline </p> <|\"| é"
        let xml =
            "<tool_call>\n<function=get_weather>\n<parameter=city>\n\(odd)\n</parameter>\n<parameter=unit>\ncelsius\n</parameter>\n<parameter=tags>\n[\"x\"]\n</parameter>\n</function>\n</tool_call>"
        let read = try read(xml, .xml).calls.first?.arguments
        let arguments = try OrderedJSON(try #require(read))
        #expect(arguments["city"]?.string == odd && arguments["unit"]?.string == "celsius")
        #expect(arguments["tags"]?.elements == [.string("x")])
        let gemma =
            "<|tool_call>call:get_weather{city:<|\"|>\(odd)<|\"|>,tags:[<|\"|>a,b<|\"|>,<|\"|>{c<|\"|>],area:{name:<|\"|>x<|\"|>,near:true}}<tool_call|>"
        let second = try OrderedJSON(try #require(try self.read(gemma, .gemma).calls.first?.arguments))
        #expect(second["tags"]?.elements == [.string("a,b"), .string("{c")])
        #expect(second["city"]?.string == odd)
    }

    @Test func `tools are checked before anything is computed`() throws {
        #expect(throws: EngineError.self) { try ToolDefinition(name: "") }
        #expect(throws: EngineError.self) { try ToolDefinition(name: "sp ace") }
        #expect(throws: EngineError.self) { try ToolDefinition(name: String(repeating: "a", count: 65)) }
        #expect(throws: EngineError.self) {
            try ToolDefinition(name: "a", parameters: .object([.init(key: "type", value: .string("string"))]))
        }
        let tool = try ToolDefinition(name: "a")
        #expect(throws: EngineError.self) { try ToolSet([tool, tool]) }
        #expect(throws: EngineError.self) { try ToolSet([tool], choice: .named("b")) }
        #expect(throws: EngineError.self) { try ToolSet([], choice: .required) }
        let many = try (0...128).map { try ToolDefinition(name: "t\($0)") }
        #expect(throws: EngineError.self) { try ToolSet(many) }
    }
}
