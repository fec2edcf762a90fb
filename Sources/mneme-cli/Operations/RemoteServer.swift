import Foundation
import Mneme
import MnemeBase
import MnemeHub

/// A running server that operations are sent to, in the place of a store on this machine.
struct RemoteServer {
    /// Its address, and the key that it asks for.
    private let url: URL, key: String?

    /// - Throws: `InputError` for what is no address.
    init(_ address: String, key: String? = keyOfEnvironment) throws {
        guard let url = URL(string: address), ["http", "https"].contains(url.scheme),
            url.host != nil
        else {
            throw InputError("'\(address.prefix(200))' is no address such as http://127.0.0.1:8420.")
        }
        (self.url, self.key) = (url, key)
    }

    /// The server's key; never the one that encrypts what lies on disk (`MNEME_KEY`).
    static var keyOfEnvironment: String? {
        ProcessInfo.processInfo.environment["MNEME_API_KEY"].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Sends an operation, and returns the answer's text: JSON, or JSON lines.
    ///
    /// - Parameter arguments: by the parameters' names; a file to import is read and sent.
    /// - Throws: `InputError` for operations and parameters that servers do not offer, ``Refusal``
    ///   for what the server refuses, and where it does not answer.
    func call(_ operation: any Mneme.Operation.Type, _ arguments: [String: JSONValue]) async throws
        -> Data
    {
        guard let route = operation.route else {
            throw InputError(
                "`\(operation.name)` is done where the store is: leave out --server and MNEME_SERVER.")
        }
        var arguments = arguments
        if let path = arguments["path"]?.string, operation == ImportOperation.self {
            arguments["path"] = nil
            arguments["data"] = .string(try Self.content(path))
        }
        let offered = operation.parameters.filter { $0.surfaces.contains(.http) }.map(\.name)
        if let other = arguments.keys.sorted().first(where: { !offered.contains($0) }) {
            throw InputError(
                "A server does not take '\(other)': leave out --server and MNEME_SERVER.")
        }
        var path = route.path
        for (name, value) in arguments where path.contains("{\(name)}") {
            path = path.replacing("{\(name)}", with: Self.escaped(value.string ?? ""))
            arguments[name] = nil
        }
        var address = url.absoluteString
        if address.hasSuffix("/") { address.removeLast() }
        address += path
        var headers: [String: String] = [:]
        var body: Data?
        if route.method == .get || route.method == .delete {
            let items = arguments.sorted { $0.key < $1.key }.flatMap { name, value in
                (value.array ?? [value]).map { "\(name)=\(Self.escaped(Self.text($0)))" }
            }
            if !items.isEmpty { address += "?" + items.joined(separator: "&") }
        } else {
            headers["Content-Type"] = "application/json"
            body = Data(try OperationTable.encode(JSONValue.object(arguments)).utf8)
        }
        if let key { headers["Authorization"] = "Bearer \(key)" }
        guard let target = URL(string: address) else {
            throw InputError("'\(address.prefix(200))' is no address.")
        }
        do {
            let answer = try await OutgoingHTTP.send(
                route.method.rawValue, target, headers: headers, body: body, seconds: 600,
                limit: 1 << 30)
            guard (200..<300).contains(answer.status) else { throw Refusal(answer, url) }
            return answer.body
        } catch let failure as OutgoingHTTP.Failure {
            throw Refusal(
                message: "\(url.absoluteString) does not answer: \(failure.reason). Does `mneme serve` run there?",
                errorClass: .unavailable)
        }
    }

    /// The text of a file to import; servers read no paths.
    private static func content(_ path: String) throws -> String {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
            !isFolder.boolValue, let data = FileManager.default.contents(atPath: path)
        else { throw InputError("\(path) is no file that can be read; servers take one file a call.") }
        return String(decoding: data, as: UTF8.self)
    }

    /// A value in a query.
    private static func text(_ value: JSONValue) -> String {
        value.string ?? ((try? OperationTable.encode(value)) ?? "")
    }

    /// Text as a part of an address: all but unreserved characters (RFC 3986) in percent signs.
    private static func escaped(_ text: String) -> String {
        let kept = CharacterSet(charactersIn: "-._~").union(.init(charactersIn: "0"..."9"))
            .union(.init(charactersIn: "a"..."z")).union(.init(charactersIn: "A"..."Z"))
        return text.addingPercentEncoding(withAllowedCharacters: kept) ?? ""
    }

    /// The server's refusal, or its silence.
    struct Refusal: MnemeError {
        var message: String
        var errorClass: ErrorClass

        /// Takes the message of an answer in Mneme's form, and the class that its status stands
        /// for.
        fileprivate init(_ answer: OutgoingHTTP.Answer, _ url: URL) {
            let error = (try? JSONValue(parsing: Array(answer.body)))?["error"]
            errorClass =
                error?["type"]?.string.flatMap(ErrorClass.init)
                ?? ((400..<500).contains(answer.status) ? .input : .unavailable)
            message =
                error?["message"]?.string
                ?? "\(url.absoluteString) answered \(answer.status). Is it a server of Mneme?"
            if answer.status == 401 { message += " MNEME_API_KEY holds the server's key." }
        }

        fileprivate init(message: String, errorClass: ErrorClass) {
            (self.message, self.errorClass) = (message, errorClass)
        }
    }
}
