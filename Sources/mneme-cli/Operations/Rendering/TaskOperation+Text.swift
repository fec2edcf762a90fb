import Mneme

/// `mneme task`: the tree with a mark for each step, and the prompt of the active one.
extension TaskOperation: TextRendering {
    private static let marks = ["done": "✓", "failed": "✗", "active": "▸", "dropped": "–"]

    /// A line a step with its id, what a model needs for the active one, then a line a file.
    static func rendered(_ value: JSONValue) -> String {
        let active = Answer.string(value, "active")
        var lines = (value["steps"]?.array ?? []).map { step in
            let id = Answer.string(step, "id")
            let indent = String(repeating: "  ", count: min(20, step["depth"]?.double.map { Int($0) } ?? 0))
            let text = Answer.oneLine(Answer.string(step, "text"), 120)
            return Terminal.styled(id, .dim) + " " + indent + (marks[Answer.string(step, "status")] ?? "·") + " "
                + (id == active ? Terminal.styled(text, .bold) : text)
        }
        lines.append("")
        lines.append(
            (value["prompt"]?.string ?? "").split(separator: "\n").map { Terminal.line($0) }.joined(separator: "\n"))
        lines.append(Terminal.styled("\(Answer.string(value, "tokens")) tokens", .dim))
        let files = value["files"]?.array ?? []
        for file in files {
            let about = Answer.oneLine(Answer.string(file, "outline"), 80)
            let size = Answer.string(file, "tokens") + " tokens"
            lines.append(Terminal.line(Answer.string(file, "path")) + "  " + Terminal.styled("\(about)  \(size)", .dim))
        }
        // The text of the one that was asked for stands last, so that it can be copied.
        for text in files.compactMap({ $0["text"]?.string }) {
            lines += [""] + text.split(separator: "\n", omittingEmptySubsequences: false).map { Terminal.line($0) }
        }
        return lines.joined(separator: "\n")
    }
}
