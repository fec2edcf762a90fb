import Foundation
import MnemeBase
import MnemeEmbedding
import MnemeNumerics
import Testing

/// Tiny random models of each family, and the vectors that sentence-transformers and Model2Vec make
/// with them (`scripts/make_golden_encoders.py`).
@Suite struct EncoderFamilyTests {
    private static let folder =
        Bundle.module.resourceURL!.appendingPathComponent("Golden/encoders").path

    /// Golden values of a model's folder: vectors by role.
    private struct Golden: Decodable {
        var texts: [String]
        var plain: [[Float]]
        var query, document: [[Float]]?
    }

    private static func golden(_ name: String) throws -> Golden {
        try JSONDecoder().decode(
            Golden.self, from: Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)/vectors.json"))
        )
    }

    private func compare(
        _ found: Embeddings, _ wanted: [[Float]], _ texts: [String], least: Float, _ what: String
    ) {
        #expect(found.count == wanted.count && found.dimension == wanted[0].count)
        for (i, text) in texts.enumerated() where wanted[i].contains(where: { $0 != 0 }) {
            let cosine = cosine(found[i], wanted[i])
            #expect(cosine >= least, "\(what), \(text.debugDescription.prefix(60)): \(cosine)")
        }
    }

    @Test(arguments: ["bert-cls", "multilingual-e5-tiny", "roberta-last", "distilbert-dense"])
    func `vectors of each family equal sentence-transformers`(name: String) throws {
        let golden = try Self.golden(name)
        let folder = "\(Self.folder)/\(name)"
        let encoder = try BertEncoder(folder: folder, precision: .f32)
        compare(
            try encoder.embed(golden.texts), golden.plain, golden.texts, least: 0.9999, "plain")
        for (role, wanted) in [(TextRole.query, golden.query), (.document, golden.document)] {
            compare(
                try encoder.embed(golden.texts, as: role), wanted ?? golden.plain, golden.texts,
                least: 0.9999, "\(role)")
        }
        // Eight bits of random weights are far off; what is pooled, cut and put before is not.
        let fast = try EmbeddingModel.open(folder: folder)
        compare(
            try fast.embed(golden.texts, as: .query), golden.query ?? golden.plain, golden.texts,
            least: 0.97, "int8")
        #expect(fast.dimension == encoder.dimension && fast.identifier == encoder.identifier)
        #expect(fast.tokenCount("Anna moved.") == encoder.tokenCount("Anna moved."))
    }

    @Test func `vectors of a table equal Model2Vec's`() throws {
        // Model2Vec cuts a text of more than 512 characters of this vocabulary before it reads it.
        var golden = try Self.golden("table")
        let short = golden.texts.indices.filter { golden.texts[$0].count < 500 }
        (golden.texts, golden.plain) = (
            short.map { golden.texts[$0] }, short.map { golden.plain[$0] }
        )
        let embedder = try EmbeddingModel.open(folder: Self.folder + "/table")
        #expect(embedder is StaticEmbedder)
        compare(try embedder.embed(golden.texts), golden.plain, golden.texts, least: 0.9999, "table")
        #expect(try embedder.embed([""])[0].allSatisfy { $0 == 0 })
    }

    /// A copy of a model's folder with one text replaced in one of its files.
    private func changed(_ name: String, _ file: String, _ old: String, _ new: String) throws
        -> String
    {
        let copy = FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-\(UUID().uuidString)"
        ).path
        try FileManager.default.copyItem(atPath: "\(Self.folder)/\(name)", toPath: copy)
        let text = try String(contentsOfFile: "\(copy)/\(file)", encoding: .utf8)
        #expect(text.contains(old))
        try text.replacingOccurrences(of: old, with: new).write(
            toFile: "\(copy)/\(file)", atomically: true, encoding: .utf8)
        return copy
    }

    @Test(arguments: [
        ("bert-cls", "modules.json", "normalize.Normalize", "WordWeights", "WordWeights"),
        ("bert-cls", "modules.json", "\"1_Pooling\"", "\"../1_Pooling\"", "path"),
        ("bert-cls", "1_Pooling/config.json", "\"cls\"", "\"max\"", "pooling by max"),
        (
            "bert-cls", "1_Pooling/config.json", "\"include_prompt\": true", "\"include_prompt\": false",
            "include_prompt"
        ),
        ("bert-cls", "config.json", "\"gelu\"", "\"gelu_new\"", "gelu_new"),
        ("bert-cls", "config.json", "\"bert\"", "\"mpnet\"", "mpnet"),
        ("bert-cls", "tokenizer.json", "\"BertNormalizer\"", "\"NFKC\"", "NFKC"),
        ("bert-cls", "tokenizer.json", "\"BertPreTokenizer\"", "\"Whitespace\"", "Whitespace"),
        ("roberta-last", "config_sentence_transformers.json", "\"cosine\"", "\"dot\"", "dot"),
        ("roberta-last", "tokenizer.json", "\"RobertaProcessing\"", "\"Other\"", "Other"),
        ("distilbert-dense", "2_Dense/config.json", "\"in_features\": 64", "\"in_features\": 128", "128"),
        ("distilbert-dense", "2_Dense/config.json", "Tanh", "ReLU", "ReLU"),
        ("multilingual-e5-tiny", "config.json", "\"pad_token_id\": 1", "\"pad_token_id\": 65", "pad_token_id"),
        ("multilingual-e5-tiny", "config.json", "\"vocab_size\": 152", "\"vocab_size\": 40", "belong"),
        ("multilingual-e5-tiny", "config.json", "{", "", "not a JSON object"),
    ])
    func `what would change the vectors is refused by name`(
        name: String, file: String, old: String, new: String, said: String
    ) throws {
        let folder = try changed(name, file, old, new)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let error = #expect(throws: ModelError.self) {
            try BertEncoder(folder: folder, precision: .f32)
        }
        #expect(error?.message.contains(said) == true, "\(error?.message ?? "")")
    }

    @Test func `models whose vectors differ have different names`() throws {
        let first = try changed("bert-cls", "1_Pooling/config.json", "\"cls\"", "\"mean\"")
        defer { try? FileManager.default.removeItem(atPath: first) }
        let second = first + "-other"
        try FileManager.default.copyItem(atPath: first, toPath: second)
        defer { try? FileManager.default.removeItem(atPath: second) }
        let place = second + "/config_sentence_transformers.json"
        try String(contentsOfFile: place, encoding: .utf8).replacingOccurrences(
            of: "ask: ", with: "question: "
        ).write(toFile: place, atomically: true, encoding: .utf8)
        func hash(_ folder: String) throws -> Substring? {
            try EmbeddingModel.open(folder: folder).identifier.split(separator: "@").last
        }
        let all = try [Self.folder + "/bert-cls", first, second].map(hash)
        #expect(Set(all).count == 3)
    }
}
