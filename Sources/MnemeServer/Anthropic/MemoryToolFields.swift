import Mneme

/// The fields of a request to `/v1/memory_tool`: the input that a model gave the memory tool, and
/// whose memories are meant.
enum MemoryToolFields {
    /// The tool's type, as clients name it.
    static let type = "memory_20250818"

    /// The command's name; the other fields that it needs follow from it.
    static let command = RequestField<String>(
        "command",
        schema: [
            "type": "string",
            "enum": ["view", "create", "str_replace", "insert", "delete", "rename"],
        ],
        required: true
    ) { try $0.text($1) }
    /// The file or folder, under `/memories`.
    static let path = RequestField<String>("path")
    /// The text of a new file.
    static let fileText = RequestField<String>("file_text")
    /// The text to replace; it must stand in the file once.
    static let oldString = RequestField<String>("old_str")
    /// The text that takes its place; nothing if left out.
    static let newString = RequestField<String>("new_str")
    /// The line after which a text is put in; 0 is before the first.
    static let insertLine = RequestField<Int>("insert_line", in: 0...Int.max)
    /// The text that is put in.
    static let insertText = RequestField<String>("insert_text")
    /// The path to rename: a file, or a folder with all in it.
    static let oldPath = RequestField<String>("old_path")
    /// Its new path, where nothing may be yet.
    static let newPath = RequestField<String>("new_path")
    /// The user whose memories are meant; the caller if left out.
    static let user = RequestField<String>("user")
    /// The tenant of that user; the caller's own if left out.
    static let tenant = RequestField<String>("tenant")

    /// The first and the last line to show, from 1; -1 is the end.
    static let viewRange = RequestField<ClosedRange<Int>>(
        "view_range",
        schema: [
            "type": "array", "minItems": 2, "maxItems": 2, "items": ["type": "integer"],
        ]
    ) { request, name in
        guard let list = try request.list(name) else { return nil }
        let numbers = list.compactMap(\.int)
        guard numbers.count == 2, list.count == 2, numbers[0] >= 1,
            numbers[1] == -1 || numbers[1] >= numbers[0]
        else {
            throw InputError("'\(name)' must be a first and a last line, from 1; -1 is the end.")
        }
        return numbers[0]...(numbers[1] == -1 ? Int.max : numbers[1])
    }

    /// Every field, as the OpenAPI document lists them.
    static let all: [any AnyRequestField] = [
        command, path, viewRange, fileText, oldString, newString, insertLine, insertText, oldPath,
        newPath, user, tenant,
    ]

    /// The tool's purpose, as the model reads it.
    static let description = """
        Notes in files under /memories that last from one conversation to the next. View /memories \
        before you begin; write down what you will need later.
        """

    /// The JSON schema of the tool's input, its members in the order in which a model fills them in.
    static let schema = """
        {"type":"object","properties":{\
        "command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"]},\
        "path":{"type":"string","description":"Such as /memories/plan.txt."},\
        "view_range":{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2},\
        "file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},\
        "insert_line":{"type":"integer"},"insert_text":{"type":"string"},\
        "old_path":{"type":"string"},"new_path":{"type":"string"}},"required":["command"]}
        """
}

/// A command of the memory tool:
/// https://platform.claude.com/docs/en/agents-and-tools/tool-use/memory-tool
enum MemoryCommand: Sendable {
    /// Shows a file with line numbers, or lists a folder two levels deep.
    case view(MemoryPath, lines: ClosedRange<Int>?)
    /// Makes a new file.
    case create(MemoryPath, text: String)
    /// Replaces a text that stands in a file once.
    case replace(MemoryPath, old: String, new: String)
    /// Puts a text in behind a line.
    case insert(MemoryPath, line: Int, text: String)
    /// Takes a file or folder away. It can be restored, as forgotten memories can.
    case delete(MemoryPath)
    /// Gives a file or folder another path.
    case rename(MemoryPath, to: MemoryPath)

    /// Reads a command with the fields that it needs.
    ///
    /// - Throws: `InputError`.
    init(_ fields: JSONFields) throws {
        typealias F = MemoryToolFields
        func path(_ field: RequestField<String>) throws -> MemoryPath {
            try MemoryPath(try field.require(fields))
        }
        switch try F.command.require(fields) {
        case "view": self = .view(try path(F.path), lines: try F.viewRange.read(fields))
        case "create": self = .create(try path(F.path), text: try F.fileText.require(fields))
        case "str_replace":
            self = .replace(
                try path(F.path), old: try F.oldString.require(fields),
                new: try F.newString.read(fields) ?? "")
        case "insert":
            self = .insert(
                try path(F.path), line: try F.insertLine.require(fields),
                text: try F.insertText.require(fields))
        case "delete": self = .delete(try path(F.path))
        case "rename": self = .rename(try path(F.oldPath), to: try path(F.newPath))
        default:
            throw InputError(
                "'command' must be view, create, str_replace, insert, delete or rename.")
        }
    }
}

/// A path under `/memories`, checked.
struct MemoryPath: Sendable, Equatable {
    /// The folder that all paths lead into.
    static let root = "/memories"
    /// Without a slash at its end.
    let text: String

    /// True if it is that folder itself.
    var isRoot: Bool { text == Self.root }
    /// The prefix of paths of files in it.
    var folder: String { text + "/" }

    /// Reads a path within the folder of memories.
    ///
    /// - Throws: `InputError` for a path that leads elsewhere.
    init(_ text: String) throws {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let names = parts.dropFirst().filter { !$0.isEmpty }
        guard text.hasPrefix("/"), names.first == "memories", text.utf8.count <= 512,
            !names.contains(where: { $0 == "." || $0 == ".." || $0.contains("\\") })
        else {
            throw InputError(
                "'\(text.prefix(100))' is no path under /memories, of at most 512 bytes and without '..'."
            )
        }
        self.text = "/" + names.joined(separator: "/")
    }
}
