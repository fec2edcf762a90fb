/// Tests: the conditions behind `is`, with the names of Jinja.
extension JinjaEvaluator {
    /// Result of a test. One that is not known is an error, not false: a template would take a
    /// wrong branch. As in Jinja, texts and dictionaries are sequences, and true is a number;
    /// `startingwith` is in addition to Jinja's tests.
    mutating func test(_ name: String, _ value: JinjaValue, _ arguments: [JinjaValue]) throws -> Bool {
        /// Applies a pattern to the value.
        func kind(_ matches: (JinjaValue) -> Bool) -> Bool { matches(value) }
        switch name {
        case "defined": return kind { if case .undefined = $0 { false } else { true } }
        case "undefined": return kind { if case .undefined = $0 { true } else { false } }
        case "none": return kind { if case .none = $0 { true } else { false } }
        case "string": return kind { if case .string = $0 { true } else { false } }
        case "mapping": return kind { if case .object = $0 { true } else { false } }
        case "boolean": return kind { if case .bool = $0 { true } else { false } }
        case "integer": return kind { if case .integer = $0 { true } else { false } }
        case "float": return kind { if case .float = $0 { true } else { false } }
        case "number": return value.number != nil
        case "sequence", "iterable":
            return kind { value in
                switch value {
                case .list, .object, .string: true
                default: false
                }
            }
        case "callable":
            return kind {
                if case .macro = $0 { true } else { if case .function = $0 { true } else { false } }
            }
        case "true": return kind { if case .bool(true) = $0 { true } else { false } }
        case "false": return kind { if case .bool(false) = $0 { true } else { false } }
        case "equalto", "eq", "==":
            return try arguments.first.map { try equals(value, $0) } ?? false
        case "ne", "!=": return try arguments.first.map { try !equals(value, $0) } ?? false
        case "in": return try arguments.first.map { try binary("in", value, $0).isTrue } ?? false
        case "even": return value.number.map { $0.truncatingRemainder(dividingBy: 2) == 0 } ?? false
        case "odd":
            return value.number.map { abs($0.truncatingRemainder(dividingBy: 2)) == 1 } ?? false
        case "divisibleby":
            return try arguments.first.map { try binary("%", value, $0).number == 0 } ?? false
        case "lower": return value.text == value.text.lowercased()
        case "upper": return value.text == value.text.uppercased()
        case "startingwith": return arguments.first.map { value.text.hasPrefix($0.text) } ?? false
        default: throw fault("the test '\(name.prefix(40))' is not known")
        }
    }
}
