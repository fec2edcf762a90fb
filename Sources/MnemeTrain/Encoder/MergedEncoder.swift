import Foundation
import MnemeBase
package import MnemeEmbedding
import MnemeFormats
import MnemeModels
import MnemeNumerics

/// Writes an encoder with its low-rank terms in its matrices, as a folder of the base's form, so that
/// whatever runs the base runs it, too.
package struct MergedEncoder {
    private let folder: EncoderFolder
    private let parameters: LowRankParameters
    private let scale: Float

    package init(_ folder: EncoderFolder, _ parameters: LowRankParameters, scale: Float) {
        (self.folder, self.parameters, self.scale) = (folder, parameters, scale)
    }

    /// - Parameter path: a folder that is there and empty.
    /// - Throws: `FileError`, of class `full` for a full disk; `ModelError` for a base that cannot be read.
    package func write(to path: String) throws {
        let weights = "model.safetensors"
        // The transformer's folder is the base's own, or one in it.
        let inner = folder.modules.transformer.dropFirst(folder.path.count)
        try copySettings(to: path)
        try Privacy.makeFolder(path + inner)
        try SafetensorsWriter.write(tensors(), to: path + inner + "/" + weights)
        for dense in folder.modules.dense {
            let to = path + dense.folder.dropFirst(folder.path.count)
            try copy(dense.folder + "/" + weights, to: to + "/" + weights)
        }
        // What cannot be opened again is said now, not when it is used.
        _ = try EncoderFolder(path: path)
    }

    /// All tensors of floats; the terms' matrices are W + scale·B·A. They come last: an embedder's
    /// identifier is made of a file's ends, and must change with what was learned.
    private func tensors() throws -> [SafetensorsWriter.Tensor] {
        let file = folder.weights
        var terms: [String: LowRankSlot] = [:]
        for slot in parameters.slots {
            guard let name = FrozenEncoder.tensorName(slot.linear, layer: slot.layer, folder.names) else { continue }
            terms[name + ".weight"] = slot
        }
        return try file.tensors.filter { ["F32", "F16", "BF16"].contains($0.value.type) }
            .sorted { (terms[$0.key] != nil ? 1 : 0, $0.key) < (terms[$1.key] != nil ? 1 : 0, $1.key) }
            .map { name, tensor in
                var values = try file.floats(name, shape: tensor.shape).array
                if let slot = terms[name] { add(slot, to: &values) }
                return SafetensorsWriter.Tensor(name, shape: tensor.shape, values: values)
            }
    }

    private func add(_ slot: LowRankSlot, to values: inout [Float]) {
        let (a, b) = (parameters.values.pointer + slot.a, parameters.values.pointer + slot.b)
        for output in 0..<slot.outputs {
            for input in 0..<slot.inputs {
                var sum: Float = 0
                for r in 0..<slot.rank { sum += b[r * slot.outputs + output] * a[r * slot.inputs + input] }
                values[output * slot.inputs + input] += scale * sum
            }
        }
    }

    /// Copies what is no weights: settings and tokenizers, in all folders.
    private func copySettings(to path: String) throws {
        let kinds = ["json", "txt", "model"]
        // A folder that is linked to is not looked through by its link.
        let base = URL(fileURLWithPath: folder.path).resolvingSymlinksInPath().path
        for name in (FileManager.default.enumerator(atPath: base)?.allObjects ?? []).compactMap({ $0 as? String }
        )
        where kinds.contains((name as NSString).pathExtension) && !name.hasSuffix(".index.json") {
            // What is known of the base itself stays with it.
            guard !["mneme.json", "training.json"].contains(name) else { continue }
            try copy(folder.path + "/" + name, to: path + "/" + name)
        }
        try keepPrefixes(path + "/config_sentence_transformers.json")
    }

    /// Families whose prompts are known by the folder's name alone get them into their settings: the
    /// new folder has another name.
    private func keepPrefixes(_ path: String) throws {
        let (query, document) = (folder.modules.queryPrefix, folder.modules.documentPrefix)
        guard !query.isEmpty || !document.isEmpty else { return }
        let data = FileManager.default.contents(atPath: path) ?? Data("{}".utf8)
        var settings = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any] ?? [:]
        var prompts = settings["prompts"] as? [String: Any] ?? [:]
        (prompts["query"], prompts["document"]) = (query, document)
        settings["prompts"] = prompts
        let text = try JSONSerialization.data(withJSONObject: settings, options: [.prettyPrinted, .sortedKeys])
        try AtomicFile.write(text, to: path)
    }

    private func copy(_ from: String, to: String) throws {
        try Privacy.makeFolder(parent(of: to))
        guard let data = FileManager.default.contents(atPath: from) else { throw FileError(from, "cannot be read") }
        try AtomicFile.write(data, to: to)
    }
}
