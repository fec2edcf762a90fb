import Foundation

/// Filters: the functions behind `|`, with the names and defaults of Jinja.
extension JinjaEvaluator {
    /// Applies a filter. The base is charged already; filters that call a filter or test for each
    /// item count a step for each.
    ///
    /// Differences from Jinja: `safe` and `escape` change nothing, because prompts are not HTML;
    /// `sort` takes no argument and ignores case; `round` takes no precision, and halves go away
    /// from zero; `length` of a text counts Unicode scalars, as Python does.
    mutating func filter(
        _ name: String, _ base: JinjaValue, _ arguments: [JinjaValue],
        _ keywords: [(String, JinjaValue)]
    ) throws -> JinjaValue {
        /// Argument by its name, else by its position; nil if it is not given.
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
            let indent: Int? =
                if case .integer(let indent)? = keyword("indent", 0) {
                    max(0, min(indent, 16))
                } else { nil }
            return try charged(.string(base.json(indent: indent)))
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
            // Keys of the order are made once for each entry, and are charged: case folding goes
            // over all bytes.
            let keys = try entries.map { entry in
                (entry: entry, text: try charged(.string(entry.key.lowercased())).text)
            }
            return .list(
                try keys.sorted { a, b in
                    try charge(1 + min(a.text.utf8.count, b.text.utf8.count))
                    return a.text < b.text
                }.map { .list([.string($0.entry.key), $0.entry.value]) })
        case "first": return try elements(base).first ?? .undefined
        case "last": return try elements(base).last ?? .undefined
        case "reverse": return .list(try elements(base).reversed())
        // Quadratic, but charged for each comparison.
        case "unique":
            var kept: [JinjaValue] = []
            for item in try elements(base) where try !kept.contains(where: { try equals($0, item) }) {
                kept.append(item)
            }
            return .list(kept)
        case "sort":
            let keys = try elements(base).map { item in
                (item: item, text: try charged(.string(item.text.lowercased())).text)
            }
            return .list(
                try keys.sorted { a, b in
                    if let x = a.item.number, let y = b.item.number { return x < y }
                    try charge(1 + min(a.text.utf8.count, b.text.utf8.count))
                    return a.text < b.text
                }.map(\.item))
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
            let text = base.text
            let lines = text.components(separatedBy: "\n")
            let pad = String(repeating: " ", count: width)
            let first = keyword("first", 1)?.isTrue ?? false
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
                try elements(base).map { item in
                    try step()
                    return try self.filter(
                        filter, try charged(item), Array(arguments.dropFirst()), [])
                })
        case "selectattr", "rejectattr":
            guard let attribute = arguments.first?.text else {
                throw fault("\(name) lacks an attribute")
            }
            return .list(
                try elements(base).filter { item in
                    try step()
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
                    try step()
                    let holds =
                        arguments.isEmpty
                        ? item.isTrue
                        : try test(arguments[0].text, item, Array(arguments.dropFirst()))
                    return holds == (name == "select")
                })
        default: throw fault("the filter '\(name.prefix(40))' is not known")
        }
    }
}
