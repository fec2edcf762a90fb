import Crypto
public import Foundation

/// One read, write or refusal, as the audit log keeps it. It names memories, never what they say.
///
/// Entries form a chain: each carries the SHA-256 of the one before and itself, so that none
/// can be changed, dropped or put in between
/// without all that follow saying so.
public struct AuditEntry: Sendable, Codable, Equatable {
    /// The end of a request.
    public enum Outcome: String, Sendable, Codable, CaseIterable { case done, refused, failed }
    /// Ids kept of one entry; ``count`` tells how many there were.
    public static let maximumCubes = 1_000

    /// Place in the log, from 1, without gaps.
    public var position: Int64 = 0
    /// The time.
    public var time: Date
    /// The principal.
    public var principal: String
    /// The operation, as the operation table names it, or as the store does.
    public var operation: String
    /// Whose memories; nil for the store as a whole.
    public var owner: Owner?
    /// The end of the request.
    public var outcome: Outcome
    /// The memories that were handed out or changed.
    public var cubes: [CubeID] = []
    /// The number of them.
    public var count = 0
    /// The reason, if one was given.
    public var reason: String?
    /// The request's name.
    public var request: String?
    /// Of a refusal: what was refused.
    public var detail: String?
    /// Of a write: the first and last journal entry, and the digest of all in between.
    public var journalFirst: Int64?, journalLast: Int64?, digest: Data?
    /// SHA-256 of the entry before and this one.
    public var hash = Data()

    /// An entry of what a caller did or was refused, at the caller's time; it has no place in a log
    /// yet, see ``AuditChain``.
    ///
    /// - Parameters:
    ///   - caller: who made the request, when and why.
    ///   - owner: whose memories; nil for the store as a whole.
    ///   - operation: what the store calls it, where the caller does not say.
    ///   - outcome: how the request ended.
    ///   - cubes: those that were handed out or changed; the first ``maximumCubes`` are kept.
    ///   - count: of how many; that of `cubes` if left out.
    public init(
        _ caller: Caller, _ owner: Owner?, default operation: String, outcome: Outcome = .done,
        cubes: [CubeID] = [],
        count: Int? = nil
    ) {
        time = caller.time
        principal = caller.principal.name
        self.operation = caller.operation ?? operation
        self.owner = owner
        self.outcome = outcome
        self.cubes = Array(cubes.prefix(Self.maximumCubes))
        self.count = count ?? cubes.count
        reason = caller.reason
        request = caller.request
    }

    /// An entry as it was written; the rest is set as properties.
    public init(
        position: Int64, time: Date, principal: String, operation: String, owner: Owner?,
        outcome: Outcome
    ) {
        self.position = position
        self.time = time
        self.principal = principal
        self.operation = operation
        self.owner = owner
        self.outcome = outcome
    }

    /// The hash that this entry must carry behind `previous`.
    public func chained(to previous: Data) -> Data {
        var hash = SHA256()
        hash.update(data: previous)
        func add(_ bytes: (some DataProtocol)?) {
            var count = UInt32(bytes.map { $0.count } ?? Int(UInt32.max)).littleEndian
            withUnsafeBytes(of: &count) { hash.update(bufferPointer: $0) }
            if let bytes { hash.update(data: bytes) }
        }
        func add(_ number: Int64?) {
            add(number.map { number in withUnsafeBytes(of: number.littleEndian) { Data($0) } })
        }
        func add(_ text: String?) { add(text.map { Data($0.utf8) }) }
        add(position)
        add(Int64(bitPattern: time.timeIntervalSince1970.bitPattern))
        for text in [
            principal, operation, owner?.tenant, owner?.user, outcome.rawValue, reason, request,
            detail,
        ] {
            add(text)
        }
        add(PackedIDs.data(of: cubes))
        for number in [Int64(count), journalFirst, journalLast] { add(number) }
        add(digest)
        return Data(hash.finalize())
    }
}

/// A signature under the log up to a place: whoever changed it afterwards would need the key, too.
public struct AuditCheckpoint: Sendable, Codable, Equatable {
    /// The last entry that is covered, and its hash.
    public var position: Int64, hash: Data
    /// The time of the signature.
    public var time: Date
    /// The Ed25519 public key, and the signature of the place, the hash and the time.
    public var key: Data, signature: Data

    /// The bytes that are signed.
    static func message(position: Int64, hash: Data, time: Date) -> Data {
        Data("mneme audit \(position) \(time.timeIntervalSince1970.bitPattern) ".utf8) + hash
    }

    /// True if the signature is of this key and for this place.
    public var isValid: Bool {
        (try? Curve25519.Signing.PublicKey(rawRepresentation: key))?
            .isValidSignature(
                signature, for: Self.message(position: position, hash: hash, time: time)) ?? false
    }
}

/// The result of ``AuditStore/verifyAudit(keys:head:by:)``.
public struct AuditReport: Sendable, Codable {
    /// Entries looked at, and the last one's place and hash: note them elsewhere to notice if the
    /// end is cut off.
    public var entries: Int, position: Int64, head: Data
    /// The first entry's place: above 1 if the log was shortened.
    public var begin: Int64 = 1
    /// Signatures looked at.
    public var checkpoints: Int
    /// Entries behind the last signature.
    public var unsigned: Int
    /// Journal entries from before there was an audit log.
    public var unaudited: Int
    /// Findings, in words; empty if nothing is wrong.
    public var findings: [String]
}

extension AuditReport {
    /// - Throws: ``StoreError`` if the log is not whole.
    package func requireSound() throws {
        guard findings.isEmpty else {
            throw StoreError(
                .corrupt,
                "The audit log is not whole, so nothing is taken away: \(findings[0]). See `mneme audit verify`."
            )
        }
    }
}
