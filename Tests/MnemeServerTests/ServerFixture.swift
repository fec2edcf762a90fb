import Foundation
import Logging
import Mneme
import MnemeBase
import MnemeEngine
import MnemeModels
import MnemeServer
import MnemeStore
import Testing

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A server on loopback with a store of its own, stopped at the end.
func withServer(
    keys: [(String, Set<Permission>, String?)] = [], limits: (inout APIKey) -> Void = { _ in },
    embedder: (any TextEmbedder)? = nil, language: (model: LanguageModel, engine: Engine)? = nil,
    logger given: Logger? = nil, change: (inout ServerConfiguration) -> Void = { _ in },
    _ body: (_ base: URL, _ secrets: [String], _ memory: MemoryOS) async throws -> Void
) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
        "mneme-\(UUID().uuidString)"
    ).path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let store = try SQLiteMemoryStore(
        path: folder + "/store.db", analyzer: MemoryOS.analyzerVersion)
    let memory = MemoryOS(store: store, embedder: embedder)
    let file = try KeyFile(path: folder + "/keys.json")
    let secrets = try keys.map {
        try file.create(
            name: $0.0, permissions: $0.1, user: $0.2, tenant: nil, expires: nil, limits: limits
        ).secret
    }
    var configuration = ServerConfiguration()
    configuration.port = 0
    configuration.keys = file
    change(&configuration)
    var logger = given ?? Logger(label: "test")
    if given == nil { logger.logLevel = .critical }
    let server = try MemoryServer(
        memory: memory, language: language, configuration: configuration, logger: logger)
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run { continuation.yield($0) } }
        var iterator = ports.makeAsyncIterator()
        let port = try #require(await iterator.next())
        do { try await body(URL(string: "http://127.0.0.1:\(port)")!, secrets, memory) } catch {
            group.cancelAll()
            throw error
        }
        group.cancelAll()
    }
}

func send(
    _ method: String, _ url: URL, _ body: Data? = nil, key: String? = nil,
    headers: [String: String] = [:]
) async throws -> (status: Int, json: JSONValue, data: Data, headers: [AnyHashable: Any]) {
    var request = URLRequest(url: url)
    request.httpMethod = method
    request.httpBody = body
    // Other tests may have the machine for minutes.
    request.timeoutInterval = 300
    if body != nil { request.setValue("application/json", forHTTPHeaderField: "Content-Type") }
    if let key { request.setValue("Bearer " + key, forHTTPHeaderField: "Authorization") }
    for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
    let (data, response) = try await URLSession.shared.data(for: request)
    let http = try #require(response as? HTTPURLResponse)
    return (
        http.statusCode, (try? JSONDecoder().decode(JSONValue.self, from: data)) ?? .null, data,
        http.allHeaderFields
    )
}

func json(_ value: JSONValue) throws -> Data { Data(try OperationTable.encode(value).utf8) }

/// Vectors by the letters of a text, so that the embeddings endpoint answers without a model.
struct ToyEmbedder: TextEmbedder {
    let identifier = "toy", dimension = 4, maximumTokens = 100
    func embed(_ texts: [String]) throws -> Embeddings {
        Embeddings(
            dimension: 4,
            values: texts.flatMap { text -> [Float] in
                let counts = text.utf8.reduce(into: [1, 0, 0, 0]) { $0[Int($1 & 3)] += 1 as Float }
                let length = counts.reduce(0) { $0 + $1 * $1 }.squareRoot()
                return counts.map { $0 / length }
            })
    }
    func tokenCount(_ text: String) -> Int { text.utf8.count }
}

/// A connection whose bytes are sent and read as they are. One task uses it at a time.
final class RawConnection: @unchecked Sendable {
    private let descriptor: Int32
    private var wasClosed = false

    init(port: UInt16) throws {
        #if os(Linux)
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0)
    }

    deinit { close(descriptor) }

    /// Closes this side at once.
    func end() { shutdown(descriptor, 2) }

    /// Sends a text; whether the other side still takes it is seen by reading.
    func put(_ text: String) {
        #if os(Linux)
            let flags = Int32(MSG_NOSIGNAL)
        #else
            let flags: Int32 = 0
        #endif
        let bytes = Array(text.utf8)
        _ = send(descriptor, bytes, bytes.count, flags)
    }

    /// Bytes that come until the other side closes, or until the time is over.
    ///
    /// - Parameter wanted: what an answer begins with that need not be waited out.
    func received(within seconds: Double, until wanted: String? = nil) async -> String {
        // The server answers on the threads that tests run on: none of them may wait here.
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(returning: self.read(within: seconds, until: wanted))
            }
        }
    }

    private func read(within seconds: Double, until beginning: String?) -> String {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        let end = Date().addingTimeInterval(seconds)
        while case let left = end.timeIntervalSinceNow, left > 0 {
            var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&wanted, 1, Int32(left * 1000) + 1) > 0 else { continue }
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else {
                wasClosed = true
                break
            }
            bytes += chunk[..<count]
            if let beginning, bytes.starts(with: beginning.utf8) { break }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// True if the other side closes within the time.
    func closes(within seconds: Double) async -> Bool {
        _ = await received(within: seconds)
        return wasClosed
    }
}

extension JSONValue {
    /// An element of a list; nil out of bounds and for what is no list.
    subscript(index: Int) -> JSONValue? {
        array.flatMap { $0.indices.contains(index) ? $0[index] : nil }
    }
}
