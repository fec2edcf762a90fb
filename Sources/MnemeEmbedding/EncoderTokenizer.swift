import Foundation
import MnemeBase
import MnemeText

/// Cuts a text into the tokens that an encoder reads, those that begin and end a text around them.
public protocol EncoderTokenizer: Sendable {
    /// Number of tokens: all ids are below it.
    var vocabularySize: Int { get }
    /// Token ids of `text`, cut to `maximumLength` in all; what begins and ends a text stays.
    func encode(_ text: String, maximumLength: Int) -> [Int32]
    /// Token ids of `text` alone: nothing around it, uncut, without those for unknown words.
    func pieces(of text: String) -> [Int32]
}

extension WordPieceTokenizer: EncoderTokenizer {
    /// Encodes the text and takes off its two end tokens and those for unknown words.
    public func pieces(of text: String) -> [Int32] {
        encode(text, maximumLength: .max).dropFirst().dropLast().filter { $0 != unknownID }
    }
}

/// A SentencePiece or byte-level tokenizer with the tokens that its file puts around a text, such as
/// `<s>` and `</s>` of XLM-RoBERTa.
struct FramedTokenizer: EncoderTokenizer {
    private let tokenizer: any Tokenizer
    private let begin, end: [Int32]
    var vocabularySize: Int { tokenizer.vocabularySize }

    /// - Parameter json: what the folder's `tokenizer.json` holds.
    /// - Throws: ``ModelError`` for a tokenizer that is broken, or of a kind that is not read.
    init(folder: String, _ json: OrderedJSON) throws {
        let read = try TokenizerJSON.readFramed(folder: folder, json)
        (tokenizer, begin, end) = (read.tokenizer, read.begin, read.end)
    }

    /// - Complexity: that of the tokenizer, for the whole text: pieces depend on what follows.
    func encode(_ text: String, maximumLength: Int) -> [Int32] {
        let room = max(0, maximumLength - begin.count - end.count)
        return begin + tokenizer.encode(text, special: true).prefix(room) + end
    }

    func pieces(of text: String) -> [Int32] {
        let unknown = ["<unk>", "[UNK]"].lazy.compactMap { tokenizer.special($0) }.first
        return tokenizer.encode(text, special: true).filter { $0 != unknown }
    }
}

/// Finds the tokenizer in an encoder's folder.
enum EncoderTokenizers {
    /// WordPiece of `vocab.txt`; else what `tokenizer.json` describes.
    ///
    /// - Throws: ``ModelError`` if there is neither, or one that is not read.
    static func read(folder: String) throws -> any EncoderTokenizer {
        if FileManager.default.fileExists(atPath: folder + "/vocab.txt") {
            return try WordPieceTokenizer(folder: folder)
        }
        let path = folder + "/tokenizer.json"
        guard FileManager.default.fileExists(atPath: path) else {
            throw ModelError(
                .missingFile,
                "There is neither vocab.txt nor tokenizer.json in \(folder). Fetch the model again.")
        }
        let json = try ModelJSON.read(path, limit: 256 << 20)
        guard json["model"]?["type"]?.string == "WordPiece" else {
            return try FramedTokenizer(folder: folder, json)
        }
        return try WordPieceTokenizer(json: json, path: path)
    }
}
