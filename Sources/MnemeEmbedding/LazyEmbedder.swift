import Foundation
public import MnemeBase
import MnemeFormats
public import MnemeNumerics
import NIOConcurrencyHelpers

/// A ``BertEncoder`` whose weights are packed when the first text is embedded, so that commands
/// which embed nothing start at once.
///
/// Configuration and identity are read immediately: whether vectors of a store fit the model shows
/// without loading it.
public final class LazyEmbedder: TextEmbedder {
    /// That of the encoder, without loading it.
    public let identifier: String
    /// Floats of a vector.
    public let dimension: Int
    /// Tokens after which a text is cut.
    public let maximumTokens: Int
    private let folder: String
    private let precision: Precision
    private let tokenizer: WordPieceTokenizer
    /// Loaded under the lock: callers at the same time wait for one load.
    private let loaded = NIOLockedValueBox<BertEncoder?>(nil)

    /// - Throws: ``ModelError`` if the folder does not hold a BERT encoder.
    public init(folder: String, precision: Precision = .int8) throws {
        self.folder = folder
        self.precision = precision
        let configuration = try BertConfiguration(folder: folder)
        dimension = configuration.hiddenSize
        maximumTokens = configuration.maximumTokens
        tokenizer = try WordPieceTokenizer(folder: folder)
        identifier = BertEncoder.identifier(
            folder: folder, file: try SafetensorsFile(path: folder + "/model.safetensors"))
    }

    /// The encoder, loaded now if it was not yet.
    ///
    /// - Throws: ``ModelError`` if the weights cannot be read.
    public func encoder() throws -> BertEncoder {
        try loaded.withLockedValue { loaded in
            if let loaded { return loaded }
            let encoder = try BertEncoder(folder: folder, precision: precision)
            loaded = encoder
            return encoder
        }
    }

    /// Vectors of `texts`, in order; the first call loads the model.
    public func embed(_ texts: [String]) throws -> Embeddings { try encoder().embed(texts) }

    /// The number of tokens of a text, uncut; needs no weights.
    public func tokenCount(_ text: String) -> Int {
        tokenizer.encode(text, maximumLength: .max).count
    }
}
