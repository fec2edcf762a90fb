import Foundation
import MnemeModels
import MnemeNumerics
import Testing

import MnemeEngine

@Suite struct DecoderTests {
    struct Tiny: Decodable, CustomTestStringConvertible {
        var name: String
        /// `config.json`.
        var config: String
        /// What it shall run with, if not all.
        var context: Int?
        /// The names that its tensors have in a GGUF file.
        var names: [String: String]
        var shapes: [String: [Int]]
        var tokens: [Int32]
        var rows: [Int]
        var logits: String
        var testDescription: String { name }
    }

    static let models = (try? Golden.read([Tiny].self, "tiny")) ?? []

    /// The weights of the golden script's formula.
    private static func values(_ name: String, count: Int, isGemma: Bool) -> [Float] {
        var state: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let value = (Float(state >> 40) / 16_777_216 - 0.5) * 0.25
            // Gemma's norms are stored less 1.
            return name.contains("norm") && !isGemma ? value + 1 : value
        }
    }

    /// A model's folder as the hub has it.
    private static func folder(_ model: Tiny) throws -> String {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("mneme-tiny-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try model.config.write(toFile: folder + "/config.json", atomically: true, encoding: .utf8)
        var header: [String: Any] = [:], data = Data()
        for (name, shape) in model.shapes.sorted(by: { $0.key < $1.key }) {
            let values = values(name, count: shape.reduce(1, *), isGemma: model.name.contains("gemma")), start = data.count
            values.withUnsafeBytes { data.append(contentsOf: $0) }
            header[name] = ["dtype": "F32", "shape": shape, "data_offsets": [start, data.count]] as [String: Any]
        }
        let json = try JSONSerialization.data(withJSONObject: header)
        var file = Data()
        withUnsafeBytes(of: UInt64(json.count).littleEndian) { file.append(contentsOf: $0) }
        try (file + json + data).write(to: URL(fileURLWithPath: folder + "/model.safetensors"))
        return folder
    }

    @Test func `there are golden models`() { #expect(Self.models.count >= 8) }

    @Test(arguments: models)
    func `logits equal those of transformers`(model: Tiny) throws {
        let path = try Self.folder(model)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let decoder = try TransformerDecoder(ModelFolder(path: path, context: model.context), stepTokens: 128, stepLogits: 128), expected = Golden.floats(model.logits)
        let size = decoder.configuration.vocabularySize, cache = Cache(decoder.configuration, positions: 80)
        // Keys and values are halves, which costs some of the fourth digit.
        let all = decoder.logits(model.tokens, at: 0, in: cache, rows: 80)
        for (i, row) in model.rows.enumerated() {
            let worst = zip(all[row], expected[i * size..<(i + 1) * size]).map { abs($0 - $1) }.max()!
            #expect(worst < 1e-3, "row \(row) differs by \(worst)")
        }
        // The same in chunks and token by token, to the bit.
        let pieces = Cache(decoder.configuration, positions: 80)
        var place = 0
        for size in [1, 7, 30, 1, 1, 40] {
            let rows = decoder.logits(Array(model.tokens[place..<place + size]), at: place, in: pieces, rows: size)
            #expect(rows == Array(all[place..<place + size]), "chunk at \(place)")
            place += size
        }
    }

    @Test(.enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"))
    func `greedy answers equal those of the f32 reference`() throws {
        struct Answer: Decodable {
            var prompt: String
            var answer: [Int32]
        }
        let model = try RealModel.loaded.get(), answers = try Golden.read([Answer].self, "greedy")
        var equal = 0, gaps: [Float] = []
        for answer in answers {
            let cache = Cache(model.decoder.configuration, positions: 128)
            var tokens = model.tokenizer.encode(answer.prompt, special: false), position = 0, made: [Int32] = []
            while made.count < answer.answer.count {
                var row = model.decoder.logits(tokens, at: position, in: cache, rows: 1)[0]
                position += tokens.count
                // The reference was told to write 64 tokens and not to end before.
                for end in model.tokenizer.endTokens where end == 2 { row[Int(end)] = -.infinity }
                made.append(row.withUnsafeMutableBufferPointer { Sampler.highest($0) })
                let expected = answer.answer[made.count - 1]
                if made.last != expected {
                    gaps.append(row[Int(made.last!)] - row[Int(expected)])
                    break
                }
                tokens = [made.last!]
            }
            if made == answer.answer { equal += 1 }
        }
        print("  greedy: \(equal) of \(answers.count) answers of 64 tokens are the reference's; where one differs, the logits differ by \(gaps)")
        #expect(answers.count == 20 && equal >= 18)
    }
}
