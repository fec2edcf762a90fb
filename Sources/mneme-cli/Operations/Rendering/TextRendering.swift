import Mneme

/// An operation whose answer is shown to people as text. The text is made of the same JSON that
/// programs get with `--json`; an operation that does not conform shows that.
///
/// A rendering only reads and formats: it computes nothing that programs do not get, asks the store
/// nothing, and does not fail for a value that is missing.
protocol TextRendering: Mneme.Operation {
    /// The answer as text, without a line break at its end.
    static func rendered(_ value: JSONValue) -> String
    /// True if the answer reports a fault: the command then ends with exit code 1 after printing
    /// it.
    static func hasFault(_ value: JSONValue) -> Bool
}

/// The usual case: an answer is no fault.
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
