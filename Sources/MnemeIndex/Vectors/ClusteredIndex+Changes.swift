import MnemeNumerics
import NIOConcurrencyHelpers

/// Changes of a clustered index: which lists a vector belongs to, putting it there, taking it out.
extension ClusteredIndex {
    /// As ``VectorIndex`` has it. After an error part of the changes may be in the lists, and
    /// ``position`` stays: the caller applies them again, as after a crash.
    public func apply(_ changes: VectorChanges) throws {
        let inserted = try Vector.checked(changes, dimension: dimension)
        try writer.withLock {
            let old = names.withLockedValue { names in
                Set((changes.deleted + inserted.map(\.key)).compactMap(names.number))
            }
            // The new ones first: a replaced vector is always found, for a moment twice, and once
            // in an answer.
            for (key, vector) in inserted {
                let number = names.withLockedValue { names in
                    if let number = names.free.popLast() { return number }
                    names.keys.append(-1)
                    names.homes.append(0)
                    names.copies.append(0)
                    return UInt32(names.keys.count - 1)
                }
                try insert(number, vector)
                names.withLockedValue { names in
                    if key >= names.numbers.count {
                        names.numbers.append(
                            contentsOf: repeatElement(
                                0, count: max(key + 1 - names.numbers.count, names.numbers.count))
                        )
                    }
                    if names.numbers[key] > 0 {
                        names.keys[Int(names.numbers[key]) - 1] = -1
                    } else {
                        names.count += 1
                    }
                    names.numbers[key] = number + 1
                    names.keys[Int(number)] = Int32(key)
                }
            }
            names.withLockedValue { names in
                for key in changes.deleted {
                    guard let number = names.number(key), old.contains(number) else { continue }
                    names.numbers[key] = 0
                    names.keys[Int(number)] = -1
                    names.count -= 1
                }
            }
            if !old.isEmpty { try remove(Array(old)) }
            reached.withLockedValue { $0 = max($0, changes.position) }
        }
    }

    /// The lists that a vector belongs to, the nearest first.
    func homes(of vector: [Float]) throws -> [Int] {
        let near = try centroids.search(vector, VectorSearch(24, effort: 40))
        guard let nearest = near.first else { return [] }
        var chosen: [(list: Int, centroid: [Float])] = []
        for candidate in near {
            guard chosen.count < Self.copyLimit,
                1 - candidate.score <= Self.closure * (1 - nearest.score) + 1e-6
            else {
                break
            }
            guard let centroid = centroids.vector(candidate.key) else { continue }
            // One behind another chosen centroid is left out: who looks there looks at the other
            // first.
            if chosen.contains(where: {
                (1 - dotProduct($0.centroid, centroid, count: dimension)) * Self.spread < 1
                    - candidate.score
            }) {
                continue
            }
            chosen.append((candidate.key, centroid))
        }
        return chosen.map(\.list)
    }

    /// Puts a new vector into all lists that it belongs to, and cuts those that are full then.
    func insert(_ number: UInt32, _ vector: [Float]) throws {
        // The first vector of all makes the first list.
        var targets = try homes(of: vector)
        if targets.isEmpty { targets = [try newList(vector, [])] }
        names.withLockedValue {
            ($0.homes[Int(number)], $0.copies[Int(number)]) = (
                UInt32(targets[0]), UInt8(targets.count)
            )
        }
        let entry = entry(number, vector)
        var full: [Int] = []
        for list in targets where try append(entry, to: list) { full.append(list) }
        // Cut only when the vector is everywhere that it belongs.
        for list in full { try split(list) }
    }

