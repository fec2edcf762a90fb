public import Foundation
import MnemeBase
public import MnemeSeal
import NIOConcurrencyHelpers

/// Blocks on disk: one immutable file each, named by its hash (`ab/ab12….kv`, after the first two
/// digits). The names are the index, so nothing else can be lost or go stale.
///
/// Several processes may share a folder: files appear whole, by renaming, and vanish whole. It is a
/// cache: what is damaged or missing is computed anew, so that nothing is waited for to be on the
/// platter. Beside the blocks lie `pins/` (an empty file for the last block of each pinned text),
/// `lock` (held while somebody trims) and, if the files are encrypted, `key`.
public final class KVFolder: KVTier {
    /// The folder.
    public let path: String
    /// Bytes that files may take; nil does not trim.
    public let limit: Int?
    let evictor: any Evictor
    /// Encrypts the files.
    let key: DataKey?
    /// Bytes that files are thought to take; nil before the first count.
    let size = NIOLockedValueBox<Int?>(nil)

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
        /// The time of the last use.
        public var lastUse: Date
        /// Pinned blocks are never trimmed.
        public var isPinned: Bool
    }

    /// - Parameters:
    ///   - path: the folder; made if it is absent.
    ///   - evictor: which block goes where the folder is full.
    ///   - limit: bytes; what is worth least to `evictor` is deleted beyond.
    ///   - key: opens a folder whose files are encrypted; one without files is made so. See
    ///     ``KVFolder/rewrite(_:from:to:)``.
    /// - Throws: ``KVError`` if the folder cannot be made, and `SealError` if the key
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

    /// The number of these blocks that are there, from the first on without a gap.
    ///
    /// - Complexity: one look at the file system for each.
    public func count(of hashes: [KVHash]) -> Int { hashes.prefix { has($0) }.count }

    /// Bytes of these blocks; nil if one is not there.
    public func bytes(of hashes: [KVHash]) -> Int? {
        let sizes = hashes.compactMap {
            try? FileManager.default.attributesOfItem(atPath: file($0))[.size] as? Int
        }
        return sizes.count == hashes.count ? sizes.reduce(0, +) : nil
    }

    /// Marks a block as used now.
    func touch(_ hash: KVHash) { utimes(file(hash), nil) }

    /// Reads a block, marks it as used now, and deletes it if it is damaged.
    ///
    /// - Throws: ``KVError``; the memory may have been written in part.
    public func read(_ request: KVBlockRequest, into block: UnsafeMutableRawPointer) throws {
        let hash = request.hash
        let path = file(hash)
        do {
            try KVBlockFile.read(path, key: key, request, into: block)
            touch(hash)
        } catch let error as KVError where error.code == .damaged {
            // Of no use to anybody; whoever computes it again writes it again.
            unlink(path)
            throw error
        }
    }

    /// Writes a block whole or not at all, then trims the folder if it is over its limit.
    ///
    /// - Throws: ``KVError`` if the system does not let it.
    public func write(_ block: KVBlockFile, from pointer: UnsafeRawPointer, shape: KVShape) throws {
        var block = block
        let target = file(block.hash)
        let folder = (target as NSString).deletingLastPathComponent
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

    /// A folder's files, as far as it can be listed.
    static func files(_ path: String) -> [File] {
        let listing = list(path)
        for (file, changed) in listing.halfWritten where changed.timeIntervalSinceNow < -3600 {
            // Left by a writer that was killed.
            unlink(file)
        }
        return listing.blocks
    }

    /// The contents of a folder.
    struct Listing {
        var blocks: [File] = []
        /// Files that a writer has not renamed yet, or was killed over.
        var halfWritten: [(path: String, changed: Date)] = []
        /// Folders that could not be listed, with the reason.
        var unlisted: [String] = []
    }

    static func list(_ path: String) -> Listing {
        var listing = Listing()
        func names(_ folder: String) -> [String] {
            do { return try FileManager.default.contentsOfDirectory(atPath: folder) } catch {
                // One that vanished meanwhile holds nothing.
                if access(folder, F_OK) == 0 || errno != ENOENT {
                    listing.unlisted.append("\(folder) (\(error.localizedDescription))")
                }
                return []
            }
        }
        for folder in names(path) where folder.utf8.count == 2 {
            for name in names("\(path)/\(folder)") {
                let file = "\(path)/\(folder)/\(name)"
                var info = stat()
                guard stat(file, &info) == 0 else { continue }
                let used = Date(timeIntervalSince1970: info.modified)
                let bytes = Int(info.st_size)
                if name.hasSuffix(".kv"), let hash = KVHash(name.dropLast(3)) {
                    listing.blocks.append(
                        File(hash: hash, path: file, bytes: bytes, lastUse: used))
                } else if name.hasSuffix(".tmp") {
                    listing.halfWritten.append((file, used))
                }
            }
        }
        return listing
    }

    /// Deletes what is worth least until the files take `bytes` at most. Of two processes one does
    /// it.
    public func trim(to bytes: Int) {
        guard let lock = try? FileLock.take(path + "/lock") else { return }
        defer { withExtendedLifetime(lock) {} }
        let now = Date()
        let pinned = pinnedChains()
        let files = Self.files(path)
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
                return (value: evictor.value(candidate), entry: entry)
            }.sorted { ($0.value, $1.entry.position) < ($1.value, $0.entry.position) }
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
    public func entries() -> [Entry] { entries(of: Self.files(path)).sound }

    /// The headers of files, in order of positions; and the files whose header is unsound or cannot
    /// be read, with those that vanished meanwhile left out.
    func entries(of files: [File]) -> (sound: [Entry], unsound: [File]) {
        let pinned = pinnedChains()
        var sound: [Entry] = []
        var unsound: [File] = []
        for file in files {
            do {
                let header = try KVBlockFile.header(file.path, key: key)
                guard header.hash == file.hash else {
                    unsound.append(file)
                    continue
                }
                sound.append(
                    Entry(
                        hash: file.hash, parent: header.parent, model: header.modelName,
                        modelHash: header.model,
                        position: header.position, tokens: header.tokens,
                        sources: header.sources, bytes: file.bytes, lastUse: file.lastUse,
                        isPinned: pinned.contains(file.hash)))
            } catch let error as KVError where error.code == .notFound {} catch {
                unsound.append(file)
            }
        }
        sound.sort { ($0.position, $0.hash.description) < ($1.position, $1.hash.description) }
        return (sound, unsound)
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
    /// - Throws: ``KVError``: ``KVError/Code/notFound`` if the block itself is not there,
    ///   ``KVError/Code/damaged`` if one before it is missing or unsound.
    public func chain(_ hash: KVHash) throws -> [KVHash] {
        let (chain, fault) = try trace(hash)
        if let fault { throw fault }
        return chain
    }

    /// As ``chain(_:)``, but where a block before is missing or unsound, those behind it, and what
    /// is wrong.
    func trace(_ hash: KVHash) throws -> (chain: [KVHash], fault: KVError?) {
        guard access(file(hash), F_OK) == 0 else { throw KVError.absent(hash.description) }
        var chain: [KVHash] = []
        var next = hash
        while true {
            do {
                let header = try KVBlockFile.header(file(next), key: key)
                // A header that names another block could lead in a circle.
                guard header.hash == next, chain.count <= 1 << 20 else {
                    throw KVError(.damaged, "\(file(next)) is not the block that its name says.")
                }
                chain.append(next)
                guard header.position > 0 else { return (chain.reversed(), nil) }
                next = header.parent
            } catch let error as KVError {
                let reason = error.code == .notFound ? "block \(next) is missing." : error.message
                let fault = KVError(
                    .damaged, "The blocks of \(hash) are not whole, and not used: \(reason)")
                return (chain.reversed(), fault)
            }
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
}
