import HTTPTypes

/// Which methods each path has, to tell a wrong method from a wrong path.
struct RouteMap: Sendable {
    private let routes: [(path: [Substring], method: HTTPRequest.Method)]

    /// - Parameter routes: paths as routers write them; `{id}` stands for any one part.
    init(_ routes: [(path: String, method: HTTPRequest.Method)]) {
        self.routes = routes.map { (Self.parts($0.path), $0.method) }
    }

    /// The methods of a path, `HEAD` and `OPTIONS` among them; empty if nothing is there.
    func methods(at path: String) -> [HTTPRequest.Method] {
        let parts = Self.parts(path), fitting = routes.filter { Self.fits(parts, $0.path) }
        // As in the router, `/v1/memories/search` is no memory called so.
        let fewest = fitting.map { Self.placeholders($0.path) }.min() ?? 0
        var methods: [HTTPRequest.Method] = []
        for route in fitting
        where Self.placeholders(route.path) == fewest && !methods.contains(route.method) {
            methods.append(route.method)
        }
        if methods.contains(.get) { methods.append(.head) }
        return methods.isEmpty ? [] : methods + [.options]
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
