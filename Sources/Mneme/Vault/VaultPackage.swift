public import Crypto
public import Foundation
import MnemeBase
import MnemeSeal
public import MnemeStore

/// Memories on their way from one store to another, as JSON lines: a manifest, for each memory its
/// earlier versions and then itself, links, ids of what was erased, and an end that carries a
/// SHA-256 of all before it and, if the sender signed, an Ed25519 signature. Nothing in it can be
/// executed.
///
/// Dates are seconds since 1970. Described for other implementers in the documentation, under
/// "Vault packages".
public enum VaultPackage {
    /// The name that every manifest carries, by which a file is known as a package.
    public static let format = "mneme-vault"
    /// The format's version; a reader refuses later ones.
    public static let version = 1
    /// The longest line that a reader takes.
    /// In bytes: a memory's text is far shorter, but an earlier version carries its whole snapshot.
    static let maximumLine = 16 << 20

    /// The first line: whose memories follow, and the range of the journal that they cover.
    public struct Manifest: Sendable, Codable {
        /// ``VaultPackage/format`` and ``VaultPackage/version``.
        public var format: String, version: Int
        /// Whose memories they are where they come from.
        public var vault: Owner
        /// The time at which it was made, and by whom.
        public var created: Date, principal: String
        /// Changes after this position of the journal are in it; 0 means all.
        public var since: Int64
        /// The position that it reaches: `since` of the next.
        public var position: Int64
        /// Tells the journal's entry there from every other; sent back with `since`.
        public var mark: String?
    }

    /// The last line: what a complete package must add up to, and who vouches for it.
    public struct End: Sendable, Codable {
        /// The number of memories, and of ids of erased ones.
        public var memories: Int, erased: Int
        /// Of all bytes before this line, as hexadecimal digits.
        public var sha256: String
        /// The signer's Ed25519 public key, and the signature of "mneme-vault-1" followed by the
        /// hash's 32 bytes, as hexadecimal digits.
        public var key: String?, signature: String?
    }

    /// One line of a package: an object in which a writer sets exactly one of these members.
    struct Line: Codable, Sendable {
        var manifest: Manifest?
        /// An earlier version of the memory that follows.
        var past: JournalEntry?
        var memory: MemCube?
        var link: CubeLink?
        var erased: [CubeID]?
        var end: End?
    }

    /// A memory with its earlier versions, the oldest first, as they are imported together.
    struct Unit: Sendable {
        var cube: MemCube
        var history: [JournalEntry]
    }

    /// Writes a line with sorted keys, so that the same memories give the same bytes and the same
    /// hash.
    static func encode(_ line: Line) throws -> String {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .secondsSince1970
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(line), as: UTF8.self)
    }

    /// Reads one line without its end; the reader's checks come after.
    /// - Throws: `DecodingError`.
    static func decode(_ bytes: [UInt8]) throws -> Line {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .secondsSince1970
        return try decoder.decode(Line.self, from: Data(bytes))
    }

    /// Makes the last line.
    /// - Parameters:
    ///   - digest: of all lines before it, each with its line feed.
    ///   - memories: how many the package holds.
    ///   - erased: how many ids of erased ones.
    ///   - key: signs the digest; nil leaves the package unsigned.
    static func end(
        _ digest: SHA256Digest, memories: Int, erased: Int,
        signedWith key: Curve25519.Signing.PrivateKey?
    )
        throws -> String
    {
        try encode(
            .init(
                end: .init(
                    memories: memories, erased: erased, sha256: Hexadecimal.string(digest),
                    key: key.map { Hexadecimal.string($0.publicKey.rawRepresentation) },
                    signature: try key.map {
                        Hexadecimal.string(try $0.signature(for: signed(digest)))
                    })))
    }

    /// The bytes that a signature covers. The name of the format stands before the hash, so that a
    /// signature made for anything else is none here.
    static func signed(_ digest: some Sequence<UInt8>) -> Data {
        Data("mneme-vault-1".utf8) + Data(digest)
    }

    /// Checks the values of a line before anything is done with them.
    ///
    /// - Throws: `InputError` for what no store writes.
    static func check(_ line: Line) throws {
        if let cube = line.memory { try MemoryLimits.check(cube) }
        if let entry = line.past { try check(entry) }
        if let link = line.link { try MemoryLimits.check(kind: link.kind, time: link.time) }
    }

    /// Checks an entry of a memory's history: times, names, version, position, reason, and the
    /// snapshot as strictly as a memory itself.
    /// - Throws: `InputError` that names what is out of bounds.
    private static func check(_ entry: JournalEntry) throws {
        try MemoryLimits.check(times: [entry.time])
        try MemoryLimits.check(names: [entry.principal])
        guard (1...1_000_000_000).contains(entry.version), entry.position >= 0 else {
            throw InputError("a version or position is out of bounds")
        }
        guard entry.reason?.utf8.count ?? 0 <= MemoryLimits.labelBytes else {
            throw InputError("a reason is too long")
        }
        if let snapshot = entry.snapshot { try MemoryLimits.check(snapshot) }
        if let link = entry.link { try MemoryLimits.check(kind: link.kind, time: link.time) }
    }

    /// Checks the first line's values.
    /// - Throws: `InputError` for a first line with values that no store writes.
    static func check(_ manifest: Manifest) throws {
        try MemoryLimits.check(times: [manifest.created])
        try MemoryLimits.check(names: [
            manifest.vault.tenant, manifest.vault.user, manifest.principal,
        ])
        guard manifest.since >= 0, manifest.position >= 0 else {
            throw InputError("a position is out of bounds")
        }
    }
}

