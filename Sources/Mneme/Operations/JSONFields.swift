/// Checks of JSON values that came from outside.
extension JSONValue {
    /// The value of a number that is whole and that an `Int` holds.
    public var int: Int? { double.flatMap { Int(exactly: $0) } }

    /// True if a NUL character stands in a text or a member's name of it: no table of the store
    /// keeps one.
    /// - Complexity: O(*n*) in the size of the value.
    var holdsNUL: Bool {
        switch self {
        case .null, .bool, .number: false
        case .string(let text): text.utf8.contains(0)
        case .array(let list): list.contains(where: \.holdsNUL)
        case .object(let members): members.contains { $0.key.utf8.contains(0) || $0.value.holdsNUL }
        }
    }
}

/// Members of a JSON object from outside, each read with its type and bounds.
///
/// A member that is null counts as absent. Every reader returns nil for an absent member and throws
/// `InputError`, which names the member, for one of another type or out of bounds.
public struct JSONFields: Sendable {
    /// The object's members by name.
    private let members: [String: JSONValue]
    /// The path of the object with a point behind it, or nothing; it stands before a member's name
    /// in messages.
    private let prefix: String

    /// - Parameters:
    ///   - members: of the object.
    ///   - path: the object's own name in what it stands in.
    public init(_ members: [String: JSONValue], path: String = "") {
        self.members = members
        prefix = path.isEmpty ? "" : path + "."
    }

    /// The member as it is.
    public subscript(name: String) -> JSONValue? {
        members[name].flatMap { $0 == .null ? nil : $0 }
    }

    /// A whole number.
    public func int(_ name: String, in range: ClosedRange<Int> = .min ... .max) throws -> Int? {
        guard let value = self[name] else { return nil }
        guard let number = value.int else { throw wrong(name, "must be a whole number") }
        guard range.contains(number) else {
            throw wrong(name, "must lie between \(range.lowerBound) and \(range.upperBound)")
        }
        return number
    }

    /// A number.
    public func number(_ name: String) throws -> Double? {
        guard let value = self[name] else { return nil }
        guard let number = value.double, number.isFinite else {
            throw wrong(name, "must be a number")
        }
        return number
    }

    /// A text.
    public func text(_ name: String) throws -> String? {
        guard let value = self[name] else { return nil }
        guard let text = value.string else { throw wrong(name, "must be a text") }
        guard !value.holdsNUL else { throw wrong(name, "must not hold a NUL character") }
        return text
    }

    /// True or false.
    public func flag(_ name: String) throws -> Bool? {
        guard let value = self[name] else { return nil }
        guard case .bool(let flag) = value else { throw wrong(name, "must be true or false") }
        return flag
    }

    /// A list.
    public func list(_ name: String) throws -> [JSONValue]? {
        guard let value = self[name] else { return nil }
        guard let list = value.array else { throw wrong(name, "must be a list") }
        return list
    }

    /// A list of texts.
    public func texts(_ name: String) throws -> [String]? {
        guard let list = try list(name) else { return nil }
        let texts = list.compactMap(\.string)
        guard texts.count == list.count else { throw wrong(name, "must be a list of texts") }
        return texts
    }

    /// An object.
    public func fields(_ name: String) throws -> JSONFields? {
        guard let value = self[name] else { return nil }
        guard let members = value.object else { throw wrong(name, "must be an object") }
        return JSONFields(members, path: prefix + name)
    }

    /// The error for a field of the wrong kind, with the field's name and what it has to be.
    private func wrong(_ name: String, _ what: String) -> InputError {
        InputError("'\(prefix)\(name)' \(what).")
    }
}
