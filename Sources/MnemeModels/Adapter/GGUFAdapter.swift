import MnemeBase
import MnemeFormats

/// Adapters in GGUF files, as llama.cpp's `convert_lora_to_gguf.py` writes them: `general.type` is
/// `adapter`, tensors are `blk.N.attn_q.weight.lora_a` and `.lora_b`, the scale is
/// `adapter.lora.alpha` / rank.
enum GGUFAdapter {
    /// Maps by the names that GGUF files use; two have several maps in one matrix (Phi-3).
    private static let matrices: [String: [LayerLinear]] = [
        "attn_q": [.query], "attn_k": [.key], "attn_v": [.value],
        "attn_qkv": [.query, .key, .value], "attn_output": [.attentionOutput],
        "ffn_gate": [.gate], "ffn_up": [.up], "ffn_down": [.down],
    ]

    /// Reads an adapter.
    ///
    /// - Parameter c: the shape of the model that it is for.
    /// - Throws: ``AdapterError`` for what is damaged, not read, or made for another model.
    static func read(_ path: String, for c: DecoderConfiguration) throws -> Adapter {
        let file: GGUFFile
        do { file = try GGUFFile(path: path) } catch let error as ModelError {
            throw AdapterError(.invalidFile, error.message)
        }
        try checkHeader(file, c)
        guard let alpha = file.number("adapter.lora.alpha"), alpha.isFinite else {
            throw AdapterError(
                .invalidFile, "\(path) has no number 'adapter.lora.alpha'. Fetch the adapter again.")
        }
        var terms: [Adapter.Place: Adapter.Term] = [:]
        for name in file.tensors.keys.sorted() {
            guard let matrix = matrix(name, c) else {
                throw AdapterError(
                    .unsupported,
                    """
                    \(path) holds '\(name.prefix(120))', which is not read: adapters of the layers' attention and \
                    feed-forward matrices are. Train the adapter on these alone.
                    """)
            }
            // Each matrix is read when its A comes; a B without A is found then, too.
            let a = matrix.name + ".lora_a"
            let b = matrix.name + ".lora_b"
            guard let first = file.tensors[a], let second = file.tensors[b] else {
                throw AdapterError(
                    .invalidFile,
                    "\(path) has no '\(file.tensors[a] == nil ? a : b)'. Fetch the adapter again.")
            }
            guard name == a else { continue }
            for (place, term) in try read(file, matrix, first, second, alpha, c) {
                guard terms.updateValue(term, forKey: place) == nil else {
                    throw AdapterError(
                        .invalidFile,
                        "\(path) has two terms for the \(place.linear.rawValue) of layer \(place.layer)."
                    )
                }
            }
        }
        let adapter = Adapter(terms)
        try adapter.check(c)
        return adapter
    }

    private static func checkHeader(_ file: GGUFFile, _ c: DecoderConfiguration) throws {
        guard file.string("general.type") == "adapter" else {
            throw AdapterError(
                .invalidFile,
                "\(file.path) is no adapter: its 'general.type' is '\((file.string("general.type") ?? "model").prefix(40))'."
            )
        }
        guard file.string("adapter.type") == "lora" else {
            throw AdapterError(
                .unsupported,
                "\(file.path) is an adapter of type '\((file.string("adapter.type") ?? "").prefix(40))'; 'lora' is read."
            )
        }
        guard file.metadata["adapter.alora.invocation_tokens"] == nil else {
            throw AdapterError(
                .unsupported,
                "\(file.path) is an adapter that tokens turn on (aLoRA), which is not read.")
        }
        guard let architecture = file.string("general.architecture"), architecture == c.architecture
        else {
            throw AdapterError(
                .wrongBase,
                "\(file.path) is for models of the family '\((file.string("general.architecture") ?? "").prefix(40))'; this one is '\(c.architecture)'."
            )
        }
    }

    /// A matrix by the name of one of its tensors.
    private static func matrix(_ tensor: String, _ c: DecoderConfiguration) -> (
        name: String, layer: Int, linears: [LayerLinear]
    )? {
        let parts = tensor.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0] == "blk", let layer = Int(parts[1]), layer >= 0,
            parts[3] == "weight", parts[4] == "lora_a" || parts[4] == "lora_b",
            var linears = matrices[String(parts[2])]
        else { return nil }
        // Phi-3 has gate and up in one matrix, under up's name.
        if c.architecture == "phi3", linears == [.up] { linears = [.gate, .up] }
        return (parts[..<4].joined(separator: "."), layer, linears)
    }

    /// The layer and maps of a model's matrix by its name, such as `blk.3.attn_q.weight`.
    static func place(matrix name: String, _ c: DecoderConfiguration) -> (
        layer: Int, linears: [LayerLinear]
    )? {
        matrix(name + ".lora_a", c).map { ($0.layer, $0.linears) }
    }

    private static func read(
        _ file: GGUFFile, _ matrix: (name: String, layer: Int, linears: [LayerLinear]),
        _ first: GGUFFile.Tensor, _ second: GGUFFile.Tensor, _ alpha: Double,
        _ c: DecoderConfiguration
    ) throws -> [Adapter.Place: Adapter.Term] {
        let sizes = matrix.linears.map { c.size(of: $0) }
        let inputs = sizes[0].inputs
        let outputs = sizes.reduce(0) { $0 + $1.outputs }
        let rank = first.shape[0]
        guard first.shape == [rank, inputs], second.shape == [outputs, rank] else {
            throw AdapterError(
                .wrongBase,
                """
                '\(matrix.name)' of \(file.path) is adapted by \(second.shape) and \(first.shape); the model's matrix is \
                \([outputs, inputs]). The adapter was made for another model.
                """)
        }
        let a = try file.floats(first.name, shape: first.shape)
        let b = try file.floats(second.name, shape: second.shape)
        // As llama.cpp has it: no alpha, no scaling.
        let scale = alpha == 0 ? 1 : Float(alpha / Double(rank))
        var terms: [Adapter.Place: Adapter.Term] = [:]
        var row = 0
        for (linear, size) in zip(matrix.linears, sizes) {
            var rows = Array(b[row * rank..<(row + size.outputs) * rank])
            if c.architecture == "llama", linear == .query || linear == .key {
                rows = RotaryRows.unpaired(rows, dimension: c.headDimension, width: rank)
            }
            terms[Adapter.Place(matrix.layer, linear)] = Adapter.Term(
                rank: rank, scale: scale, a: a, b: rows)
            row += size.outputs
        }
        return terms
    }
}
