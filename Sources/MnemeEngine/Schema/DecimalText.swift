import MnemeBase

/// A decimal number exactly as its text has it: a sign, digits before and behind the point.
struct DecimalText: Sendable, Hashable {
    /// False for zero, so that equal numbers are equal values.
    let isNegative: Bool
    /// Values 0 to 9, without leading zeros but for a single one.
    let whole: [UInt8]
    /// Values 0 to 9, without trailing zeros.
    let fraction: [UInt8]

    static let zero = DecimalText(isNegative: false, digits: [], scale: 0)

    /// Digits that a number may have at most: a double has no more before or behind its point.
    private static let maximumScale = 400

    /// A JSON number's text; nil for one of more digits than a double could need.
    init?(_ text: String) {
        var digits: [UInt8] = []
        var scale = 0
        var isBehindPoint = false
        let parts = text.lowercased().split(separator: "e", omittingEmptySubsequences: false)
        guard let mantissa = parts.first, parts.count <= 2 else { return nil }
        for byte in mantissa.utf8 {
            switch byte {
            case UInt8(ascii: "."): isBehindPoint = true
            case 48...57:
                digits.append(byte - 48)
                if isBehindPoint { scale += 1 }
            default: break
            }
        }
        if parts.count == 2 {
            guard let exponent = Int(parts[1]), abs(exponent) <= Self.maximumScale else {
                return nil
            }
            scale -= exponent
        }
        guard digits.count <= Self.maximumScale, abs(scale) <= 2 * Self.maximumScale else {
            return nil
        }
        self.init(isNegative: text.hasPrefix("-"), digits: digits, scale: scale)
    }

    /// - Parameter scale: how many of the digits stand behind the point.
    private init(isNegative: Bool, digits: [UInt8], scale: Int) {
        var digits = digits
        if scale < 0 { digits += [UInt8](repeating: 0, count: -scale) }
        let scale = max(0, scale)
        if digits.count < scale {
            digits = [UInt8](repeating: 0, count: scale - digits.count) + digits
        }
        var whole = Array(digits.dropLast(scale).drop { $0 == 0 })
        var fraction = Array(digits.suffix(scale))
        while fraction.last == 0 { fraction.removeLast() }
        if whole.isEmpty { whole = [0] }
        self.whole = whole
        self.fraction = fraction
        self.isNegative = isNegative && (whole != [0] || !fraction.isEmpty)
    }

    var isZero: Bool { whole == [0] && fraction.isEmpty }

    /// The number with the other sign.
    var negated: DecimalText {
        DecimalText(
            isNegative: !isNegative && !isZero, digits: whole + fraction, scale: fraction.count)
    }

    /// The number without an exponent.
    var plainText: String {
        func text(_ digits: [UInt8]) -> String {
            String(decoding: digits.map { $0 + 48 }, as: UTF8.self)
        }
        return (isNegative ? "-" : "") + text(whole)
            + (fraction.isEmpty ? "" : "." + text(fraction))
    }
}

extension DecimalText: Comparable {
    /// The order of the exact values: nothing is rounded to a double.
    static func < (a: DecimalText, b: DecimalText) -> Bool {
        if a.isNegative != b.isNegative { return a.isNegative }
        return a.isNegative ? b.isNearerZero(than: a) : a.isNearerZero(than: b)
    }

    /// Compares distances from zero: fewer digits before the point, else the first digit that
    /// differs.
    private func isNearerZero(than other: DecimalText) -> Bool {
        if whole.count != other.whole.count { return whole.count < other.whole.count }
        return (whole + fraction).lexicographicallyPrecedes(other.whole + other.fraction)
    }
}
