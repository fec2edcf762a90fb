/// Token of a template: a run of text between tags, an edge of a tag, or a part of an expression.
enum JinjaToken: Equatable {
    /// Text outside of tags, whitespace already trimmed; never empty.
    case text(String)
    /// Edges of tags: `{{`, `}}`, `{%`, `%}`, with or without a sign for whitespace.
    case outputStart, outputEnd, blockStart, blockEnd
    /// Parts of an expression. Keywords are names; the parser tells them apart by where they stand.
    case name(String)
    case string(String)
    case integer(Int)
    case float(Double)
    case symbol(String)
}

/// Lexer: cuts a template into tokens, with `trim_blocks` and `lstrip_blocks` as published chat
/// templates expect.
///
/// `trim_blocks` drops the newline after a statement or comment, `lstrip_blocks` the blanks before
/// one at the beginning of a line; neither touches `{{ … }}`. A `-` at an edge drops all whitespace
/// on that side, a `+` after the opening edge keeps it. One wrong newline in a prompt is a token
/// that the model never saw there in training. Unlike Jinja, the last newline of a template stays
/// (`keep_trailing_newline`), and there is no `raw` block. Complexity: linear.
struct JinjaLexer {
    /// Template by scalars, newlines as LF: an index is O(1), and a mark after a quote does not
    /// join it.
    private let source: [Unicode.Scalar]
    /// Position of the next scalar that is not read.
    private var position = 0
    /// Tokens that are read.
    private var tokens: [JinjaToken] = []

    /// Lexer for a template; it is used once.
    init(_ text: String) { source = Array(text.replacingCRLF.unicodeScalars) }

    /// Tells if the template has `text` at a position; false beyond its end.
    private func has(_ text: String, at index: Int) -> Bool {
        let scalars = Array(text.unicodeScalars)
        return index + scalars.count <= source.count
            && (0..<scalars.count).allSatisfy { source[index + $0] == scalars[$0] }
    }

    /// Reads all tokens.
    ///
    /// - Throws: ``TemplateError`` for tags, comments and strings that do not end, and for
    ///   characters that no expression has.
    mutating func run() throws -> [JinjaToken] {
        var text = ""
        var trimNext = false
        var dropNewline = false
        func isSpace(_ s: Unicode.Scalar) -> Bool { s.properties.isWhitespace }
        while position < source.count {
            guard source[position] == "{", position + 1 < source.count,
                ["{", "%", "#"].contains(source[position + 1])
            else {
                if trimNext, isSpace(source[position]) {
                    position += 1
                    continue
                }
                if dropNewline, source[position] == "\n" {
                    dropNewline = false
                    position += 1
                    continue
                }
                trimNext = false
                dropNewline = false
                text.unicodeScalars.append(source[position])
                position += 1
                continue
            }
            trimNext = false
            dropNewline = false
            let kind = source[position + 1]
            position += 2
            if position < source.count, source[position] == "-" {
                position += 1
                while let last = text.unicodeScalars.last, isSpace(last) {
                    text.unicodeScalars.removeLast()
                }
            } else if position < source.count, source[position] == "+" {
                position += 1
            } else if kind != "{" {
                // lstrip_blocks: blanks between the line's start and a block go.
                let kept = text.unicodeScalars.reversed().drop { $0 == " " || $0 == "\t" }
                if kept.isEmpty && (tokens.isEmpty || startsLine) || kept.first == "\n" {
                    text = String(String.UnicodeScalarView(kept.reversed()))
                }
            }
            if !text.isEmpty { tokens.append(.text(text)) }
            text = ""
            if kind == "#" {
                while position < source.count, !has("#}", at: position) { position += 1 }
                guard position < source.count else {
                    throw TemplateError("A comment of the chat template does not end.")
                }
                trimNext = source[position - 1] == "-"
                dropNewline = !trimNext
                position += 2
                startsLine = dropNewline && position < source.count && source[position] == "\n"
                continue
            }
            openBraces = 0
            tokens.append(kind == "{" ? .outputStart : .blockStart)
            let end = kind == "{" ? "}}" : "%}"
            while true {
                while position < source.count, isSpace(source[position]) { position += 1 }
                guard position < source.count else {
                    throw TemplateError("A tag of the chat template does not end.")
                }
                if has("-" + end, at: position) {
                    trimNext = true
                    position += 3
                    break
                }
                if has(end, at: position) && !(end == "}}" && openBraces > 0) {
                    dropNewline = kind == "%"
                    position += 2
                    break
                }
                try expressionToken()
            }
            tokens.append(kind == "{" ? .outputEnd : .blockEnd)
            startsLine = dropNewline && position < source.count && source[position] == "\n"
        }
        if !text.isEmpty { tokens.append(.text(text)) }
        return tokens
    }

