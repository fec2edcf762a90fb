package import Crypto
public import Foundation

/// Digests that bind the journal to the audit log.
package enum JournalDigest {
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
        var bytes: [UInt8] = []
        bytes.reserveCapacity(payload.utf8.count + 256)
        bytes += salt
        for text in [
            String(time.bitPattern), operation, cube, String(version), principal, reason ?? "\u{1}",
            payload,
        ] {
            bytes += text.utf8
            bytes.append(0)
        }
        return Data(SHA256.hash(data: bytes))
    }

    /// Adds a journal entry to the digest of a write.
    package static func add(_ position: Int64, _ digest: Data, to hash: inout SHA256) {
        withUnsafeBytes(of: position.littleEndian) { hash.update(bufferPointer: $0) }
        hash.update(data: digest)
    }
}

extension JournalRow {
    /// The digest that the row's fields and salt give. A store that checks itself compares it with
    /// ``digest``; where the payload was erased, the salt is gone, and there is nothing to compare.
    ///
    /// - Complexity: linear in the payload.
    public var recomputedDigest: Data {
        JournalDigest.digest(
            salt: salt, time: time.timeIntervalSince1970, operation: operation.rawValue,
            cube: cube.description, version: version, principal: principal, reason: reason,
            payload: payload)
    }
}
