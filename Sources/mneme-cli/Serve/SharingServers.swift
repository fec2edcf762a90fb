import Foundation
import Mneme
import MnemeBase
import MnemeStore

/// This server among those that share its database: it takes a lease, and sees who else has one.
struct SharingServers {
    /// This server in the table.
    let identity: ServerIdentity
    private let shared: any SharedStore

    /// Takes a lease among the servers of a store, as yet without an address; nil for a store that no
    /// server shares.
    ///
    /// - Parameters:
    ///   - memory: what is served, which already follows other servers' work.
    ///   - address: where clients reach this server, as ``address(_:)`` takes it; nil leaves the lease
    ///     without one: no owner is sent here.
    /// - Throws: `InputError` for an address where no server shares the store; `StoreError`.
    init?(of memory: MemoryOS, address: String?) throws {
        guard let shared = memory.shared else {
            guard address == nil else {
                throw InputError(
                    "--advertise is for servers that share a database: --store postgres://USER@HOST/DATABASE.")
            }
            return nil
        }
        let identity = ServerIdentity(
            id: UUID().uuidString.lowercased(), url: address, version: ProgramVersion.text)
        // A newer program must not change tables while this one begins.
        var silent = identity
        silent.url = nil
        try shared.join(silent)
        (self.identity, self.shared) = (identity, shared)
    }

    /// Puts the address into the table: the server listens by now.
    ///
    /// - Returns: a sentence about the servers beside it.
    func announce() -> String {
        let others: [ServerIdentity]
        do {
            try shared.join(identity)
            others = try shared.servers().map(\.server).filter { $0.id != identity.id }
        } catch {
            // The lease's next renewal has the address, too.
            return "The servers that share its database are not known yet: \(error)"
        }
        guard !others.isEmpty else { return "No other server shares its database." }
        let names = others.map { "\($0.url ?? "one without an address") (\($0.version))" }
        return "It shares its database with \(TerminalText.shown(names.joined(separator: ", "), onOneLine: true))."
    }

    /// The address of a server in the form in which all servers write it.
    ///
    /// - Throws: `InputError` for what is no address of a server.
    static func address(_ text: String) throws -> String {
        guard let parts = URLComponents(string: text), parts.scheme == "http" || parts.scheme == "https",
            let host = parts.host, !host.isEmpty, parts.user == nil, parts.password == nil,
            parts.query == nil, parts.fragment == nil, ["", "/"].contains(parts.path), text.utf8.count <= 256,
            text.utf8.allSatisfy({ (33...126).contains($0) })
        else {
            throw InputError(
                "--advertise takes a server's address without a path, such as http://10.0.0.2:8420.")
        }
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }
}
