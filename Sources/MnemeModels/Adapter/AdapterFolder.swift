import Foundation
import MnemeBase
import MnemeFormats

/// An adapter's folder: `adapter_config.json` and `adapter_model.safetensors` as PEFT has them, and
/// `mneme.json` (``AdapterRecord``) where it is one of Mneme's.
public struct AdapterFolder: Sendable {
    /// The names of its files.
    static let configurationFile = "adapter_config.json", weightsFile = "adapter_model.safetensors",
        recordFile = "mneme.json"

    /// The folder.
    public let path: String

    /// A folder; nothing is read yet.
    public init(path: String) { self.path = path }

    /// True if there is an adapter as PEFT has it, or an embedder that was trained here: that has the
    /// plan of its training. A model that was fetched has a `mneme.json`, too, which is no record of an
    /// adapter.
    public var holdsAdapter: Bool {
        [Self.configurationFile, AdapterStore.trainingFile].contains {
            FileManager.default.fileExists(atPath: path + "/" + $0)
        }
    }

    /// Reads `mneme.json`.
    ///
    /// - Returns: nil if there is none, as in a folder that comes from elsewhere.
    /// - Throws: ``AdapterError`` if it cannot be read.
    public func record() throws -> AdapterRecord? {
        let file = path + "/" + Self.recordFile
        guard FileManager.default.fileExists(atPath: file) else { return nil }
        do { return try AdapterRecord(json: try Self.bytes(file)) } catch let error as AdapterError {
            throw error
        } catch {
            throw AdapterError(
                .unavailable, "\(file) is no record of an adapter: \(error). Import the adapter again.")
        }
    }

    /// Writes `mneme.json`.
    ///
    /// - Throws: `FileError`.
    public func write(_ record: AdapterRecord) throws {
        try AtomicFile.write(record.json, to: path + "/" + Self.recordFile)
    }

    /// Takes an adapter out of use and erases its weights; record and settings stay, so that it is
    /// known what to make anew.
    ///
    /// - Parameter reason: a sentence.
    /// - Throws: ``AdapterError``, `FileError` if something may be left.
    public func withdraw(_ reason: String) throws {
        guard var record = try record() else { return }
        // First the word that it may not be used: what runs meanwhile sees it.
        if record.withdrawn == nil {
            record.withdrawn = reason
            try write(record)
        }
        // An embedder's are under another name, and in a folder of their own in some.
        let files = FileManager.default.enumerator(atPath: path)?.allObjects ?? []
        for name in files.compactMap({ $0 as? String }) where name.hasSuffix(".safetensors") {
            let weights = path + "/" + name
            guard unlink(weights) == 0 || errno == ENOENT else {
                throw FileError(weights, "cannot be removed")
            }
        }
    }

    /// Bytes of the weights' file; 0 if there is none.
    package var fileBytes: Int {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path + "/" + Self.weightsFile)
        return attributes?[.size] as? Int ?? 0
    }

    /// Tells whether the files are the same as at another time: sizes, times and numbers of them.
    package var stamp: String {
        [Self.configurationFile, Self.weightsFile, Self.recordFile].map { name in
            var info = stat()
            guard stat(path + "/" + name, &info) == 0 else { return "absent" }
            #if canImport(Darwin)
                let time = info.st_mtimespec
            #else
                let time = info.st_mtim
            #endif
            return "\(info.st_size) \(time.tv_sec) \(time.tv_nsec) \(info.st_ino)"
        }.joined(separator: " ")
    }

    /// The model that `adapter_config.json` names as the one it was made for.
    ///
    /// - Throws: ``AdapterError``.
    public func baseName() throws -> String? {
        try AdapterConfiguration(settings(), path: path + "/" + Self.configurationFile).base
    }

    /// Reads the adapter.
    ///
    /// - Parameter c: the shape of the model that it is for.
    /// - Throws: ``AdapterError`` for what is damaged, not read, or made for another model.
    public func read(for c: DecoderConfiguration) throws -> Adapter {
        let json = try settings()
        let settings = path + "/" + Self.configurationFile
        let configuration = try AdapterConfiguration(json, path: settings)
        let weights = path + "/" + Self.weightsFile
        guard FileManager.default.fileExists(atPath: weights) else {
            let hasPickle = FileManager.default.fileExists(atPath: path + "/adapter_model.bin")
            throw AdapterError(
                hasPickle ? .unsupported : .invalidFile,
                hasPickle
                    ? "\(path) has its weights in adapter_model.bin, which can hold programs and is not read. Save them as safetensors."
                    : "\(path) has no \(Self.weightsFile). Fetch the adapter again.")
        }
        let file: SafetensorsFile
        do { file = try SafetensorsFile(path: weights) } catch let error as ModelError {
            throw AdapterError(.invalidFile, error.message)
        }
        var adapter = Adapter([:])
        if let kind = configuration.contents {
            let files = AdapterFiles(json: json, path: settings, values: file, valuesPath: weights)
            adapter.contents = try kind.init(files, for: c)
        } else {
            adapter.terms = try Self.terms(file, weights, configuration, c)
        }
        try adapter.check(c)
        return adapter
    }

    /// `adapter_config.json`.
    private func settings() throws -> OrderedJSON {
        let file = path + "/" + Self.configurationFile
        guard FileManager.default.fileExists(atPath: file) else {
            throw AdapterError(
                .invalidFile,
                "\(path) has no \(Self.configurationFile): it is no adapter as PEFT writes them.")
        }
        do {
            return try Self.bytes(file).withUnsafeBytes { try OrderedJSON(bytes: $0) }
        } catch let error as JSONError {
            throw AdapterError(.invalidFile, "\(file) is not JSON: \(error.message)")
        }
    }

    /// A small file's bytes.
    private static func bytes(_ file: String) throws -> Data {
        let most = 1 << 20
        guard let handle = FileHandle(forReadingAtPath: file),
            let data = try? handle.read(upToCount: most + 1)
        else { throw AdapterError(.invalidFile, "\(file) cannot be read.") }
        guard data.count <= most else {
            throw AdapterError(.invalidFile, "\(file) is larger than \(most >> 20) MiB.")
        }
        return data
    }
}

