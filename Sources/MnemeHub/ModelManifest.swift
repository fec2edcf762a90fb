import Crypto
import Foundation
import MnemeBase

/// What was fetched into a model's folder: `mneme.json` beside the files.
public struct ModelManifest: Codable, Sendable, Equatable {
    /// One file.
    public struct File: Codable, Sendable, Equatable {
        /// Bytes of it.
        public var bytes: Int
        /// SHA-256, hexadecimal.
        public var sha256: String
    }

    /// Where it came from.
    public var source: String
    /// By name.
    public var files: [String: File]

    static let name = "mneme.json"

    /// The manifest of a folder; nil if it was not made by a fetch.
    public init?(folder: String) {
        guard let data = FileManager.default.contents(atPath: folder + "/" + Self.name),
            let value = try? JSONDecoder().decode(Self.self, from: data)
        else {
            return nil
        }
        self = value
    }

    init(source: String, folder: String, names: [String]) throws {
        self.source = source
        files = [:]
        for name in names {
            let size =
                (try? FileManager.default.attributesOfItem(atPath: folder + "/" + name)[.size]
                    as? Int) ?? 0
            files[name] = File(bytes: size, sha256: try Self.sha256(folder + "/" + name))
        }
    }

    func write(to folder: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do { try AtomicFile.write(encoder.encode(self), to: folder + "/" + Self.name) } catch let
            error as FileError
        {
            throw ModelError(.cannotWrite, error.description)
        }
    }

    /// What does not fit the files as they are now, a sentence each; empty if all is well.
    public func faults(in folder: String) -> [String] {
        files.sorted { $0.key < $1.key }.compactMap { name, expected in
            let path = folder + "/" + name
            guard let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
            else {
                return "\(name) is missing."
            }
            guard size == expected.bytes else {
                return "\(name) has \(size) bytes, not \(expected.bytes)."
            }
            guard let sum = try? Self.sha256(path) else { return "\(name) cannot be read." }
            return sum == expected.sha256 ? nil : "\(name) has changed since it was fetched."
        }
    }

    /// - Complexity: one pass over the file in pieces of 4 MiB.
    static func sha256(_ path: String) throws -> String {
        var hash = SHA256()
        try read(path) { hash.update(data: $0) }
        return Hexadecimal.string(hash.finalize())
    }

    /// The name git gives a file's content, which the hub tells for small files.
    static func gitBlob(_ path: String) throws -> String {
        var hash = Insecure.SHA1()
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        hash.update(data: Data("blob \(size)\0".utf8))
        try read(path) { hash.update(data: $0) }
        return Hexadecimal.string(hash.finalize())
    }

    private static func read(_ path: String, _ body: (Data) -> Void) throws {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw ModelError(.missingFile, "\(path) cannot be opened.")
        }
        defer { try? file.close() }
        do {
            while let data = try file.read(upToCount: 4 << 20), !data.isEmpty { body(data) }
        } catch {
            throw ModelError(.missingFile, "\(path) cannot be read: \(error.localizedDescription)")
        }
    }
}
