import Crypto
import CryptoExtras
package import Foundation

/// A file that only a passphrase opens: AES-256-GCM in pieces of 64 KiB under a key that scrypt
/// (RFC 7914) makes of the passphrase.
///
/// The first line is JSON and says how; each piece's nonce counts and says whether it is the last
/// (the STREAM construction of Hoang et al. 2015), so that pieces can neither be exchanged nor cut
/// off without that being noticed.
package enum SealedFile {
    /// The header's name of the format, bytes of plain text in a piece, and bytes of GCM's tag
    /// behind each.
    private static let format = "mneme-sealed", piece = 64 << 10, tag = 16
    /// scrypt's cost: 64 MiB and some tenths of a second.
    ///
    /// N = 2^16 and r = 8, with p = 1: memory is 128 · N · r bytes.
    private static let rounds = 1 << 16, blockSize = 8
    /// The most that a file may ask for, lest it take all memory.
    private static let mostRounds = 1 << 20

    /// The first line of the file, in clear: everything but the passphrase that the key is made of.
    ///
    /// It is authenticated with every piece, so that no parameter can be changed afterwards.
    /// `nonce` holds the seven bytes that all nonces of the file begin with.
    private struct Header: Codable {
        var format: String, version: Int, rounds: Int, blockSize: Int, salt: Data, nonce: Data
    }

    /// Derives the file's AES-256 key from a passphrase by scrypt.
    ///
    /// The passphrase is composed first (Unicode NFC), so that the same letters typed on another
    /// machine give the same key.
    /// - Complexity: 128 · rounds · blockSize bytes of memory, whose bounds
    ///   ``source(_:passphrase:)`` has checked.
    private static func key(_ passphrase: String, _ header: Header) throws -> SymmetricKey {
        try KDF.Scrypt.deriveKey(
            from: Data(passphrase.precomposedStringWithCanonicalMapping.utf8), salt: header.salt,
            outputByteCount: 32,
            rounds: header.rounds,
            blockSize: header.blockSize,
            parallelism: 1, maxMemory: 2 * 128 * header.rounds * header.blockSize)
    }

    /// The nonce of one piece, 12 bytes: the file's prefix of 7, the piece's number of 4
    /// (big-endian) and a byte that is 1 for the last piece.
    ///
    /// A number is used once under one key, which GCM's security depends on.
    private static func nonce(_ prefix: Data, _ number: UInt32, isLast: Bool) throws
        -> AES.GCM.Nonce
    {
        try AES.GCM.Nonce(
            data: prefix + withUnsafeBytes(of: number.bigEndian) { Data($0) } + [isLast ? 1 : 0])
    }

    // MARK: Writing

    /// Writes pieces as they come; nothing counts before ``finish()``.
    package struct Writer {
        /// The sink of sealed bytes.
        private let write: (Data) throws -> Void
        /// The file's key, its first line as written, and the bytes that its nonces begin with.
        private let key: SymmetricKey, header: Data, prefix: Data
        /// Plain text that fills no piece yet, and the number of the next piece.
        private var waiting = Data(), number: UInt32 = 0

        /// Makes a random salt and nonce prefix, derives the key and writes the header.
        /// - Throws: `InputError` for an empty passphrase, and what `write` throws.
        package init(passphrase: String, write: @escaping (Data) throws -> Void) throws {
            guard !passphrase.isEmpty else { throw InputError("The passphrase is empty.") }
            let random = { (count: Int) in
                SymmetricKey(size: .init(bitCount: count * 8)).withUnsafeBytes { Data($0) }
            }
            let header = Header(
                format: format, version: 1, rounds: rounds, blockSize: blockSize, salt: random(16),
                nonce: random(7))
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            self.header = try encoder.encode(header) + [10]
            (self.write, key, prefix) = (
                write, try SealedFile.key(passphrase, header), header.nonce
            )
            try write(self.header)
        }

        /// Takes plain text of any length; pieces are sealed as soon as more than one is there. Up
        /// to one piece waits, so that the last can be marked as such.
        package mutating func add(_ data: Data) throws {
            waiting.append(data)
            while waiting.count > piece {
                try seal(Data(waiting.prefix(piece)), isLast: false)
                waiting = Data(waiting.dropFirst(piece))
            }
        }

        /// Seals the last piece, which may be empty. A file without it is refused as cut off.
        package mutating func finish() throws { try seal(waiting, isLast: true) }

        /// Encrypts one piece and writes ciphertext and tag.
        /// - Throws: `InputError` beyond 2^32 − 1 pieces, 256 TiB: a nonce must not come twice.
        private mutating func seal(_ data: Data, isLast: Bool) throws {
            let box = try AES.GCM.seal(
                data, using: key, nonce: nonce(prefix, number, isLast: isLast),
                authenticating: header)
            try write(box.ciphertext + box.tag)
            guard number < .max else { throw InputError("The file is too long to be sealed.") }
            number += 1
        }
    }

    // MARK: Reading

    /// True if a file begins as a sealed one; false also if it cannot be read.
    package static func isSealed(_ path: String) -> Bool {
        guard let handle = FileHandle(forReadingAtPath: path) else { return false }
        defer { try? handle.close() }
        return ((try? handle.read(upToCount: 256)) ?? Data()).range(of: Data("\"\(format)\"".utf8))
            != nil
    }

    /// Hands out a file's bytes in pieces, opened if it is sealed.
    ///
    /// Each call of the result gives the next piece, at most 256 KiB, and nil at the end. Plain
    /// text of a piece is handed out only after its tag was verified; that the file is whole is
    /// known at the end.
    ///
    /// - Throws: `InputError` if it cannot be read, or is sealed and the passphrase is missing or
    ///   wrong.
    package static func source(_ path: String, passphrase: String?) throws -> () throws -> Data? {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw InputError("\(path) cannot be read. Does it exist?")
        }
        guard isSealed(path) else {
            return {
                do { return try handle.read(upToCount: 256 << 10) } catch {
                    throw InputError(
                        "\(path) cannot be read further: \(error.localizedDescription)")
                }
            }
        }
        guard let passphrase else {
            throw InputError(
                "\(path) is sealed. Give its passphrase: in MNEME_PASSPHRASE, or in a file with --passphrase."
            )
        }
        var waiting = (try? handle.read(upToCount: 4096)) ?? Data()
        guard let end = waiting.firstIndex(of: 10),
            let header = try? JSONDecoder().decode(Header.self, from: waiting.prefix(end)),
            header.format == format,
            header.version == 1, (2...mostRounds).contains(header.rounds),
            header.rounds.nonzeroBitCount == 1,
            (1...16).contains(header.blockSize),
            header.nonce.count == 7, (8...64).contains(header.salt.count)
        else { throw InputError("The head of the sealed file \(path) is damaged.") }
        let authenticated = Data(waiting.prefix(end + 1))
        let key = try key(passphrase, header)
        waiting = Data(waiting.dropFirst(end + 1))
        var number: UInt32 = 0
        var isAtEnd = false
        var hasEnded = false
        return {
            guard !hasEnded else { return nil }
            while !isAtEnd, waiting.count <= piece + tag {
                guard let more = try? handle.read(upToCount: 256 << 10), !more.isEmpty else {
                    isAtEnd = true
                    break
                }
                waiting.append(more)
            }
            let isLast = waiting.count <= piece + tag
            let sealed = Data(waiting.prefix(piece + tag))
            waiting = Data(waiting.dropFirst(piece + tag))
            guard sealed.count >= tag, number < .max,
                let box = try? AES.GCM.SealedBox(
                    nonce: nonce(header.nonce, number, isLast: isLast),
                    ciphertext: sealed.dropLast(tag),
                    tag: sealed.suffix(tag)),
                let plain = try? AES.GCM.open(box, using: key, authenticating: authenticated)
            else {
                throw InputError(
                    number == 0
                        ? "\(path) cannot be opened: the passphrase is wrong, or the file is damaged."
                        : "\(path) is damaged, or was cut off.")
            }
            number += 1
            hasEnded = isLast
            return plain
        }
    }
}
