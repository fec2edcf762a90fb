import Foundation
import MnemeStore

/// Which cubes say what a commit is about to add: looked up with one statement for all that it adds,
/// before any of it is written.
///
/// What was found holds until a row of the owner's is written; whoever writes says so, and asks the
/// database again from then on.
struct PGContents {
    /// A content, and whose.
    private struct Key: Hashable {
        var owner: Int64, hash: Data
    }
    /// The cube with a content, or nil where there is none.
    private var known: [Key: CubeID?] = [:]

    /// The statement that looks contents of one owner up. Sorted by a sum, as
    /// ``PGCommitRows/cube(withContent:session:)`` is.
    static func query(_ hashes: [Data], of owner: Int64) -> (sql: String, arguments: PGArguments) {
        (
            """
            SELECT DISTINCT ON (content_hash) content_hash, id FROM cube
            WHERE owner = ? AND content_hash = ANY (?::bytea[]) AND state NOT IN ('archived', 'merged')
            ORDER BY content_hash, seq + 0
            """, [owner, PGByteArrays(hashes)]
        )
    }

    /// Notes what ``query(_:of:)`` was answered with.
    mutating func note(_ hashes: [Data], of owner: Int64, found rows: [PGRow]) throws {
        for hash in hashes { known[Key(owner: owner, hash: hash)] = .some(nil) }
        for row in rows {
            guard let hash = try row.bytes("content_hash") else { continue }
            known[Key(owner: owner, hash: hash)] = CubeID(stored: try row.value("id"))
        }
    }

    /// The cube with a content.
    ///
    /// - Returns: nil if that is not known; a nil inside where there is no such cube.
    func cube(with hash: [UInt8], of owner: Int64?) -> CubeID?? {
        owner.flatMap { known[Key(owner: $0, hash: Data(hash))] }
    }

    /// A cube with this content was written.
    mutating func forget(_ hash: [UInt8], of owner: Int64?) {
        if let owner { known[Key(owner: owner, hash: Data(hash))] = nil }
    }

    /// Cubes were changed, or taken back, whatever they say.
    mutating func forgetAll() { known = [:] }
}
