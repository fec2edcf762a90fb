/// A set of Unicode scalars, as sorted ranges that neither touch nor overlap. Surrogates are never
/// in it.
struct ScalarSet: Sendable, Equatable {
    private(set) var ranges: [ClosedRange<UInt32>]

    /// Every scalar.
    static let all = ScalarSet([0...0x10ffff])
    /// ECMA-262's `\d`.
    static let digits = ScalarSet([0x30...0x39])
    /// ECMA-262's `\w`.
    static let word = ScalarSet([0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a])
    /// ECMA-262's `\s`: white space and ends of lines.
    static let space = ScalarSet([
        0x9...0xd, 0x20...0x20, 0xa0...0xa0, 0x1680...0x1680, 0x2000...0x200a, 0x2028...0x2029,
        0x202f...0x202f, 0x205f...0x205f, 0x3000...0x3000, 0xfeff...0xfeff,
    ])
    /// ECMA-262's `.`: all scalars but ends of lines.
    static let dot = ScalarSet([0xa...0xa, 0xd...0xd, 0x2028...0x2029]).inverted

    private static let surrogates: ClosedRange<UInt32> = 0xd800...0xdfff

    /// The union of ranges, in any order.
    init(_ ranges: [ClosedRange<UInt32>]) {
        var merged: [ClosedRange<UInt32>] = []
        for range in ranges.flatMap(Self.withoutSurrogates).sorted(by: {
            $0.lowerBound < $1.lowerBound
        }) {
            if let last = merged.last, range.lowerBound <= last.upperBound + 1 {
                let end = max(last.upperBound, range.upperBound)
                merged[merged.count - 1] = last.lowerBound...end
            } else {
                merged.append(range)
            }
        }
        self.ranges = merged
    }

    /// A set of one scalar.
    init(_ scalar: Unicode.Scalar) { self.init([scalar.value...scalar.value]) }

    private static func withoutSurrogates(_ range: ClosedRange<UInt32>) -> [ClosedRange<UInt32>] {
        var parts: [ClosedRange<UInt32>] = []
        if range.lowerBound < surrogates.lowerBound {
            parts.append(range.lowerBound...min(range.upperBound, surrogates.lowerBound - 1))
        }
        if range.upperBound > surrogates.upperBound {
            parts.append(max(range.lowerBound, surrogates.upperBound + 1)...range.upperBound)
        }
        return parts
    }

    /// All scalars that are not in the set.
    var inverted: ScalarSet {
        var gaps: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges {
            if range.lowerBound > next { gaps.append(next...range.lowerBound - 1) }
            next = range.upperBound + 1
        }
        if next <= 0x10ffff { gaps.append(next...0x10ffff) }
        return ScalarSet(gaps)
    }

    /// The union of two sets.
    func union(_ other: ScalarSet) -> ScalarSet { ScalarSet(ranges + other.ranges) }

    /// The sequences of byte ranges that spell the set's scalars in UTF-8.
    var byteSequences: [[ClosedRange<UInt8>]] {
        var out: [[ClosedRange<UInt8>]] = []
        for range in ranges { Self.split(range.lowerBound, range.upperBound, &out) }
        return out
    }

    /// Cuts a range where the UTF-8 form changes its length, and where a byte's range would not be
    /// whole, so that each piece is one range for each byte.
    private static func split(
        _ low: UInt32, _ high: UInt32, _ out: inout [[ClosedRange<UInt8>]]
    ) {
        for last: UInt32 in [0x7f, 0x7ff, 0xffff] where low <= last && high > last {
            split(low, last, &out)
            return split(last + 1, high, &out)
        }
        if high > 0x7f {
            for place: UInt32 in 1..<4 {
                let mask: UInt32 = (1 << (6 * place)) - 1
                guard low & ~mask != high & ~mask else { continue }
                if low & mask != 0 {
                    split(low, low | mask, &out)
                    return split((low | mask) + 1, high, &out)
                }
                if high & mask != mask {
                    split(low, (high & ~mask) - 1, &out)
                    return split(high & ~mask, high, &out)
                }
            }
        }
        out.append(zip(bytes(low), bytes(high)).map { $0...$1 })
    }

    /// A scalar's UTF-8 bytes.
    static func bytes(_ value: UInt32) -> [UInt8] {
        Unicode.Scalar(value).map { Array(String(Character($0)).utf8) } ?? []
    }
}

extension ScalarSet {
    /// The scalars of a general category (`L`, `Lu`, `Nd` …) or of `Any` and `ASCII`, as
    /// `\p{…}` names them; nil for other names.
    ///
    /// - Complexity: looks at every scalar once.
    init?(property name: String) {
        if name == "Any" {
            self = .all
            return
        }
        if name == "ASCII" {
            self.init([0...0x7f])
            return
        }
        guard Self.categories.values.contains(where: { $0.hasPrefix(name) }), !name.isEmpty else {
            return nil
        }
        var ranges: [ClosedRange<UInt32>] = []
        var start: UInt32?
        for value: UInt32 in 0...0x110000 {
            let category = Unicode.Scalar(value).flatMap {
                Self.categories[$0.properties.generalCategory]
            }
            let isIn = category?.hasPrefix(name) ?? false
            if isIn, start == nil { start = value }
            if !isIn, let first = start {
                ranges.append(first...value - 1)
                start = nil
            }
        }
        self.init(ranges)
    }

    private static let categories: [Unicode.GeneralCategory: String] = [
        .uppercaseLetter: "Lu", .lowercaseLetter: "Ll", .titlecaseLetter: "Lt",
        .modifierLetter: "Lm", .otherLetter: "Lo", .nonspacingMark: "Mn", .spacingMark: "Mc",
        .enclosingMark: "Me", .decimalNumber: "Nd", .letterNumber: "Nl", .otherNumber: "No",
        .connectorPunctuation: "Pc", .dashPunctuation: "Pd", .openPunctuation: "Ps",
        .closePunctuation: "Pe", .initialPunctuation: "Pi", .finalPunctuation: "Pf",
        .otherPunctuation: "Po", .mathSymbol: "Sm", .currencySymbol: "Sc",
        .modifierSymbol: "Sk", .otherSymbol: "So", .spaceSeparator: "Zs",
        .lineSeparator: "Zl", .paragraphSeparator: "Zp", .control: "Cc", .format: "Cf",
        .unassigned: "Cn", .privateUse: "Co", .surrogate: "Cs",
    ]
}
