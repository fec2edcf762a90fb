package import Foundation
import MnemeBase
import NIOConcurrencyHelpers

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Fetches what lies behind a URL, into memory or a file; a file that was begun is continued.
///
/// Redirections are followed; a token is not sent on to another host.
package final class Downloader: NSObject, URLSessionDataDelegate, Sendable {
    private struct Transfer: @unchecked Sendable {
        var file: UnsafeMutablePointer<FILE>?
        var data = Data()
        /// Bytes there before, and of the whole.
        var start = 0, total: Int?
        var done = 0
        var path: String?
        var failure: ModelError?
        let progress: @Sendable (Int, Int?) -> Void
        let continuation: CheckedContinuation<Data, any Error>
    }
    private let transfers = NIOLockedValueBox<[Int: Transfer]>([:])
    /// Sent to the first host.
    private let token: String?

    package init(token: String?) { self.token = token }

    /// - Throws: ``ModelError`` for answers other than success, and where the connection breaks.
    package func data(_ url: URL) async throws -> Data {
        try await run(url, into: nil, progress: { _, _ in })
    }

    /// Fetches into `path`; what the file holds already is taken for the beginning.
    ///
    /// - Parameter progress: bytes that are there, and of the whole if known.
    package func file(
        _ url: URL, into path: String, progress: @escaping @Sendable (Int, Int?) -> Void
    ) async throws {
        _ = try await run(url, into: path, progress: progress)
    }

    private func run(
        _ url: URL, into path: String?, progress: @escaping @Sendable (Int, Int?) -> Void
    ) async throws
        -> Data
    {
        let settings = URLSessionConfiguration.ephemeral
        settings.timeoutIntervalForRequest = 60
        let session = URLSession(configuration: settings, delegate: self, delegateQueue: nil)
        defer { session.finishTasksAndInvalidate() }
        var request = URLRequest(url: url)
        if let token { request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization") }
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
