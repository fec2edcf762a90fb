import MnemeIndex
import MnemeStore

/// Vectors of a file that another process has written, taken over by an index that has its own.
extension OwnerIndex {
    /// Opens a file of vectors for the documents that there are.
    ///
    /// - Throws: `IndexError`.
    func openVectors(_ file: String) throws -> TieredIndex { try open(file, []) }

    /// The vectors among rows, by the numbers of their documents; those of unknown ones are left out.
    func vectorChanges(_ changes: IndexChanges) -> VectorChanges {
        var found = VectorChanges(position: changes.reached.vectors)
        for row in changes.rows where !row.isFormer {
            guard let vector = row.vector, vector.count == vectors.dimension,
                let number = number(of: row.id)
            else { continue }
            found.inserted.append((number, vector))
        }
        return found
    }

    /// Takes over vectors that ``openVectors(_:)`` has opened, when all came to them that came to these.
    ///
    /// - Parameter filed: the position of their file.
    /// - Throws: `IndexError`; nothing has changed then.
    mutating func adopt(_ opened: TieredIndex, filed: Int64) throws {
        // What was erased since they were opened.
        let gone = documents.indices.filter { documents.isErased($0) }
        try opened.apply(VectorChanges(deleted: gone, position: reached.vectors))
        takeVectors(opened, filed: filed)
    }
}
