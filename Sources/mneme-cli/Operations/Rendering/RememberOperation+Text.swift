import Mneme

/// `mneme remember`: one memory for each text that was taken in.
extension RememberOperation: TextRendering {
    /// One paragraph a memory: its id, what was found in it, or why it is quarantined.
    static func rendered(_ value: JSONValue) -> String {
        (value["memories"]?.array ?? []).map(remembered).joined(separator: "\n")
    }

    /// The result for one memory: known already, quarantined with its signs, or remembered.
    private static func remembered(_ item: JSONValue) -> String {
        let memory = item["memory"]
        if Answer.string(item, "duplicate") == "true" {
            return "Already known as \(Answer.string(item, "id")); nothing was written."
        }
        if Answer.string(memory, "state") == "quarantined" {
            let signs = Answer.strings(memory, "caution")
            return Terminal.styled("Quarantined", .yellow)
                + " \(Answer.string(item, "id")): it reads like an instruction to a model (\(signs.joined(separator: ", "))).\n"
                + "  It is not recalled. `mneme release \(Answer.string(item, "id"))` makes it recallable; `--trusted` would have done so at once."
        }
        var text =
            Terminal.styled("Remembered", .green)
            + " \(Answer.string(item, "id"))  \(Answer.string(item, "type"))"
        let dates = (memory?["dates"]?.array ?? []).map {
            "\(Answer.string($0, "text")) = \(Answer.string($0, "start").prefix(10))"
        }
        let names = Answer.strings(memory, "entities")
        let notes = [
            dates.isEmpty ? nil : "dates: " + dates.joined(separator: ", "),
            names.isEmpty ? nil : "names: " + names.joined(separator: ", "),
        ]
        .compactMap(\.self)
        if !notes.isEmpty { text += "\n  " + Terminal.styled(notes.joined(separator: "; "), .dim) }
        if let near = item["nearDuplicateOf"]?.string {
            text += "\n  nearly the same as \(near); the two are linked"
        }
        return text
    }
}
