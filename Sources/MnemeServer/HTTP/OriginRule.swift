import Foundation

/// The web pages that may use the server through somebody's browser: those of this machine, the
/// server's own, and those that are named.
struct OriginRule: Sendable {
    /// Such as `https://chat.example.org`.
    let named: Set<String>

    init(named: Set<String> = []) { self.named = Set(named.map { $0.lowercased() }) }

    /// True if a page of this origin may use the server.
    ///
    /// - Parameters:
    ///   - origin: the page's, as the browser says it; `null` is that of files and of pages that
    ///     hide theirs.
    ///   - host: what the request calls the server. Whether the server goes by that name is asked
    ///     elsewhere.
    func allows(_ origin: String, host: String?) -> Bool {
        let origin = origin.lowercased()
        if named.contains(origin) { return true }
        guard let parts = URLComponents(string: origin), let scheme = parts.scheme,
            let name = parts.host
        else {
            return false
        }
        return HostName.isLocal(name) || origin == "\(scheme)://\(host?.lowercased() ?? "")"
    }
}

/// Names of machines.
enum HostName {
    /// The name in `localhost:8420` and `[::1]:8420`; nil if there is none.
    static func of(authority: String) -> String? {
        let name = URLComponents(string: "http://" + authority)?.host
        return name?.isEmpty ?? true ? nil : name?.lowercased()
    }

    /// True if a name stands for the machine itself. `127.example.org` does not.
    static func isLocal(_ name: String) -> Bool {
        if ["localhost", "::1", "[::1]"].contains(name.lowercased()) { return true }
        let numbers = name.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return numbers.count == 4 && numbers[0] == 127 && !numbers.contains(nil)
    }
}
