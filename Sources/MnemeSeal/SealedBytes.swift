package import Foundation

/// An immutable file, encrypted in pieces, so that a part of it can be read without the rest.
///
/// "MNEMESEA", id of the data key (8 bytes), a random name of the file (16), bytes of what it holds
/// (u64, little endian); then pieces of 64 KiB, each by ``DataKey`` with the file's name, length
/// and its number.
package struct SealedBytes {
    private static let magic = Data("MNEMESEA".utf8), headBytes = 40, piece = 64 << 10

    /// Bytes of what it holds.
    package let count: Int
    private let key: DataKey, head: Data
    private let fill: (UnsafeMutableRawBufferPointer, Int) -> Bool

    /// Tells whether bytes begin as such a file.
    package static func isStart(_ data: Data) -> Bool { data.starts(with: magic) }

    /// Encrypts `parts`, one behind the other.
    package static func seal(_ parts: [UnsafeRawBufferPointer], with key: DataKey) throws -> Data {
        var out = Data()
        try seal(parts, with: key) { out += $0 }
        return out
    }

    /// Encrypts `parts`, one behind the other, and hands out the file piece by piece.
    package static func seal(
        _ parts: [UnsafeRawBufferPointer], with key: DataKey, write: (Data) throws -> Void
    ) throws {
        let head = head(key, count: parts.reduce(0) { $0 + $1.count })
        var waiting = Data()
        var number: UInt64 = 0
        try write(head)
        func flush() throws {
            try write(
                try waiting.withUnsafeBytes { try key.seal($0, context: context(head, number)) })
            waiting.removeAll(keepingCapacity: true)
            number += 1
        }
        for var part in parts {
            while !part.isEmpty {
                let taken = part.prefix(piece - waiting.count)
                waiting.append(contentsOf: taken)
                part = UnsafeRawBufferPointer(rebasing: part.dropFirst(taken.count))
                if waiting.count == piece { try flush() }
            }
        }
        if !waiting.isEmpty { try flush() }
    }

    private static func head(_ key: DataKey, count: Int) -> Data {
        var random = SystemRandomNumberGenerator()
        var head = magic + key.id
        for word in [random.next(), random.next(), UInt64(count)] {
            withUnsafeBytes(of: word.littleEndian) { head += $0 }
        }
        return head
    }

    private static func context(_ head: Data, _ number: UInt64) -> Data {
        head + withUnsafeBytes(of: number.littleEndian) { Data($0) }
    }

    /// - Parameters:
    ///   - size: bytes of the file.
    ///   - fill: fills a buffer from an offset of the file on; false if that is not possible.
    /// - Throws: ``SealError``: it is no such file, is cut off, or is of another key.
    package init(
        name: String, size: Int, key: DataKey,
        fill: @escaping (UnsafeMutableRawBufferPointer, Int) -> Bool
    )
        throws
    {
        var head = Data(count: Self.headBytes)
        guard size >= Self.headBytes, head.withUnsafeMutableBytes({ fill($0, 0) }),
            head.starts(with: Self.magic)
        else {
            throw SealError(.damaged, "\(name) is not encrypted, or is damaged.")
        }
        guard head[8..<16] == key.id else {
            throw SealError(.wrongKey, "\(name) is encrypted with another key.")
        }
        let count = head.suffix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard count < UInt64(size),
            Self.headBytes + Int(count) + (Int(count) + Self.piece - 1) / Self.piece
                * DataKey.overhead == size
        else {
            throw SealError(.damaged, "\(name) is damaged or cut off.")
        }
        (self.count, self.key, self.head, self.fill) = (Int(count), key, head, fill)
    }

    /// Fills a buffer from an offset of what the file holds.
    ///
    /// - Returns: false if that is beyond its end, or a piece is damaged.
    package func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Bool {
        guard offset >= 0, offset <= count, buffer.count <= count - offset else { return false }
        var done = 0
        var sealed = [UInt8](repeating: 0, count: Self.piece + DataKey.overhead)
        while done < buffer.count {
            let number = (offset + done) / Self.piece
            let start = number * Self.piece
            let length = min(Self.piece, count - start)
            let plain = sealed.withUnsafeMutableBytes { space -> Data? in
                let space = UnsafeMutableRawBufferPointer(
                    rebasing: space.prefix(length + DataKey.overhead))
                guard fill(space, Self.headBytes + number * (Self.piece + DataKey.overhead)) else {
                    return nil
                }
                return key.open(
                    UnsafeRawBufferPointer(space), context: Self.context(head, UInt64(number)))
            }
            guard let plain else { return false }
            let from = offset + done - start
            let taken = min(length - from, buffer.count - done)
            plain.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + taken]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: $0[from..<from + taken]))
            }
            done += taken
        }
        return true
    }
}