    /// True if the last tag swallowed the newline after it, so that the next text begins a line.
    private var startsLine = false
    /// Braces of dictionaries that are open within a tag: the "}}" of `{{ {"a": {}} }}` ends a
    /// dictionary first.
    private var openBraces = 0

    /// Reads one token within a tag. Strings know the escapes that templates use (`\n`, `\t`, `\r`,
    /// `\uXXXX`, quotes, backslash); before other characters the backslash stays, as in Python.
    /// Numbers may have underscores; there are no exponents.
    private mutating func expressionToken() throws {
        let s = source[position]
        if s == "\"" || s == "'" {
            position += 1
            var text = ""
            while position < source.count, source[position] != s {
                if source[position] == "\\", position + 1 < source.count {
                    position += 1
                    switch source[position] {
                    case "n": text += "\n"
                    case "t": text += "\t"
                    case "r": text += "\r"
                    case "u" where position + 4 < source.count:
                        let digits = String(String.UnicodeScalarView(source[position + 1...position + 4]))
                        guard let value = UInt32(digits, radix: 16),
                            let scalar = Unicode.Scalar(value)
                        else {
                            throw TemplateError("'\\u\(digits)' is no character.")
                        }
                        text.unicodeScalars.append(scalar)
                        position += 4
                    case let other:
                        if !"\\'\"".unicodeScalars.contains(other) { text += "\\" }
                        text.unicodeScalars.append(other)
                    }
                } else {
                    text.unicodeScalars.append(source[position])
                }
                position += 1
            }
            guard position < source.count else {
                throw TemplateError("A string of the chat template does not end.")
            }
            position += 1
            tokens.append(.string(text))
        } else if ("0"..."9").contains(s) {
            var text = ""
            var isFloat = false
            while position < source.count,
                ("0"..."9").contains(source[position]) || source[position] == "_"
                    || source[position] == "." && !isFloat && position + 1 < source.count
                        && ("0"..."9").contains(source[position + 1])
            {
                if source[position] == "." { isFloat = true }
                if source[position] != "_" { text.unicodeScalars.append(source[position]) }
                position += 1
            }
            if isFloat, let value = Double(text) {
                tokens.append(.float(value))
            } else if let value = Int(text) {
                tokens.append(.integer(value))
            } else {
                throw TemplateError(
                    "The number \(text.prefix(40)) of the chat template is too large.")
            }
        } else if s == "_" || s.properties.isAlphabetic {
            var text = ""
            while position < source.count,
                source[position] == "_" || source[position].properties.isAlphabetic
                    || ("0"..."9").contains(source[position])
            {
                text.unicodeScalars.append(source[position])
                position += 1
            }
            tokens.append(.name(text))
        } else {
            for symbol in ["==", "!=", "<=", ">=", "**", "//"] where has(symbol, at: position) {
                tokens.append(.symbol(symbol))
                position += 2
                return
            }
            guard "+-*/%~<>=()[]{},.:|".unicodeScalars.contains(s) else {
                throw TemplateError("The chat template holds the unexpected character '\(s)'.")
            }
            if s == "{" { openBraces += 1 }
            if s == "}" { openBraces = max(0, openBraces - 1) }
            tokens.append(.symbol(String(s)))
            position += 1
        }
    }
}

extension String {
    /// Text with LF for CR LF, as Jinja's `newline_sequence`. Searched by scalars, because Swift
    /// takes both as one character.
    fileprivate var replacingCRLF: String {
        unicodeScalars.contains("\r") ? replacing("\r\n", with: "\n") : self
    }
}
