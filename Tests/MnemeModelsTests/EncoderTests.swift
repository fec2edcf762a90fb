import Foundation
import MnemeBase
import MnemeEmbedding
import MnemeModels
import MnemeNumerics
import Testing

@Suite(.enabled(if: ModelFixture.isPresent, "run `make model` first"))
struct EncoderTests {
    private static func golden() throws -> (texts: [String], vectors: [[Float]]) {
        let texts = try #require(
            try JSONSerialization.jsonObject(with: ModelFixture.golden("sentences.json"))
                as? [String])
        let raw = [UInt8](try ModelFixture.golden("vectors.f16"))
        let values = stride(from: 0, to: raw.count, by: 2).map {
            Float(half: UInt16(raw[$0]) | UInt16(raw[$0 + 1]) << 8)
        }
        let dimension = values.count / texts.count
        return (texts, texts.indices.map { Array(values[$0 * dimension..<($0 + 1) * dimension]) })
    }

    /// Precision, instruction sets, and the cosine to sentence-transformers that must be reached.
    private static let paths: [(Precision, ProcessorFeatures, Float)] = {
        let current = ProcessorFeatures.current
        var all: [(Precision, ProcessorFeatures, Float)] = [
            (.f32, current, 0.9999), (.int8, current, 0.999),
        ]
        if current.contains(.avx2) { all.append((.f32, .avx2, 0.9999)) }
        return all
    }()

    @Test(arguments: paths)
    func `vectors equal sentence-transformers`(
        precision: Precision, features: ProcessorFeatures, least: Float
    ) throws {
        let (texts, vectors) = try Self.golden()
        #expect(texts.count >= 500)
        let encoder = try BertEncoder(
            folder: ModelFixture.folder, precision: precision, features: features)
        let found = try encoder.embed(texts)
        let cosines = texts.indices.map { cosine(found[$0], vectors[$0]) }
        #expect(
            cosines.min()! >= least,
            "\(precision): least \(cosines.min()!), mean \(cosines.reduce(0, +) / Float(cosines.count))"
        )
    }

    @Test func `a text has one vector, alone or in any batch`() throws {
        let (texts, _) = try Self.golden()
        let encoder = try BertEncoder(folder: ModelFixture.folder)
        let batch = try encoder.embed(Array(texts.prefix(64)))
        for i in 0..<64 where i % 7 == 0 {
            #expect(cosine(try encoder.embed([texts[i]])[0], batch[i]) > 0.99999)
        }
        #expect(try encoder.embed([]).count == 0)
        #expect(abs(try encoder.embed([""])[0].reduce(0) { $0 + $1 * $1 } - 1) < 1e-4)
    }

    @Test func `token ids of the model's own are its texts, and others' are refused`() throws {
        let encoder = try BertEncoder(folder: ModelFixture.folder)
        let tokenizer = try WordPieceTokenizer(folder: ModelFixture.folder)
        let texts = ["hello world", "", String(repeating: "a long tale ", count: 400)]
        let tokens = texts.map { tokenizer.encode($0, maximumLength: .max) }
        #expect(try encoder.embed(tokens: tokens) == encoder.embed(texts))
        // "hello world" by OpenAI's cl100k; ids beyond the vocabulary; nothing between.
        for other: [Int32] in [[15339, 1917], [101, 15339, 1917], [101, 100_257, 102], [101, -1, 102], [101], []] {
            #expect(throws: InputError.self, "\(other)") { try encoder.embed(tokens: [other]) }
        }
    }

    @Test func `callers from many tasks do not disturb each other`() async throws {
        let encoder = try BertEncoder(folder: ModelFixture.folder)
        let texts = [
            "one", "two words", "three words here", String(repeating: "long ", count: 300),
        ]
        let expected = try encoder.embed(texts)
        try await withThrowingTaskGroup(of: Embeddings.self) { group in
            for _ in 0..<6 { group.addTask { try encoder.embed(texts) } }
            for try await each in group {
                for i in texts.indices { #expect(cosine(each[i], expected[i]) > 0.99999) }
            }
        }
    }

    @Test func `another model's files are refused`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-\(UUID().uuidString)"
        ).path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.copyItem(atPath: ModelFixture.folder, toPath: folder)
        let configuration = try String(contentsOfFile: folder + "/config.json", encoding: .utf8)
        for change in [
            ("\"bert\"", "\"gpt2\""), ("384", "448"),
            ("\"num_hidden_layers\": 6", "\"num_hidden_layers\": 7"),
            ("{", "["),
        ] {
            try configuration.replacingOccurrences(of: change.0, with: change.1).write(
                toFile: folder + "/config.json", atomically: true, encoding: .utf8)
            #expect(throws: ModelError.self, "\(change)") { try BertEncoder(folder: folder) }
        }
    }
}

func cosine(_ a: [Float], _ b: [Float]) -> Float {
    let dot = zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
    return dot / (a.reduce(0) { $0 + $1 * $1 } * b.reduce(0) { $0 + $1 * $1 }).squareRoot()
}

extension Float {
    /// IEEE half precision (`Float16` is not available on every platform).
    fileprivate init(half: UInt16) {
        let sign: Float = half & 0x8000 == 0 ? 1 : -1
        let exponent = Int(half >> 10) & 31
        let fraction = Float(half & 1023)
        self =
            exponent == 0
            ? sign * fraction * 0x1p-24
            : sign * (1 + fraction / 1024)
                * Float(sign: .plus, exponent: exponent - 15, significand: 1)
    }
}
