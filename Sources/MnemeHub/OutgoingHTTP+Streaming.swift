import AsyncHTTPClient
package import Foundation
import NIOCore
import NIOHTTP1

extension OutgoingHTTP {
    /// A request to another machine.
    package struct Call: Sendable {
        package var method: String
        package var url: URL
        package var headers: [(name: String, value: String)]
        package var body: Data?

        package init(
            _ method: String, _ url: URL, headers: [(name: String, value: String)] = [],
            body: Data? = nil
        ) {
            (self.method, self.url, self.headers, self.body) = (method, url, headers, body)
        }
    }

    /// An answer whose body comes piece by piece.
    package struct Incoming: Sendable {
        /// The HTTP status.
        package let status: Int
        package let headers: [(name: String, value: String)]
        package let body: Pieces
    }

    /// The pieces of a body: whoever takes the next one late lets the other side wait.
    package struct Pieces: AsyncSequence, Sendable {
        package typealias Element = [UInt8]
        fileprivate let body: HTTPClientResponse.Body

        package struct AsyncIterator: AsyncIteratorProtocol {
            fileprivate var base: HTTPClientResponse.Body.AsyncIterator

            /// - Throws: ``Failure`` if the connection breaks off or the time is over.
            package mutating func next() async throws -> [UInt8]? {
                do {
                    return try await base.next().map { Array($0.readableBytesView) }
                } catch let error where !Task.isCancelled {
                    throw OutgoingHTTP.Failure(reason: reason(error))
                }
            }
        }

        package func makeAsyncIterator() -> AsyncIterator {
            AsyncIterator(base: body.makeAsyncIterator())
        }
    }

    /// Sends a request and gives the answer as soon as its head is there. Redirections are answers.
    ///
    /// - Parameter seconds: until the answer is there whole; between its pieces any time may pass.
    /// - Throws: ``Failure`` if no head came.
    package static func open(_ call: Call, seconds: Int64) async throws -> Incoming {
        var request = HTTPClientRequest(url: call.url.absoluteString)
        request.method = .init(rawValue: call.method)
        for (name, value) in call.headers { request.headers.add(name: name, value: value) }
        if let body = call.body { request.body = .bytes(ByteBuffer(bytes: body)) }
        do {
            let answer = try await client(for: call.url, isPatient: true).execute(
                request, deadline: .now() + .seconds(seconds))
            return Incoming(
                status: Int(answer.status.code),
                headers: answer.headers.map { (name: $0.name, value: $0.value) },
                body: Pieces(body: answer.body))
        } catch let error where !Task.isCancelled {
            throw Failure(reason: reason(error))
        }
    }
}
