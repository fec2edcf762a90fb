import MnemeNumerics
import NIOConcurrencyHelpers

/// The packed matrices of blocks that models have in common, as long as one of these is there.
enum SharedMatrices {
    private struct Entry {
        weak var matrix: WeightMatrix?
    }
    private static let entries = NIOLockedValueBox<[String: Entry]>([:])

    /// The matrix of a name, packed if no model has it yet.
    static func matrix(_ name: String, _ pack: () -> WeightMatrix) -> WeightMatrix {
        if let known = entries.withLockedValue({ $0[name]?.matrix }) { return known }
        let new = pack()
        return entries.withLockedValue {
            // Another model may have packed it meanwhile.
            if let known = $0[name]?.matrix { return known }
            $0 = $0.filter { $0.value.matrix != nil }
            $0[name] = Entry(matrix: new)
            return new
        }
    }
}
