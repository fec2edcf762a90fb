import Foundation
import MnemeBase
import Testing

@Suite struct TerminalTextTests {
    @Test(arguments: [
        (
            "red \u{1b}[31m alert \u{1b}]0;title\u{7}",
            "red \\u001b[31m alert \\u001b]0;title\\u0007"
        ),
        ("one byte \u{9b}31m and \u{9d}0;t\u{9c}", "one byte \\u009b31m and \\u009d0;t\\u009c"),
        (
            "over\rwritten, back\u{8}space, del\u{7f}, nul\u{0}",
            "over\\u000dwritten, back\\u0008space, del\\u007f, nul\\u0000"
        ),
        (
            "\u{202e}drow\u{202c} \u{2066}x\u{2069} \u{200f}",
            "\\u202edrow\\u202c \\u2066x\\u2069 \\u200f"
        ),
        (
            "a\u{200b}b\u{feff}c\u{2060}d\u{ad}e\u{034f}\u{3164}",
            "a\\u200bb\\ufeffc\\u2060d\\u00ade\\u034f\\u3164"
        ),
        ("line\u{2028}paragraph\u{2029}", "line\\u2028paragraph\\u2029"),
        ("tags \u{e0041}\u{e007f}", "tags \\udb40\\udc41\\udb40\\udc7f"),
        ("smuggled a\u{fe01}\u{fe02}\u{e0101}", "smuggled a\\ufe01\\ufe02\\udb40\\udd01"),
        ("x\u{200d}y", "x\\u200dy"),
    ])
    func `what acts on a terminal or hides is shown`(text: String, shown: String) {
        #expect(TerminalText.shown(text) == shown)
    }

    @Test(arguments: [
        "plain\ttext\nof two lines", "naïve Größe 東京 서울 🍕", "👩‍👩‍👧‍👦 🤷🏽‍♀️ ❤️ 1️⃣ 🇩🇪",
        "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", "می‌خواهم",
        "क्‍ष", "e\u{301}\u{323}", "葛\u{e0100}", "",
    ])
    func `what writing needs stays`(text: String) {
        // By bytes: strings that are written otherwise may be equal.
        #expect(Array(TerminalText.shown(text).utf8) == Array(text.utf8))
    }

    @Test func `line ends of two characters are one, and a record keeps to its line`() {
        #expect(TerminalText.shown("a\r\nb") == "a\nb")
        #expect(TerminalText.shown("a\r\nb\tc", onOneLine: true) == "a\\u000d\\u000ab\\u0009c")
    }

    @Test func `no control or format character of Unicode passes alone`() {
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let category = scalar.properties.generalCategory
            let isPrepended = [
                0x0600, 0x0601, 0x0602, 0x0603, 0x0604, 0x0605, 0x06DD, 0x070F, 0x0890, 0x0891,
                0x08E2, 0x110BD,
                0x110CD,
            ].contains(value)
            guard
                category == .control && value != 9 && value != 10
                    || category == .format && !isPrepended
                    || category == .lineSeparator
                    || category == .paragraphSeparator
                    || scalar.properties.isDefaultIgnorableCodePoint
            else { continue }
            #expect(
                TerminalText.shown("a\(scalar)").utf8.allSatisfy { (32...126).contains($0) },
                "U+\(String(value, radix: 16))")
        }
    }

    @Test func `JSON stays the same JSON`() throws {
        let texts = [
            "\u{9b}2J", "\u{202e}abc", "x\u{e0041}", "\u{7f}\u{1b}[0m", "quote \" and \\", "👩‍👧",
        ]
        let json = String(decoding: try JSONEncoder().encode(texts), as: UTF8.self)
        #expect(
            try JSONDecoder().decode([String].self, from: Data(TerminalText.shown(json).utf8))
                == texts)
    }

    @Test func `a stream that is cut anywhere shows the same`() {
        let text = "a👩\u{200d}👧 b\u{200d} \u{1b}[1m 🏴\u{e0067}\u{e007f} c\u{fe0f}"
        let scalars = Array(text.unicodeScalars)
        for cut in 0...scalars.count {
            var reader = TerminalText()
            let parts = [scalars[..<cut], scalars[cut...]].map {
                String(String.UnicodeScalarView($0))
            }
            #expect(
                Array(parts.map { reader.shown($0) }.joined().utf8)
                    == Array(TerminalText.shown(text).utf8), "\(cut)")
        }
    }
}

@Suite struct JSONStringTests {
    @Test func `every character comes back from its JSON string`() throws {
        let controls = String(String.UnicodeScalarView((0..<32).compactMap { Unicode.Scalar($0) }))
        for text in ["", "plain", "\"quoted\" \\ /", controls, "é 日本 😀 \u{2028}\u{7f}"] {
            var quoted = ""
            OrderedJSON.quote(text, to: &quoted)
            #expect(try OrderedJSON(quoted) == .string(text))
            #expect(quoted.utf8.allSatisfy { $0 >= 32 })
            #expect(OrderedJSON.string(text).text == quoted)
        }
        var escapes = ""
        OrderedJSON.quote("\n\r\t\u{8}\u{c}\u{1}\u{1f}", to: &escapes)
        #expect(escapes == #""\n\r\t\b\f\u0001\u001f""#)
    }
}
