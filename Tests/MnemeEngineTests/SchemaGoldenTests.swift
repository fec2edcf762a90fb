import Foundation
import MnemeBase
import MnemeEngine
import MnemeModels
import Testing

/// Schemas as pydantic, zod, OpenAPI and people write them, judged by the Python package
/// `jsonschema`: golden values of `scripts/make_golden_schema.py`.
@Suite struct SchemaGoldenTests {
    struct Case: Decodable {
        var name: String
        var schema: String
        var valid: [String]
        var invalid: [String]
    }

    private static let cases = Result { try Golden.read([Case].self, "schemas") }

    /// True if a text is read to its end, and may end there.
    private func accepts(_ schema: JSONSchema, _ text: String) -> Bool {
        var matcher = JSONMatcher(schema)
        return matcher.advance(Array(text.utf8)) && matcher.isComplete
    }

    @Test func `documents that fit are taken, and those that do not are not`() throws {
        let cases = try Self.cases.get()
        #expect(cases.count > 70)
        for golden in cases {
            let schema = try JSONSchema(golden.schema, strict: true)
            #expect(schema.ignored.isEmpty)
            for text in golden.valid {
                #expect(accepts(schema, text), "\(golden.name) refuses \(text)")
            }
            for text in golden.invalid {
                #expect(!accepts(schema, text), "\(golden.name) takes \(text)")
            }
        }
    }

    /// With `MNEME_SCHEMA_WALKS` set to a file, what was written goes there, for
    /// `make_golden_schema.py --walks` to judge. What is committed was judged so: a change of what
    /// a constraint allows shows here, and is then to be judged anew.
    @Test func `random walks end in documents that fit`() throws {
        let vocabulary = SchemaVocabulary(PieceTokenizer())
        let judged = try Golden.read([String: [String]].self, "walks")
        var lines: [String] = []
        for golden in try Self.cases.get() {
            let schema = try JSONSchema(golden.schema)
            for (seed, expected) in (judged[golden.name] ?? []).enumerated() {
                let walk = try #require(
                    RandomWalk(schema, vocabulary, seed: UInt64(seed)).text,
                    "\(golden.name), seed \(seed): the walk cannot be finished")
                #expect(walk == expected, "\(golden.name), seed \(seed)")
                let line = ["name": golden.name, "walk": walk]
                lines.append(String(decoding: try JSONEncoder().encode(line), as: UTF8.self))
            }
        }
        #expect(lines.count > 400)
        if let path = ProcessInfo.processInfo.environment["MNEME_SCHEMA_WALKS"] {
            try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: path))
        }
    }
}

/// Tokens of a byte each, and some of several as models have them: with quotes, commas and names
/// in one, with half an escape, with parts of words.
struct PieceTokenizer: Tokenizer {
    private let pieces: [[UInt8]] =
        (0...255).map { [$0] }
        + [
            "\":", "\",\"", "{\"", "\"}", "\"]", "[\"", "\": ", ", \"", "true", "false", "null",
            "ab", "the", "é", "日本", "😀", "12", "00", "2024-", "\\u00", "\\n", "T1", ":0", "}}",
            "]}", " a", "@", ".com", "name",
        ].map { Array($0.utf8) } + [[]]

    var vocabularySize: Int { pieces.count }
    var endTokens: Set<Int32> { [Int32(pieces.count - 1)] }
    var beginToken: Int32? { nil }
    var specialNames: [String] { [] }
    func bytes(_ token: Int32) -> [UInt8] { pieces[Int(token)] }
    func special(_ name: String) -> Int32? { nil }
    func name(_ token: Int32) -> String? { nil }
    func encode(_ text: String, special: Bool, dropping: Unicode.Scalar?) -> [Int32] {
        text.utf8.map { Int32($0) }
    }
}

/// A document that is written by chance within a schema, and then brought to its end.
struct RandomWalk {
    /// nil if it could not be finished.
    private(set) var text: String?

    init(_ schema: JSONSchema, _ vocabulary: SchemaVocabulary, seed: UInt64) {
        let tokenizer = PieceTokenizer()
        let end = tokenizer.endTokens.first ?? 0
        var constraint = SchemaConstraint(schema, vocabulary)
        var random = SplitMix64(seed: seed)
        var written: [UInt8] = []
        let most = Int(random.next() % 400)
        while written.count < most {
            let mask = constraint.allowed()
            let allowed = (0..<Int32(tokenizer.vocabularySize)).filter {
                mask[Int($0) >> 6] >> UInt64($0 & 63) & 1 == 1
            }
            if allowed.isEmpty { return }
            var token = allowed[Int(random.next() % UInt64(allowed.count))]
            if random.unit() < 0.4 {
                // What ends something, so that documents have many parts and stay small.
                let ends = [end] + "\"]}".utf8.map { Int32($0) }
                token = ends.first(where: allowed.contains) ?? token
            }
            if token == end {
                text = String(validating: written, as: UTF8.self)
                return
            }
            written += tokenizer.bytes(token)
            constraint.advance(token)
        }
        var matcher = JSONMatcher(schema)
        guard matcher.advance(written), let rest = Self.rest(behind: matcher) else { return }
        text = String(validating: written + rest, as: UTF8.self)
    }

    /// A way to the end, found by trying what ends something first.
    static func rest(behind start: JSONMatcher) -> [UInt8]? {
        let tried =
            Array("]}\",:".utf8) + Array(97...122) + Array("0123456789TZ@.-/_+ {[".utf8)
            + Array(65...90) + [92, 0xc3, 0xa4, 0xa9, 0xe6, 0x97, 0xa5, 0xf0, 0x9f, 0x98, 0x80]
        var seen: Set<JSONMatcher.State> = []
        var open = [(matcher: start, text: [UInt8]())]
        while let (matcher, text) = open.popLast(), seen.count < 100_000 {
            if matcher.isComplete { return text }
            guard seen.insert(matcher.state).inserted else { continue }
            for byte in tried.reversed() {
                var next = matcher
                if next.advance(byte), !seen.contains(next.state) {
                    open.append((next, text + [byte]))
                }
            }
        }
        return nil
    }
}
