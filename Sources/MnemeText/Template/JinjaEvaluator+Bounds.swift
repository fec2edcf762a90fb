/// What a template may make the evaluator do at most.
extension JinjaEvaluator {
    /// Counts work whose time grows with bytes or items.
    mutating func charge(_ count: Int) throws {
        let (sum, overflow) = work.addingReportingOverflow(max(0, count))
        work = sum
        if overflow || work > Self.maximumWork { throw fault("it takes too many steps") }
    }

    /// The value, charged for its bytes or items: an operation goes over them.
    mutating func charged(_ value: JinjaValue) throws -> JinjaValue {
        switch value {
        case .string(let text): try charge(text.utf8.count)
        case .list(let items): try charge(items.count)
        case .object(let entries): try charge(entries.count)
        default: break
        }
        return value
    }

    /// Python's `==`, charged for all that is compared.
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

    private mutating func member(_ object: JinjaValue, _ key: String, of count: Int) throws
        -> JinjaValue?
    {
        try charge(count)
        return object[key]
    }

    /// Whether a text holds another; charged for a search that starts anew at each character.
    mutating func contains(_ text: String, _ part: String) throws -> Bool {
        let (work, overflow) = text.utf8.count.multipliedReportingOverflow(
            by: 1 + part.utf8.count / 16)
        try charge(overflow ? .max : work)
        return part.isEmpty || text.contains(part)
    }

    /// What is kept from one round of a loop to the next could be nested once more in each: it must
    /// stay shallow.
    mutating func shallow(_ value: JinjaValue) throws -> JinjaValue {
        try visit(value, depth: 0)
        return value
    }

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

    /// What could double in each round must stay small.
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

    /// Asks before a text is made of `count` parts of so many bytes.
    func requireRoom(_ count: Int, _ bytes: Int, beside others: Int = 0) throws {
        let (product, overflow) = max(0, count).multipliedReportingOverflow(by: bytes)
        if overflow || product > Self.maximumText - min(others, Self.maximumText) {
            throw fault("a text grows beyond all bounds")
        }
    }

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
