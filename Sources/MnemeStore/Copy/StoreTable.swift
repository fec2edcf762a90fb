package import Foundation

/// A value of a row, in any backend.
package enum StoredValue: Sendable, Equatable {
    case null
    case number(Int64)
    case real(Double)
    case text(String)
    case bytes(Data)
}

/// A table that every backend has, with the columns that all have of it.
package struct StoreTable: Sendable {
    /// Its name.
    package let name: String
    /// Its columns, in the order in which rows are copied.
    package let columns: [String]
    /// The columns that order its rows, and tell them apart.
    package let order: [String]

    private init(_ name: String, _ columns: String, by order: String) {
        self.name = name
        self.columns = columns.split(separator: " ").map(String.init)
        self.order = order.split(separator: " ").map(String.init)
    }

    /// The columns as a part of SQL; a name may be a word of the language.
    package var columnList: String { Self.list(columns) }
    /// What the rows are ordered by, as a part of SQL.
    package var orderList: String { Self.list(order) }

    private static func list(_ names: [String]) -> String {
        names.map { "\"\($0)\"" }.joined(separator: ", ")
    }

    /// All tables that hold what is kept, those first that others refer to. Counts are not among them:
    /// they follow from the rows.
    package static let all = [
        StoreTable("owner", "id tenant user", by: "id"),
        StoreTable("session", "id owner name next_place", by: "id"),
        StoreTable(
            "cube",
            "seq id owner session place agent type state version text speaker event_time recorded_time updated_time "
                + "expires priority header content_hash position analysis analyzer uses last_used activation "
                + "sensitivity valid_until", by: "seq"),
        StoreTable("vector", "cube embedder version position data", by: "cube"),
        StoreTable("pending", "cube", by: "cube"),
        StoreTable("link", "owner source target kind time", by: "source target kind"),
        StoreTable(
            "journal",
            "position owner time operation cube version principal reason payload salt digest target",
            by: "position"),
        StoreTable("idempotency", "owner key request cubes time", by: "owner key"),
        StoreTable("counter", "name value", by: "name"),
        StoreTable(
            "access_grant", "id owner cube grantee permissions up_to created grantor expires", by: "id"),
        StoreTable(
            "audit",
            "position time principal operation tenant user outcome cubes count reason request detail journal_first "
                + "journal_last digest hash", by: "position"),
        StoreTable("audit_checkpoint", "position hash time key signature", by: "position key"),
        StoreTable(
            "audit_base", "position hash journal written digest time key signature", by: "position"),
        StoreTable("claim", "owner key cube subject attribute value denied", by: "owner key cube"),
        StoreTable(
            "job",
            "id kind tenant user arguments priority state attempts maximum_attempts created due started finished "
                + "worker lease_end message schedule", by: "id"),
        StoreTable("schedule", "name cron job last", by: "name"),
        StoreTable("policy", "tenant body", by: "tenant"),
        StoreTable("progress", "owner work seq", by: "owner work"),
        StoreTable("export", "owner kind place time principal position", by: "owner kind place"),
    ]
}
