import Crypto
public import Foundation
public import MnemeStore

/// A report of an erasure that can be checked again, against the raw files, by whoever holds it.
///
/// It keeps no words. Of what was erased it holds fingerprints: keyed hashes of pieces of the text,
/// as it stood in the file, and of the vector. A checker slides over every byte of the files and
/// finds each place where such a piece stands. Whoever has the report can test guesses of a piece:
/// keep it as you would keep a hash of the text.
public struct ErasureProof: Sendable, Codable {
    /// One piece of what was erased.
    public struct Fingerprint: Sendable, Codable, Hashable {
        /// Bytes of the piece.
        public var length: Int
        /// A polynomial of the bytes modulo 2^64, which slides; and an HMAC-SHA256, which is sure.
        public var rolling: UInt64, mac: Data
    }

    /// Pieces of erased text that were found in a file.
    public struct Finding: Sendable, Codable, Equatable {
        /// The file, and its bytes.
        public var path: String, bytes: Int
        /// Offsets of the pieces that were found; the first hundred.
        public var offsets: [Int]

        /// Names in JSON.
        private enum CodingKeys: String, CodingKey {
            case path, bytes
            case offsets = "places"
        }
    }

    /// Of this layout.
    public var version = 1
    /// Time of the erasure, who erased, and the reason given.
    public var time: Date, principal: String, reason: String?
    /// Whose memories.
    public var owner: Owner
    /// The memory that was asked for, and those derived from it, all erased.
    public var erased: [CubeID]
    /// Blocks of keys and values that were erased with it.
    public var blocks: [String]
    /// Keys the fingerprints.
    public var key: Data
    /// The base of the polynomial.
    public var base: UInt64
    /// Pieces of what was erased.
    public var fingerprints: [Fingerprint]
    /// Pieces that the files held right after the erasure.
    public var findings: [Finding]
    /// Copies that had left the store, and which of them could be reached; nil in reports of
    /// earlier versions.
    public var copies: [ExportedCopy]?
    /// What was not looked into, in a sentence; nil if nothing of the store.
    public var unsearched: String?
    /// What was found on other machines right after the erasure; nil if nothing is kept there.
    public var elsewhere: [RemoteSearch]?

    /// Bytes of a piece. Shorter texts are one piece, down to ``shortest``.
    private static let piece = 32, shortest = 8
    /// Pieces of one text.
    private static let pieces = 16
    /// Bytes of a file that are looked through at a time.
    private static let window = 16 << 20

    /// - Parameter traces: bytes as they lay in the files.
    init(erased: [CubeID], blocks: [String], owner: Owner, traces: [Data], by caller: Caller) {
        (time, principal, reason) = (caller.time, caller.principal.name, caller.reason)
        self.owner = owner
        self.erased = erased
        self.blocks = blocks
        let key = SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }
        self.key = key
        let base = UInt64.random(in: 1 << 40...UInt64.max) | 1
        self.base = base
        findings = []
        var made: Set<Fingerprint> = []
        for trace in traces {
            // JSON writes some characters otherwise than the text has them.
            let isText = String(validating: trace, as: UTF8.self) != nil
            let runs =
                isText
                ? trace.split(whereSeparator: {
                    $0 < 32 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\")
                })
                : [trace]
            for run in runs where run.count >= Self.shortest {
                let length = min(Self.piece, run.count)
                let last = run.count - length
                let step = max(1, last / Self.pieces)
                for start in stride(from: 0, through: last, by: step) {
                    let bytes = Data(
                        run[(run.startIndex + start)..<(run.startIndex + start + length)])
                    // A piece of one repeated byte stands in every file.
                    guard Set(bytes).count >= min(6, length / 2) else { continue }
                    made.insert(
                        Fingerprint(
                            length: length,
                            rolling: bytes.reduce(0) { $0 &* base &+ UInt64($1) &+ 1 },
                            mac: Data(
                                HMAC<SHA256>.authenticationCode(
                                    for: bytes, using: SymmetricKey(data: key)))))
                }
            }
        }
        fingerprints = made.sorted { ($0.length, $0.rolling) < ($1.length, $1.rolling) }
    }

    /// Looks for the pieces in every byte of files and of all files in folders. An encrypted store
    /// that is open is looked through as it is decrypted.
    ///
    /// - Throws: `InputError` if a file cannot be read.
    /// - Complexity: one pass over the files for each length of pieces; some hundred MB a second.
    public func search(_ paths: [String]) throws -> [Finding] {
        let longest = fingerprints.map(\.length).max() ?? 0
        return try Self.files(paths).map { path in
            do {
                let file = try DatabaseFile(path, isDecrypted: true)
                let size = try file.size
                var offsets: [Int] = []
                // Windows overlap, so that no piece is cut.
                for start in stride(from: 0, to: max(0, size - longest) + 1, by: Self.window)
                where offsets.count < 100 {
                    offsets += try self.offsets(
                        in: file.read(start, min(Self.window + longest, size - start))
                    ).map {
                        start + $0
                    }
                }
                return Finding(path: path, bytes: size, offsets: Array(Set(offsets)).sorted())
            } catch {
                // What was removed or cut off meanwhile holds nothing.
                guard FileManager.default.fileExists(atPath: path),
                    (error as? StoreError)?.code != .corrupt
                else {
                    return Finding(path: path, bytes: 0, offsets: [])
                }
                throw StoreError(
                    .unavailable, "\(path) cannot be read, so it cannot be looked through.")
            }
        }
    }

    /// Files, and those in folders, however deep.
    private static func files(_ paths: [String]) -> [String] {
        paths.flatMap { path -> [String] in
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
                return []
            }
            guard isFolder.boolValue else { return [path] }
            let inside =
                FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
            return inside.sorted().map { path + "/" + $0 }.filter {
                FileManager.default.fileExists(atPath: $0, isDirectory: &isFolder)
                    && !isFolder.boolValue
            }
        }
    }

    /// Finds offsets of the pieces in a run of bytes: a rolling hash finds candidates (Rabin and
    /// Karp), the keyed hash is sure.
    ///
    /// - Complexity: linear in the bytes for each length of pieces.
    private func offsets(in data: Data) -> [Int] {
        var found: Set<Int> = []
        for (length, wanted) in Dictionary(grouping: fingerprints, by: \.length)
        where length > 0 && length <= data.count {
            let known = Dictionary(wanted.map { ($0.rolling, $0.mac) }) { first, _ in first }
            // The factor of the byte that leaves.
            let leaving = (0..<length).reduce(UInt64(1)) { power, _ in power &* base }
            data.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in
                var hash: UInt64 = 0
                for i in 0..<bytes.count {
                    hash = hash &* base &+ UInt64(bytes[i]) &+ 1
                    if i >= length { hash = hash &- leaving &* (UInt64(bytes[i - length]) + 1) }
                    guard i + 1 >= length, let mac = known[hash] else { continue }
                    let piece = Data(bytes[(i + 1 - length)...i])
                    if found.count < 100,
                        HMAC<SHA256>.isValidAuthenticationCode(
                            mac, authenticating: piece, using: SymmetricKey(data: key))
                    {
                        found.insert(i + 1 - length)
                    }
                }
            }
        }
        return found.sorted()
    }
}

