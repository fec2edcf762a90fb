/// Classes of scalars: letters, digits, marks, space. The properties of Unicode cost a look-up in a
/// table each, and most text is ASCII.
extension Unicode.Scalar {
    /// White space.
    @inline(__always) var isSpace: Bool {
        isASCII ? value == 32 || (9...13).contains(value) : properties.isWhitespace
    }
    /// An end of a line, as `Character.isNewline`.
    var isLineEnd: Bool {
        (0x0A...0x0D).contains(value) || value == 0x85 || value == 0x2028 || value == 0x2029
    }
    /// A capital letter.
    @inline(__always) var isUppercase: Bool { isASCII ? (65...90).contains(value) : properties.isUppercase }
    /// A digit of ASCII.
    @inline(__always) var isDigit: Bool { (48...57).contains(value) }
    /// A letter of any script.
    @inline(__always) var isLetter: Bool {
        isASCII ? (97...122).contains(value) || (65...90).contains(value) : properties.isAlphabetic
    }
    /// A letter, or a digit or number of any script.
    @inline(__always) var isLetterOrDigit: Bool {
        isLetter || (isASCII ? isDigit : properties.numericType != nil)
    }
    /// A letter, a digit or a mark on one.
    @inline(__always) var isWordPart: Bool {
        isLetterOrDigit || !isASCII && properties.generalCategory == .nonspacingMark
    }
    /// A mark that stands on or joins the letter before it.
    var isMark: Bool { value >= 0x300 && properties.isGraphemeExtend }

    /// Appends the scalar in lower case, as `String.lowercased()` makes it.
    func appendLowercase(to scalars: inout [Unicode.Scalar]) {
        if isASCII {
            scalars.append((65...90).contains(value) ? Unicode.Scalar(UInt8(value) + 32) : self)
        } else if properties.changesWhenLowercased {
            scalars += properties.lowercaseMapping.unicodeScalars
        } else {
            scalars.append(self)
        }
    }
}
