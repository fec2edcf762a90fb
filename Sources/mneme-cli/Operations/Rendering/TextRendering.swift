import Mneme

/// How an operation's answer is shown to people. It is made of the same JSON that programs get with
/// `--json`; an operation that does not conform shows that.
protocol TextRendering: Mneme.Operation {
    /// The answer as text, without a line break at its end.
    static func rendered(_ value: JSONValue) -> String
    /// Whether the answer reports a fault, so that the command ends with exit code 1.
    static func hasFault(_ value: JSONValue) -> Bool
}

extension TextRendering {
    /// Most answers report none.
    static func hasFault(_ value: JSONValue) -> Bool { false }
}

extension Mneme.Operation {
    /// The answer for people: its own rendering, or the JSON.
    static func shown(_ value: JSONValue) throws -> String {
        try (self as? any TextRendering.Type)?.rendered(value)
            ?? OperationTable.encode(value, pretty: true)
    }
}
