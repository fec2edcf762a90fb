import Foundation
import HTTPTypes
import Hummingbird
import MnemeBase
import MnemeHub
import NIOCore

/// An upstream's answer that is read to its end, whether the client that asked first stays or not.
///
/// Others may wait for it, and it is paid for. What a slow client has not taken yet lies in memory,
/// up to ``longest``; answers that are not kept are passed on without that (`ProxyServer.passed`).
struct RelayedAnswer: Sendable {
    /// A part of it.
    enum Part: Sendable {
        case head(status: Int, headers: HTTPFields)
        case bytes([UInt8])
    }
    private let parts: AsyncThrowingStream<Part, any Error>

    /// The largest answer that is read, in bytes; what is longer breaks off.
    static let longest = 64 << 20

    /// Begins to read.
    ///
    /// - Parameter keep: is called once, with the status, type and bytes of an answer that came
    ///   whole, or with nil. The answer's end waits for it, so that a client that has read an answer
    ///   and asks again finds what was kept.
    init(
        _ upstream: Upstream, _ call: OutgoingHTTP.Call,
        keep: @escaping @Sendable ((status: Int, type: String, body: Data)?) async -> Void
    ) {
        let (parts, continuation) = AsyncThrowingStream<Part, any Error>.makeStream()
        self.parts = parts
        // A task of its own: nobody's going away ends it, only the upstream or the time limit.
        Task {
            do {
                let opened = try await upstream.open(call)
                defer { withExtendedLifetime(opened.place) {} }
                let headers = Upstream.headers(of: opened.answer)
                continuation.yield(.head(status: opened.answer.status, headers: headers))
                var (body, ending) = (Data(), [UInt8]())
                for try await piece in opened.answer.body {
                    body += piece
                    guard body.count <= Self.longest else {
                        throw ClientError(
                            .tooLarge, code: "upstream_answer_too_large", status: 502,
                            "The upstream's answer is longer than \(Self.longest) bytes.")
                    }
                    // Clients read an event stream to its end mark, not to the end of its bytes.
                    let passed = ending.isEmpty ? Self.bytesBeforeEndMark(of: piece, endingIn: body) : 0
                    if passed > 0 { continuation.yield(.bytes(Array(piece[..<passed]))) }
                    ending += piece[passed...]
                }
                await keep((opened.answer.status, headers[.contentType] ?? "", body))
                if !ending.isEmpty { continuation.yield(.bytes(ending)) }
                continuation.finish()
            } catch {
                await keep(nil)
                continuation.finish(throwing: error)
            }
        }
    }

    /// What ends a stream of chat completions, with and without the blank behind the colon; no JSON text holds it, as it
    /// begins a line.
    private static let endMarks = ["\ndata: [DONE]", "\ndata:[DONE]"].map { Data($0.utf8) }

    /// Bytes of a stream's last piece that stand before the end mark, which may begin in the piece before; all without one.
    private static func bytesBeforeEndMark(of piece: [UInt8], endingIn body: Data) -> Int {
        let near = body.suffix(piece.count + endMarks[0].count)
        guard let mark = endMarks.lazy.compactMap({ near.range(of: $0) }).first else { return piece.count }
        return max(0, mark.lowerBound - (body.endIndex - piece.count))
    }

    /// The answer for the client, from its head on.
    ///
    /// - Throws: what kept the head from coming.
    func response() async throws -> Response {
        var parts = parts.makeAsyncIterator()
        guard case .head(let status, let headers)? = try await parts.next() else {
            throw ClientError(.unavailable, status: 502, "The upstream sent no answer.")
        }
        nonisolated(unsafe) let rest = parts
        return Response(
            status: HTTPResponse.Status(code: status), headers: headers,
            body: ResponseBody { writer in
                nonisolated(unsafe) var output = writer
                var rest = rest
                while case .bytes(let bytes)? = try await rest.next() {
                    try await output.write(ByteBuffer(bytes: bytes))
                }
                try await output.finish(nil)
            })
    }
}
