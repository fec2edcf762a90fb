import Foundation
import MnemeBase
import MnemeIndex

/// Finds text that wants to steer a model which reads it, rather than to tell it something:
/// injected instructions, forged roles, hidden and encoded text.
///
/// By rule, without a model: signs add up, and from a sum of 1 on a text is quarantined. What somebody
/// wants for themselves ("answer me in French") gives few signs; what speaks to an agent about the
/// people it serves gives many. A text that is meant as such a rule is released by somebody who
/// may.
package enum InjectionGuard {
    /// Bytes of a text that are looked at from each end.
    private static let span = 16_384

    /// Inspects a text for injection: the signals that it shows, and their score together.
    ///
    /// The visible text, the invisible one and each variant are read by themselves, and the one
    /// with the highest score counts. Texts of more than 32 KiB are inspected at both ends.
    ///
    /// - Returns: a score from 0; 0.6 is worth a mark, 1 quarantines, see
    ///   ``MemoryOS/screen(_:_:)``.
    /// - Complexity: linear in what is inspected, times the variants that the text gives reason
    ///   for.
    package static func inspect(_ text: String) -> (signals: Set<GuardSignal>, score: Double) {
        let text =
            text.utf8.count <= 2 * span
            ? text
            : String(decoding: text.utf8.prefix(span), as: UTF8.self) + "\n"
                + String(decoding: text.utf8.suffix(span), as: UTF8.self)
        let (plain, invisible, isHidden) = visible(Array(text.unicodeScalars))
        let seen = read(plain)
        var best = seen
        if !invisible.isEmpty { best = stronger(best, read(invisible, besides: .disguise)) }
        if isHidden {
            best = stronger(
                best, (best.signals.union(.disguise), best.score + GuardSignals.disguise.weight))
        }
        for variant in variants(plain) {
            let found = read(variant, besides: .disguise)
            // What is decoded by chance says nothing, and what is seen as it stands was not disguised.
            let isMore =
                !found.signals.subtracting(.disguise).isSubset(of: seen.signals)
                || found.score - GuardSignals.disguise.weight > seen.score
            if found.score >= 1, isMore { best = stronger(best, found) }
        }
        return (best.signals.all, best.score)
    }

    /// Signals of one reading of a text and their score, which is comparable between readings.
    private typealias Finding = (signals: GuardSignals, score: Double)

    /// The finding with the higher score; the first one if they are equal.
    private static func stronger(_ a: Finding, _ b: Finding) -> Finding {
        b.score > a.score ? b : a
    }

    /// Reads a text sentence by sentence and scores the strongest one.
    ///
    /// Signals of one sentence add up; those that only the sentence before showed count half, as an
    /// injection is often spread over two. Weak signals alone score nothing. A forged role and
    /// hidden text belong to the whole text and are added at the end. At most 400 sentences are
    /// read.
    ///
    /// - Parameters:
    ///   - text: as it is seen, or one of its ``variants(_:)``.
    ///   - besides: signals that are known already, such as `disguise` for text that was hidden.
    /// - Complexity: linear in the text.
    private static func read(_ text: [Unicode.Scalar], besides: GuardSignals = []) -> Finding {
        let text = text.lowercased()
        let matcher = GuardRules.matcher
        var all = besides.union(roles(in: text))
        var best = 0.0
        var before: GuardSignals = []
        for sentence in matcher.sentences(of: text).prefix(400) {
            let signals = matcher.signals(in: sentence)
            let around = before.subtracting(signals)
            before = signals
            guard !signals.subtracting(.weak).isEmpty || signals.isSuperset(of: .awaitedCommand)
            else { continue }
            best = max(best, signals.weight + around.weight / 2)
            all.formUnion(signals)
        }
        return (all, best + all.intersection([.role, .disguise]).weight)
    }

    // MARK: Forged roles

    /// Marks of chat templates and of prompts, in lower case: ChatML, Llama, Gemma and Mistral
    /// formats, and tags of agents' prompts. One of them is a forged role, as a conversation
    /// between people has none.
    private static let tokens = [
        "<|im_start|>", "<|im_end|>", "<|system|>", "<|assistant|>", "<|user|>",
        "<|start_header_id|>", "<|eot_id|>",
        "<start_of_turn>", "<end_of_turn>",
        "[inst]",
        "<<sys>>", "<|endoftext|>", "</system>", "<system>", "<system-reminder>", "</memory>",
        "</instructions>",
        "<|begin_of_text|>", "</s>", "[system]",
        "### system", "### instruction", "admin override",
    ]
    /// Names in front of a colon, at the beginning of a line or sentence, that pretend to be the
    /// system or its maker.
    private static let speakers: Set<String> = [
        "system", "developer", "assistant", "ai", "operator", "administrator", "system message",
        "system prompt",
        "system notice", "developer message",
        "operator instruction", "new system prompt", "openai security team", "system instruction",
    ]

    /// Regular expressions of forged roles that need more than a fixed text, each with the fixed
    /// text that it begins with, and words of which a match holds one: the expression runs only where
    /// both occur, as most memories hold none.
    private static let expressions = [
        ("\"role\"", [":"], #""role"\s*:\s*"(system|developer|assistant|tool)""#),
        (
            "begin ", ["message", "prompt", "instruction"],
            #"begin (system|admin|developer) (message|prompt|instructions?)"#
        ),
        (
            "message from ", ["message from "],
            #"message from (anthropic|openai|google|the developers?|the system|meta|the operator)\b"#
        ),
        (
            "as ", ["administrator", "developer", "operator", "creator"],
            #"as (the|your) (system administrator|developer|operator|administrator|creator),? (i|we) (hereby )?(order|command|instruct|authori[sz]e|require)"#
        ),
    ]

    /// The signal `role` if a text forges a turn, a chat template's mark or an authority; otherwise
    /// nothing.
    ///
    /// - Parameter text: in lower case.
    private static func roles(in text: [Unicode.Scalar]) -> GuardSignals {
        let utf8 = text.utf8
        let bytes = ByteSearch(utf8)
        if tokens.contains(where: bytes.contains) { return .role }
        // Expressions are asked only where they begin.
        for (start, words, expression) in expressions
        where bytes.contains(start) && words.contains(where: bytes.contains) {
            let text = String(decoding: utf8, as: UTF8.self)
            if text.range(of: expression, options: .regularExpression) != nil { return .role }
        }
        // A turn of the other side within a text: what is quoted so is a conversation, and kept as
        // one by whoever imports it.
        if bytes.contains("human:") || bytes.contains("user:"), bytes.contains("assistant:") {
            return .role
        }
        guard bytes.contains(":") else { return [] }
        for line in text.split(whereSeparator: { $0.isLineEnd || $0 == "." }) where isTurn(line) {
            return .role
        }
        return []
    }

    /// True if a line is "system: …" and goes on like one. "System: Windows 11" tells what somebody
    /// has; what follows decides.
    private static func isTurn(_ line: ArraySlice<Unicode.Scalar>) -> Bool {
        guard let colon = line.firstIndex(of: ":") else { return false }
        var name = line[..<colon].drop { !$0.isLetter }
        if let open = name.firstIndex(of: "(") { name = name[..<open] }
        name = name.split(separator: "-").last ?? name
        while let first = name.first, first.isBlank { name.removeFirst() }
        while let last = name.last, last.isBlank { name.removeLast() }
        guard name.count <= longestSpeaker, name.allSatisfy(\.isASCII),
            speakers.contains(String(decoding: Array(name).utf8, as: UTF8.self))
        else { return false }
        let said = line[(colon + 1)...]
        let signals =
            GuardRules.matcher.sentences(of: said).first.map(GuardRules.matcher.signals) ?? []
        return !signals.subtracting(.harmless).isEmpty
            || said.split(separator: " ", maxSplits: 3).prefix(3).contains {
                $0.elementsEqual(["i"])
            }
    }

    /// Scalars of the longest name that is compared with ``speakers``.
    private static let longestSpeaker = 32

    // MARK: What people do not see

    /// Separates a text as a reader sees it from what no font shows.
    ///
    /// Invisible text is the Tags block of Unicode (U+E0020 to U+E007E), which mirrors ASCII, and
    /// parts of a document that are not rendered, see ``unrendered(_:)``. Zero-width characters and
    /// soft hyphens are taken out and counted. Where bidirectional controls override the direction,
    /// the reversed text is read besides, as that is what people see.
    ///
    /// - Returns: the visible text, the invisible one, and whether there is so much hidden that it
    ///   cannot be chance: more tags than a flag of a region has, more than three zero-width
    ///   characters, or an override of direction.
    private static func visible(
        _ text: [Unicode.Scalar]
    ) -> (plain: [Unicode.Scalar], invisible: [Unicode.Scalar], isHidden: Bool) {
        var plain: [Unicode.Scalar] = []
        var invisible: [Unicode.Scalar] = []
        var hidden = 0
        var isReversed = false
        plain.reserveCapacity(text.count)
        var previous: Unicode.Scalar?
        for scalar in text {
            switch scalar.value {
            case 0xE0020...0xE007E:
                // Tags: a copy of ASCII that no font shows. Flags of regions use some, behind a
                // black flag.
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
        if isReversed { plain += ["\n"] + plain.reversedLetters() }
        invisible += unrendered(plain)
        // A flag of a region has six tags.
        return (plain, invisible, tags > 7 || hidden > 3 || isReversed)
    }

    /// Delimiters of parts of a document that are not rendered: comments of HTML and Markdown, and
    /// elements whose style hides them.
    private static let unseen = [
        ("<!--", "-->"), ("[//]: # (", ")"), ("display:none", "</"), ("font-size:0", "</"),
        ("display: none", "</"),
        ("visibility:hidden", "</"),
    ]

    /// The parts of a document that are not rendered, one a line. A part without its closing
    /// delimiter reaches to the end.
    private static func unrendered(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        guard text.contains("<") || text.contains("[") || text.contains(":") else { return [] }
        let utf8 = text.utf8
        let bytes = ByteSearch(utf8)
        var found = ""
        for (open, close) in unseen where bytes.contains(open) {
            let text = String(decoding: utf8, as: UTF8.self)
            var rest = text[...]
            while let start = rest.range(of: open) {
                let end = rest[start.upperBound...].range(of: close)?.lowerBound ?? rest.endIndex
                found += rest[start.upperBound..<end] + "\n"
                rest = rest[end...]
            }
        }
        return Array(found.unicodeScalars)
    }

    // MARK: Written for programs

    /// Cyrillic letters that look like Latin ones, as a table from the letter's distance to
    /// ``firstLookalike`` to the Latin letter. The common homoglyphs only, not the full table of
    /// Unicode's confusables: others would turn honest words of other languages into English ones.
    private static let lookalikes: [Unicode.Scalar?] = {
        var letters = [Unicode.Scalar?](repeating: nil, count: 0x130)
        let pairs = zip(
            "аеорсухіїјѕԁһӏԛԝкмнтвАВЕКМНОРСТХІ".unicodeScalars,
            "aeopcyxiijsdhlqwkmhtbABEKMHOPCTXI".unicodeScalars)
        for (letter, latin) in pairs { letters[Int(letter.value - firstLookalike)] = latin }
        return letters
    }()
    /// The first scalar of the table: the beginning of Cyrillic.
    private static let firstLookalike: UInt32 = 0x400

    /// The Latin letter that a scalar looks like, or nil.
    private static func latin(_ scalar: Unicode.Scalar) -> Unicode.Scalar? {
        guard scalar.value >= firstLookalike, scalar.value - firstLookalike < lookalikes.count
        else { return nil }
        return lookalikes[Int(scalar.value - firstLookalike)]
    }

    /// The letter that a digit or sign stands for in leetspeak; "1" is read as "i" here and as "l"
    /// in a variant of its own.
    private static func letter(_ digit: Unicode.Scalar) -> Unicode.Scalar? {
        switch digit {
        case "0": "o"
        case "1": "i"
        case "3": "e"
        case "4", "@": "a"
        case "5", "$": "s"
        case "7": "t"
        case "8": "b"
        default: nil
        }
    }

    /// Readings of a text under the disguises in use: compatibility forms (full-width and
    /// mathematical letters), letters of another script, digits for letters, letters one by one,
    /// reversed text, base64 and hexadecimal digits.
    ///
    /// Each is made only where the text shows a reason for it, so that plain text costs a few
    /// scans; only reversal is tried on every text of more than three words. A variant counts only
    /// if it scores 1 by itself, see ``inspect(_:)``: decoding by chance yields no sentences.
    private static func variants(_ text: [Unicode.Scalar]) -> [[Unicode.Scalar]] {
        var variants: [[Unicode.Scalar]] = []
        var folded = text
        // Plain ASCII has neither compatible forms nor letters of other scripts.
        if !text.allSatisfy(\.isASCII) {
            let plain = String(decoding: text.utf8, as: UTF8.self)
            let form = TextFolding.normalized(plain)
            folded = Array(form.unicodeScalars)
            // Composed and decomposed letters are equal: to write the one or the other is no
            // disguise.
            if folded != text, form != plain { variants.append(folded) }
            // Letters of another script among Latin ones.
            if text.contains(where: { latin($0) != nil }),
                text.contains(where: { $0.isASCII && $0.isLetter })
            {
                variants.append(text.map { latin($0) ?? $0 })
            }
        }
        let pieces = Pieces(of: folded)
        // Digits for letters.
        if pieces.mixedWords > 1 {
            variants.append(folded.map { letter($0) ?? $0 })
            variants.append(folded.map { $0 == "1" ? "l" : letter($0) ?? $0 })
        }
        // Letters one by one.
        if pieces.singles > 11 { variants.append(joined(folded)) }
        if pieces.words > 3 { variants.append(folded.reversedLetters()) }
        guard pieces.longest >= leastEncoded else { return variants }
        for piece in folded.split(whereSeparator: endsEncoded)
        where piece.count >= leastEncoded && piece.count <= 8192 {
            if let text = decoded(piece) { variants.append(Array(text.unicodeScalars)) }
        }
        return variants
    }

    /// Scalars of the shortest word that is decoded, and whether one ends such a word.
    private static let leastEncoded = 24
    private static func endsEncoded(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "\"", "'", "`", "(", ")", "<", ">": true
        default: scalar.isSpace
        }
    }

    /// What a text consists of, counted in one pass.
    private struct Pieces {
        /// Words between spaces, and those of them with letters and digits or signs that stand for some.
        private(set) var words = 0, mixedWords = 0
        /// Single scalars between white space.
        private(set) var singles = 0
        /// Scalars of the longest run that may be encoded, see ``endsEncoded(_:)``.
        private(set) var longest = 0

        init(of text: [Unicode.Scalar]) {
            var (length, run, encoded) = (0, 0, 0)
            var (hasLetter, hasDigit) = (false, false)
            for scalar in text {
                if scalar == " " {
                    endWord(length, hasLetter && hasDigit)
                    (length, hasLetter, hasDigit) = (0, false, false)
                } else {
                    length += 1
                    if !hasLetter { hasLetter = scalar.isLetter }
                    if !hasDigit { hasDigit = letter(scalar) != nil }
                }
                if scalar.isSpace {
                    if run == 1 { singles += 1 }
                    run = 0
                } else {
                    run += 1
                }
                if endsEncoded(scalar) {
                    longest = max(longest, encoded)
                    encoded = 0
                } else {
                    encoded += 1
                }
            }
            endWord(length, hasLetter && hasDigit)
            if run == 1 { singles += 1 }
            longest = max(longest, encoded)
        }

        private mutating func endWord(_ length: Int, _ isMixed: Bool) {
            guard length > 0 else { return }
            words += 1
            if isMixed { mixedWords += 1 }
        }
    }

    /// Text that was spaced out letter by letter, closed up: a single space goes, wider gaps part
    /// words.
    private static func joined(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var joined: [Unicode.Scalar] = []
        var spaces = 0
        for scalar in text {
            if scalar == " " {
                spaces += 1
                continue
            }
            joined += [Unicode.Scalar](
                repeating: " ", count: spaces / 3 + (spaces % 3 == 2 ? 1 : 0))
            spaces = 0
            joined.append(scalar)
        }
        return joined
    }

    /// Text in base64, of either alphabet and with or without padding, or in hexadecimal digits;
    /// nil if the bytes are no UTF-8 or hold control characters, as those of a random token nearly
    /// always do.
    private static func decoded(_ piece: ArraySlice<Unicode.Scalar>) -> String? {
        var piece = piece
        while let first = piece.first, first.isStop { piece.removeFirst() }
        while let last = piece.last, last.isStop { piece.removeLast() }
        guard piece.allSatisfy(\.isDigitOfBase64) else { return nil }
        let word = String(decoding: Array(piece).utf8, as: UTF8.self)
        var data = Data(
            base64Encoded: word.replacing("-", with: "+").replacing("_", with: "/")
                + String(
                    repeating: "=", count: word.hasSuffix("=") ? 0 : (4 - word.utf8.count % 4) % 4))
        if let bytes = Hexadecimal.bytes(word.lowercased()) { data = bytes }
        guard let data, let text = String(data: data, encoding: .utf8),
            text.unicodeScalars.allSatisfy({ $0.value >= 32 || $0 == "\n" || $0 == "\t" })
        else {
            return nil
        }
        return text
    }
}

extension Unicode.Scalar {
    /// True for white space within a line.
    fileprivate var isBlank: Bool {
        isASCII ? self == " " || self == "\t" : properties.generalCategory == .spaceSeparator
    }

    /// Punctuation that may stand around an encoded word and belongs to the sentence.
    fileprivate var isStop: Bool { self == "." || self == "," || self == ";" || self == ":" }

    /// A digit of base64 in the standard or the URL-safe alphabet, padding included; hexadecimal
    /// digits are among them.
    fileprivate var isDigitOfBase64: Bool {
        isASCII
            && (isLetterOrDigit || self == "+" || self == "/" || self == "-" || self == "_"
                || self == "=")
    }
}

extension [Unicode.Scalar] {
    /// The text in UTF-8.
    var utf8: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for scalar in self {
            if scalar.isASCII { bytes.append(UInt8(scalar.value)) } else { bytes += scalar.utf8 }
        }
        return bytes
    }

    /// As `String.lowercased()`.
    func lowercased() -> [Unicode.Scalar] {
        var lower: [Unicode.Scalar] = []
        lower.reserveCapacity(count)
        for scalar in self { scalar.appendLowercase(to: &lower) }
        return lower
    }

    /// The letters from the last to the first, each with its marks behind it.
    fileprivate func reversedLetters() -> [Unicode.Scalar] {
        var reversed: [Unicode.Scalar] = []
        var end = endIndex
        reversed.reserveCapacity(count)
        for place in indices.reversed() where place == 0 || !self[place].isMark {
            reversed += self[place..<end]
            end = place
        }
        return reversed
    }
}
