import MnemeBase
import MnemeEngine
import MnemeModels
import Testing

/// Answers that are held to a schema are whole before their most tokens are reached.
@Suite struct AnswerBudgetTests {
    private static let cases = Result { try Golden.read([SchemaGoldenTests.Case].self, "schemas") }

    /// An answer of a schema, written by chance within so many tokens; nil if it was not
    /// ended in time.
    private func write(
        _ schema: JSONSchema, _ vocabulary: SchemaVocabulary, most: Int, seed: UInt64
    ) -> String? {
        let tokenizer = PieceTokenizer()
        let ends = tokenizer.endTokens
        var constraint: any TokenConstraint = SchemaConstraint(schema, vocabulary)
        var budget = AnswerBudget()
        var random = SplitMix64(seed: seed)
        var written: [UInt8] = []
        for count in 0..<most {
            let mask = constraint.allowed()
            // A model that would never end by itself.
            let allowed = (0..<Int32(tokenizer.vocabularySize)).filter {
                mask[Int($0) >> 6] >> UInt64($0 & 63) & 1 == 1
            }
            let longer = allowed.filter { !ends.contains($0) }
            let tokens = longer.isEmpty ? allowed : longer
            guard !tokens.isEmpty else { return nil }
            var token = tokens[Int(random.next() % UInt64(tokens.count))]
            var after = constraint
            after.advance(token)
            let other = budget.replacement(
                for: token, constraint, after, left: most - count, vocabulary)
            if let other {
                token = other
                after = constraint
                after.advance(token)
            }
            if ends.contains(token) { return String(validating: written, as: UTF8.self) }
            written += tokenizer.bytes(token)
            constraint = after
        }
        return nil
    }

    @Test func `any schema's answer is whole within any number of tokens that it can have`() throws {
        let vocabulary = SchemaVocabulary(PieceTokenizer())
        var answers = 0
        for golden in try Self.cases.get() {
            let schema = try JSONSchema(golden.schema)
            let shortest = try #require(JSONMatcher(schema).shortestEnd, "\(golden.name)")
            for (seed, most) in [0, 1, 2, 5, 20, 100].enumerated() {
                let most = shortest.count + 1 + most
                let text = try #require(
                    write(schema, vocabulary, most: most, seed: UInt64(seed)),
                    "\(golden.name) within \(most)")
                var matcher = JSONMatcher(schema)
                let fits = matcher.advance(Array(text.utf8))
                #expect(fits && matcher.isComplete, "\(golden.name): \(text)")
                answers += 1
            }
        }
        #expect(answers > 400)
    }

    @Test func `a text that is cut anywhere is completed by the shortest end`() throws {
        for golden in try Self.cases.get() {
            let schema = try JSONSchema(golden.schema)
            for text in golden.valid {
                var matcher = JSONMatcher(schema)
                for byte in text.utf8 {
                    let rest = try #require(matcher.shortestEnd, "\(golden.name)")
                    #expect(rest.count <= matcher.bytesToEnd, "\(golden.name)")
                    var after = matcher
                    let fits = after.advance(rest)
                    #expect(fits && after.isComplete, "\(golden.name)")
                    _ = matcher.advance(byte)
                }
                #expect(matcher.bytesToEnd == 0)
            }
        }
    }

    @Test(arguments: [
        (#"{"type":"string","minLength":3}"#, 5), (#"{"type":"integer","minimum":-5,"maximum":-2}"#, 2),
        (#"{"type":"array","minItems":3,"items":{"enum":["long",7,true]}}"#, 7),
        (#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"null"}},"required":["b"]}"#, 10),
        (#"{"type":"object","minProperties":2,"additionalProperties":{"type":"boolean"}}"#, 17),
        (
            ##"{"$ref":"#/$defs/t","$defs":{"t":{"anyOf":[{"type":"array","minItems":1,"items":{"$ref":"#/$defs/t"}},{"const":"leaf"}]}}}"##,
            6
        ),
    ])
    func `the shortest value of a schema is found`(schema: String, bytes: Int) throws {
        let matcher = JSONMatcher(try JSONSchema(schema))
        #expect(matcher.bytesToEnd == bytes && matcher.shortestEnd?.count == bytes)
    }

    @Test func `an answer that no room was given for is left as it is`() throws {
        let schema = try JSONSchema(#"{"type":"string","minLength":2000000}"#)
        #expect(JSONMatcher(schema).shortestEnd == nil)
        let vocabulary = SchemaVocabulary(PieceTokenizer())
        let short = try JSONSchema(#"{"type":"object","properties":{"name":{"type":"integer"}},"required":["name"]}"#)
        #expect(write(short, vocabulary, most: 3, seed: 1) == nil)
    }
}
