import Crypto
import Foundation
public import MnemeBase
import MnemeFormats
public import MnemeNumerics

/// An embedder that is a table: a text's vector is the mean of its tokens' rows, at length 1. A
/// hundred times as fast as a transformer, and finds less (Model2Vec, Tulkens and van Dongen 2024;
/// `StaticEmbedding` of sentence-transformers).
///
/// The table stays in the mapped file: memory is taken by the rows that texts use.
public final class StaticEmbedder: TextEmbedder {
    /// The folder's name and a hash of the table's ends.
    public let identifier: String
    /// Elements of a vector.
    public let dimension: Int
    /// Tokens after which a text is cut.
    public let maximumTokens: Int
    private let tokenizer: any EncoderTokenizer
    private let table: FloatTensor
    private let kernels = EncoderKernels()

    /// Reads a folder of Model2Vec, or one of sentence-transformers with a `StaticEmbedding`.
    ///
    /// - Throws: `ModelError` for files that are missing, damaged or not understood.
    public init(folder: String) throws {
        let inner = folder + "/0_StaticEmbedding"
        let place = FileManager.default.fileExists(atPath: inner) ? inner : folder
        let file = try SafetensorsFile(path: place + "/model.safetensors")
        let name = ["embeddings", "embedding.weight"].first { file.tensors[$0] != nil }
        guard let name, let shape = file.tensors[name]?.shape, shape.count == 2, shape[1] > 0,
            shape[1] % 16 == 0, shape[1] <= 65536
        else {
            throw ModelError(
                .unsupported,
                "\(place)/model.safetensors has no table 'embeddings' with rows of a multiple of 16.")
        }
        for other in ["weights", "mapping"] where file.tensors[other] != nil {
            throw ModelError(
                .unsupported,
                "\(place)/model.safetensors has '\(other)', which is not supported: distil the model without a vocabulary quantization."
            )
        }
        tokenizer = try EncoderTokenizers.read(folder: place)
        guard tokenizer.vocabularySize <= shape[0] else {
            throw ModelError(
                .invalidFile,
                "\(place): the tokenizer has \(tokenizer.vocabularySize) pieces, the table \(shape[0]) rows. They do not belong together."
            )
        }
        table = try file.floats(name, shape: shape)
        dimension = shape[1]
        let settings = folder + "/config.json"
        let length =
            FileManager.default.fileExists(atPath: settings)
            ? try ModelJSON.read(settings)["max_length"]?.integer : nil
        maximumTokens = max(1, length ?? 512)
        var hash = SHA256()
        for part in file.sampledContent { hash.update(bufferPointer: part) }
        identifier =
            URL(fileURLWithPath: folder).lastPathComponent + "@"
            + Hexadecimal.string(hash.finalize().prefix(6))
    }

    /// Vectors of `texts`, in order; the zero vector for a text of no known token.
    ///
    /// - Complexity: tokens × dimension.
    public func embed(_ texts: [String]) throws -> Embeddings {
        var result = Embeddings(dimension: dimension, count: texts.count)
        let rows = table.values.baseAddress!
        result.values.withUnsafeMutableBufferPointer { out in
            for (i, text) in texts.enumerated() {
                let ids = tokenizer.pieces(of: text).prefix(maximumTokens)
                let states = AlignedBuffer<Float>(max(1, ids.count) * dimension)
                for (row, id) in ids.enumerated() {
                    (states.pointer + row * dimension).update(
                        from: rows + Int(id) * dimension, count: dimension)
                }
                kernels.meanPool(
                    states.pointer, rows: ids.count, columns: dimension,
                    into: out.baseAddress! + i * dimension)
            }
        }
        return result
    }

    /// The number of known tokens of a text, uncut.
    public func tokenCount(_ text: String) -> Int { tokenizer.pieces(of: text).count }
}

/// Opens an embedding model's folder, whatever kind it is.
public enum EmbeddingModel {
    /// The embedder in a folder: a table, or a transformer whose weights are packed when the first
    /// text is embedded.
    ///
    /// - Throws: `ModelError` if the folder holds no embedder that is understood.
    public static func open(folder: String, precision: Precision = .int8) throws
        -> any TextEmbedder
    {
        try isTable(folder)
            ? StaticEmbedder(folder: folder) : LazyEmbedder(folder: folder, precision: precision)
    }

    /// True for a folder of Model2Vec, whose older files name no type, or of a `StaticEmbedding`.
    private static func isTable(_ folder: String) throws -> Bool {
        if FileManager.default.fileExists(atPath: folder + "/0_StaticEmbedding") { return true }
        let path = folder + "/config.json"
        guard FileManager.default.fileExists(atPath: path) else { return false }
        let type = try ModelJSON.read(path)["model_type"]?.string
        guard type == nil else { return type == "model2vec" }
        return try SafetensorsFile(path: folder + "/model.safetensors").tensors["embeddings"] != nil
    }
}
