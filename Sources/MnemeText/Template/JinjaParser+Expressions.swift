/// Expressions, the loosest binding first: each level reads the next tighter one and joins what its
/// own operators join.
extension JinjaParser {
    /// Reads an expression with `if` and `else`, the loosest of all.
    mutating func expression() throws -> JinjaExpression {
        depth += 1
        defer { depth -= 1 }
        guard depth < 100 else { throw fault("it is nested too deeply") }
        let value = try disjunction()
        guard accept(.name("if")) else { return value }
        let condition = try disjunction()
        return .conditional(condition, value, accept(.name("else")) ? try expression() : nil)
    }

    /// Reads operands of `or`. The list of a `for` begins here, because an `if` after it is the
    /// loop's.
    mutating func disjunction() throws -> JinjaExpression {
        var left = try conjunction()
        while accept(.name("or")) {
            try link()
            left = .binary("or", left, try conjunction())
        }
        return left
    }

    /// Reads operands of `and`.
    mutating func conjunction() throws -> JinjaExpression {
        var left = try negation()
        while accept(.name("and")) {
            try link()
            left = .binary("and", left, try negation())
        }
        return left
    }

    /// Reads any number of `not` in a loop, so that many of them take no stack.
    mutating func negation() throws -> JinjaExpression {
        var count = 0
        while accept(.name("not")) { count += 1 }
        let value = try comparison()
        return count % 2 == 1 ? .not(value) : value
    }

    /// Reads comparisons, `in` and `not in`.
    mutating func comparison() throws -> JinjaExpression {
        var left = try sum()
        while true {
            if case .symbol(let symbol)? = current,
                ["==", "!=", "<", ">", "<=", ">="].contains(symbol)
            {
                try link()
                position += 1
                left = .binary(symbol, left, try sum())
            } else if accept(.name("in")) {
                try link()
                left = .binary("in", left, try sum())
            } else if current == .name("not"), position + 1 < tokens.count,
                tokens[position + 1] == .name("in")
            {
                try link()
                position += 2
                left = .not(.binary("in", left, try sum()))
            } else {
                return left
            }
        }
    }

    /// Reads sums and differences.
    mutating func sum() throws -> JinjaExpression {
        var left = try concatenation()
        while case .symbol(let symbol)? = current, symbol == "+" || symbol == "-" {
            try link()
            position += 1
            left = .binary(symbol, left, try concatenation())
        }
        return left
    }

    /// Reads operands of `~`, which joins texts and binds tighter than a sum.
    mutating func concatenation() throws -> JinjaExpression {
        var left = try product()
        while accept(.symbol("~")) {
            try link()
            left = .binary("~", left, try product())
        }
        return left
    }

    /// Reads products, quotients, remainders and powers.
    mutating func product() throws -> JinjaExpression {
        var left = try sign()
        while case .symbol(let symbol)? = current, ["*", "/", "//", "%", "**"].contains(symbol) {
            try link()
            position += 1
            left = .binary(symbol, left, try sign())
        }
        return left
    }

    /// Reads any number of signs in a loop, so that many of them take no stack.
    mutating func sign() throws -> JinjaExpression {
        var count = 0
        while current == .symbol("-") || current == .symbol("+") {
            if current == .symbol("-") { count += 1 }
            position += 1
        }
        let value = try tested(postfix(primary()))
        return count % 2 == 1 ? .negative(value) : value
    }

    /// Reads filters and tests after a value: they bind tighter than any operator.
    mutating func tested(_ start: JinjaExpression) throws -> JinjaExpression {
        var value = start
        while true {
            if accept(.symbol("|")) {
                try link()
                let filter = try name()
                var (positional, named): ([JinjaExpression], [(String, JinjaExpression)]) = ([], [])
                if accept(.symbol("(")) { (positional, named) = try arguments() }
                value = try postfix(.filter(value, filter, positional, named))
            } else if accept(.name("is")) {
                try link()
                let negated = accept(.name("not"))
                let test = try name()
                var arguments: [JinjaExpression] = []
                if accept(.symbol("(")) {
                    arguments = try self.arguments().0
                } else if startsOperand {
                    arguments = [try postfix(primary())]
                }
                value = .test(value, test, arguments, negated: negated)
            } else {
                return value
            }
        }
    }

