/// A set of keys as a bitmap: membership is one bit, and sets are counted and intersected 64 keys
/// at a time.
public struct KeySet: Sendable, Equatable {
    /// Bit k of word k/64 says whether k is in the set.
    public internal(set) var words: [UInt64]
    /// Keys in the set.
    public internal(set) var count: Int

    /// The empty set, with room for keys below `capacity`.
    public init(capacity: Int = 0) {
        words = [UInt64](repeating: 0, count: (Swift.max(0, capacity) + 63) / 64)
        count = 0
    }

    /// A set of keys, each at least 0.
    public init(_ keys: some Sequence<Int>) {
        self.init()
        for key in keys { insert(key) }
    }

    /// Adds a key.
    public mutating func insert(_ key: Int) {
        precondition(
            key >= 0 && key < VectorLimits.keys,
            "A key of a set lies between 0 and \(VectorLimits.keys).")
        let word = key >> 6
        let bit: UInt64 = 1 << UInt64(key & 63)
        if word >= words.count {
            words.append(
                contentsOf: repeatElement(
                    0, count: Swift.max(word + 1 - words.count, words.count / 2)))
        }
        if words[word] & bit == 0 {
            words[word] |= bit
            count += 1
        }
    }

    /// Tells whether a key is in the set.
    public func contains(_ key: Int) -> Bool {
        key >= 0 && key >> 6 < words.count && words[key >> 6] >> UInt64(key & 63) & 1 == 1
    }

}

extension KeySet: Sequence {
    /// The keys in ascending order.
    public struct Iterator: IteratorProtocol {
        fileprivate let words: [UInt64]
        fileprivate var index = 0, rest: UInt64

        /// The next key, in rising order: one step for each key and each word of 64 that has none.
        public mutating func next() -> Int? {
            while rest == 0 {
                index += 1
                guard index < words.count else { return nil }
                rest = words[index]
            }
            defer { rest &= rest - 1 }
            return index << 6 + rest.trailingZeroBitCount
        }
    }

    /// From the lowest key on.
    public func makeIterator() -> Iterator { Iterator(words: words, rest: words.first ?? 0) }
    /// The exact count.
    public var underestimatedCount: Int { count }
}
