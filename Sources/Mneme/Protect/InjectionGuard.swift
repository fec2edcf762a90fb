import Foundation
import MnemeBase
import MnemeIndex

/// Finds text that wants to steer a model which reads it, rather than to tell it something: injected instructions, forged roles, hidden and encoded text.
///
/// By rule, without a model: signs add up, and from a sum of 1 on a text is held. What somebody wants for themselves ("answer me in French") gives few
/// signs; what speaks to an agent about the people it serves gives many. A text that is meant as such a rule is released by somebody who may.
package enum InjectionGuard {
    /// Bytes of a text that are looked at from each end.
    private static let span = 16_384

    /// The signs that a text shows, and how strong they are together.
    package static func inspect(_ text: String) -> (signals: Set<GuardSignal>, score: Double) {
        let text =
            text.utf8.count <= 2 * span
            ? text
            : String(decoding: text.utf8.prefix(span), as: UTF8.self) + "\n"
                + String(decoding: text.utf8.suffix(span), as: UTF8.self)
        let (plain, invisible, isHidden) = visible(text)
        var best = read(plain)
        if !invisible.isEmpty { best = stronger(best, read(invisible, besides: [.disguise])) }
        if isHidden { best = stronger(best, (best.0.union([.disguise]), best.1 + GuardSignal.disguise.weight)) }
        for variant in variants(plain) {
            let found = read(variant, besides: [.disguise])
            // What is decoded by chance says nothing.
            if found.1 >= 1 { best = stronger(best, found) }
        }
        return best
    }

    private static func stronger(_ a: (Set<GuardSignal>, Double), _ b: (Set<GuardSignal>, Double)) -> (
        Set<GuardSignal>, Double
    ) { b.1 > a.1 ? b : a }

    /// Signs of the sentences: those of one sentence count together, others for half.
    private static func read(_ text: String, besides: Set<GuardSignal> = []) -> (Set<GuardSignal>, Double) {
        let sentences = GuardRules.matcher.sentences(of: text).prefix(400).map(GuardRules.matcher.signals)
        var all = besides.union(roles(in: text)), best = 0.0
        // Signs that mean nothing by themselves.
        let weak: Set<GuardSignal> = [.command, .agent, .audience, .trigger]
        for (i, signals) in sentences.enumerated() {
            let strong = signals.subtracting(weak)
            let around = i > 0 ? sentences[i - 1].subtracting(signals) : []
            guard !strong.isEmpty || signals.isSuperset(of: [.trigger, .command]) else { continue }
            let sum = signals.reduce(0) { $0 + $1.weight } + around.reduce(0) { $0 + $1.weight } / 2
            if sum > best { best = sum }
            all.formUnion(signals)
        }
        let own = all.intersection([.role, .disguise]).reduce(0) { $0 + $1.weight }
        return (all, best + own)
    }

    // MARK: Forged roles

    private static let tokens = [
        "<|im_start|>", "<|im_end|>", "<|system|>", "<|assistant|>", "<|user|>", "<|start_header_id|>", "<|eot_id|>",
        "<start_of_turn>", "<end_of_turn>",
        "[inst]",
        "<<sys>>", "<|endoftext|>", "</system>", "<system>", "<system-reminder>", "</memory>", "</instructions>",
        "<|begin_of_text|>", "</s>", "[system]",
        "### system", "### instruction", "admin override",
    ]
    /// Before a colon, at the beginning of a line or sentence.
    private static let speakers: Set<String> = [
        "system", "developer", "assistant", "ai", "operator", "administrator", "system message", "system prompt",
        "system notice", "developer message",
        "operator instruction", "new system prompt", "openai security team", "system instruction",
    ]

    /// What such an expression begins with, and the expression.
    private static let expressions = [
        ("\"role\"", #""role"\s*:\s*"(system|developer|assistant|tool)""#),
        ("begin ", #"begin (system|admin|developer) (message|prompt|instructions?)"#),
        ("message from ", #"message from (anthropic|openai|google|the developers?|the system|meta|the operator)\b"#),
        (
            "as ",
            #"as (the|your) (system administrator|developer|operator|administrator|creator),? (i|we) (hereby )?(order|command|instruct|authori[sz]e|require)"#
        ),
    ]

    private static func roles(in text: String) -> Set<GuardSignal> {
        let lower = text.lowercased(), bytes = ByteSearch(lower)
        if tokens.contains(where: bytes.contains) { return [.role] }
        // Expressions are asked only where they begin.
        for (start, expression) in expressions where bytes.contains(start) {
            if lower.range(of: expression, options: .regularExpression) != nil { return [.role] }
        }
        // A turn of the other side within a text: what is quoted so is a conversation, and kept as one by whoever imports it.
        if bytes.contains("human:") || bytes.contains("user:"), bytes.contains("assistant:") { return [.role] }
        guard bytes.contains(":") else { return [] }
        for line in lower.split(whereSeparator: { $0.isNewline || $0 == "." }) {
            let head = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard head.count == 2 else { continue }
            var name = head[0].drop { !$0.isLetter }
            if let open = name.firstIndex(of: "(") { name = name[..<open] }
            let last = name.split(separator: "-").last.map(String.init) ?? String(name)
            let speaker = last.trimmingCharacters(in: .whitespaces)
            // "System: Windows 11" tells what somebody has; what follows decides.
            guard speakers.contains(speaker) else { continue }
            let said = GuardRules.matcher.sentences(of: String(head[1])).first.map(GuardRules.matcher.signals) ?? []
            if !said.isDisjoint(with: Set(GuardSignal.allCases).subtracting([.audience, .trigger]))
                || head[1].split(separator: " ").prefix(3).contains("i")
            {
                return [.role]
            }
        }
        return []
    }

    // MARK: What people do not see

    /// The text as it is seen, what in it is not seen, and whether that is so much that somebody hid it.
    private static func visible(_ text: String) -> (plain: String, invisible: String, isHidden: Bool) {
        var plain = String.UnicodeScalarView(), invisible = String.UnicodeScalarView(), hidden = 0, isReversed = false
        var previous: Unicode.Scalar?
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0xE0020...0xE007E:
                // Tags: a copy of ASCII that no font shows. Flags of regions use some, behind a black flag.
                invisible.append(Unicode.Scalar(UInt8(scalar.value - 0xE0000)))
            case 0xE007F: break
            case 0x200D where previous.map { $0.properties.isEmoji || $0.value == 0xFE0F } ?? false:
                plain.append(scalar)
            case 0x200B, 0x200D, 0x2060...0x2064, 0xFEFF, 0x00AD: hidden += 1
            case 0x202D, 0x202E, 0x2066...0x2068: isReversed = true
            case 0x202A...0x202C, 0x2069, 0x200E, 0x200F: break
            default: plain.append(scalar)
            }
            previous = scalar
        }
        let tags = invisible.count
        var seen = String(plain)
        if isReversed { seen += "\n" + String(seen.reversed()) }
        let bytes = ByteSearch(seen)
        for (open, close) in [
            ("<!--", "-->"), ("[//]: # (", ")"), ("display:none", "</"), ("font-size:0", "</"), ("display: none", "</"),
            ("visibility:hidden", "</"),
        ] where bytes.contains(open) {
            var rest = seen[...]
            while let start = rest.range(of: open) {
                let end = rest[start.upperBound...].range(of: close)?.lowerBound ?? rest.endIndex
                invisible.append(contentsOf: (rest[start.upperBound..<end] + "\n").unicodeScalars)
                rest = rest[end...]
            }
        }
        // A flag of a region has six tags.
        return (seen, String(invisible), tags > 7 || hidden > 3 || isReversed)
    }

    // MARK: Written for programs

    private static let lookalikes: [Unicode.Scalar: Unicode.Scalar] = Dictionary(
        uniqueKeysWithValues: zip(
            "аеорсухіїјѕԁһӏԛԝкмнтвАВЕКМНОРСТХІ".unicodeScalars, "aeopcyxiijsdhlqwkmhtbABEKMHOPCTXI".unicodeScalars))
    private static let digits: [Character: Character] = [
        "0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "8": "b",
    ]

    /// The text as it reads if it was disguised in one of the ways in use.
    private static func variants(_ text: String) -> [String] {
        var variants: [String] = []
        // Plain ASCII has neither compatible forms nor letters of other scripts.
        let isASCII = text.utf8.allSatisfy { $0 < 0x80 }, folded = isASCII ? text : TextFolding.normalized(text)
        if folded != text { variants.append(folded) }
        // Letters of another script among Latin ones.
        let scalars = text.unicodeScalars
        if !isASCII, scalars.contains(where: { lookalikes[$0] != nil }),
            scalars.contains(where: { $0.isASCII && $0.properties.isAlphabetic })
        {
            variants.append(String(String.UnicodeScalarView(scalars.map { lookalikes[$0] ?? $0 })))
        }
        let words = folded.split(separator: " ")
        // Digits for letters.
        if words.count(where: { $0.contains { digits[$0] != nil } && $0.contains(where: \.isLetter) }) > 1 {
            variants.append(String(folded.map { digits[$0] ?? $0 }))
            variants.append(String(folded.map { $0 == "1" ? "l" : digits[$0] ?? $0 }))
        }
        // Letters one by one: wider gaps part words.
        if folded.split(whereSeparator: \.isWhitespace).count(where: { $0.count == 1 }) > 11 {
            variants.append(
                folded.replacing("   ", with: "\u{1}").replacing("  ", with: "\u{1}").replacing(" ", with: "")
                    .replacing("\u{1}", with: " "))
        }
        if words.count > 3 { variants.append(String(folded.reversed())) }
        for word in folded.split(whereSeparator: { $0.isWhitespace || "\"'`()<>".contains($0) })
        where word.utf8.count >= 24 && word.utf8.count <= 8192 {
            if let text = decoded(String(word)) { variants.append(text) }
        }
        return variants
    }

    /// Text in base64 or hexadecimal digits.
    private static func decoded(_ word: String) -> String? {
        let word = word.trimmingCharacters(in: CharacterSet(charactersIn: ".,;:"))
        var data = Data(
            base64Encoded: word.replacing("-", with: "+").replacing("_", with: "/")
                + String(repeating: "=", count: word.hasSuffix("=") ? 0 : (4 - word.utf8.count % 4) % 4))
        if let bytes = Hexadecimal.bytes(word.lowercased()) { data = bytes }
        guard let data, let text = String(data: data, encoding: .utf8),
            text.unicodeScalars.allSatisfy({ $0.value >= 32 || $0 == "\n" || $0 == "\t" })
        else {
            return nil
        }
        return text
    }
}
