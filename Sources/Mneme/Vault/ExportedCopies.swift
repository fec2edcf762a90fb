import Crypto
import Foundation
import MnemeBase
import MnemeSeal
public import MnemeStore
import NIOConcurrencyHelpers

/// Exported copies: files and packages that left the store, and the erasures that follow them
/// there.
///
/// The store keeps a list of them (`VaultExport`), each with the journal position up to which
/// erasures are carried out in it. What was erased after that position is still to be taken out.
extension MemoryOS {
    /// Writes an owner's memories to a file, and writes down that it did: erasing one of them later
    /// erases it there, too.
    ///
    /// - Parameters:
    ///   - lines: JSON lines with memories of the owner, as `package(of:since:by:)`
    ///     makes them.
    ///   - owner: whose memories they are.
    ///   - path: the file. It is there whole, or not at all.
    ///   - passphrase: seals the file.
    ///   - caller: who writes it, for the list of copies.
    /// - Returns: how many lines were written.
    /// - Throws: `FileError` if the file cannot be written; what was there before is left then.
    public func write(
        _ lines: AsyncThrowingStream<String, any Error>, of owner: Owner, to path: String,
        passphrase: String? = nil,
        by caller: Caller = .local
    ) async throws -> Int {
        let path = URL(fileURLWithPath: path).standardizedFileURL.path
        let position = try await run { [store] in try store.position(of: owner) }
        let file = try AtomicFile(path)
        var count = 0
        var sealed = try passphrase.map { try SealedFile.Writer(passphrase: $0, write: file.write) }
        for try await line in lines {
            let data = Data((line + "\n").utf8)
            if sealed == nil { try file.write(data) } else { try sealed!.add(data) }
            count += 1
        }
        try sealed?.finish()
        let export = VaultExport(
            owner: owner, kind: .file, place: path, time: caller.time,
            principal: caller.principal.name,
            position: position)
        // First that it is there, lest it be there without anybody knowing; until then the former
        // one stands in its place.
        try await run { [store] in
            var first = export
            first.position =
                try store.exports(of: owner, by: .mneme).filter {
                    $0.kind == .file && $0.place == path
                }.map(\.position)
                .min().map {
                    min($0, position)
                } ?? position
            try store.record(first)
        }
        try file.finish()
        try await run { [store] in try store.record(export) }
        // What was erased while it was written.
        _ = try await run { [self] in
            guard try !store.erased(of: owner, since: position).isEmpty else { return }
            let reached = try reach(
                export,
                keys.withLockedValue {
                    PackageKeys(signing: $0.signing, passphrase: passphrase ?? $0.passphrase)
                })
            guard reached.isReached else {
                throw StoreError(
                    .conflict,
                    "A memory was erased while \(path) was written. Delete it, and export it again."
                )
            }
        }
        return count
    }

    /// Copies of an owner's memories that left the store, and whether anything that was erased
    /// since stands in them; what can be, is taken out.
    ///
    /// - Returns: one entry a copy that is known, in the order of the store's list.
    /// - Throws: `AccessError` if the caller may not see the owner's exports, `StoreError`.
    public func exports(of owner: Owner, by caller: Caller = .local) async throws -> [ExportedCopy] {
        try await run { [self] in try reachExports(of: owner, by: caller) }
    }

    /// Sets what opens and signs packages when something has to be erased from them.
    ///
    /// They stay in this process: the store never holds a private key or a passphrase. Without them
    /// a sealed or signed copy is reported, not changed.
    public func attach(keys: PackageKeys) { self.keys.withLockedValue { $0 = keys } }

    /// Takes what was erased out of all copies of an owner's memories that can be reached.
    ///
    /// Runs after an erasure and whenever somebody lists exports; a copy that is out of reach now
    /// is tried again then.
    func reachExports(of owner: Owner, by caller: Caller = .mneme) throws -> [ExportedCopy] {
        let keys = keys.withLockedValue(\.self)
        return try store.exports(of: owner, by: caller).map { try reach($0, keys) }
    }

