import MnemeBase
import MnemeNumerics
package import MnemeSeal

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A whole file in memory; changes stay in memory.
final class FileMapping: @unchecked Sendable {
    // Sendable: the columns say who changes what.
    let bytes: UnsafeMutableRawBufferPointer

    /// - Throws: ``IndexError`` if the system refuses.
    init(_ descriptor: Int32, size: Int) throws {
        let memory = mmap(
            nil, max(1, size), PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0)
        guard let memory, memory != MAP_FAILED else {
            throw IndexError(.unavailable, "An index file cannot be mapped (\(errnoText())).")
        }
        bytes = UnsafeMutableRawBufferPointer(start: memory, count: size)
    }

    deinit { munmap(bytes.baseAddress!, max(1, bytes.count)) }
}

/// Writes tables to a file, column after column; ``TableReader`` reads them in the same order.
package struct TableWriter {
    /// Each column's bytes, and what keeps them.
    private var sections: [(column: any Sendable, bytes: UnsafeRawBufferPointer)] = []

    /// No columns.
    package init() {}

    /// Adds a column.
    package mutating func add<Element>(_ column: Column<Element>) {
        sections.append(column.withElements { (column, UnsafeRawBufferPointer($0)) })
    }

    /// Bytes of the file, about.
    package var byteCount: Int {
        sections.reduce(IndexFile.alignment) {
            $0 + ($1.bytes.count / IndexFile.alignment + 1) * IndexFile.alignment
        }
    }

    /// Writes the file beside `path` and renames it when it is on disk.
    ///
    /// - Parameters:
    ///   - values: at most sixteen numbers for the file's beginning.
    ///   - dataKey: encrypts it.
    /// - Throws: ``IndexError``; nothing is left then.
    package func write(to path: String, values: [Int], dataKey: DataKey?) throws {
        try withExtendedLifetime(sections) {
            try IndexFile.write(
                path, kind: .tables, values: values, sections: sections.map(\.bytes),
                dataKey: dataKey)
        }
    }
}

/// Reads what ``TableWriter`` wrote: the file is mapped, and its checksums are compared.
package struct TableReader {
    /// Numbers of the file's beginning.
    package let values: [Int]
    private let mapping: FileMapping, sections: [IndexFile.Section], path: String
    private var next = 0

    /// - Throws: ``IndexError`` if there is no such file, or it is not what was written.
    /// - Complexity: one pass over the file, for its checksums.
    package init(opening path: String, dataKey: DataKey?) throws {
        let file = try IndexFile(opening: path, kind: .tables, dataKey: dataKey)
        mapping = try FileMapping(file.descriptor, size: file.size)
        (values, sections, self.path) = (file.values, file.sections, path)
        for section in sections where section.length > 0 {
            let bytes = UnsafeRawBufferPointer(mapping.bytes)[section.offset...].prefix(
                section.length)
            guard Checksum.crc32c(UnsafeRawBufferPointer(rebasing: bytes)) == section.checksum
            else { throw Self.damaged(path) }
        }
    }

    /// The numbers of a file's beginning; nil if there is none that can be opened.
    package static func values(at path: String, dataKey: DataKey?) -> [Int]? {
        (try? IndexFile(opening: path, kind: .tables, dataKey: dataKey, isForValues: true))?.values
    }

    /// Tells whether a file is what was written; reads it all.
    package static func isSound(at path: String, dataKey: DataKey?) -> Bool {
        (try? TableReader(opening: path, dataKey: dataKey)) != nil
    }

    /// The next column.
    ///
    /// - Throws: ``IndexError`` if there is none, or its elements are of another size.
    package mutating func column<Element>(of type: Element.Type = Element.self) throws -> Column<
        Element
    > {
        guard next < sections.count,
            sections[next].length % MemoryLayout<Element>.stride == 0
        else { throw Self.damaged(path) }
        let section = sections[next]
        next += 1
        let bytes = mapping.bytes[section.offset...].prefix(section.length)
        return Column(UnsafeMutableRawBufferPointer(rebasing: bytes), of: mapping)
    }

    /// The error for a file that is not as it was written.
    private static func damaged(_ path: String) -> IndexError {
        IndexError(.corrupt, "\(path) is damaged. Delete it; it is made again.")
    }
}
