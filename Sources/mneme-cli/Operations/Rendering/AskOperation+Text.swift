import Mneme

/// `mneme ask`: the answer, whether it is a guess and why, and the memories that it rests on.
extension AskOperation: TextRendering {
    /// The answer, its reasons for doubt, and a line a memory.
    static func rendered(_ value: JSONValue) -> String {
        var lines = [Terminal.styled(Answer.string(value, "answer"), .bold)]
        if Answer.string(value, "certain") != "true" {
            lines.append(Terminal.styled("This is a guess:", .yellow))
            lines += Answer.strings(value, "reasons").map { "  " + $0 }
        }
        let memories = value["memories"]?.array ?? []
        if !memories.isEmpty {
            let isRecalled = Answer.string(value, "recalled") == "true"
            let isCited = !Answer.string(value, "model").isEmpty
            lines.append(isCited ? "Cited:" : isRecalled ? "Found, not counted:" : "Counted:")
        }
        lines += memories.map { memory in
            let speaker = Answer.string(memory, "speaker")
            return "  " + Terminal.styled(String(Answer.string(memory, "id").suffix(8)), .dim) + " "
                + Terminal.styled(String(Answer.day(memory, "eventTime").prefix(10)), .cyan) + " "
                + (speaker.isEmpty ? "" : speaker + ": ")
                + Answer.oneLine(Answer.text(of: memory), 200)
        }
        lines.append(
            Terminal.styled("\(Answer.string(value, "considered")) memories were read.", .dim))
        return lines.joined(separator: "\n")
    }
}
