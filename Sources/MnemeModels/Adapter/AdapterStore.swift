import Foundation
import MnemeBase

/// The adapters of this machine: a folder with one ``AdapterFolder`` for each, under its name.
///
/// A folder appears whole or not at all: it is filled under a name that begins with a point and then
/// renamed.
public struct AdapterStore: Sendable {
    /// The folder of all adapters, such as `$MNEME_HOME/adapters`; made when the first comes.
    public let path: String

    /// Adapters in a folder.
    public init(path: String) { self.path = path }

    /// Refuses names that cannot be a folder's, or a part of `model:adapter`.
    ///
    /// - Throws: ``AdapterError``.
    public static func check(name: String) throws {
        let isSound =
            (1...64).contains(name.utf8.count) && name.first?.isPunctuation == false
            && name.isPlainName
        guard isSound else {
            throw AdapterError(
                .invalidName,
                "'\(name.prefix(80))' cannot name an adapter: 1 to 64 letters, digits, '-', '_' and '.' can, a letter or digit first."
            )
        }
    }

    /// The names of all adapters, in order.
    public func names() -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter {
            (try? Self.check(name: $0)) != nil && AdapterFolder(path: path + "/" + $0).holdsAdapter
        }.sorted()
    }

    /// The folder of an adapter.
    ///
    /// - Throws: ``AdapterError`` if there is none of this name; it tells which there are.
    public func folder(_ name: String) throws -> AdapterFolder {
        let folder = AdapterFolder(path: path + "/" + name)
        // The others are looked through only where there is none: there may be thousands.
        guard (try? Self.check(name: name)) != nil, folder.holdsAdapter else {
            let known = names()
            let there =
                known.isEmpty
                ? "there are none; `mneme adapters import` brings one"
                : "there are " + known.prefix(20).joined(separator: ", ")
                    + (known.count > 20 ? " and \(known.count - 20) more" : "")
            throw AdapterError(
                .notFound, "There is no adapter '\(name.prefix(80))'; \(there).")
        }
        return folder
    }

    /// The folder of a training that has not ended: its settings with the memories that it learns
    /// from (``trainingFile``), and its checkpoint.
    public func trainingFolder(_ name: String) -> String { "\(path)/.\(name).training" }

    /// The file of a training folder that tells what is learned, as JSON; `memories` are ids.
    public static let trainingFile = "training.json"

    /// Removes trainings that learn from any of these memories and have not ended, with their
    /// checkpoints. What cannot be read is removed, too: nobody knows what is in it.
    ///
    /// - Throws: `FileError` if one cannot be removed.
    public func eraseTrainings(madeOf sources: Set<String>) throws {
        struct Learned: Decodable { var memories: [String] }
        for entry in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        where entry.hasPrefix(".") && entry.hasSuffix(".training") {
            let folder = path + "/" + entry
            if let data = FileManager.default.contents(atPath: folder + "/" + Self.trainingFile),
                let learned = try? JSONDecoder().decode(Learned.self, from: data),
                sources.isDisjoint(with: learned.memories)
            {
                continue
            }
            do {
                try FileManager.default.removeItem(atPath: folder)
            } catch {
                throw FileError(folder)
            }
        }
    }

    /// Keeps an adapter under its record's name.
    ///
    /// - Parameters:
    ///   - name: what the adapter is called.
    ///   - replacing: whether one of this name may be there; it is gone afterwards.
    ///   - fill: writes the files into a new folder.
    /// - Throws: ``AdapterError`` if the name is taken or cannot be one, what `fill` throws, and
    ///   `FileError`. Nothing is left then.
    @discardableResult
    public func add(
        _ name: String, replacing: Bool = false, fill: (AdapterFolder) throws -> Void
    ) throws -> AdapterFolder {
        try Self.check(name: name)
        let target = path + "/" + name
        let files = FileManager.default
        guard replacing || !files.fileExists(atPath: target) else {
            throw AdapterError(
                .exists,
                "There is an adapter '\(name)' already. Choose another name, or erase it with `mneme adapters erase \(name)`."
            )
        }
        try Privacy.makeFolder(path)
        let mark = "\(UInt32.random(in: .min ... .max)).\(getpid()).tmp"
        let new = "\(path)/.\(name).\(mark)"
        let old = "\(path)/.\(name).old.\(mark)"
        try Privacy.makeFolder(new)
        defer { for folder in [new, old] { try? files.removeItem(atPath: folder) } }
        try fill(AdapterFolder(path: new))
        // A folder cannot be renamed onto one that holds files.
        if replacing, files.fileExists(atPath: target), rename(target, old) != 0 {
            throw FileError(target)
        }
        guard rename(new, target) == 0 else {
            let code = errno
            _ = rename(old, target)
            throw FileError(target, code: code)
        }
        return AdapterFolder(path: target)
    }

    /// Keeps an adapter that was made here, as PEFT has it.
    ///
    /// - Throws: as ``add(_:replacing:fill:)``.
    @discardableResult
    public func add(_ adapter: Adapter, _ record: AdapterRecord, replacing: Bool = false) throws
        -> AdapterFolder
    {
        try add(record.name, replacing: replacing) { try $0.write(adapter, record) }
    }

    /// Takes an adapter from elsewhere in: a folder as PEFT has it, whose files are copied as they
    /// are, or a GGUF file, which is written as PEFT has it.
    ///
    /// - Parameters:
    ///   - source: the folder or file.
    ///   - record: name, base and what else is known.
    ///   - c: the shape of the base model, which it must fit.
    ///   - replacing: whether one of this name may be there; it is gone afterwards.
    /// - Throws: ``AdapterError``, `FileError`.
    @discardableResult
    public func add(
        importing source: String, _ record: AdapterRecord, for c: DecoderConfiguration,
        replacing: Bool = false
    ) throws -> AdapterFolder {
        let adapter = try Self.read(source, for: c)
        guard !source.hasSuffix(".gguf") else {
            return try add(adapter, record, replacing: replacing)
        }
        return try add(record.name, replacing: replacing) { folder in
            for name in [AdapterFolder.configurationFile, AdapterFolder.weightsFile] {
                let data = try Data(
                    contentsOf: URL(fileURLWithPath: source + "/" + name), options: .mappedIfSafe)
                try AtomicFile.write(data, to: folder.path + "/" + name)
            }
            try folder.write(record)
        }
    }

    /// Reads an adapter from a folder as PEFT has it, or from a GGUF file.
    ///
    /// - Throws: ``AdapterError`` for what is damaged, not read, or made for another model.
    public static func read(_ source: String, for c: DecoderConfiguration) throws -> Adapter {
        source.hasSuffix(".gguf")
            ? try GGUFAdapter.read(source, for: c) : try AdapterFolder(path: source).read(for: c)
    }

    /// Erases an adapter: its files, and its name.
    ///
    /// - Throws: ``AdapterError`` if there is none, `FileError` if files are left.
    public func erase(_ name: String) throws {
        let folder = try folder(name)
        do { try FileManager.default.removeItem(atPath: folder.path) } catch {
            throw AdapterError(
                .unavailable,
                "\(folder.path) cannot be removed: \(error.localizedDescription). Remove it by hand.")
        }
    }
}
