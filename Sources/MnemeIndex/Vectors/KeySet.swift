/// A set of keys as a bitmap: membership is one bit, and sets are counted and intersected 64 keys at a time.
public struct KeySet: Sendable, Equatable {
    /// Bit k of word k/64 says whether k is in the set.
    public private(set) var words: [UInt64]
    /// Keys in the set.
    public private(set) var count: Int

    /// The empty set, with room for keys below `capacity`.
    public init(capacity: Int = 0) {
        words = [UInt64](repeating: 0, count: (max(0, capacity) + 63) / 64)
        count = 0
    }

    /// A set of keys, each at least 0.
    public init(_ keys: some Sequence<Int>) {
        self.init()
        for key in keys { insert(key) }
    }

    /// Adds a key.
    public mutating func insert(_ key: Int) {
        precondition(key >= 0 && key < VectorLimits.keys, "A key of a set lies between 0 and \(VectorLimits.keys).")
        let word = key >> 6, bit: UInt64 = 1 << UInt64(key & 63)
        if word >= words.count { words.append(contentsOf: repeatElement(0, count: max(word + 1 - words.count, words.count / 2))) }
        if words[word] & bit == 0 {
            words[word] |= bit
            count += 1
        }
    }

    /// Whether a key is in the set.
    public func contains(_ key: Int) -> Bool { key >= 0 && key >> 6 < words.count && words[key >> 6] >> UInt64(key & 63) & 1 == 1 }

    /// Calls `body` with each key, in ascending order.
    @inlinable
    public func forEach(_ body: (Int) throws -> Void) rethrows {
        for (i, word) in words.enumerated() {
            var rest = word
            while rest != 0 {
                try body(i << 6 + rest.trailingZeroBitCount)
                rest &= rest - 1
            }
        }
    }
}
