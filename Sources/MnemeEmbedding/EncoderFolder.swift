import MnemeBase
package import MnemeFormats

/// An encoder's folder: the model's shape, its tokenizer, what makes a vector of its states, and its
/// tensors by name. Nothing is packed yet.
package struct EncoderFolder: Sendable {
    /// The folder, as the hub has it.
    package let path: String
    /// Pooling, dense layers and prompts.
    package let modules: SentenceModules
    /// The transformer's shape.
    package let configuration: BertConfiguration
    /// The model's tokenizer.
    package let tokenizer: any EncoderTokenizer
    /// The transformer's weights, mapped.
    package let weights: SafetensorsFile
    /// How the family names them.
    package let names: BertTensorNames

    /// Reads all but the weights.
    ///
    /// - Throws: `ModelError` for a folder that holds no encoder of the BERT family.
    package init(path: String) throws {
        self.path = path
        modules = try SentenceModules(folder: path)
        configuration = try BertConfiguration(folder: modules.transformer)
        tokenizer = try EncoderTokenizers.read(folder: modules.transformer)
        guard tokenizer.vocabularySize <= configuration.vocabularySize else {
            throw ModelError(
                .invalidFile,
                "\(path): the tokenizer has \(tokenizer.vocabularySize) pieces, the model \(configuration.vocabularySize). They do not belong together."
            )
        }
        weights = try SafetensorsFile(path: modules.transformer + "/model.safetensors")
        names = BertTensorNames(configuration.family, in: weights)
    }

    /// The embedder's identifier, which its vectors have.
    package var identifier: String {
        BertEncoder.identifier(folder: path, file: weights, modules: modules)
    }
}
