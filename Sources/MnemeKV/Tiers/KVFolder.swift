public import Foundation
import MnemeBase
public import MnemeSeal
import NIOConcurrencyHelpers

/// Blocks on disk: one immutable file each, named by its hash. The names are the index, so nothing
/// else can be lost or go stale.
///
/// Several processes may share a folder: files appear whole, by renaming, and vanish whole. It is a
/// cache: what is damaged or missing is computed anew, so that nothing is waited for to be on the
/// platter.
public final class KVFolder: KVTier {
    /// Where it is.
    public let path: String
    /// Bytes that files may take; nil does not trim.
    public let limit: Int?
    private let evictor: any Evictor
    /// Encrypts the files.
    private let key: DataKey?
    /// Bytes that files are thought to take; nil before the first count.
    private let size = NIOLockedValueBox<Int?>(nil)

    /// A block as lists show it.
    public struct Entry: Sendable, Equatable {
        /// Its name.
        public var hash: KVHash
        /// The block before it; the model's hash for the first.
        public var parent: KVHash
        /// The model it belongs to.
        public var model: String
        /// The hash of all that it depends on besides the tokens.
        public var modelHash: KVHash
        /// Tokens before it.
        public var position: Int
        /// Its tokens.
        public var tokens: [Int32]
        /// Names of memories that its text or what stands before holds.
        public var sources: [String]
        /// Bytes on disk.
        public var bytes: Int
        /// When it was last used.
        public var lastUse: Date
        /// Whether it is never trimmed.
        public var isPinned: Bool
    }

    /// - Parameters:
    ///   - limit: bytes; what is worth least to `evictor` is deleted beyond.
    ///   - key: opens a folder whose files are encrypted; one without files is made so. See
    ///     ``KVFolder/rewrite(_:from:to:)``.
    /// - Throws: ``KVError`` if the folder cannot be made, and ``MnemeSeal/SealError`` if the key
    ///   is missing or another one.
    public init(
        path: String, limit: Int? = nil, evictor: any Evictor = LeastRecentlyUsed(),
        key: EncryptionKey? = nil
    )
        throws
    {
        self.path = path
        self.limit = limit
        self.evictor = evictor
        do { try Privacy.makeFolder(path + "/pins") } catch let error as FileError {
            throw KVError(.inputOutput, "Keys and values have no folder: \(error.description)")
        }
        Privacy.tighten(path)
        self.key = try Self.key(path, key)
    }

    func file(_ hash: KVHash) -> String {
        let name = hash.description
        return "\(path)/\(name.prefix(2))/\(name).kv"
    }

    private func has(_ hash: KVHash) -> Bool { access(file(hash), R_OK) == 0 }

    public func count(of hashes: [KVHash]) -> Int { hashes.prefix { has($0) }.count }

    /// Bytes of these blocks; nil if one is not there.
    public func bytes(of hashes: [KVHash]) -> Int? {
        let sizes = hashes.compactMap {
            try? FileManager.default.attributesOfItem(atPath: file($0))[.size] as? Int
        }
        return sizes.count == hashes.count ? sizes.reduce(0, +) : nil
    }

    public func remove(_ hash: KVHash) { unlink(file(hash)) }

    public func erase(sources: Set<String>) throws {
        try erase { !sources.isDisjoint(with: $0.sources) }
    }

    /// Marks a block as used now.
    func touch(_ hash: KVHash) { utimes(file(hash), nil) }

    public func read(_ request: KVBlockRequest, into block: UnsafeMutableRawPointer) throws {
        let hash = request.hash, path = file(hash)
        do {
            try KVBlockFile.read(path, key: key, request, into: block)
            touch(hash)
        } catch let error as KVError where error.code == .damaged {
            // Of no use to anybody; whoever computes it again writes it again.
            unlink(path)
            throw error
        }
    }

    public func write(_ block: KVBlockFile, from pointer: UnsafeRawPointer, shape: KVShape) throws {
        var block = block
        let target = file(block.hash), folder = (target as NSString).deletingLastPathComponent
        do { try Privacy.makeFolder(folder) } catch let error as FileError {
            throw KVError(.inputOutput, error.description)
        }
        try block.write(to: target, block: pointer, shape: shape, key: key)
        guard let limit else { return }
        let total = size.withLockedValue { size in
            size = (size ?? Self.count(path)) + block.payloadBytes
            return size!
        }
        if total > limit { trim(to: limit / 10 * 9) }
    }

    private static func count(_ path: String) -> Int { files(path).reduce(0) { $0 + $1.bytes } }

    struct File {
        var hash: KVHash
        var path: String
        var bytes: Int
        var lastUse: Date
    }

