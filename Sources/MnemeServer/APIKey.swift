import Crypto
public import Foundation
import Mneme
import MnemeBase
public import MnemeStore
import NIOConcurrencyHelpers

/// A key of the HTTP interface: who it is, what it may do, whose memories it reaches.
///
/// Only a SHA-256 of the secret is kept. Secrets hold 32 random bytes, so that a plain hash resists
/// guessing.
public struct APIKey: Sendable, Codable {
    /// The public part of the key.
    public var id: String
    /// The key's name, by which it is revoked and which the audit log shows.
    public var name: String
    /// SHA-256 of the secret part; the secret is shown once and never stored.
    public var secretHash: String
    /// Operations that the key allows, by kind.
    public var permissions: Set<Permission>
    /// The user whose memories are the key's own; nil reaches all.
    public var user: String?
    /// The only tenant it reaches; nil for any.
    public var tenant: String?
    /// The agent that the key is for, see `Principal.agent`.
    public var agent: String?
    /// Roles that grants may name.
    public var roles: Set<String>?
    /// The highest label that it sees; nil sees all.
    public var clearance: Sensitivity?
    /// The most memories that a user may have for this key to add more.
    public var quota: Int?
    /// Requests a minute, if not the server's.
    public var requestsPerMinute: Int?
    /// The time at which it was made.
    public var created: Date
    /// The time at which it stops working.
    public var expires: Date?
    /// The time at which it was revoked.
    public var revoked: Date?

    /// True unless the key was revoked or has expired.
    func isValid(now: Date = Date()) -> Bool { revoked == nil && expires.map { $0 > now } ?? true }

    /// The caller that a request with this key has. Without a clearance of its own it sees all.
    var principal: Principal {
        Principal(
            name: "key:" + name, permissions: permissions, tenant: tenant, user: user, agent: agent,
            roles: roles ?? [],
            clearance: clearance ?? .restricted,
            quota: quota)
    }
}

/// The keys of a server, in one JSON file that only its owner may read.
public final class KeyFile: Sendable {
    /// The file's path.
    private let path: String
    /// Keys as last read, and the version of the file that they were read from.
    private let state: NIOLockedValueBox<(keys: [APIKey], stamp: Stamp?)>

    /// Reads the file; one that is not there is a server without keys.
    ///
    /// - Throws: `MnemeError` of the class `corrupt` if the file is damaged.
    public init(path: String) throws {
        self.path = path
        state = NIOLockedValueBox(([], nil))
        try reload()
    }

    /// All keys.
    public var keys: [APIKey] {
        // What cannot be read now leaves what was known: a server must not take itself for one
        // without keys.
        try? reload()
        return state.withLockedValue { $0.keys }
    }

    /// The principals of the keys that are valid now.
    public var principals: [Principal] { keys.filter { $0.isValid() }.map(\.principal) }

    /// Another process may have made or revoked a key.
    private func reload() throws {
        try state.withLockedValue { state in
            let stamp = try Stamp(path)
            guard stamp != state.stamp else { return }
            state = (try stamp == nil ? [] : read(), stamp)
        }
    }

    /// Reads the file.
    private func read() throws -> [APIKey] {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        guard let data = FileManager.default.contents(atPath: path) else {
            throw FileError(path, "cannot be read")
        }
        guard let keys = try? decoder.decode([APIKey].self, from: data) else {
            throw FileError.damaged(
                path,
                "is not a key file. Restore it, or remove it and make new keys with `mneme keys create`."
            )
        }
        return keys
    }

    /// Tells one version of the file from the next: each is a file of its own.
    private struct Stamp: Equatable {
        /// A replaced file has another inode even if size and time are the same.
        var inode: UInt64, size: Int64, modified: Double

        /// The version of the file that is there now; nil if there is none.
        ///
        /// - Throws: ``MnemeBase/FileError`` if it cannot be told whether the file is there.
        init?(_ path: String) throws {
            let attributes: [FileAttributeKey: Any]
            do {
                attributes = try FileManager.default.attributesOfItem(atPath: path)
            } catch CocoaError.fileReadNoSuchFile {
                return nil
            } catch {
                throw FileError(path, "cannot be read")
            }
            inode = (attributes[.systemFileNumber] as? NSNumber)?.uint64Value ?? 0
            size = (attributes[.size] as? NSNumber)?.int64Value ?? 0
            modified = (attributes[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
        }
    }

    /// Makes a key; the secret is returned once and not kept.
    ///
    /// - Parameters:
    ///   - name: what lists and the audit log call it.
    ///   - permissions: what it may do.
    ///   - tenant: the tenant that it is bound to; nil for all.
    ///   - user: the user that it is bound to; nil for all.
    ///   - expires: when it ends; nil for never.
    ///   - limits: sets what else the key has.
    public func create(
        name: String, permissions: Set<Permission>, user: String?, tenant: String?, expires: Date?,
        limits: (inout APIKey) -> Void = { _ in }
    ) throws -> (key: APIKey, secret: String) {
        guard !name.isEmpty, name.utf8.count <= 64 else {
            throw InputError("A key's name has 1 to 64 bytes.")
        }
        let random = (0..<32).map { _ in UInt8.random(in: 0...255) }
        let secret = "mn_" + Hexadecimal.string(random)
        var key = APIKey(
            id: String(Self.hash(secret).prefix(8)), name: name, secretHash: Self.hash(secret),
            permissions: permissions, user: user, tenant: tenant,
            created: Date(), expires: expires, revoked: nil)
        limits(&key)
        // They are stored, printed and sent in headers.
        let names = [name, user, tenant, key.agent].compactMap(\.self) + (key.roles ?? [])
        guard
            names.allSatisfy({
                $0.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
            })
        else {
            throw InputError(
                "The names of a key, its user, tenant, agent and roles hold no control characters.")
        }
        if key.agent != nil, key.user == nil {
            throw InputError("An agent belongs to a user: say whose it is.")
        }
        let made = key
        try change { keys in
            guard !keys.contains(where: { $0.name == name && $0.revoked == nil }) else {
                throw InputError(
                    "There is a key '\(name)' already. Revoke it first, or choose another name.")
            }
            keys.append(made)
        }
        return (made, secret)
    }

    /// Revokes a key at once.
    public func revoke(_ name: String) throws {
        try change { keys in
            guard
                let i = keys.firstIndex(where: {
                    ($0.name == name || $0.id == name) && $0.revoked == nil
                })
            else {
                throw InputError("There is no valid key '\(name)'.")
            }
            keys[i].revoked = Date()
        }
    }

    /// Changes the keys in the file under a lock that other processes respect, and reads it again.
    private func change(_ body: (inout [APIKey]) throws -> Void) throws {
        try Privacy.makeFolder(parent(of: path))
        // Of two processes that change the file at once, neither takes the other's change back.
        try FileLock.holding(folder: parent(of: path)) {
            var keys = try Stamp(path) == nil ? [] : read()
            try body(&keys)
            try AtomicFile.write(Data(OperationTable.encode(keys, pretty: true).utf8), to: path)
        }
        try reload()
    }

    /// The valid key of this secret.
    func find(secret: String, now: Date = Date()) -> APIKey? {
        let hash = Self.hash(secret)
        return keys.first { key in
            key.secretHash == hash && key.isValid(now: now)
        }
    }

    /// SHA-256 in hexadecimal digits.
    private static func hash(_ secret: String) -> String {
        Hexadecimal.string(SHA256.hash(data: Data(secret.utf8)))
    }
}
