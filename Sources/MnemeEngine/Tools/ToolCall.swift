/// A model's call of a tool: what it wrote, or what a history says that it wrote.
public struct ToolCall: Sendable, Equatable {
    /// Names the call, so that a message with its result can refer to it.
    public var id: String
    /// The tool's name.
    public var name: String
    /// The arguments: the text of a JSON object. Where an answer was cut off by its most tokens,
    /// the text may end in the middle.
    public var arguments: String

    /// A call with its id, the tool's name and the arguments.
    public init(id: String = ToolCall.newID(), name: String, arguments: String) {
        self.id = id
        self.name = name
        self.arguments = arguments
    }

    /// Characters of an id: templates of the Mistral family refuse any other number.
    package static let idLength = 9

    /// A new id: nine letters and digits at random.
    public static func newID() -> String {
        let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
        return String((0..<idLength).map { _ in alphabet[Int.random(in: alphabet.indices)] })
    }
}
