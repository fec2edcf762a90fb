import Mneme

/// `mneme share`: the grant as a sentence, so that a slip is seen at once.
extension ShareOperation: TextRendering {
    /// The grant, and how to take it back.
    static func rendered(_ value: JSONValue) -> String {
        "Shared: " + (value["grant"].map(line) ?? "")
            + ". `mneme unshare \(Answer.string(value["grant"], "id"))` takes it back."
    }

    /// A grant as a sentence: who may do what with what, and until when.
    static func line(_ value: JSONValue) -> String {
        let permissions = Answer.strings(value, "permissions").joined(
            separator: ", ")
        let what =
            value["cube"]?.string.map { "memory \($0)" }
            ?? "memories of \(Answer.string(value["owner"], "user")) up to '\(Answer.string(value, "upTo"))'"
        return "\(Answer.string(value, "grantee")) may \(permissions) \(what)"
            + (value["expires"] == nil ? "" : " until \(Answer.day(value, "expires"))")
    }
}

/// `mneme unshare`: one line.
extension UnshareOperation: TextRendering {
    /// There is nothing to tell but that it is done.
    static func rendered(_ value: JSONValue) -> String {
        "Taken back."
    }
}

/// `mneme grants`: grants given and received; one that is both stands once.
extension GrantsOperation: TextRendering {
    /// A line a grant, given or received, with the number that `unshare` takes.
    static func rendered(_ value: JSONValue) -> String {
        let given = value["grants"]?.array ?? []
        let received = value["received"]?.array ?? []
        if given.isEmpty, received.isEmpty { return "Nothing is shared." }
        return (given + received.filter { !given.contains($0) }).map {
            "\(Answer.string($0, "id"))  \(ShareOperation.line($0))"
        }.joined(
            separator: "\n")
    }
}
