import Mneme
import MnemeBase
public import MnemeStore

/// Settings of a ``MemoryServer``.
public struct ServerConfiguration: Sendable {
    /// Address to listen on.
    public var host = "127.0.0.1"
    /// 0 lets the system choose.
    public var port = 8420
    /// Keys; without any, only callers on this machine are served, with all permissions.
    public var keys: KeyFile?
    /// Takes tokens of an identity provider besides keys.
    public var tokens: TokenVerifier?
    /// PEM files of a certificate, with those that lead to it, and of its private key: requests
    /// come over TLS then.
    public var certificate: (chain: String, privateKey: String)?
    /// The largest request body, in bytes.
    public var maximumBody = 16 << 20
    /// Requests a minute for each key; 0 sets no limit.
    public var requestsPerMinute = 6000
    /// The program's version, told to clients.
    public var version = "0"
    /// Pages besides those of this machine that browsers may use the server for, such as
    /// `https://chat.example.org`.
    public var origins: Set<String> = []
    /// The name that requests may use for the language model besides its own.
    public var modelAlias: String?
    /// This server among those that share its store; nil where it is not put into their table.
    public var identity: ServerIdentity?
    /// Limits of each connection.
    public var connections = ConnectionLimits()

    /// The defaults: loopback, no keys.
    public init() {}

    /// True if `host` is reachable from this machine only.
    public var isLoopback: Bool { HostName.isLocal(host) }
    /// True if a caller can be let in: a key that is not revoked, or an issuer of tokens.
    public var hasKeys: Bool {
        tokens != nil || keys?.keys.contains { $0.revoked == nil } ?? false
    }
    /// True if callers must show a key or token. Revoking the last key closes the server, it never
    /// opens it; an address that others can reach is always closed.
    public var requiresKey: Bool {
        tokens != nil || keys?.keys.isEmpty == false || !isLoopback
    }
}
