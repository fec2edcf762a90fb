/// The terms of one document and how often each occurs, small enough to be stored beside it.
///
/// Layout of ``encoded``: for each term its 32-bit hash (little-endian) and its count in one byte
/// (at most 255), in order of the hash. Two terms of one hash are counted as one: among 50,000
/// terms about one in four stores has such a pair, which moves a score by little.
public struct TermCounts: Sendable, Equatable {
    /// A term's identity.
    public typealias Term = UInt32

    /// Hash and count, ascending by hash.
    public private(set) var entries: [(term: Term, count: UInt8)]

    /// Terms counted with repetition.
    public var length: Int { entries.reduce(0) { $0 + Int($1.count) } }

    /// - Parameter terms: as ``TextAnalyzer/terms(_:)`` gives them.
    public init(_ terms: [String]) {
        entries = []
        entries.reserveCapacity(terms.count)
        for term in terms.map(Self.hash).sorted() {
            guard let last = entries.indices.last, entries[last].term == term else {
                entries.append((term, 1))
                continue
            }
            if entries[last].count < 255 { entries[last].count += 1 }
        }
    }

    /// - Returns: nil if the bytes are not an encoding.
    public init?(encoded bytes: [UInt8]) {
        guard bytes.count % 5 == 0 else { return nil }
        entries = []
        entries.reserveCapacity(bytes.count / 5)
        var i = 0
        while i < bytes.count {
            let term =
                Term(bytes[i]) | Term(bytes[i + 1]) << 8 | Term(bytes[i + 2]) << 16 | Term(
                    bytes[i + 3]) << 24
            guard bytes[i + 4] > 0, entries.last.map({ $0.term < term }) ?? true else { return nil }
            entries.append((term, bytes[i + 4]))
            i += 5
        }
    }

    /// See the type's layout.
    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(entries.count * 5)
        for (term, count) in entries {
            for shift in stride(from: Term(0), to: 32, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: term >> shift))
            }
            bytes.append(count)
        }
        return bytes
    }

    /// FNV-1a, folded to 32 bits.
    public static func hash(_ term: String) -> Term {
        let hash = wideHash(term)
        return Term(truncatingIfNeeded: hash ^ (hash >> 32))
    }

    /// FNV-1a of 64 bits.
    package static func wideHash(_ text: String) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }

    /// Shared terms over all terms, with repetition: 1 for the same bag of words.
    public func similarity(to other: TermCounts) -> Double {
        var i = 0
        var j = 0
        var shared = 0
        while i < entries.count, j < other.entries.count {
            let a = entries[i]
            let b = other.entries[j]
            if a.term == b.term {
                shared += Int(min(a.count, b.count))
                i += 1
                j += 1
            } else if a.term < b.term {
                i += 1
            } else {
                j += 1
            }
        }
        let all = length + other.length - shared
        return all == 0 ? 1 : Double(shared) / Double(all)
    }

    /// Equal terms with equal counts.
    public static func == (a: TermCounts, b: TermCounts) -> Bool {
        a.entries.count == b.entries.count
            && zip(a.entries, b.entries).allSatisfy { $0.term == $1.term && $0.count == $1.count }
    }
}
