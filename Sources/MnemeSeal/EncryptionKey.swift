import Crypto
package import Foundation
import MnemeBase

/// The key that a user keeps: 256 random bits. It encrypts nothing but the ``DataKey``s of files,
/// so that it can be exchanged without writing the files again.
public struct EncryptionKey: Sendable, Equatable {
    private let key: SymmetricKey

    /// A new one.
    public init() { key = SymmetricKey(size: .bits256) }

    /// Reads ``text``: 64 hexadecimal digits; space around them does not matter.
    ///
    /// - Throws: ``SealError``.
    public init(text: String) throws {
        guard
            let bytes = Hexadecimal.bytes(
                text.trimmingCharacters(in: .whitespacesAndNewlines).lowercased()),
            bytes.count == 32
        else {
            throw SealError(
                .malformedKey,
                "An encryption key is 64 hexadecimal digits, as `openssl rand -hex 32` or `mneme encryption on` make them."
            )
        }
        key = SymmetricKey(data: bytes)
    }

    /// 64 hexadecimal digits.
    public var text: String { key.withUnsafeBytes { Hexadecimal.string($0) } }

    /// Tells keys apart without telling what they are: the first eight bytes of a hash.
    package var id: Data {
        Data(SHA256.hash(data: key.withUnsafeBytes { Data("mneme key".utf8) + Data($0) }).prefix(8))
    }

    /// A key of data that needs no wrapping: whoever has this one makes it (HKDF-SHA256).
    package func derived(_ purpose: String) -> DataKey {
        DataKey(
            HKDF<SHA256>.deriveKey(
                inputKeyMaterial: key, info: Data("mneme \(purpose)".utf8), outputByteCount: 32))
    }

    fileprivate func wrap(_ data: DataKey) throws -> Data {
        try data.bytes {
            try AES.GCM.seal($0, using: key, authenticating: WrappedKey.magic).combined!
        }
    }

    fileprivate func unwrap(_ wrapped: Data) -> DataKey? {
        guard let box = try? AES.GCM.SealedBox(combined: wrapped),
            let bytes = try? AES.GCM.open(box, using: key, authenticating: WrappedKey.magic),
            bytes.count == 32
        else { return nil }
        return DataKey(SymmetricKey(data: bytes))
    }
}

/// The page at the beginning of an encrypted file: its ``DataKey``, encrypted with the user's key.
///
/// Two places, at 0 and 2048: "MNEMESEALED" and version (16 bytes), id of the user's key (8), the
/// data key by AES-256-GCM with nonce and tag (60). One is in use. An exchange of keys writes the
/// other, and then clears the first: at any moment one of them is whole.
package enum WrappedKey {
    /// Bytes of the page.
    package static let pageBytes = 4096
    fileprivate static let magic = Data("MNEMESEALED\0\u{1}\0\0\0".utf8)
    private static let slotOffsets = [0, 2048], idBytes = 8, wrappedBytes = 60
    private static var slotBytes: Int { magic.count + idBytes + wrappedBytes }

    /// Tells whether bytes begin as an encrypted file.
    package static func isStart(_ page: Data) -> Bool {
        slotOffsets.contains { page.dropFirst($0).starts(with: magic) }
    }

    /// A page for a data key.
    package static func page(_ data: DataKey, for key: EncryptionKey) throws -> Data {
        let slot = try slot(data, for: key)
        return slot + Data(count: pageBytes - slot.count)
    }

    private static func slot(_ data: DataKey, for key: EncryptionKey) throws -> Data {
        try magic + key.id + key.wrap(data)
    }

    /// The data key of a file.
    ///
    /// - Parameters:
    ///   - page: its first ``pageBytes``.
    ///   - name: what errors call it.
    /// - Throws: ``SealError``: it is encrypted with another key, or is damaged.
    package static func open(_ page: Data, name: String, with key: EncryptionKey) throws -> DataKey {
        try find(page, name, key).data
    }

    private static func find(_ page: Data, _ name: String, _ key: EncryptionKey) throws -> (
        data: DataKey, offset: Int
    ) {
        var isOther = false
        for offset in slotOffsets {
            let bytes = Data(page.dropFirst(offset).prefix(slotBytes))
            guard bytes.count == slotBytes, bytes.starts(with: magic) else { continue }
            guard bytes.dropFirst(magic.count).prefix(idBytes) == key.id else {
                isOther = true
                continue
            }
            if let data = key.unwrap(Data(bytes.suffix(wrappedBytes))) { return (data, offset) }
        }
        throw isOther
            ? SealError(
                .wrongKey, "\(name) is encrypted with another key than the one that was given.")
            : SealError(
                .damaged,
                "The first page of \(name), which holds its key, is damaged. Restore it from a copy."
            )
    }

    /// The writes, each on disk before the next, by which `new` opens the file instead
    /// of `old`. At any moment at least one of them does.
    ///
    /// - Throws: ``SealError``.
    package static func exchange(
        _ page: Data, name: String, from old: EncryptionKey, to new: EncryptionKey
    ) throws
        -> [(offset: Int, bytes: Data)]
    {
        let (data, offset) = try find(page, name, old)
        let other = slotOffsets.first { $0 != offset }!
        return [(other, try Self.slot(data, for: new)), (offset, Data(count: slotBytes))]
    }
}
