import Crypto
public import Foundation
import Mneme
public import MnemeStore
import NIOConcurrencyHelpers

/// A key of the HTTP interface: who it is, what it may do, whose memories it reaches.
///
/// Only a SHA-256 of the secret is kept. Secrets hold 32 random bytes, so that a plain hash resists guessing.
public struct APIKey: Sendable, Codable {
    /// The public part of the key.
    public var id: String
    /// What its owner calls it.
    public var name: String
    /// SHA-256 of the secret part; the secret is shown once and never stored.
    public var secretHash: String
    /// What it may do.
    public var permissions: Set<Permission>
    /// The user whose memories are the key's own; nil reaches all.
    public var user: String?
    /// The only tenant it reaches; nil for any.
    public var tenant: String?
    /// The agent that the key is for, see ``MnemeStore/Principal/agent``.
    public var agent: String?
    /// Roles that grants may name.
    public var roles: Set<String>?
    /// The highest label that it sees; nil sees all.
    public var clearance: Sensitivity?
    /// The most memories that a user may have for this key to add more.
    public var quota: Int?
    /// Requests a minute, if not the server's.
    public var requestsPerMinute: Int?
    /// When it was made.
    public var created: Date
    /// When it stops working.
    public var expires: Date?
    /// When it was taken back.
    public var revoked: Date?

    func isValid(now: Date = Date()) -> Bool { revoked == nil && expires.map { $0 > now } ?? true }

    var principal: Principal {
        Principal(
            name: "key:" + name, permissions: permissions, tenant: tenant, user: user, agent: agent, roles: roles ?? [], clearance: clearance ?? .restricted,
            quota: quota)
    }
}

/// The keys of a server, in one JSON file that only its owner may read.
public final class KeyFile: Sendable {
    private let path: String
    private let state: NIOLockedValueBox<(keys: [APIKey], stamp: Date?)>

    /// - Throws: ``Mneme/InputError`` if the file is damaged.
    public init(path: String) throws {
        self.path = path
        state = NIOLockedValueBox(([], nil))
        try reload()
    }

    /// All keys.
    public var keys: [APIKey] {
        try? reload()
        return state.withLockedValue { $0.keys }
    }

    /// Another process may have made or revoked a key.
    private func reload() throws {
        let stamp = try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
        try state.withLockedValue { state in
            guard stamp != state.stamp || stamp == nil else { return }
            guard let data = FileManager.default.contents(atPath: path) else {
                state = ([], nil)
                return
            }
            let decoder = JSONDecoder()
            decoder.dateDecodingStrategy = .iso8601
            guard let keys = try? decoder.decode([APIKey].self, from: data) else {
                throw InputError("\(path) is not a key file. Restore it, or remove it and make new keys with `mneme keys create`.")
            }
            state = (keys, stamp)
        }
    }

    /// Makes a key; the secret is returned once and not kept.
    ///
    /// - Parameter limits: sets what else the key has.
    public func create(
        name: String, permissions: Set<Permission>, user: String?, tenant: String?, expires: Date?, limits: (inout APIKey) -> Void = { _ in }
    ) throws -> (key: APIKey, secret: String) {
        guard !name.isEmpty, name.utf8.count <= 64 else { throw InputError("A key's name has 1 to 64 bytes.") }
        let random = (0..<32).map { _ in UInt8.random(in: 0...255) }
        let secret = "mn_" + random.map { String(format: "%02x", $0) }.joined()
        var key = APIKey(
            id: String(Self.hash(secret).prefix(8)), name: name, secretHash: Self.hash(secret), permissions: permissions, user: user, tenant: tenant,
            created: Date(), expires: expires, revoked: nil)
        limits(&key)
        if key.agent != nil, key.user == nil { throw InputError("An agent belongs to a user: say whose it is.") }
        let made = key
        try change { keys in
            guard !keys.contains(where: { $0.name == name && $0.revoked == nil }) else {
                throw InputError("There is a key '\(name)' already. Revoke it first, or choose another name.")
            }
            keys.append(made)
        }
        return (made, secret)
    }

    /// Makes a key useless at once.
    public func revoke(_ name: String) throws {
        try change { keys in
            guard let i = keys.firstIndex(where: { ($0.name == name || $0.id == name) && $0.revoked == nil }) else {
                throw InputError("There is no valid key '\(name)'.")
            }
            keys[i].revoked = Date()
        }
    }

    private func change(_ body: (inout [APIKey]) throws -> Void) throws {
        try reload()
        try state.withLockedValue { state in
            var keys = state.keys
            try body(&keys)
            try FileManager.default.createDirectory(atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            let data = Data(try OperationTable.encode(keys, pretty: true).utf8), partial = path + ".partial"
            guard FileManager.default.createFile(atPath: partial, contents: data, attributes: [.posixPermissions: 0o600]), rename(partial, path) == 0 else {
                throw InputError("\(path) cannot be written.")
            }
            state = (keys, try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date)
        }
    }

    /// The valid key of this secret.
    func find(secret: String, now: Date = Date()) -> APIKey? {
        let hash = Self.hash(secret)
        return keys.first { key in
            key.secretHash == hash && key.isValid(now: now)
        }
    }

    private static func hash(_ secret: String) -> String {
        SHA256.hash(data: Data(secret.utf8)).map { String(format: "%02x", $0) }.joined()
    }
}
