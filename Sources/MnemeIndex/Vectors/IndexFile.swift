import CMnemeMemory
import Foundation
package import MnemeBase
import MnemeNumerics
import MnemeSeal

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file of sections that are mapped where they are used.
///
/// Layout, little-endian: one page of header, then sections at multiples of 64 KiB, or less than a page
/// behind one (``Part/phase``). Header:
/// "MNEMEIDX", version (u32, 1), kind (u32), 16 values (i64), number of sections (u64), and of each
/// its offset, length and CRC-32C of its quarters (u64, u64, 4 × u32); CRC-32C of all before it (4
/// × u32) in the last 16 bytes. Files are written once and replaced by renaming.
final class IndexFile: @unchecked Sendable {
    // Sendable: immutable after opening.
    /// The index that wrote the file. Numbers stay: files have them.
    enum Kind: UInt32 {
        case flat = 1
        case graph = 2
        case tiered = 3
        case clustered = 4
        case tables = 5
    }

    /// One array of an index, as it lies in memory: it begins at a multiple of ``alignment``, so
    /// that it can be mapped.
    struct Section {
        var offset: Int, length: Int
        var checksum: [UInt32]
    }

    /// The parts of the header, see the type; in bytes.
    static let magic = Array("MNEMEIDX".utf8), version: UInt32 = 1, page = 4096, alignment = 65_536,
        valueCount = 16
    static let sectionBytes = 32, maximumSections = 120

    /// An array as it goes to a file.
    struct Part {
        var bytes: UnsafeRawBufferPointer
        /// Where it begins behind a page's beginning: as far as in memory, where it continues an array
        /// of another file.
        var phase = 0
        /// Gives its pages back when it was read; nil keeps them.
        var release: (() -> Void)?
        /// What it takes in the file.
        var span: Int {
            (phase + bytes.count + IndexFile.alignment - 1) / IndexFile.alignment * IndexFile.alignment
        }
    }

    let path: String
    let values: [Int]
    let sections: [Section]
    let size: Int
    let descriptor: Int32

    deinit { close(descriptor) }

