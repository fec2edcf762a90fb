import Crypto
import MnemeBase
import MnemeFormats

/// What an adapter holds in place of low-rank terms: a kind of its own, with its own files.
///
/// Its folder has an `adapter_config.json` whose `peft_type` is no kind of PEFT's, so that other programs refuse
/// it, with the number of the format (`version`), and the values in `adapter_model.safetensors`. Conforming types
/// are a file each, named in ``AdapterConfiguration/kinds``.
protocol AdapterContents: Sendable {
    /// Its `peft_type`.
    static var kind: String { get }
    /// Values that are learned.
    var parameters: Int { get }
    /// Members of `adapter_config.json` beside kind, version and base.
    var settings: [OrderedJSON.Member] { get }
    /// Its values under their names.
    var tensors: [SafetensorsWriter.Tensor] { get }
    /// Reads what ``settings`` and ``tensors`` wrote.
    ///
    /// - Throws: ``AdapterError`` that names what is wrong.
    init(_ files: AdapterFiles, for c: DecoderConfiguration) throws
    /// - Throws: ``AdapterError`` if it does not fit a model of this shape, or holds values that are not finite.
    func check(_ c: DecoderConfiguration) throws
}

extension AdapterContents {
    /// Adds all that tells it from others.
    func add(to hash: inout SHA256) {
        hash.update(data: [UInt8](OrderedJSON.object(settings).text.utf8))
        for tensor in tensors {
            hash.update(data: [UInt8]("\(tensor.name) \(tensor.shape)\n".utf8))
            tensor.values.withUnsafeBytes { hash.update(bufferPointer: $0) }
        }
    }
}

/// The two files of an adapter of a kind that is not PEFT's, with readers that name what is wrong.
struct AdapterFiles {
    /// The format's number that is written, and the only one that is read.
    static let version = 1
    /// The settings, and the file that they come from.
    let json: OrderedJSON, path: String
    /// The values, and their file.
    let values: SafetensorsFile, valuesPath: String

    /// A whole number of the settings.
    ///
    /// - Throws: ``AdapterError`` if it is none, or out of range.
    func number(_ key: String, in range: ClosedRange<Int>) throws -> Int {
        guard let number = json[key]?.integer, range.contains(number) else {
            throw AdapterError(
                .invalidFile,
                "\(path) has no '\(key)' from \(range.lowerBound) to \(range.upperBound). Fetch or train the adapter again."
            )
        }
        return number
    }

    /// A tensor of this shape.
    ///
    /// - Throws: ``AdapterError`` if there is none, or it has another.
    func floats(_ name: String, _ shape: [Int]) throws -> [Float] {
        try values.adapterFloats(valuesPath, name, shape)
    }

    /// Refuses files that hold more than these tensors.
    ///
    /// - Throws: ``AdapterError`` that names the first one.
    func requireOnly(_ names: Set<String>) throws {
        guard let other = values.tensors.keys.sorted().first(where: { !names.contains($0) }) else { return }
        throw AdapterError(
            .invalidFile, "\(valuesPath) holds '\(other.prefix(120))', which an adapter of its kind does not have.")
    }
}

extension SafetensorsFile {
    /// A tensor of an adapter, which must have this shape.
    ///
    /// - Throws: ``AdapterError`` if there is none, or it has another.
    func adapterFloats(_ path: String, _ name: String, _ shape: [Int]) throws -> [Float] {
        guard let tensor = tensors[name] else {
            throw AdapterError(
                .invalidFile, "\(path) has no '\(name.prefix(120))'. Fetch the adapter again.")
        }
        guard tensor.shape == shape else {
            throw AdapterError(
                .wrongBase,
                """
                '\(name.prefix(120))' of \(path) has the shape \(tensor.shape); adapter_config.json and the model make it \
                \(shape). The adapter was made for another model, or its two files are not of one adapter.
                """)
        }
        do { return try floats(name, shape: shape).array } catch let error as ModelError {
            throw AdapterError(.unsupported, error.message)
        }
    }
}
