import MnemeNumerics

/// Which tokens of each sequence of a batch lie on which rank.
package struct SequenceParts: Sendable, Equatable {
    /// Positions within the sequence, by rank and sequence.
    package let positions: [[Range<Int>]]

    /// The most even parts of each sequence, one behind the other.
    package init(_ sequences: [Range<Int>], ranks: Int) {
        positions = (0..<ranks).map { rank in sequences.map { shareOf($0.count, rank, ranks) } }
    }

    /// Rows of all sequences on a rank.
    package func rows(_ rank: Int) -> Int { positions[rank].reduce(0) { $0 + $1.count } }

    /// Where a sequence's rows lie among those of a rank.
    package func place(_ sequence: Int, on rank: Int) -> Range<Int> {
        let start = positions[rank][..<sequence].reduce(0) { $0 + $1.count }
        return start..<start + positions[rank][sequence].count
    }
}
