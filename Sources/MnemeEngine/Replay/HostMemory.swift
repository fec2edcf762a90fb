/// Names of the blocks whose copies are in the machine's other memory. What was used last stays.
struct HostMemory {
    /// Blocks that there may be.
    let capacity: Int
    /// When each was used, counted in uses.
    private var uses: [UInt64: Int] = [:]
    private var count = 0

    /// Room for so many blocks.
    init(capacity: Int) { self.capacity = capacity }

    /// Blocks from the first on that are there.
    func prefix(_ names: [UInt64]) -> Int { names.prefix { uses[$0] != nil }.count }

    /// Adds blocks, the last as the oldest, as they are of no use without those before.
    ///
    /// - Returns: which of them were not there.
    /// - Complexity: O(names), and now and then a sort of all.
    mutating func add(_ names: [UInt64]) -> [Bool] {
        let isNew = names.map { uses[$0] == nil }
        for name in names.reversed() {
            count += 1
            uses[name] = count
        }
        if uses.count > capacity {
            // A tenth more goes than must, so that this is rare.
            let oldest = uses.sorted { $0.value < $1.value }.prefix(uses.count - capacity + capacity / 10)
            for (name, _) in oldest { uses[name] = nil }
        }
        return isNew
    }

    /// Forgets blocks.
    mutating func remove(_ names: [UInt64]) { for name in names { uses[name] = nil } }
}
