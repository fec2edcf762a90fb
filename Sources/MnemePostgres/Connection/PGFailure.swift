import CLibPQ
import MnemeStore

/// What went wrong between this process and the database.
enum PGFailure: Error {
    /// The connection is gone: whether what was sent has happened is not known by this alone.
    case connectionLost(String)
    /// Two transactions stood in each other's way; this one was taken back, and can be repeated.
    case conflict
    /// The database refused a statement.
    case refused(state: String, message: String)
    /// The database did not answer in time.
    case silent
    /// No server that could be reached takes writes: they are standbys.
    case readOnly(String)
    /// A table has other columns than when the statement was prepared: another version of this program
    /// has migrated the store.
    case stale

    /// The failure of a result.
    init(_ result: OpaquePointer) {
        let state = PQresultErrorField(result, 67).map { String(cString: $0) } ?? ""
        // The primary message: details, which may hold values, are left out.
        let message =
            PQresultErrorField(result, 77).map { String(cString: $0) }
            ?? PQresultErrorMessage(result).map { String(cString: $0) } ?? ""
        switch state {
        case "40001", "40P01": self = .conflict
        // The one division of the store, see `PostgresMemoryStore.scope(of:_:)`.
        case "22012": self = .conflict
        // A primary that was made a standby while the connection stood.
        case "25006": self = .readOnly(message)
        // The message is in the database's language; the function that refuses is one.
        case "0A000" where PQresultErrorField(result, 82).map({ String(cString: $0) }) == "RevalidateCachedQuery":
            self = .stale
        // The server goes down, or has lost a process; what waits for it is told to come again.
        case "57P01", "57P02", "57P03": self = .connectionLost(message)
        case "": self = .connectionLost(message)
        case _ where state.hasPrefix("08"): self = .connectionLost(message)
        default: self = .refused(state: state, message: message)
        }
    }

    /// True if the same may be tried again on another connection, where it did not happen.
    var isPassing: Bool {
        switch self {
        case .connectionLost, .conflict, .readOnly, .stale: true
        case .refused, .silent: false
        }
    }

    /// True if the connection is gone, or as good as that.
    var isLoss: Bool {
        switch self {
        case .connectionLost, .silent, .readOnly, .stale: true
        case .refused, .conflict: false
        }
    }

    /// The error for users.
    func error(_ name: String) -> StoreError {
        switch self {
        case .connectionLost(let message):
            StoreError(.unavailable, "\(name) cannot be reached: \(Self.line(message)).")
        case .silent:
            StoreError(
                .unavailable,
                "\(name) does not answer. Look whether the database and the network work, and repeat it.")
        case .readOnly(let message):
            StoreError(
                .readOnly,
                "\(name) cannot be written: \(Self.line(message)). Name the primary, or all servers of the cluster "
                    + "(postgres://USER@HOST1,HOST2/DATABASE): the one that takes writes is found. "
                    + "If a standby is about to take over, repeat it."
            )
        case .stale:
            StoreError(.busy, "\(name) is being migrated by another version of mneme. Repeat it.")
        case .conflict:
            StoreError(.busy, "Other servers change the same in \(name). Repeat it.")
        case .refused(let state, let message): Self.refusal(state, message, name)
        }
    }

    /// The sentence for an error code of PostgreSQL (Appendix A of its documentation).
    private static func refusal(_ state: String, _ message: String, _ name: String) -> StoreError {
        switch state {
        case "53100":
            StoreError(
                .diskFull,
                "The disk of \(name) is full. Nothing of this request was written; free space and repeat it.")
        case "42501":
            StoreError(
                .readOnly, "\(name) cannot be written: \(line(message)). Name a role that owns the tables.")
        case "55P03":
            StoreError(.busy, "Another server writes to \(name) for too long. Try again.")
        case "53300", "53200", "53400":
            StoreError(
                .busy, "\(name) takes no more: \(line(message)). Lower mneme_connections, or raise its limits.")
        case "26000", "42P05":
            StoreError(
                .unavailable,
                "\(name) is reached through a pooler that lends connections by the transaction and does not keep "
                    + "prepared statements. For PgBouncer set pool_mode = session, or (from 1.22 on) "
                    + "max_prepared_statements = 400.")
        case "57014":
            StoreError(
                .busy, "\(name) took too long. Repeat it, or raise mneme_timeout in the store's URL.")
        case "22021", "22P05":
            StoreError(.invalidText, "A text cannot be kept in \(name): \(line(message)).")
        case "XX001", "XX002", "42P01", "42703":
            StoreError(
                .corrupt, "\(name) is damaged (\(line(message))). Run `mneme doctor`, or restore a copy.")
        default: StoreError(.unavailable, "\(name) refused: \(line(message)) (\(state)).")
        }
    }

    /// A message as a part of a sentence.
    private static func line(_ message: String) -> String {
        let line = message.split(whereSeparator: \.isNewline).first.map(String.init) ?? "no reason is given"
        return TextRules.whole(line.hasSuffix(".") ? String(line.dropLast()) : line)
    }
}
