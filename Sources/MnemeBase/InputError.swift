/// A request that cannot be carried out as it is. The message says what to change.
public struct InputError: MnemeError {
    /// The sentence for users: what is wrong with the input, and what is expected.
    public let message: String

    /// - Parameter message: what to change, for the one who asked.
    public init(_ message: String) { self.message = message }

    /// Always ``ErrorClass/input``.
    public var errorClass: ErrorClass { .input }
}
