import Foundation
import MnemeBase
import MnemeEmbedding
import MnemeModels
import Testing

@Suite struct TokenizerTests {
    @Test(.enabled(if: ModelFixture.isPresent, "run `make model` first"))
    func `token ids equal the reference tokenizer's`() throws {
        let tokenizer = try WordPieceTokenizer(folder: ModelFixture.folder)
        let cases = try #require(
            try JSONSerialization.jsonObject(with: ModelFixture.golden("tokens.json")) as? [[Any]])
        #expect(cases.count >= 2000)
        var wrong = 0
        for entry in cases {
            let text = try #require(entry[0] as? String)
            let ids = try #require(entry[1] as? [Int])
            let found = tokenizer.encode(text).map(Int.init)
            if found != ids {
                wrong += 1
                if wrong <= 5 {
                    Issue.record(
                        "\(text.debugDescription.prefix(200)): \(found.difference(from: ids))")
                }
            }
        }
        #expect(wrong == 0)
    }

    @Test func `a small vocabulary is cut greedily`() throws {
        let vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nun\n##aff\n##able\n##a\n!\n"
        let tokenizer = try WordPieceTokenizer(vocabulary: Array(vocabulary.utf8), source: "test")
        #expect(tokenizer.encode("UNaffable!") == [2, 4, 5, 6, 8, 3])
        #expect(tokenizer.encode("unaffordable") == [2, 1, 3])
        #expect(tokenizer.encode("un un un un", maximumLength: 4) == [2, 4, 4, 3])
    }

    @Test(arguments: ["", "\n\n\n", "[CLS]\n[SEP]\n[PAD]\n", "\u{0}\u{1}\n"])
    func `a foreign vocabulary is refused`(vocabulary: String) {
        #expect(throws: ModelError.self) {
            try WordPieceTokenizer(vocabulary: Array(vocabulary.utf8), source: "test")
        }
    }

    @Test func `random bytes are either a vocabulary or an error, and any text is encoded`() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let noise = (0..<Int.random(in: 0..<300)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let vocabulary = Array("[PAD]\n[UNK]\n[CLS]\n[SEP]\n".utf8) + noise
            let tokenizer = try WordPieceTokenizer(vocabulary: vocabulary, source: "noise")
            let text = String(decoding: noise, as: UTF8.self)
            let ids = tokenizer.encode(text, maximumLength: 32)
            #expect(ids.count <= 32 && ids.first == 2 && ids.last == 3)
        }
    }
}
