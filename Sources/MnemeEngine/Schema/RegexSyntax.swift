/// A regular expression as JSON schemas write it: ECMA-262 with the flag `u`, as far as an
/// automaton can follow it.
indirect enum RegexSyntax: Sendable, Equatable {
    /// One scalar out of a set: a literal character, a class or `.`.
    case set(ScalarSet)
    /// Terms one after another; without terms, the empty text.
    case sequence([RegexSyntax])
    /// Branches that `|` separates, of which one must fit.
    case choice([RegexSyntax])
    /// A term that stands `least` to `most` times; nil for any number from `least` on.
    case repeated(RegexSyntax, least: Int, most: Int?)
    /// `^`: only at the beginning of the text.
    case start
    /// `$`: only at its end.
    case end

    /// The expression of the empty text alone.
    static let empty = RegexSyntax.sequence([])
}

/// A reason for which a pattern is not followed.
enum RegexFault: Error, Equatable {
    /// It is no regular expression; says what is wrong.
    case syntax(String)
    /// It is one, but no automaton follows it: references back, looking around, word boundaries.
    case unsupported(String)
}

/// Reads a pattern by recursive descent.
struct RegexParser {
    private let text: [Unicode.Scalar]
    /// Index in ``text`` of the next scalar to read.
    private var position = 0
    /// Open groups around the next scalar.
    private var depth = 0

    /// Nesting limit of groups, which keeps the recursion off the end of the stack.
    private static let maximumDepth = 200
    /// Larger counts of a repetition would not fit an automaton.
    private static let maximumCount = 100_000

    private init(_ pattern: String) { text = Array(pattern.unicodeScalars) }

    /// - Throws: ``RegexFault``.
    static func parse(_ pattern: String) throws(RegexFault) -> RegexSyntax {
        var parser = RegexParser(pattern)
        let syntax = try parser.choice()
        guard parser.position == parser.text.count else { throw .syntax("a ')' closes nothing") }
        return syntax
    }

    /// The scalar to read next; nil at the pattern's end.
    private var next: Unicode.Scalar? { position < text.count ? text[position] : nil }

    /// Reads one scalar if it is the next one; otherwise reads nothing and is false.
    private mutating func accept(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        position += 1
        return true
    }

    /// Reads several scalars if they all come next; otherwise reads nothing and is false.
    private mutating func accept(_ word: String) -> Bool {
        let scalars = Array(word.unicodeScalars)
        guard text[position...].starts(with: scalars) else { return false }
        position += scalars.count
        return true
    }

