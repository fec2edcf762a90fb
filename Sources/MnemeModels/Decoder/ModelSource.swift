import Foundation

/// A language model on disk: a GGUF file, or a folder as the hub has it.
public enum ModelSource: Sendable {
    /// A file with everything in its header.
    case gguf(GGUFFile)
    /// A folder as the hub has it.
    case folder(ModelFolder)

    /// Opens a GGUF file, a folder with `config.json`, or a folder that holds a GGUF file.
    ///
    /// - Parameters:
    ///   - path: a GGUF file, or a folder as the hub has it.
    ///   - context: see ``ModelFolder/init(path:context:)``; for folders.
    /// - Throws: `ModelError`.
    public init(path: String, context: Int? = nil) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
            isFolder.boolValue
        else {
            self = .gguf(try GGUFFile(path: path))
            return
        }
        let files = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter {
            $0.hasSuffix(".gguf")
        }.sorted()
        if let file = files.first {
            self = .gguf(try GGUFFile(path: path + "/" + file))
        } else {
            self = .folder(try ModelFolder(path: path, context: context))
        }
    }

    /// The file or folder.
    public var path: String {
        switch self {
        case .gguf(let file): file.path
        case .folder(let folder): folder.path
        }
    }

    /// The shape of the decoder.
    public func configuration(context: Int? = nil) throws -> DecoderConfiguration {
        switch self {
        case .gguf(let file): try file.decoderConfiguration(context: context)
        case .folder(let folder): folder.configuration
        }
    }

    /// The tokenizer.
    public func tokenizer() throws -> any Tokenizer {
        switch self {
        case .gguf(let file): try file.tokenizer()
        case .folder(let folder): try folder.tokenizer()
        }
    }

    /// The Jinja template that turns messages into a prompt.
    public var chatTemplate: String? {
        switch self {
        case .gguf(let file): file.chatTemplate
        case .folder(let folder): folder.chatTemplate
        }
    }

    /// The tensors, in any order: name, type, extents (the slowest first), bytes.
    public var tensors: [(name: String, type: String, shape: [Int], bytes: Int)] {
        switch self {
        case .gguf(let file):
            file.tensors.values.map { ($0.name, $0.typeName, $0.shape, $0.range.count) }
        case .folder(let folder): folder.tensors
        }
    }

    /// Reads every weight and says what is wrong, a sentence each; empty if all is well. Infinities
    /// and NaNs are faults, in any type of weights.
    ///
    /// - Complexity: one pass over the file; a tensor of floats at a time in memory.
    /// - Throws: `ModelError` where the model cannot be opened as a decoder at all.
    public func faults(progress: (Int, Int) -> Void = { _, _ in }) throws -> [String] {
        var faults: [String] = []
        let configuration = try configuration()
        let tokenizer = try tokenizer()
        if tokenizer.vocabularySize > configuration.vocabularySize {
            faults.append("It has more tokens in its vocabulary than in its matrix.")
        }
        if tokenizer.endTokens.isEmpty { faults.append("No token ends an answer.") }
        if case .gguf(let file) = self { faults += BlockFolder.faults(of: file) }
        // In order, so that two runs say the same.
        let names = tensors.map(\.name).sorted()
        for (i, name) in names.enumerated() {
            let values: [Float]
            switch self {
            case .gguf(let file):
                values = try file.floats(name, shape: file.tensors[name]?.shape ?? [])
                file.discardPages()
            case .folder(let folder): values = try folder.floats(name)
            }
            if let bad = values.firstIndex(where: { !$0.isFinite }) {
                faults.append("Tensor '\(name)' holds \(values[bad]) at \(bad).")
            }
            progress(i + 1, names.count)
        }
        return faults
    }
}
