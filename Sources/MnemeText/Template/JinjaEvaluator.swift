import Foundation

/// Evaluator: renders a template's nodes. Statements are here, expressions in the other files.
///
/// Whoever publishes a model writes its template: all that it makes the evaluator do is bounded.
/// Each node and expression is a step, and whatever goes over items or characters is charged for
/// them, so that neither many small operations nor a few large ones run without end. Limits are far
/// above what published templates need with a long conversation; reaching one is an error.
///
/// Scopes follow Jinja: a loop or macro sees outer names and sets its own, `if` has no scope. An
/// outer name cannot be changed from a loop, other than through a namespace. A macro sees the names
/// of its caller, where Jinja's sees those of its definition.
struct JinjaEvaluator {
    /// Way in which a body ended: at its end, or at a `break` or `continue` of the loop around it.
    enum Signal { case normal, breakLoop, continueLoop }
    /// Nodes and expressions that are evaluated; bytes of a text or of the prompt; scopes that are
    /// open, which bounds macros that call themselves (and, times four, expressions inside of each
    /// other).
    static let maximumSteps = 2_000_000, maximumText = JinjaValue.maximumText,
        maximumDepth = 60
    /// Items of a list; values inside of each other; values that are looked at to see how deeply
    /// they are nested. Nesting is bounded because printing, comparing and freeing a value recurse.
    static let maximumItems = 1 << 20, maximumNesting = 100, maximumVisits = 50_000_000
    /// Bytes and items that operations go over, together: the bound on time that steps alone are
    /// not.
    static let maximumWork = 1 << 29

    /// Macros of the template, by position.
    let macros: [JinjaMacro]
    /// Time that `strftime_now` formats.
    let now: Date
    /// Scopes, the innermost last: the caller's variables, the template's own, then loops and
    /// macros.
    var scopes: [[String: JinjaValue]]
    /// Members of all namespaces, by the number that a value names; never freed within a rendering.
    var namespaces: [[String: JinjaValue]] = []
    /// Counters against the limits; `depth` is that of expressions being evaluated.
    var steps = 0, depth = 0, visits = 0, work = 0

    /// Evaluator for one rendering.
    init(macros: [JinjaMacro], now: Date, variables: [String: JinjaValue]) {
        self.macros = macros
        self.now = now
        scopes = [variables, [:]]
    }

    /// Error for a template that cannot be rendered.
    func fault(_ what: String) -> TemplateError {
        TemplateError("The chat template failed: \(what).")
    }

    /// Counts a step; throws past the limit.
    mutating func step() throws {
        steps += 1
        if steps > Self.maximumSteps { throw fault("it takes too many steps") }
    }

    /// Renders a whole template.
    mutating func render(_ nodes: [JinjaNode]) throws -> String {
        var output = ""
        _ = try run(nodes, &output)
        return output
    }

    /// Runs nodes and appends what they write. The size of the output is checked after each node.
    mutating func run(_ nodes: [JinjaNode], _ output: inout String) throws -> Signal {
        for node in nodes {
            try step()
            switch node {
            case .text(let text):
                try charge(text.utf8.count)
                output += text
            case .output(let expression):
                output += try charged(.string(value(expression).text)).text
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

    /// Runs a `for`. Items are filtered first, so that `loop.index`, `loop.last` and the like count
    /// only those that are kept, as in Jinja. Each round begins with an empty scope. Of `loop`
    /// there are the counters, `first`, `last`, `previtem` and `nextitem`; `cycle`, `changed` and
    /// `depth` are not there.
    mutating func loop(
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

    /// Sets one name in the innermost scope, or unpacks a list of as many values as there are
    /// names.
    mutating func assign(_ names: [String], _ value: JinjaValue) throws {
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

    /// Value of a name: from the innermost scope that has it, else a built-in function, else
    /// undefined.
    func lookUp(_ name: String) -> JinjaValue {
        for scope in scopes.reversed() {
            if let value = scope[name] { return value }
        }
        return ["range", "namespace", "raise_exception", "strftime_now", "dict"].contains(name)
            ? .function(name) : .undefined
    }

    /// Items that a loop goes over: a list's items, a dictionary's keys, a text's Unicode scalars,
    /// and nothing for undefined, as in Python and Jinja.
    mutating func elements(_ value: JinjaValue) throws -> [JinjaValue] {
        switch try charged(value) {
        case .list(let items): return items
        case .object(let entries): return entries.map { .string($0.key) }
        case .string(let text): return text.unicodeScalars.map { .string(String($0)) }
        case .undefined: return []
        default: throw fault("\(value.text.prefix(40)) is no list")
        }
    }

    // MARK: Expressions

    /// Evaluates an expression; its value is checked against the limits of size.
    mutating func value(_ expression: JinjaExpression) throws -> JinjaValue {
        try bounded(unbounded(expression))
    }

    /// Evaluates an expression whose value may be too large still. Both operands are charged before
    /// an operator goes over them, and so is its result.
    mutating func unbounded(_ expression: JinjaExpression) throws -> JinjaValue {
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
            for (key, entry) in entries {
                try charge(result.count)
                Self.set(&result, try value(key).text, try value(entry))
            }
            return .object(result)
        case .attribute(let base, let name): return try member(value(base), name)
        case .item(let base, let index): return try item(value(base), value(index))
        case .slice(let base, let from, let to, let by):
            return try slice(
                charged(value(base)), from.map { try value($0) }, to.map { try value($0) },
                by.map { try value($0) })
        case .call(let function, let positional, let named):
            return try charged(call(function, positional, named))
        case .filter(let base, let name, let positional, let named):
            return try charged(
                filter(
                    name, charged(value(base)), positional.map { try value($0) },
                    try named.map { ($0.0, try value($0.1)) }))
        case .test(let base, let name, let arguments, let negated):
            let result = try test(
                name, charged(value(base)), arguments.map { try charged(value($0)) })
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
            default:
                return try charged(
                    binary(symbol, try charged(value(left)), try charged(value(right))))
            }
        }
    }

    /// Sets a dictionary's key: a known one keeps its position, as in Python. Complexity: O(keys).
    static func set(
        _ entries: inout [(key: String, value: JinjaValue)], _ key: String, _ value: JinjaValue
    ) {
        if let i = entries.firstIndex(where: { $0.key == key }) {
            entries[i].value = value
        } else {
            entries.append((key, value))
        }
    }
}
