import Foundation

struct JinjaEvaluator {
    private enum Signal { case normal, breakLoop, continueLoop }
    private static let maximumSteps = 2_000_000, maximumText = JinjaValue.maximumText,
        maximumDepth = 60
    /// Items of a list; values inside of each other; values that are looked at to see how deeply
    /// they are nested.
    private static let maximumItems = 1 << 20, maximumNesting = 100, maximumVisits = 50_000_000

    private let macros: [JinjaMacro]
    private let now: Date
    private var scopes: [[String: JinjaValue]]
    private var namespaces: [[String: JinjaValue]] = []
    private var steps = 0, depth = 0, visits = 0

    init(macros: [JinjaMacro], now: Date, variables: [String: JinjaValue]) {
        self.macros = macros
        self.now = now
        scopes = [variables, [:]]
    }

    private func fault(_ what: String) -> TemplateError {
        TemplateError("The chat template failed: \(what).")
    }

    private mutating func step() throws {
        steps += 1
        if steps > Self.maximumSteps { throw fault("it takes too many steps") }
    }

    mutating func render(_ nodes: [JinjaNode]) throws -> String {
        var output = ""
        _ = try run(nodes, &output)
        return output
    }

    private mutating func run(_ nodes: [JinjaNode], _ output: inout String) throws -> Signal {
        for node in nodes {
            try step()
            switch node {
            case .text(let text): output += text
            case .output(let expression): output += try value(expression).text
            case .branch(let branches, let otherwise):
                var chosen = otherwise
                for (condition, body) in branches where try value(condition).isTrue {
                    chosen = body
                    break
                }
                let signal = try run(chosen, &output)
                if signal != .normal { return signal }
            case .loop(let names, let list, let condition, let body, let otherwise):
                try loop(names, list, condition, body, otherwise, &output)
            case .set(let names, let expression): try assign(names, try shallow(value(expression)))
            case .setAttribute(let name, let attribute, let expression):
                guard case .namespace(let index) = lookUp(name) else {
                    throw fault("'\(name)' is no namespace")
                }
                namespaces[index][attribute] = try shallow(value(expression))
            case .setBlock(let name, let body):
                var text = ""
                _ = try run(body, &text)
                scopes[scopes.count - 1][name] = .string(text)
            case .macro(let index): scopes[scopes.count - 1][macros[index].name] = .macro(index)
            case .breakLoop: return .breakLoop
            case .continueLoop: return .continueLoop
            }
            if output.utf8.count > Self.maximumText {
                throw fault("the prompt grows beyond all bounds")
            }
        }
        return .normal
    }

    private mutating func loop(
        _ names: [String], _ list: JinjaExpression, _ condition: JinjaExpression?,
        _ body: [JinjaNode],
        _ otherwise: [JinjaNode], _ output: inout String
    ) throws {
        var items = try elements(value(list))
        scopes.append([:])
        defer { scopes.removeLast() }
        if let condition {
            var kept: [JinjaValue] = []
            for item in items {
                try step()
                try assign(names, item)
                if try value(condition).isTrue { kept.append(item) }
            }
            items = kept
        }
        guard !items.isEmpty else {
            _ = try run(otherwise, &output)
            return
        }
        for (i, item) in items.enumerated() {
            try step()
            scopes[scopes.count - 1] = [:]
            try assign(names, item)
            var loop: [(key: String, value: JinjaValue)] = [
                ("index", .integer(i + 1)), ("index0", .integer(i)),
                ("revindex", .integer(items.count - i)),
                ("revindex0", .integer(items.count - i - 1)),
                ("first", .bool(i == 0)), ("last", .bool(i == items.count - 1)),
                ("length", .integer(items.count)),
            ]
            if i > 0 { loop.append(("previtem", items[i - 1])) }
            if i + 1 < items.count { loop.append(("nextitem", items[i + 1])) }
            scopes[scopes.count - 1]["loop"] = .object(loop)
            if try run(body, &output) == .breakLoop { return }
        }
    }

