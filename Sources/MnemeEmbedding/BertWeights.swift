import MnemeFormats
import MnemeNumerics

/// The weights of a BERT encoder, packed for the kernels. Query, key and value are one matrix, so
/// that a layer's input is read once. Embeddings stay in the mapped file: a pass reads few of their
/// rows.
final class BertWeights: Sendable {
    /// Factor and offset of a layer normalisation, hiddenSize each.
    struct Norm: Sendable {
        let gamma, beta: AlignedBuffer<Float>
    }

    /// A linear map: its weights, and the bias of each output.
    struct Linear: Sendable {
        let weight: WeightMatrix
        let bias: AlignedBuffer<Float>

        /// output = epilogue(input · Wᵀ + bias) for the column groups (of 16) in `groups`; the
        /// outputs of a row stand side by side.
        func apply(
            _ input: ActivationRows, rows: Int, groups: Range<Int>, epilogue: Epilogue = .store,
            into output: UnsafeMutablePointer<Float>
        ) {
            weight.apply(
                input, rows: rows, groups: groups, epilogue: epilogue,
                bias: UnsafePointer(bias.pointer), into: output, stride: weight.outputs)
        }
    }

    /// The maps of a layer: hiddenSize → 3·hiddenSize, → hiddenSize, → intermediateSize, →
    /// hiddenSize.
    struct Layer: Sendable {
        let queryKeyValue, attentionOutput, up: Linear
        /// Its input, GELU's output, loses too much in 8 bits a row: it keeps 15 in blocks of 32.
        let down: Linear
        /// Norms behind attention and behind the feed-forward network (BERT is post-norm).
        let attentionNorm, outputNorm: Norm
    }

    let tables: BertTables
    let embeddingNorm: Norm
    let layers: [Layer]
    /// The formats in which products read rows of hiddenSize, and of intermediateSize.
    var reads: ActivationRows.Formats { layers.first?.queryKeyValue.weight.reads ?? [] }
    var intermediateReads: ActivationRows.Formats { layers.first?.down.weight.reads ?? [] }

    /// - Parameters:
    ///   - ranges: for int8, the largest input magnitude of each column of each layer's three
    ///     quantised products (see ``BertEncoder``); nil leaves activations unsmoothed.
    init(
        file: SafetensorsFile, configuration c: BertConfiguration, precision: Precision,
        ranges: [ActivationRanges]?, features: ProcessorFeatures
    ) throws {
        let hidden = c.hiddenSize
        let wide = c.intermediateSize
        func copy(_ tensor: FloatTensor, to target: UnsafeMutablePointer<Float>) {
            target.update(from: tensor.values.baseAddress!, count: tensor.values.count)
        }
        // A bias, or a norm's parameters.
        func vector(_ name: String, _ count: Int) throws -> AlignedBuffer<Float> {
            let buffer = AlignedBuffer<Float>(count)
            copy(try file.floats(name, shape: [count]), to: buffer.pointer)
            return buffer
        }
        func norm(_ name: String) throws -> Norm {
            Norm(
                gamma: try vector(name + ".weight", hidden),
                beta: try vector(name + ".bias", hidden))
        }
        // One or several matrices, one below the other, with their biases.
        func linear(_ names: [String], inputs: Int, outputs: Int, range: [Float]?) throws -> Linear {
            let weight = AlignedBuffer<Float>(names.count * outputs * inputs)
            let bias = AlignedBuffer<Float>(names.count * outputs)
            for (i, name) in names.enumerated() {
                copy(
                    try file.floats(name + ".weight", shape: [outputs, inputs]),
                    to: weight.pointer + i * outputs * inputs)
                copy(
                    try file.floats(name + ".bias", shape: [outputs]),
                    to: bias.pointer + i * outputs)
            }
            let all = UnsafeBufferPointer(start: UnsafePointer(weight.pointer), count: weight.count)
            let matrix =
                switch precision {
                case .f32:
                    WeightMatrix(
                        source: weight.pointer, type: .f32, outputs: names.count * outputs,
                        inputs: inputs, features: features)
                case .int8:
                    WeightMatrix(
                        int8: all, outputs: names.count * outputs, inputs: inputs,
                        smoothing: range.map { Self.smoothing(activations: $0, weight: all) },
                        features: features)
                }
            return Linear(weight: matrix, bias: bias)
        }

        // The second feed-forward map, in blocks of 32.
        func down(_ name: String) throws -> Linear {
            let weight = try file.floats(name + ".weight", shape: [hidden, wide])
            let type: GGMLType = precision == .int8 ? .q8_0 : .f32
            let matrix = quantize(Array(weight.values), type: type).withUnsafeBytes {
                WeightMatrix(
                    source: $0.baseAddress!, type: type, outputs: hidden, inputs: wide,
                    features: features)
            }
            return Linear(weight: matrix, bias: try vector(name + ".bias", hidden))
        }

        let names = BertTensorNames(c.family, in: file)
        tables = try BertTables(file, names, c)
        embeddingNorm = try norm(names.prefix + "embeddings.LayerNorm")
        layers = try (0..<c.layers).map { i in
            let name = names.prefix + names.layer + "\(i)."
            let range = ranges?[i]
            return Layer(
                queryKeyValue: try linear(
                    names.queryKeyValue.map { name + $0 }, inputs: hidden, outputs: hidden,
                    range: range?.hidden),
                attentionOutput: try linear(
                    [name + names.attentionOutput], inputs: hidden, outputs: hidden,
                    range: range?.context),
                up: try linear(
                    [name + names.up], inputs: hidden, outputs: wide, range: range?.attended),
                down: try down(name + names.down),
                attentionNorm: try norm(name + names.attentionNorm),
                outputNorm: try norm(name + names.outputNorm))
        }
    }

