import Mneme

/// `mneme rollback`: the text is cut behind 200 characters; `mneme get` shows all of it.
extension RollbackOperation: TextRendering {
    /// The text that the memory has again, and its new version.
    static func rendered(_ value: JSONValue) -> String {
        let memory = value["memory"]
        return
            "\(Answer.string(memory, "id")) is again: \(Answer.oneLine(Answer.text(of: memory), 200))  (version \(Answer.string(memory, "version")))"
    }
}

/// `mneme correct`: one line.
extension CorrectOperation: TextRendering {
    /// The memory that stands in the place of the wrong one.
    static func rendered(_ value: JSONValue) -> String {
        let memory = value["memory"]
        return
            "Remembered \(Answer.string(memory, "id")) in its place. `mneme restore` of the old one takes that back."
    }
}

/// `mneme feedback`: one line for each verdict: right, wrong, outdated.
extension FeedbackOperation: TextRendering {
    /// The effect of the verdict on recall.
    static func rendered(_ value: JSONValue) -> String {
        let memory = value["memory"]
        switch Answer.string(value, "verdict") {
        case "outdated":
            return
                "It does not hold since \(Answer.day(memory, "validUntil")); questions about then still find it."
        case "wrong":
            return
                "Taken out of recall. `mneme restore \(Answer.string(memory, "id"))` takes it back."
        default: return "Confirmed."
        }
    }
}

/// `mneme freeze`: one line.
extension FreezeOperation: TextRendering {
    /// The command that undoes it.
    static func rendered(_ value: JSONValue) -> String {
        let memory = value["memory"]
        return
            "Frozen \(Answer.string(memory, "id")). `mneme restore` lets it be changed again."
    }
}

/// `mneme quarantine`: one line.
extension QuarantineOperation: TextRendering {
    /// The command that undoes it.
    static func rendered(_ value: JSONValue) -> String {
        let memory = value["memory"]
        return
            "Quarantined \(Answer.string(memory, "id")). `mneme release` lets it be recalled again."
    }
}

/// `mneme release`: one line.
extension ReleaseOperation: TextRendering {
    /// The id of the memory that is recalled again.
    static func rendered(_ value: JSONValue) -> String {
        let memory = value["memory"]
        return
            "Released \(Answer.string(memory, "id")): it is recalled from now on."
    }
}
