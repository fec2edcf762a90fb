import Mneme

/// `mneme learn`: what was kept, and what followed from it.
extension LearnOperation: TextRendering {
    /// The case's id and value, the number of like cases that changed, and the procedure.
    static func rendered(_ value: JSONValue) -> String {
        let memory = value["memory"]
        var lines = [
            Terminal.styled("Learned", .green)
                + " \(Answer.string(memory, "id"))  value \(Answer.string(memory, "metadata", "value"))"
        ]
        if Answer.string(memory, "state") == "quarantined" {
            lines.append(
                "  It reads like an instruction to a model and is quarantined; `mneme release` makes it recallable.")
        }
        let changed = value["changed"]?.array?.count ?? 0
        if changed > 0 { lines.append("  \(changed) like cases have new values") }
        if let procedure = value["procedure"] {
            lines.append("  procedure \(Answer.string(procedure, "id")):")
            lines.append("  " + Answer.oneLine(Answer.text(of: procedure), 300))
        }
        return lines.joined(separator: "\n")
    }
}
