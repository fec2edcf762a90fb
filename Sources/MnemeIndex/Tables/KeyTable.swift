/// Numbers by key: keys of a file in rising order, which are looked up by halving, and new ones in
/// a dictionary.
package struct KeyTable<Key: FixedWidthInteger & BitwiseCopyable & Sendable>: Sendable {
    @usableFromInline var keys = Column<Key>(), numbers = Column<Int32>()
    /// Keys that are not in the file, or have another number there.
    @usableFromInline var added: [Key: Int32] = [:]

    /// Without keys.
    @inlinable package init() {}

    /// The number of a key.
    @inlinable package subscript(key: Key) -> Int? {
        get {
            if let number = added[key] { return Int(number) }
            let place = keys.lowerBound(of: key)
            return place < keys.count && keys[place] == key ? Int(numbers[place]) : nil
        }
        set {
            precondition(newValue != nil, "Keys are never taken out.")
            added[key] = Int32(newValue!)
        }
    }

    /// Reads what ``write(to:)`` wrote.
    package init(from reader: inout TableReader) throws {
        (keys, numbers) = (try reader.column(), try reader.column())
        guard keys.count == numbers.count else {
            throw IndexError(.corrupt, "A table of keys is damaged. Delete the file; it is made again.")
        }
    }

    /// Writes keys in rising order.
    ///
    /// - Parameter isKept: tells by its number whether a key is written; nil writes all.
    package func write(to writer: inout TableWriter, where isKept: ((Int) -> Bool)? = nil) {
        guard !added.isEmpty || isKept != nil else {
            writer.add(keys)
            return writer.add(numbers)
        }
        var all: [(key: Key, number: Int32)] = added.map { ($0.key, $0.value) }
        for i in 0..<keys.count where added[keys[i]] == nil { all.append((keys[i], numbers[i])) }
        if let isKept { all.removeAll { !isKept(Int($0.number)) } }
        all.sort { $0.key < $1.key }
        writer.add(Column(all.map(\.key)))
        writer.add(Column(all.map(\.number)))
    }
}
