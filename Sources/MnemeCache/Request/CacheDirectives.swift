import Foundation

/// What a client wants of the cache: headers `Cache-Control` (RFC 9111) and `X-Mneme-Cache`.
public struct CacheDirectives: Sendable, Equatable {
    /// True if a kept answer may be given.
    public var reads = true
    /// True if the answer may be kept.
    public var writes = true
    /// Seconds that a kept answer may be old, if the client says so.
    public var maximumAge: Double?
    /// True if the client wants no answer rather than one from the upstream.
    public var isOnlyCached = false

    /// Reads the headers; what is not known is passed over, as the RFC wants.
    ///
    /// - Parameters:
    ///   - header: `Cache-Control`.
    ///   - own: `X-Mneme-Cache`: `bypass` neither reads nor writes, `refresh` only writes.
    public init(_ header: String?, own: String? = nil) {
        for directive in (header ?? "").lowercased().split(separator: ",") {
            let parts = directive.split(separator: "=", maxSplits: 1).map {
                $0.trimmingCharacters(in: CharacterSet(charactersIn: " \t\""))
            }
            switch parts.first {
            case "no-store": (reads, writes) = (false, false)
            case "no-cache": reads = false
            case "only-if-cached": isOnlyCached = true
            case "max-age":
                maximumAge = parts.count > 1 ? Double(parts[1]).flatMap { $0 >= 0 ? $0 : nil } : nil
            default: break
            }
        }
        switch own?.lowercased() {
        case "bypass": (reads, writes) = (false, false)
        case "refresh": reads = false
        default: break
        }
    }
}
