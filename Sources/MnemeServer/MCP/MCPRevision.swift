import Mneme

/// Revisions of the Model Context Protocol that are spoken here.
///
/// Until 2025-11-25 a connection begins with `initialize`, which settles one revision for both. From
/// 2026-07-28 on there is no handshake: each request names its revision in `_meta`.
/// See https://modelcontextprotocol.io/specification/2026-07-28/basic/versioning.
enum MCPRevision {
    /// The revision whose requests stand for themselves.
    static let stateless = "2026-07-28"
    /// Revisions that begin with `initialize`, the newest first.
    static let handshake = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]
    /// All of them, the newest first.
    static let all = [stateless] + handshake

    /// The revision that `initialize` settles on: the one asked for, or else the newest that has a
    /// handshake.
    static func negotiated(_ wanted: String?) -> String {
        wanted.flatMap { handshake.contains($0) ? $0 : nil } ?? handshake[0]
    }

    /// The error for a revision that is not spoken, which names those that are.
    static func unsupported(_ wanted: String) -> MCPError {
        MCPError(
            .unsupportedVersion,
            "Protocol version '\(wanted.prefix(40))' is not spoken here. Use one of 'supported'.",
            data: [
                "requested": .string(String(wanted.prefix(40))),
                "supported": .array(all.map { .string($0) }),
            ])
    }
}
