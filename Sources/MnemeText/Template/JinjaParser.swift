@_exported public import enum MnemeBase.ErrorClass
@_exported public import protocol MnemeBase.MnemeError

/// Error of a chat template: why it cannot be read or rendered, or the message that it raises.
public struct TemplateError: MnemeError {
    /// Sentence for whoever sent the messages or chose the model.
    public let message: String

    /// Error with a whole sentence.
    init(_ message: String) { self.message = message }

    /// Input, because templates raise errors for messages that they do not take, such as two turns
    /// of one role.
    public var errorClass: ErrorClass { .input }
}

/// Expression of a template, as a tree. Operators are kept by their spelling; the evaluator gives
/// them their meaning.
indirect enum JinjaExpression: Sendable {
    /// Constant: string, number, truth value or none.
    case literal(JinjaValue)
    /// Variable, macro or built-in function; it is looked up when it is evaluated.
    case name(String)
    /// List or tuple.
    case list([JinjaExpression])
    /// Dictionary; keys become texts.
    case object([(JinjaExpression, JinjaExpression)])
    /// Member by name, `a.b`.
    case attribute(JinjaExpression, String)
    /// Item by key or index, `a[b]`.
    case item(JinjaExpression, JinjaExpression)
    /// Slice `a[from:to:step]`; nil for parts that are not given.
    case slice(JinjaExpression, JinjaExpression?, JinjaExpression?, JinjaExpression?)
    /// Call of a function, macro or method, with positional and keyword arguments.
    case call(JinjaExpression, [JinjaExpression], [(String, JinjaExpression)])
    /// Filter by name, `a | name(…)`.
    case filter(JinjaExpression, String, [JinjaExpression], [(String, JinjaExpression)])
    /// Test by name, `a is name …` or `a is not name …`.
    case test(JinjaExpression, String, [JinjaExpression], negated: Bool)
    /// Logical negation.
    case not(JinjaExpression)
    /// Number with the other sign.
    case negative(JinjaExpression)
    /// Operator with two operands. The right one of `and` and `or` is evaluated only if it counts.
    case binary(String, JinjaExpression, JinjaExpression)
    /// Condition, value if it is true, value if not: `b if a else c`. Without `else` it is
    /// undefined.
    case conditional(JinjaExpression, JinjaExpression, JinjaExpression?)
}

/// Statement of a template, or what stands between statements.
indirect enum JinjaNode: Sendable {
    /// Text that is copied to the prompt.
    case text(String)
    /// Expression whose text is written: `{{ … }}`.
    case output(JinjaExpression)
    /// `if` and `elif` with their bodies, in order, and the body of `else`.
    case branch([(JinjaExpression, [JinjaNode])], otherwise: [JinjaNode])
    /// `for`: several names unpack each item, `condition` filters items before the loop counts
    /// them, `otherwise` runs where no item is left.
    case loop(
        names: [String], JinjaExpression, condition: JinjaExpression?, body: [JinjaNode],
        otherwise: [JinjaNode])
    /// `set` of one name, or of several that unpack a list.
    case set([String], JinjaExpression)
    /// `set` of a namespace's member: the only way to carry a value out of a loop.
    case setAttribute(String, String, JinjaExpression)
    /// `set` of a name to the text that a body writes.
    case setBlock(String, [JinjaNode])
    /// Definition of a macro, by its position in the parser's list.
    case macro(Int)
    /// Jinja's extension of loop controls, which `transformers` turns on.
    case breakLoop, continueLoop
}

/// Macro: a body with parameters, whose call gives the text that the body writes.
struct JinjaMacro: Sendable {
    /// Name that the definition sets in its scope.
    var name: String
    /// Parameters in order, with the expressions of their defaults; those are evaluated at each
    /// call.
    var parameters: [(name: String, standard: JinjaExpression?)]
    /// Statements that a call runs.
    var body: [JinjaNode]
}

/// Parser: reads tokens into nodes by recursive descent, with Jinja's precedences: conditional,
/// `or`, `and`, `not`, comparison, sum, `~`, product, sign, filter and test, postfix.
///
/// Depth and length of expressions are limited, so that neither the parser nor the evaluator, nor
/// freeing a tree, runs out of stack. It differs from Jinja in three points that published
/// templates do not meet: `a < b < c` compares from the left, `**` binds as products do, and `-x |
/// f` filters before it negates. Complexity: linear.
struct JinjaParser {
    /// Tokens of the template.
    var tokens: [JinjaToken]
    /// Position of the next token that is not read.
    var position = 0
    /// Bodies and bracketed expressions that are open: at most 99.
    var depth = 0
    /// Operators, filters and the like of the tag that is read: each makes a value of the one
    /// before it, a level of the tree without brackets. At most 1000.
    var links = 0
    /// Macros that are read, in the order in which they end.
    private(set) var macros: [JinjaMacro] = []

    /// Parser for the tokens of a template; it is used once.
    init(_ tokens: [JinjaToken]) { self.tokens = tokens }

    /// Next token; nil at the end.
    var current: JinjaToken? { position < tokens.count ? tokens[position] : nil }
    /// Error for a template that breaks the grammar.
    func fault(_ what: String) -> TemplateError {
        TemplateError("The chat template cannot be read: \(what).")
    }

