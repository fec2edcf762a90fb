import Foundation
import MnemeBase
import MnemeEngine
import MnemeModels
import Testing

@Suite struct SchemaTests {
    /// True if the text is read to its end, and whether it may end there.
    private func reads(_ schema: String, _ text: String) throws -> (fits: Bool, complete: Bool) {
        var matcher = JSONMatcher(try JSONSchema(schema))
        let fits = matcher.advance(Array(text.utf8))
        return (fits, fits && matcher.isComplete)
    }

    private func advanced(_ matcher: JSONMatcher, _ text: String) -> Bool {
        var matcher = matcher
        return matcher.advance(Array(text.utf8))
    }

    private static let person = """
        {"type":"object","required":["name","age"],"additionalProperties":false,"properties":{"name":{"type":"string"},"age":{"type":"integer"},
        "nick":{"type":["string","null"]},"pets":{"type":"array","items":{"$ref":"#/$defs/pet"},"minItems":1,"maxItems":2}},
        "$defs":{"pet":{"type":"object","required":["kind"],"properties":{"kind":{"enum":["dog","cat"]},"young":{"type":"array","items":{"$ref":"#/$defs/pet"}}}}}}
        """

    @Test(arguments: [
        #"{"name":"Ana","age":3}"#, #"{"name": "A\"\u00e9\n", "age": -12, "nick": null}"#,
        #"{"name":"","age":0,"pets":[{"kind":"dog"}]}"#,
        #"{"name":"é日😀","age":1,"nick":"x","pets":[{"kind":"cat"}, {"kind":"dog","young":[{"kind":"cat","young":[]}]}]}"#,
    ])
    func `what fits is read and may end`(text: String) throws {
        let result = try reads(Self.person, text)
        #expect(result.fits && result.complete)
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(text.utf8)) }
        for end in 0..<text.utf8.count {
            #expect(
                try !reads(Self.person, String(decoding: Array(text.utf8)[..<end], as: UTF8.self))
                    .complete)
        }
    }

    @Test(arguments: [
        "[", "{}", #"{"age":3"#, #"{"name":3"#, #"{"name":"a"}"#, #"{"name":"a","age":1.5"#,
        #"{"name":"a","age":01"#,
        #"{"name":"a","age":1,}"#,
        #"{"name":"a","age":1,"x""#,
        #"{"name":"a","age":1,"pets":[]"#, #"{"name":"a","age":1,"pets":[{"kind":"cow""#,
        #"{"name":"a","age":1,"pets":[{"kind":"dog"},{"kind":"dog"},"#,
        "{\"name\":\"a\n", #"{"name":"\x"#, #"{"name":"a","age":1}x"#, #"{"name":"a","name""#,
        #"{"name":"a","age":-}"#,
    ])
    func `what does not fit is stopped at once`(text: String) throws {
        #expect(try !reads(Self.person, text).fits)
    }

    @Test(arguments: [
        "1", "-0.5e+10", "[]", "[1, \"a\", {\"b\":[null,true]}]", "{\"a\":{},\"b\":[]}", "\"x\"",
        "false",
    ])
    func `anything is any JSON`(text: String) throws {
        #expect(try reads("{}", text) == (true, true))
    }

    @Test func `objects of anything are objects`() {
        var matcher = JSONMatcher(.anyObject)
        #expect(!advanced(matcher, "["))
        let fits = matcher.advance(Array(#"{"a":[1,{"b":2}]}"#.utf8))
        #expect(fits && matcher.isComplete)
    }

    @Test(arguments: [
        "", "3", "{", #"{"type":"string","pattern":"(a"}"#, #"{"multipleOf":0}"#,
        #"{"type":"number","minimum":3,"maximum":2}"#, #"{"type":"string","pattern":"[z-a]"}"#,
        #"{"type":"thing"}"#,
        #"{"$ref":"http://x"}"#,
        ##"{"$ref":"#/$defs/a"}"##,
        #"{"enum":[]}"#, #"{"anyOf":[]}"#, #"{"type":"array","minItems":3,"maxItems":1}"#,
    ])
    func `what is no schema, or allows nothing, is refused`(schema: String) {
        #expect(throws: EngineError.self) { try JSONSchema(schema) }
    }

    @Test(arguments: [
        (#"{"type":"string","not":{"const":"a"}}"#, ["not"]),
        (#"{"type":"string","pattern":"^(?=.*a).{3}$"}"#, ["pattern"]),
        (#"{"type":"string","pattern":"[ab]*a[ab]{40}"}"#, ["pattern"]),
        (#"{"type":"string","format":"iri"}"#, ["format"]),
        (#"{"type":"array","items":{"type":"string"},"uniqueItems":true}"#, ["uniqueItems"]),
        (#"{"if":{"minLength":1},"then":{"maxLength":3},"minLenght":2}"#, ["if", "then", "minLenght"]),
        (#"{"oneOf":[{"type":"number"},{"type":"integer"}]}"#, ["oneOf"]),
    ])
    func `what cannot be kept is named, and refused if the schema is strict`(
        schema: String, keywords: [String]
    ) throws {
        #expect(try JSONSchema(schema).ignored == keywords)
        let error = #expect(throws: EngineError.self) { try JSONSchema(schema, strict: true) }
        #expect(error?.description.contains("'\(keywords[0])'") == true)
    }

    @Test(arguments: [
        ##"{"$ref":"#"}"##, ##"{"allOf":[{"$ref":"#"}]}"##, ##"{"anyOf":[{"$ref":"#"}]}"##,
        ##"{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}"##,
        ##"{"type":"array","items":{"$ref":"#"},"minItems":1}"##,
        ##"{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}"##,
        #"{"type":"string","minLength":5,"maxLength":4}"#,
        #"{"type":"string","pattern":"^a{5}$","maxLength":4}"#,
        #"{"allOf":[{"type":"string"},{"type":"integer"}]}"#,
        #"{"allOf":[{"pattern":"^a$"},{"pattern":"^b$"}]}"#,
        #"{"type":"integer","exclusiveMinimum":3,"exclusiveMaximum":4}"#,
        #"{"enum":["a","b"],"minLength":2}"#, #"{"const":1,"type":"string"}"#,
        #"{"type":"object","properties":{"a":false},"required":["a"]}"#,
        #"{"type":"object","maxProperties":1,"required":["a","b"]}"#,
        #"{"type":"array","items":{"enum":[1,2]},"uniqueItems":true,"minItems":3}"#,
    ])
    func `a schema that nothing satisfies is refused, with the reason`(schema: String) throws {
        let error = #expect(throws: EngineError.self) { try JSONSchema(schema) }
        let message = try #require(error?.description)
        #expect(message.contains("allows no value: ") || message.contains("for ever"), "\(message)")
    }

    @Test(arguments: [
        (#"{"type":"string"}"#, #""\ud83d\ude00""#, true), (#"{"type":"string"}"#, #""\ud83d""#, false),
        (#"{"type":"string","pattern":"^\\p{L}+$"}"#, #""äb日""#, true),
        (#"{"type":"string","pattern":"^\\p{L}+$"}"#, #""a1""#, false),
        (#"{"type":"string","pattern":"^ä$"}"#, #""\u00e4""#, true),
        (#"{"type":"string","pattern":"^ä$"}"#, #""\u00e5""#, false),
        (#"{"type":"string","nullable":true}"#, "null", true),
        (#"{"enum":["a"],"nullable":true}"#, "null", false),
        (#"{"type":"number","exclusiveMinimum":1}"#, "1.0000000000000000001", false),
    ])
    func `strings are read as what they stand for`(schema: String, text: String, fits: Bool) throws {
        #expect(try reads(schema, text).complete == fits)
    }

    /// The names of the first object that a model could write which always takes what comes first.
    private func order(_ schema: String, at path: [String] = []) throws -> [String] {
        var matcher = JSONMatcher(try JSONSchema(schema, at: path))
        var written: [UInt8] = []
        // Of all bytes that may follow, quotes and brackets end what is open; so each value stays
        // as short as it can.
        let preferred =
            Array(#"}]",:{[tfn0123456789"#.utf8) + Array(33...126) + Array(128...255) + [32]
        while !matcher.isComplete, written.count < 2000 {
            if matcher.isInString, matcher.advance(UInt8(ascii: "\"")) {
                written.append(UInt8(ascii: "\""))
                continue
            }
            guard
                let next = preferred.first(where: { byte in
                    var after = matcher
                    return after.advance(byte)
                })
            else { break }
            _ = matcher.advance(next)
            written.append(next)
        }
        let value = try OrderedJSON(String(decoding: written, as: UTF8.self))
        return value.members?.map(\.key) ?? []
    }

    private static func object(
        _ names: [String], kind: String = #"{"type":"boolean"}"#, required: [String]? = nil
    )
        -> String
    {
        let properties = names.map { "\(OrderedJSON.string($0).text):\(kind)" }.joined(
            separator: ",")
        let wanted = (required ?? names).map { OrderedJSON.string($0).text }.joined(separator: ",")
        return
            #"{"required":[\#(wanted)],"type":"object","additionalProperties":false,"properties":{\#(properties)}}"#
    }

    @Test(arguments: [
        ["reasoning", "answer"], ["answer", "reasoning"],
        ["z", "y", "x", "b", "a", "c", "10", "9", "1"],
        ["type", "properties", "required", "enum", "$ref"],
        ["items", "anyOf", "name", "schema", "strict", "json_schema", "response_format"],
        ["", "a", " "],
        ["é", "e\u{301}", "e"],
        ["a\"b", "a\\", "a\nb", "ü\u{1}"], ["messages", "role", "content"],
    ])
    func `properties come in the schema's order, whatever they are called`(names: [String]) throws {
        func same(_ found: [String]) -> Bool {
            found.elementsEqual(names) { $0.utf8.elementsEqual($1.utf8) }
        }
        // Names stand elsewhere before: in what is required, in the schema's own name, in messages,
        // in descriptions, in lists of values.
        #expect(same(try order(Self.object(names, required: names.reversed()))))
        let noise = names.reversed().map { OrderedJSON.string($0).text }.joined(separator: ",")
        let name = OrderedJSON.string(names[names.count - 1]).text
        let schema = Self.object(
            names, kind: #"{"enum":[\#(noise)],"description":"x"}"#, required: names.reversed())
        let request =
            #"{"messages":[\#(noise)],"response_format":{"json_schema":{"name":\#(name),"description":[\#(noise)],"schema":\#(schema)}}}"#
        #expect(same(try order(request, at: ["response_format", "json_schema", "schema"])))
    }

    @Test func `objects inside of objects, lists and definitions keep their own order`() throws {
        let inner = Self.object(["b", "a"])
        let outer = Self.object(["a", "b"], kind: inner)
        var matcher = JSONMatcher(try JSONSchema(outer))
        let fits = matcher.advance(
            Array(#"{"a":{"b":true,"a":true},"b":{"b":false,"a":true}}"#.utf8))
        #expect(fits && matcher.isComplete)
        #expect(try !reads(outer, #"{"a":{"a""#).fits)
        let defined =
            ##"{"type":"array","items":{"$ref":"#/$defs/b"},"$defs":{"a":{"const":{"y":1,"x":[2.50]}},"b":\##(inner)}}"##
        #expect(
            try reads(defined, #"[{"b":true,"a":true}]"#).complete
                && !reads(defined, #"[{"a""#).fits)
        #expect(
            try reads(##"{"const":{"y":1,"x":[2.50,1e400]}}"##, #"{"y":1,"x":[2.50,1e400]}"#)
                .complete)
    }

    @Test func `what is required without a description is written last`() throws {
        #expect(
            try order(
                #"{"type":"object","properties":{"b":{"type":"null"}},"required":["z","b","y"],"additionalProperties":true}"#
            ) == ["b", "z", "y"])
    }

    @Test(arguments: [
        #"{"type":3}"#, #"{"type":[]}"#, #"{"type":["string",1]}"#,
        #"{"type":"object","properties":[]}"#,
        #"{"type":"object","required":"a"}"#,
        #"{"type":"object","required":[1]}"#, #"{"type":"array","minItems":1e300}"#,
        #"{"type":"array","maxItems":-1}"#,
        #"{"type":"array","minItems":"1"}"#,
        #"{"type":"array","maxItems":0.5}"#, #"{"enum":1}"#, #"{"anyOf":{}}"#, #"{"$ref":1}"#,
        ##"{"$ref":"#/$defs/"}"##,
        #"{"type":"object","properties":{"a":1}}"#,
        #"{"type":"string","type":"number"}"#, "[]", "null", "false",
        #"{"type":"object","properties":{"a":{}},"required":["b"],"additionalProperties":false}"#,
    ])
    func `schemas of wrong types are refused`(schema: String) {
        #expect(throws: EngineError.self) { try JSONSchema(schema) }
    }

    @Test func `a schema that is missing is named`() {
        let error = #expect(throws: EngineError.self) {
            try JSONSchema(#"{"a":{}}"#, at: ["a", "b", "c"])
        }
        #expect(error?.description.contains("'a.b'") == true)
    }

    @Test func `hostile schemas and texts stay bounded`() throws {
        let deep =
            String(repeating: #"{"type":"array","items":"#, count: 500) + "{}"
            + String(repeating: "}", count: 500)
        #expect(throws: EngineError.self) { try JSONSchema(deep) }
        var matcher = JSONMatcher(try JSONSchema("{}"))
        let fits = matcher.advance([UInt8](repeating: UInt8(ascii: "["), count: 5000))
        #expect(!fits)
    }

    @Test(
        arguments: [
            #"{"type":"string","pattern":"[ab]*a[ab]{60}c"}"#,
            #"{"type":"string","pattern":"^((a{1,100}){1,100}){1,100}$"}"#,
            #"{"type":"string","pattern":"^[a-z]+$","maxLength":10000000}"#,
            #"{"type":"string","maxLength":1000000000000000000}"#,
            #"{"type":"integer","multipleOf":86400,"minimum":0,"maximum":1000000000000}"#,
            #"{"type":"integer","multipleOf":1000000007}"#,
            #"{"type":"number","minimum":-1.7976931348623157e308,"maximum":1.7976931348623157e308}"#,
            "{\"allOf\":["
                + (0..<24).map { "{\"anyOf\":[{\"required\":[\"a\($0)\"]},{\"required\":[\"b\($0)\"]}]}" }
                .joined(separator: ",") + "]}",
            String(repeating: "{\"anyOf\":[", count: 200) + "{}" + String(repeating: "]}", count: 200),
            "{\"enum\":[" + (0..<5000).map(String.init).joined(separator: ",") + "]}",
            #"{"type":"string","minLength":1000000000}"#,
            #"{"type":"array","minItems":1000000000000000000}"#,
            #"{"type":"number","maximum":1e999}"#,
            #"{"type":"number","maximum":\#(String(repeating: "9", count: 5000))}"#,
            #"{"description":"\#(String(repeating: "x", count: 2 << 20))"}"#,
        ], [true, false])
    func `huge schemas are compiled or refused at once`(schema: String, strict: Bool) {
        let start = ContinuousClock.now
        do { _ = try JSONSchema(schema, strict: strict) } catch { #expect(error is EngineError) }
        // Far more than is needed, as machines are busy; far less than a hang.
        #expect(ContinuousClock.now - start < .seconds(30))
    }

    @Test(.enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"))
    func `the tokens that are allowed are those whose bytes fit`() throws {
        let tokenizer = try RealModel.loaded.get().tokenizer
        let vocabulary = SchemaVocabulary(tokenizer)
        let schema = try JSONSchema(Self.person)
        let text = #"{"name": "A\"\u00e9\n", "age": -12, "nick": null, "pets":[{"kind":"dog"}]}"#
        var constraint = SchemaConstraint(schema, vocabulary)
        var matcher = JSONMatcher(schema)
        for token in tokenizer.encode(text, special: false) {
            let mask = constraint.allowed()
            for id in 0..<Int32(tokenizer.vocabularySize) {
                let bytes = tokenizer.bytes(id)
                let isAllowed = mask[Int(id) >> 6] >> UInt64(id & 63) & 1 == 1
                var after = matcher
                let fits =
                    tokenizer.endTokens.contains(id)
                    ? matcher.isComplete : !bytes.isEmpty && after.advance(bytes)
                if isAllowed != fits {
                    Issue.record("\(String(decoding: bytes, as: UTF8.self)) \(fits)")
                }
            }
            constraint.advance(token)
            let fits = matcher.advance(tokenizer.bytes(token))
            #expect(fits)
        }
        let end = Int(tokenizer.endTokens.min()!)
        let word = constraint.allowed()[end >> 6]
        #expect(matcher.isComplete)
        #expect(word >> UInt64(end & 63) & 1 == 1)
    }
}
