/// A matrix of few values, row after row.
public struct SparseMatrix: Sendable, Equatable {
    /// Where each row begins in the two below, and at last where the last ends.
    public private(set) var starts: [Int] = [0]
    /// Columns of the values.
    public private(set) var columns: [Int32] = []
    /// The values.
    public private(set) var values: [Float] = []

    /// No rows.
    public init() {}

    /// Rows.
    public var rowCount: Int { starts.count - 1 }

    /// Adds a row; a column appears at most once.
    public mutating func append(_ row: some Sequence<(column: Int, value: Float)>) {
        for (column, value) in row {
            columns.append(Int32(column))
            values.append(value)
        }
        starts.append(columns.count)
    }

    /// The values of a row.
    public func row(_ row: Int) -> [(column: Int, value: Float)] {
        (starts[row]..<starts[row + 1]).map { (Int(columns[$0]), values[$0]) }
    }

    /// This matrix times another, whose rows `rows` calls out one value at a time.
    ///
    /// Each row of the result is the sum of the other's rows that the values of this one's name,
    /// gathered in a hash table of the row's own size (SMASH, Kanakagiri et al. 2021): nothing is
    /// sorted, no partial products are kept, and no more is read than those rows.
    ///
    /// - Parameters:
    ///   - limit: columns kept of a row, those of the highest values.
    ///   - rows: reads the other matrix; given a row's number, it calls `each` with column and value
    ///     of each of that row's values.
    /// - Complexity: O(values of the rows named).
    public func product(limit: Int = .max, rows: (_ row: Int, _ each: (Int, Float) -> Void) -> Void)
        -> SparseMatrix
    {
        var result = SparseMatrix()
        var sums = HashedRow()
        for row in 0..<rowCount {
            sums.clear()
            for i in starts[row]..<starts[row + 1] {
                let factor = values[i]
                rows(Int(columns[i])) { column, value in sums.add(Int32(column), factor * value) }
            }
            result.append(sums.highest(limit))
        }
        return result
    }
}

/// One row's sums by column: open addressing with linear probing.
private struct HashedRow {
    /// By place: the key, or −1, and its sum. There are always free places, so that probing ends.
    private var keys = [Int32](repeating: -1, count: 64), sums = [Float](repeating: 0, count: 64)
    /// Places that are taken, in the order in which they were: so are the sums handed out.
    private var used: [Int] = []

    /// Empties the table and keeps its room.
    mutating func clear() {
        for place in used { keys[place] = -1 }
        used.removeAll(keepingCapacity: true)
    }

    /// Where a key is, or the free place where it would be: open addressing by multiplication with
    /// the golden ratio.
    private func place(_ key: Int32) -> Int {
        var place = Int(UInt32(bitPattern: key) &* 0x9e37_79b1) & (keys.count - 1)
        while keys[place] >= 0, keys[place] != key { place = (place + 1) & (keys.count - 1) }
        return place
    }

    /// Adds to the sum of a key.
    mutating func add(_ key: Int32, _ value: Float) {
        let place = place(key)
        if keys[place] == key {
            sums[place] += value
            return
        }
        (keys[place], sums[place]) = (key, value)
        used.append(place)
        if used.count * 2 > keys.count { grow() }
    }

    /// Makes four times the room and places all sums anew.
    private mutating func grow() {
        let old = used.map { (keys[$0], sums[$0]) }
        keys = [Int32](repeating: -1, count: keys.count * 4)
        sums = [Float](repeating: 0, count: keys.count)
        used = []
        for (key, sum) in old {
            let place = place(key)
            (keys[place], sums[place]) = (key, sum)
            used.append(place)
        }
    }

    /// All columns, or those of the highest sums, these first; of equals the lower column.
    ///
    /// - Complexity: O(n log limit) at most; what many memories name leads to all of them.
    func highest(_ limit: Int) -> [(column: Int, value: Float)] {
        guard used.count > limit else { return used.map { (column: Int(keys[$0]), value: sums[$0]) } }
        var ranking = Ranking(limit)
        var least = ranking.threshold
        for place in used where sums[place] >= least {
            ranking.insert(UInt32(bitPattern: keys[place]), sums[place])
            least = ranking.threshold
        }
        return ranking.best.map { (column: Int($0.item), value: $0.score) }
    }
}
