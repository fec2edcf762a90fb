import Foundation

/// Where a Redis server is, as a URL says it:
/// `redis://[[user]:password@]host[:port][/database]`, or `rediss://` for TLS, with the parameters
/// `ca` (a file of certificates of authorities that the server's may come from; those of the system
/// if left out), `cert` and `key` (files with this client's certificate and its key). All files are
/// in PEM form.
package struct RedisAddress: Sendable, Equatable {
    /// The host's name, or its address without brackets.
    package let host: String
    package let port: Int, database: Int
    /// The user and the password; nil if the server wants none.
    let user: String?, password: String?
    /// How a connection is encrypted; nil if it is not.
    let tls: TLS?

    /// Files of a connection over TLS.
    struct TLS: Sendable, Equatable {
        /// Authorities whose signature is believed; the system's if nil.
        var authorities: String?
        /// The certificate that this client shows, and the file of its key.
        var certificate: String?, key: String?
    }

    /// Reads a URL.
    ///
    /// - Throws: ``KVError`` if it is none. The message holds no password.
    package init(_ url: String) throws {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme,
            ["redis", "rediss"].contains(scheme), let host = parts.host, !host.isEmpty,
            (1...65535).contains(parts.port ?? 6379),
            let database = parts.path.count < 2 ? 0 : Int(parts.path.dropFirst()), database >= 0
        else {
            throw KVError(
                .unsupported,
                "'\(Self.withoutPassword(url))' is not redis://[[user]:password@]host[:port][/database], or rediss:// for TLS."
            )
        }
        self.host = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        (port, self.database) = (parts.port ?? 6379, database)
        user = parts.user.flatMap { $0.isEmpty ? nil : $0 }
        password = parts.password
        var files = TLS()
        for item in parts.queryItems ?? [] {
            guard scheme == "rediss", let file = item.value, !file.isEmpty else {
                throw Self.unknown(item.name, host)
            }
            switch item.name {
            case "ca": files.authorities = file
            case "cert": files.certificate = file
            case "key": files.key = file
            default: throw Self.unknown(item.name, host)
            }
        }
        guard (files.certificate == nil) == (files.key == nil) else {
            throw KVError(.unsupported, "The URL of \(host) names one of cert and key. They go together.")
        }
        tls = scheme == "rediss" ? files : nil
    }

    private static func unknown(_ parameter: String, _ host: String) -> KVError {
        KVError(
            .unsupported,
            "The URL of \(host) has a parameter '\(parameter.prefix(40))'. rediss:// takes ca, cert and key, each the path of a file; redis:// takes none."
        )
    }

    /// A URL without what stands before its host.
    private static func withoutPassword(_ url: String) -> String {
        String(url.replacing(/\/\/[^\/]*@/, with: "//").prefix(200))
    }

    /// The URL without user and password, as a file may keep it: it names the same data.
    package var publicURL: String {
        var parts = URLComponents()
        parts.scheme = tls == nil ? "redis" : "rediss"
        parts.host = host.contains(":") ? "[\(host)]" : host
        parts.port = port
        parts.path = "/\(database)"
        let files = [("ca", tls?.authorities), ("cert", tls?.certificate), ("key", tls?.key)]
        let items = files.compactMap { name, file in file.map { URLQueryItem(name: name, value: $0) } }
        if !items.isEmpty { parts.queryItems = items }
        return parts.string ?? "redis://\(host):\(port)/\(database)"
    }
}
