import Foundation
import MnemeBase

/// Pooling and layers behind a transformer, which make one vector of a text's token states, and
/// prompts before texts, as sentence-transformers has them (Reimers and Gurevych 2019): read from
/// `modules.json`, the modules' own files and `config_sentence_transformers.json`.
///
/// A module or setting that is not understood is refused by name: a vector that is made in another
/// way than in training still looks like a vector, and finds less.
package struct SentenceModules: Sendable, Equatable {
    /// How the states of a text's tokens become one vector.
    package enum Pooling: Sendable, Equatable {
        /// Their mean.
        case mean
        /// The state of the first token (`[CLS]`).
        case first
        /// The state of the last token.
        case last
    }

    /// A linear layer behind pooling.
    package struct Dense: Sendable, Equatable {
        /// Holds `model.safetensors` with `linear.weight` and, where there is one, `linear.bias`.
        package let folder: String
        package let inputs, outputs: Int
        package let hasBias, hasTanh: Bool
    }

    /// The folder of the transformer: the model's own, or one in it.
    package let transformer: String
    package let pooling: Pooling
    package let dense: [Dense]
    /// Put before a question, and before a text that is remembered. Empty for models that were
    /// trained without.
    package let queryPrefix, documentPrefix: String

    /// The modules of plain models: the mean of the states, at length 1, and no prefix.
    var isPlain: Bool {
        pooling == .mean && dense.isEmpty && queryPrefix.isEmpty && documentPrefix.isEmpty
    }

    /// Reads a model's folder. One without `modules.json` has mean pooling, as sentence-transformers
    /// takes it, or what its `1_Pooling` says.
    ///
    /// - Throws: ``ModelError`` for a file that is damaged, or for a module that is not understood.
    init(folder: String) throws {
        var transformer = folder
        var pooling: Pooling?
        var dense: [Dense] = []
        var isNormalized = false
        for (kind, path) in try Self.list(folder) {
            switch kind {
            case "Transformer": transformer = path
            case "Pooling": pooling = try Self.pooling(path + "/config.json")
            case "Dense": dense.append(try Self.dense(path))
            case "Normalize": isNormalized = true
            default:
                throw ModelError(
                    .unsupported,
                    "\(folder)/modules.json has a module '\(kind.prefix(60))', which is not known.")
            }
        }
        self.transformer = transformer
        self.pooling = pooling ?? .mean
        self.dense = dense
        let settings = folder + "/config_sentence_transformers.json"
        var prompts: OrderedJSON?
        if FileManager.default.fileExists(atPath: settings) {
            let object = try ModelJSON.read(settings)
            prompts = object["prompts"]
            // Vectors have length 1 here: cosine and dot product are then the same.
            if let similarity = object["similarity_fn_name"]?.string, similarity != "cosine",
                !isNormalized
            {
                throw ModelError(
                    .unsupported,
                    "\(settings): vectors are compared by '\(similarity.prefix(40))', which is not supported; cosine is."
                )
            }
        }
        (queryPrefix, documentPrefix) = Self.prefixes(folder: folder, prompts: prompts)
    }

    /// The kind and folder of each module, in order.
    private static func list(_ folder: String) throws -> [(kind: String, path: String)] {
        let path = folder + "/modules.json"
        guard FileManager.default.fileExists(atPath: path) else {
            let pooling = folder + "/1_Pooling"
            return FileManager.default.fileExists(atPath: pooling + "/config.json")
                ? [("Pooling", pooling)] : []
        }
        guard let entries = try ModelJSON.read(path).elements, entries.count <= 16 else {
            throw ModelError(
                .invalidFile, "\(path) is not a list of modules. Fetch the model again.")
        }
        return try entries.map { entry in
            guard let type = entry["type"]?.string, let place = entry["path"]?.string,
                !place.hasPrefix("/"), !place.split(separator: "/").contains("..")
            else {
                throw ModelError(
                    .invalidFile,
                    "\(path) has a module without type or path. Fetch the model again.")
            }
            return (
                String(type.split(separator: ".").last ?? ""),
                place.isEmpty ? folder : folder + "/" + place
            )
        }
    }

    /// How a pooling module pools.
    private static func pooling(_ path: String) throws -> Pooling {
        let object = try ModelJSON.read(path)
        let known: [(key: String, pooling: Pooling)] = [
            ("mean_tokens", .mean), ("cls_token", .first), ("lasttoken", .last),
        ]
        let prefix = "pooling_mode_"
        let wanted = (object.members ?? []).filter {
            $0.key.hasPrefix(prefix) && $0.value.bool == true
        }.map { String($0.key.dropFirst(prefix.count)) }
        let named = object["pooling_mode"]?.string.map { [$0] } ?? wanted
        let names = ["mean": "mean_tokens", "cls": "cls_token"]
        guard named.count == 1,
            let found = known.first(where: { $0.key == names[named[0]] ?? named[0] })
        else {
            throw ModelError(
                .unsupported,
                "\(path): pooling by \(named.isEmpty ? "nothing" : named.map { String($0.prefix(40)) }.joined(separator: " and ")) is not supported; mean_tokens, cls_token and lasttoken are."
            )
        }
        guard object["include_prompt"]?.bool != false else {
            throw ModelError(
                .unsupported, "\(path): 'include_prompt' false is not supported: prefixes are pooled.")
        }
        return found.pooling
    }

    /// The shape of a dense module.
    private static func dense(_ folder: String) throws -> Dense {
        let path = folder + "/config.json"
        let object = try ModelJSON.read(path)
        guard let inputs = object["in_features"]?.integer, (64...65536).contains(inputs),
            let outputs = object["out_features"]?.integer, (16...65536).contains(outputs),
            inputs % 64 == 0, outputs % 16 == 0
        else {
            throw ModelError(
                .unsupported,
                "\(path): 'in_features' must be a multiple of 64, 'out_features' one of 16.")
        }
        let activation =
            object["activation_function"]?.string ?? "torch.nn.modules.activation.Tanh"
        let name = activation.split(separator: ".").last ?? ""
        guard name == "Tanh" || name == "Identity" else {
            throw ModelError(
                .unsupported,
                "\(path): activation '\(activation.prefix(60))' is not supported; Tanh and Identity are."
            )
        }
        return Dense(
            folder: folder, inputs: inputs, outputs: outputs,
            hasBias: object["bias"]?.bool ?? true, hasTanh: name == "Tanh")
    }

    /// The words before questions and before texts: those of the model's prompts, or, for a family
    /// whose files lack them, those of its model cards.
    private static func prefixes(folder: String, prompts: OrderedJSON?) -> (String, String) {
        func first(_ names: [String]) -> String? {
            names.lazy.compactMap { prompts?[$0]?.string }.first
        }
        let query = first(["query"])
        let document = first(["document", "passage", "corpus"])
        if let query, !query.isEmpty { return (query, document ?? "") }
        if let document, !document.isEmpty { return (query ?? "", document) }
        // E5 (Wang et al. 2022, 2024) was trained with these, and its folders do not say so.
        let name = URL(fileURLWithPath: folder).lastPathComponent.lowercased()
        let isE5 = name.hasPrefix("e5-") || name.hasPrefix("multilingual-e5-")
        return isE5 && !name.hasSuffix("-instruct") ? ("query: ", "passage: ") : ("", "")
    }
}
