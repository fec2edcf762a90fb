import Foundation
import Mneme
import Testing

@Suite struct JSONInputTests {
    private func parsed(_ text: String) throws -> JSONValue {
        try JSONValue(parsing: Array(text.utf8))
    }

    @Test func `JSON is read as it is written`() throws {
        let text = #" {"a":[1,-0.5e2,true,false,null],"é\u00e9":"x\n\"\\\/\ud83d\ude00","":{}} "#
        #expect(
            try parsed(text) == [
                "a": [1, .number(-50), true, false, .null], "éé": "x\n\"\\/😀", "": .object([:]),
            ])
        #expect(try parsed("\u{FEFF}[]") == [])
        // Half an emoji costs a character, not the message.
        #expect(try parsed(#""a\ud83d""#) == "a\u{FFFD}")
        #expect(try parsed(#""\ude00\ud83dx""#) == "\u{FFFD}\u{FFFD}x")
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{a:1}", "'a'", "01", "1.", ".5",
        "+1", "1e", "--1",
        "NaN",
        "Infinity", "1e999", "-1e999", "tru", "\"", "\"\\x\"", "\"\\u12g4\"", "\"a\nb\"", "[]]",
        "1 1", "\"\u{1}\"",
    ])
    func `what is not JSON is refused with a place`(text: String) {
        #expect(throws: InputError.self) { try parsed(text) }
    }

    @Test func `bytes that are no UTF-8 are refused`() {
        #expect(throws: InputError.self) { try JSONValue(parsing: [34, 0xff, 34]) }
        #expect(throws: InputError.self) { try JSONValue(parsing: [34, 0xed, 0xa0, 0x80, 34]) }
        #expect(throws: InputError.self) { try JSONValue(parsing: [0xff]) }
    }

    @Test func `what a text costs grows with its length alone`() throws {
        let deep = String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
        let many = "[" + Array(repeating: deep, count: 2000).joined(separator: ",") + "]"
        let start = ContinuousClock.now
        #expect(try parsed(many).array?.count == 2000)
        #expect(ContinuousClock.now - start < .seconds(4))
        #expect(throws: InputError.self) { try parsed(String(repeating: "[", count: 1 << 20)) }
    }

    private static let extremes: [JSONValue] = [
        .number(1e300), .number(-1e300), .number(9_223_372_036_854_775_808),
        .number(-18_446_744_073_709_551_616),
        .number(0.5), .number(-1e-300), .number(.nan), .number(.infinity), .number(-.infinity),
        .number(1e19),
    ]

    @Test func `a number that is no whole number in its bounds is an error that names the field`()
        throws
    {
        for value in Self.extremes {
            #expect(value.int == nil)
            #expect(throws: InputError.self) {
                try JSONFields(["limit": value], path: "memory").int("limit")
            }
        }
        let fields = JSONFields(
            ["a": 7, "b": "7", "c": .null, "d": true, "e": .number(-9_223_372_036_854_775_808)],
            path: "memory")
        #expect(
            try fields.int("a", in: 1...50) == 7 && fields.int("c") == nil
                && fields.int("absent") == nil)
        #expect(try fields.int("e") == .min)
        let message = #expect(throws: InputError.self) { try fields.int("a", in: 8...50) }
        #expect(message?.description == "'memory.a' must lie between 8 and 50.")
        for name in ["b", "d"] { #expect(throws: InputError.self) { try fields.int(name) } }
        for value in [JSONValue.number(.nan), .number(.infinity), "1", true, []] {
            #expect(throws: InputError.self) { try JSONFields(["x": value]).number("x") }
        }
    }

    @Test func `members of another type are errors, never defaults`() throws {
        let fields = JSONFields([
            "n": 1, "s": "x", "b": true, "l": ["a", 1], "o": ["s": 5], "z": "a\0b",
        ])
        #expect(throws: InputError.self) { try fields.text("n") }
        #expect(throws: InputError.self) { try fields.text("z") }
        #expect(throws: InputError.self) { try fields.flag("s") }
        #expect(throws: InputError.self) { try fields.flag("n") }
        #expect(throws: InputError.self) { try fields.list("o") }
        #expect(throws: InputError.self) { try fields.texts("l") }
        #expect(throws: InputError.self) { try fields.fields("l") }
        let message = #expect(throws: InputError.self) { try fields.fields("o")?.text("s") }
        #expect(message?.description == "'o.s' must be a text.")
    }

    @Test(
        arguments: [
            ("2026-02-29", nil), ("2024-02-29", "2024-02-29T00:00:00Z"),
            ("2026-02-31T00:00:00Z", nil),
            ("2026-03-01T25:00:00Z", nil), ("2026-03-01T09:60", nil),
            ("2026-03-01T09:30:00+99:99", nil),
            ("2026-03-01T09:30:00+02:00", "2026-03-01T07:30:00Z"),
            ("2026-03-01 09:30 -0530", "2026-03-01T15:00:00Z"),
            ("2026-03-01T23:30-02", "2026-03-02T01:30:00Z"), ("2026-3-1", "2026-03-01T00:00:00Z"),
            ("20260301", "2026-03-01T00:00:00Z"),
            ("2026-03-01t09:30:59.999z", "2026-03-01T09:30:59Z"),
            ("99999-01-01T00:00:00Z", nil), ("9999999999-01-01", nil), ("0000-01-01", nil),
            ("-1-01-01", nil),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"), ("9999-12-31T23:59:59-01:00", nil),
            ("0001-01-01", "0001-01-01T00:00:00Z"), ("1e300", nil), ("nan", nil), ("inf", nil),
            ("0x1F000", nil),
            ("253402300800", nil), ("-62135769601", nil), ("1774232524389", nil),
            ("1700000000", "2023-11-14T22:13:20Z"),
            ("-86400", "1969-12-31T00:00:00Z"), ("2026", nil), ("2026-03-01T09:30:00Zjunk", nil),
            ("２０２６-03-01", nil),
        ] as [(String, String?)])
    func `dates that no calendar has are refused`(text: String, read: String?) {
        #expect(DateText.parse(text).map(DateText.format) == read)
    }

    @Test func `a date that was written is read again as the same`() {
        for seconds in stride(from: -62_135_596_800.0, through: 253_402_300_799, by: 1_234_567_891) {
            let date = Date(timeIntervalSince1970: seconds)
            #expect(DateText.parse(DateText.format(date)) == date, "\(seconds)")
        }
    }
}