// MARK: PEFT's tensors

extension AdapterFolder {
    /// The linear maps of transformers' modules; two have several maps in one matrix (Phi-3).
    private static let modules: [String: [LayerLinear]] = [
        "self_attn.q_proj": [.query], "self_attn.k_proj": [.key], "self_attn.v_proj": [.value],
        "self_attn.qkv_proj": [.query, .key, .value], "self_attn.o_proj": [.attentionOutput],
        "mlp.gate_proj": [.gate], "mlp.up_proj": [.up], "mlp.gate_up_proj": [.gate, .up],
        "mlp.down_proj": [.down],
    ]

    /// The module that holds a linear map by itself.
    private static func module(_ linear: LayerLinear) -> String {
        modules.first { $0.value == [linear] }?.key ?? linear.rawValue
    }

    /// A module's layer and maps by its name, such as `model.layers.3.self_attn.q_proj`.
    private static func place(_ module: String) -> (layer: Int, linears: [LayerLinear])? {
        let parts = module.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[parts.count - 4] == "layers",
            let layer = Int(parts[parts.count - 3]), layer >= 0,
            let linears = modules[parts.suffix(2).joined(separator: ".")]
        else { return nil }
        return (layer, linears)
    }

    private static func terms(
        _ file: SafetensorsFile, _ path: String, _ configuration: AdapterConfiguration,
        _ c: DecoderConfiguration
    ) throws -> [Adapter.Place: Adapter.Term] {
        let prefix = "base_model.model."
        let a = ".lora_A.weight"
        let b = ".lora_B.weight"
        let m = ".lora_magnitude_vector"
        let endings = configuration.hasMagnitudes ? [a, b, m] : [a, b]
        var modules: Set<String> = []
        for name in file.tensors.keys {
            guard name.hasPrefix(prefix), let ending = endings.first(where: name.hasSuffix),
                place(String(name.dropFirst(prefix.count).dropLast(ending.count))) != nil
            else {
                throw AdapterError(
                    .unsupported,
                    """
                    \(path) holds '\(name.prefix(120))', which is not read: adapters of the layers' attention and \
                    feed-forward matrices are. Train the adapter on these alone, or merge it into its model with PEFT.
                    """)
            }
            modules.insert(String(name.dropFirst(prefix.count).dropLast(ending.count)))
        }
        var terms: [Adapter.Place: Adapter.Term] = [:]
        for module in modules.sorted() {
            guard let (layer, linears) = place(module), let first = linears.first else { continue }
            // Joint matrices have one A for all of their maps, and B's rows one below the other.
            let sizes = linears.map { c.size(of: $0) }
            let rank = configuration.rank(of: module)
            let inputs = sizes[0].inputs
            let outputs = sizes.reduce(0) { $0 + $1.outputs }
            let aValues = try file.adapterFloats(path, prefix + module + a, [rank, inputs])
            let bValues = try file.adapterFloats(path, prefix + module + b, [outputs, rank])
            let lengths =
                configuration.hasMagnitudes ? try file.adapterFloats(path, prefix + module + m, [outputs]) : nil
            var row = 0
            for (linear, size) in zip(linears, sizes) {
                let place = Adapter.Place(layer, linear)
                var term = Adapter.Term(
                    rank: rank, scale: configuration.scale(of: module), a: aValues,
                    b: Array(bValues[row * rank..<(row + size.outputs) * rank]))
                term.magnitudes = lengths.map { Array($0[row..<row + size.outputs]) }
                guard terms.updateValue(term, forKey: place) == nil else {
                    throw AdapterError(
                        .invalidFile,
                        "\(path) has two terms for the \(first.rawValue) of layer \(layer). Fetch it again."
                    )
                }
                row += size.outputs
            }
        }
        return terms
    }
}

