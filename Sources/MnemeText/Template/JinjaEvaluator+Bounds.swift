/// Limits: the most that a template may make the evaluator do.
///
/// A template is a program of a stranger: without limits one of few lines, such as a loop that
/// doubles a text, would take all memory or a core for hours.
extension JinjaEvaluator {
    /// Counts work whose time grows with bytes or items; throws past the limit. A sum that does not
    /// fit an integer is past it too.
    mutating func charge(_ count: Int) throws {
        let (sum, overflow) = work.addingReportingOverflow(max(0, count))
        work = sum
        if overflow || work > Self.maximumWork { throw fault("it takes too many steps") }
    }

    /// Charges a value's bytes or items, since an operation goes over them, and returns it. What
    /// stands inside of its items is charged when it is looked at.
    mutating func charged(_ value: JinjaValue) throws -> JinjaValue {
        switch value {
        case .string(let text): try charge(text.utf8.count)
        case .list(let items): try charge(items.count)
        case .object(let entries): try charge(entries.count)
        default: break
        }
        return value
    }

    /// Equality as by Python's `==`, charged for all that is compared: numbers and truth values by
    /// their numbers, lists item by item, dictionaries without regard to order. Texts are compared
    /// as Swift does, by canonical equivalence, where Python compares code points. Namespaces and
    /// functions equal nothing.
    mutating func equals(_ a: JinjaValue, _ b: JinjaValue) throws -> Bool {
        try charge(8)
        switch (a, b) {
        case (.undefined, .undefined), (.none, .none): return true
        case (.string(let x), .string(let y)):
            try charge(min(x.utf8.count, y.utf8.count))
            return x == y
        case (.list(let x), .list(let y)):
            guard x.count == y.count else { return false }
            for (p, q) in zip(x, y) where try !equals(p, q) { return false }
            return true
        case (.object(let x), .object(let y)):
            guard x.count == y.count else { return false }
            for entry in x {
                guard let other = try member(b, entry.key, of: y.count),
                    try equals(other, entry.value)
                else { return false }
            }
            return true
        default:
            if let x = a.number, let y = b.number { return x == y }
            return false
        }
    }

    /// Value of a dictionary's key, charged for the linear search.
    private mutating func member(_ object: JinjaValue, _ key: String, of count: Int) throws
        -> JinjaValue?
    {
        try charge(count)
        return object[key]
    }

    /// Tells if a text holds another; charged for a search that starts anew at each character.
    mutating func contains(_ text: String, _ part: String) throws -> Bool {
        let (work, overflow) = text.utf8.count.multipliedReportingOverflow(
            by: 1 + part.utf8.count / 16)
        try charge(overflow ? .max : work)
        return part.isEmpty || text.contains(part)
    }

    /// Checks the nesting of a value that `set` or a namespace keeps, and returns it. What is kept
    /// from one round of a loop to the next could be nested once more in each: it must stay
    /// shallow.
    mutating func shallow(_ value: JinjaValue) throws -> JinjaValue {
        try visit(value, depth: 0)
        return value
    }

    /// Goes through a value for its depth. Visits are counted over the whole rendering, because a
    /// value that stands in itself many times over has more parts than it takes memory.
    mutating func visit(_ value: JinjaValue, depth: Int) throws {
        visits += 1
        guard depth <= Self.maximumNesting, visits <= Self.maximumVisits else {
            throw fault("a value is nested too deeply")
        }
        switch value {
        case .list(let items): for item in items { try visit(item, depth: depth + 1) }
        case .object(let entries): for entry in entries { try visit(entry.value, depth: depth + 1) }
        default: break
        }
    }

    /// Checks the size of an expression's value, and returns it. What could double in each round
    /// must stay small.
    func bounded(_ value: JinjaValue) throws -> JinjaValue {
        switch value {
        case .string(let text):
            if text.utf8.count > Self.maximumText { throw fault("a text grows beyond all bounds") }
        case .list(let items):
            if items.count > Self.maximumItems { throw fault("a list grows beyond all bounds") }
        default: break
        }
        return value
    }

    /// Asks before a text is made of `count` parts of so many bytes, with `others` bytes beside
    /// them: checking the text itself would be too late.
    func requireRoom(_ count: Int, _ bytes: Int, beside others: Int = 0) throws {
        let (product, overflow) = max(0, count).multipliedReportingOverflow(by: bytes)
        if overflow || product > Self.maximumText - min(others, Self.maximumText) {
            throw fault("a text grows beyond all bounds")
        }
    }

    /// Joins the texts of items as Python's `join` does, but with `str` of each item, as Jinja's
    /// filter does. The size is checked after each item.
    mutating func join(_ items: [JinjaValue], _ separator: String) throws -> JinjaValue {
        try requireRoom(items.count, separator.utf8.count)
        var out = ""
        for (i, item) in items.enumerated() {
            if i > 0 { out += separator }
            out += try charged(item).text
            try requireRoom(1, out.utf8.count)
        }
        return .string(out)
    }
}
