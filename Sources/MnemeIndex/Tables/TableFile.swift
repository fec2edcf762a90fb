import Foundation
package import MnemeSeal

/// Writes tables to a file, column after column; ``TableReader`` reads them in the same order.
package struct TableWriter {
    /// Each column's bytes, and what keeps them.
    private var sections: [Section] = []
    /// Whether bytes are copied when they are added.
    private let isCopying: Bool
    /// Where files lie that columns which are made come into when they are large; nil keeps them in
    /// memory.
    package let spillFolder: String?

    /// A column's bytes as they go to the file.
    private struct Section {
        /// What keeps them.
        var column: any Sendable
        var bytes: UnsafeRawBufferPointer
        /// Bytes from a page's beginning at which they are put, see ``IndexFile/Part``.
        var phase = 0
        /// Gives pages back when the bytes were read.
        var release: (() -> Void)?
    }

    /// No columns.
    ///
    /// - Parameters:
    ///   - isCopying: whether what is added may be changed before it is written: for little, so that
    ///     nobody waits for the disk.
    ///   - folder: where files lie that columns which are made come into when they are large, so that
    ///     the file needs little memory however large it becomes. Nobody else looks at the columns that
    ///     are added then. What is in these files is not encrypted; nil keeps all in memory.
    package init(isCopying: Bool = false, spillingTo folder: String? = nil) {
        (self.isCopying, spillFolder) = (isCopying, folder)
    }

    /// Adds a column.
    package mutating func add<Element>(_ column: Column<Element>) { addElements(of: column, from: 0) }

    /// Adds the elements of a column from a place on, so that they can be mapped behind others.
    private mutating func addElements<Element>(of column: Column<Element>, from start: Int) {
        let phase = start * MemoryLayout<Element>.stride % IndexFile.page
        var kept: any Sendable = column
        var bytes = column.withElements { UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: $0[start...])) }
        if isCopying {
            var copy = Column<UInt8>()
            copy.append(copying: bytes)
            (kept, bytes) = (copy, copy.withElements { UnsafeRawBufferPointer($0) })
        }
        sections.append(Section(column: kept, bytes: bytes, phase: phase))
        if spillFolder != nil, !isCopying {
            sections[sections.count - 1].release = { column.release() }
        }
    }

    /// Adds what a segment of a column, and what is behind it, have: where it begins, how many of the
    /// elements before are others, their places, what they are; and the elements from there on.
    ///
    /// - Parameters:
    ///   - segment: the first that the new file takes the place of; 0 adds the whole column.
    ///   - changed: stands for the column where it is another one in the file.
    package mutating func addChanges<Element>(
        of column: Column<Element>, since segment: Int, as changed: Column<Element>? = nil
    ) {
        let (start, places) = (column.start(ofSegment: segment), column.changes(since: segment))
        var bytes = Column<UInt8>()
        func append<T>(_ values: UnsafeBufferPointer<T>) {
            bytes.append(copying: UnsafeRawBufferPointer(values))
        }
        [start, places.count].withUnsafeBufferPointer(append)
        places.withUnsafeBufferPointer(append)
        places.map { column[$0] }.withUnsafeBufferPointer(append)
        add(bytes)
        if let changed {
            // Its elements are those from there on alone.
            addElements(of: changed, from: 0)
            sections[sections.count - 1].phase = start * MemoryLayout<Element>.stride % IndexFile.page
        } else {
            addElements(of: column, from: start)
        }
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
                path, (.tables, values),
                parts: sections.map { IndexFile.Part(bytes: $0.bytes, phase: $0.phase, release: $0.release) },
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
    /// - Complexity: one pass over the file, for its checksums, unless a note says that it was made
    ///   (`CheckNote`); nothing of it stays in memory.
    package init(opening path: String, dataKey: DataKey?) throws {
        try self.init(opening: path, dataKey: dataKey, trustsNote: true)
    }

    /// - Parameter trustsNote: false compares the checksums in any case.
    private init(opening path: String, dataKey: DataKey?, trustsNote: Bool) throws {
        file = try IndexFile(opening: path, kind: .tables, dataKey: dataKey)
        values = file.values
        // An encrypted file is read whole in any case.
        let hasNote = dataKey == nil && trustsNote && CheckNote.holds(for: file)
        guard !hasNote else { return }
        let begun = Date().timeIntervalSince1970
        guard file.sections.indices.allSatisfy(file.isSound) else { throw Self.damaged(path) }
        if dataKey == nil { CheckNote.write(for: file, begun: begun) }
    }

    /// The numbers of a file's beginning; nil if there is none that can be opened.
    package static func values(at path: String, dataKey: DataKey?) -> [Int]? {
        (try? IndexFile(opening: path, kind: .tables, dataKey: dataKey, isForValues: true))?.values
    }

    /// Tells whether a file is what was written; reads it all.
    package static func isSound(at path: String, dataKey: DataKey?) -> Bool {
        (try? TableReader(opening: path, dataKey: dataKey, trustsNote: false)) != nil
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
        let column = try Column<Element>(next, of: file)
        next += 1
        return column
    }

    /// Takes in what ``TableWriter/addChanges(of:since:as:)`` wrote of a column.
    ///
    /// - Throws: ``IndexError`` if it is not what follows upon the column.
    /// - Complexity: one step a change; new elements are mapped.
    package mutating func change<Element>(_ column: inout Column<Element>) throws {
        let bytes: Column<UInt8> = try self.column()
        let (word, stride) = (MemoryLayout<Int>.size, MemoryLayout<Element>.stride)
        let damaged = Self.damaged(file.path)
        var (places, values): ([Int], [Element]) = ([], [])
        try bytes.withElements { bytes in
            let bytes = UnsafeRawBufferPointer(bytes)
            guard bytes.count >= 2 * word else { throw damaged }
            let count = bytes.loadUnaligned(fromByteOffset: word, as: Int.self)
            guard bytes.loadUnaligned(as: Int.self) == column.count, (0...column.count).contains(count),
                bytes.count == (2 + count) * word + count * stride
            else { throw damaged }
            for i in 0..<count {
                places.append(bytes.loadUnaligned(fromByteOffset: (2 + i) * word, as: Int.self))
                values.append(
                    bytes.loadUnaligned(
                        fromByteOffset: (2 + count) * word + i * stride, as: Element.self))
            }
            guard places.allSatisfy((0..<column.count).contains) else { throw damaged }
        }
        guard next < file.sections.count, file.sections[next].length % stride == 0 else { throw damaged }
        try column.append(next, of: file, changing: places, to: values)
        next += 1
    }

    /// The error for a file that is not as it was written.
    private static func damaged(_ path: String) -> IndexError {
        IndexError(.corrupt, "\(path) is damaged. Delete it; it is made again.")
    }
}
