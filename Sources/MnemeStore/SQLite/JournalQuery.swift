/// The journal's rows of one cube, as SQL.
///
/// The plus sign keeps SQLite from the index of owners: it is in the order asked for, too, so that
/// all that the owner ever wrote would be read for a cube's few rows.
package enum JournalQuery {
    /// All entries, the first one first; arguments: cube, owner.
    package static let entries = "SELECT * FROM journal WHERE cube = ? AND +owner = ? ORDER BY position"
    /// The cube as it was recorded at a time; arguments: cube, owner, seconds since 1970.
    package static let snapshot = """
        SELECT payload FROM journal WHERE cube = ? AND +owner = ? AND time <= ?
            AND operation NOT IN ('link', 'unlink') ORDER BY position DESC LIMIT 1
        """
    /// The texts of all versions; arguments: cube, owner, by number, as it is a part of a query.
    package static let texts = """
        SELECT CAST(payload ->> '$.text' AS BLOB) FROM journal WHERE cube = ?1 AND +owner = ?2
            AND payload IS NOT NULL AND operation NOT IN ('link', 'unlink')
        """
}
