import Foundation
import MnemeBase
import MnemeFormats

/// The shape of an encoder of the BERT family, read from `config.json` and the
/// sentence-transformers files beside it: BERT (Devlin et al. 2019), RoBERTa (Liu et al. 2019),
/// XLM-RoBERTa (Conneau et al. 2020) and DistilBERT (Sanh et al. 2019).
///
/// Sizes are checked against what the kernels take: widths in multiples of 64, heads of 16 to 128
/// elements in multiples of 16. Anything that would change the mathematics (another activation,
/// relative positions) is refused by name.
public struct BertConfiguration: Sendable, Equatable {
    /// Which of the family's models it is: they differ in names, in the first position and in
    /// segments.
    public enum Family: String, Sendable, CaseIterable {
        /// BERT (Devlin et al. 2018): positions from 0, two segments.
        case bert
        /// RoBERTa (Liu et al. 2019): positions begin behind the padding id.
        case roberta
        /// XLM-RoBERTa (Conneau et al. 2019): as RoBERTa, with a vocabulary of 100 languages.
        case xlmRoberta = "xlm-roberta"
        /// CamemBERT (Martin et al. 2019): RoBERTa for French.
        case camembert
        /// DistilBERT (Sanh et al. 2019): no segments, and names of its own for sizes.
        case distilbert
    }

    /// The model's family.
    public let family: Family
    /// Rows of the word embeddings.
    public let vocabularySize: Int
    /// Width of a token's state.
    public let hiddenSize: Int
    /// Encoder layers.
    public let layers: Int
    /// Attention heads a layer.
    public let heads: Int
    /// Width of the feed-forward layer.
    public let intermediateSize: Int
    /// Rows of the position embeddings.
    public let positions: Int
    /// The row of the first token's position: 0, or the one behind padding's in RoBERTa's models.
    public let firstPosition: Int
    /// Rows of the segment embeddings; 0 where the family has none.
    public let typeVocabularySize: Int
    /// The epsilon that is added to the variance.
    public let layerNormEpsilon: Float
    /// Tokens after which a text is cut, those that begin and end it among them: the
    /// length that the model's files set, or all positions.
    public let maximumTokens: Int

    /// Elements of a head.
    public var headDimension: Int { hiddenSize / heads }

    /// - Parameter folder: holds `config.json`.
    /// - Throws: `ModelError` for a file that is absent, damaged, or of a model that this encoder
    ///   cannot run.
    public init(folder: String) throws {
        let path = folder + "/config.json"
        let object = try ModelJSON.read(path)
        guard let family = object["model_type"]?.string.flatMap(Family.init) else {
            throw ModelError(
                .unsupported,
                "\(path) describes '\((object["model_type"]?.string ?? "no model type").prefix(40))'; this encoder runs \(Family.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", "))."
            )
        }
        self.family = family
        let isDistilled = family == .distilbert
        func integer(_ name: String, or distilled: String? = nil, in range: ClosedRange<Int>) throws
            -> Int
        {
            let key = isDistilled ? distilled ?? name : name
            guard let value = object[key]?.integer, range.contains(value) else {
                throw ModelError(
                    .unsupported,
                    "\(path): '\(key)' must be a whole number in \(range.lowerBound)…\(range.upperBound)."
                )
            }
            return value
        }
        // The settings that would change the mathematics.
        let activation = object[isDistilled ? "activation" : "hidden_act"]?.string ?? "gelu"
        guard activation == "gelu" else {
            throw ModelError(
                .unsupported,
                "\(path): activation '\(activation.prefix(40))' is not supported, only 'gelu'.")
        }
        let position = object["position_embedding_type"]?.string ?? "absolute"
        guard position == "absolute" else {
            throw ModelError(
                .unsupported,
                "\(path): positions '\(position.prefix(40))' are not supported, only 'absolute'."
            )
        }
        guard object["is_decoder"]?.bool != true else {
            throw ModelError(.unsupported, "\(path) is a decoder's: it embeds no texts here.")
        }
        vocabularySize = try integer("vocab_size", in: 1...4_000_000)
        hiddenSize = try integer("hidden_size", or: "dim", in: 64...8192)
        layers = try integer("num_hidden_layers", or: "n_layers", in: 1...200)
        heads = try integer("num_attention_heads", or: "n_heads", in: 1...256)
        intermediateSize = try integer("intermediate_size", or: "hidden_dim", in: 64...65536)
        positions = try integer("max_position_embeddings", in: 2...65536)
        typeVocabularySize = isDistilled ? 0 : try integer("type_vocab_size", in: 1...64)
        layerNormEpsilon = Float(object["layer_norm_eps"]?.double ?? 1e-12)
        switch family {
        case .bert, .distilbert: firstPosition = 0
        case .roberta, .xlmRoberta, .camembert:
            firstPosition = (object["pad_token_id"]?.integer ?? 1) + 1
        }
        guard hiddenSize % 64 == 0, intermediateSize % 64 == 0, hiddenSize % heads == 0,
            (hiddenSize / heads) % 16 == 0,
            hiddenSize / heads <= 128
        else {
            throw ModelError(
                .unsupported,
                "\(path): hidden size \(hiddenSize) with \(heads) heads is not supported.")
        }
        guard (0...positions - 2).contains(firstPosition) else {
            throw ModelError(.unsupported, "\(path): 'pad_token_id' leaves no positions for a text.")
        }
        // sentence-transformers cut texts earlier than the model would have to: its older versions
        // say where in one file, its newer ones in another.
        var length: Int?
        for (file, key) in [
            ("/sentence_bert_config.json", "max_seq_length"),
            ("/tokenizer_config.json", "model_max_length"),
        ] where length == nil && FileManager.default.fileExists(atPath: folder + file) {
            length = try ModelJSON.read(folder + file)[key]?.integer
            guard length ?? 2 >= 2 else {
                throw ModelError(.invalidFile, "\(folder)\(file): \(key) must be at least 2.")
            }
        }
        maximumTokens = min(positions - firstPosition, length ?? .max)
    }
}

/// Small JSON files of a model's folder.
enum ModelJSON {
    /// The object or list in a file of less than `limit` bytes.
    ///
    /// - Throws: ``ModelError`` if it is absent, larger, or no JSON.
    static func read(_ path: String, limit: Int = 4 << 20) throws -> OrderedJSON {
        let file = try MappedFile(path: path)
        guard file.count < limit, let json = try? OrderedJSON(bytes: file.bytes),
            json.members != nil || json.elements != nil
        else {
            throw ModelError(.invalidFile, "\(path) is not a JSON object. Fetch the model again.")
        }
        return json
    }
}
