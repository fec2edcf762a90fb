package import Foundation
import MnemeBase
import NIOConcurrencyHelpers
#if canImport(AsyncHTTPClient) && canImport(_AtomicsShims)
    import AsyncHTTPClient
#endif
#if canImport(CZlib) && canImport(_AtomicsShims)
    import CZlib
#endif
#if canImport(NIOCore) && canImport(_AtomicsShims)
    import NIOCore
#endif

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Fetches what lies behind a URL, into memory or a file; a file that was begun is continued.
///
/// Redirections are followed; a token is not sent on to another host. A file is continued with a
/// `Range` header (RFC 9110, 14): 206 goes on, 200 begins anew, and 416 for a file that is whole
/// already counts as done; checksums tell whether it is. One session a transfer: its delegate calls
/// come one after the other, so that a transfer's state needs its lock for look-up alone.
package final class Downloader: NSObject, URLSessionDataDelegate, Sendable {
    /// A transfer on its way, from its start until its continuation is resumed, which happens once.
    private struct Transfer: @unchecked Sendable {
        /// Open for appending while a file is written; nil for transfers into memory.
        var file: UnsafeMutablePointer<FILE>?
        /// The bytes of a transfer into memory.
        var data = Data()
        /// Bytes there before, and of the whole.
        var start = 0, total: Int?
        /// Bytes that came now; with ``start``, those that are there.
        var done = 0
        /// The file, if there is one.
        var path: String?
        /// The first fault; the transfer is cancelled then, and ends with it.
        var failure: ModelError?
        let progress: @Sendable (Int, Int?) -> Void
        let continuation: CheckedContinuation<Data, any Error>
    }
    /// By the tasks' identifiers.
    private let transfers = NIOLockedValueBox<[Int: Transfer]>([:])
    /// The hub's access token, sent to the first host alone.
    private let token: String?

    package init(token: String?) { self.token = token }

    /// Fetches up to 64 MiB into memory: lists and settings.
    ///
    /// - Throws: ``ModelError`` for answers other than success, and where the connection breaks.
    package func data(_ url: URL) async throws -> Data {
        try await run(url, into: nil, progress: { _, _ in })
    }

    /// Fetches into `path`; what the file holds already is taken for the beginning.
    ///
    /// - Parameter progress: bytes that are there, and of the whole if known; called on the
    ///   session's thread.
    /// - Throws: ``ModelError``, `CancellationError`. What came stays in the file, for the next
    ///   attempt.
    package func file(
        _ url: URL, into path: String, progress: @escaping @Sendable (Int, Int?) -> Void
    ) async throws {
        _ = try await run(url, into: path, progress: progress)
    }

    /// Starts the transfer and waits for its end; cancelling the task cancels it.
    private func run(
        _ url: URL, into path: String?, progress: @escaping @Sendable (Int, Int?) -> Void
    ) async throws
        -> Data
    {
        let settings = URLSessionConfiguration.ephemeral
        // A minute without a byte ends the transfer; the whole may take as long as it takes.
        settings.timeoutIntervalForRequest = 60
        let session = URLSession(configuration: settings, delegate: self, delegateQueue: nil)
        defer { session.finishTasksAndInvalidate() }
        var request = URLRequest(url: url)
        if let token { request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization") }
        // What is there already is not asked for again.
        let start =
            path.flatMap { try? FileManager.default.attributesOfItem(atPath: $0)[.size] as? Int }
            ?? 0
        if start > 0 { request.setValue("bytes=\(start)-", forHTTPHeaderField: "Range") }
        let task = session.dataTask(with: request)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                transfers.withLockedValue {
                    $0[task.taskIdentifier] = Transfer(
                        start: start, path: path, progress: progress, continuation: continuation)
                }
                task.resume()
            }
        } onCancel: {
            task.cancel()
        }
    }

    /// A redirection: the token is for the host that was asked.
    func urlSession(
        _ session: URLSession, task: URLSessionTask,
        willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest,
        completionHandler: @escaping @Sendable (URLRequest?) -> Void
    ) {
        var request = request
        if request.url?.host != task.originalRequest?.url?.host {
            request.setValue(nil, forHTTPHeaderField: "Authorization")
        }
        completionHandler(request)
    }

    /// The answer's head: refuses what is no success, and opens the file.
    func urlSession(
        _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
        completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
    ) {
        let proceeds = transfers.withLockedValue { transfers -> Bool in
            guard var transfer = transfers[dataTask.taskIdentifier] else { return false }
            defer { transfers[dataTask.taskIdentifier] = transfer }
            let status = (response as? HTTPURLResponse)?.statusCode ?? 0,
                host = response.url?.host ?? "the server"
            // A file that is whole already has no rest to send.
            if status == 416, transfer.start > 0 { return false }
            guard status == 200 || status == 206 else {
                let hint =
                    switch status {
                    case 401, 403:
                        "A key is missing or may not; models of the hub may need a licence to be accepted there, and a token in HF_TOKEN."
                    case 404: "Is the name right?"
                    default: "Try again later."
                    }
                transfer.failure = ModelError(
                    .cannotFetch,
                    "\(host) answered \(status) for \(response.url?.path ?? "the request"). \(hint)"
                )
                return false
            }
            // A server that knows no ranges sends all: the file begins anew.
            if status == 200 { transfer.start = 0 }
            if response.expectedContentLength > 0 {
                transfer.total = transfer.start + Int(response.expectedContentLength)
            }
            if let path = transfer.path {
                transfer.file = fopen(path, transfer.start > 0 ? "ab" : "wb")
                guard transfer.file != nil else {
                    transfer.failure = ModelError(
                        .cannotWrite, "Cannot write \(path): \(errnoText()).")
                    return false
                }
            }
            return true
        }
        completionHandler(proceeds ? .allow : .cancel)
    }

    /// A piece of the body: written at once, so that nothing but a piece is in memory.
    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        let stops = transfers.withLockedValue { transfers -> Bool in
            guard var transfer = transfers[dataTask.taskIdentifier], transfer.failure == nil else {
                return true
            }
            defer { transfers[dataTask.taskIdentifier] = transfer }
            if let file = transfer.file {
                let written = data.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, file) }
                guard written == data.count else {
                    transfer.failure = ModelError(
                        .cannotWrite, "Cannot write \(transfer.path ?? ""): \(errnoText()).")
                    return true
                }
            } else {
                transfer.data += data
                // Lists and settings are small; whatever is not is no answer to what was asked.
                guard transfer.data.count <= 64 << 20 else {
                    transfer.failure = ModelError(
                        .cannotFetch,
                        "\(dataTask.originalRequest?.url?.absoluteString ?? "") sends more than 64 MiB."
                    )
                    return true
                }
            }
            transfer.done += data.count
            transfer.progress(transfer.start + transfer.done, transfer.total)
            return false
        }
        if stops { dataTask.cancel() }
    }

    /// The end: closes the file, and resumes who waits, with the first fault if there was one.
    func urlSession(
        _ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?
    ) {
        guard
            let transfer = transfers.withLockedValue({ $0.removeValue(forKey: task.taskIdentifier) }
            )
        else { return }
        var failure: (any Error)? = transfer.failure
        if let file = transfer.file, fclose(file) != 0, failure == nil {
            failure = ModelError(
                .cannotWrite, "Cannot write \(transfer.path ?? ""): \(errnoText()).")
        }
        // A cancelled request is an error to the session, though here nothing is missing.
        let isWhole = (task.response as? HTTPURLResponse)?.statusCode == 416 && transfer.start > 0
        if failure == nil, let error, !isWhole {
            failure =
                (error as NSError).code == NSURLErrorCancelled
                ? CancellationError()
                : ModelError(
                    .cannotFetch,
                    "\(task.originalRequest?.url?.host ?? "The server") cannot be reached, or broke off: \(error.localizedDescription) Run it again: what came is kept."
                )
        }
        // A connection that ends early is no error to the session where it was closed in order.
        if failure == nil, let total = transfer.total, transfer.start + transfer.done < total {
            failure = ModelError(
                .cannotFetch,
                "\(task.originalRequest?.url?.host ?? "The server") broke off. Run it again: what came is kept."
            )
        }
        if let failure {
            transfer.continuation.resume(throwing: failure)
        } else {
            transfer.continuation.resume(returning: transfer.data)
        }
    }
}
