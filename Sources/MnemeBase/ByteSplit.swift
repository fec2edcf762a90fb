extension Substring {
    /// The parts of a text between bytes of ASCII, without empty ones. To split a text by characters
    /// takes several times as long, as Swift looks for marks on each.
    package func parts(between byte: Unicode.Scalar, atMost splits: Int = .max) -> [Substring] {
        utf8.split(separator: UInt8(ascii: byte), maxSplits: splits).map { Substring($0) }
    }
}

extension String {
    /// As `Substring` has it.
    package func parts(between byte: Unicode.Scalar, atMost splits: Int = .max) -> [Substring] {
        self[...].parts(between: byte, atMost: splits)
    }
}
