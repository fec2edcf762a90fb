import Foundation
import MnemeModels
import Testing

import MnemeEngine

@Suite struct LanguageTokenizerTests {
    private static func digest(_ ids: [Int32]) -> String {
        var value: UInt64 = 0xcbf2_9ce4_8422_2325
        for id in ids {
            for shift in stride(from: 0, to: 32, by: 8) { value = (value ^ UInt64(UInt32(bitPattern: id) >> UInt32(shift) & 255)) &* 0x100_0000_01b3 }
        }
        return String(format: "%08x", UInt32(truncatingIfNeeded: value))
    }

    @Test(.enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"), arguments: [0, 1, 2, 3])
    func `ids equal those of the reference under each set of rules`(index: Int) throws {
        let rules = [PreTokenizer.gpt2, .smollm, .llama3, .qwen2][index], file = try GGUFFile(path: RealModel.path!)
        let tokenizer = try file.tokenizer(preTokenizer: rules), golden = try Golden.read([[String]].self, "tokens")
        #expect(golden.count >= 5000)
        var wrong: [String] = []
        for row in golden where Self.digest(tokenizer.encode(row[0], special: true)) != row[index + 1] { wrong.append(row[0]) }
        #expect(wrong.isEmpty, "\(wrong.count) texts differ, such as \(wrong.prefix(3).map { $0.debugDescription })")
    }

    @Test(.enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"))
    func `text comes back, and a user cannot forge special tokens`() throws {
        let tokenizer = try RealModel.loaded.get().tokenizer
        for row in try Golden.read([[String]].self, "tokens").prefix(1500) {
            let ids = tokenizer.encode(row[0], special: false)
            #expect(tokenizer.decode(ids) == row[0])
            #expect(!ids.contains(tokenizer.special("<|im_start|>")!))
            var stream = StreamingDecoder(), text = ""
            for id in ids { text += stream.append(tokenizer.bytes(id)) }
            #expect(text + stream.finish() == row[0])
        }
        // A long run without spaces is merged in reasonable time.
        let long = tokenizer.encode(String(repeating: "abc", count: 100_000), special: false)
        #expect(tokenizer.decode(long).count == 300_000)
    }

    @Test func `SentencePiece ids equal those of the reference`() throws {
        struct Pieces: Decodable {
            var tokens: [String]
            var scores: [Float]
            var kinds: [Int]
            /// Of the texts of `tokens.json`.
            var ids: [String]
        }
        let golden = try Golden.read(Pieces.self, "spm"), texts = try Golden.read([[String]].self, "tokens").map { $0[0] }
        let tokenizer = try SentencePieceTokenizer(
            tokens: golden.tokens, scores: golden.scores, kinds: golden.kinds, addsSpace: true, endTokens: [2], beginToken: 1, unknown: 0, path: "golden")
        #expect(golden.ids.count >= 5000 && golden.ids.count == texts.count)
        let wrong = zip(texts, golden.ids).filter { Self.digest(tokenizer.encode($0, special: true)) != $1 }.map(\.0)
        #expect(wrong.isEmpty, "\(wrong.count) texts differ, such as \(wrong.prefix(3).map { $0.debugDescription })")
        // "▁" itself comes back as a space: the pieces cannot tell.
        for text in texts.prefix(1500) where !text.isEmpty && !text.unicodeScalars.contains("▁") {
            let ids = tokenizer.encode(text, special: false)
            #expect(tokenizer.decode(ids).unicodeScalars.dropFirst().elementsEqual(text.unicodeScalars), "a text begins with a space that was not there")
        }
        #expect(tokenizer.decode(tokenizer.encode(String(repeating: "ab", count: 100_000), special: false)).count == 200_001)
    }

    @Test func `half a character is never given out`() {
        var stream = StreamingDecoder()
        let bytes = Array("é日😀".utf8)
        #expect(bytes.map { stream.append([$0]) } == ["", "é", "", "", "日", "", "", "", "😀"])
        #expect(stream.append([0xff, 0x61]) == "\u{fffd}a" && stream.append([0xe6, 0x97]) == "" && stream.finish() == "\u{fffd}")
    }
}