extension MemoryOS {
    /// What is not looked into of indexes where servers share the store, in a sentence.
    package var unsearchedIndexes: String? {
        guard shared != nil else { return nil }
        return "Index files of servers on other machines, or in other folders, were not looked through: a server "
            + "that runs removes the owner's when it hears of the erasure, before its next answer, and one that does not "
            + "removes them when it starts."
    }

    /// As ``erase(_:owner:by:)``, with a report of what was looked through afterwards.
    ///
    /// - Throws: as that, and `InputError` if a file cannot be looked through; the memory is erased
    ///   then all the same.
    public func eraseWithProof(_ id: CubeID, owner: Owner, by caller: Caller = .local) async throws
        -> ErasureProof
    {
        try await run { [self] in
            let made = try activations(of: [id.description, Self.source(of: owner)], owner: owner)
            let ids = [id] + made.map(\.id).filter { $0 != id }
            // Nothing is told of it before the store has agreed to erase it.
            let traces = try store.traces(of: ids, owner: owner)
            let copies = try erase(id, owner: owner, by: caller)
            var proof = ErasureProof(
                erased: ids, blocks: made.compactMap { $0.activation?.block }, owner: owner,
                traces: traces, by: caller)
            proof.copies = copies
            let unsearched = try [store.unsearched, unsearchedIndexes, BackupNote.sentence(of: store)]
                .compactMap(\.self)
            proof.unsearched = unsearched.isEmpty ? nil : unsearched.joined(separator: " ")
            proof.findings = try proof.search(keptFiles + exportedFiles(of: owner))
            let elsewhere = try searchElsewhere(madeOf: ids)
            proof.elsewhere = elsewhere.isEmpty ? nil : elsewhere
            return proof
        }
    }

    /// Checks a report again: the files hold no piece of what was erased, and the store knows
    /// nothing of it but that it was.
    ///
    /// - Returns: what is wrong, in words; empty if nothing is.
    public func check(_ proof: ErasureProof) async throws -> (
        findings: [ErasureProof.Finding], problems: [String]
    ) {
        try await run { [self] in
            let findings = try proof.search(keptFiles + exportedFiles(of: proof.owner))
            // What cannot be looked into may hold it.
            let hidden = try reachExports(of: proof.owner).filter {
                !$0.isReached && [.sealed, .signed, .unreadable].contains($0.outcome)
            }
            var problems = hidden.map(\.note)
            problems += findings.filter { !$0.offsets.isEmpty }.map {
                "\($0.path) holds pieces of it, the first at byte \($0.offsets[0])"
            }
            problems += try searchElsewhere(madeOf: proof.erased).filter { $0.found > 0 }.map {
                "\($0.place) holds \($0.found) blocks of keys and values that were made of it"
            }
            for id in proof.erased {
                if try store.cube(id, owner: proof.owner, asOf: nil, by: .mneme) != nil {
                    problems.append("the store holds memory \(id)")
                }
                let history = try store.history(id, owner: proof.owner, by: .mneme)
                if history.contains(where: { $0.snapshot != nil || $0.link != nil }) {
                    problems.append("the journal holds a version of memory \(id)")
                }
                if history.last?.operation != .erase {
                    problems.append("the journal does not say that memory \(id) was erased")
                }
                if try !store.links(of: id, owner: proof.owner, by: .mneme).isEmpty {
                    problems.append("a link leads to memory \(id)")
                }
                if try !store.traces(of: [id], owner: proof.owner).isEmpty {
                    problems.append("tables of the store hold rows of memory \(id)")
                }
            }
            return (findings, problems)
        }
    }
}
