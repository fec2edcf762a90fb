import Foundation
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
}