// MARK: Reading

/// Reads a package line by line, from a file that may be sealed.
///
/// Memory stays constant: one line is held at a time. That the package is whole is known only when
/// its end was read, so importers verify first and read a second time.
public struct VaultPackageReader {
    /// The file's lines, decrypted on the way.
    private var lines: LineReader
    /// The file's name in messages, without its folder.
    private let name: String
    /// The hash of all lines so far, and how many there were.
    private var hash = SHA256(), number = 0
    /// Memories and erased ids so far, to be compared with the end's.
    private var counts = (memories: 0, erased: 0)
    /// The first line.
    public let manifest: VaultPackage.Manifest

    /// - Parameters:
    ///   - path: the package's file.
    ///   - passphrase: opens a sealed file.
    /// - Throws: `InputError` if the file is no package, or one of a later format.
    public init(path: String, passphrase: String? = nil) throws {
        name = (path as NSString).lastPathComponent
        var lines = try LineReader(
            source: SealedFile.source(path, passphrase: passphrase),
            maximumLine: VaultPackage.maximumLine)
        guard case .text(let bytes)? = try lines.next(), let line = try? VaultPackage.decode(bytes),
            let manifest = line.manifest,
            manifest.format == VaultPackage.format
        else { throw InputError("\(name) is no vault package: its first line is no manifest.") }
        guard manifest.version <= VaultPackage.version else {
            throw InputError(
                "\(name) was written by a newer Mneme (format \(manifest.version)). Update this one."
            )
        }
        do { try VaultPackage.check(manifest) } catch let error as InputError {
            throw InputError("\(name), line 1: \(error).")
        }
        (self.lines, self.manifest) = (lines, manifest)
        note(bytes)
    }

    /// Adds a line and its line feed to the hash, and counts it.
    private mutating func note(_ bytes: [UInt8]) {
        hash.update(data: bytes)
        hash.update(data: [10])
        number += 1
    }

