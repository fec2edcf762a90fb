/// Where the optimizer's state is between its steps, by the names that commands use.
public enum StatePlacement: String, Sendable, Codable, CaseIterable {
    /// In memory.
    case memory
    /// In a file, of which two layers' state is in memory at a time.
    case file

    /// All names, as a sentence has them.
    public static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
