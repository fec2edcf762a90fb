/// Numbers by key: those of files in rising order, which are looked up by halving, the last file first,
/// and new ones in a dictionary.
package struct KeyTable<Key: FixedWidthInteger & BitwiseCopyable & Sendable>: Sendable {
    /// Keys of one file, and their numbers.
    @usableFromInline struct Segment: Sendable {
        @usableFromInline var keys = Column<Key>(), numbers = Column<Int32>()

        @usableFromInline init() {}

        /// No keys yet, see ``Column/init(spillingTo:)``.
        init(spillingTo folder: String?) {
            (keys, numbers) = (Column(spillingTo: folder), Column(spillingTo: folder))
        }

        /// The number of a key.
        @usableFromInline func number(of key: Key) -> Int? {
            let place = keys.lowerBound(of: key)
            return place < keys.count && keys[place] == key ? Int(numbers[place]) : nil
        }

        /// Adds a key that is behind the others.
        mutating func append(_ key: Key, _ number: Int32) {
            keys.append(key)
            numbers.append(number)
        }

        /// Its keys and those of a newer one, whose numbers take the place of former ones.
        func merged(with newer: Segment, spillingTo folder: String?) -> Segment {
            var merged = Segment(spillingTo: folder)
            var next = 0
            for place in 0..<keys.count {
                while next < newer.keys.count, newer.keys[next] < keys[place] {
                    merged.append(newer.keys[next], newer.numbers[next])
                    next += 1
                }
                if next < newer.keys.count, newer.keys[next] == keys[place] { continue }
                merged.append(keys[place], numbers[place])
            }
            for place in next..<newer.keys.count { merged.append(newer.keys[place], newer.numbers[place]) }
            return merged
        }
    }

    /// Keys of files, in the order in which they were written.
    @usableFromInline var segments: [Segment] = []
    /// Keys that are in no file, or have another number there.
    @usableFromInline var added: [Key: Int32] = [:]

    /// Without keys.
    @inlinable package init() {}

    /// The number of a key.
    ///
    /// - Complexity: a search by halving in each file, the last first.
    @inlinable package subscript(key: Key) -> Int? {
        get {
            if let number = added[key] { return Int(number) }
            for segment in segments.reversed() {
                if let number = segment.number(of: key) { return number }
            }
            return nil
        }
        set {
            precondition(newValue != nil, "Keys are never taken out.")
            added[key] = Int32(newValue!)
        }
    }

    /// Takes in what ``write(to:since:where:)`` wrote, upon what was read before.
    package mutating func read(from reader: inout TableReader) throws {
        var segment = Segment()
        (segment.keys, segment.numbers) = (try reader.column(), try reader.column())
        guard segment.keys.count == segment.numbers.count else {
            throw IndexError(.corrupt, "A table of keys is damaged. Delete the file; it is made again.")
        }
        segments.append(segment)
    }

    /// Writes the keys of some files, and those of none, in rising order.
    ///
    /// - Parameters:
    ///   - segment: the first of these files; 0 writes all keys.
    ///   - isKept: tells by its number whether a key is written; nil writes all.
    package func write(
        to writer: inout TableWriter, since segment: Int = 0, where isKept: ((Int) -> Bool)? = nil
    ) {
        var new = Segment()
        for (key, number) in added.sorted(by: { $0.key < $1.key }) { new.append(key, number) }
        // The last ones are small.
        var all = new
        for older in segments.dropFirst(segment).reversed() {
            all = all.keys.count == 0 ? older : older.merged(with: all, spillingTo: writer.spillFolder)
        }
        if let isKept {
            var kept = Segment(spillingTo: writer.spillFolder)
            for place in 0..<all.keys.count where isKept(Int(all.numbers[place])) {
                kept.append(all.keys[place], all.numbers[place])
            }
            all = kept
        }
        writer.add(all.keys)
        writer.add(all.numbers)
    }
}
