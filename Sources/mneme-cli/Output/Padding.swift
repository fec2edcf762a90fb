/// Columns of tables.
extension String {
    /// The text with blanks behind it, for a column of words: at least `width` characters. Longer
    /// texts stay whole.
    func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }

    /// The text with blanks before it, for a column of numbers: at least `width` characters.
    func leftPadded(to width: Int) -> String {
        String(repeating: " ", count: max(0, width - count)) + self
    }
}
