import Foundation
import MnemeBase
import MnemeChat
import MnemeKV

/// Servers that this machine shares its KV cache through, now or in the past: erasing must reach
/// what lies there, whatever command erases.
extension Home {
    /// The list of them, a URL without its password a line.
    private static var remotes: String { folder + "/kv-remotes" }

    /// URLs of all servers that were used, without passwords.
    ///
    /// - Throws: `InputError` if the list is there and cannot be read: what lies on them could not be
    ///   erased.
    static func knownRemotes() throws -> [String] {
        guard FileManager.default.fileExists(atPath: remotes) else { return [] }
        guard let data = FileManager.default.contents(atPath: remotes) else {
            throw InputError("\(remotes) cannot be read: it names the servers that keep keys and values.")
        }
        return String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
    }

    /// The server that machines share their KV cache through. It is noted before anything is sent to
    /// it, so that erasing finds it later.
    ///
    /// - Parameter limit: bytes that blocks may take there, as `RedisTier` has it.
    /// - Throws: `KVError` if it is no such URL, or the server does not answer; `FileError` if it
    ///   cannot be noted.
    static func remoteTier(_ url: String, limit: Int? = nil) throws -> RedisTier {
        let name = try RedisAddress(url).publicURL
        let tier = try RedisTier(url: url, key: encryptionKey(), limit: limit)
        let known = try knownRemotes()
        if !known.contains(name) { try note(known + [name]) }
        return tier
    }

    /// Takes a server off the list: one that is no more.
    ///
    /// - Throws: `InputError` if it is not there.
    static func forgetRemote(_ url: String) throws {
        let name = try RedisAddress(url).publicURL
        let known = try knownRemotes()
        guard known.contains(name) else {
            throw InputError(
                "\(name) is not among the servers that were used. `mneme kv remotes` lists them.")
        }
        try note(known.filter { $0 != name })
    }

    private static func note(_ urls: [String]) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try AtomicFile.write(Data(urls.map { $0 + "\n" }.joined().utf8), to: remotes)
    }

    /// All servers that erasing must reach: those that were used, and the one that the settings
    /// name, which has the password, too.
    ///
    /// - Throws: `KVError` for a setting that is no such URL, `InputError` if the list cannot be read.
    static func remoteTiers() throws -> [RemoteMemory] {
        var urls: [String: String] = [:]
        for name in try knownRemotes() { urls[name] = name }
        if let url = Settings.current.text(.kvRemote) { urls[try RedisAddress(url).publicURL] = url }
        return urls.sorted { $0.key < $1.key }.map { name, url in
            RemoteMemory(
                place: name,
                advice:
                    "Set kv_remote (or MNEME_KV_REMOTE) to its URL, with the password if it has one, and erase again; "
                    + "`mneme kv remotes --forget \(name)` if there is no such server any more."
            ) { try RedisTier(url: url, key: encryptionKey()) }
        }
    }
}
