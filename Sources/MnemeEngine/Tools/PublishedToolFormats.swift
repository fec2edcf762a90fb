/// The formats of tool calls that chat templates of published models use.
extension ToolFormat {
    /// Nous Research's Hermes, and Qwen 2.5 and 3: JSON in `<tool_call>`. Also what a model is
    /// asked for whose template knows no tools.
    public static let hermes = ToolFormat(
        name: "hermes", open: "<tool_call>", head: "\n{\"name\": \"", middle: "\", \"arguments\":",
        tail: "}", close: "\n</tool_call>", next: "\n</tool_call>\n<tool_call>")

    /// Llama 3: JSON alone, or behind `<|python_tag|>`.
    package static let llama = ToolFormat(
        name: "llama3", open: "<|python_tag|>", head: "{\"name\": \"",
        middle: "\", \"parameters\":", tail: "}", close: "", next: "; {\"name\": \"",
        opensBare: true)

    /// Mistral up to 2024: a JSON list behind `[TOOL_CALLS]`.
    package static let mistral = ToolFormat(
        name: "mistral", open: "[TOOL_CALLS]", head: " [{\"name\": \"",
        middle: "\", \"arguments\":", tail: "}", close: "]", next: ", {\"name\": \"")

    /// Mistral since 2025: the name, `[ARGS]` and JSON.
    package static let mistralArguments = ToolFormat(
        name: "mistral-args", open: "[TOOL_CALLS]", head: "", middle: "[ARGS]", tail: "",
        close: "", next: "[TOOL_CALLS]")

    /// Gemma 4.
    package static let gemma = ToolFormat(
        name: "gemma", open: "<|tool_call>", head: "call:", middle: "", tail: "",
        close: "<tool_call|>", next: "<tool_call|><|tool_call>",
        arguments: .bareNames(quote: "<|\"|>"))

    /// FunctionGemma.
    package static let functionGemma = ToolFormat(
        name: "function-gemma", open: "<start_function_call>", head: "call:", middle: "", tail: "",
        close: "<end_function_call>", next: "<end_function_call><start_function_call>",
        arguments: .bareNames(quote: "<escape>"))

    /// Phi 4: a JSON list in `<|tool_call|>`.
    package static let phi = list("phi4", "<|tool_call|>", close: "]<|/tool_call|>")
    /// Granite 3: a JSON list behind `<|tool_call|>`.
    package static let granite = list("granite", "<|tool_call|>", close: "]")
    /// Firefunction, and Phi 4 by its model card: a JSON list behind `functools`.
    package static let functools = list("functools", "functools", close: "]")

    /// Qwen 3 Coder and those that follow it: a function in XML, with a tag for each parameter.
    package static let xml = functions("xml", in: "tool_call")
    /// Seed-OSS: the same in tags of its own.
    package static let seed = functions("seed", in: "seed:tool_call")

    /// GLM 4.5 and later.
    package static let glm = ToolFormat(
        name: "glm", open: "<tool_call>", head: "", middle: "", tail: "\n</tool_call>",
        close: "", next: "\n<tool_call>",
        arguments: .tags(
            open: "\n<arg_key>", keyEnd: "</arg_key>\n<arg_value>", valueEnd: "</arg_value>"))

    /// Tencent's Hy 3: the same in tags of its own.
    package static let hunyuan = ToolFormat(
        name: "hunyuan", open: "<tool_calls:opensource>\n<tool_call:opensource>", head: "",
        middle: "<tool_sep:opensource>", tail: "\n</tool_call:opensource>",
        close: "\n</tool_calls:opensource>", next: "\n<tool_call:opensource>",
        arguments: .tags(
            open: "\n<arg_key:opensource>",
            keyEnd: "</arg_key:opensource>\n<arg_value:opensource>",
            valueEnd: "</arg_value:opensource>"))

    /// DeepSeek V3, and R1 by its model card: JSON in a block of Markdown.
    package static let deepSeek = ToolFormat(
        name: "deepseek", open: "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>",
        head: "function<｜tool▁sep｜>", middle: "\n```json\n",
        tail: "\n```<｜tool▁call▁end｜>", close: "<｜tool▁calls▁end｜>",
        next: "\n<｜tool▁call▁begin｜>")