    /// The next line; the end is checked against all before it.
    ///
    /// - Throws: `InputError` for a line that is no such, and if the file was changed or cut off.
    ///
    /// - Returns: a line; the last one carries ``VaultPackage/End``, and nothing is read after it.
    mutating func next() throws -> VaultPackage.Line? {
        guard let line = try lines.next() else {
            throw InputError("\(name) ends in the middle, after \(number) lines. Get it again.")
        }
        guard case .text(let bytes) = line else {
            throw InputError("\(name), line \(number + 1), is too long.")
        }
        let read: VaultPackage.Line
        do { read = try VaultPackage.decode(bytes) } catch {
            throw InputError("\(name), line \(number + 1), is not of a vault package.")
        }
        if let end = read.end {
            let digest = hash.finalize()
            guard Hexadecimal.string(digest) == end.sha256, counts == (end.memories, end.erased)
            else {
                throw InputError(
                    "\(name) was changed or damaged: its content does not match its checksum. Get it again."
                )
            }
            // The hash does not cover this line; one way to write it leaves no byte to change.
            guard bytes == Array(try VaultPackage.encode(.init(end: end)).utf8) else {
                throw InputError(
                    "\(name) was changed or damaged: its last line has other keys, spaces or an order of its own."
                )
            }
            if let key = end.key {
                guard
                    let key = Hexadecimal.bytes(key).flatMap({
                        try? Curve25519.Signing.PublicKey(rawRepresentation: $0)
                    }),
                    let signature = end.signature.flatMap(Hexadecimal.bytes),
                    key.isValidSignature(signature, for: VaultPackage.signed(digest))
                else {
                    throw InputError(
                        "The signature of \(name) is wrong. Somebody changed it, or the key is not theirs."
                    )
                }
            }
            guard try lines.next() == nil else {
                throw InputError("\(name) goes on behind its end.")
            }
            return read
        }
        note(bytes)
        do { try VaultPackage.check(read) } catch let error as InputError {
            throw InputError("\(name), line \(number): \(error).")
        }
        if read.memory != nil { counts.memories += 1 }
        counts.erased += read.erased?.count ?? 0
        return read
    }

    /// Reads all, and says what it holds and who signed it.
    ///
    /// The signature is checked against the key that the package names; whether that key is to be
    /// trusted is for the caller to decide.
    /// - Throws: `InputError` if the package was changed, is cut off or wrongly signed.
    /// - Complexity: one pass, constant memory.
    public static func verify(path: String, passphrase: String? = nil) throws -> (
        manifest: VaultPackage.Manifest, end: VaultPackage.End
    ) {
        var reader = try VaultPackageReader(path: path, passphrase: passphrase)
        while true { if let end = try reader.next()?.end { return (reader.manifest, end) } }
    }
}

// MARK: Writing

extension MemoryOS {
    /// An owner's memories, or what changed since a position, as the lines of a package.
    ///
    /// Holds what the caller sees. Keys and values are not in it: they can be computed again.
    ///
    /// - Parameters:
    ///   - owner: whose memories.
    ///   - since: the position of the journal after which changes are taken; 0 for all.
    ///   - caller: with whose rights.
    ///   - key: signs it.
    public func package(
        of owner: Owner, since: Int64 = 0, by caller: Caller = .local,
        signedWith key: Curve25519.Signing.PrivateKey? = nil
    ) -> AsyncThrowingStream<String, any Error> {
        let pages = PackagePages(self, owner, since, caller, key)
        return AsyncThrowingStream { try await pages.next() }
    }

    /// What the manifest says of a position: a hash, as the entry's id may be of a memory that is not
    /// to be seen. nil where there is no entry.
    func packageMark(of owner: Owner, at position: Int64) throws -> String? {
        try store.journalMark(at: position, owner: owner).map {
            Hexadecimal.string(SHA256.hash(data: Data($0.utf8)).prefix(16))
        }
    }

