package import Foundation
import MnemeBase

extension AdapterFolder {
    /// Makes this folder and writes an adapter into it as PEFT has it, without a record: for other
    /// programs. It appears whole or not at all.
    ///
    /// - Parameters:
    ///   - adapter: what is written.
    ///   - base: what `adapter_config.json` calls the model.
    /// - Throws: ``AdapterError`` if something is there already, `FileError`.
    public func export(_ adapter: Adapter, base: String) throws {
        let files = FileManager.default
        guard !files.fileExists(atPath: path) else {
            throw AdapterError(
                .exists, "\(path) is there already. Name a folder that is not, or remove it.")
        }
        let target = URL(fileURLWithPath: path).standardizedFileURL
        let new =
            target.deletingLastPathComponent().path
            + "/.\(target.lastPathComponent).\(UInt32.random(in: .min ... .max)).tmp"
        try Privacy.makeFolder(new)
        defer { try? files.removeItem(atPath: new) }
        try AdapterFolder(path: new).write(adapter, base: base)
        guard rename(new, target.path) == 0 else { throw FileError(target.path) }
    }

    /// The bytes of both files as PEFT has them.
    ///
    /// - Throws: `FileError`.
    package func contents() throws -> (configuration: Data, weights: Data) {
        func read(_ name: String) throws -> Data {
            guard let data = FileManager.default.contents(atPath: path + "/" + name) else {
                throw FileError(path + "/" + name)
            }
            return data
        }
        return (try read(Self.configurationFile), try read(Self.weightsFile))
    }

    /// Writes both files; nothing of them is read.
    ///
    /// - Throws: `FileError`.
    package func write(configuration: Data, weights: Data) throws {
        try AtomicFile.write(configuration, to: path + "/" + Self.configurationFile)
        try AtomicFile.write(weights, to: path + "/" + Self.weightsFile)
    }
}

extension AdapterStore {
    /// Runs with a folder of its own beside the adapters, which is gone afterwards: what lies in it is as private as they are.
    ///
    /// - Throws: `FileError`, and what `body` throws.
    package func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
        let folder = "\(path)/.\(UInt64.random(in: .min ... .max)).tmp"
        try Privacy.makeFolder(path)
        try Privacy.makeFolder(folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try body(folder)
    }
}
