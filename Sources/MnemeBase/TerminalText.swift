/// Makes text safe to show: what would act on a terminal or stay unseen is shown as an escape, as
/// JSON writes it (`\u001b`).
///
/// These are control characters (C0, C1, DELETE), marks that turn the direction of writing, and
/// format characters that no font shows. What writing needs stays: line ends and tabs, joiners
/// within emoji and within scripts that join letters, one style mark behind a character. JSON stays
/// the same JSON: there the escapes stand for the characters.
///
/// A value reads a stream: what a character means depends on the one before.
public struct TerminalText: Sendable {
    private var previous: Unicode.Scalar = " "
    /// True if an emoji flag of tags is being read.
    private var isInFlag = false

    /// Nothing read yet.
    public init() {}

    /// Shows one text.
    ///
    /// - Parameters:
    ///   - text: text from outside.
    ///   - onOneLine: shows line ends and tabs, too, for where a line is a record.
    public static func shown(_ text: String, onOneLine: Bool = false) -> String {
        var reader = TerminalText()
        return reader.shown(text, onOneLine: onOneLine)
    }

    /// Shows the next piece of a text.
    ///
    /// - Complexity: linear.
    public mutating func shown(_ text: String, onOneLine: Bool = false) -> String {
        // Most text needs nothing.
        if text.utf8.allSatisfy({ (32...126).contains($0) || !onOneLine && ($0 == 10 || $0 == 9) }) {
            if let last = text.unicodeScalars.last { previous = last }
            isInFlag = false
            return text
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count + 16)
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            // A line end of two characters is one. Where a stream's pieces part them, the first has
            // been shown as an escape.
            if scalar == "\r", rest.first == "\n", !onOneLine { continue }
            if shows(scalar, onOneLine) {
                if let encoded = UTF8.encode(scalar) { bytes.append(contentsOf: encoded) }
            } else {
                bytes.append(contentsOf: Self.escape(scalar).utf8)
            }
            isInFlag =
                scalar.value == 0x1F3F4 || isInFlag && (0xE0020...0xE007E).contains(scalar.value)
            previous = scalar
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func shows(_ scalar: Unicode.Scalar, _ onOneLine: Bool) -> Bool {
        switch scalar.value {
        case 9, 10: return !onOneLine
        case ..<32, 127...159, 0x2028, 0x2029: return false
        case ..<0x300: return scalar.value != 0xAD
        // Joiners stand between emoji, and in scripts that join letters.
        case 0x200C, 0x200D:
            return previous.value >= 0x0590 && !previous.isUnseen
                || (0xFE00...0xFE0F).contains(previous.value)
        case 0xFE00...0xFE0F: return previous.isStyled && !previous.isUnseen
        case 0xE0100...0xE01EF: return previous.properties.isIdeographic
        case 0xE0020...0xE007F: return isInFlag
        default: return !scalar.isUnseen
        }
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        UTF16.encode(scalar)?.map { unit in
            let digits = String(unit, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }.joined() ?? ""
    }
}

extension Unicode.Scalar {
    /// True if a style mark may stand behind it: symbols, the digits of keycaps, letters of other
    /// scripts.
    fileprivate var isStyled: Bool {
        !isASCII || value == 35 || value == 42 || (48...57).contains(value)
    }

    /// A character that no font shows and that may steer how others are shown.
    fileprivate var isUnseen: Bool {
        switch value {
        case ..<0x300: return value == 0xAD || value < 32 || (127...159).contains(value)
        // Marks that are written around the digits behind them.
        case 0x0600...0x0605, 0x06DD, 0x070F, 0x0890...0x0891, 0x08E2, 0x110BD, 0x110CD:
            return false
        default:
            return properties.isDefaultIgnorableCodePoint || properties.generalCategory == .format
        }
    }
}
