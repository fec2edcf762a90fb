package import Crypto
package import Foundation

/// Digests that bind the journal to the audit log.
package enum JournalDigest {
    /// Names a journal entry for good, without telling what it says once its salt is gone.
    /// Names a journal entry for good, without telling what it says once its salt is gone: SHA-256
    /// of the salt and of all fields, each ended by a zero byte, which no field holds.
    ///
    /// Times are hashed by their bits, as their text depends on who prints it. A reason that is
    /// missing is not one that is empty.
    package static func digest(
        salt: Data, time: Double, operation: String, cube: String, version: Int, principal: String,
        reason: String?,
        payload: String
    ) -> Data {
        var hash = SHA256()
        hash.update(data: salt)
        for text in [
            "\(time.bitPattern)", operation, cube, String(version), principal, reason ?? "\u{1}",
            payload,
        ] {
            hash.update(data: Data(text.utf8))
            hash.update(data: [0])
        }
        return Data(hash.finalize())
    }

    /// Adds a journal entry to the digest of a write.
    package static func add(_ position: Int64, _ digest: Data, to hash: inout SHA256) {
        withUnsafeBytes(of: position.littleEndian) { hash.update(bufferPointer: $0) }
        hash.update(data: digest)
    }
}