    private mutating func assign(_ names: [String], _ value: JinjaValue) throws {
        guard names.count > 1 else {
            scopes[scopes.count - 1][names[0]] = value
            return
        }
        let parts = try elements(value)
        guard parts.count == names.count else {
            throw fault("\(parts.count) values do not fit \(names.count) names")
        }
        for (name, part) in zip(names, parts) { scopes[scopes.count - 1][name] = part }
    }

    private func lookUp(_ name: String) -> JinjaValue {
        for scope in scopes.reversed() {
            if let value = scope[name] { return value }
        }
        return ["range", "namespace", "raise_exception", "strftime_now", "dict"].contains(name)
            ? .function(name) : .undefined
    }

    private func elements(_ value: JinjaValue) throws -> [JinjaValue] {
        switch value {
        case .list(let items): return items
        case .object(let entries): return entries.map { .string($0.key) }
        case .string(let text): return text.unicodeScalars.map { .string(String($0)) }
        case .undefined: return []
        default: throw fault("\(value.text.prefix(40)) is no list")
        }
    }

    // MARK: Bounds

    /// What is kept from one round of a loop to the next could be nested once more in each: it must
    /// stay shallow.
    private mutating func shallow(_ value: JinjaValue) throws -> JinjaValue {
        try visit(value, depth: 0)
        return value
    }

