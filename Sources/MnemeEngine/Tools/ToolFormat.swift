/// The format of a model's tool calls: the marks around them, and the form of the arguments.
///
/// A call is `open head NAME middle ARGUMENTS tail`; behind it stands `close`, or `next` and
/// another call from its `head` on. Marks are read as `LiteralChoice` has it: a blank or line break
/// stands for itself, the other, or nothing. The published formats are values of this type: the same value holds a model to the
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
        /// Behind the name stands `keyEnd`, or one of `otherEnds` where the format tells so that the
        /// value is no text.
        case tags(open: String, keyEnd: String, otherEnds: [String] = [], valueEnd: String)
        /// JSON whose names stand bare and whose texts stand between marks, as Gemma writes it.
        case bareNames(quote: String)
    }

    /// The format of a chat template, by how it writes a call.
    ///
    /// - Parameters:
    ///   - history: a prompt with a call of the tool `name`, as the template renders it.
    ///   - template: the template's text and a prompt with tools: what its marks are looked for in
    ///     where it does not render calls.
    package static func find(history: String, name: String, template: String) -> ToolFormat? {
        func plain(_ text: String) -> String { text.filter { !$0.isWhitespace } }
        let history = Array(plain(history).utf8)
        let template = plain(template)
        let written = all.first { format in
            let start = (format.opensBare ? "" : format.open) + format.head + name
            let body = format == .mistralArguments ? "" : format.middle
            return LiteralChoice.holds(history, plain(start + body + format.firstOfArguments))
        }
        if written == .phi, !template.contains("<|/tool_call|>") { return .granite }
        return written ?? byMarks.first { $0.marks.allSatisfy(template.contains) }?.format
    }

    /// The mark that tells the arguments from those of other formats with the same marks before
    /// them.
    private var firstOfArguments: String {
        switch arguments {
        case .json: self == .mistralArguments ? "" : "{"
        case .tags(let open, _, _, _): open
        case .bareNames: "{"
        }
    }

    /// The end of a prompt where a call must follow: all up to the name.
    var callPrefix: String { (opensBare ? "" : open) + head }
}
