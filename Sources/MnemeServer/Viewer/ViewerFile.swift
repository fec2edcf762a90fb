import CMnemeViewer
import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import MnemeBase
import NIOCore

/// A file of the viewer: the pages on which people see what is remembered, and why it was found.
///
/// The pages are read by anybody and say nothing; what they show they ask for like every client,
/// with the key that the visitor gives them.
struct ViewerFile: Sendable {
    /// The path that it is served at.
    let path: String
    /// Its content type.
    private let type: String
    /// The bytes that are sent.
    private let body: ByteBuffer
    /// Changes with the content, so that a browser asks again and is sent only what is new.
    private let tag: String

    /// Every file; the first page is at `/`.
    static let all = (0..<mnm_viewer_file_count()).map { ViewerFile(mnm_viewer_file_at($0)) }

    private init(_ file: mnm_viewer_file) {
        let bytes = UnsafeRawBufferPointer(start: file.bytes, count: file.size)
        path = "/" + String(cString: file.path)
        type = String(cString: file.type)
        body = ByteBuffer(bytes: bytes)
        tag = "\"" + Hexadecimal.string(SHA256.hash(data: bytes).prefix(12)) + "\""
    }

    /// The file, or that it is still what the browser has.
    func response(to request: Request) -> Response {
        var headers = Self.protection
        headers[.eTag] = tag
        // Kept, and asked for again each time: a new version of the program shows at once.
        headers[.cacheControl] = "no-cache"
        let known = request.headers[.ifNoneMatch]?.split(separator: ",").map {
            $0.trimmingCharacters(in: .whitespaces)
        }
        if known?.contains(where: { $0 == "*" || $0 == tag || $0 == "W/" + tag }) ?? false {
            return Response(status: .notModified, headers: headers)
        }
        headers[.contentType] = type
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: body))
    }

    /// The policy of a page's content: the browser may do nothing but run the server's own scripts,
    /// use its own styles and ask the server itself. Memories are texts of strangers; should one
    /// ever become markup, it loads nothing, runs nothing and sends nothing.
    static let policy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
        "img-src 'self' data:", "base-uri 'none'", "form-action 'none'",
        "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
    ].joined(separator: "; ")

    /// The headers of every file.
    private static let protection: HTTPFields = [
        .contentSecurityPolicy: policy,
        .xContentTypeOptions: "nosniff",
        .referrerPolicy: "no-referrer",
        .crossOriginOpenerPolicy: "same-origin",
        .crossOriginResourcePolicy: "same-origin",
    ]
}

extension MemoryServer {
    /// The viewer's files, which anybody may read without a key.
    func viewerEndpoints() -> [Endpoint] {
        ViewerFile.all.map { file in
            let route =
                file.path == ServedRoute.viewer.path
                ? ServedRoute.viewer
                : ServedRoute(.get, file.path, operation: "viewer", isPublic: true)
            return Endpoint(route: route) { request, _ in file.response(to: request) }
        }
    }
}

extension HTTPField.Name {
    fileprivate static let referrerPolicy = Self("Referrer-Policy")!
    fileprivate static let crossOriginOpenerPolicy = Self("Cross-Origin-Opener-Policy")!
}
