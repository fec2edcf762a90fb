import Foundation
import MnemeBase
import Testing

@Suite struct OrderedJSONTests {
    @Test func `members keep their order and numbers their digits`() throws {
        // The same letter in two forms of its accent is two names.
        let letter = ["\u{e9}", "e\u{301}"]
        let text =
            #"{"z":1,"a":[true,null,-0.50e+3,18446744073709551616],"\#(letter[0])":"x","\#(letter[1])":"y","#
            + #""m":{"b":{},"a":""}}"#
        let value = try OrderedJSON(text)
        let names = try #require(value.members).map(\.key)
        #expect(
            names.elementsEqual(["z", "a"] + letter + ["m"]) { $0.utf8.elementsEqual($1.utf8) })
        #expect(value.text == text)
        #expect(value[letter[0]]?.string == "x" && value[letter[1]]?.string == "y")
        #expect(value["m"]?["a"]?.string == "" && value["none"] == nil)
    }

    @Test(
        arguments: [
            ("3", 3), ("-3", -3), ("3.0", 3), ("3e2", 300), ("9223372036854775807", Int.max),
            ("9223372036854775808", nil), ("1e300", nil), ("1e999", nil),
            ("0.5", nil), ("true", nil), ("\"3\"", nil), ("-9223372036854775808", Int.min),
            ("1e18", 1_000_000_000_000_000_000),
        ] as [(String, Int?)])
    func `whole numbers are those that an Int holds`(text: String, expected: Int?) throws {
        #expect(try OrderedJSON(text).integer == expected)
    }

    @Test func `what is no finite number is none`() throws {
        #expect(try OrderedJSON("1e999").double == nil && OrderedJSON("-1e300").double == -1e300)
    }

    @Test(arguments: [
        (#""\u00e9\n\/\"\\""#, "é\n/\"\\"), (#""\ud83d\ude00""#, "😀"), (#""\ud83d""#, "\u{fffd}"),
        (#""\ude00x""#, "\u{fffd}x"),
        (#""\ud83d\u0041""#, "\u{fffd}A"), ("\"日\"", "日"), ("\u{feff}\"a\"", "a"), (#""""#, ""),
    ])
    func `strings are read with their escapes`(text: String, expected: String) throws {
        #expect(try OrderedJSON(text).string == expected)
    }

    @Test(arguments: [
        "", " ", "{", "[", "[1", "[1,", "[1,]", "{\"a\"", "{\"a\":", "{\"a\":1,}", "{a:1}",
        "{\"a\":1,\"a\":2}", "1 2",
        "01", "-", "1.", ".5", "1e", "+1",
        "NaN",
        "Infinity", "tru", "nulll", "\"", "\"\\x\"", "\"\\u12\"", "\"\u{1}\"", "\"\n\"", "'a'",
        "[1 2]", "{\"a\" 1}",
        "//", "\u{feff}",
    ])
    func `what is no JSON is refused`(text: String) {
        #expect(throws: JSONError.self) { try OrderedJSON(text) }
    }

    @Test func `bytes that are no UTF-8 are refused`() {
        for bytes in [[34, 0xff, 34], [34, 0xc3, 34], [34, 92, 110, 0xff, 34], [0xff]] as [[UInt8]] {
            #expect(throws: JSONError.self) {
                try bytes.withUnsafeBytes { try OrderedJSON(bytes: $0) }
            }
        }
    }

    @Test func `nesting is bounded, and what is read can be written`() throws {
        func nested(_ count: Int) -> String {
            String(repeating: "[", count: count) + String(repeating: "]", count: count)
        }
        #expect(
            try OrderedJSON(nested(OrderedJSON.maximumDepth)).text
                == nested(OrderedJSON.maximumDepth))
        for text in [
            nested(100_000), String(repeating: "[", count: 100_000),
            String(repeating: "{\"a\":", count: 100_000),
        ] {
            #expect(throws: JSONError.self) { try OrderedJSON(text) }
        }
    }

    @Test func `the library that comes with Swift reads the same`() throws {
        for text in [
            "[1,2.5,-3e2]", #"{"a":{"b":[null,true,"x\u0041"]}}"#, "\"\\t\"", "[]", "{}", "[[],{}]",
            "[\"a\",\"\\\\\"]",
        ] {
            let ours =
                try JSONSerialization.jsonObject(
                    with: Data(OrderedJSON(text).text.utf8), options: .fragmentsAllowed)
                as? NSObject
            let theirs =
                try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
                as? NSObject
            #expect(ours != nil && ours == theirs)
        }
    }
}
