import Foundation

/// Methods of texts, with Python's names.
extension JinjaEvaluator {
    /// Calls a method of a text. The text and the arguments are charged, and the size of what
    /// `replace` makes is checked before it is made.
    ///
    /// Differences from Python: `startswith` and `replace` compare by characters, so that an accent
    /// written apart does not part from its letter; `isdigit` takes all numbers; `split` without a
    /// separator takes no count; `find` takes no bounds.
    mutating func stringMethod(_ name: String, _ text: String, _ arguments: [JinjaValue]) throws
        -> JinjaValue
    {
        for argument in arguments { _ = try charged(argument) }
        /// Text of an argument that has to be given.
        func argument(_ i: Int) throws -> String {
            guard arguments.indices.contains(i) else { throw fault("'\(name)' lacks an argument") }
            return arguments[i].text
        }
        /// Drops whitespace, or the characters of the first argument as a set, from the ends asked
        /// for.
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
            try charge(options.count)
            return .bool(
                options.contains {
                    name == "startswith" ? text.hasPrefix($0.text) : text.hasSuffix($0.text)
                })
        case "replace":
            let old = try argument(0)
            let new = try argument(1)
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

    /// Text with the first letter of each word in upper case and the others in lower case; a word
    /// ends at what is no letter, as by Python's `title`.
    static func title(_ text: String) -> String {
        var result = ""
        var inWord = false
        for character in text {
            result += inWord ? character.lowercased() : character.uppercased()
            inWord = character.isLetter
        }
        return result
    }
}
