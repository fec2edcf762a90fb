import Foundation
import Mneme
import MnemeServer
import MnemeStore
import Testing

@Suite(.serialized) struct ViewerTests {
    /// Files that the first page loads before anything is clicked.
    private static let first = [
        "", "viewer/viewer.css", "viewer/icon.svg", "viewer/app.js", "viewer/api.js",
        "viewer/dom.js", "viewer/parts.js", "viewer/pages/memories.js",
    ]
    private static let pages = [
        "memories", "memory", "ask", "timeline", "links", "tiers", "quarantine", "chat",
        "models", "vaults", "jobs", "audit", "keys",
    ]

    private func address(_ base: URL, _ path: String) -> URL { URL(string: "\(base)/\(path)")! }

    @Test func `every page's files are served to anybody, and the first page is small`()
        async throws
    {
        try await withServer(keys: [("reader", [.read], "ana")]) { base, _, _ in
            var size = 0
            for path in Self.first + Self.pages.map({ "viewer/pages/\($0).js" }) {
                let answer = try await send("GET", address(base, path))
                #expect(answer.status == 200 && !answer.data.isEmpty, "\(path)")
                if Self.first.contains(path) { size += answer.data.count }
            }
            #expect(size < 100_000)
            #expect(try await send("GET", address(base, "viewer/pages/nothing.js")).status == 404)
            #expect(try await send("POST", address(base, ""), json([:])).status == 405)
        }
    }

    @Test func `files have their types, a strict policy and no way to be sniffed or framed`()
        async throws
    {
        try await withServer { base, _, _ in
            for (path, type) in [
                ("", "text/html; charset=utf-8"),
                ("viewer/viewer.css", "text/css; charset=utf-8"),
                ("viewer/app.js", "text/javascript; charset=utf-8"),
                ("viewer/icon.svg", "image/svg+xml"),
            ] {
                let headers = try await send("GET", address(base, path)).headers
                #expect(headers["Content-Type"] as? String == type)
                #expect(headers["X-Content-Type-Options"] as? String == "nosniff")
                #expect(headers["Referrer-Policy"] as? String == "no-referrer")
                #expect(headers["Cross-Origin-Opener-Policy"] as? String == "same-origin")
                #expect(headers["Cross-Origin-Resource-Policy"] as? String == "same-origin")
                let policy = headers["Content-Security-Policy"] as? String ?? ""
                for part in [
                    "default-src 'none'", "script-src 'self'", "style-src 'self'",
                    "connect-src 'self'", "img-src 'self' data:", "base-uri 'none'",
                    "form-action 'none'", "frame-ancestors 'none'",
                    "require-trusted-types-for 'script'",
                ] {
                    #expect(policy.components(separatedBy: "; ").contains(part), "\(part)")
                }
                #expect(!policy.contains("unsafe"))
            }
        }
    }

    @Test func `a file that has not changed is not sent again, and HEAD sends none`()
        async throws
    {
        try await withServer { base, _, _ in
            for path in ["", "viewer/app.js"] {
                let url = address(base, path)
                let whole = try await send("GET", url)
                let tag = try #require(whole.headers["Etag"] as? String ?? whole.headers["ETag"] as? String)
                #expect(tag.hasPrefix("\"") && tag.hasSuffix("\"") && tag.count > 10)
                #expect(whole.headers["Cache-Control"] as? String == "no-cache")
                let again = try await send("GET", url, headers: ["If-None-Match": "\"x\", W/\(tag)"])
                #expect(again.status == 304 && again.data.isEmpty)
                let other = try await send("GET", url, headers: ["If-None-Match": "\"x\""])
                #expect(other.status == 200 && other.data == whole.data)
                let head = try await send("HEAD", url)
                #expect(head.status == 200 && head.data.isEmpty)
                #expect(head.headers["Content-Length"] as? String == "\(whole.data.count)")
            }
        }
    }

    @Test func `pages hold no script or style of their own, and nothing makes markup of a text`()
        async throws
    {
        try await withServer { base, _, _ in
            let page = String(
                decoding: try await send("GET", address(base, "")).data, as: UTF8.self)
            for forbidden in [
                "<style", " style=", " onclick", " onload", "javascript:", "http:", "https:",
            ] {
                #expect(!page.contains(forbidden), "\(forbidden)")
            }
            #expect(page.components(separatedBy: "<script").count == 2)
            #expect(page.contains(#"<script type="module" src="viewer/app.js"></script>"#))
            let scripts =
                ["app", "api", "dom", "parts", "layout"] + Self.pages.map { "pages/\($0)" }
            for name in scripts {
                let text = String(
                    decoding: try await send("GET", address(base, "viewer/\(name).js")).data,
                    as: UTF8.self)
                for forbidden in [
                    "innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(",
                    "new Function", "localStorage", "document.cookie", "createContextualFragment",
                    "DOMParser", "srcdoc",
                ] {
                    #expect(!text.contains(forbidden), "\(name): \(forbidden)")
                }
            }
        }
    }

    @Test func `a page of another machine is refused, and the viewer shows it nothing`()
        async throws
    {
        try await withServer { base, _, _ in
            for path in ["", "viewer/app.js", "v1/whoami"] {
                let answer = try await send(
                    "GET", address(base, path), headers: ["Origin": "http://evil.example"])
                #expect(answer.status == 403, "\(path)")
            }
            // A name that was rebound gets the empty frame at most.
            #expect(
                try await send(
                    "GET", address(base, "v1/whoami"), headers: ["Host": "rebound.example"]
                ).status == 403)
        }
    }
}