    /// Branches separated by `|`, as `Disjunction` in ECMA-262's grammar.
    private mutating func choice() throws(RegexFault) -> RegexSyntax {
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.maximumDepth else { throw .unsupported("groups nested so deeply") }
        var branches = [try sequence()]
        while accept("|") { branches.append(try sequence()) }
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    /// Terms up to `|`, `)` or the end, as `Alternative` in ECMA-262's grammar.
    private mutating func sequence() throws(RegexFault) -> RegexSyntax {
        var terms: [RegexSyntax] = []
        while let scalar = next, scalar != "|", scalar != ")" { terms.append(try term()) }
        return terms.count == 1 ? terms[0] : .sequence(terms)
    }

    /// An atom with its quantifier, if one follows. Anchors cannot be repeated.
    private mutating func term() throws(RegexFault) -> RegexSyntax {
        let atom = try atom()
        guard let (least, most) = try quantifier() else { return atom }
        if atom == .start || atom == .end { throw .syntax("an anchor is repeated") }
        // A lazy one takes the same texts.
        _ = accept("?")
        if next == "*" || next == "+" { throw .syntax("a repetition is repeated") }
        return .repeated(atom, least: least, most: most)
    }

    /// Counts of `*`, `+`, `?`, `{n}`, `{n,}` and `{n,m}`; nil, and nothing read, where none
    /// stands.
    ///
    /// A brace that opens no quantifier is a literal, as ECMA-262's annex B has it.
    private mutating func quantifier() throws(RegexFault) -> (least: Int, most: Int?)? {
        if accept("*") { return (0, nil) }
        if accept("+") { return (1, nil) }
        if accept("?") { return (0, 1) }
        guard next == "{" else { return nil }
        let start = position
        position += 1
        guard let least = number() else {
            position = start
            return nil
        }
        var most: Int? = least
        if accept(",") { most = number() }
        guard accept("}") else {
            position = start
            return nil
        }
        if let most, most < least { throw .syntax("a repetition's numbers are out of order") }
        guard least <= Self.maximumCount, most ?? 0 <= Self.maximumCount else {
            throw .unsupported("so many repetitions")
        }
        return (least, most)
    }

    /// Digits, if any stand here; what is too large to count stays too large.
    private mutating func number() -> Int? {
        var value: Int?
        while let digit = next, ("0"..."9").contains(digit) {
            value = min((value ?? 0) * 10 + Int(digit.value - 48), Self.maximumCount + 1)
            position += 1
        }
        return value
    }

    /// One anchor, class, group, escape or literal scalar.
    private mutating func atom() throws(RegexFault) -> RegexSyntax {
        guard let scalar = next else { return .empty }
        position += 1
        switch scalar {
        case "^": return .start
        case "$": return .end
        case ".": return .set(.dot)
        case "(": return try group()
        case "[": return .set(try bracket())
        case "\\": return try escape()
        case "*", "+", "?": throw .syntax("a repetition repeats nothing")
        // A brace that opens no repetition stands for itself.
        default: return .set(ScalarSet(scalar))
        }
    }

    /// The inside of a group, read from behind its `(`. Groups capture nothing here: named,
    /// numbered and plain ones are the same. Lookaround is refused.
    private mutating func group() throws(RegexFault) -> RegexSyntax {
        if accept("?") {
            if accept("=") || accept("!") || accept("<=") || accept("<!") {
                throw .unsupported("looking around")
            }
            if accept("<") || accept("P<") {
                while let scalar = next, scalar != ">" {
                    guard scalar.properties.isXIDContinue else {
                        throw .syntax("a group's name is none")
                    }
                    position += 1
                }
                guard accept(">") else { throw .syntax("a group's name does not end") }
            } else if !accept(":") {
                throw .unsupported("groups of this kind")
            }
        }
        let inner = try choice()
        guard accept(")") else { throw .syntax("a '(' is not closed") }
        return inner
    }

    // MARK: Escapes and classes

    /// An escape outside of brackets: an anchor or a set of scalars.
    private mutating func escape() throws(RegexFault) -> RegexSyntax {
        switch next {
        case "b", "B": throw .unsupported("word boundaries")
        case "k": throw .unsupported("references back")
        case .some("1"..."9"): throw .unsupported("references back")
        // The ends of the text, as Python and Rust write them.
        case "A":
            position += 1
            return .start
        case "z", "Z":
            position += 1
            return .end
        default: return .set(try escapedSet())
        }
    }

    /// The scalars of an escape, the same inside of brackets and outside.
    private mutating func escapedSet() throws(RegexFault) -> ScalarSet {
        guard let scalar = next else { throw .syntax("a '\\' ends it") }
        position += 1
        switch scalar {
        case "d": return .digits
        case "D": return ScalarSet.digits.inverted
        case "w": return .word
        case "W": return ScalarSet.word.inverted
        case "s": return .space
        case "S": return ScalarSet.space.inverted
        case "p", "P":
            let set = try property()
            return scalar == "p" ? set : set.inverted
        case "t": return ScalarSet("\t")
        case "n": return ScalarSet("\n")
        case "r": return ScalarSet("\r")
        case "v": return ScalarSet("\u{b}")
        case "f": return ScalarSet("\u{c}")
        case "0": return ScalarSet("\0")
        case "c":
            guard let letter = next, letter.isASCII, letter.properties.isAlphabetic else {
                throw .syntax("'\\c' names no letter")
            }
            position += 1
            return ScalarSet([letter.value & 31...letter.value & 31])
        case "x":
            let value = try hex(2)
            return ScalarSet([value...value])
        case "u": return try unicode()
        default:
            guard !scalar.properties.isAlphabetic || !scalar.isASCII else {
                throw .unsupported("the escape '\\\(scalar)'")
            }
            return ScalarSet(scalar)
        }
    }

    /// The scalars of `\p{…}`: a general category, by its short name or one of five long ones.
    private mutating func property() throws(RegexFault) -> ScalarSet {
        guard accept("{") else { throw .syntax("'\\p' lacks its braces") }
        var name = ""
        while let scalar = next, scalar != "}" {
            name.unicodeScalars.append(scalar)
            position += 1
        }
        guard accept("}") else { throw .syntax("'\\p{' is not closed") }
        for prefix in ["General_Category=", "gc="] where name.hasPrefix(prefix) {
            name.removeFirst(prefix.count)
        }
        let long = ["Letter": "L", "Number": "N", "Punctuation": "P", "Symbol": "S", "Mark": "M"]
        guard let set = ScalarSet(property: long[name] ?? name) else {
            throw .unsupported("'\\p{\(name.prefix(40))}'")
        }
        return set
    }

    /// The value of exactly `count` hexadecimal digits.
    private mutating func hex(_ count: Int) throws(RegexFault) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let digit = next.flatMap({ Character($0).hexDigitValue }) else {
                throw .syntax("an escape lacks its digits")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    /// The scalar of `\uXXXX`, `\u{…}`, or a surrogate pair of two `\uXXXX` escapes.
    private mutating func unicode() throws(RegexFault) -> ScalarSet {
        if accept("{") {
            var value: UInt32 = 0
            while let digit = next.flatMap({ Character($0).hexDigitValue }) {
                value = min(value << 4 | UInt32(digit), 0x11_0000)
                position += 1
            }
            guard accept("}"), value <= 0x10_ffff else { throw .syntax("'\\u{' is not closed") }
            return ScalarSet([value...value])
        }
        let first = try hex(4)
        guard (0xd800..<0xdc00).contains(first), accept("\\u") else {
            return ScalarSet([first...first])
        }
        let second = try hex(4)
        guard (0xdc00..<0xe000).contains(second) else { throw .syntax("half a pair stands alone") }
        let value = 0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)
        return ScalarSet([value...value])
    }

    /// A class, read from behind its `[`: members, ranges, and `^` in front for all other scalars.
    private mutating func bracket() throws(RegexFault) -> ScalarSet {
        let isInverted = accept("^")
        var ranges: [ClosedRange<UInt32>] = []
        while let scalar = next, scalar != "]" {
            let low = try member()
            guard next == "-", position + 1 < text.count, text[position + 1] != "]" else {
                ranges += low.ranges
                continue
            }
            position += 1
            let high = try member()
            // A class at either end is no range: the dash stands for itself.
            guard let first = low.single, let last = high.single else {
                ranges += low.ranges + high.ranges + [0x2d...0x2d]
                continue
            }
            guard first <= last else { throw .syntax("a range is out of order") }
            ranges.append(first...last)
        }
        guard accept("]") else { throw .syntax("a '[' is not closed") }
        let set = ScalarSet(ranges)
        return isInverted ? set.inverted : set
    }

    /// One member of a class, in which `\b` is the backspace and not a word boundary.
    private mutating func member() throws(RegexFault) -> ScalarSet {
        guard let scalar = next else { throw .syntax("a '[' is not closed") }
        position += 1
        guard scalar == "\\" else { return ScalarSet(scalar) }
        if accept("b") { return ScalarSet("\u{8}") }
        return try escapedSet()
    }
}

extension ScalarSet {
    /// The scalar of a set of one.
    fileprivate var single: UInt32? {
        guard ranges.count == 1, ranges[0].count == 1 else { return nil }
        return ranges[0].lowerBound
    }
}
