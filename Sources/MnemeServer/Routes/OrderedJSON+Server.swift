import MnemeBase

extension OrderedJSON {
    /// An element of a list; nil out of bounds and for what is no list. Bounds are checked, as an
    /// object that names a member twice may read otherwise than a dictionary made of it.
    subscript(index: Int) -> OrderedJSON? {
        elements.flatMap { $0.indices.contains(index) ? $0[index] : nil }
    }

    /// An object with these members, in their order.
    static func members(_ members: [(String, OrderedJSON)]) -> OrderedJSON {
        .object(members.map { Member(key: $0.0, value: $0.1) })
    }
}
