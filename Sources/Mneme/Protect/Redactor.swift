import Foundation
package import MnemeStore

/// Takes secrets and personal data out of texts, by rule; in their place stands what they were,
/// such as `[EMAIL]`.
///
/// Patterns pass over what they looked at, so that the time grows with the text and not with its
/// square. Numbers that carry a check are checked (Luhn for cards, ISO 7064 for IBANs), so that few
/// others are taken for them. What no rule knows stays.
package enum Redactor {
    private struct Rule: Sendable {
        let kind: MemoryPolicy.Redaction
        let name: String
        /// A text without it is not looked through.
        let hint: @Sendable (ByteSearch) -> Bool
        let pattern: NSRegularExpression
        /// The group that is taken out; 0 is all.
        var group = 0
        /// A group without which a match is none: it was looked through to its end, and is not
        /// looked through again from a later place.
        var proof = 0
        var isReal: @Sendable (String) -> Bool = { _ in true }
    }

    private static func rule(
        _ kind: MemoryPolicy.Redaction, _ name: String, _ pattern: String, group: Int = 0,
        proof: Int = 0,
        hint: @escaping @Sendable (ByteSearch) -> Bool,
        isReal: @escaping @Sendable (String) -> Bool = { _ in true }
    ) -> Rule {
        Rule(
            kind: kind, name: name, hint: hint, pattern: try! NSRegularExpression(pattern: pattern),
            group: group,
            proof: proof, isReal: isReal)
    }

    /// Whether one of `parts`, in lower case, stands in a text in any case. Two letters beyond
    /// ASCII are S and K to patterns that look at no case.
    private static func has(_ parts: String...) -> @Sendable (ByteSearch) -> Bool {
        { text in
            parts.contains(where: text.contains) || text.contains("\u{17F}")
                || text.contains("\u{212A}")
        }
    }
    private static let hasDigits: @Sendable (ByteSearch) -> Bool = { $0.digitCount >= 7 }
    private static let hasDigitsAndStop: @Sendable (ByteSearch) -> Bool = {
        $0.digitCount >= 4 && $0.contains(".")
    }

    private static let rules: [Rule] = [
        rule(
            .secrets, "PRIVATE KEY",
            "-----BEGIN [A-Z ]*PRIVATE KEY-----[\\s\\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)",
            hint: has("private key")),
        rule(
            .secrets, "TOKEN",
            "\\beyJ[A-Za-z0-9_-]{8,}+(?:\\.[A-Za-z0-9_-]{8,}+\\.[A-Za-z0-9_-]*+)?",
            hint: has("eyj"),
            isReal: { $0.contains(".") }),
        rule(
            .secrets, "KEY",
            "\\b(?:AKIA|ASIA)[0-9A-Z]{16}\\b|\\bgh[pousr]_[A-Za-z0-9]{30,}|\\bgithub_pat_[A-Za-z0-9_]{30,}|\\bglpat-[A-Za-z0-9_-]{20,}|\\bxox[abprs]-[A-Za-z0-9-]{10,}|\\bsk-[A-Za-z0-9_-]{20,}|\\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|\\bAIza[0-9A-Za-z_-]{35}|\\bhf_[A-Za-z0-9]{30,}|\\bnpm_[A-Za-z0-9]{30,}|\\bpypi-[A-Za-z0-9_-]{30,}|\\bSG\\.[A-Za-z0-9_-]{16,}\\.[A-Za-z0-9_-]{16,}|\\bmneme_[A-Za-z0-9_-]{20,}",
            hint: has(
                "akia", "asia", "gh", "glpat", "xox", "sk-", "k_", "aiza", "hf_", "npm_", "pypi-",
                "sg.", "mneme_")),
        rule(
            .secrets, "PASSWORD", "[a-z0-9+.-]://[^\\s:/@]++:([^\\s@]++)(@)?", group: 1, proof: 2,
            hint: has("://")),
        rule(
            .secrets, "TOKEN", "(?i)\\bbearer\\s+([A-Za-z0-9._~+/-]{16,}=*)", group: 1,
            hint: has("bearer")),
        rule(
            .secrets, "PASSWORD",
            "(?i)\\b(?:pass(?:word|phrase|wd|code)|pwd|secret(?: key)?|api[ _-]?key|access[ _-]?key|token|pin(?: code)?)\\s*(?:is|was|=|:|=>)\\s*[\"'`]?([^\\s\"'`,;]{4,})",
            group: 1, hint: has("pass", "pwd", "secret", "key", "token", "pin"),
            // A word, not a secret: "the password is kept in the safe".
            isReal: { $0.contains { !$0.isLetter } && $0.contains { $0.isLetter || $0.isNumber } }),
        rule(
            .personal, "EMAIL",
            "(?<![A-Za-z0-9._%+-])[.%+-]*+([A-Za-z0-9_][A-Za-z0-9._%+-]*+@[A-Za-z0-9-]++(?:\\.[A-Za-z0-9-]++)++)",
            group: 1, hint: has("@")),
        rule(
            .personal, "IBAN",
            "\\b[A-Z]{2}[0-9]{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,4})?\\b", hint: hasDigits,
            isReal: isIBAN),
        rule(
            .personal, "CARD", "\\b(?:[0-9][ -]?){12,18}[0-9]\\b", hint: hasDigits, isReal: isCard),
        rule(
            .personal, "SSN", "\\b(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}\\b",
            hint: hasDigits),
        rule(
            .personal, "PHONE",
            "(?<![\\w.])(?:\\+[0-9]{1,3}[ .-]?)?(?:\\([0-9]{1,5}\\)[ .-]?)?[0-9]{2,5}(?:[ .-][0-9]{2,8}){1,4}(?!\\w|[.][0-9])|(?<!\\w)\\+[0-9]{8,15}\\b",
            hint: hasDigits, isReal: isPhone),
        rule(
            .personal, "ADDRESS",
            "\\b(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\\b",
            hint: hasDigitsAndStop,
            isReal: { $0 != "127.0.0.1" && $0 != "0.0.0.0" }),
    ]

    /// What stands in the place of what was taken out.
    static let names = Set(rules.map(\.name))

    /// The text without what is to be taken out, and what that was; nil if there is nothing.
    package static func redact(_ text: String, _ wanted: Set<MemoryPolicy.Redaction>) -> (
        text: String, found: [String]
    )? {
        var result = text, found: [String] = [], search = ByteSearch(lowercased: text)
        for rule in rules where wanted.contains(rule.kind) && rule.hint(search) {
            let all = result as NSString,
                matches = rule.pattern.matches(
                    in: result, range: NSRange(location: 0, length: all.length))
            var parts: [String] = [], end = 0
            for match in matches {
                let range = match.range(at: rule.group)
                guard range.location != NSNotFound,
                    match.range(at: rule.proof).location != NSNotFound,
                    range.location >= end,
                    rule.isReal(all.substring(with: range))
                else { continue }
                parts.append(
                    all.substring(with: NSRange(location: end, length: range.location - end)))
                parts.append("[\(rule.name)]")
                found.append(rule.name)
                end = range.location + range.length
            }
            if end > 0 {
                result = parts.joined() + all.substring(from: end)
                search = ByteSearch(lowercased: result)
            }
        }
        return found.isEmpty ? nil : (result, found)
    }

    /// What is looked through of an input or a memory: its text, and what goes with it.
    struct Content {
        var text: String
        var tags: [String]
        var metadata: [String: String]

        init(_ text: String, _ tags: [String], _ metadata: [String: String]) {
            (self.text, self.tags, self.metadata) = (text, tags, metadata)
        }

        /// Without what is to be taken out; nil if there is nothing of it. Names of metadata stay,
        /// as programs look values up by them.
        func redacted(_ wanted: Set<MemoryPolicy.Redaction>) -> Content? {
            guard !wanted.isEmpty else { return nil }
            var result = self
            var isChanged = false
            func take(_ text: inout String) {
                guard let found = Redactor.redact(text, wanted) else { return }
                text = found.text
                isChanged = true
            }
            take(&result.text)
            for place in tags.indices { take(&result.tags[place]) }
            for name in metadata.keys { take(&result.metadata[name, default: ""]) }
            return isChanged ? result : nil
        }
    }

    private static let isCard: @Sendable (String) -> Bool = { text in
        let digits = text.compactMap(\.wholeNumberValue)
        guard (13...19).contains(digits.count), Set(digits).count > 1 else { return false }
        let sum = digits.reversed().enumerated().reduce(0) { sum, item in
            let value = item.offset % 2 == 1 ? item.element * 2 : item.element
            return sum + (value > 9 ? value - 9 : value)
        }
        return sum % 10 == 0
    }

    private static let isIBAN: @Sendable (String) -> Bool = { text in
        let letters = text.filter { $0 != " " }
        guard (15...34).contains(letters.count) else { return false }
        return (letters.dropFirst(4) + letters.prefix(4)).reduce(0) { rest, letter in
            let value = letter.wholeNumberValue ?? Int(letter.asciiValue ?? 65) - 55
            return (value > 9 ? rest * 100 + value : rest * 10 + value) % 97
        } == 1
    }

    /// Seven to fifteen digits that are no date and no plain number.
    private static let isPhone: @Sendable (String) -> Bool = { text in
        let digits = text.count(where: \.isNumber)
        guard (7...15).contains(digits) else { return false }
        let parts = text.split { !$0.isNumber }
        if parts.count == 3, let year = Int(parts[0]), (1800...2200).contains(year),
            parts[1].count <= 2,
            parts[2].count <= 2
        {
            return false
        }
        if parts.count == 3, let year = Int(parts[2]), (1800...2200).contains(year),
            parts[0].count <= 2,
            parts[1].count <= 2
        {
            return false
        }
        // "1.250.000" and "2019 2020" are numbers, four groups of digits with points an address of
        // a machine.
        if text.contains(".") && !text.hasPrefix("+") { return false }
        return text.hasPrefix("+") || text.hasPrefix("(") || text.hasPrefix("0") || digits >= 9
            || parts.count == 2 && parts[0].count == 3 && parts[1].count == 4
    }
}
