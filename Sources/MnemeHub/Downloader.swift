import AsyncHTTPClient
package import Foundation
import MnemeBase
import NIOCore
import NIOHTTP1

/// Fetches what lies behind a URL, into memory or a file; a file that was begun is continued.
///
/// Redirections are followed; a token is not sent on to another host. A file is continued with a
/// `Range` header (RFC 9110, 14): 206 goes on, 200 begins anew, and 416 for a file that is whole
/// already counts as done; checksums tell whether it is.
package struct Downloader: Sendable {
    /// The hub's access token, sent to the first host alone.
    private let token: String?

    package init(token: String?) { self.token = token }

    /// Fetches up to 64 MiB into memory: lists and settings.
    ///
    /// - Throws: ``ModelError`` for answers other than success, and where the connection breaks.
    package func data(_ url: URL) async throws -> Data {
        let (response, _) = try await open(url, start: 0)
        do {
            return Data(try await response.body.collect(upTo: 64 << 20).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw ModelError(.cannotFetch, "\(url.absoluteString) sends more than 64 MiB.")
        } catch { throw Self.broken(url, error) }
    }

    /// Fetches into `path`; what the file holds already is taken for the beginning.
    ///
    /// - Parameter progress: bytes that are there, and of the whole if known.
    /// - Throws: ``ModelError``, `CancellationError`. What came stays in the file, for the next
    ///   attempt.
    package func file(
        _ url: URL, into path: String, progress: @escaping @Sendable (Int, Int?) -> Void
    ) async throws {
        // What is there already is not asked for again.
        let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
        let (response, start) = try await open(url, start: size ?? 0)
        guard response.status != .rangeNotSatisfiable else { return }
        let length = response.headers.first(name: "Content-Length").flatMap(Int.init)
        let total = length.map { start + $0 }
        guard let file = fopen(path, start > 0 ? "ab" : "wb") else {
            throw ModelError(.cannotWrite, "Cannot write \(path): \(errnoText()).")
        }
        var done = start
        do {
            do {
                for try await piece in response.body {
                    // Written at once, so that nothing but a piece is in memory.
                    let isWritten = piece.withUnsafeReadableBytes {
                        fwrite($0.baseAddress, 1, $0.count, file) == $0.count
                    }
                    guard isWritten else {
                        throw ModelError(.cannotWrite, "Cannot write \(path): \(errnoText()).")
                    }
                    done += piece.readableBytes
                    progress(done, total)
                }
            } catch let error where !(error is ModelError) { throw Self.broken(url, error) }
        } catch {
            fclose(file)
            throw error
        }
        guard fclose(file) == 0 else {
            throw ModelError(.cannotWrite, "Cannot write \(path): \(errnoText()).")
        }
        guard done >= total ?? 0 else {
            throw ModelError(
                .cannotFetch,
                "\(url.host ?? "The server") broke off. Run it again: what came is kept.")
        }
    }

    /// Asks for all from a byte on, and reads the answer's head.
    ///
    /// - Returns: the answer, whose body is still to come, and the byte at which it begins. The
    ///   status is 200, 206, or 416 where a file is whole already.
    /// - Throws: ``ModelError`` for other answers, and where there is none.
    private func open(_ url: URL, start: Int) async throws -> (HTTPClientResponse, Int) {
        var request = HTTPClientRequest(url: url.absoluteString)
        request.headers.add(name: "User-Agent", value: "mneme")
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if start > 0 { request.headers.add(name: "Range", value: "bytes=\(start)-") }
        let response: HTTPClientResponse
        do {
            // The whole may take as long as it takes: a minute without a byte ends it.
            response = try await OutgoingHTTP.client(for: url).execute(
                request, timeout: .hours(24 * 7))
        } catch { throw Self.broken(url, error) }
        let status = Int(response.status.code)
        let place = response.url ?? url
        if status == 416, start > 0 { return (response, start) }
        // A server that knows no ranges sends all: the file begins anew.
        if status == 200 { return (response, 0) }
        if status == 206 { return (response, start) }
        let hint =
            switch status {
            case 401, 403:
                "A key is missing or may not; models of the hub may need a licence to be accepted there, and a token in HF_TOKEN."
            case 404: "Is the name right?"
            default: "Try again later."
            }
        throw ModelError(
            .cannotFetch,
            "\(place.host ?? "The server") answered \(status) for \(place.path). \(hint)")
    }

    /// The error of a connection that was not made or broke off; a cancelled task's stays one.
    private static func broken(_ url: URL, _ error: any Error) -> any Error {
        guard !Task.isCancelled, !(error is CancellationError) else { return CancellationError() }
        return ModelError(
            .cannotFetch,
            "\(url.host ?? "The server") cannot be reached, or broke off: \(OutgoingHTTP.reason(error)). Run it again: what came is kept."
        )
    }
}
