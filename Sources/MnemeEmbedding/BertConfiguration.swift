import Foundation
import MnemeBase
import MnemeFormats

/// The shape of a BERT encoder (Devlin et al. 2019), read from `config.json` and the
/// sentence-transformers files beside it.
///
/// Sizes are checked against what the kernels take: widths in multiples of 64, heads of 16 to 128
/// elements in multiples of 16. Anything that would change the mathematics (another activation,
/// relative positions) is refused by name.
public struct BertConfiguration: Sendable, Equatable {
    /// Rows of the word embeddings.
    public let vocabularySize: Int
    /// Width of a token's state, and so of a vector.
    public let hiddenSize: Int
    /// Encoder layers.
    public let layers: Int
    /// Attention heads a layer.
    public let heads: Int
    /// Width of the feed-forward layer.
    public let intermediateSize: Int
    /// Rows of the position embeddings.
    public let positions: Int
    /// Rows of the segment embeddings.
    public let typeVocabularySize: Int
    /// Added to the variance.
    public let layerNormEpsilon: Float
    /// Tokens after which a text is cut, `[CLS]` and `[SEP]` among them: `max_seq_length` of
    /// sentence-transformers, or all positions.
    public let maximumTokens: Int

    /// Elements of a head.
    public var headDimension: Int { hiddenSize / heads }

    /// - Throws: ``ModelError`` for a file that is absent, damaged, or of a model that this encoder
    ///   cannot run.
    public init(folder: String) throws {
        let path = folder + "/config.json"
        let object = try Self.object(path)
        func integer(_ key: String, _ range: ClosedRange<Int>) throws -> Int {
            guard let value = object[key] as? Int, range.contains(value) else {
                throw ModelError(
                    .unsupported,
                    "\(path): '\(key)' must be a whole number in \(range.lowerBound)…\(range.upperBound)."
                )
            }
            return value
        }
        guard object["model_type"] as? String == "bert" else {
            throw ModelError(
                .unsupported,
                "\(path) describes '\(object["model_type"] as? String ?? "no model type")'; this encoder runs 'bert'."
            )
        }
        // The three settings that would change the mathematics.
        let activation = object["hidden_act"] as? String ?? "gelu"
        guard activation == "gelu" else {
            throw ModelError(
                .unsupported, "\(path): activation '\(activation)' is not supported, only 'gelu'.")
        }
        let position = object["position_embedding_type"] as? String ?? "absolute"
        guard position == "absolute" else {
            throw ModelError(
                .unsupported, "\(path): positions '\(position)' are not supported, only 'absolute'."
            )
        }
        vocabularySize = try integer("vocab_size", 1...4_000_000)
        hiddenSize = try integer("hidden_size", 64...8192)
        layers = try integer("num_hidden_layers", 1...200)
        heads = try integer("num_attention_heads", 1...256)
        intermediateSize = try integer("intermediate_size", 64...65536)
        positions = try integer("max_position_embeddings", 2...65536)
        typeVocabularySize = try integer("type_vocab_size", 1...64)
        layerNormEpsilon = Float((object["layer_norm_eps"] as? Double) ?? 1e-12)
        guard hiddenSize % 64 == 0, intermediateSize % 64 == 0, hiddenSize % heads == 0,
            (hiddenSize / heads) % 16 == 0,
            hiddenSize / heads <= 128
        else {
            throw ModelError(
                .unsupported,
                "\(path): hidden size \(hiddenSize) with \(heads) heads is not supported.")
        }
        // sentence-transformers cut texts earlier than the model would have to.
        var maximum = positions
        let sentence = folder + "/sentence_bert_config.json"
        if FileManager.default.fileExists(atPath: sentence),
            let length = try Self.object(sentence)["max_seq_length"] as? Int
        {
            guard length >= 2 else {
                throw ModelError(.invalidFile, "\(sentence): max_seq_length must be at least 2.")
            }
            maximum = min(maximum, length)
        }
        maximumTokens = maximum
    }

    /// A JSON object of less than 4 MiB.
    private static func object(_ path: String) throws -> [String: Any] {
        let file = try MappedFile(path: path)
        guard file.count < 4 << 20,
            let object = try? JSONSerialization.jsonObject(with: Data(file.bytes)) as? [String: Any]
        else {
            throw ModelError(.invalidFile, "\(path) is not a JSON object. Fetch the model again.")
        }
        return object
    }
}