    /// True where an argument without parentheses follows a test's name, as in `is divisibleby 2`.
    var startsOperand: Bool {
        switch current {
        case .string, .integer, .float: true
        case .name(let name): !["and", "or", "not", "if", "else", "is", "in"].contains(name)
        default: false
        }
    }

    /// Reads a constant, a name or a bracketed expression; strings side by side are one, as in
    /// Python.
    mutating func primary() throws -> JinjaExpression {
        guard let token = current else { throw fault("an expression is missing") }
        position += 1
        switch token {
        case .string(var text):
            while case .string(let more)? = current {
                position += 1
                text += more
            }
            return .literal(.string(text))
        case .integer(let value): return .literal(.integer(value))
        case .float(let value): return .literal(.float(value))
        case .name("true"), .name("True"): return .literal(.bool(true))
        case .name("false"), .name("False"): return .literal(.bool(false))
        case .name("none"), .name("None"): return .literal(.none)
        case .name(let name): return .name(name)
        case .symbol("("):
            var items = [try expression()]
            guard current == .symbol(",") else {
                try expect(.symbol(")"))
                return items[0]
            }
            while accept(.symbol(",")), current != .symbol(")") { items.append(try expression()) }
            try expect(.symbol(")"))
            return .list(items)
        case .symbol("["):
            var items: [JinjaExpression] = []
            while current != .symbol("]") {
                items.append(try expression())
                if !accept(.symbol(",")) { break }
            }
            try expect(.symbol("]"))
            return .list(items)
        case .symbol("{"):
            var entries: [(JinjaExpression, JinjaExpression)] = []
            while current != .symbol("}") {
                let key = try expression()
                try expect(.symbol(":"))
                entries.append((key, try expression()))
                if !accept(.symbol(",")) { break }
            }
            try expect(.symbol("}"))
            return .object(entries)
        default: throw fault("\(token) is no expression")
        }
    }

    /// Reads members, calls, items and slices after a value.
    mutating func postfix(_ start: JinjaExpression) throws -> JinjaExpression {
        var value = start
        while [.symbol("."), .symbol("("), .symbol("[")].contains(current) {
            try link()
            if accept(.symbol(".")) {
                if case .integer(let index)? = current {
                    position += 1
                    value = .item(value, .literal(.integer(index)))
                } else {
                    value = .attribute(value, try name())
                }
            } else if accept(.symbol("(")) {
                let (positional, named) = try arguments()
                value = .call(value, positional, named)
            } else if accept(.symbol("[")) {
                var parts: [JinjaExpression?] = [nil]
                var colons = 0
                while !accept(.symbol("]")) {
                    if accept(.symbol(":")) {
                        colons += 1
                        parts.append(nil)
                    } else {
                        parts[colons] = try expression()
                    }
                    guard colons <= 2 else { throw fault("a slice has too many parts") }
                }
                if colons == 0 {
                    guard let index = parts[0] else { throw fault("an index is missing") }
                    value = .item(value, index)
                } else {
                    value = .slice(value, parts[0], parts[1], colons > 1 ? parts[2] : nil)
                }
            }
        }
        return value
    }

    /// Reads the arguments of a call up to its closing parenthesis: positional ones and named ones.
    mutating func arguments() throws -> ([JinjaExpression], [(String, JinjaExpression)]) {
        var positional: [JinjaExpression] = []
        var named: [(String, JinjaExpression)] = []
        while !accept(.symbol(")")) {
            if case .name(let name)? = current, position + 1 < tokens.count,
                tokens[position + 1] == .symbol("=")
            {
                position += 2
                named.append((name, try expression()))
            } else {
                positional.append(try expression())
            }
            if current != .symbol(")") { try expect(.symbol(",")) }
        }
        return (positional, named)
    }
}
