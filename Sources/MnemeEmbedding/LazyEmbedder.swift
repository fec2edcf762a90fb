import Foundation
public import MnemeBase
import MnemeFormats
public import MnemeNumerics
import NIOConcurrencyHelpers

/// A ``BertEncoder`` that is loaded when the first text is embedded, so that commands which embed
/// nothing start at once.
///
/// Configuration and identity are read immediately: whether vectors of a store fit the model shows
/// without loading it.
public final class LazyEmbedder: TextEmbedder {
    /// The encoder's identifier, without loading it.
    public let identifier: String
    /// Floats of a vector.
    public let dimension: Int
    /// Tokens after which a text is cut.
    public let maximumTokens: Int
    private let folder: String
    private let precision: Precision
    private let tokenizerFolder: String
    /// Learned from memories, see `mneme embedder train`: it may be taken out of use while it is loaded.
    private let isTrained: Bool
    /// Loaded under the lock: callers at the same time wait for one load.
    private let loaded = NIOLockedValueBox<BertEncoder?>(nil)
    /// Read when tokens are counted before the encoder is there.
    private let tokenizer = NIOLockedValueBox<(any EncoderTokenizer)?>(nil)

    /// - Throws: `ModelError` if the folder does not hold an encoder of the BERT family.
    public init(folder: String, precision: Precision = .int8) throws {
        self.folder = folder
        self.precision = precision
        let modules = try SentenceModules(folder: folder)
        let configuration = try BertConfiguration(folder: modules.transformer)
        dimension = modules.dense.last?.outputs ?? configuration.hiddenSize
        maximumTokens = configuration.maximumTokens
        tokenizerFolder = modules.transformer
        isTrained = FileManager.default.fileExists(atPath: folder + "/training.json")
        identifier = BertEncoder.identifier(
            folder: folder,
            file: try SafetensorsFile(path: modules.transformer + "/model.safetensors"),
            modules: modules)
    }

    /// The encoder, loaded now if it was not yet.
    ///
    /// - Throws: `ModelError` if the weights cannot be read, or were erased since with a memory that they
    ///   were learned from.
    public func encoder() throws -> BertEncoder {
        if isTrained, !FileManager.default.fileExists(atPath: tokenizerFolder + "/model.safetensors") {
            throw ModelError(
                .withdrawn,
                "The embedding model in \(folder) is out of use: a memory that it was made from was erased. Start again: the model that it was made from serves then; `mneme reembed` makes its vectors."
            )
        }
        return try loaded.withLockedValue { loaded in
            if let loaded { return loaded }
            let encoder = try BertEncoder(folder: folder, precision: precision)
            loaded = encoder
            return encoder
        }
    }

    /// Vectors of `texts`, in order; the first call loads the model.
    public func embed(_ texts: [String]) throws -> Embeddings { try encoder().embed(texts) }

    /// Vectors of `texts` in a role, in order; the first call loads the model.
    public func embed(_ texts: [String], as role: TextRole) throws -> Embeddings {
        try encoder().embed(texts, as: role)
    }

    /// Vectors of texts that are given as token ids, in order; the first call loads the model.
    public func embed(tokens: [[Int32]]) throws -> Embeddings {
        try encoder().embed(tokens: tokens)
    }

    /// The number of tokens of a text, uncut; needs no weights. 0 if the tokenizer cannot be read:
    /// embedding then says why.
    public func tokenCount(_ text: String) -> Int {
        let tokenizer = tokenizer.withLockedValue { read in
            if read == nil { read = try? EncoderTokenizers.read(folder: tokenizerFolder) }
            return read
        }
        return tokenizer?.encode(text, maximumLength: .max).count ?? 0
    }
}