    /// Adds an entry to a list; true if the list is full then.
    func append(_ entry: [UInt8], to list: Int) throws -> Bool {
        try withUnsafeTemporaryAllocation(byteCount: lists.slotBytes, alignment: 64) { buffer in
            let place = table.withLockedValue { $0.places[list] }
            guard try place.count == 0 || lists.read(place, into: buffer) else {
                throw IndexError(.corrupt, "\(lists.path) is damaged. Delete it; it is made again.")
            }
            let used = Int(place.count) * lists.stride
            precondition(place.count < Self.listLimit)
            entry.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: buffer[used...]).copyMemory(from: $0)
            }
            let whole = UnsafeRawBufferPointer(rebasing: buffer[..<(used + lists.stride)])
            let new =
                place.count == 0
                ? try lists.write(whole) : try lists.append(to: place, whole: whole)
            table.withLockedValue { $0.places[list] = new }
            return new.count == Self.listLimit
        }
    }

    /// Puts a list in place of what it was: in another slot, as searches may be reading it.
    func replace(_ list: Int, _ entries: [UInt8]) throws {
        let old = table.withLockedValue { $0.places[list] }
        let new =
            entries.isEmpty
            ? PostingFile.Place() : try entries.withUnsafeBytes { try lists.write($0) }
        table.withLockedValue { $0.places[list] = new }
        if old.count > 0 { lists.release(old) }
    }

    /// Makes a list around a centroid: the lists of searches are those of centroids, so that the
    /// centroid comes last.
    func newList(_ centroid: [Float], _ entries: [UInt8]) throws -> Int {
        let place =
            entries.isEmpty
            ? PostingFile.Place() : try entries.withUnsafeBytes { try lists.write($0) }
        let list = table.withLockedValue { table in
            if let vacant = table.vacant.popLast() {
                table.places[vacant] = place
                return vacant
            }
            table.places.append(place)
            return table.places.count - 1
        }
        try centroids.apply(VectorChanges(inserted: [(list, centroid)]))
        return list
    }

    /// The entries of a list, each with its number and vector.
    func entries(of list: Int) throws -> [(number: UInt32, bytes: [UInt8], vector: [Float])] {
        try withList(list) { base, count in
            (0..<count).map { i in
                let entry = base + i * lists.stride
                return (
                    number(entry), Array(UnsafeBufferPointer(start: entry, count: lists.stride)),
                    decoded(entry)
                )
            }
        }
    }

    /// Takes vectors out of all lists: out of their homes, and of the lists around as long as
    /// copies are left; what is found in none of these takes reading everything.
    func remove(_ numbers: [UInt32]) throws {
        var left: [UInt32: Int] = [:]
        var touched: Set<Int> = []
        for number in numbers {
            let (home, copies) = names.withLockedValue {
                (Int($0.homes[Int(number)]), Int($0.copies[Int(number)]))
            }
            left[number] = copies
            guard left[number]! > 0, let vector = try vector(number, in: home) else { continue }
            for near in [home]
                + (try centroids.search(vector, VectorSearch(48, effort: 64)).map(\.key).filter {
                    $0 != home
                })
            {
                guard left[number]! > 0 else { break }
                let all = try entries(of: near)
                let kept = all.filter { left[$0.number] == nil }
                guard kept.count < all.count else { continue }
                for item in all { if let n = left[item.number] { left[item.number] = n - 1 } }
                try replace(near, kept.flatMap(\.bytes))
                touched.insert(near)
            }
        }
        // Copies whose lists have moved far away since: all lists are looked through.
        if left.values.contains(where: { $0 > 0 }) {
            for list in table.withLockedValue({ $0.places.indices }) {
                let all = try entries(of: list)
                let kept = all.filter { left[$0.number] == nil }
                guard kept.count < all.count else { continue }
                try replace(list, kept.flatMap(\.bytes))
                touched.insert(list)
            }
        }
        names.withLockedValue { names in
            for number in numbers { names.copies[Int(number)] = 0 }
            names.waiting.append(contentsOf: numbers)
        }
        for list in touched
        where table.withLockedValue({ $0.places[list].count }) < Self.listLimit / 8
            && centroids.count > 1
        {
            try give(list)
        }
    }
}