    /// Opens a file and checks its header, and that it is as long as it says.
    ///
    /// - Parameters:
    ///   - dataKey: decrypts it into memory.
    ///   - isForValues: whether only ``values`` are wanted, so that no more need be decrypted.
    /// - Throws: ``IndexError``.
    init(opening path: String, kind: Kind, dataKey: DataKey? = nil, isForValues: Bool = false)
        throws
    {
        let damaged = IndexError(
            .corrupt, "\(path) is damaged or no index of this kind. Delete it; it is made again.")
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw IndexError(FileError(path, "cannot be opened"))
        }
        if let dataKey {
            defer { close(file) }
            (descriptor, size) = try Self.decrypted(
                file, path, dataKey, isForValues ? Self.page : .max)
        } else {
            (descriptor, size) = (file, Int(lseek(file, 0, SEEK_END)))
        }
        self.path = path
        var header = [UInt8](repeating: 0, count: Self.page)
        guard pread(descriptor, &header, Self.page, 0) == Self.page,
            Array(header[0..<8]) == Self.magic
        else {
            (values, sections) = ([], [])
            throw damaged
        }
        func number<T: FixedWidthInteger>(_ offset: Int, _: T.Type) -> T {
            header.withUnsafeBytes {
                T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self))
            }
        }
        let version = number(8, UInt32.self)
        guard version <= Self.version else {
            (values, sections) = ([], [])
            throw IndexError(
                .newerVersion,
                "\(path) was written by a newer Mneme. Update this one, or delete the file; it is made again."
            )
        }
        let sums = Checksum.crc32c(Array(header[0..<Self.page - 16]))
        let sectionCount = number(16 + 8 * Self.valueCount, UInt64.self)
        guard number(12, UInt32.self) == kind.rawValue,
            sectionCount <= UInt64(Self.maximumSections),
            (0..<4).allSatisfy({ number(Self.page - 16 + 4 * $0, UInt32.self) == sums[$0] })
        else {
            (values, sections) = ([], [])
            throw damaged
        }
        values = (0..<Self.valueCount).map { Int(number(16 + 8 * $0, Int64.self)) }
        sections = (0..<Int(sectionCount)).map { i in
            let at = 16 + 8 * Self.valueCount + 8 + Self.sectionBytes * i
            return Section(
                offset: Int(truncatingIfNeeded: number(at, UInt64.self)),
                length: Int(truncatingIfNeeded: number(at + 8, UInt64.self)),
                checksum: (0..<4).map { number(at + 16 + 4 * $0, UInt32.self) })
        }
        for section in sections {
            guard section.offset >= Self.page, section.offset % Self.alignment < Self.page,
                section.length >= 0,
                section.offset <= size,
                section.length <= size - section.offset
            else { throw damaged }
        }
    }

    /// A file in memory with the beginning of what an encrypted one holds, and bytes of all of it.
    private static func decrypted(_ file: Int32, _ path: String, _ key: DataKey, _ limit: Int)
        throws -> (Int32, Int)
    {
        let damaged = IndexError(
            .corrupt,
            "\(path) is damaged, or encrypted with another key. Delete it; it is made again.")
        let bytes: SealedBytes
        do {
            bytes = try SealedBytes(name: path, size: Int(lseek(file, 0, SEEK_END)), key: key) {
                buffer, offset in
                var done = 0
                while done < buffer.count {
                    let got = pread(
                        file, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
                    if got > 0 { done += got } else if got == 0 || errno != EINTR { return false }
                }
                return true
            }
        } catch { throw damaged }
        let count = min(bytes.count, limit)
        let memory = mnm_memory_file(max(count, page))
        guard memory >= 0 else {
            throw IndexError(.unavailable, "There is no memory to decrypt \(path) into.")
        }
        let place = mmap(nil, max(count, page), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0)
        guard let place, place != MAP_FAILED else {
            close(memory)
            throw IndexError(.unavailable, "There is no memory to decrypt \(path) into.")
        }
        defer { munmap(place, max(count, page)) }
        guard bytes.read(UnsafeMutableRawBufferPointer(start: place, count: count), at: 0) else {
            close(memory)
            throw damaged
        }
        return (memory, bytes.count)
    }

    /// Puts a section of `count` elements at the beginning of a region.
    func map<Element: BitwiseCopyable>(_ section: Int, count: Int, into region: Region<Element>)
        throws
    {
        guard section < sections.count, sections[section].offset % Self.alignment == 0,
            sections[section].length == count * MemoryLayout<Element>.stride
        else {
            throw IndexError(
                .corrupt,
                "\(path) is damaged: a part has another size than it should. Delete it; it is made again."
            )
        }
        try region.map(descriptor, offset: sections[section].offset, count: count)
    }

    /// A region that begins with a section of `count` elements.
    func region<Element: BitwiseCopyable>(_ section: Int, count: Int, capacity: Int) throws
        -> Region<Element>
    {
        let region = try Region<Element>(capacity: max(capacity, count))
        try map(section, count: count, into: region)
        return region
    }

    /// Bytes from which on a section is mapped: it costs less to copy fewer.
    static let leastMapped = 65_536

    /// Puts a section behind the elements of an array, where there is room for it.
    ///
    /// - Parameters:
    ///   - start: where the array begins.
    ///   - place: how many elements it has.
    ///   - isMappable: whether its memory is a region that begins with a page.
    func read<Element: BitwiseCopyable>(
        _ section: Int, to start: UnsafeMutablePointer<Element>, at place: Int, isMappable: Bool
    ) throws {
        let (part, page) = (sections[section], Int(getpagesize()))
        let target = UnsafeMutableRawPointer(start + place)
        var copied = part.length
        let first = place * MemoryLayout<Element>.stride
        if isMappable, part.length >= Self.leastMapped, part.offset % page == first % page {
            // The page that an array of another file ends in is shared.
            copied = (page - first % page) % page
            let memory = mmap(
                target + copied, part.length - copied, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
                descriptor, off_t(part.offset + copied))
            guard memory != MAP_FAILED else {
                throw IndexError(.unavailable, "An index file cannot be mapped (\(errnoText())).")
            }
        }
        var done = 0
        while done < copied {
            let count = pread(descriptor, target + done, copied - done, off_t(part.offset + done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw IndexError(.unavailable, "\(path) cannot be read (\(errnoText())).")
            }
            done += count
        }
    }

    /// Tells whether what is in a section is what was written; reads it all.
    func isSound(_ section: Int) -> Bool {
        let section = sections[section]
        guard section.length > 0 else { return true }
        let phase = section.offset % Int(getpagesize())
        guard
            let memory = mmap(
                nil, phase + section.length, PROT_READ, MAP_PRIVATE, descriptor,
                off_t(section.offset - phase)), memory != MAP_FAILED
        else { return false }
        defer { munmap(memory, phase + section.length) }
        return Checksum.crc32c(
            UnsafeRawBufferPointer(start: memory + phase, count: section.length))
            == section.checksum
    }

    /// Writes a file beside `path` and renames it into place when it is on disk.
    ///
    /// - Parameter dataKey: encrypts it.
    /// - Throws: ``IndexError``; nothing is left then.
    static func write(
        _ path: String, kind: Kind, values: [Int], sections: [UnsafeRawBufferPointer],
        dataKey: DataKey? = nil
    ) throws {
        try write(path, (kind, values), parts: sections.map { Part(bytes: $0) }, dataKey: dataKey)
    }

    /// As ``write(_:kind:values:sections:dataKey:)``, with parts that may continue others.
    static func write(
        _ path: String, _ head: (kind: Kind, values: [Int]), parts: [Part], dataKey: DataKey?
    ) throws {
        precondition(head.values.count <= valueCount && parts.count <= maximumSections)
        let header = header(head.kind, head.values, parts)
        do { try write(AtomicFile(path), header, parts, dataKey) } catch let error as FileError {
            throw IndexError(error)
        }
    }

    /// The page that a file begins with.
    private static func header(_ kind: Kind, _ values: [Int], _ parts: [Part]) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: page)
        func set<T: FixedWidthInteger>(_ offset: Int, _ value: T) {
            header.withUnsafeMutableBytes {
                $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
            }
        }
        header.replaceSubrange(0..<8, with: magic)
        set(8, version)
        set(12, kind.rawValue)
        for (i, value) in values.enumerated() { set(16 + 8 * i, Int64(value)) }
        set(16 + 8 * valueCount, UInt64(parts.count))
        var offset = alignment
        for (i, part) in parts.enumerated() {
            let at = 16 + 8 * valueCount + 8 + sectionBytes * i
            set(at, UInt64(offset + part.phase))
            set(at + 8, UInt64(part.bytes.count))
            let sums = part.bytes.isEmpty ? [0, 0, 0, 0] : Checksum.crc32c(part.bytes)
            for (j, sum) in sums.enumerated() { set(at + 16 + 4 * j, sum) }
            part.release?()
            offset += part.span
        }
        for (j, sum) in Checksum.crc32c(Array(header[0..<page - 16])).enumerated() {
            set(page - 16 + 4 * j, sum)
        }
        return header
    }

    /// Writes header and parts, encrypted as one stream if there is a key.
    private static func write(
        _ file: AtomicFile, _ header: [UInt8], _ parts: [Part], _ dataKey: DataKey?
    ) throws {
        try header.withUnsafeBytes { header in
            let parts = [Part(bytes: header)] + parts
            guard let dataKey else {
                var offset = 0
                for part in parts {
                    file.skip(to: offset + part.phase)
                    try file.write(part.bytes)
                    part.release?()
                    offset += part.span
                    file.skip(to: offset)
                }
                return
            }
            try [UInt8](repeating: 0, count: alignment).withUnsafeBytes { zeros in
                func room(_ count: Int) -> UnsafeRawBufferPointer {
                    UnsafeRawBufferPointer(rebasing: zeros.prefix(count))
                }
                let bytes = parts.flatMap {
                    [room($0.phase), $0.bytes, room($0.span - $0.phase - $0.bytes.count)]
                }
                try SealedBytes.seal(bytes, with: dataKey) { try file.write($0) }
            }
        }
        try file.finish()
    }
}

extension IndexError {
    /// A file's error: ``IndexError/Kind/full`` where there is no room for it.
    package init(_ error: FileError) {
        self.init(error.isFull ? .full : .unavailable, error.description)
    }
}
