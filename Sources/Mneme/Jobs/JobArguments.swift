/// Values of a job's arguments, which come as texts from a command line, a schedule or a request.
///
/// A value that cannot be meant is refused. It never becomes the default: a job that changes
/// memories must not do more, or other, than it was asked.
extension [String: String] {
    /// A number within bounds.
    ///
    /// - Returns: nil if the argument is left out.
    /// - Throws: `InputError` if the value is no number, or out of `bounds`.
    func number(_ name: String, in bounds: ClosedRange<Double>) throws -> Double? {
        guard let text = self[name] else { return nil }
        guard let number = Double(text), bounds.contains(number) else {
            throw InputError(
                "'\(name)' is a number from \(Self.text(bounds.lowerBound)) to "
                    + "\(Self.text(bounds.upperBound)), not '\(text)'.")
        }
        return number
    }

    /// A whole number within bounds.
    ///
    /// - Returns: nil if the argument is left out.
    /// - Throws: `InputError` if the value is no whole number, or out of `bounds`.
    func wholeNumber(_ name: String, in bounds: ClosedRange<Int>) throws -> Int? {
        guard let text = self[name] else { return nil }
        guard let number = Int(text), bounds.contains(number) else {
            throw InputError(
                "'\(name)' is a whole number from \(bounds.lowerBound) to \(bounds.upperBound), "
                    + "not '\(text)'.")
        }
        return number
    }

    /// A bound as people write it: `30`, not `30.0`.
    private static func text(_ bound: Double) -> String {
        Int(exactly: bound).map(String.init) ?? String(bound)
    }
}
