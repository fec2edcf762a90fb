package import Foundation
import MnemeBase

/// A value of a row, in any backend.
package enum StoredValue: Sendable, Hashable {
    case null
    case number(Int64)
    case real(Double)
    case text(String)
    case bytes(Data)
}

/// The rows of a table that are asked for.
package enum RowFilter: Sendable {
    case all
    /// Those with more than a number in a column.
    case above(String, Int64)
    /// Those with one of some values in a column; a thousand values at most.
    case among(String, [StoredValue])
}

/// A table that every backend has, with the columns that all have of it.
package struct StoreTable: Sendable {
    /// What tells it from others, in backups too.
    package let key: String
    /// Its name.
    package let name: String
    /// Its columns, in the order in which rows are copied.
    package let columns: [String]
    /// The columns that order its rows, and tell them apart.
    package let order: [String]

    private init(_ name: String, _ columns: String, by order: String, key: String? = nil) {
        (self.key, self.name) = (key ?? name, name)
        self.columns = columns.split(separator: " ").map(String.init)
        self.order = order.split(separator: " ").map(String.init)
    }

    /// The columns as a part of SQL; a name may be a word of the language.
    package var columnList: String { Self.list(columns) }
    /// What the rows are ordered by, as a part of SQL.
    package var orderList: String { Self.list(order) }

    /// The place of a column in its rows.
    package func index(_ column: String) -> Int { columns.firstIndex(of: column)! }

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

    /// Tables that code asks for by name.
    package static let journal = named("journal"), audit = named("audit"), counter = named("counter")
    package static let cube = named("cube")

    package static let link = named("link"), vector = named("vector"), session = named("session")

    /// A table by its name, which is one of ``all``.
    package static func named(_ name: String) -> StoreTable { all.first { $0.name == name }! }

    /// How often memories were used, and when last: columns of `cube` that change beside the journal.
    package static let use = StoreTable("cube", "seq uses last_used", by: "seq", key: "use")

    /// What a backup holds.
    package static let backedUp = all + [use]
}

extension [StoredValue] {
    /// The value of a column.
    package func value(_ column: String, of table: StoreTable) -> StoredValue { self[table.index(column)] }

    /// A whole number of a column.
    ///
    /// - Throws: ``StoreError`` if it is none.
    package func number(_ column: String, of table: StoreTable) throws -> Int64 {
        guard case .number(let number) = value(column, of: table) else {
            throw StoreError(.corrupt, "A row of \(table.name) has no number in '\(column)'. Run `mneme doctor`.")
        }
        return number
    }

    /// A floating-point number of a column.
    ///
    /// - Throws: ``StoreError`` if it is none.
    package func real(_ column: String, of table: StoreTable) throws -> Double {
        guard case .real(let number) = value(column, of: table) else {
            throw StoreError(.corrupt, "A row of \(table.name) has no time in '\(column)'. Run `mneme doctor`.")
        }
        return number
    }

    /// A text of a column; nil if there is none.
    package func text(_ column: String, of table: StoreTable) -> String? {
        if case .text(let text) = value(column, of: table) { text } else { nil }
    }

    /// The bytes of a column in hexadecimal; nil if there are none.
    package func digits(_ column: String, of table: StoreTable) -> String? {
        if case .bytes(let data) = value(column, of: table) { Hexadecimal.string(data) } else { nil }
    }
}
