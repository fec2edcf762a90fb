import MnemeNumerics
import NIOConcurrencyHelpers

/// Lists kept between too short and full, as SPFresh does it.
extension ClusteredIndex {
    /// Cuts a full list in two of about the same length, and moves what then belongs elsewhere: its
    /// own vectors, and those of lists around that are nearer to one of the new centroids.
    func split(_ list: Int) throws {
        let all = try entries(of: list)
        guard all.count == Self.listLimit else { return }
        let (first, second, isSecond) = TwoMeans.halves(all.map(\.vector), dimension: dimension)
        // The new list is there before the old one is made smaller: nothing is missing in between.
        let other = try newList(
            second, all.indices.filter { isSecond[$0] }.flatMap { all[$0].bytes })
        try centroids.apply(VectorChanges(inserted: [(list, first)]))
        try replace(list, all.indices.filter { !isSecond[$0] }.flatMap { all[$0].bytes })
        var misplaced: [(UInt32, [Float])] = []
        names.withLockedValue { names in
            for i in all.indices where names.homes[Int(all[i].number)] == UInt32(list) {
                if isSecond[i] { names.homes[Int(all[i].number)] = UInt32(other) }
                misplaced.append((all[i].number, all[i].vector))
            }
        }
        // Who lies near a new centroid may belong there now.
        for near in try centroids.search(second, VectorSearch(8, effort: 16))
            + centroids.search(first, VectorSearch(8, effort: 16))
        where near.key != list && near.key != other {
            for item in try entries(of: near.key) {
                guard names.withLockedValue({ $0.homes[Int(item.number)] }) == UInt32(near.key),
                    let centroid = centroids.vector(near.key)
                else { continue }
                let present = dotProduct(item.vector, centroid, count: dimension)
                if max(
                    dotProduct(item.vector, first, count: dimension),
                    dotProduct(item.vector, second, count: dimension))
                    > present
                {
                    misplaced.append((item.number, item.vector))
                }
            }
        }
        for (number, vector) in misplaced { try reassign(number, vector) }
    }

    /// Moves a vector's home to the list whose centroid is nearest now. Its other copies stay where
    /// they are.
    func reassign(_ number: UInt32, _ vector: [Float]) throws {
        let home = Int(names.withLockedValue { $0.homes[Int(number)] })
        let targets = try homes(of: vector)
        guard let first = targets.first, first != home else { return }
        var copies = Int(names.withLockedValue { $0.copies[Int(number)] })
        let isThere = try withList(first) { base, count in
            (0..<count).contains { self.number(base + $0 * lists.stride) == number }
        }
        if !isThere {
            // A list that would be full would be cut, and what lies around moved again: the vector
            // stays where it is found as well.
            guard table.withLockedValue({ $0.places[first].count }) < Self.listLimit - 1 else {
                return
            }
            _ = try append(entry(number, vector), to: first)
            copies += 1
        }
        // The last copy is never taken away, nor the last entry of a list.
        let rest = try entries(of: home)
        if rest.count > 1, copies > 1 {
            try replace(home, rest.filter { $0.number != number }.flatMap(\.bytes))
            copies -= 1
        }
        names.withLockedValue {
            ($0.homes[Int(number)], $0.copies[Int(number)]) = (
                UInt32(first), UInt8(min(255, copies))
            )
        }
    }

    /// Gives the entries of a list that is nearly empty to the lists around, and its centroid up.
    func give(_ list: Int) throws {
        guard centroids.contains(list) else { return }
        let all = try entries(of: list)
        try centroids.apply(VectorChanges(deleted: [list]))
        var full: [Int] = []
        for item in all {
            let (home, copies) = names.withLockedValue {
                (Int($0.homes[Int(item.number)]), Int($0.copies[Int(item.number)]))
            }
            guard home == list else {
                names.withLockedValue { $0.copies[Int(item.number)] = UInt8(max(1, copies - 1)) }
                continue
            }
            guard let target = try homes(of: item.vector).first else { continue }
            let isThere = try withList(target) { base, count in
                (0..<count).contains { number(base + $0 * lists.stride) == item.number }
            }
            if !isThere, try append(item.bytes, to: target) { full.append(target) }
            names.withLockedValue {
                ($0.homes[Int(item.number)], $0.copies[Int(item.number)]) = (
                    UInt32(target), UInt8(isThere ? max(1, copies - 1) : copies)
                )
            }
            for list in full { try split(list) }
            full = []
        }
        try replace(list, [])
        table.withLockedValue { $0.vacant.append(list) }
    }
}