    /// DeepSeek V3.1.
    package static let deepSeekBare = ToolFormat(
        name: "deepseek-3.1", open: "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>", head: "",
        middle: "<｜tool▁sep｜>", tail: "<｜tool▁call▁end｜>", close: "<｜tool▁calls▁end｜>",
        next: "<｜tool▁call▁begin｜>")

    /// DeepSeek V3.2: calls in XML.
    package static let deepSeekXML = deepSeekMarkup("deepseek-3.2", "function_calls")
    /// DeepSeek V4.
    package static let deepSeekXML4 = deepSeekMarkup("deepseek-4", "tool_calls")

    /// Kimi K2: calls that are numbered.
    package static let kimi = ToolFormat(
        name: "kimi", open: "<|tool_calls_section_begin|><|tool_call_begin|>", head: "functions.",
        middle: ":\(LiteralChoice.anyID)<|tool_call_argument_begin|>", tail: "<|tool_call_end|>",
        close: "<|tool_calls_section_end|>", next: "<|tool_call_begin|>")

    /// Kimi K3: a mark that names each value's type.
    package static let kimi3 = ToolFormat(
        name: "kimi-3", open: "<|open|>tools<|sep|>", head: "<|open|>call tool=\"",
        middle: "\" index=\"\(LiteralChoice.anyID)\"<|sep|>", tail: "<|close|>call<|sep|>",
        close: "<|close|>tools<|sep|>", next: "<|open|>call tool=\"",
        arguments: .tags(
            open: "<|open|>argument key=\"", keyEnd: "\" type=\"string\"<|sep|>",
            otherEnds: ["number", "boolean", "object", "array", "null"].map {
                "\" type=\"\($0)\"<|sep|>"
            }, valueEnd: "<|close|>argument<|sep|>"))

    /// MiniMax M2: a function in XML, with a tag for each parameter.
    package static let miniMax = invocations(
        "minimax", block: "minimax:tool_call", prefix: "", keyEnd: "\">")
    /// MiniMax M1: a JSON object a line.
    package static let miniMaxLines = ToolFormat(
        name: "minimax-1", open: "<tool_calls>", head: "\n{\"name\": \"",
        middle: "\", \"arguments\":", tail: "}", close: "\n</tool_calls>",
        next: "\n{\"name\": \"")

    /// Cohere's Command R7B, Command A and later: a JSON list of calls that are numbered.
    package static let command = ToolFormat(
        name: "command", open: "<|START_ACTION|>",
        head: "[\n    {\"tool_call_id\": \"\(LiteralChoice.anyID)\", \"tool_name\": \"",
        middle: "\", \"parameters\":", tail: "}", close: "\n]<|END_ACTION|>",
        next: ",\n    {\"tool_call_id\": \"\(LiteralChoice.anyID)\", \"tool_name\": \"")
    /// Cohere's Command R and R+ of 2024: a JSON list in a block of Markdown.
    package static let commandR = ToolFormat(
        name: "command-r", open: "Action:\n```json", head: "\n[\n    {\n        \"tool_name\": \"",
        middle: "\",\n        \"parameters\":", tail: "\n    }", close: "\n]\n```",
        next: ",\n    {\n        \"tool_name\": \"")

    /// Functionary 3.1, and Llama 3.1's functions of the user: JSON in a tag with the name.
    package static let functionary = ToolFormat(
        name: "functionary", open: "<function=", head: "", middle: ">", tail: "</function>",
        close: "", next: "<function=")

    /// Apertus: a JSON list of objects whose one member is the call.
    package static let apertus = ToolFormat(
        name: "apertus", open: "<|tools_prefix|>", head: "[{\"", middle: "\":", tail: "}",
        close: "]<|tools_suffix|>", next: ", {\"")

    /// GigaChat 3.1: JSON behind a mark.
    package static let gigaChat = ToolFormat(
        name: "gigachat", open: "<|function_call|>", head: "{\"name\": \"",
        middle: "\", \"arguments\":", tail: "}", close: "", next: "<|function_call|>")

