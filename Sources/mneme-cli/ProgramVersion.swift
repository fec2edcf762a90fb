/// The program's version.
enum ProgramVersion {
    /// Shown by `--version`, and told to clients of HTTP and MCP.
    static let text = "0.1.0"
}
