import HTTPTypes

/// Which methods each path has, to tell a wrong method from a wrong path, and whose API a path
/// belongs to.
struct RouteMap: Sendable {
    private struct Entry {
        let parts: [Substring]
        let endsInSlash: Bool
        let method: HTTPRequest.Method
        let form: WireForm
    }

    private let entries: [Entry]

    /// - Parameter routes: paths as routers write them; `{id}` stands for any one part. A path that
    ///   ends in a slash may be another API's than the one without.
    init(_ routes: [(path: String, method: HTTPRequest.Method, form: WireForm)]) {
        entries = routes.map {
            Entry(
                parts: Self.parts($0.path), endsInSlash: $0.path.hasSuffix("/"), method: $0.method,
                form: $0.form)
        }
    }

    /// The methods of a path, `HEAD` and `OPTIONS` among them; empty if nothing is there.
    func methods(at path: String) -> [HTTPRequest.Method] {
        var methods: [HTTPRequest.Method] = []
        for entry in entries(at: path) where !methods.contains(entry.method) {
            methods.append(entry.method)
        }
        if methods.contains(.get) { methods.append(.head) }
        return methods.isEmpty ? [] : methods + [.options]
    }

    /// What errors at a path look like.
    func form(at path: String) -> WireForm {
        entries(at: path).first?.form ?? .openAI
    }

    /// A path without a slash at its end.
    static func withoutEnd(_ path: String) -> String {
        path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    private func entries(at path: String) -> [Entry] {
        let parts = Self.parts(path), fitting = entries.filter { Self.fits(parts, $0.parts) }
        // As in the router, `/v1/memories/search` is no memory called so.
        let fewest = fitting.map { Self.placeholders($0.parts) }.min() ?? 0
        let nearest = fitting.filter { Self.placeholders($0.parts) == fewest }
        // Where a path with a slash at its end is another API's, neither has the other's methods.
        let exact = nearest.filter { $0.endsInSlash == path.hasSuffix("/") }
        return exact.isEmpty ? nearest : exact
    }

    private static func parts(_ path: String) -> [Substring] { path.split(separator: "/") }

    private static func placeholders(_ pattern: [Substring]) -> Int {
        pattern.count { $0.hasPrefix("{") }
    }

    private static func fits(_ parts: [Substring], _ pattern: [Substring]) -> Bool {
        parts.count == pattern.count
            && zip(parts, pattern).allSatisfy { $0 == $1 || $1.hasPrefix("{") }
    }
}