    /// Takes the token if it is the next one.
    mutating func accept(_ token: JinjaToken) -> Bool {
        guard current == token else { return false }
        position += 1
        return true
    }
    /// Takes the token, which has to be the next one.
    mutating func expect(_ token: JinjaToken) throws {
        guard accept(token) else {
            throw fault("\(token) is missing, there is \(current.map { "\($0)" } ?? "the end")")
        }
    }
    /// Takes a name or keyword.
    mutating func name() throws -> String {
        guard case .name(let name)? = current else { throw fault("a name is missing") }
        position += 1
        return name
    }
    /// Counts what makes an expression deeper without brackets.
    mutating func link() throws {
        links += 1
        guard links <= 1000 else { throw fault("an expression is too long") }
    }
    /// Tells if a statement of one of these names comes next.
    func isBlock(_ names: [String]) -> Bool {
        guard current == .blockStart, position + 1 < tokens.count,
            case .name(let name) = tokens[position + 1]
        else {
            return false
        }
        return names.contains(name)
    }

    /// Reads the whole template.
    mutating func template() throws -> [JinjaNode] {
        let nodes = try body(until: [])
        guard current == nil else { throw fault("a tag ends what was not begun") }
        return nodes
    }

    /// Reads nodes up to a statement of one of these names, or the end of the template.
    mutating func body(until ends: [String]) throws -> [JinjaNode] {
        depth += 1
        defer { depth -= 1 }
        guard depth < 100 else { throw fault("it is nested too deeply") }
        var nodes: [JinjaNode] = []
        while let token = current, !isBlock(ends) {
            links = 0
            switch token {
            case .text(let text):
                position += 1
                nodes.append(.text(text))
            case .outputStart:
                position += 1
                nodes.append(.output(try expression()))
                try expect(.outputEnd)
            case .blockStart:
                position += 1
                try nodes.append(contentsOf: statement())
            default: throw fault("\(token) stands outside of a tag")
            }
        }
        return nodes
    }

    /// Takes the statement that ends a block.
    mutating func end(_ word: String) throws {
        try expect(.blockStart)
        guard try name() == word else { throw fault("'\(word)' is missing") }
        try expect(.blockEnd)
    }

    /// Reads a statement with its bodies; `{%` is taken already. `generation` marks the assistant's
    /// text for training and is read as its body alone.
    mutating func statement() throws -> [JinjaNode] {
        let word = try name()
        switch word {
        case "if":
            var branches = [(try expression(), try blockBody(["elif", "else", "endif"]))]
            var otherwise: [JinjaNode] = []
            while isBlock(["elif"]) {
                position += 2
                branches.append((try expression(), try blockBody(["elif", "else", "endif"])))
            }
            if isBlock(["else"]) {
                position += 2
                otherwise = try blockBody(["endif"])
            }
            try end("endif")
            return [.branch(branches, otherwise: otherwise)]
        case "for":
            var names = [try name()]
            while accept(.symbol(",")) { names.append(try name()) }
            guard try name() == "in" else { throw fault("'in' is missing") }
            let list = try disjunction()
            var condition: JinjaExpression?
            if accept(.name("if")) { condition = try expression() }
            let body = try blockBody(["else", "endfor"])
            var otherwise: [JinjaNode] = []
            if isBlock(["else"]) {
                position += 2
                otherwise = try blockBody(["endfor"])
            }
            try end("endfor")
            return [
                .loop(names: names, list, condition: condition, body: body, otherwise: otherwise)
            ]
        case "set":
            var names = [try name()]
            if accept(.symbol(".")) {
                let attribute = try name()
                try expect(.symbol("="))
                let value = try expression()
                try expect(.blockEnd)
                return [.setAttribute(names[0], attribute, value)]
            }
            while accept(.symbol(",")) { names.append(try name()) }
            if accept(.symbol("=")) {
                let value = try expression()
                try expect(.blockEnd)
                return [.set(names, value)]
            }
            let body = try blockBody(["endset"])
            try end("endset")
            return [.setBlock(names[0], body)]
        case "macro":
            var macro = JinjaMacro(name: try name(), parameters: [], body: [])
            try expect(.symbol("("))
            while !accept(.symbol(")")) {
                let parameter = try name()
                macro.parameters.append((parameter, accept(.symbol("=")) ? try expression() : nil))
                if current != .symbol(")") { try expect(.symbol(",")) }
            }
            macro.body = try blockBody(["endmacro"])
            try end("endmacro")
            macros.append(macro)
            return [.macro(macros.count - 1)]
        case "generation":
            let body = try blockBody(["endgeneration"])
            try end("endgeneration")
            return body
        case "break", "continue":
            try expect(.blockEnd)
            return [word == "break" ? .breakLoop : .continueLoop]
        default: throw fault("the tag '\(word.prefix(40))' is not known")
        }
    }

    /// Reads the rest of a statement's tag and the body after it; one of `ends` has to follow.
    mutating func blockBody(_ ends: [String]) throws -> [JinjaNode] {
        try expect(.blockEnd)
        let nodes = try body(until: ends)
        guard isBlock(ends) else { throw fault("'\(ends.last!)' is missing") }
        return nodes
    }
}
