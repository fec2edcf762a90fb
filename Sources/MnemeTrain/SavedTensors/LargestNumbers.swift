/// The largest of some numbers, without sorting them.
enum LargestNumbers {
    /// The smallest of the `keeping` largest numbers, and how many are above it.
    ///
    /// - Parameter scratch: room for as many numbers.
    /// - Complexity: O(`count`) on average.
    static func limit(
        _ x: UnsafePointer<Float>, count: Int, keeping: Int, _ scratch: inout [Float]
    ) -> (value: Float, above: Int) {
        for i in 0..<count { scratch[i] = x[i] }
        // Hoare's selection, largest first, from the middle: the same for the same numbers.
        var (low, high) = (0, count - 1)
        let rank = keeping - 1
        while low < high {
            let pivot = scratch[(low + high) / 2]
            var (i, j) = (low, high)
            while i <= j {
                while scratch[i] > pivot { i += 1 }
                while scratch[j] < pivot { j -= 1 }
                if i <= j {
                    scratch.swapAt(i, j)
                    (i, j) = (i + 1, j - 1)
                }
            }
            if rank <= j { high = j } else if rank >= i { low = i } else { break }
        }
        let value = scratch[rank]
        return (value, (0..<count).reduce(0) { $0 + (x[$1] > value ? 1 : 0) })
    }
}
