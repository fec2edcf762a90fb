import Mneme

/// `mneme task`: the tree with a mark for each step, and the prompt of the active one.
extension TaskOperation: TextRendering {
    private static let marks = ["done": "✓", "failed": "✗", "active": "▸", "dropped": "–"]

    /// A line a step with its id, then what a model needs for the active one.
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
        return lines.joined(separator: "\n")
    }
}