    /// Looks for copies in which something stands that was erased; `repair` takes it out where that
    /// can be done.
    ///
    /// A repair does not wait for a file that is not there any more. Copies that other servers
    /// fetched are left out, since they follow by themselves.
    /// - Complexity: without `repair` a query a copy; with it, one or more passes over each file
    ///   behind.
    package func checkCopies(repair: Bool) throws -> StoreFinding {
        var known = 0
        var waiting: [ExportedCopy] = []
        var count = 0
        for owner in try store.owners() {
            let exports = try store.exports(of: owner, by: .mneme).filter { $0.kind == .file }
            known += exports.count
            let behind = try exports.filter {
                try !store.erased(of: owner, since: $0.position).isEmpty
            }
            count += behind.count
            let keys = keys.withLockedValue(\.self)
            if repair {
                waiting += try behind.map { try reach($0, keys) }.filter {
                    !$0.isReached && $0.outcome != .missing
                }
            }
        }
        let isSound = repair ? waiting.isEmpty : count == 0
        let detail =
            isSound || !repair
            ? "\(known) exported \(known == 1 ? "file" : "files") known"
                + (isSound
                    ? ""
                    : ", \(count) may hold what was erased since; `mneme doctor --repair` takes it out")
            : waiting.map(\.note).joined(separator: "; ")
        return StoreFinding(
            check: "copies", sound: isSound, detail: detail,
            repaired: repair && isSound && count > 0)
    }

    /// Files with copies of an owner's memories.
    func exportedFiles(of owner: Owner) throws -> [String] {
        try store.exports(of: owner, by: .mneme).filter { $0.kind == .file }.map(\.place)
    }

    /// Carries erasures out in one copy, and moves the copy's position on once it holds none of
    /// them.
    ///
    /// The position is recorded only after the file is whole on disk: a crash in between repeats
    /// the work, and never forgets it.
    /// - Throws: `StoreError` if the list cannot be read or written. Trouble with the file itself
    ///   is an outcome of the copy.
    private func reach(_ export: VaultExport, _ keys: PackageKeys) throws -> ExportedCopy {
        let position = try store.position(of: export.owner)
        let erased = Set(try store.erased(of: export.owner, since: export.position))
        guard export.kind == .file else { return ExportedCopy(export, .followed) }
        guard !erased.isEmpty else {
            return ExportedCopy(
                export, FileManager.default.fileExists(atPath: export.place) ? .clean : .missing)
        }
        var copy = ExportedCopy(export, ExportedFile(export.place, keys).erase(erased))
        if copy.isReached, position > export.position {
            copy.export.position = position
            try store.record(copy.export)
        }
        return copy
    }
}

/// A file with memories, one a line: a package, or a plain list of them.
private struct ExportedFile {
    /// The file's place, the keys to open and sign it with, and its form as found on disk.
    private let path: String, keys: PackageKeys, isSealed: Bool

    /// Looks at the head of the file only; nothing is opened yet.
    init(_ path: String, _ keys: PackageKeys) {
        (self.path, self.keys, isSealed) = (path, keys, SealedFile.isSealed(path))
    }

    /// Takes memories out. The file is whole before and after.
    ///
    /// - Complexity: one pass; two more if it holds one of them.
    func erase(_ ids: Set<CubeID>) -> ExportedCopy.Outcome {
        guard FileManager.default.fileExists(atPath: path) else { return .missing }
        guard !isSealed || keys.passphrase != nil, var lines = try? lines(),
            let first = try? lines.next()
        else {
            return isSealed ? .sealed : .unreadable
        }
        do {
            // Most files hold nothing of it, and need not be understood for that.
            let names = ids.map(\.description)
            var line: LineReader.Line? = first
            var holds = false
            while !holds, let next = line {
                guard case .text(let bytes) = next else { return .unreadable }
                let search = ByteSearch(bytes)
                holds = names.contains(where: search.contains) && Self.content(bytes, ids).isAny
                line = try lines.next()
            }
            guard holds else { return .clean }
            if case .text(let bytes) = first, (try? VaultPackage.decode(bytes))?.manifest != nil {
                return try rewritePackage(without: ids)
            }
            try rewrite { bytes, write in if !Self.content(bytes, ids).isAny { try write(bytes) } }
            return .rewritten
        } catch { return .unreadable }
    }

