import Foundation

/// Operators: members, items, slices, and operators with two operands, with Python's meaning.
extension JinjaEvaluator {
    /// Member by name, of a dictionary or namespace; undefined where there is none. A member of
    /// something undefined is an error, as in Jinja: a misspelled name shall not vanish silently.
    mutating func member(_ base: JinjaValue, _ name: String) throws -> JinjaValue {
        switch base {
        case .object(let entries):
            try charge(entries.count)
            return base[name] ?? .undefined
        case .namespace(let index): return namespaces[index][name] ?? .undefined
        case .undefined: throw fault("'\(name)' is asked of something undefined")
        default: return .undefined
        }
    }

    /// Item by index or key. Negative indexes count from the end; one that is out of range gives
    /// undefined, as in Jinja, where Python raises. A text's item is a Unicode scalar.
    mutating func item(_ base: JinjaValue, _ index: JinjaValue) throws -> JinjaValue {
        switch (base, index) {
        case (.list(let items), .integer(let i)):
            let resolved = i < 0 ? items.count + i : i
            return items.indices.contains(resolved) ? items[resolved] : .undefined
        case (.string(let text), .integer(let i)):
            try charge(text.utf8.count)
            let scalars = Array(text.unicodeScalars)
            let resolved = i < 0 ? scalars.count + i : i
            return scalars.indices.contains(resolved) ? .string(String(scalars[resolved])) : .undefined
        case (_, .string(let name)): return try member(base, name)
        case (.undefined, _): throw fault("an item is asked of something undefined")
        default: return .undefined
        }
    }

    /// Slice with Python's rules: bounds are clamped, negative ones count from the end, a negative
    /// step goes backwards (`messages[::-1]`). Texts are sliced by Unicode scalars.
    func slice(
        _ base: JinjaValue, _ from: JinjaValue?, _ to: JinjaValue?, _ by: JinjaValue?
    ) throws
        -> JinjaValue
    {
        /// Bound of the slice; nil where it is missing or none.
        func bound(_ value: JinjaValue?) throws -> Int? {
            switch value {
            case nil, JinjaValue.none?: return nil
            case .integer(let i)?: return i
            default: throw fault("a slice has a bound that is no integer")
            }
        }
        let step = try bound(by) ?? 1
        let first = try bound(from)
        let last = try bound(to)
        func pick<T>(_ items: [T]) throws -> [T] {
            guard step != 0 else { throw fault("a slice has a step of zero") }
            let n = items.count
            /// Position that a bound means, between the ends that the step's direction allows.
            func clamp(_ i: Int) -> Int {
                step > 0
                    ? min(max(i < 0 ? n + i : i, 0), n) : min(max(i < 0 ? n + i : i, -1), n - 1)
            }
            let start = first.map(clamp) ?? (step > 0 ? 0 : n - 1)
            let stop = last.map(clamp) ?? (step > 0 ? n : -1)
            return stride(from: start, to: stop, by: step).map { items[$0] }
        }
        switch base {
        case .list(let items): return .list(try pick(items))
        case .string(let text):
            return .string(String(String.UnicodeScalarView(try pick(Array(text.unicodeScalars)))))
        default: throw fault("\(base.text.prefix(40)) cannot be sliced")
        }
    }

    /// Value of an operator other than `and` and `or`.
    ///
    /// Integers wrap at 64 bits instead of growing as Python's do. `//` rounds down and `%` has the
    /// sign of the divisor, as in Python; `/` and `**` always give a floating-point number. Texts
    /// are ordered by Unicode scalars. A text times a number is limited to 1 MiB before it is made;
    /// lists cannot be multiplied. Both operands are charged by the caller.
    mutating func binary(_ symbol: String, _ a: JinjaValue, _ b: JinjaValue) throws -> JinjaValue {
        switch symbol {
        case "==": return .bool(try equals(a, b))
        case "!=": return .bool(try !equals(a, b))
        case "~": return .string(a.text + b.text)
        case "in":
            switch b {
            case .string(let text): return .bool(try contains(text, a.text))
            case .list(let items): return .bool(try items.contains { try equals($0, a) })
            case .object: return .bool(b[a.text] != nil)
            case .undefined: return .bool(false)
            default: throw fault("nothing can be in \(b.text.prefix(40))")
            }
        default: break
        }
        if case .string(let x) = a, case .string(let y) = b {
            switch symbol {
            case "+": return .string(x + y)
            case "<": return .bool(x.unicodeScalars.lexicographicallyPrecedes(y.unicodeScalars))
            case ">": return .bool(y.unicodeScalars.lexicographicallyPrecedes(x.unicodeScalars))
            case "<=": return .bool(!y.unicodeScalars.lexicographicallyPrecedes(x.unicodeScalars))
            case ">=": return .bool(!x.unicodeScalars.lexicographicallyPrecedes(y.unicodeScalars))
            default: break
            }
        }
        if case .list(let x) = a, case .list(let y) = b, symbol == "+" { return .list(x + y) }
        if case .string(let text) = a, case .integer(let count) = b, symbol == "*" {
            guard count <= (1 << 20) / max(1, text.utf8.count) else {
                throw fault("a text is repeated too often")
            }
            return .string(String(repeating: text, count: max(0, count)))
        }
        if case .integer(let x) = a, case .integer(let y) = b {
            switch symbol {
            case "+": return .integer(x &+ y)
            case "-": return .integer(x &- y)
            case "*": return .integer(x &* y)
            case "//", "%":
                guard y != 0 else { throw fault("it divides by zero") }
                if y == -1 { return .integer(symbol == "%" ? 0 : 0 &- x) }
                let quotient = x / y - (x % y != 0 && (x < 0) != (y < 0) ? 1 : 0)
                return .integer(symbol == "//" ? quotient : x - quotient * y)
            default: break
            }
        }
        guard let x = a.number, let y = b.number else {
            throw fault("'\(symbol)' does not fit \(a.text.prefix(40)) and \(b.text.prefix(40))")
        }
        switch symbol {
        case "+": return .float(x + y)
        case "-": return .float(x - y)
        case "*": return .float(x * y)
        case "/":
            guard y != 0 else { throw fault("it divides by zero") }
            return .float(x / y)
        case "//": return .float((x / y).rounded(.down))
        case "%": return .float(x - (x / y).rounded(.down) * y)
        case "**": return .float(pow(x, y))
        case "<": return .bool(x < y)
        case ">": return .bool(x > y)
        case "<=": return .bool(x <= y)
        case ">=": return .bool(x >= y)
        default: throw fault("the operator '\(symbol)' is not known")
        }
    }
}
