import MnemeBase

/// Compiles schemas of strings, numbers, and listed values.
extension SchemaCompiler {
    /// A string that keeps the patterns, formats and lengths of all parts.
    mutating func text(_ parts: [SchemaPart]) throws -> Int {
        guard let rule = try textRule(parts) else {
            return add(
                .nothing("\(Self.name(parts[0])) bounds a text in contradiction"))
        }
        grammar.texts.append(rule)
        return add(.text(grammar.texts.count - 1))
    }

    /// The rule of such a string; nil if no text fits.
    mutating func textRule(_ parts: [SchemaPart]) throws -> TextRule? {
        var automata: [ByteAutomaton] = []
        var least = 0
        var most: Int?
        for part in parts {
            least = max(least, try part.count("minLength") ?? 0)
            if let length = try part.count("maxLength") { most = min(most ?? length, length) }
            if let pattern = try part.text("pattern"),
                let automaton = try automaton(pattern: pattern, at: part, keyword: "pattern")
            {
                automata.append(automaton)
            }
            if let name = try part.text("format") {
                if let format = TextFormat(rawValue: name), let automaton = format.automaton {
                    automata.append(automaton)
                    if let length = format.most { most = min(most ?? length, length) }
                } else if !SchemaKeywords.uncheckedFormats.contains(name) {
                    try leave("format", at: part)
                }
            }
        }
        return try textRule(automata, least: least, most: most, at: parts[0])
    }

    private mutating func textRule(
        _ automata: [ByteAutomaton], least: Int, most: Int?, at part: SchemaPart
    ) throws -> TextRule? {
        guard least <= most ?? .max else { return nil }
        // No text of such a length is ever written.
        let longest = 1 << 24
        guard least < longest else { throw part.fault("asks for a text that is too long to write") }
        let most = most.flatMap { $0 < longest ? $0 : nil }
        guard !automata.isEmpty else { return TextRule(least: least, most: most) }
        guard let automaton = try? ByteAutomaton.matching(automata, budget: &budget) else {
            try leave(part["pattern"] == nil ? "format" : "pattern", at: part)
            return TextRule(least: least, most: most)
        }
        if let rule = try? TextRule(automaton, least: least, most: most) {
            return rule.isEmpty ? nil : rule
        }
        try leave(part["maxLength"] == nil ? "minLength" : "maxLength", at: part)
        let rule = try TextRule(automaton, least: 0, most: nil)
        return rule.isEmpty ? nil : rule
    }

    /// A number that keeps the bounds and steps of all parts.
    mutating func number(_ parts: [SchemaPart], isWhole: Bool) throws -> Int {
        var rule = try numberRule(parts, isWhole: isWhole)
        do { return try named(try number(rule), parts) } catch is AutomatonTooLarge {
            try leave("multipleOf", at: parts[0])
        }
        rule.steps = []
        do { return try named(try number(rule), parts) } catch is AutomatonTooLarge {
            throw parts[0].fault("is too large: its numbers and patterns need too much memory")
        }
    }

    /// Says why, if no number fits.
    private mutating func named(_ node: Int, _ parts: [SchemaPart]) throws -> Int {
        guard case .number(let i) = grammar.nodes[node], grammar.automata[i].isEmpty else {
            return node
        }
        return add(.nothing("\(Self.name(parts[0])) bounds a number in contradiction"))
    }

    mutating func number(_ rule: NumberRule) throws(AutomatonTooLarge) -> Int {
        if let known = numbers[rule] { return add(.number(known)) }
        grammar.automata.append(try rule.automaton(budget: &budget))
        numbers[rule] = grammar.automata.count - 1
        return add(.number(grammar.automata.count - 1))
    }

