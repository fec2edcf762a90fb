import MnemeNumerics

/// Rows of one head side by side, in halves: keys in blocks as [dimension][32], values as rows.
final class HeadScratch {
    private let dimension: Int
    private let buffers: (keys: AlignedBuffer<UInt16>, values: AlignedBuffer<UInt16>)
    private let block = KVShape.blockTokens
    var keys: UnsafeMutablePointer<UInt16> { buffers.keys.pointer }
    var values: UnsafeMutablePointer<UInt16> { buffers.values.pointer }

    init(rows: Int, dimension: Int) {
        self.dimension = dimension
        buffers = (AlignedBuffer(rows * dimension), AlignedBuffer(rows * dimension))
    }

    /// Where a row's key begins; its elements are a block's length apart.
    private func start(_ row: Int) -> UnsafeMutablePointer<UInt16> {
        keys + row / block * block * dimension + row % block
    }

    func key(_ row: Int) -> [UInt16] { (0..<dimension).map { start(row)[$0 * block] } }

    func setKey(_ row: Int, _ key: [UInt16]) {
        let to = start(row)
        for e in 0..<dimension { to[e * block] = key[e] }
    }

    func write(_ change: KVChange) {
        setKey(change.row, change.key.map { Float16($0).bitPattern })
        for e in 0..<dimension {
            values[change.row * dimension + e] = Float16(change.value[e]).bitPattern
        }
    }

    /// Moves kept rows to the front.
    func gather(_ kept: [Int]) {
        for (to, from) in kept.enumerated() where to != from {
            (values + to * dimension).update(from: values + from * dimension, count: dimension)
            let source = start(from)
            let target = start(to)
            for e in 0..<dimension { target[e * block] = source[e * block] }
        }
    }

    /// Puts rows in another order: `order[j]` becomes row `first + j`. Both are whole pages.
    func arrange(_ order: [Int], at first: Int) {
        let before = (
            keys: AlignedBuffer<UInt16>(order.count * dimension), values: AlignedBuffer<UInt16>(order.count * dimension)
        )
        before.keys.pointer.update(from: keys + first * dimension, count: order.count * dimension)
        before.values.pointer.update(from: values + first * dimension, count: order.count * dimension)
        for (to, from) in order.enumerated() {
            let old = from - first
            (values + (first + to) * dimension).update(
                from: before.values.pointer + old * dimension, count: dimension)
            let source = before.keys.pointer + old / block * block * dimension + old % block
            let target = start(first + to)
            for e in 0..<dimension { target[e * block] = source[e * block] }
        }
    }
}
