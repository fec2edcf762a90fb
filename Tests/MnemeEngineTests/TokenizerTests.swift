import Foundation
import MnemeBase
import MnemeEngine
import MnemeModels
import Testing

@Suite struct LanguageTokenizerTests {
    private static func digest(_ ids: [Int32]) -> String {
        var value: UInt64 = 0xcbf2_9ce4_8422_2325
        for id in ids {
            for shift in stride(from: 0, to: 32, by: 8) {
                value =
                    (value ^ UInt64(UInt32(bitPattern: id) >> UInt32(shift) & 255))
                    &* 0x100_0000_01b3
            }
        }
        return String(format: "%08x", UInt32(truncatingIfNeeded: value))
    }

    @Test(
        .enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"),
        arguments: [0, 1, 2, 3])
    func `ids equal those of the reference under each set of rules`(index: Int) throws {
        let rules = [PreTokenizer.gpt2, .smollm, .llama3, .qwen2][index]
        let file = try GGUFFile(path: RealModel.path!)
        let tokenizer = try file.tokenizer(preTokenizer: rules)
        let golden = try Golden.read([[String]].self, "tokens")
        #expect(golden.count >= 5000)
        var wrong: [String] = []
        for row in golden
        where Self.digest(tokenizer.encode(row[0], special: true)) != row[index + 1] {
            wrong.append(row[0])
        }
        #expect(
            wrong.isEmpty,
            "\(wrong.count) texts differ, such as \(wrong.prefix(3).map { $0.debugDescription })")
    }

    @Test(.enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"))
    func `text comes back, and a user cannot forge special tokens`() throws {
        let tokenizer = try RealModel.loaded.get().tokenizer
        for row in try Golden.read([[String]].self, "tokens").prefix(1500) {
            let ids = tokenizer.encode(row[0], special: false)
            #expect(tokenizer.decode(ids) == row[0])
            #expect(!ids.contains(tokenizer.special("<|im_start|>")!))
            var stream = StreamingDecoder()
            var text = ""
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
        let golden = try Golden.read(Pieces.self, "spm")
        let texts = try Golden.read([[String]].self, "tokens").map { $0[0] }
        let tokenizer = try SentencePieceTokenizer(
            model: .bpe, tokens: golden.tokens, scores: golden.scores, kinds: golden.kinds,
            normalizer: SentencePieceNormalizer(addsSpace: true),
            endTokens: [2], beginToken: 1, unknown: 0, path: "golden")
        #expect(golden.ids.count >= 5000 && golden.ids.count == texts.count)
        let wrong = zip(texts, golden.ids).filter {
            Self.digest(tokenizer.encode($0, special: true)) != $1
        }.map(\.0)
        #expect(
            wrong.isEmpty,
            "\(wrong.count) texts differ, such as \(wrong.prefix(3).map { $0.debugDescription })")
        // "▁" itself comes back as a space: the pieces cannot tell.
        for text in texts.prefix(1500) where !text.isEmpty && !text.unicodeScalars.contains("▁") {
            let ids = tokenizer.encode(text, special: false)
            #expect(
                tokenizer.decode(ids).unicodeScalars.dropFirst().elementsEqual(text.unicodeScalars),
                "a text begins with a space that was not there")
        }
        #expect(
            tokenizer.decode(
                tokenizer.encode(String(repeating: "ab", count: 100_000), special: false)
            ).count == 200_001
        )
    }

    struct Unigram: Decodable {
        var tokens: [String]
        var scores: [Float]
        var kinds: [Int]
        var map: String
        /// Texts beyond those of `tokens.json`.
        var extra: [String]
        var ids: [String]
    }

    private static func differences(
        _ tokenizer: any Tokenizer, _ texts: [String], _ ids: [String], special: Bool
    )
        -> [String]
    {
        zip(texts, ids).filter { digest(tokenizer.encode($0, special: special)) != $1 }.map(\.0)
    }

    @Test func `unigram ids equal those of the reference`() throws {
        let golden = try Golden.read(Unigram.self, "unigram")
        let texts = try Golden.read([[String]].self, "tokens").map { $0[0] } + golden.extra
        #expect(golden.ids.count >= 5000 && golden.ids.count == texts.count)
        let map = try #require(SentencePieceNormalizer.CharacterMap(Golden.bytes(golden.map)))
        let tokenizer = try SentencePieceTokenizer(
            model: .unigram, tokens: golden.tokens, scores: golden.scores, kinds: golden.kinds,
            normalizer: SentencePieceNormalizer(addsSpace: true, collapsesSpaces: true, map: map),
            endTokens: [2],
            beginToken: nil, unknown: 0, path: "golden")
        let wrong = Self.differences(tokenizer, texts, golden.ids, special: false)
        #expect(
            wrong.isEmpty,
            "\(wrong.count) texts differ, such as \(wrong.prefix(3).map { $0.debugDescription })")
        #expect(
            tokenizer.decode(
                tokenizer.encode(String(repeating: "ab ", count: 50_000), special: false)
            ).count == 150_000
        )
    }

    @Test func `character maps that are cut off or changed are refused or harmless`() throws {
        let golden = try Golden.read(Unigram.self, "unigram")
        let sound = Golden.bytes(golden.map)
        for length in 0..<8 {
            #expect(SentencePieceNormalizer.CharacterMap(Array(sound[..<length])) == nil)
        }
        let text = Array("“ﬁé\u{200b} … a".utf8)
        for i in 0..<sound.count {
            for value in [0, 0x7f, 0xff] as [UInt8] {
                var bytes = sound
                bytes[i] = value
                _ = SentencePieceNormalizer.CharacterMap(bytes)?.apply(to: text)
            }
        }
    }

    private static let placeholder = "the vocabulary"

    /// A folder with a `tokenizer.json` and its settings.
    ///
    /// - Parameter vocabulary: put in by hand: a dictionary would take tokens that look alike for
    ///   one.
    private func tokenizer(
        _ json: [String: Any], vocabulary: [String] = [], settings: [String: Any] = [:]
    ) throws
        -> any Tokenizer
    {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-\(UUID().uuidString)"
        ).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for (name, value) in ["tokenizer.json": json, "tokenizer_config.json": settings] {
            var text = String(
                decoding: try JSONSerialization.data(withJSONObject: value), as: UTF8.self)
            let pairs = try vocabulary.enumerated().map {
                String(decoding: try JSONEncoder().encode($1), as: UTF8.self) + ": \($0)"
            }
            text = text.replacingOccurrences(
                of: "\"\(Self.placeholder)\"", with: "{\(pairs.joined(separator: " ,\n"))}")
            try text.write(toFile: folder + "/" + name, atomically: true, encoding: .utf8)
        }
        return try TokenizerJSON.read(folder: folder)
    }

    @Test(
        .enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"),
        arguments: [true, false])
    func `a hub folder's tokenizer gives the same ids, byte-level`(pairs: Bool) throws {
        let file = try GGUFFile(path: RealModel.path!)
        let golden = try Golden.read([[String]].self, "tokens")
        func strings(_ key: String) -> [String] {
            file.array("tokenizer.ggml.\(key)")!.compactMap {
                if case .string(let text) = $0 { text } else { nil }
            }
        }
        let tokens = strings("tokens")
        let merges = strings("merges")
        let kinds = file.array("tokenizer.ggml.token_type")!
        let added = tokens.indices.filter { kinds[$0] == .integer(3) || kinds[$0] == .integer(4) }
        let result = try tokenizer(
            [
                "model": [
                    "type": "BPE", "vocab": Self.placeholder,
                    "merges": pairs
                        ? merges.map { $0.split(separator: " ").map(String.init) } as Any : merges,
                ] as [String: Any],
                "added_tokens": added.map {
                    ["id": $0, "content": tokens[$0], "special": kinds[$0] == .integer(3)]
                        as [String: Any]
                },
                "pre_tokenizer": [
                    "type": "Sequence",
                    "pretokenizers": [
                        ["type": "Digits", "individual_digits": true],
                        ["type": "ByteLevel", "add_prefix_space": false, "use_regex": true],
                    ] as [[String: Any]],
                ] as [String: Any],
            ], vocabulary: tokens, settings: ["eos_token": "<|im_end|>", "add_bos_token": false])
        let wrong = Self.differences(
            result, golden.map { $0[0] }, golden.map { $0[2] }, special: true)
        #expect(
            wrong.isEmpty,
            "\(wrong.count) texts differ, such as \(wrong.prefix(3).map { $0.debugDescription })")
        #expect(
            result.endTokens.contains(result.special("<|im_end|>")!) && result.beginToken == nil)
    }

    @Test func `a hub folder's tokenizer gives the same ids, SentencePiece BPE`() throws {
        struct Pieces: Decodable {
            var tokens, ids: [String]
            var scores: [Float]
        }
        let golden = try Golden.read(Pieces.self, "spm")
        let texts = try Golden.read([[String]].self, "tokens").map { $0[0] }
        // All ways to put a piece together from two, the best piece first, as the library's
        // converter lists them.
        let places = Dictionary(
            uniqueKeysWithValues: golden.tokens.enumerated().map { (Array($1.unicodeScalars), $0) })
        var merges: [(piece: Int, left: Int, right: Int)] = []
        for (piece, token) in golden.tokens.enumerated().dropFirst(259) {
            let scalars = Array(token.unicodeScalars)
            for cut in 1..<max(1, scalars.count) {
                if let left = places[Array(scalars[..<cut])],
                    let right = places[Array(scalars[cut...])], left >= 259,
                    right >= 259
                {
                    merges.append((piece, left, right))
                }
            }
        }
        merges.sort { ($0.piece, $0.left, $0.right) < ($1.piece, $1.left, $1.right) }
        let result = try tokenizer(
            [
                "model": [
                    "type": "BPE", "byte_fallback": true, "unk_token": "<unk>",
                    "vocab": Self.placeholder,
                    "merges": merges.map { [golden.tokens[$0.left], golden.tokens[$0.right]] },
                ] as [String: Any],
                "added_tokens": (0..<3).map {
                    ["id": $0, "content": golden.tokens[$0], "special": true] as [String: Any]
                },
                "normalizer": [
                    "type": "Sequence",
                    "normalizers": [
                        ["type": "Prepend", "prepend": "▁"],
                        ["type": "Replace", "pattern": ["String": " "], "content": "▁"]
                            as [String: Any],
                    ] as [[String: Any]],
                ] as [String: Any],
                "post_processor": [
                    "type": "TemplateProcessing",
                    "single": [["SpecialToken": ["id": "<s>", "type_id": 0] as [String: Any]]],
                ] as [String: Any],
            ], vocabulary: golden.tokens)
        let wrong = Self.differences(result, texts, golden.ids, special: true)
        #expect(
            wrong.isEmpty,
            "\(wrong.count) texts differ, such as \(wrong.prefix(3).map { $0.debugDescription })")
        #expect(result.beginToken == 1)
    }

    @Test func `a hub folder's tokenizer gives the same ids, unigram`() throws {
        let golden = try Golden.read(Unigram.self, "unigram")
        let texts = try Golden.read([[String]].self, "tokens").map { $0[0] } + golden.extra
        let added = golden.kinds.indices.filter { [2, 3, 4].contains(golden.kinds[$0]) }
        let result = try tokenizer([
            "model": [
                "type": "Unigram", "unk_id": 0, "byte_fallback": true,
                "vocab": zip(golden.tokens, golden.scores).map { [$0, $1] as [Any] },
            ] as [String: Any],
            "added_tokens": added.map {
                ["id": $0, "content": golden.tokens[$0], "special": golden.kinds[$0] != 4]
                    as [String: Any]
            },
            "normalizer": [
                "type": "Sequence",
                "normalizers": [
                    ["type": "Precompiled", "precompiled_charsmap": golden.map],
                    ["type": "Strip", "strip_left": false, "strip_right": true],
                    ["type": "Replace", "pattern": ["Regex": " {2,}"], "content": " "]
                        as [String: Any],
                ] as [[String: Any]],
            ] as [String: Any],
            "pre_tokenizer": ["type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"],
        ])
        let wrong = Self.differences(result, texts, golden.ids, special: false)
        #expect(
            wrong.isEmpty,
            "\(wrong.count) texts differ, such as \(wrong.prefix(3).map { $0.debugDescription })")
    }

    @Test(arguments: [
        "{}", "[1]", #"{"model":{"type":"WordPiece","vocab":{}}}"#,
        #"{"model":{"type":"BPE","vocab":{"a":-1}}}"#,
        #"{"model":{"type":"BPE","vocab":{"a":99999999}}}"#,
        #"{"model":{"type":"BPE","byte_fallback":true,"vocab":{"a":0},"merges":["a"]}}"#,
        #"{"model":{"type":"Unigram","vocab":[["a"]]}}"#,
        #"{"model":{"type":"Unigram","vocab":[["a",0]]},"normalizer":{"type":"Lowercase"}}"#,
    ])
    func `tokenizers that are unsound or unknown are refused`(text: String) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-\(UUID().uuidString)"
        ).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try text.write(toFile: folder + "/tokenizer.json", atomically: true, encoding: .utf8)
        #expect(throws: ModelError.self) { try TokenizerJSON.read(folder: folder) }
    }

    @Test func `half a character is never given out`() {
        var stream = StreamingDecoder()
        let bytes = Array("é日😀".utf8)
        #expect(bytes.map { stream.append([$0]) } == ["", "é", "", "", "日", "", "", "", "😀"])
        #expect(
            stream.append([0xff, 0x61]) == "\u{fffd}a" && stream.append([0xe6, 0x97]) == ""
                && stream.finish() == "\u{fffd}")
    }
}