    private mutating func numberRule(_ parts: [SchemaPart], isWhole: Bool) throws -> NumberRule {
        var rule = NumberRule(isWhole: isWhole)
        for part in parts {
            // Drafts before 6 have a truth value there, which sharpens the other bound.
            for (name, exclusive, isLower) in [
                ("minimum", "exclusiveMinimum", true), ("maximum", "exclusiveMaximum", false),
            ] {
                let isOld = part[exclusive]?.bool
                var bounds: [NumberRule.Bound] = []
                if let value = try part.decimal(name) {
                    bounds.append(.init(value: value, isExclusive: isOld ?? false))
                }
                if isOld == nil, let value = try part.decimal(exclusive) {
                    bounds.append(.init(value: value, isExclusive: true))
                }
                for bound in bounds {
                    if isLower { rule.raise(to: bound) } else { rule.cap(at: bound) }
                }
            }
            if let step = try part.decimal("multipleOf") {
                guard !step.isNegative, !step.isZero else {
                    throw part.fault("has a 'multipleOf' that is not above zero")
                }
                rule.steps.append(step)
            }
            guard let format = try part.text("format") else { continue }
            if let range = SchemaKeywords.range(ofFormat: format),
                let least = DecimalText(range.least), let most = DecimalText(range.most)
            {
                rule.raise(to: .init(value: least, isExclusive: false))
                rule.cap(at: .init(value: most, isExclusive: false))
            } else if !SchemaKeywords.uncheckedFormats.contains(format),
                TextFormat(rawValue: format) == nil
            {
                try leave("format", at: part)
            }
        }
        return rule
    }

    // MARK: enum and const

    /// The listed values that fit all parts.
    mutating func values(_ parts: [SchemaPart], _ types: SchemaTypes) throws -> Int {
        guard let values = try listedValues(parts) else { return Self.anything }
        let fitting = try values.filter {
            try types.contain($0) && fits($0, parts)
        }
        guard !fitting.isEmpty else {
            return add(.nothing("\(Self.name(parts[0])) lists no value that fits"))
        }
        return try node(of: fitting)
    }

    /// A node of these values. Arrays and objects are taken apart, so that blanks may stand in
    /// them.
    private mutating func node(of values: [OrderedJSON]) throws -> Int {
        let plain = values.filter { $0.elements == nil && $0.members == nil }
        var nodes = plain.isEmpty ? [] : [literals(plain.map(\.text))]
        for value in values {
            try spendNode()
            if let elements = value.elements {
                let first = try elements.map { try node(of: [$0]) }
                grammar.lists.append(
                    .init(first: first, rest: nil, least: first.count, most: first.count))
                nodes.append(add(.list(grammar.lists.count - 1)))
            } else if let members = value.members {
                grammar.literals.append(members.map { Self.nameText($0.key) })
                let names = grammar.literals.count - 1
                let properties = try members.map {
                    SchemaGrammar.ObjectRule.Property(
                        node: try node(of: [$0.value]), isRequired: true)
                }
                grammar.objects.append(
                    .init(properties: properties, names: names, others: [], least: 0))
                nodes.append(add(.object(grammar.objects.count - 1)))
            }
        }
        return nodes.count == 1 ? nodes[0] : add(.choice(nodes))
    }

    /// A member's name as JSON, with its colon.
    static func nameText(_ name: String) -> [UInt8] {
        Array(OrderedJSON.string(name).text.utf8) + [UInt8(ascii: ":")]
    }

    /// The values that every list of the parts has; nil if none has a list.
    func listedValues(_ parts: [SchemaPart]) throws -> [OrderedJSON]? {
        var values: [OrderedJSON]?
        for part in parts {
            for list in [part["enum"], part["const"].map { .array([$0]) }].compactMap(\.self) {
                guard let elements = list.elements, !elements.isEmpty else {
                    throw part.fault("has an empty enum")
                }
                let texts = Set(elements.map(\.text))
                values = values.map { $0.filter { texts.contains($0.text) } } ?? elements
            }
        }
        return values
    }

    /// True if a listed value keeps what else is said about texts and numbers.
    private mutating func fits(_ value: OrderedJSON, _ parts: [SchemaPart]) throws -> Bool {
        switch value {
        case .string(let text): return try textRule(parts)?.accepts(text) ?? false
        case .number(let text):
            let rule = try numberRule(parts, isWhole: false)
            guard let decimal = DecimalText(text) else { return rule == NumberRule() }
            return rule.accepts(decimal)
        default: return true
        }
    }
}

extension NumberRule {
    /// True if a number keeps the bounds and is a multiple of each step, if that can be said.
    fileprivate func accepts(_ number: DecimalText) -> Bool {
        if let lower, number < lower.value || lower.isExclusive && number == lower.value {
            return false
        }
        if let upper, number > upper.value || upper.isExclusive && number == upper.value {
            return false
        }
        var budget = AutomatonBudget(200_000)
        let stepped = NumberRule(steps: steps)
        guard !steps.isEmpty, let automaton = try? stepped.automaton(budget: &budget) else {
            return true
        }
        return automaton.accepts(number.plainText.utf8)
    }
}
