extension KeySet {
    /// The places of a column that are marked.
    ///
    /// - Complexity: one step a place.
    package init(marks: Column<Bool>) {
        self.init(capacity: marks.count)
        marks.withElements { marks in
            for (place, isMarked) in marks.enumerated() where isMarked {
                words[place >> 6] |= 1 << UInt64(place & 63)
                count += 1
            }
        }
    }
}
