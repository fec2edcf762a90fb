import Foundation
package import MnemeStore

/// Redaction of secrets and personal data by rule: each match is replaced by the name of its kind
/// in brackets, such as `[EMAIL]`.
///
/// Quantifiers are possessive where a pattern could backtrack, so that the time grows linearly with
/// the text. Numbers with check digits are verified (Luhn for cards, ISO 7064 MOD 97-10 for IBANs),
/// so that few others match. Data that no rule describes stays: this reduces what is kept, and
/// proves nothing about the rest.
package enum Redactor {
    /// A rule: a pattern, when it is worth running, and what makes a match real.
    private struct Rule: Sendable {
        /// The part of a policy that asks for the rule.
        let kind: MemoryPolicy.Redaction
        /// The word in brackets that replaces a match.
        let name: String
        /// A cheap test that every text with a match passes: the regular expression runs only on
        /// texts that do. It must never be false for a text that the pattern matches.
        let hint: @Sendable (ByteSearch) -> Bool
        /// The regular expression; UTF-16 offsets, as Foundation counts.
        let pattern: NSRegularExpression
        /// The group that is taken out; 0 is all.
        var group = 0
        /// A group without which a match is none: it was looked through to its end, and is not
        /// looked through again from a later place.
        var proof = 0
        /// A test of the matched text where the pattern alone takes in too much: check digits,
        /// dates that look like telephone numbers, words that are no password.
        var isReal: @Sendable (String) -> Bool = { _ in true }
    }

    /// Makes a rule. The patterns are literals of this file: one that does not compile is a mistake
    /// here, and fails the first test that redacts.
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

    /// A hint: the text holds one of `parts`, in lower case, in any case. The long s and the Kelvin
    /// sign always pass, as patterns that ignore case match them as S and K.
    private static func has(_ parts: String...) -> @Sendable (ByteSearch) -> Bool {
        { text in
            parts.contains(where: text.contains) || text.contains("\u{17F}")
                || text.contains("\u{212A}")
        }
    }
    /// Hints of numbers: seven digits are the fewest of a telephone number, four and a point those
    /// of an IPv4 address.
    private static let hasDigits: @Sendable (ByteSearch) -> Bool = { $0.digitCount >= 7 }
    private static let hasDigitsAndStop: @Sendable (ByteSearch) -> Bool = {
        $0.digitCount >= 4 && $0.contains(".")
    }

    /// The rules in the order in which they run: secrets before personal data, and longer forms
    /// before those that would match a part of them. A later rule sees the text as the former ones
    /// left it.
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

    /// Names of all rules, the words that may stand in brackets in the place of a match.
    static let names = Set(rules.map(\.name))

    /// Redacts a text.
    ///
    /// - Parameters:
    ///   - text: any text.
    ///   - wanted: the kinds that the policy asks for.
    /// - Returns: the text with each match replaced, and the rules' names, one for each match, in
    ///   the order in which the rules ran; nil if nothing matched.
    /// - Complexity: linear in the text for each rule whose hint holds.
    package static func redact(_ text: String, _ wanted: Set<MemoryPolicy.Redaction>) -> (
        text: String, found: [String]
    )? {
        var result = text
        var found: [String] = []
        var search = ByteSearch(lowercased: text)
        for rule in rules where wanted.contains(rule.kind) && rule.hint(search) {
            let all = result as NSString
            let matches = rule.pattern.matches(
                in: result, range: NSRange(location: 0, length: all.length))
            var parts: [String] = []
            var end = 0
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

    /// The fields of an input or a memory that are redacted: its text, its tags and the values of
    /// its metadata.
    struct Content {
        var text: String
        var tags: [String]
        var metadata: [String: String]

        /// The fields of one input or memory.
        init(_ text: String, _ tags: [String], _ metadata: [String: String]) {
            (self.text, self.tags, self.metadata) = (text, tags, metadata)
        }

        /// The fields after redaction; nil if nothing matched. Keys of metadata stay as they are,
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

    /// Card numbers: 13 to 19 digits, not all the same, whose Luhn checksum is 0 modulo 10.
    private static let isCard: @Sendable (String) -> Bool = { text in
        let digits = text.compactMap(\.wholeNumberValue)
        guard (13...19).contains(digits.count), Set(digits).count > 1 else { return false }
        let sum = digits.reversed().enumerated().reduce(0) { sum, item in
            let value = item.offset % 2 == 1 ? item.element * 2 : item.element
            return sum + (value > 9 ? value - 9 : value)
        }
        return sum % 10 == 0
    }

    /// IBANs: 15 to 34 characters whose ISO 7064 MOD 97-10 remainder is 1 after the first four are
    /// moved to the end and letters are written as 10 to 35. The remainder is taken digit by digit,
    /// so that no large number is needed.
    private static let isIBAN: @Sendable (String) -> Bool = { text in
        let letters = text.filter { $0 != " " }
        guard (15...34).contains(letters.count) else { return false }
        return (letters.dropFirst(4) + letters.prefix(4)).reduce(0) { rest, letter in
            let value = letter.wholeNumberValue ?? Int(letter.asciiValue ?? 65) - 55
            return (value > 9 ? rest * 100 + value : rest * 10 + value) % 97
        } == 1
    }

    /// Telephone numbers: seven to fifteen digits (E.164 allows fifteen) that are no date, no
    /// grouped number and no IPv4 address. Without a leading plus, parenthesis or zero it takes
    /// nine digits, or the form 555-1234.
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