    /// Nemotron Nano 2: a JSON list in `<TOOLCALL>`.
    package static let nemotron = list("nemotron", "<TOOLCALL>", close: "]</TOOLCALL>")
    /// Apriel: a JSON list in `<tool_calls>`.
    package static let apriel = list("apriel", "<tool_calls>", close: "]</tool_calls>")

    /// MiniCPM 5: a function in XML with attributes.
    package static let miniCPM = ToolFormat(
        name: "minicpm", open: "<function name=\"", head: "", middle: "\">", tail: "</function>",
        close: "", next: "\n<function name=\"",
        arguments: .tags(open: "<param name=\"", keyEnd: "\">", valueEnd: "</param>"))

    /// Solar Open: calls with an id before the name.
    package static let solar = ToolFormat(
        name: "solar", open: "<|tool_calls|><|tool_call:begin|>",
        head: "\(LiteralChoice.anyID)<|tool_call:name|>", middle: "<|tool_call:args|>",
        tail: "<|tool_call:end|>", close: "<|calls|>", next: "<|tool_call:begin|>")

    /// All formats, those first whose marks say the most.
    package static let all = [
        xml, seed, glm, hunyuan, hermes, mistral, mistralArguments, gemma, functionGemma, phi,
        granite, functools, deepSeek, deepSeekBare, deepSeekXML, deepSeekXML4, kimi, kimi3, miniMax,
        miniMaxLines, command, commandR, functionary, apertus, gigaChat, nemotron, apriel, miniCPM,
        solar, llama,
    ]

    /// Marks by which a template is known that writes no call, or writes it in another way than it
    /// asks for it: without blanks, and such as stand in no other format.
    static let byMarks: [(format: ToolFormat, marks: [String])] = [
        (seed, ["<seed:tool_call>"]), (gemma, ["<|tool_call>", "<tool_call|>"]),
        (functionGemma, ["<start_function_call>"]), (phi, ["<|tool_call|>", "<|/tool_call|>"]),
        (granite, ["<|tool_call|>"]), (functools, ["functools"]),
        (mistralArguments, ["[TOOL_CALLS]", "[ARGS]"]),
        (deepSeek, ["<｜tool▁calls▁begin｜>", "```json"]),
        (deepSeekBare, ["<｜tool▁calls▁begin｜>"]), (kimi, ["<|tool_calls_section_begin|>"]),
        (miniMax, ["<minimax:tool_call>"]), (command, ["<|START_ACTION|>"]),
        (nemotron, ["<TOOLCALL>"]), (apriel, ["<tool_calls>[{\"name\":"]),
    ]

    private static func list(_ name: String, _ mark: String, close: String) -> ToolFormat {
        ToolFormat(
            name: name, open: mark, head: "[{\"name\": \"", middle: "\", \"arguments\":",
            tail: "}", close: close, next: ", {\"name\": \"")
    }

    private static func deepSeekMarkup(_ name: String, _ block: String) -> ToolFormat {
        invocations(
            name, block: "｜DSML｜" + block, prefix: "｜DSML｜", keyEnd: "\" string=\"true\">",
            otherEnds: ["\" string=\"false\">"])
    }

    private static func invocations(
        _ name: String, block: String, prefix: String, keyEnd: String, otherEnds: [String] = []
    ) -> ToolFormat {
        ToolFormat(
            name: name, open: "<\(block)>", head: "\n<\(prefix)invoke name=\"", middle: "\">",
            tail: "\n</\(prefix)invoke>", close: "\n</\(block)>",
            next: "\n<\(prefix)invoke name=\"",
            arguments: .tags(
                open: "\n<\(prefix)parameter name=\"", keyEnd: keyEnd, otherEnds: otherEnds,
                valueEnd: "</\(prefix)parameter>"))
    }

    private static func functions(_ name: String, in tag: String) -> ToolFormat {
        ToolFormat(
            name: name, open: "<\(tag)>", head: "\n<function=", middle: ">", tail: "\n</function>",
            close: "\n</\(tag)>", next: "\n</\(tag)>\n<\(tag)>",
            arguments: .tags(
                open: "\n<parameter=", keyEnd: ">\n", valueEnd: "\n</parameter>"))
    }
}
