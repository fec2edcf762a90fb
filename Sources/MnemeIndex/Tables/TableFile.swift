package import MnemeSeal

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

/// Reads what ``TableWriter`` wrote: checksums are compared, then columns are mapped.
package struct TableReader {
    /// Numbers of the file's beginning.
    package let values: [Int]
    private let file: IndexFile
    private var next = 0

    /// - Throws: ``IndexError`` if there is no such file, or it is not what was written.
    /// - Complexity: one pass over the file, for its checksums; nothing of it stays in memory.
    package init(opening path: String, dataKey: DataKey?) throws {
        file = try IndexFile(opening: path, kind: .tables, dataKey: dataKey)
        values = file.values
        guard file.sections.indices.allSatisfy(file.isSound) else { throw Self.damaged(path) }
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
        let stride = MemoryLayout<Element>.stride
        guard next < file.sections.count, file.sections[next].length % stride == 0
        else { throw Self.damaged(file.path) }
        let count = file.sections[next].length / stride
        // Twice the room, and some: it costs address space alone.
        let region =
            try file.region(next, count: count, capacity: 2 * count + (1 << 20) / stride)
            as Region<Element>
        next += 1
        return Column(region, count: count)
    }

    /// The error for a file that is not as it was written.
    private static func damaged(_ path: String) -> IndexError {
        IndexError(.corrupt, "\(path) is damaged. Delete it; it is made again.")
    }
}