    /// Opens the file from its beginning, decrypted on the way if it is sealed.
    /// - Throws: `InputError` if it cannot be read, or no passphrase opens it.
    private func lines() throws -> LineReader {
        try LineReader(
            source: SealedFile.source(path, passphrase: keys.passphrase),
            maximumLine: VaultPackage.maximumLine)
    }

    /// Writes a package again without some memories: their earlier versions and links go with them,
    /// their ids join the erased ones, and the end gets a new checksum and signature.
    /// - Returns: `signed`, and nothing is written, if the package carries a signature of a key
    ///   that is not at hand: its signature would not hold for the new content.
    /// - Throws: `InputError` if the package is damaged, `FileError`.
    private func rewritePackage(without ids: Set<CubeID>) throws -> ExportedCopy.Outcome {
        // What was damaged does not get a checksum that says that it is whole.
        let end = try VaultPackageReader.verify(path: path, passphrase: keys.passphrase).end
        let signer = keys.signing.flatMap { key in
            end.key == Hexadecimal.string(key.publicKey.rawRepresentation) ? key : nil
        }
        guard end.key == nil || signer != nil else { return .signed }
        var hash = SHA256()
        var removed: Set<CubeID> = []
        var memories = end.memories
        try rewrite { bytes, write in
            func keep(_ bytes: [UInt8]) throws {
                hash.update(data: bytes + [10])
                try write(bytes)
            }
            let content = Self.content(bytes, ids)
            if let memory = content.memory {
                memories -= 1
                removed.insert(memory)
            } else if content.isEnd {
                // Whoever took an earlier copy in learns from it, too.
                let gone = removed.sorted()
                if !gone.isEmpty { try keep(Array(VaultPackage.encode(.init(erased: gone)).utf8)) }
                try write(
                    Array(
                        VaultPackage.end(
                            hash.finalize(), memories: memories, erased: end.erased + gone.count,
                            signedWith: signer
                        ).utf8))
            } else if !content.isAny {
                try keep(bytes)
            }
        }
        return .rewritten
    }

    /// Writes the file again, line by line.
    ///
    /// A sealed file is sealed again, with a fresh salt and nonce prefix. The new file replaces the
    /// old one by a rename once all of it is written.
    /// - Parameter body: takes a line and a function that writes one; it decides what is kept.
    /// - Throws: `InputError` for a line beyond ``VaultPackage/maximumLine``, `FileError`.
    private func rewrite(_ body: ([UInt8], (_ line: [UInt8]) throws -> Void) throws -> Void) throws {
        let file = try AtomicFile(path)
        var lines = try lines()
        var sealed =
            try isSealed
            ? keys.passphrase.map { try SealedFile.Writer(passphrase: $0, write: file.write) }
            : nil
        while let next = try lines.next() {
            // Without it the file would be shorter than it was, and look whole.
            guard case .text(let bytes) = next else {
                throw InputError("A line is longer than \(VaultPackage.maximumLine) bytes.")
            }
            try body(bytes) { line in
                if sealed == nil {
                    try file.write(Data(line + [10]))
                } else {
                    try sealed!.add(Data(line + [10]))
                }
            }
        }
        try sealed?.finish()
        try file.finish()
    }

    /// Reads off one line which of some memories it names: the memory that it holds, whether it
    /// names any of them at all, and whether it is the end of a package.
    ///
    /// A line of a plain export is known by its `id`. A line that cannot be read names none.
    private static func content(_ line: [UInt8], _ ids: Set<CubeID>) -> (
        memory: CubeID?, isAny: Bool, isEnd: Bool
    ) {
        struct Named: Decodable { var id: CubeID }
        guard let read = try? VaultPackage.decode(line) else { return (nil, false, false) }
        if let memory = read.memory {
            return ids.contains(memory.id) ? (memory.id, true, false) : (nil, false, false)
        }
        if let past = read.past { return (nil, ids.contains(past.cube), false) }
        if let link = read.link {
            return (nil, ids.contains(link.source) || ids.contains(link.target), false)
        }
        if read.end != nil { return (nil, false, true) }
        let named = try? JSONDecoder().decode(Named.self, from: Data(line))
        return (nil, named.map { ids.contains($0.id) } ?? false, false)
    }
}
