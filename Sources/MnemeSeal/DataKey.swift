import Crypto
package import Foundation
import MnemeBase

/// Encrypts what lies on disk: AES-256-GCM with a random nonce for each piece.
///
/// After 2^32 pieces (16 TiB of pages) two nonces may be equal by chance with a probability of
/// 2^-32 (NIST SP 800-38D); `mneme encryption rotate --rewrite` makes a new key.
public struct DataKey: Sendable {
    /// Bytes that a piece grows by: nonce and tag.
    package static let overhead = 28
    private let key: SymmetricKey

    /// A new one.
    package init() { key = SymmetricKey(size: .bits256) }
    init(_ key: SymmetricKey) { self.key = key }

    func bytes<Result>(_ body: (Data) throws -> Result) rethrows -> Result {
        try key.withUnsafeBytes { try body(Data($0)) }
    }

    /// Tells keys apart, see ``EncryptionKey/id``.
    var id: Data {
        Data(
            SHA256.hash(data: key.withUnsafeBytes { Data("mneme data key".utf8) + Data($0) })
                .prefix(8))
    }

    /// ``id`` in hexadecimal digits.
    package var name: String { Hexadecimal.string(id) }

    /// Another key for another purpose.
    package func derived(_ purpose: String) -> DataKey {
        DataKey(
            HKDF<SHA256>.deriveKey(
                inputKeyMaterial: key, info: Data("mneme \(purpose)".utf8), outputByteCount: 32))
    }

    /// Encrypts a piece.
    ///
    /// - Parameters:
    ///   - context: what it is and where it stands; it opens only there.
    /// - Returns: nonce, what was encrypted, and tag.
    package func seal(_ plain: UnsafeRawBufferPointer, context: Data) throws -> Data {
        try AES.GCM.seal(plain, using: key, authenticating: context).combined!
    }

    /// - Returns: nil if the piece is not what was encrypted with this key for this place.
    package func open(_ sealed: UnsafeRawBufferPointer, context: Data) -> Data? {
        guard let box = try? AES.GCM.SealedBox(combined: sealed) else { return nil }
        return try? AES.GCM.open(box, using: key, authenticating: context)
    }
}
