/// The format of a model's tool calls: the marks around them, and the form of the arguments.
///
/// A call is `open head NAME middle ARGUMENTS tail`; behind it stands `close`, or `next` and
/// another call from its `head` on. A blank or line break in a mark stands for itself, the other,
/// or nothing. The published formats are values of this type: the same value holds a model to the
/// format while it writes, and reads what it wrote.
public struct ToolFormat: Sendable, Equatable {
    /// The format's common name.
    public let name: String
    /// The mark that opens the calls of an answer.
    let open: String
    /// Text between the opening mark and the tool's name.
    let head: String
    /// Text between the name and the arguments.
    let middle: String
    /// Text behind the arguments, up to the call's end.
    let tail: String
    /// The mark behind the last call.
    let close: String
    /// The marks between two calls.
    let next: String
    /// Notation of the arguments.
    var arguments = Arguments.json
    /// True if a call may also begin without `open`, as the first of an answer.
    var opensBare = false

    /// The forms of arguments.
    enum Arguments: Sendable, Equatable {
        /// A JSON object.
        case json
        /// A name and a value at a time between tags; texts stand as they are, all else as JSON.
        case tags(open: String, keyEnd: String, valueEnd: String)
        /// JSON whose names stand bare and whose texts stand between marks, as Gemma writes it.
        case bareNames(quote: String)
    }

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

    /// All formats, those first whose marks say the most.
    package static let all = [
        xml, seed, glm, hermes, mistral, mistralArguments, gemma, functionGemma, phi, granite,
        functools, llama,
    ]

    private static func list(_ name: String, _ mark: String, close: String) -> ToolFormat {
        ToolFormat(
            name: name, open: mark, head: "[{\"name\": \"", middle: "\", \"arguments\":",
            tail: "}", close: close, next: ", {\"name\": \"")
    }

    private static func functions(_ name: String, in tag: String) -> ToolFormat {
        ToolFormat(
            name: name, open: "<\(tag)>", head: "\n<function=", middle: ">", tail: "\n</function>",
            close: "\n</\(tag)>", next: "\n</\(tag)>\n<\(tag)>",
            arguments: .tags(
                open: "\n<parameter=", keyEnd: ">\n", valueEnd: "\n</parameter>"))
    }

    /// The format of a chat template, by how it writes a call.
    ///
    /// - Parameters:
    ///   - history: a prompt with a call of the tool `name`, as the template renders it.
    ///   - template: the template's text and a prompt with tools: what its marks are looked for in
    ///     where it does not render calls.
    static func find(history: String, name: String, template: String) -> ToolFormat? {
        func plain(_ text: String) -> String { text.filter { !$0.isWhitespace } }
        let history = plain(history)
        let written = all.first { format in
            let start = (format.opensBare ? "" : format.open) + format.head + name
            let body = format == .mistralArguments ? "" : format.middle
            return history.contains(plain(start + body + format.firstOfArguments))
        }
        if written == .phi, !template.contains("<|/tool_call|>") { return .granite }
        if let written { return written }
        // Marks that stand in no other format.
        return [seed, gemma, functionGemma, phi, granite, functools, mistralArguments].first {
            let close = $0 == .mistralArguments ? "[ARGS]" : $0 == .phi ? "<|/tool_call|>" : ""
            return template.contains($0.open) && template.contains(close)
        }
    }

    /// The mark that tells the arguments from those of other formats with the same marks before
    /// them.
    private var firstOfArguments: String {
        switch arguments {
        case .json: self == .mistralArguments ? "" : "{"
        case .tags(let open, _, _): open
        case .bareNames: "{"
        }
    }

    /// The end of a prompt where a call must follow: all up to the name.
    var callPrefix: String { (opensBare ? "" : open) + head }
}
