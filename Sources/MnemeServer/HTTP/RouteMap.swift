import HTTPTypes

/// The methods of each path, to tell a wrong method from a wrong path, and whose API a path belongs
/// to.
struct RouteMap: Sendable {
    /// A route: its path's parts, method, and the API that it belongs to.
    private struct Entry {
        let parts: [Substring]
        let endsInSlash: Bool
        let method: HTTPRequest.Method
        let form: WireForm
    }

    /// All routes, in the order in which they were given.
    private let entries: [Entry]

    /// Splits the routes' paths once, so that a request only compares parts.
    ///
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

    /// The form of errors at a path; OpenAI's where no route is.
    func form(at path: String) -> WireForm {
        entries(at: path).first?.form ?? .openAI
    }

    /// A path without a slash at its end.
    static func withoutEnd(_ path: String) -> String {
        path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    /// The routes of a path, those with the fewest placeholders alone. O(routes).
    private func entries(at path: String) -> [Entry] {
        let parts = Self.parts(path)
        let fitting = entries.filter { Self.fits(parts, $0.parts) }
        // As in the router, `/v1/memories/search` is no memory called so.
        let fewest = fitting.map { Self.placeholders($0.parts) }.min() ?? 0
        let nearest = fitting.filter { Self.placeholders($0.parts) == fewest }
        // Where a path with a slash at its end is another API's, neither has the other's methods.
        let exact = nearest.filter { $0.endsInSlash == path.hasSuffix("/") }
        return exact.isEmpty ? nearest : exact
    }

    /// The parts between slashes; empty ones count for nothing.
    private static func parts(_ path: String) -> [Substring] { path.split(separator: "/") }

    /// Parts of a pattern that stand for any one part.
    private static func placeholders(_ pattern: [Substring]) -> Int {
        pattern.count { $0.hasPrefix("{") }
    }

    /// True if a path has as many parts as a pattern, each equal or for a placeholder.
    private static func fits(_ parts: [Substring], _ pattern: [Substring]) -> Bool {
        parts.count == pattern.count
            && zip(parts, pattern).allSatisfy { $0 == $1 || $1.hasPrefix("{") }
    }
}