    private mutating func visit(_ value: JinjaValue, depth: Int) throws {
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
    private func bounded(_ value: JinjaValue) throws -> JinjaValue {
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
    private func requireRoom(_ count: Int, _ bytes: Int, beside others: Int = 0) throws {
        let (product, overflow) = max(0, count).multipliedReportingOverflow(by: bytes)
        if overflow || product > Self.maximumText - min(others, Self.maximumText) {
            throw fault("a text grows beyond all bounds")
        }
    }

    private func join(_ items: [JinjaValue], _ separator: String) throws -> JinjaValue {
        try requireRoom(items.count, separator.utf8.count)
        var out = ""
        for (i, item) in items.enumerated() {
            if i > 0 { out += separator }
            out += item.text
            try requireRoom(1, out.utf8.count)
        }
        return .string(out)
    }

    // MARK: Expressions

    private mutating func value(_ expression: JinjaExpression) throws -> JinjaValue {
        try bounded(unbounded(expression))
    }

    private mutating func unbounded(_ expression: JinjaExpression) throws -> JinjaValue {
        try step()
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.maximumDepth * 4 else { throw fault("it is nested too deeply") }
        switch expression {
        case .literal(let value): return value
        case .name(let name): return lookUp(name)
        case .list(let items): return .list(try items.map { try value($0) })
        case .object(let entries):
            var result: [(key: String, value: JinjaValue)] = []
            for (key, entry) in entries { Self.set(&result, try value(key).text, try value(entry)) }
            return .object(result)
        case .attribute(let base, let name): return try member(value(base), name)
        case .item(let base, let index): return try item(value(base), value(index))
        case .slice(let base, let from, let to, let by):
            return try slice(
                value(base), from.map { try value($0) }, to.map { try value($0) },
                by.map { try value($0) })
        case .call(let function, let positional, let named):
            return try call(function, positional, named)
        case .filter(let base, let name, let positional, let named):
            return try filter(
                name, value(base), positional.map { try value($0) },
                try named.map { ($0.0, try value($0.1)) })
        case .test(let base, let name, let arguments, let negated):
            let result = try test(name, value(base), arguments.map { try value($0) })
            return .bool(result != negated)
        case .not(let operand): return .bool(!(try value(operand).isTrue))
        case .negative(let operand):
            switch try value(operand) {
            case .integer(let number): return .integer(0 &- number)
            case .float(let number): return .float(-number)
            default: throw fault("what is no number has no negative")
            }
        case .conditional(let condition, let then, let otherwise):
            return try value(condition).isTrue
                ? try value(then) : try otherwise.map { try value($0) } ?? .undefined
        case .binary(let symbol, let left, let right):
            switch symbol {
            case "and":
                let a = try value(left)
                return a.isTrue ? try value(right) : a
            case "or":
                let a = try value(left)
                return a.isTrue ? a : try value(right)
            default: return try binary(symbol, try value(left), try value(right))
            }
        }
    }

    private static func set(
        _ entries: inout [(key: String, value: JinjaValue)], _ key: String, _ value: JinjaValue
    ) {
        if let i = entries.firstIndex(where: { $0.key == key }) {
            entries[i].value = value
        } else {
            entries.append((key, value))
        }
    }

    private func member(_ base: JinjaValue, _ name: String) throws -> JinjaValue {
        switch base {
        case .object: return base[name] ?? .undefined
        case .namespace(let index): return namespaces[index][name] ?? .undefined
        case .undefined: throw fault("'\(name)' is asked of something undefined")
        default: return .undefined
        }
    }

    private func item(_ base: JinjaValue, _ index: JinjaValue) throws -> JinjaValue {
        switch (base, index) {
        case (.list(let items), .integer(let i)):
            let place = i < 0 ? items.count + i : i
            return items.indices.contains(place) ? items[place] : .undefined
        case (.string(let text), .integer(let i)):
            let scalars = Array(text.unicodeScalars), place = i < 0 ? scalars.count + i : i
            return scalars.indices.contains(place) ? .string(String(scalars[place])) : .undefined
        case (_, .string(let name)): return try member(base, name)
        case (.undefined, _): throw fault("an item is asked of something undefined")
        default: return .undefined
        }
    }

    private func slice(
        _ base: JinjaValue, _ from: JinjaValue?, _ to: JinjaValue?, _ by: JinjaValue?
    ) throws
        -> JinjaValue
    {
        func bound(_ value: JinjaValue?) throws -> Int? {
            switch value {
            case nil, JinjaValue.none?: return nil
            case .integer(let i)?: return i
            default: throw fault("a slice has a bound that is no integer")
            }
        }
        let step = try bound(by) ?? 1, first = try bound(from), last = try bound(to)
        func pick<T>(_ items: [T]) throws -> [T] {
            guard step != 0 else { throw fault("a slice has a step of zero") }
            let n = items.count
            func clamp(_ i: Int) -> Int {
                step > 0
                    ? min(max(i < 0 ? n + i : i, 0), n) : min(max(i < 0 ? n + i : i, -1), n - 1)
            }
            let start = first.map(clamp) ?? (step > 0 ? 0 : n - 1),
                stop = last.map(clamp) ?? (step > 0 ? n : -1)
            return stride(from: start, to: stop, by: step).map { items[$0] }
        }
        switch base {
        case .list(let items): return .list(try pick(items))
        case .string(let text):
            return .string(String(String.UnicodeScalarView(try pick(Array(text.unicodeScalars)))))
        default: throw fault("\(base.text.prefix(40)) cannot be sliced")
        }
    }

    private func binary(_ symbol: String, _ a: JinjaValue, _ b: JinjaValue) throws -> JinjaValue {
        switch symbol {
        case "==": return .bool(JinjaValue.equals(a, b))
        case "!=": return .bool(!JinjaValue.equals(a, b))
        case "~": return .string(a.text + b.text)
        case "in":
            switch b {
            case .string(let text): return .bool(a.text.isEmpty || text.contains(a.text))
            case .list(let items): return .bool(items.contains { JinjaValue.equals($0, a) })
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

    // MARK: Calls

    private mutating func call(
        _ function: JinjaExpression, _ positional: [JinjaExpression],
        _ named: [(String, JinjaExpression)]
    ) throws -> JinjaValue {
        let arguments = try positional.map { try value($0) },
            keywords = try named.map { ($0.0, try value($0.1)) }
        if case .attribute(let base, let name) = function {
            let target = try value(base)
            if case .object = target, let member = target[name], case .macro(let index) = member {
                return try macro(index, arguments, keywords)
            }
            return try method(name, target, arguments)
        }
        switch try value(function) {
        case .macro(let index): return try macro(index, arguments, keywords)
        case .function("range"):
            let bounds = arguments.compactMap { if case .integer(let i) = $0 { i } else { nil } }
            guard (1...3).contains(bounds.count), bounds.count == arguments.count else {
                throw fault("range takes one to three integers")
            }
            let by = bounds.count == 3 ? bounds[2] : 1
            guard by != 0 else { throw fault("range has a step of zero") }
            let sequence = stride(
                from: bounds.count > 1 ? bounds[0] : 0,
                to: bounds.count > 1 ? bounds[1] : bounds[0], by: by)
            var items: [JinjaValue] = []
            for item in sequence {
                guard items.count < 100_000 else { throw fault("a range is too long") }
                items.append(.integer(item))
            }
            return .list(items)
        case .function("namespace"):
            guard namespaces.count < 10_000 else { throw fault("it makes too many namespaces") }
            namespaces.append(Dictionary(keywords) { $1 })
            return .namespace(namespaces.count - 1)
        case .function("dict"): return .object(keywords.map { (key: $0.0, value: $0.1) })
        case .function("raise_exception"):
            throw TemplateError(
                arguments.first?.text ?? "The chat template refuses these messages.")
        case .function("strftime_now"):
            return .string(Self.format(now, arguments.first?.text ?? ""))
        default: throw fault("it calls what is no function")
        }
    }

    private mutating func macro(
        _ index: Int, _ arguments: [JinjaValue], _ keywords: [(String, JinjaValue)]
    ) throws
        -> JinjaValue
    {
        let macro = macros[index]
        guard scopes.count < Self.maximumDepth else {
            throw fault("macros call each other without end")
        }
        var scope: [String: JinjaValue] = [:]
        for (i, parameter) in macro.parameters.enumerated() {
            if i < arguments.count {
                scope[parameter.name] = arguments[i]
            } else if let keyword = keywords.first(where: { $0.0 == parameter.name }) {
                scope[parameter.name] = keyword.1
            } else {
                scope[parameter.name] = try parameter.standard.map { try value($0) } ?? .undefined
            }
        }
        scopes.append(scope)
        defer { scopes.removeLast() }
        var output = ""
        _ = try run(macro.body, &output)
        return .string(output)
    }

    private func method(_ name: String, _ target: JinjaValue, _ arguments: [JinjaValue]) throws
        -> JinjaValue
    {
        switch (target, name) {
        case (.string(let text), _): return try stringMethod(name, text, arguments)
        case (.object(let entries), "items"):
            return .list(entries.map { .list([.string($0.key), $0.value]) })
        case (.object(let entries), "keys"): return .list(entries.map { .string($0.key) })
        case (.object(let entries), "values"): return .list(entries.map(\.value))
        case (.object, "get"):
            return target[arguments.first?.text ?? ""]
                ?? (arguments.count > 1 ? arguments[1] : .none)
        case (.list(let items), "index"):
            guard let wanted = arguments.first,
                let i = items.firstIndex(where: { JinjaValue.equals($0, wanted) })
            else { throw fault("a list lacks an item") }
            return .integer(i)
        default: throw fault("\(target.text.prefix(40)) has no method '\(name)'")
        }
    }

    private func stringMethod(_ name: String, _ text: String, _ arguments: [JinjaValue]) throws
        -> JinjaValue
    {
        func argument(_ i: Int) throws -> String {
            guard arguments.indices.contains(i) else { throw fault("'\(name)' lacks an argument") }
            return arguments[i].text
        }
        func strip(front: Bool, back: Bool) -> JinjaValue {
            let set = arguments.first.flatMap {
                if case .string(let characters) = $0 { Set(characters.unicodeScalars) } else { nil }
            }
            func drops(_ scalar: Unicode.Scalar) -> Bool {
                set?.contains(scalar) ?? scalar.properties.isWhitespace
            }
            var scalars = text.unicodeScalars[...]
            if front { scalars = scalars.drop(while: drops) }
            if back { while let last = scalars.last, drops(last) { scalars.removeLast() } }
            return .string(String(scalars))
        }
        switch name {
        case "strip": return strip(front: true, back: true)
        case "lstrip": return strip(front: true, back: false)
        case "rstrip": return strip(front: false, back: true)
        case "upper": return .string(text.uppercased())
        case "lower": return .string(text.lowercased())
        case "title": return .string(Self.title(text))
        case "capitalize":
            return .string(text.prefix(1).uppercased() + text.dropFirst().lowercased())
        case "startswith", "endswith":
            let options: [JinjaValue] =
                if case .list(let items)? = arguments.first { items } else {
                    [.string(try argument(0))]
                }
            return .bool(
                options.contains {
                    name == "startswith" ? text.hasPrefix($0.text) : text.hasSuffix($0.text)
                })
        case "replace":
            let old = try argument(0), new = try argument(1)
            try requireRoom(
                text.utf8.count / max(1, old.utf8.count) + 1, new.utf8.count,
                beside: text.utf8.count)
            if arguments.count > 2, case .integer(let count) = arguments[2], count >= 0 {
                return .string(text.replacing(old, with: new, maxReplacements: count))
            }
            return .string(text.replacingOccurrences(of: old, with: new))
        case "split", "rsplit":
            guard case .string(let separator)? = arguments.first else {
                return .list(text.split(whereSeparator: \.isWhitespace).map { .string(String($0)) })
            }
            guard !separator.isEmpty else { throw fault("a text is split at nothing") }
            let parts = text.components(separatedBy: separator)
            guard arguments.count > 1, case .integer(let count) = arguments[1], count >= 0,
                parts.count - 1 > count
            else {
                return .list(parts.map { .string($0) })
            }
            if name == "split" {
                return .list(
                    (parts[..<count] + [parts[count...].joined(separator: separator)]).map {
                        .string($0)
                    })
            }
            let head = parts.count - count
            return .list(
                ([parts[..<head].joined(separator: separator)] + parts[head...]).map { .string($0) }
            )
        case "find":
            return .integer(
                text.range(of: try argument(0)).map {
                    text.unicodeScalars.distance(from: text.startIndex, to: $0.lowerBound)
                } ?? -1)
        case "count": return .integer(text.components(separatedBy: try argument(0)).count - 1)
        case "join": return try join(elements(arguments.first ?? .undefined), text)
        case "isdigit": return .bool(!text.isEmpty && text.allSatisfy(\.isNumber))
        case "removeprefix":
            return .string(
                text.hasPrefix(try argument(0))
                    ? String(text.dropFirst(try argument(0).count)) : text)
        case "removesuffix":
            return .string(
                text.hasSuffix(try argument(0))
                    ? String(text.dropLast(try argument(0).count)) : text)
        default: throw fault("texts have no method '\(name.prefix(40))'")
        }
    }

    private static func title(_ text: String) -> String {
        var result = "", inWord = false
        for character in text {
            result += inWord ? character.lowercased() : character.uppercased()
            inWord = character.isLetter
        }
        return result
    }

    private mutating func filter(
        _ name: String, _ base: JinjaValue, _ arguments: [JinjaValue],
        _ keywords: [(String, JinjaValue)]
    ) throws -> JinjaValue {
        func keyword(_ name: String, _ place: Int) -> JinjaValue? {
            keywords.first { $0.0 == name }?.1
                ?? (arguments.indices.contains(place) ? arguments[place] : nil)
        }
        switch name {
        case "trim": return try stringMethod("strip", base.text, arguments)
        case "upper", "lower", "title", "capitalize", "replace":
            return try stringMethod(name, base.text, arguments)
        case "string": return .string(base.text)
        case "safe", "e", "escape": return base
        case "length", "count":
            switch base {
            case .string(let text): return .integer(text.unicodeScalars.count)
            default: return .integer(try elements(base).count)
            }
        case "tojson":
            if case .integer(let indent)? = keyword("indent", 0) {
                return .string(base.json(indent: max(0, min(indent, 16))))
            }
            return .string(base.json(indent: nil))
        case "default", "d":
            let usesFallback: Bool
            if case .undefined = base {
                usesFallback = true
            } else {
                usesFallback = keyword("boolean", 1)?.isTrue ?? false && !base.isTrue
            }
            return usesFallback ? keyword("default_value", 0) ?? .string("") : base
        case "join":
            var items = try elements(base)
            if let attribute = keyword("attribute", 1) {
                items = try items.map { try member($0, attribute.text) }
            }
            return try join(items, keyword("d", 0)?.text ?? "")
        case "list": return .list(try elements(base))
        case "items":
            guard case .object(let entries) = base else { return .list([]) }
            return .list(entries.map { .list([.string($0.key), $0.value]) })
        case "dictsort":
            guard case .object(let entries) = base else {
                throw fault("dictsort needs a dictionary")
            }
            return .list(
                entries.sorted { $0.key.lowercased() < $1.key.lowercased() }.map {
                    .list([.string($0.key), $0.value])
                })
        case "first": return try elements(base).first ?? .undefined
        case "last": return try elements(base).last ?? .undefined
        case "reverse": return .list(try elements(base).reversed())
        case "unique":
            return .list(
                try elements(base).reduce(into: [JinjaValue]()) { kept, item in
                    if !kept.contains(where: { JinjaValue.equals($0, item) }) { kept.append(item) }
                })
        case "sort":
            return .list(
                try elements(base).sorted { a, b in
                    if let x = a.number, let y = b.number {
                        x < y
                    } else {
                        a.text.lowercased() < b.text.lowercased()
                    }
                })
        case "int":
            return .integer(
                base.number.flatMap { Int(exactly: $0.rounded(.towardZero)) } ?? Int(
                    base.text.trimmingCharacters(in: .whitespaces)) ?? 0)
        case "float":
            return .float(
                base.number ?? Double(base.text.trimmingCharacters(in: .whitespaces)) ?? 0)
        case "abs": return try binary("*", base, .integer((base.number ?? 0) < 0 ? -1 : 1))
        case "round": return .float((base.number ?? 0).rounded())
        case "indent":
            let width =
                if case .integer(let width)? = keyword("width", 0) { max(0, min(width, 64)) } else {
                    4
                }
            let text = base.text, lines = text.components(separatedBy: "\n"),
                pad = String(repeating: " ", count: width),
                first = keyword("first", 1)?.isTrue ?? false
            try requireRoom(lines.count, width, beside: text.utf8.count)
            return .string(
                lines.enumerated().map { $0 == 0 && !first || $1.isEmpty ? $1 : pad + $1 }.joined(
                    separator: "\n"))
        case "map":
            if let attribute = keywords.first(where: { $0.0 == "attribute" })?.1 {
                return .list(try elements(base).map { try member($0, attribute.text) })
            }
            guard let filter = arguments.first?.text else { throw fault("map lacks a filter") }
            return .list(
                try elements(base).map {
                    try self.filter(filter, $0, Array(arguments.dropFirst()), [])
                })
        case "selectattr", "rejectattr":
            guard let attribute = arguments.first?.text else {
                throw fault("\(name) lacks an attribute")
            }
            return .list(
                try elements(base).filter { item in
                    let part = try member(item, attribute)
                    let holds =
                        arguments.count > 1
                        ? try test(arguments[1].text, part, Array(arguments.dropFirst(2)))
                        : part.isTrue
                    return holds == (name == "selectattr")
                })
        case "select", "reject":
            return .list(
                try elements(base).filter { item in
                    let holds =
                        arguments.isEmpty
                        ? item.isTrue
                        : try test(arguments[0].text, item, Array(arguments.dropFirst()))
                    return holds == (name == "select")
                })
        default: throw fault("the filter '\(name.prefix(40))' is not known")
        }
    }

    private func test(_ name: String, _ value: JinjaValue, _ arguments: [JinjaValue]) throws -> Bool {
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
            return arguments.first.map { JinjaValue.equals(value, $0) } ?? false
        case "ne", "!=": return arguments.first.map { !JinjaValue.equals(value, $0) } ?? false
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

    /// C's strftime in English, UTC.
    private static func format(_ date: Date, _ format: String) -> String {
        var time = time_t(date.timeIntervalSince1970), parts = tm()
        gmtime_r(&time, &parts)
        var buffer = [CChar](repeating: 0, count: 256)
        let length = strftime(&buffer, buffer.count, format, &parts)
        return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