// MARK: Writing

extension AdapterFolder {
    /// Writes an adapter as PEFT has it, and its record, into a folder that is there.
    ///
    /// PEFT loads it for all families but Phi-3, whose matrices are joint there.
    ///
    /// - Throws: `FileError` if the system refuses.
    public func write(_ adapter: Adapter, _ record: AdapterRecord) throws {
        try write(adapter, base: record.base)
        try write(record)
    }

    /// The same without a record.
    func write(_ adapter: Adapter, base: String) throws {
        try SafetensorsWriter.write(
            adapter.contents?.tensors ?? Self.tensors(adapter), to: path + "/" + Self.weightsFile)
        try AtomicFile.write(
            Data((Self.configuration(of: adapter, base: base).text + "\n").utf8),
            to: path + "/" + Self.configurationFile)
    }

    /// The tensors of an adapter's terms.
    private static func tensors(_ adapter: Adapter) -> [SafetensorsWriter.Tensor] {
        adapter.terms.sorted { $0.key < $1.key }.flatMap { place, term in
            let name = "base_model.model.model.layers.\(place.layer).\(module(place.linear))"
            let factors = [
                SafetensorsWriter.Tensor(
                    name + ".lora_A.weight", shape: [term.rank, term.a.count / term.rank], values: term.a),
                SafetensorsWriter.Tensor(
                    name + ".lora_B.weight", shape: [term.b.count / term.rank, term.rank], values: term.b),
            ]
            guard let lengths = term.magnitudes else { return factors }
            return factors + [
                SafetensorsWriter.Tensor(
                    name + ".lora_magnitude_vector", shape: [lengths.count], values: lengths)
            ]
        }
    }

    /// The `adapter_config.json` of an adapter: the first term's rank and scale, and patterns for
    /// terms that have others.
    private static func configuration(of adapter: Adapter, base: String) -> OrderedJSON {
        func number(_ value: Double) -> OrderedJSON {
            .number(Int(exactly: value).map(String.init) ?? String(value))
        }
        func member(_ key: String, _ value: OrderedJSON) -> OrderedJSON.Member {
            OrderedJSON.Member(key: key, value: value)
        }
        if let contents = adapter.contents {
            return .object(
                [
                    member("peft_type", .string(type(of: contents).kind)),
                    member("version", number(Double(AdapterFiles.version))),
                    member("base_model_name_or_path", .string(base)),
                ] + contents.settings)
        }
        let terms = adapter.terms.sorted { $0.key < $1.key }
        let rank = terms.first?.value.rank ?? 8
        let alpha = terms.first.map { Double($0.value.scale) * Double(rank) } ?? 8
        var ranks: [OrderedJSON.Member] = []
        var alphas: [OrderedJSON.Member] = []
        for (place, term) in terms {
            let module = "model.layers.\(place.layer).\(module(place.linear))"
            let own = Double(term.scale) * Double(term.rank)
            if term.rank != rank { ranks.append(member(module, number(Double(term.rank)))) }
            if own != alpha { alphas.append(member(module, number(own))) }
        }
        let modules = adapter.linears.map { linear in
            OrderedJSON.string(String(module(linear).split(separator: ".").last ?? ""))
        }
        return .object([
            member("peft_type", .string("LORA")), member("task_type", .string("CAUSAL_LM")),
            member("base_model_name_or_path", .string(base)), member("r", number(Double(rank))),
            member("lora_alpha", number(alpha)), member("target_modules", .array(modules)),
            member("rank_pattern", .object(ranks)), member("alpha_pattern", .object(alphas)),
            member("lora_dropout", .number("0.0")), member("bias", .string("none")),
            member("use_rslora", .bool(false)), member("use_dora", .bool(adapter.hasMagnitudes)),
            member("fan_in_fan_out", .bool(false)), member("inference_mode", .bool(true)),
        ])
    }
}
