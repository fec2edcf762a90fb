/// Parts of the parameters whose optimizers are apart: whole matrices, one behind the other.
package struct ParameterGroups: Sendable, Equatable {
    /// A run of matrices.
    package struct Group: Sendable, Equatable {
        /// Its first parameter, of all.
        package let start: Int
        /// Its matrices, with offsets from ``start`` and their numbers among all.
        package let matrices: [TrainingMatrix]

        /// Parameters.
        package var count: Int { matrices.reduce(0) { $0 + $1.count } }
        /// Their places among all.
        package var range: Range<Int> { start..<start + count }
    }

    /// In order; they fill the parameters. None is empty.
    package let groups: [Group]

    /// Groups of nearly equal size: a matrix belongs to the part that its middle lies in, of as many equal
    /// parts as there are to be groups.
    ///
    /// - Parameter count: groups at most; fewer where matrices are fewer or larger.
    package init(_ matrices: [TrainingMatrix], count: Int) {
        let total = matrices.reduce(0) { $0 + $1.count }
        var parts: [[TrainingMatrix]] = []
        var (end, last) = (0, -1)
        for (number, matrix) in matrices.enumerated() {
            let part = total > 0 ? (2 * end + matrix.count) * count / (2 * total) : 0
            if part != last { parts.append([]) }
            (last, end) = (part, end + matrix.count)
            var numbered = matrix
            numbered.number = matrix.number ?? number
            parts[parts.count - 1].append(numbered)
        }
        groups = parts.map { part in
            let start = part[0].offset
            return Group(
                start: start,
                matrices: part.map {
                    var moved = TrainingMatrix(offset: $0.offset - start, rows: $0.rows, columns: $0.columns)
                    moved.number = $0.number
                    return moved
                })
        }
    }
}
