import MnemeBase
package import MnemeFormats

/// What a token's first state is made of: rows of words and of positions, and the row of the only segment that a
/// text has. They stay in the mapped file: a pass reads few of them.
package struct BertTables: Sendable {
    /// Tables of [vocabulary] and [positions] rows.
    package let words, positions: FloatTensor
    /// Added to each word; nil in families without.
    package let segment: FloatTensor?

    /// - Throws: `ModelError` for a file that lacks a table.
    package init(_ file: SafetensorsFile, _ names: BertTensorNames, _ c: BertConfiguration) throws {
        func table(_ name: String, _ rows: Int) throws -> FloatTensor {
            try file.floats(
                "\(names.prefix)embeddings.\(name)_embeddings.weight", shape: [rows, c.hiddenSize])
        }
        words = try table("word", c.vocabularySize)
        positions = try table("position", c.positions)
        segment = c.typeVocabularySize == 0 ? nil : try table("token_type", c.typeVocabularySize)
    }
}

extension SentenceModules.Dense {
    /// The layer's weights, and its bias where it has one.
    ///
    /// - Parameter width: elements of what stands before it.
    /// - Throws: `ModelError` if it does not fit that, or cannot be read.
    package func read(behind width: Int) throws -> (weight: FloatTensor, bias: FloatTensor?) {
        guard inputs == width else {
            throw ModelError(
                .unsupported,
                "\(folder)/config.json takes \(inputs) elements; what stands before it gives \(width).")
        }
        let file = try SafetensorsFile(path: folder + "/model.safetensors")
        return (
            try file.floats("linear.weight", shape: [outputs, inputs]),
            hasBias ? try file.floats("linear.bias", shape: [outputs]) : nil
        )
    }
}
