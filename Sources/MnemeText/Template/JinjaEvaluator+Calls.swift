import Foundation

/// Calls: built-in functions, macros, and methods of lists and dictionaries.
extension JinjaEvaluator {
    /// Calls a function, macro or method. Arguments are evaluated first, from the left.
    ///
    /// `range` makes a list of at most 100,000 items, as the sandbox of Jinja has it. `namespace`
    /// and `dict` take keyword arguments only. `raise_exception` ends the rendering with the
    /// template's own message, which is what a user should read. A macro that stands in a
    /// dictionary is called before a method of that name.
    mutating func call(
        _ function: JinjaExpression, _ positional: [JinjaExpression],
        _ named: [(String, JinjaExpression)]
    ) throws -> JinjaValue {
        let arguments = try positional.map { try value($0) }
        let keywords = try named.map { ($0.0, try value($0.1)) }
        if case .attribute(let base, let name) = function {
            let target = try charged(value(base))
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
                try charge(1)
            }
            return .list(items)
        case .function("namespace"):
            guard namespaces.count < 10_000 else { throw fault("it makes too many namespaces") }
            // A namespace is kept from one round of a loop to the next, like what `set` keeps.
            for (_, value) in keywords { _ = try shallow(value) }
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

    /// Runs a macro's body in a new scope, and gives the text that it writes. Parameters come by
    /// position, by name, from their default, or are undefined, in that order; arguments that no
    /// parameter takes are dropped, as there is no `varargs` or `kwargs`.
    mutating func macro(
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
            try charge(keywords.count)
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

    /// Calls a method as Python has it: those of texts, `items`, `keys`, `values` and `get` of
    /// dictionaries, `index` of lists. Others are refused. None of them changes its value, and none
    /// reaches outside of the template.
    mutating func method(_ name: String, _ target: JinjaValue, _ arguments: [JinjaValue]) throws
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
                let i = try items.firstIndex(where: { try equals($0, wanted) })
            else { throw fault("a list lacks an item") }
            return .integer(i)
        default: throw fault("\(target.text.prefix(40)) has no method '\(name)'")
        }
    }

    /// Formats a time as C's `strftime` in English, in UTC: a server's time zone would make prompts
    /// differ between machines. Empty where the result is longer than 255 bytes.
    static func format(_ date: Date, _ format: String) -> String {
        var time = time_t(date.timeIntervalSince1970)
        var parts = tm()
        gmtime_r(&time, &parts)
        var buffer = [CChar](repeating: 0, count: 256)
        let length = strftime(&buffer, buffer.count, format, &parts)
        return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
