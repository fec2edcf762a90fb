import Crypto
import Foundation
import MnemeBase
import MnemeModels

extension stat {
    /// Seconds since 1970.
    var modified: Double {
        #if canImport(Darwin)
            Double(st_mtimespec.tv_sec) + Double(st_mtimespec.tv_nsec) * 1e-9
        #else
            Double(st_mtim.tv_sec) + Double(st_mtim.tv_nsec) * 1e-9
        #endif
    }
}

/// Names a model's files by their contents, so that keys and values are never used with other
/// weights.
public enum ModelIdentity {
    /// The SHA-256 of all that the model is made of: a GGUF file, or a folder's weights, settings
    /// and tokenizer.
    ///
    /// - Parameters:
    ///   - path: the GGUF file or the model's folder.
    ///   - cache: a folder that remembers names of files that have not changed, by path, size and
    ///     time; nil remembers none.
    /// - Throws: ``KVError`` if a file cannot be read.
    /// - Complexity: one pass over the files at the first time.
    public static func hash(_ path: String, cache: String? = nil) throws -> String {
        var isFolder: ObjCBool = false
        var files = [path]
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
            let names = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [])
                .sorted()
            files = names.filter {
                $0.hasSuffix(".safetensors") || $0.hasSuffix(".gguf")
                    || ["config.json", "tokenizer.json", "tokenizer.model"].contains($0)
            }
            .map { path + "/" + $0 }
        }
        var all = SHA256()
        for file in files {
            var info = stat()
            guard stat(file, &info) == 0 else {
                throw KVError(.inputOutput, "\(file) cannot be read: \(errnoText()).")
            }
            let signature = "\(file) \(info.st_size) \(info.modified) \(info.st_ino)"
            let entry = cache.map {
                $0 + "/" + Hexadecimal.string(SHA256.hash(data: Data(signature.utf8)))
            }
            if let entry, let known = try? String(contentsOfFile: entry, encoding: .utf8),
                KVHash(known) != nil
            {
                all.update(data: Data(known.utf8))
                continue
            }
            let name = try digest(file)
            all.update(data: Data(name.utf8))
            if let cache, let entry {
                try? Privacy.makeFolder(cache)
                _ = try? AtomicFile.write(Data(name.utf8), to: entry, durability: .cache)
            }
        }
        return Hexadecimal.string(all.finalize())
    }

    private static func digest(_ file: String) throws -> String {
        guard let input = FileHandle(forReadingAtPath: file) else {
            throw KVError(.inputOutput, "\(file) cannot be read.")
        }
        defer { try? input.close() }
        var hash = SHA256()
        do {
            while let part = try input.read(upToCount: 4 << 20), !part.isEmpty {
                hash.update(data: part)
            }
        } catch {
            // Half a file would get a name of its own, and its blocks would be another model's.
            throw KVError(.inputOutput, "\(file) cannot be read: \(error.localizedDescription).")
        }
        return Hexadecimal.string(hash.finalize())
    }
}
