public import Foundation
import MnemeBase

/// A moment that a store can be put back to: a whole copy, or what had changed since the point
/// before.
public struct BackupPoint: Sendable, Codable, Equatable {
    /// The time of the snapshot.
    public var time: Date
    /// True for a whole copy, which needs no point before it.
    public var isWhole: Bool
    /// The last position of the journal: what was written later is not in it.
    public var position: Int64
    /// Memories that the store held.
    public var memories: Int
    /// Rows that this point added, and bytes of its files.
    public var rows: Int, bytes: Int
    /// Its files, in the order in which they were written.
    package var files: [BackupFile]
    /// Where the store's three counters stood, and what stood there.
    package var marks: BackupMarks
    /// True for a whole copy of a store that had gone back to an earlier state than that of the
    /// point before; nil for all others.
    package var isBranch: Bool?
}

/// A file of a point.
package struct BackupFile: Sendable, Codable, Equatable {
    /// Its name in the place, and its bytes.
    package var name: String, bytes: Int
    /// The checksum of its bytes as they lie there, in hexadecimal.
    package var sha256: String
    /// The tables of which it has rows.
    package var tables: [String]
}

/// The ends of what a store only adds to, by which the next point knows what is new, and that the
/// store is still the one that it was.
package struct BackupMarks: Sendable, Codable, Equatable {
    /// The last positions of the journal and of the audit log, and the counter of vectors.
    package var journal: Int64, audit: Int64, vectors: Int64
    /// The digest of the journal's last entry and the hash of the log's, in hexadecimal; empty if
    /// there is none.
    package var digest: String, hash: String

    /// The ends of a store now: three rows are read.
    init(_ reader: any StoreTableReader) throws {
        let entry = try reader.last(.journal)
        let logged = try reader.last(.audit)
        journal = try entry?.number("position", of: .journal) ?? 0
        audit = try logged?.number("position", of: .audit) ?? 0
        digest = entry?.digits("digest", of: .journal) ?? ""
        hash = logged?.digits("hash", of: .audit) ?? ""
        vectors = 0
        try reader.forEachRow(.counter) { row in
            if row[0] == .text("vector") { vectors = try row.number("value", of: .counter) }
        }
    }

    /// Tells whether a store that stands at these marks has grown from one that stood at others.
    func follows(_ former: BackupMarks, _ reader: any StoreTableReader) throws -> Bool {
        guard journal >= former.journal, audit >= former.audit, vectors >= former.vectors else {
            return false
        }
        let digest = try Self.digits("digest", of: .journal, at: former.journal, reader)
        // The log may have been shortened since.
        let hash = try Self.digits("hash", of: .audit, at: former.audit, reader)
        return digest ?? "" == former.digest && hash ?? former.hash == former.hash
    }

    /// A column of the row at a position; nil if no row is there.
    static func digits(
        _ column: String, of table: StoreTable, at position: Int64, _ reader: any StoreTableReader
    ) throws -> String? {
        var found: String?
        try reader.forEachRow(table, .among("position", [.number(position)])) {
            found = $0.digits(column, of: table)
        }
        return found
    }
}

/// What a backup consists of. It is written last, so that what it names is there.
package struct BackupManifest: Sendable, Codable {
    /// Of this layout.
    package var version = 1
    /// The digest of the journal's first entry, which tells stores apart; empty while there is none.
    package var store = ""
    /// The number of the last run that began. It is written before the run's first file, whose name
    /// has it: of two runs at once the earlier cannot write the manifest any more, and files of
    /// earlier runs that no point names belong to nobody.
    package var run = 0
    /// All points, the oldest first. The first is whole.
    package var points: [BackupPoint] = []
    /// Of the tables that are compared in buckets, a digest of each bucket as of the last point.
    package var buckets: [String: [Int64: UInt64]] = [:]

    /// Its name in a place.
    static let name = "manifest"

    /// JSON with its checksum behind it.
    func encoded() throws -> Data {
        let body = Data(try StoreCoding.encode(self).utf8)
        return body + Data("\n\(BackupSeries.checksum(body))\n".utf8)
    }

    /// Reads what ``encoded()`` wrote.
    ///
    /// - Throws: ``StoreError`` if it is damaged, or of a newer version.
    static func decoded(_ data: Data, of place: String) throws -> BackupManifest {
        struct Version: Decodable { var version: Int }
        let damaged = StoreError(
            .corrupt,
            "\(place)/\(name) is damaged. Put it back from a copy of the backup, or begin another one elsewhere.")
        guard let end = data.dropLast().lastIndex(of: 10) else { throw damaged }
        let body = data[..<end]
        guard data[(end + 1)...].dropLast() == Data(BackupSeries.checksum(body).utf8),
            let version = try? JSONDecoder().decode(Version.self, from: body)
        else { throw damaged }
        guard version.version == 1 else {
            throw StoreError(.newerVersion, "\(place) was written by a newer Mneme. Update this one.")
        }
        return try StoreCoding.decode(BackupManifest.self, String(decoding: body, as: UTF8.self))
    }
}
