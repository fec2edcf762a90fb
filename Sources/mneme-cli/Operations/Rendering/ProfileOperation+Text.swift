import Mneme

/// `mneme profile`: a line for each thing that is known, with the last digits of the memories that say it.
extension ProfileOperation: TextRendering {
    /// What holds, since when, and the evidence.
    static func rendered(_ value: JSONValue) -> String {
        let lines = value["lines"]?.array ?? []
        let read = Terminal.styled("\(Answer.string(value, "considered")) memories were read.", .dim)
        guard !lines.isEmpty else {
            return "Nothing is known of \(Answer.string(value, "of")).\n" + read
        }
        return
            (lines.map { line in
                let evidence = Answer.strings(line, "memories").map { String($0.suffix(8)) }
                return Terminal.styled(Answer.string(line, "attribute"), .bold) + ": " + Answer.string(line, "value")
                    + Terminal.styled(
                        "  since \(Answer.day(line, "since").prefix(10)); \(evidence.joined(separator: ", "))", .dim)
            } + [read]).joined(separator: "\n")
    }
}