    static func files(_ path: String) -> [File] {
        var result: [File] = []
        for folder in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        where folder.utf8.count == 2 {
            for name in (try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(folder)"))
                ?? []
            {
                let file = "\(path)/\(folder)/\(name)"
                var info = stat()
                guard stat(file, &info) == 0 else { continue }
                let used = Date(timeIntervalSince1970: info.modified)
                if name.hasSuffix(".kv"), let hash = KVHash(name.dropLast(3)) {
                    result.append(
                        File(hash: hash, path: file, bytes: Int(info.st_size), lastUse: used))
                } else if name.hasSuffix(".tmp"), used.timeIntervalSinceNow < -3600 {
                    // Left by a writer that was killed.
                    unlink(file)
                }
            }
        }
        return result
    }

    /// Deletes what is worth least until the files take `bytes` at most. Of two processes one does
    /// it.
    public func trim(to bytes: Int) {
        guard let lock = try? FileLock.take(path + "/lock") else { return }
        defer { withExtendedLifetime(lock) {} }
        let now = Date(), pinned = pinnedChains(), files = Self.files(path)
        var total = files.reduce(0) { $0 + $1.bytes }
        defer { size.withLockedValue { [total] in $0 = total } }
        guard total > bytes else { return }
        // A block is of use only behind those before it: ends go first, and a use of an end is a
        // use of all before it.
        var left: [KVHash: (file: File, position: Int, parent: KVHash?, children: Int)] = [:]
        for file in files {
            let header = try? KVBlockFile.header(file.path, key: key)
            left[file.hash] = (file, header?.position ?? 0, header?.parent, 0)
        }
        for entry in left.values.sorted(by: { $0.position > $1.position }) {
            guard let parent = entry.parent, let used = left[entry.file.hash]?.file.lastUse,
                left[parent] != nil
            else {
                continue
            }
            left[parent]!.children += 1
            left[parent]!.file.lastUse = max(left[parent]!.file.lastUse, used)
        }
        while total > bytes {
            let ends = left.values.filter { $0.children == 0 && !pinned.contains($0.file.hash) }.map { entry in
                let candidate = EvictionCandidate(
                    bytes: entry.file.bytes, position: entry.position, tokens: KVShape.blockTokens,
                    idle: now.timeIntervalSince(entry.file.lastUse), uses: 0)
                return (worth: evictor.worth(candidate), entry: entry)
            }.sorted { ($0.worth, $1.entry.position) < ($1.worth, $0.entry.position) }
            if ends.isEmpty { return }
            for end in ends where total > bytes {
                left[end.entry.file.hash] = nil
                if let parent = end.entry.parent { left[parent]?.children -= 1 }
                unlink(end.entry.file.path)
                total -= end.entry.file.bytes
            }
        }
    }

    // MARK: Looking

    /// All blocks with sound headers, chains in order of their positions.
    ///
    /// - Complexity: one read of each file's beginning.
    public func entries() -> [Entry] {
        let pinned = pinnedChains()
        return Self.files(path).compactMap { file in
            guard let header = try? KVBlockFile.header(file.path, key: key),
                header.hash == file.hash
            else {
                return nil
            }
            return Entry(
                hash: file.hash, parent: header.parent, model: header.modelName,
                modelHash: header.model,
                position: header.position, tokens: header.tokens,
                sources: header.sources, bytes: file.bytes, lastUse: file.lastUse,
                isPinned: pinned.contains(file.hash))
        }.sorted { ($0.position, $0.hash.description) < ($1.position, $1.hash.description) }
    }

    /// The block whose name begins so.
    ///
    /// - Throws: ``KVError``: none, or several.
    public func find(_ prefix: String) throws -> KVHash {
        let found = Self.files(path).map(\.hash).filter {
            $0.description.hasPrefix(prefix.lowercased())
        }
        guard let first = found.first, !prefix.isEmpty else {
            throw KVError.absent(prefix)
        }
        guard found.count == 1 else {
            throw KVError(.notFound, "'\(prefix)' fits \(found.count) names. Give more of it.")
        }
        return first
    }

    /// A block and all before it, from the first on.
    ///
    /// - Throws: ``KVError`` if a part is missing or damaged.
    public func chain(_ hash: KVHash) throws -> [KVHash] {
        var chain: [KVHash] = [], next = hash
        while true {
            let header = try KVBlockFile.header(file(next), key: key)
            // A header that names another block could lead in a circle.
            guard header.hash == next, chain.count <= 1 << 20 else {
                throw KVError(.damaged, "The chain of \(hash) has no beginning. It is not used.")
            }
            chain.append(next)
            guard header.position > 0 else { return chain.reversed() }
            next = header.parent
        }
    }

    /// Reads everything and compares checksums and names.
    ///
    /// - Returns: how many blocks are sound, and the paths of those that are not.
    public func verify(progress: (Int, Int) -> Void = { _, _ in }) -> (
        sound: Int, damaged: [String]
    ) {
        let files = Self.files(path)
        var damaged: [String] = []
        for (i, file) in files.enumerated() {
            if (try? KVBlockFile.verify(file.path, key: key))?.hash != file.hash {
                damaged.append(file.path)
            }
            progress(i + 1, files.count)
        }
        return (files.count - damaged.count, damaged)
    }

    /// The blocks of a text that no other begins with, in order. Without them it is gone.
    ///
    /// - Throws: ``KVError`` if a part is missing or damaged.
    /// - Complexity: one read of each file's beginning.
    public func own(_ hash: KVHash) throws -> [KVHash] {
        let children = Dictionary(grouping: entries(), by: \.parent), chain = try chain(hash)
        let first = chain.lastIndex { (children[$0]?.count ?? 0) > 1 }.map { $0 + 1 } ?? 0
        return Array(chain[first...])
    }

    // MARK: Changing

    /// Keeps a chain from being trimmed, or lets it be trimmed again.
    public func setPinned(_ hash: KVHash, _ isPinned: Bool) throws {
        guard has(hash) else { throw KVError.absent(hash.description) }
        let mark = path + "/pins/" + hash.description
        if isPinned {
            do { try AtomicFile.write(Data(), to: mark) } catch let error as FileError {
                throw KVError(.inputOutput, error.description)
            }
        } else {
            unlink(mark)
        }
    }

    private func pinnedChains() -> Set<KVHash> {
        let marks = ((try? FileManager.default.contentsOfDirectory(atPath: path + "/pins")) ?? [])
            .compactMap {
                KVHash($0)
            }
        return marks.reduce(into: []) { $0.formUnion((try? chain($1)) ?? [$1]) }
    }

    /// Deletes blocks and all that follow them.
    ///
    /// - Returns: how many files.
    /// - Throws: ``KVError`` if one cannot be deleted; the others are.
    @discardableResult
    public func erase(_ doomed: (Entry) -> Bool) throws -> Int {
        var gone: Set<KVHash> = [], count = 0, left: String?
        // Parents come first in the list.
        for entry in entries() where gone.contains(entry.parent) || doomed(entry) {
            gone.insert(entry.hash)
            unlink(path + "/pins/" + entry.hash.description)
            if unlink(file(entry.hash)) == 0 {
                count += 1
            } else if errno != ENOENT {
                left = "\(file(entry.hash)): \(errnoText())"
            }
        }
        size.withLockedValue { $0 = nil }
        if let left {
            throw KVError(
                .inputOutput, "Keys and values cannot be deleted. Delete the file by hand. \(left)."
            )
        }
        return count
    }

    /// Deletes what a text alone has.
    ///
    /// - Returns: how many files; 0 if others begin with all of it.
    /// - Throws: ``KVError`` if a part is missing or damaged, or cannot be deleted.
    @discardableResult
    public func erase(text hash: KVHash) throws -> Int {
        guard let first = try own(hash).first else { return 0 }
        return try erase { $0.hash == first }
    }

    /// Writes a chain into one file: its block files, each with its length before it.
    public func export(_ hash: KVHash, to target: String) throws {
        let chain = try chain(hash)
        do {
            let out = try AtomicFile(target)
            try out.write(Self.packageMagic)
            for hash in chain {
                _ = try KVBlockFile.verify(file(hash), key: key)
                let data = Data(try KVBlockFile.contents(file(hash), key: key))
                try out.write(withUnsafeBytes(of: UInt64(data.count).littleEndian) { Data($0) })
                try out.write(data)
            }
            try out.finish()
        } catch let error as FileError { throw KVError(.inputOutput, error.description) }
    }

    private static let packageMagic = Array("MNEMEKVS".utf8)

    /// Takes over the blocks of an exported file. Each is checked; whether a model can use them
    /// shows by their names.
    ///
    /// - Returns: how many blocks.
    /// - Throws: ``KVError`` at the first that is damaged; those before it are kept.
    @discardableResult
    public func `import`(_ source: String) throws -> Int {
        let damaged = KVError(.damaged, "\(source) is no whole export of keys and values.")
        guard let input = FileHandle(forReadingAtPath: source) else {
            throw KVError(.inputOutput, "\(source) cannot be read.")
        }
        defer { try? input.close() }
        guard let magic = try? input.read(upToCount: 8), Array(magic) == Self.packageMagic else {
            throw damaged
        }
        let size = (try? FileManager.default.attributesOfItem(atPath: source)[.size] as? Int) ?? 0
        var count = 0
        while let start = try? input.read(upToCount: 8), !start.isEmpty {
            guard start.count == 8 else { throw damaged }
            let length = start.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard length <= UInt64(size), let data = try? input.read(upToCount: Int(length)),
                data.count == Int(length)
            else { throw damaged }
            let
                header = try Array(data).withUnsafeBytes {
                    try KVBlockFile.verify($0, name: source)
                },
                target = file(header.hash)
            do { try Privacy.makeFolder(parent(of: target)) } catch let error as FileError {
                throw KVError(.inputOutput, error.description)
            }
            try KVBlockFile.write(contents: Array(data), to: target, key: key)
            count += 1
        }
        self.size.withLockedValue { $0 = nil }
        return count
    }
}
