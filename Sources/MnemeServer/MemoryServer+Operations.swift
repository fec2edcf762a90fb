import Foundation
import HTTPTypes
import Hummingbird
import Mneme
import MnemeStore
import NIOCore

/// The operation table over HTTP.
extension MemoryServer {
    /// Carries out an operation of the table with what the request gives it.
    func run(
        _ operation: any Mneme.Operation.Type, _ route: Route, _ request: Request,
        _ context: ConnectionContext,
        _ caller: Caller
    ) async throws -> Response {
        var arguments: [String: JSONValue] = [:]
        if route.method == .get || route.method == .delete {
            for (name, value) in try QueryString.items(request.uri.query ?? "") {
                guard let given = arguments[name] else {
                    arguments[name] = .string(value)
                    continue
                }
                guard operation.parameters.contains(where: { $0.name == name && $0.isList }) else {
                    throw InputError("'\(name.prefix(60))' stands in the query twice.")
                }
                arguments[name] = .array((given.array ?? [given]) + [.string(value)])
            }
        } else {
            arguments = try JSONValue.object(try await body(request))
        }
        for (name, value) in context.parameters {
            guard arguments[String(name)] == nil else {
                throw InputError("'\(name)' stands in the path and again in the request.")
            }
            arguments[String(name)] = .string(
                String(value).removingPercentEncoding ?? String(value))
        }
        if let key = request.headers[.idempotencyKey],
            operation.parameters.contains(where: { $0.name == "idempotency_key" })
        {
            arguments["idempotency_key"] = .string(key)
        }
        let output = try await operation.call(
            arguments,
            OperationContext(memory: memory, principal: caller.principal, request: caller.request),
            surface: .http)
        var response: Response
        switch output {
        case .value(let value):
            response = .json(text: try OperationTable.encode(value))
        case .lines(let lines):
            response = Response(
                status: .ok, headers: [.contentType: "application/x-ndjson"],
                body: ResponseBody { writer in
                    do {
                        for try await line in lines {
                            try await writer.write(ByteBuffer(string: line + "\n"))
                        }
                    } catch {
                        _ = ClientError(
                            error, log: logger, operation: caller.operation, request: caller.request
                        )
                        throw error
                    }
                    try await writer.finish(nil)
                })
        }
        if operation.parameters.contains(where: { $0.name == "user" }) {
            nameServer(
                of: try caller.principal.owner(
                    tenant: arguments["tenant"]?.string, user: arguments["user"]?.string),
                in: &response)
        }
        return response
    }

    /// The whole body of a request.
    ///
    /// - Throws: ``ClientError`` if it is larger than the configuration allows.
    func body(_ request: Request) async throws -> [UInt8] {
        if let length = request.headers[.contentLength].flatMap({ Int($0) }),
            length > configuration.maximumBody
        {
            throw tooLarge
        }
        do {
            let buffer = try await request.body.collect(upTo: configuration.maximumBody)
            return Array(buffer.readableBytesView)
        } catch is NIOTooManyBytesError { throw tooLarge }
    }

    /// The error for a body that is too large, whether its length was announced or not.
    private var tooLarge: ClientError {
        ClientError(.tooLarge, "The request is larger than \(configuration.maximumBody) bytes.")
    }
}

extension HTTPField.Name {
    fileprivate static let idempotencyKey = Self("Idempotency-Key")!
}