    /// Makes a package page by page, so that memory stays constant.
    ///
    /// Lines come in the order of the format: manifest, memories by pages of 200 with their history
    /// before them, all links, erased ids, end. Links wait in memory until the memories are
    /// through.
    private actor PackagePages {
        /// Whose memories are packed, from which position, with whose rights, and what signs them.
        private let memory: MemoryOS, owner: Owner, since: Int64, caller: Caller,
            key: Curve25519.Signing.PrivateKey?
        /// Lines to hand out, the hash of all lines made so far, and what the end will count.
        private var buffer: [String] = [], hash = SHA256(), memories = 0, erased: [CubeID] = []
        /// Changed ones that are still to be read; nil reads all, page by page.
        private var changed: ArraySlice<CubeID>?
        /// Links seen so far, the last memory of the page before, and how far the package has come.
        private var links: [CubeLink] = [], last: CubeID?, hasBegun = false, hasEnded = false

        init(
            _ memory: MemoryOS, _ owner: Owner, _ since: Int64, _ caller: Caller,
            _ key: Curve25519.Signing.PrivateKey?
        ) {
            (self.memory, self.owner, self.since, self.caller, self.key) = (
                memory, owner, since, caller, key
            )
        }

        /// The next line without its end; nil after the last.
        func next() async throws -> String? {
            while buffer.isEmpty && !hasEnded { try await fill() }
            guard !buffer.isEmpty else { return nil }
            return buffer.removeFirst()
        }

        /// Puts a line into the buffer and the hash.
        private func add(_ line: VaultPackage.Line) throws {
            let text = try VaultPackage.encode(line)
            hash.update(data: Data((text + "\n").utf8))
            buffer.append(text)
        }

        /// Makes the next lines: the manifest first, then a page of memories, and behind the last
        /// page the links, the erased ids and the end.
        ///
        /// Of a memory's links those are taken that lead from it, so each stands in the package
        /// once. The position is read before the memories: what changes meanwhile comes again with
        /// the next package.
        /// - Throws: `AccessError` if the caller may not read the vault, `StoreError`,
        ///   `CancellationError`.
        private func fill() async throws {
            try Task.checkCancellation()
            let (memory, owner, since, caller) = (memory, owner, since, caller)
            let store = memory.store
            guard hasBegun else {
                hasBegun = true
                let (changes, position, mark) = try await memory.run { () -> (IndexChanges?, Int64, String?) in
                    let visibility = try store.visibility(of: owner, for: .read, by: caller)
                    let position = try store.position(of: owner)
                    let changes =
                        since == 0
                        ? nil
                        : try store.changes(
                            owner: owner, since: FeedPosition(since, vectors: .max), embedder: "",
                            visibility: visibility)
                    let reached = max(position, changes?.reached.journal ?? 0)
                    return (changes, reached, try memory.packageMark(of: owner, at: reached))
                }
                if let changes { (changed, erased) = (changes.rows.map(\.id)[...], changes.erased) }
                return try add(
                    .init(
                        manifest: .init(
                            format: VaultPackage.format, version: VaultPackage.version,
                            vault: owner,
                            created: caller.time, principal: caller.principal.name,
                            since: since, position: position, mark: mark)))
            }
            let page = try await memory.run {
                [changed, last] () -> (
                    cubes: [MemCube], histories: [[JournalEntry]], links: [CubeLink]
                ) in
                var filter = CubeFilter(owner: owner, limit: 200)
                (filter.after, filter.newestFirst) = (last, false)
                let cubes =
                    try changed.map {
                        try store.cubes(Array($0.prefix(200)), owner: owner, by: caller)
                    }
                    ?? store.list(filter, by: caller)
                return (
                    cubes,
                    // A first version has no past.
                    try cubes.map {
                        $0.version > 1 ? try store.history($0.id, owner: owner, by: caller) : []
                    },
                    try cubes.flatMap { cube in
                        try store.links(of: cube.id, owner: owner, by: caller).filter {
                            $0.source == cube.id
                        }
                    }
                )
            }
            let isLast = changed.map { $0.count <= 200 } ?? (page.cubes.count < 200)
            changed = changed?.dropFirst(200)
            last = page.cubes.last?.id ?? last
            for (cube, history) in zip(page.cubes, page.histories) where cube.isPlaintext {
                for entry in history where entry.snapshot != nil && entry.version < cube.version {
                    try add(.init(past: entry))
                }
                try add(.init(memory: cube))
                memories += 1
            }
            links += page.links
            guard isLast else { return }
            for link in links { try add(.init(link: link)) }
            if !erased.isEmpty { try add(.init(erased: erased)) }
            buffer.append(
                try VaultPackage.end(
                    hash.finalize(), memories: memories, erased: erased.count, signedWith: key))
            hasEnded = true
        }
    }
}