    /// SmoothQuant's factors with α = ½ (Xiao et al. 2023), one for each column: √(range of the
    /// activations / range of the weights), scaled to the mean 1.
    ///
    /// Activations are divided by them and weights multiplied, so that the product stays what it is
    /// and both fill their 8 bits about equally.
    private static func smoothing(activations: [Float], weight: UnsafeBufferPointer<Float>)
        -> [Float]
    {
        let inputs = activations.count
        var ranges = [Float](repeating: 1e-6, count: inputs)
        for i in 0..<weight.count { ranges[i % inputs] = max(ranges[i % inputs], abs(weight[i])) }
        var factors = zip(activations, ranges).map { (max($0, 1e-3) / $1).squareRoot() }
        let mean = factors.reduce(0, +) / Float(inputs)
        for i in factors.indices { factors[i] /= mean }
        return factors
    }
}

/// The names of a family's tensors. Files of a whole model (`BertForMaskedLM` and the like) put the
/// family's name before all of them.
package struct BertTensorNames: Sendable {
    /// Before all names; before those of a layer, with its number behind it.
    package let prefix, layer: String
    /// Within a layer.
    package let queryKeyValue: [String]
    package let attentionOutput, up, down, attentionNorm, outputNorm: String

    init(_ family: BertConfiguration.Family, in file: SafetensorsFile) {
        let prefixes = ["", "bert.", "roberta.", "distilbert."]
        prefix =
            prefixes.first { file.tensors[$0 + "embeddings.word_embeddings.weight"] != nil } ?? ""
        switch family {
        case .distilbert:
            layer = "transformer.layer."
            queryKeyValue = ["q", "k", "v"].map { "attention.\($0)_lin" }
            (attentionOutput, attentionNorm) = ("attention.out_lin", "sa_layer_norm")
            (up, down, outputNorm) = ("ffn.lin1", "ffn.lin2", "output_layer_norm")
        case .bert, .roberta, .xlmRoberta, .camembert:
            layer = "encoder.layer."
            queryKeyValue = ["query", "key", "value"].map { "attention.self.\($0)" }
            attentionOutput = "attention.output.dense"
            attentionNorm = "attention.output.LayerNorm"
            (up, down, outputNorm) = ("intermediate.dense", "output.dense", "output.LayerNorm")
        }
    }
}

/// The largest magnitude seen in each column of the inputs of a layer's products: hidden states,
/// attention's output, and the feed-forward network's input.
struct ActivationRanges: Sendable {
    var hidden: [Float]
    var context: [Float]
    var attended: [Float]

    init(columns: Int) {
        hidden = [Float](repeating: 0, count: columns)
        context = hidden
        attended = hidden
    }

    /// Takes `count` rows into account. Complexity: one pass.
    static func widen(_ range: inout [Float], with rows: UnsafePointer<Float>, count: Int) {
        let columns = range.count
        for r in 0..<count {
            for c in 0..<columns { range[c] = max(range[c], abs(rows[r * columns + c])) }
        }
    }
}
