/// Token of a template: a run of text between tags, an edge of a tag, or a part of an expression.
enum JinjaToken: Equatable {
    /// Text outside of tags, whitespace already trimmed; never empty.
    case text(String)
    /// Edges of tags: `{{`, `}}`, `{%`, `%}`, with or without a sign for whitespace.
    case outputStart, outputEnd, blockStart, blockEnd
    /// Parts of an expression. Keywords are names; the parser tells them apart by where they stand.
    case name(String), string(String), integer(Int), float(Double), symbol(String)
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
    private var place = 0
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
        var text = "", trimNext = false, dropNewline = false
        func isSpace(_ s: Unicode.Scalar) -> Bool { s.properties.isWhitespace }
        while place < source.count {
            guard source[place] == "{", place + 1 < source.count,
                ["{", "%", "#"].contains(source[place + 1])
            else {
                if trimNext, isSpace(source[place]) {
                    place += 1
                    continue
                }
                if dropNewline, source[place] == "\n" {
                    dropNewline = false
                    place += 1
                    continue
                }
                trimNext = false
                dropNewline = false
                text.unicodeScalars.append(source[place])
                place += 1
                continue
            }
            trimNext = false
            dropNewline = false
            let kind = source[place + 1]
            place += 2
            if place < source.count, source[place] == "-" {
                place += 1
                while let last = text.unicodeScalars.last, isSpace(last) {
                    text.unicodeScalars.removeLast()
                }
            } else if place < source.count, source[place] == "+" {
                place += 1
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
                while place < source.count, !has("#}", at: place) { place += 1 }
                guard place < source.count else {
                    throw TemplateError("A comment of the chat template does not end.")
                }
                trimNext = source[place - 1] == "-"
                dropNewline = !trimNext
                place += 2
                startsLine = dropNewline && place < source.count && source[place] == "\n"
                continue
            }
            openBraces = 0
            tokens.append(kind == "{" ? .outputStart : .blockStart)
            let end = kind == "{" ? "}}" : "%}"
            while true {
                while place < source.count, isSpace(source[place]) { place += 1 }
                guard place < source.count else {
                    throw TemplateError("A tag of the chat template does not end.")
                }
                if has("-" + end, at: place) {
                    trimNext = true
                    place += 3
                    break
                }
                if has(end, at: place) && !(end == "}}" && openBraces > 0) {
                    dropNewline = kind == "%"
                    place += 2
                    break
                }
                try expressionToken()
            }
            tokens.append(kind == "{" ? .outputEnd : .blockEnd)
            startsLine = dropNewline && place < source.count && source[place] == "\n"
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
        let s = source[place]
        if s == "\"" || s == "'" {
            place += 1
            var text = ""
            while place < source.count, source[place] != s {
                if source[place] == "\\", place + 1 < source.count {
                    place += 1
                    switch source[place] {
                    case "n": text += "\n"
                    case "t": text += "\t"
                    case "r": text += "\r"
                    case "u" where place + 4 < source.count:
                        let digits = String(String.UnicodeScalarView(source[place + 1...place + 4]))
                        guard let value = UInt32(digits, radix: 16),
                            let scalar = Unicode.Scalar(value)
                        else {
                            throw TemplateError("'\\u\(digits)' is no character.")
                        }
                        text.unicodeScalars.append(scalar)
                        place += 4
                    case let other:
                        if !"\\'\"".unicodeScalars.contains(other) { text += "\\" }
                        text.unicodeScalars.append(other)
                    }
                } else {
                    text.unicodeScalars.append(source[place])
                }
                place += 1
            }
            guard place < source.count else {
                throw TemplateError("A string of the chat template does not end.")
            }
            place += 1
            tokens.append(.string(text))
        } else if ("0"..."9").contains(s) {
            var text = "", isFloat = false
            while place < source.count,
                ("0"..."9").contains(source[place]) || source[place] == "_"
                    || source[place] == "." && !isFloat && place + 1 < source.count
                        && ("0"..."9").contains(source[place + 1])
            {
                if source[place] == "." { isFloat = true }
                if source[place] != "_" { text.unicodeScalars.append(source[place]) }
                place += 1
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
            while place < source.count,
                source[place] == "_" || source[place].properties.isAlphabetic
                    || ("0"..."9").contains(source[place])
            {
                text.unicodeScalars.append(source[place])
                place += 1
            }
            tokens.append(.name(text))
        } else {
            for symbol in ["==", "!=", "<=", ">=", "**", "//"] where has(symbol, at: place) {
                tokens.append(.symbol(symbol))
                place += 2
                return
            }
            guard "+-*/%~<>=()[]{},.:|".unicodeScalars.contains(s) else {
                throw TemplateError("The chat template holds the unexpected character '\(s)'.")
            }
            if s == "{" { openBraces += 1 }
            if s == "}" { openBraces = max(0, openBraces - 1) }
            tokens.append(.symbol(String(s)))
            place += 1
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
